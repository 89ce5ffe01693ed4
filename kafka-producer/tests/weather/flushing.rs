//! Flushing: what was accepted before, and nothing else.

use std::time::{Duration, Instant};

use kafka_mock::{FaultAction, FaultRule, MockConfig, MockServer};
use kafka_producer::{Delivery, FlushError, Producer, Record};
use kafka_protocol::{ApiKey, ErrorCode};

use crate::harness::*;

/// A producer that would wait for an hour.
async fn lingering(server: &MockServer) -> Producer {
    let builder = builder(server).set("linger.ms", "3600000");
    ready(server, builder.set("delivery.timeout.ms", "3700000")).await
}

weather! {
    async fn a_flush_does_not_linger() {
        let server = server();
        let producer = lingering(&server).await;
        let delivery = send(&producer, "1").await;
        tokio::time::sleep(millis(50)).await;
        assert!(!delivery.is_done());
        producer.flush().await.unwrap();
        assert!(delivery.is_done());
        assert_eq!(values(&server), ["1"]);
    }

    async fn a_flush_does_not_wait_for_what_comes_later() {
        let server = server();
        let producer = lingering(&server).await;
        let before = send(&producer, "1").await;
        fault_produce(&server, FaultAction::Hold);
        let flush = tokio::spawn({
            let producer = producer.clone();
            async move { producer.flush().await }
        });
        until(|| values(&server).len() == 1).await;
        let after = send(&producer, "2").await;
        assert!(!flush.is_finished());
        release(&server);
        flush.await.unwrap().unwrap();
        assert!(before.is_done() && !after.is_done());
        assert_eq!(values(&server), ["1"]);
        producer.flush().await.unwrap();
        assert_eq!(values(&server), ["1", "2"]);
    }

    async fn a_flush_does_not_wait_for_what_is_on_its_way_later() {
        let server = server_of(MockConfig::new().brokers(1).default_partitions(2));
        let producer = ready(&server, builder(&server)).await;
        deliver(&producer, "0").await;
        let hold = |partition| {
            let rule = FaultRule::new(FaultAction::Hold).api(ApiKey::PRODUCE);
            fault(&server, rule.partition(partition).always())
        };
        let (first, _second) = (hold(0), hold(1));
        let record = |value, partition| Record::new("orders", value).partition(partition);
        let before = producer.send(record("1", 0)).await.unwrap();
        let flush = tokio::spawn({
            let producer = producer.clone();
            async move { producer.flush().await }
        });
        until(|| values(&server).len() == 2).await;
        tokio::time::sleep(millis(20)).await;
        let after = producer.send(record("2", 1)).await.unwrap();
        until(|| values(&server).len() == 3).await;
        server.with_cluster(|cluster| cluster.release(Instant::now(), Some(first)));
        flush.await.unwrap().unwrap();
        assert!(before.is_done() && !after.is_done());
    }

    async fn a_flush_of_nothing_is_done_at_once() {
        let producer = builder_at("127.0.0.1:1").build().unwrap();
        producer.flush().await.unwrap();
    }

    async fn two_flushes_at_once_both_end() {
        let server = server();
        let producer = lingering(&server).await;
        let first = send(&producer, "1").await;
        let second = async {
            let delivery = send(&producer, "2").await;
            producer.flush().await.unwrap();
            assert!(delivery.is_done());
        };
        let (flushed, (), again) = tokio::join!(producer.flush(), second, producer.flush());
        flushed.unwrap();
        again.unwrap();
        assert!(first.is_done());
    }

    async fn a_flush_ends_when_its_records_have_failed() {
        let server = server();
        let builder = builder(&server).set("request.timeout.ms", "100");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "300")).await;
        fault_produce(&server, FaultAction::Swallow);
        let delivery = send(&producer, "1").await;
        let error = producer.flush().await.unwrap_err();
        assert_says!(error, "1 of 1 flushed record failed, first: record for orders-0 failed: ");
        assert_says!(failure(delivery).await, "not delivered within ");
    }

    async fn a_flush_tells_how_many_records_it_waited_for_and_how_many_failed() {
        let server = server();
        let producer = lingering(&server).await;
        for number in 0..3 {
            drop(send(&producer, &number.to_string()).await);
        }
        assert_eq!(producer.flush().await.unwrap().records, 3);
        assert_eq!(producer.flush().await.unwrap().records, 0);
        fault_produce(&server, FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        let deliveries = [send(&producer, "3").await, send(&producer, "4").await];
        let error = producer.flush().await.unwrap_err();
        let FlushError::Failed { failed, records, first } = &error else { panic!("{error}") };
        assert_eq!((*failed, *records), (2, 2));
        assert_eq!(first.error_code(), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        assert_says!(error, "2 of 2 flushed records failed, first: ", "not authorized");
        assert!(deliveries.iter().all(Delivery::is_done));
    }

    async fn a_flush_with_a_deadline_says_what_is_not_delivered_yet_and_loses_nothing() {
        let server = server();
        let producer = lingering(&server).await;
        fault_produce(&server, FaultAction::Hold);
        let deliveries = [send(&producer, "1").await, send(&producer, "2").await];
        let begin = Instant::now();
        let error = producer.flush_timeout(millis(100)).await.unwrap_err();
        assert!(begin.elapsed() >= millis(100), "{:?}", begin.elapsed());
        assert!(matches!(error, FlushError::TimedOut { unfinished: 2, failed: 0, .. }), "{error}");
        assert_says!(error, "2 flushed records are not delivered within 10", " ms yet");
        release(&server);
        // They may have their outcome before it begins: then it has nothing to tell.
        producer.flush_timeout(millis(10_000)).await.unwrap();
        for delivery in deliveries {
            delivery.await.unwrap();
        }
    }

    async fn a_flush_that_is_dropped_still_sends() {
        let server = server();
        let producer = lingering(&server).await;
        let delivery = send(&producer, "1").await;
        let flush = tokio::time::timeout(Duration::ZERO, producer.flush());
        drop(flush.await);
        delivery.await.unwrap();
    }

    async fn a_flush_that_is_closed_under_says_so() {
        let server = server();
        let producer = lingering(&server).await;
        let _delivery = send(&producer, "1").await;
        fault_produce(&server, FaultAction::Hold);
        let close = async {
            tokio::time::sleep(millis(50)).await;
            producer.force_close();
        };
        let (flushed, ()) = tokio::join!(producer.flush(), close);
        assert_eq!(
            flushed.unwrap_err().to_string(),
            "the producer was closed before everything was flushed"
        );
    }

    async fn a_delivery_may_be_dropped() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        for number in 0..10 {
            drop(send(&producer, &number.to_string()).await);
        }
        producer.flush().await.unwrap();
        assert_eq!(values(&server).len(), 10);
    }

    // On this runtime and on another one, on a thread of its own.
    async fn a_delivery_may_be_awaited_with_a_limit_again_and_elsewhere() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        fault_produce(&server, FaultAction::Hold);
        let mut delivery = send(&producer, "1").await;
        for _ in 0..2 {
            let limited = tokio::time::timeout(millis(10), &mut delivery).await;
            assert!(limited.is_err() && !delivery.is_done());
        }
        let elsewhere = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let first = runtime.block_on(&mut delivery).unwrap();
            (first, runtime.block_on(delivery).unwrap())
        });
        tokio::time::sleep(millis(20)).await;
        release(&server);
        until(|| elsewhere.is_finished()).await;
        let (first, again) = elsewhere.join().unwrap();
        assert_eq!((first.to_string(), first), ("orders-0@0".to_owned(), again));
    }
}
