//! `buffer.memory` is full: who waits, for how long, and what they are told.

use std::time::Instant;

use kafka_mock::{FaultAction, MockServer};
use kafka_producer::{Delivery, Producer, Record, SendError};

use crate::harness::*;

const TOTAL: usize = 64 * 1024;

/// A producer whose memory is full, because the broker answers nothing.
async fn full(server: &MockServer, max_block: &str) -> (Producer, Vec<Delivery>) {
    let builder = builder(server)
        .set("buffer.memory", TOTAL.to_string())
        .set("batch.size", "4000")
        .set("max.block.ms", max_block);
    let producer = ready(server, builder).await;
    fault_produce(server, FaultAction::Hold);
    let mut deliveries = Vec::new();
    let value = "x".repeat(2000);
    // A batch that cannot grow any more is sent, and there may be room for another small one.
    let mut refused = 0;
    while refused < 20 {
        match producer.try_send(Record::new("orders", &value)) {
            Ok(delivery) => {
                deliveries.push(delivery);
                refused = 0;
            }
            Err(error) => {
                assert_eq!(error.to_string(), "the record would have to wait for memory");
                refused += 1;
                tokio::time::sleep(millis(2)).await;
            }
        }
    }
    (producer, deliveries)
}

fn record(value: &str) -> Record<'_> {
    Record::new("orders", value)
}

weather! {
    async fn a_send_waits_for_memory_and_then_says_memory() {
        let server = server();
        let (producer, _deliveries) = full(&server, "200").await;
        let begin = Instant::now();
        let error = producer.send(record(&"y".repeat(3000))).await.unwrap_err();
        assert!(begin.elapsed() >= millis(200), "{:?}", begin.elapsed());
        assert_eq!(
            error.to_string(),
            "no memory for a record of topic \"orders\" within 200 ms: all 65536 bytes of \
             buffer.memory hold records that are not acknowledged yet"
        );
        assert!(error.is_retriable());
    }

    async fn a_send_that_waits_for_memory_goes_on_when_there_is_some() {
        let server = server();
        let (producer, deliveries) = full(&server, "10000").await;
        let value = "y".repeat(3000);
        let waiting = producer.send(record(&value));
        let later = async {
            tokio::time::sleep(millis(50)).await;
            release(&server);
        };
        let (delivery, ()) = tokio::join!(waiting, later);
        delivery.unwrap().await.unwrap();
        let count = deliveries.len();
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        assert_eq!(values(&server).len(), count + 1);
    }

    async fn try_send_never_waits_and_says_what_it_would_wait_for() {
        let server = server();
        let producer = builder(&server).build().unwrap();
        let error = producer.try_send(record("value")).unwrap_err();
        assert_eq!(error.to_string(), "the record would have to wait for the metadata of its topic");
        assert!(error.is_retriable());
        // It was asked for.
        until(|| producer.try_send(record("value")).is_ok()).await;

        let (producer, _deliveries) = full(&server, "10000").await;
        let error = producer.try_send(record(&"x".repeat(3000))).unwrap_err();
        assert_eq!(error.to_string(), "the record would have to wait for memory");
    }

    async fn memory_that_is_missing_does_not_cost_lingering_records_their_time() {
        let server = server();
        let builder = builder(&server)
            .set("buffer.memory", "20000")
            .set("linger.ms", "3600000")
            .set("delivery.timeout.ms", "3700000");
        let producer = ready(&server, builder).await;
        let value = "x".repeat(1000);
        for _ in 0..100 {
            send(&producer, &value).await;
        }
        producer.flush().await.unwrap();
        assert_eq!(values(&server).len(), 100);
    }

    async fn a_send_future_that_is_dropped_while_it_waits_leaves_no_trace() {
        let server = server();
        let (producer, deliveries) = full(&server, "10000").await;
        let before = producer.buffered_bytes();
        let dropped = "dropped".repeat(500);
        let waiting = tokio::time::timeout(millis(50), producer.send(record(&dropped))).await;
        assert!(waiting.is_err(), "there should be no memory");
        assert_eq!(producer.buffered_bytes(), before);
        release(&server);
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        producer.flush().await.unwrap();
        assert!(!values(&server).contains(&dropped));
        // Everything but the reserve for splitting.
        assert_eq!(producer.buffered_bytes(), TOTAL / 4);
    }

    async fn a_send_that_waits_for_memory_ends_with_the_producer() {
        let server = server();
        let (producer, _deliveries) = full(&server, "10000").await;
        let value = "y".repeat(3000);
        let waiting = producer.send(record(&value));
        let close = async {
            tokio::time::sleep(millis(50)).await;
            producer.force_close();
        };
        let (error, ()) = tokio::join!(waiting, close);
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "the producer is closed");
        assert!(matches!(error, SendError::Closed));
    }

    async fn those_who_wait_are_served_in_their_order() {
        let server = server();
        let (producer, _deliveries) = full(&server, "10000").await;
        let mut waiting = Vec::new();
        for number in 0..5 {
            let producer = producer.clone();
            let value = format!("waiting {number} {}", "y".repeat(3000));
            waiting.push(tokio::spawn(async move { send(&producer, &value).await.await }));
            tokio::time::sleep(millis(20)).await;
        }
        release(&server);
        let mut offsets = Vec::new();
        for task in waiting {
            offsets.push(task.await.unwrap().unwrap().offset.unwrap());
        }
        assert!(offsets.is_sorted(), "{offsets:?}");
    }
}
