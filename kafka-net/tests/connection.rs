//! A connection against a peer whose every byte a test decides, on a clock that a test moves.
#![cfg(feature = "tokio")]

use std::time::Duration;

use kafka_net::{
    ConnectError, Connection, DisconnectReason, HostPort, NetConfig, RequestError, SendError,
};
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};
use kafka_protocol::{ErrorCode, Frame};
use peer::{Peer, metadata, versions};
use tokio::io::{AsyncWriteExt, DuplexStream};

mod peer;

type Far = Peer<DuplexStream>;

fn address() -> HostPort {
    "kafka:9092".parse().unwrap()
}

fn config() -> NetConfig {
    NetConfig::new().client_id("test").request_timeout(Duration::from_secs(30))
}

fn pipe() -> (DuplexStream, Far) {
    let (near, far) = tokio::io::duplex(1 << 16);
    (near, Peer::new(far))
}

async fn connected_with(config: &NetConfig) -> (Connection, Far) {
    let (near, mut far) = pipe();
    let (connection, ()) = tokio::join!(Connection::over(near, address(), config), far.handshake());
    (connection.expect("the peer plays a broker"), far)
}

async fn connected() -> (Connection, Far) {
    connected_with(&config()).await
}

async fn refused(play: impl AsyncFnOnce(&mut Far)) -> ConnectError {
    let (near, mut far) = pipe();
    let config = config();
    let over = Connection::over(near, address(), &config);
    let (result, far) = tokio::join!(over, async {
        play(&mut far).await;
        far
    });
    drop(far);
    result.expect_err("the peer plays no broker")
}

fn every_topic() -> MetadataRequest {
    MetadataRequest { topics: None, ..MetadataRequest::default() }
}

fn reason(error: RequestError) -> (DisconnectReason, bool) {
    match error {
        RequestError::Disconnected { reason, written, .. } => (reason, written),
        other => panic!("{other}"),
    }
}

#[tokio::test(start_paused = true)]
async fn several_requests_are_in_flight_and_each_gets_its_own_answer() {
    let (connection, mut far) = connected().await;
    let futures: Vec<_> =
        (0..3).map(|_| connection.send(&every_topic()).expect("there is room")).collect();
    let requests = [far.read().await, far.read().await, far.read().await].map(Option::unwrap);
    assert_eq!(requests[0].header.client_id, Some("test".into()));
    assert_eq!(connection.in_flight(), 3);
    for (request, name) in requests.iter().zip(["a", "b", "c"]) {
        far.answer::<MetadataRequest>(request, &metadata(name)).await;
    }
    // Awaited in another order than answered.
    for (future, name) in futures.into_iter().zip(["a", "b", "c"]).rev() {
        assert_eq!(future.await.unwrap().cluster_id, Some(name.into()));
    }
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_future_does_not_disturb_the_others() {
    let (connection, mut far) = connected().await;
    drop(connection.send(&every_topic()).unwrap());
    let kept = connection.send(&every_topic()).unwrap();
    let request = every_topic();
    drop(connection.call(&request));
    far.metadata("dropped").await;
    far.metadata("kept").await;
    assert_eq!(kept.await.unwrap().cluster_id, Some("kept".into()));
    let (last, ()) = tokio::join!(connection.call(&request), far.metadata("last"));
    assert_eq!(last.unwrap().cluster_id, Some("last".into()));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_cancelled_while_it_waits_leaves_the_stream_whole() {
    let (connection, mut far) = connected().await;
    let request = every_topic();
    for _ in 0..20 {
        let call = connection.call(&request);
        assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    }
    for _ in 0..20 {
        far.metadata("nobody").await;
    }
    let (last, ()) = tokio::join!(connection.call(&request), far.metadata("last"));
    assert_eq!(last.unwrap().cluster_id, Some("last".into()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_out_of_order_ends_the_connection() {
    let (connection, mut far) = connected().await;
    let first = connection.send(&every_topic()).unwrap();
    let second = connection.send(&every_topic()).unwrap();
    let _ = far.read().await;
    let request = far.read().await.unwrap();
    far.answer::<MetadataRequest>(&request, &metadata("second")).await;
    for future in [first, second] {
        let error = future.await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "MetadataRequest has no answer from kafka:9092: an answer has correlation id 1, the one \
             that is due has 0"
        );
        assert!(error.is_retriable() && error.may_have_been_written());
    }
    let error = connection.call(&every_topic()).await.unwrap_err();
    assert!(!error.may_have_been_written());
    assert_eq!(
        error.to_string(),
        "the connection to kafka:9092 has ended: an answer has correlation id 1, the one that is \
         due has 0"
    );
    assert!(far.read().await.is_none(), "our side is closed");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_asked_for_ends_the_connection() {
    let (connection, mut far) = connected().await;
    far.write(b"\0\0\0\x04\0\0\0\x07").await;
    let ended = connection.closed().await;
    assert_eq!(ended.to_string(), "an answer has correlation id 7, and none is due");
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_connection_and_says_so() {
    let (connection, mut far) = connected().await;
    let future = connection.send(&every_topic()).unwrap();
    let _ = far.read().await;
    far.write(b"\0\0\0\x06\0\0\0\0\xff\xff").await;
    let error = future.await.unwrap_err();
    assert!(matches!(error, RequestError::Garbled { .. }), "{error}");
    assert!(error.to_string().starts_with("garbled answer from kafka:9092: "), "{error}");
    assert!(matches!(connection.closed().await, DisconnectReason::Garbled(_)));
}

#[tokio::test(start_paused = true)]
async fn a_frame_above_the_limit_ends_the_connection() {
    let (connection, mut far) = connected_with(&config().max_frame_len(1_000)).await;
    let future = connection.send(&every_topic()).unwrap();
    let _ = far.read().await;
    far.write(&1_001_i32.to_be_bytes()).await;
    let (reason, written) = reason(future.await.unwrap_err());
    assert_eq!(reason.to_string(), "a frame of 1001 bytes is announced, the limit is 1000");
    assert!(written);
}

#[tokio::test(start_paused = true)]
async fn an_early_end_tells_whether_a_request_may_have_been_written() {
    let (near, mut far) = tokio::io::duplex(64);
    let config = config();
    let mut peer = Peer::new(&mut far);
    let over = Connection::over(near, address(), &config);
    let (connection, ()) = tokio::join!(over, peer.handshake());
    let connection = connection.unwrap();
    // The pipe takes 64 bytes: two requests and a part of the third.
    let futures: Vec<_> = (0..5).map(|_| connection.send(&every_topic()).unwrap()).collect();
    tokio::time::sleep(Duration::from_millis(1)).await;
    drop(far);
    let mut written = Vec::new();
    for future in futures {
        let (reason, was_written) = reason(future.await.unwrap_err());
        assert_eq!(reason, DisconnectReason::Io(std::io::ErrorKind::BrokenPipe));
        written.push(was_written);
    }
    assert_eq!(written, [true, true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_hangs_up_on_the_first_request_may_want_authentication() {
    for is_answered in [true, false] {
        let (connection, mut far) = connected().await;
        if is_answered {
            let request = every_topic();
            let (answer, ()) = tokio::join!(connection.call(&request), far.metadata("first"));
            answer.unwrap();
        }
        let future = connection.send(&every_topic()).unwrap();
        let _ = far.read().await;
        drop(far);
        let (reason, _) = reason(future.await.unwrap_err());
        let expected = if is_answered {
            DisconnectReason::ClosedByPeer
        } else {
            DisconnectReason::ClosedBeforeAnswer
        };
        assert_eq!(reason, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_request_times_out_and_ends_the_connection() {
    let (connection, mut far) = connected().await;
    let begin = tokio::time::Instant::now();
    let first = connection.send(&every_topic()).unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let second = connection.send(&every_topic()).unwrap();
    let error = first.await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "MetadataRequest has no answer from kafka:9092: MetadataRequest was not answered within 30s"
    );
    assert_eq!(begin.elapsed().as_secs(), 30);
    assert!(second.await.is_err());
    assert!(far.read().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn answers_in_time_keep_a_connection_through_many_timeouts() {
    let (connection, mut far) = connected().await;
    let request = every_topic();
    for _ in 0..100 {
        let call = connection.call(&request);
        let answer = async {
            tokio::time::sleep(Duration::from_secs(29)).await;
            far.metadata("late").await;
        };
        let (answer, ()) = tokio::join!(call, answer);
        answer.unwrap();
        tokio::time::sleep(Duration::from_secs(7)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_takes_again() {
    let (connection, mut far) = connected_with(&config().queue_limits(2, 1 << 20)).await;
    let first = connection.send(&every_topic()).unwrap();
    let _second = connection.send(&every_topic()).unwrap();
    let error = connection.send(&every_topic()).unwrap_err();
    assert!(matches!(error, SendError::QueueFull { requests: 2, .. }), "{error}");
    assert!(error.is_retriable());
    far.metadata("first").await;
    first.await.unwrap();
    assert!(connection.send(&every_topic()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn queued_bytes_are_bounded_too() {
    let (connection, mut far) = connected_with(&config().queue_limits(100, 1)).await;
    let first = connection.send(&every_topic()).expect("a single request may be larger");
    let error = connection.send(&every_topic()).unwrap_err();
    assert!(
        error.to_string().starts_with("the connection's queue is full: 1 requests, "),
        "{error}"
    );
    far.metadata("first").await;
    first.await.unwrap();
    assert!(connection.send(&every_topic()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_the_broker_does_not_know_is_refused_here() {
    let (connection, _far) = connected().await;
    let unknown = kafka_protocol::messages::FindCoordinatorRequest::default();
    let error = connection.call(&unknown).await.unwrap_err();
    assert_eq!(error.to_string(), "the broker does not have FindCoordinator(10)");
    assert!(!error.is_retriable());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_the_connection_after_the_answers() {
    let (connection, mut far) = connected().await;
    let future = connection.send(&every_topic()).unwrap();
    drop(connection.clone());
    assert_eq!(connection.ended(), None);
    drop(connection);
    far.metadata("after the drop").await;
    assert_eq!(future.await.unwrap().cluster_id, Some("after the drop".into()));
    assert!(far.read().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn close_takes_no_more_and_answers_the_rest() {
    let (connection, mut far) = connected().await;
    let future = connection.send(&every_topic()).unwrap();
    connection.close();
    let error = connection.send(&every_topic()).unwrap_err();
    assert_eq!(error.to_string(), "the connection to kafka:9092 has ended: it was closed");
    far.metadata("before").await;
    future.await.unwrap();
    assert_eq!(connection.closed().await, DisconnectReason::Closed);
}

#[test]
fn the_end_of_the_runtime_leaves_nobody_waiting() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (connection, far) = runtime.block_on(connected());
    let future = connection.send(&every_topic()).unwrap();
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (reason, written) = reason(other.block_on(future).unwrap_err());
    assert_eq!((reason, written), (DisconnectReason::Closed, false));
    drop(far);
}

#[tokio::test(start_paused = true)]
async fn an_older_broker_is_asked_again_in_its_own_version() {
    let (near, mut far) = pipe();
    let config = config();
    let over = Connection::over(near, address(), &config);
    let (connection, ()) = tokio::join!(over, async {
        let first = far.read().await.unwrap();
        assert_eq!(first.header.api_version, 5);
        let mut refusal = versions(&[(kafka_protocol::ApiKey::API_VERSIONS, 3)]);
        refusal.error_code = ErrorCode::UNSUPPORTED_VERSION;
        let id = first.header.correlation_id;
        let frame = Frame::response::<ApiVersionsRequest>(&refusal, 0, id).unwrap();
        far.write(&frame.into_bytes()).await;
        let second = far.read().await.unwrap();
        assert_eq!(second.header.api_version, 3);
        far.answer::<ApiVersionsRequest>(&second, &peer::broker_versions()).await;
    });
    assert_eq!(connection.unwrap().address(), &address());
}

#[tokio::test(start_paused = true)]
async fn peers_that_are_no_brokers_are_named() {
    let controller = versions(&[
        (kafka_protocol::ApiKey::FETCH, 17),
        (kafka_protocol::ApiKey::BROKER_REGISTRATION, 4),
    ]);
    let cases: [(&[u8], &str); 4] = [
        (
            b"HTTP/1.1 400 Bad Request\r\n",
            "cannot use kafka:9092: this port speaks HTTP, not Kafka's protocol",
        ),
        (
            b"\x15\x03\x03\0\x02\x02\x46",
            "cannot use kafka:9092: this port speaks TLS and was reached without: connect with TLS, \
             or to a plaintext listener",
        ),
        (
            b"SSH-2.0-OpenSSH_9.6\r\n",
            "cannot use kafka:9092: this port speaks SSH, not Kafka's protocol",
        ),
        (
            b"\x7f\0\0\0",
            "cannot use kafka:9092: a frame of 2130706432 bytes is announced, the limit is 104857600",
        ),
    ];
    for (answer, expected) in cases {
        let error = refused(async |far: &mut Far| far.write(answer).await).await;
        assert_eq!(error.to_string(), expected);
        assert!(!error.is_retriable(), "{error}");
    }
    let error = refused(async |far: &mut Far| {
        let request = far.read().await.unwrap();
        far.answer::<ApiVersionsRequest>(&request, &controller).await;
    })
    .await;
    assert_eq!(
        error.to_string(),
        "cannot use kafka:9092: this is a KRaft controller's listener: use a broker's address, as \
         in its advertised.listeners"
    );
    assert!(!error.is_retriable());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_up_is_suspected_of_tls() {
    let error = refused(async |far: &mut Far| {
        let _ = far.read().await;
        far.stream.shutdown().await.unwrap();
    })
    .await;
    assert_eq!(
        error.to_string(),
        "cannot use kafka:9092: the broker closed the connection before it answered; is this a \
         Kafka listener, and one without TLS?"
    );
    assert!(error.is_retriable());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_given_up_in_the_setup_timeout() {
    let begin = tokio::time::Instant::now();
    let error = refused(async |far: &mut Far| {
        let _ = far.read().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    assert_eq!(
        error.to_string(),
        "cannot connect to kafka:9092: no answer to ApiVersions within 10s"
    );
    assert!(begin.elapsed() >= Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_correlation_id_in_the_handshake_is_no_broker() {
    let error = refused(async |far: &mut Far| {
        let request = far.read().await.unwrap();
        let version = request.header.api_version;
        let frame = Frame::response::<ApiVersionsRequest>(&peer::broker_versions(), version, 99);
        far.write(&frame.unwrap().into_bytes()).await;
    })
    .await;
    assert_eq!(
        error.to_string(),
        "cannot use kafka:9092: an answer has correlation id 99, the one that is due has 0"
    );
}
