//! Opening connections to real ports on the loopback, and what hostile ones may cost.
#![cfg(feature = "tokio")]

use std::time::Duration;

use kafka_net::{ConnectError, Connection, HostPort, NetConfig};
use peer::Peer;
use tokio::net::TcpListener;

mod peer;

async fn listener() -> (TcpListener, HostPort) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, address)
}

fn config() -> NetConfig {
    let short = Duration::from_millis(200);
    NetConfig::new().client_id("test").socket_connection_setup_timeout(short, short)
}

#[tokio::test]
async fn no_broker_there_names_each_address() {
    let (_, address) = listener().await;
    let error = Connection::connect(&address, &config()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot connect to {address}: {address}: connection refused")
    );
    assert!(error.is_retriable());
    let by_name: HostPort = format!("localhost:{}", address.port()).parse().unwrap();
    let error = Connection::connect(&by_name, &config()).await.unwrap_err();
    let ConnectError::Unreachable { tried, .. } = &error else { panic!("{error}") };
    assert!(tried.iter().any(|(to, _)| to.ip().is_loopback()), "{error}");
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up_in_time() {
    let (_listener, address) = listener().await;
    let begin = tokio::time::Instant::now();
    let error = Connection::connect(&address, &config()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot connect to {address}: no answer to ApiVersions within 200ms")
    );
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_broker_behind_a_name_is_found() {
    let (listener, address) = listener().await;
    let by_name: HostPort = format!("localhost:{}", address.port()).parse().unwrap();
    let serve = async { Peer::new(listener.accept().await.unwrap().0).handshake().await };
    let config = config();
    let (connection, ()) = tokio::join!(Connection::connect(&by_name, &config), serve);
    assert_eq!(connection.unwrap().address(), &by_name);
}

#[tokio::test]
async fn an_ipv6_literal_needs_no_name_server() {
    // Not every machine has IPv6.
    let Ok(listener) = TcpListener::bind("[::1]:0").await else { return };
    let address: HostPort = listener.local_addr().unwrap().to_string().parse().unwrap();
    assert!(address.to_string().starts_with("[::1]:"));
    let serve = async { Peer::new(listener.accept().await.unwrap().0).handshake().await };
    let config = config();
    let (connection, ()) = tokio::join!(Connection::connect(&address, &config), serve);
    assert_eq!(connection.unwrap().address(), &address);
}

/// A peer that announces much and sends little, or sends nonsense, costs us next to nothing.
#[test]
fn hostile_peers_cost_little_memory() {
    let mut announced = 90_000_000_i32.to_be_bytes().to_vec();
    announced.extend_from_slice(b"0123456789");
    let cases: [&[u8]; 4] = [&announced, b"HTTP/1.1 200 OK\r\n", &[0xff; 5_000], &[0; 5_000]];
    for answer in cases {
        let cost = allocation_counter::measure(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (near, far) = tokio::io::duplex(1_000);
                let mut peer = Peer::new(far);
                let (address, config) = ("kafka:9092".parse().unwrap(), config());
                let over = Connection::over(near, address, &config);
                let (result, ()) = tokio::join!(over, async {
                    let _ = peer.read().await;
                    peer.write(answer).await;
                    // Stays open until the timeout.
                    let _ = peer.read().await;
                });
                result.unwrap_err();
            });
        });
        assert!(cost.bytes_max < 150_000, "{} bytes", cost.bytes_max);
    }
}
