//! Closing: in time, too late, twice, and by being dropped.

use std::time::{Duration, Instant};

use kafka_mock::{FaultAction, FaultRule};
use kafka_producer::{CloseError, Record};
use kafka_protocol::ApiKey;

use crate::harness::*;

const LONG: Duration = Duration::from_secs(10);

weather! {
    async fn closing_waits_for_what_was_accepted() {
        let server = server();
        let lingering = builder(&server).set("linger.ms", "3600000");
        let producer = ready(&server, lingering.set("delivery.timeout.ms", "3700000")).await;
        let deliveries = [send(&producer, "1").await, send(&producer, "2").await];
        producer.close(LONG).await.unwrap();
        assert!(deliveries.iter().all(|delivery| matches!(delivery.try_result(), Some(Ok(_)))));
        assert_eq!(values(&server), ["1", "2"]);
    }

    async fn closing_an_unused_producer_takes_no_time() {
        let producer = builder_at("no-such-host.invalid:9092").build().unwrap();
        let begin = Instant::now();
        producer.close(LONG).await.unwrap();
        assert!(begin.elapsed() < millis(5000));
    }

    async fn closing_gives_up_at_its_timeout_and_counts_what_is_lost() {
        for hold in [FaultAction::Hold, FaultAction::Swallow] {
            let server = server();
            let producer = ready(&server, builder(&server)).await;
            fault_produce(&server, hold);
            let deliveries = [send(&producer, "1").await, send(&producer, "2").await];
            until(|| values(&server).len() == 2).await;
            let begin = Instant::now();
            let error = producer.close(millis(100)).await.unwrap_err();
            assert!(begin.elapsed() >= millis(100) && begin.elapsed() < millis(5000));
            assert_eq!(
                error.to_string(),
                "not everything was delivered within 100 ms: 2 records were given up"
            );
            for delivery in deliveries {
                assert_eq!(
                    failure(delivery).await.to_string(),
                    "record for orders-0 failed: the producer was closed before it was \
                     delivered; it was sent once and may have been written"
                );
            }
        }
    }

    async fn one_record_that_is_given_up_is_counted_as_one() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        fault_produce(&server, FaultAction::Hold);
        let _delivery = send(&producer, "1").await;
        assert_eq!(
            producer.close(millis(20)).await.unwrap_err().to_string(),
            "not everything was delivered within 20 ms: 1 record was given up"
        );
    }

    async fn records_that_were_never_sent_are_certainly_not_written() {
        let mut server = server();
        let producer = ready(&server, builder(&server)).await;
        let _held = stop(&mut server).await;
        tokio::time::sleep(millis(50)).await;
        let delivery = send(&producer, "1").await;
        producer.close(millis(100)).await.unwrap_err();
        let error = failure(delivery).await;
        assert_says!(error, "the producer was closed before it was delivered; it was not sent");
        assert!(!error.may_have_been_written());
    }

    async fn force_close_does_not_wait() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        fault_produce(&server, FaultAction::Hold);
        let delivery = send(&producer, "1").await;
        until(|| !values(&server).is_empty()).await;
        producer.force_close();
        let error = failure(delivery).await;
        assert_says!(error, "the producer was closed", "may have been written");
        let error = producer.close(LONG).await.unwrap_err();
        assert!(matches!(error, CloseError::TimedOut { records: 1, .. }), "{error:?}");
    }

    async fn a_closed_producer_says_so() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        deliver(&producer, "1").await;
        producer.close(LONG).await.unwrap();
        assert_eq!(refusal(&producer).await.to_string(), "the producer is closed");
        let error = producer.try_send(Record::new("orders", "value")).unwrap_err();
        assert_eq!(error.to_string(), "the producer is closed");
        let error = producer.send(Record::new("unknown", "value")).await.unwrap_err();
        assert_eq!(error.to_string(), "the producer is closed");
        let error = producer.try_send(Record::new("unknown", "value")).unwrap_err();
        assert_eq!(error.to_string(), "the producer is closed");
        let error = producer.partitions_for("unknown").await.unwrap_err();
        assert_eq!(error.to_string(), "the producer is closed");
        producer.flush().await.unwrap();
        producer.close(LONG).await.unwrap();
    }

    async fn a_second_close_may_end_the_first_one_earlier() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        fault_produce(&server, FaultAction::Hold);
        let _delivery = send(&producer, "1").await;
        let begin = Instant::now();
        let patient = producer.close(Duration::from_secs(3600));
        let hasty = async {
            tokio::time::sleep(millis(20)).await;
            producer.close(millis(20)).await
        };
        let (patient, hasty) = tokio::join!(patient, hasty);
        assert!(begin.elapsed() < millis(5000));
        assert!(matches!(patient, Err(CloseError::TimedOut { records: 1, .. })));
        assert!(matches!(hasty, Err(CloseError::TimedOut { records: 1, .. })));
    }

    async fn a_close_without_end_ends_with_the_delivery_timeout() {
        let server = server();
        let builder = builder(&server).set("request.timeout.ms", "200");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "300")).await;
        fault_produce(&server, FaultAction::Hold);
        let delivery = send(&producer, "1").await;
        producer.close(Duration::MAX).await.unwrap();
        assert_says!(failure(delivery).await, "not delivered within ");
    }

    async fn a_close_that_is_not_waited_for_closes_all_the_same() {
        let server = server();
        let lingering = builder(&server).set("linger.ms", "5000");
        let producer = ready(&server, lingering.set("delivery.timeout.ms", "20000")).await;
        let delivery = send(&producer, "1").await;
        fault_produce(&server, FaultAction::Hold);
        assert!(tokio::time::timeout(Duration::ZERO, producer.close(LONG)).await.is_err());
        until(|| !values(&server).is_empty()).await;
        release(&server);
        delivery.await.unwrap();
        assert_eq!(refusal(&producer).await.to_string(), "the producer is closed");
    }

    async fn dropping_the_last_clone_delivers_everything() {
        let server = server();
        let lingering = builder(&server).set("linger.ms", "3600000");
        let producer = ready(&server, lingering.set("delivery.timeout.ms", "3700000")).await;
        let clone = producer.clone();
        let first = send(&producer, "1").await;
        drop(producer);
        tokio::time::sleep(millis(20)).await;
        assert!(!first.is_done(), "there is a clone yet");
        let second = send(&clone, "2").await;
        drop(clone);
        first.await.unwrap();
        second.await.unwrap();
        assert_eq!(values(&server), ["1", "2"]);
    }

    async fn a_close_in_time_does_not_wait_for_a_producer_id() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let never = FaultRule::new(FaultAction::Swallow).api(ApiKey::INIT_PRODUCER_ID);
        fault(&server, never.always());
        let delivery = send(&producer, "1").await;
        until(|| requests(&server, ApiKey::INIT_PRODUCER_ID) > 0).await;
        let error = producer.close(millis(50)).await.unwrap_err();
        assert!(matches!(error, CloseError::TimedOut { records: 1, .. }), "{error}");
        assert!(!failure(delivery).await.may_have_been_written());
    }
}
