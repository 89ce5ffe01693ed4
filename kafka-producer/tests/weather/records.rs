//! Records that cannot be sent: too large, nowhere to go, not for Kafka.

use kafka_producer::{FlushError, Record, SendError};

use crate::harness::*;

/// Why a record is refused by a producer that sends others.
async fn told_of(record: Record<'_>) -> SendError {
    let server = server();
    let producer = ready(&server, builder(&server).set("max.block.ms", "200")).await;
    let now = producer.try_send(record).expect_err("should not be accepted");
    let error = producer.send(record).await.expect_err("should not be accepted");
    if !matches!(now, SendError::WouldBlock(_)) {
        assert_eq!(now.to_string(), error.to_string());
    }
    deliver(&producer, "another").await;
    assert_eq!(values(&server), ["another"]);
    assert_eq!(server.with_cluster(|cluster| cluster.topics().len()), 1, "{error}");
    error
}

weather! {
    async fn a_record_over_the_request_size_fails_alone() {
        let server = server();
        let producer = ready(&server, builder(&server).set("max.request.size", "1000")).await;
        let before = send(&producer, "before").await;
        let value = vec![b'x'; 2000];
        let error = producer.send(Record::new("orders", &value)).await.unwrap_err();
        let after = send(&producer, "after").await;
        assert_eq!(
            error.to_string(),
            "a record for topic \"orders\" takes 2097 bytes as a batch of its own, more than the \
             1000 of max.request.size"
        );
        assert!(!error.is_retriable());
        before.await.unwrap();
        after.await.unwrap();
        assert_eq!(values(&server), ["after", "before"]);
    }

    async fn a_record_larger_than_the_memory_is_refused_at_once() {
        let server = server();
        let producer = ready(&server, builder(&server).set("buffer.memory", "1000")).await;
        let value = vec![b'x'; 2000];
        for error in [
            producer.send(Record::new("orders", &value)).await.unwrap_err(),
            producer.try_send(Record::new("orders", &value)).unwrap_err(),
        ] {
            assert_says!(error, "a record for topic \"orders\" takes ", "the 1000 of buffer.memory");
        }
        assert_eq!(producer.buffered_bytes(), 250, "the reserve for splitting");
    }

    async fn a_record_that_just_fits_the_memory_is_sent() {
        let server = server();
        let producer = ready(&server, builder(&server).set("buffer.memory", "4000")).await;
        for size in 1000..4000 {
            let value = vec![b'x'; size];
            match producer.send(Record::new("orders", &value)).await {
                Ok(delivery) => drop(delivery.await.unwrap()),
                Err(error) => {
                    assert!(size > 3000, "{error}");
                    assert_says!(error, "of buffer.memory");
                    return;
                }
            }
        }
        panic!("nothing is too large");
    }

    async fn a_negative_partition_is_said() {
        assert_eq!(
            told_of(Record::new("orders", "value").partition(-1)).await.to_string(),
            "a record for topic \"orders\" is invalid: its partition is -1, and cannot be negative"
        );
    }

    async fn a_negative_timestamp_is_said() {
        assert_eq!(
            told_of(Record::new("orders", "value").timestamp(-5)).await.to_string(),
            "a record for topic \"orders\" is invalid: its timestamp is -5, and cannot be negative"
        );
    }

    async fn a_partition_out_of_range_is_said_in_kafkas_words() {
        let error = told_of(Record::new("orders", "value").partition(7)).await;
        assert_eq!(
            error.to_string(),
            "Partition 7 of topic orders with partition count 1 is not present in metadata after \
             200 ms."
        );
    }

    async fn a_partition_that_is_added_while_a_send_waits_is_found() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let waiting = producer.send(Record::new("orders", "value").partition(1));
        let add = async {
            tokio::time::sleep(millis(50)).await;
            server.with_cluster(|cluster| cluster.add_partitions("orders", 2)).unwrap();
        };
        let (delivery, ()) = tokio::join!(waiting, add);
        assert_eq!(delivery.unwrap().await.unwrap().to_string(), "orders-1@0");
    }

    async fn an_empty_topic_name_is_said_at_once() {
        assert_eq!(
            told_of(Record::new("", "value")).await.to_string(),
            "topic \"\" cannot be used: INVALID_TOPIC_EXCEPTION (17): a name has 1 to 249 letters, \
             digits, '.', '_' or '-'"
        );
    }

    async fn a_topic_name_of_250_bytes_is_said_at_once() {
        let error = told_of(Record::new(&"x".repeat(250), "value")).await;
        assert_says!(error, "x\" cannot be used: INVALID_TOPIC", "a name has 1 to 249 letters");
    }

    async fn a_topic_name_of_100_kb_does_not_fill_the_log() {
        let error = told_of(Record::new(&"x".repeat(100_000), "value")).await;
        assert_says!(error, "xxx\"... (100000 bytes) cannot be used: ", "a name has 1 to 249 letters");
        let negative = told_of(Record::new(&"x".repeat(100_000), "value").partition(-1)).await;
        assert_says!(negative, "a record for topic \"xxx", "xxx\"... (100000 bytes) is invalid: ");
        assert!(error.to_string().len() < 1000, "{} bytes", error.to_string().len());
    }

    async fn a_topic_name_with_a_space_is_refused_by_the_broker_at_once() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let error = producer.send(Record::new("two words", "value")).await.unwrap_err();
        assert_says!(error, "topic \"two words\" cannot be used: INVALID_TOPIC_EXCEPTION (17)");
        deliver(&producer, "another").await;
    }

    async fn a_batch_that_the_broker_finds_too_large_is_split_but_a_record_is_not() {
        let server = server_of(
            kafka_mock::MockConfig::new().brokers(1).default_partitions(1).message_max_bytes(1000),
        );
        let builder = builder(&server).set("linger.ms", "3600000").set("batch.size", "100000");
        let builder = builder.set("delivery.timeout.ms", "3700000");
        let producer = ready(&server, builder).await;
        let value = "x".repeat(400);
        let mut deliveries = Vec::new();
        for _ in 0..5 {
            deliveries.push(send(&producer, &value).await);
        }
        let large = producer.send(Record::new("orders", &"y".repeat(2000))).await.unwrap();
        let flushed = producer.flush().await;
        assert!(matches!(flushed, Err(FlushError::Failed { failed: 1, .. })), "{flushed:?}");
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        let error = failure(large).await;
        assert_says!(error, "record for orders-0 failed: MESSAGE_TOO_LARGE (10): ", "; it was sent");
        assert_says!(error, "was not written");
        assert_eq!(values(&server).len(), 5);
    }
}
