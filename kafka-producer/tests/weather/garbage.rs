//! Brokers that answer what no broker should, and brokers that answer slowly.

use std::net::SocketAddr;

use kafka_mock::{FaultAction, FaultRule, MockServer};
use kafka_producer::{ProduceError, Producer, Record};
use kafka_protocol::ApiKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::*;

/// A record is delivered once, on another connection, although the first answer to it was damaged.
async fn goes_through_after(action: FaultAction) {
    let server = server();
    let producer = ready(&server, builder(&server).set("request.timeout.ms", "500")).await;
    fault(&server, FaultRule::new(action).api(ApiKey::PRODUCE));
    deliver(&producer, "1").await;
    assert_eq!(requests(&server, ApiKey::PRODUCE), 2);
    let connections = server.with_cluster(|cluster| {
        let requests = cluster.requests().filter(|request| request.api == ApiKey::PRODUCE);
        requests.map(|request| request.connection).collect::<Vec<_>>()
    });
    assert_ne!(connections[0], connections[1]);
    deliver(&producer, "2").await;
    assert_eq!(values(&server), ["1", "2"]);
}

/// What a record's failure says when every answer to Produce is damaged.
async fn told_of(action: FaultAction) -> ProduceError {
    let server = server();
    let builder = builder(&server).set("request.timeout.ms", "200");
    let producer = ready(&server, builder.set("delivery.timeout.ms", "600")).await;
    fault_produce(&server, action);
    let error = failure(send(&producer, "value").await).await;
    assert!(error.may_have_been_written(), "{error}");
    assert_eq!(values(&server), ["value"], "{error}");
    assert_says!(error, "record for orders-0 failed: not delivered within ", " ms, because ");
    error
}

/// A way to the broker on which the first request of the first connection gets this answer.
async fn way_to(server: &MockServer, first_answer: &'static [u8]) -> (SocketAddr, Producer) {
    let broker = server.addresses()[0].1;
    let address = peer(move |number, mut client| async move {
        if number == 0 {
            read_frame(&mut client).await?;
            client.write_all(first_answer).await?;
            let rest = client.read_to_end(&mut Vec::new()).await?;
            assert_eq!(rest, 0, "the connection is not used any more");
            return Ok(());
        }
        let mut broker = TcpStream::connect(broker).await?;
        tokio::io::copy_bidirectional(&mut client, &mut broker).await.map(drop)
    })
    .await;
    server.with_cluster(|c| c.set_address(FIRST, &address.ip().to_string(), address.port()));
    (address, builder_at(&address.to_string()).build().unwrap())
}

/// Nothing but garbage comes from there.
async fn told_of_answer(answer: &'static [u8]) -> String {
    let address = peer_that_says(answer).await;
    let producer = builder_at(&address.to_string()).set("max.block.ms", "300").build().unwrap();
    refusal(&producer).await.to_string().replace(&address.to_string(), "HERE")
}

weather! {
    async fn a_record_goes_through_after_a_wrong_correlation_id() {
        goes_through_after(FaultAction::WrongCorrelationId).await;
    }

    async fn a_record_goes_through_after_a_negative_length() {
        goes_through_after(FaultAction::Corrupt { at: 0 }).await;
    }

    async fn a_record_goes_through_after_a_length_of_what_never_comes() {
        goes_through_after(FaultAction::Corrupt { at: 1 }).await;
    }

    async fn a_record_goes_through_after_a_garbled_answer() {
        goes_through_after(FaultAction::Corrupt { at: 9 }).await;
    }

    async fn a_record_goes_through_after_a_truncated_answer() {
        goes_through_after(FaultAction::Truncate(20)).await;
    }

    async fn a_record_goes_through_after_an_answer_without_an_end() {
        goes_through_after(FaultAction::Truncate(4)).await;
    }

    async fn an_answer_that_comes_twice_ends_its_connection_alone() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        fault(&server, FaultRule::new(FaultAction::Duplicate).api(ApiKey::PRODUCE));
        deliver(&producer, "1").await;
        deliver(&producer, "2").await;
        assert_eq!(values(&server), ["1", "2"]);
    }

    async fn answers_a_byte_at_a_time_are_read() {
        let server = server();
        fault(&server, FaultRule::new(FaultAction::SplitWrites(1)).always());
        let producer = builder(&server).build().unwrap();
        deliver(&producer, "1").await;
        deliver(&producer, "2").await;
        assert_eq!(values(&server), ["1", "2"]);
    }

    async fn a_wrong_correlation_id_is_said() {
        let error = told_of(FaultAction::WrongCorrelationId).await;
        assert_says!(error, "an answer has correlation id -", ", the one that is due has ");
    }

    async fn a_negative_length_is_said() {
        assert_says!(told_of(FaultAction::Corrupt { at: 0 }).await, "a frame of -", "is announced");
    }

    async fn a_garbled_answer_is_said_with_the_place() {
        let error = told_of(FaultAction::Corrupt { at: 9 }).await;
        assert_says!(error, "garbled answer: ", "Produce");
    }

    async fn a_truncated_answer_is_said() {
        let error = told_of(FaultAction::Truncate(20)).await;
        assert_says!(error, "the broker closed the connection inside a frame");
    }

    async fn answers_that_never_come_are_said() {
        let error = told_of(FaultAction::Swallow).await;
        assert_says!(error, " has not answered yet; the attempt before: ");
        assert_says!(error, "lost the connection to 127.0.0.1:", "Produce was not answered within 200ms");
    }

    async fn an_answer_after_the_time_is_over_doubles_nothing() {
        let server = server();
        let builder = builder(&server).set("request.timeout.ms", "300");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "300")).await;
        fault_produce(&server, FaultAction::Hold);
        let error = failure(send(&producer, "1").await).await;
        assert_says!(
            error,
            "record for orders-0 failed: not delivered within ",
            " has not answered yet; it was sent once and may have been",
        );
        assert!(error.may_have_been_written() && error.is_retriable());
        release(&server);
        deliver(&producer, "2").await;
        assert_eq!(values(&server), ["1", "2"]);
    }

    async fn a_frame_longer_than_the_limit_is_said_and_the_next_connection_used() {
        let server = server();
        let (_, producer) = way_to(&server, b"\x7f\xff\xff\xff").await;
        deliver(&producer, "1").await;
        assert_eq!(values(&server), ["1"]);
        assert_says!(
            told_of_answer(b"\x7f\xff\xff\xff").await,
            "cannot use HERE: a frame of 2147483647 bytes is announced, the limit is 104857600",
        );
    }

    async fn garbage_in_the_first_answer_is_said_and_the_next_connection_used() {
        let server = server();
        let (_, producer) = way_to(&server, b"\0\0\0\x06\0\0\0\0\xff\xff").await;
        deliver(&producer, "1").await;
        assert_eq!(values(&server), ["1"]);
        let told = told_of_answer(b"\0\0\0\x06\0\0\0\0\x01\x00").await;
        assert_says!(told, "cannot use HERE: the answer to ApiVersions is garbled: ");
    }

    async fn metadata_without_brokers_are_said() {
        let server = server();
        let rule = FaultRule::new(FaultAction::Corrupt { at: 14 }).api(ApiKey::METADATA);
        fault(&server, rule.always());
        let producer = builder(&server).set("max.block.ms", "300").build().unwrap();
        let address = server.bootstrap_servers();
        assert_says!(refusal(&producer).await, &format!("{address} names no broker in its metadata"));
        server.with_cluster(kafka_mock::MockCluster::clear_faults);
        deliver(&producer, "1").await;
    }

    async fn garbage_in_the_metadata_is_said() {
        let server = server();
        let rule = FaultRule::new(FaultAction::Corrupt { at: 22 }).api(ApiKey::METADATA);
        fault(&server, rule.always());
        let producer = builder(&server).set("max.block.ms", "300").build().unwrap();
        let error = refusal(&producer).await;
        assert_says!(error, "not present in metadata after 300 ms. Cause: lost the connection to ");
        assert_says!(error, &server.bootstrap_servers(), "garbled answer: ", "Metadata");
        server.with_cluster(kafka_mock::MockCluster::clear_faults);
        deliver(&producer, "1").await;
    }
}

/// What is announced is not allocated. On a thread of its own, which counts what it allocates.
#[test]
fn a_peer_that_announces_much_and_sends_little_takes_little_memory() {
    let used = allocation_counter::measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // 99 MiB, less than the limit.
            let address = peer_that_says(b"\x06\x30\0\0\0\0\0\0").await;
            let builder = builder_at(&address.to_string()).set("max.block.ms", "200");
            let (producer, task) = builder.build_with_task().unwrap();
            let task = tokio::spawn(task);
            let error = producer.send(Record::new("orders", "value")).await.unwrap_err();
            assert_says!(error, "the broker closed the connection inside a frame");
            task.abort();
        });
    });
    assert!(used.bytes_max < 2 << 20, "{} bytes", used.bytes_max);
}
