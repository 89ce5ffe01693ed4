//! Addresses behind which there is no broker.

use std::time::Instant;

use kafka_producer::Record;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use kafka_protocol::{ApiKey, Frame};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::harness::*;

/// An address that nobody listens on as long as the socket lives.
fn nowhere() -> (String, TcpSocket) {
    let socket = hold("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap().to_string(), socket)
}

/// What a send says that is given `max.block.ms` of 500.
async fn told_of(servers: &str) -> String {
    let producer = builder_at(servers).set("max.block.ms", "500").build().unwrap();
    let begin = Instant::now();
    let error = refusal(&producer).await;
    assert!(begin.elapsed() >= millis(500), "{:?}: {error}", begin.elapsed());
    assert!(begin.elapsed() < millis(5000), "{:?}: {error}", begin.elapsed());
    error.to_string()
}

weather! {
    async fn no_broker_there_is_said_with_the_address_and_in_time() {
        let (address, _held) = nowhere();
        assert_eq!(
            told_of(&address).await,
            format!(
                "Topic orders not present in metadata after 500 ms. Cause: cannot connect to \
                 {address}: connection refused"
            )
        );
    }

    async fn every_address_that_fails_is_named() {
        let ((one, _one), (other, _other)) = (nowhere(), nowhere());
        let told = told_of(&format!("{one},{other}")).await;
        assert_says!(told, &format!("cannot connect to {one}"));
        assert_says!(told, &format!("cannot connect to {other}"));
    }

    async fn a_name_that_does_not_resolve_is_said() {
        let told = told_of("no-such-host.invalid:9092").await;
        assert_says!(told, "not present in metadata after 500 ms.");
        assert_says!(told, "cannot resolve no-such-host.invalid:9092: ");
    }

    async fn an_address_that_never_answers_is_named() {
        let silent = peer(|_, stream| async move {
            tokio::time::sleep(std::time::Duration::from_secs(60)).await;
            drop(stream);
            Ok(())
        }).await;
        let told = told_of(&silent.to_string()).await;
        assert_says!(told, &format!("after 500 ms. Cause: {silent} has not answered yet"));
    }

    async fn a_port_that_speaks_http_is_said() {
        let web = peer_that_says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        let told = told_of(&web.to_string()).await;
        assert_says!(
            told,
            &format!("cannot use {web}: this port speaks HTTP, not Kafka's protocol")
        );
    }

    async fn a_port_that_speaks_tls_is_said() {
        let tls = peer_that_says(b"\x15\x03\x03\x00\x02\x02\x46").await;
        let told = told_of(&tls.to_string()).await;
        assert_says!(
            told,
            &format!("cannot use {tls}: this port speaks TLS and was reached without"),
            "connect with TLS, or to a plaintext listener",
        );
    }

    async fn a_listener_that_hangs_up_may_want_tls() {
        let shy = peer_that_says(b"").await;
        let told = told_of(&shy.to_string()).await;
        assert_says!(
            told,
            &format!("cannot use {shy}: the broker closed the connection"),
            "is this a Kafka listener, and one without TLS?",
        );
    }

    async fn a_controllers_listener_is_said() {
        let controller = peer(|_, mut stream| async move {
            let request = read_frame(&mut stream).await?;
            let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
            let correlation_id = i32::from_be_bytes([request[4], request[5], request[6], request[7]]);
            let api = |key: ApiKey| ApiVersion {
                api_key: key,
                max_version: 4,
                ..ApiVersion::default()
            };
            let api_keys = vec![api(ApiKey::API_VERSIONS), api(ApiKey::BROKER_REGISTRATION)];
            let answer = ApiVersionsResponse { api_keys, ..ApiVersionsResponse::default() };
            let version = number(2).min(4);
            let frame = Frame::response::<ApiVersionsRequest>(&answer, version, correlation_id);
            stream.write_all(&frame.unwrap().into_bytes()).await?;
            tokio::time::sleep(std::time::Duration::from_secs(10)).await;
            Ok(())
        }).await;
        let told = told_of(&controller.to_string()).await;
        assert_says!(
            told,
            &format!("cannot use {controller}: this is a KRaft controller's listener"),
            "use a broker's address",
        );
    }

    async fn one_good_address_among_bad_ones_is_enough() {
        let server = server();
        let web = peer_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let (address, _held) = nowhere();
        let servers = format!("{address},{web},{}", server.bootstrap_servers());
        let producer = builder_at(&servers).build().unwrap();
        deliver(&producer, "there").await;
        assert_eq!(values(&server), ["there"]);
    }

    async fn a_broker_that_comes_up_later_is_found() {
        let mut server = server();
        let held = stop(&mut server).await;
        let producer = builder(&server).build().unwrap();
        let early = tokio::spawn({
            let producer = producer.clone();
            async move { producer.send(Record::new("orders", "early")).await.unwrap().await }
        });
        tokio::time::sleep(millis(100)).await;
        server.start_broker(FIRST).unwrap();
        drop(held);
        early.await.unwrap().unwrap();
        assert_eq!(values(&server), ["early"]);
    }
}
