//! A pool against listeners on the loopback: real sockets, and therefore real, short times.
#![cfg(feature = "tokio")]

use std::time::Duration;

use kafka_net::{
    BrokerId, ConnectionPool, HostPort, NetConfig, RequestError, Target, parse_bootstrap_servers,
};
use kafka_protocol::messages::MetadataRequest;
use peer::{Peer, metadata};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

mod peer;

const BACKOFF: Duration = Duration::from_millis(10);

fn config() -> NetConfig {
    NetConfig::new()
        .client_id("test")
        .reconnect_backoff(BACKOFF, 4 * BACKOFF)
        .request_timeout(Duration::from_secs(5))
        .max_wait(Duration::from_secs(5))
}

async fn listener() -> (TcpListener, HostPort) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, address)
}

async fn accept(listener: &TcpListener) -> Peer<TcpStream> {
    Peer::new(listener.accept().await.unwrap().0)
}

/// A port where nobody listens.
async fn closed_port() -> HostPort {
    listener().await.1
}

fn every_topic() -> MetadataRequest {
    MetadataRequest { topics: None, ..MetadataRequest::default() }
}

/// The cluster's name in the answer.
async fn ask(pool: &ConnectionPool, to: impl Into<Target>) -> Result<String, RequestError> {
    let metadata = pool.call(to, &every_topic()).await?;
    Ok(metadata.cluster_id.unwrap().to_string())
}

/// Answers everything on every connection, with this name.
fn serve(listener: TcpListener, name: &'static str) {
    tokio::spawn(async move {
        loop {
            let mut peer = accept(&listener).await;
            tokio::spawn(async move {
                peer.handshake().await;
                while let Some(request) = peer.read().await {
                    peer.answer::<MetadataRequest>(&request, &metadata(name)).await;
                }
            });
        }
    });
}

#[tokio::test]
async fn one_connection_serves_many_calls_at_once() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { ask(&pool, Target::Any).await })
        })
        .collect();
    let mut peer = accept(&listener).await;
    peer.handshake().await;
    for _ in 0..20 {
        peer.metadata("shared").await;
    }
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "shared");
    }
}

#[tokio::test]
async fn brokers_that_metadata_tells_are_used_by_their_id() {
    let (seed, seed_address) = listener().await;
    let (one, one_address) = listener().await;
    let (two, two_address) = listener().await;
    serve(seed, "seed");
    serve(one, "one");
    serve(two, "two");
    let pool = ConnectionPool::new(vec![seed_address], config());
    assert_eq!(ask(&pool, Target::Any).await.unwrap(), "seed");
    let brokers = [(BrokerId(1), one_address), (BrokerId(2), two_address.clone())];
    pool.set_brokers(brokers).await.unwrap();
    assert_eq!(ask(&pool, BrokerId(1)).await.unwrap(), "one");
    assert_eq!(ask(&pool, BrokerId(2)).await.unwrap(), "two");
    assert_ne!(ask(&pool, Target::Any).await.unwrap(), "seed");
    // Broker 1 is gone, and broker 3 is where 2 was.
    pool.set_brokers([(BrokerId(3), two_address)]).await.unwrap();
    assert_eq!(ask(&pool, BrokerId(3)).await.unwrap(), "two");
    let error = ask(&pool, BrokerId(1)).await.unwrap_err();
    assert_eq!(error.to_string(), "no broker with id 1 is known");
}

#[tokio::test]
async fn a_bootstrap_server_that_is_down_is_passed_over() {
    let (listener, address) = listener().await;
    serve(listener, "up");
    let pool = ConnectionPool::new(vec![closed_port().await, address], config());
    for _ in 0..5 {
        assert_eq!(ask(&pool, Target::Any).await.unwrap(), "up");
    }
}

#[tokio::test]
async fn the_bootstrap_servers_are_asked_again_when_no_broker_is_left() {
    let (listener, address) = listener().await;
    serve(listener, "seed");
    let pool = ConnectionPool::new(vec![address], config());
    pool.set_brokers([(BrokerId(1), closed_port().await)]).await.unwrap();
    assert_eq!(ask(&pool, Target::Any).await.unwrap(), "seed");
}

#[tokio::test]
async fn nobody_there_names_every_address_within_the_time() {
    let (one, two) = (closed_port().await, closed_port().await);
    let config = config().max_wait(Duration::from_millis(200));
    let pool = ConnectionPool::new(vec![one.clone(), two.clone()], config);
    let begin = tokio::time::Instant::now();
    let error = ask(&pool, Target::Any).await.unwrap_err();
    assert!(begin.elapsed() < Duration::from_secs(2));
    let said = error.to_string();
    let of = |a: &HostPort| format!("cannot connect to {a}: {a}: connection refused");
    assert!(said.starts_with("no broker is reachable: "), "{said}");
    assert!(said.contains(&of(&one)) && said.contains(&of(&two)), "{said}");
    assert!(error.is_retriable() && !error.may_have_been_written());
}

#[tokio::test]
async fn every_address_of_a_name_is_tried() {
    let (listener, address) = listener().await;
    serve(listener, "v4 alone");
    // Where localhost has an IPv6 address, nobody listens there.
    let servers = parse_bootstrap_servers(&format!("localhost:{}", address.port())).unwrap();
    let pool = ConnectionPool::new(servers, config());
    assert_eq!(ask(&pool, Target::Any).await.unwrap(), "v4 alone");
}

#[tokio::test]
async fn a_name_that_does_not_exist_says_so() {
    let servers = parse_bootstrap_servers("no-such-host.invalid:9092").unwrap();
    let pool = ConnectionPool::new(servers, config().max_wait(Duration::from_millis(300)));
    let said = ask(&pool, Target::Any).await.unwrap_err().to_string();
    let (named, slow) = (
        "no broker is reachable: cannot resolve no-such-host.invalid:9092: ",
        "no broker is reachable: cannot connect to no-such-host.invalid:9092: no answer of a name \
         server within ",
    );
    assert!(said.starts_with(named) || said.starts_with(slow), "{said}");
}

#[tokio::test]
async fn a_port_that_is_no_brokers_ends_the_wait_at_once() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let mut peer = accept(&listener).await;
            peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = peer.stream.read_u8().await;
        }
    });
    let pool = ConnectionPool::new(vec![address.clone()], config());
    for _ in 0..2 {
        let begin = tokio::time::Instant::now();
        let error = ask(&pool, Target::Any).await.unwrap_err();
        assert!(begin.elapsed() < Duration::from_secs(2));
        assert_eq!(
            error.to_string(),
            format!(
                "no broker is reachable: cannot use {address}: this port speaks HTTP, not Kafka's \
                 protocol"
            )
        );
        assert!(!error.is_retriable());
    }
}

#[tokio::test]
async fn a_lost_connection_is_replaced_and_its_request_not_repeated() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address.clone()], config());
    let (lost, ()) = tokio::join!(ask(&pool, Target::Any), async {
        let mut peer = accept(&listener).await;
        peer.handshake().await;
        let _ = peer.read().await;
    });
    let error = lost.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "MetadataRequest has no answer from {address}: the broker closed the connection before \
             its first answer; does this listener expect authentication?"
        )
    );
    assert!(error.may_have_been_written() && error.is_retriable());
    let (again, ()) = tokio::join!(ask(&pool, Target::Any), async {
        let mut peer = accept(&listener).await;
        peer.handshake().await;
        peer.metadata("again").await;
    });
    assert_eq!(again.unwrap(), "again");
}

#[tokio::test]
async fn pauses_between_attempts_grow() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let mut attempts = Vec::new();
    let call = ask(&pool, Target::Any);
    let refuse = async {
        for _ in 0..5 {
            drop(accept(&listener).await);
            attempts.push(tokio::time::Instant::now());
        }
        let mut peer = accept(&listener).await;
        peer.handshake().await;
        peer.metadata("patience").await;
    };
    assert_eq!(tokio::join!(call, refuse).0.unwrap(), "patience");
    let pauses: Vec<_> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, least) in pauses.iter().zip([8, 16, 32, 32]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_opened_again() {
    let (listener, address) = listener().await;
    let config = config().connections_max_idle(Some(Duration::from_millis(50)));
    let pool = ConnectionPool::new(vec![address], config);
    for name in ["first", "second"] {
        let (answer, mut peer) = tokio::join!(ask(&pool, Target::Any), async {
            let mut peer = accept(&listener).await;
            peer.handshake().await;
            peer.metadata(name).await;
            peer
        });
        assert_eq!(answer.unwrap(), name);
        assert!(peer.read().await.is_none(), "the pool hangs up");
    }
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_named_with_the_time_it_had() {
    let (_listener, address) = listener().await;
    let short = Duration::from_millis(100);
    let config = config().socket_connection_setup_timeout(short, short).max_wait(3 * short);
    let pool = ConnectionPool::new(Vec::new(), config);
    pool.set_brokers([(BrokerId(1), address.clone())]).await.unwrap();
    let error = ask(&pool, BrokerId(1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot connect to {address}: no answer to ApiVersions within 100ms")
    );
    let error = ask(&pool, Target::Any).await.unwrap_err();
    assert!(matches!(error, RequestError::NoBroker { .. }), "{error}");
}

#[tokio::test]
async fn a_call_that_gives_up_leaves_the_attempt_to_others() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let call = ask(&pool, Target::Any);
    assert!(tokio::time::timeout(Duration::from_millis(20), call).await.is_err());
    let mut peer = accept(&listener).await;
    peer.handshake().await;
    let (answer, ()) = tokio::join!(ask(&pool, Target::Any), peer.metadata("the same one"));
    assert_eq!(answer.unwrap(), "the same one");
}

#[tokio::test]
async fn calls_that_wait_are_bounded() {
    let (_listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let calls: Vec<_> = (0..1_001)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { pool.connection(Target::Any).await.map(|_| ()) })
        })
        .collect();
    let mut errors = Vec::new();
    for call in calls.into_iter().rev() {
        if errors.is_empty() {
            errors.extend(call.await.unwrap().err());
        } else {
            call.abort();
        }
    }
    assert_eq!(errors[0].to_string(), "1000 calls are waiting for a connection already");
}

#[tokio::test]
async fn a_connection_with_an_answer_due_is_not_idle() {
    let (listener, address) = listener().await;
    let config = config().connections_max_idle(Some(Duration::from_millis(50)));
    let pool = ConnectionPool::new(vec![address], config);
    let (answer, ()) = tokio::join!(ask(&pool, Target::Any), async {
        let mut peer = accept(&listener).await;
        peer.handshake().await;
        let request = peer.read().await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // The pool would take a call here, on the same connection, had it not hung up.
        let more = pool.connection(Target::Any).await.unwrap();
        assert_eq!(more.in_flight(), 1);
        peer.answer::<MetadataRequest>(&request, &metadata("slow")).await;
    });
    assert_eq!(answer.unwrap(), "slow");
}

#[tokio::test]
async fn a_call_to_any_broker_does_not_wait_for_one_that_says_nothing() {
    let (_silent, silent_address) = listener().await;
    let (listener, address) = listener().await;
    serve(listener, "awake");
    let pool = ConnectionPool::new(vec![address], config());
    pool.set_brokers([(BrokerId(1), silent_address)]).await.unwrap();
    assert_eq!(ask(&pool, Target::Any).await.unwrap(), "awake");
}

#[tokio::test]
async fn a_port_that_was_no_brokers_may_become_one() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let (refused, ()) = tokio::join!(ask(&pool, Target::Any), async {
        accept(&listener).await.write(b"SSH-2.0-OpenSSH_9.6\r\n").await;
    });
    assert!(!refused.unwrap_err().is_retriable());
    let (answer, ()) = tokio::join!(ask(&pool, Target::Any), async {
        let mut peer = accept(&listener).await;
        peer.handshake().await;
        peer.metadata("a broker now").await;
    });
    assert_eq!(answer.unwrap(), "a broker now");
}

#[tokio::test]
async fn a_closed_pool_answers_everybody() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let (waiting, ()) = tokio::join!(ask(&pool, Target::Any), async {
        let _peer = accept(&listener).await;
        pool.close().await;
    });
    assert_eq!(waiting.unwrap_err().to_string(), "the pool is closed");
    assert_eq!(ask(&pool, Target::Any).await.unwrap_err().to_string(), "the pool is closed");
}

#[tokio::test]
async fn the_last_clone_ends_the_pool() {
    let (listener, address) = listener().await;
    let pool = ConnectionPool::new(vec![address], config());
    let (answer, mut peer) = tokio::join!(ask(&pool, Target::Any), async {
        let mut peer = accept(&listener).await;
        peer.handshake().await;
        peer.metadata("one").await;
        peer
    });
    answer.unwrap();
    drop(pool);
    assert!(peer.read().await.is_none());
}
