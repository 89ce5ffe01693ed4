//! Why a partition sends nothing, asked through the facade.

use kafka_mock::FaultAction;
use kafka_producer::{PauseReason, Producer, Record};

use crate::harness::*;

async fn why(producer: &Producer) -> Option<String> {
    producer.pause_reason("orders", 0).await.map(|reason| reason.to_string())
}

weather! {
    async fn who_asks_why_nothing_is_sent_is_told() {
        let server = server();
        let builder = builder(&server).set("linger.ms", "3600000");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "3700000")).await;
        assert_eq!(why(&producer).await, None);
        let delivery = send(&producer, "1").await;
        let reason = producer.pause_reason("orders", 0).await;
        assert!(matches!(reason, Some(PauseReason::Lingering { .. })), "{reason:?}");
        fault_produce(&server, FaultAction::Hold);
        assert!(producer.flush_timeout(millis(50)).await.is_err());
        assert_eq!(why(&producer).await, None);
        let _second = send(&producer, "2").await;
        assert!(producer.flush_timeout(millis(50)).await.is_err());
        let reason = "the first batch has to be acknowledged before others are sent";
        assert_eq!(why(&producer).await.unwrap(), reason);
        release(&server);
        delivery.await.unwrap();
    }

    async fn a_topic_that_cannot_be_asked_for_says_what_is_wrong() {
        let producer = builder_at("127.0.0.1:1").build().unwrap();
        assert_eq!(why(&producer).await.unwrap(), "the topic's metadata is not known yet");
        assert!(producer.try_send(Record::new("orders", "1")).is_err());
        while !why(&producer).await.unwrap().contains("cannot connect to 127.0.0.1:1") {
            tokio::time::sleep(millis(2)).await;
        }
    }

    async fn a_closed_producer_pauses_nothing() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        producer.close(millis(5000)).await.unwrap();
        assert_eq!(why(&producer).await, None);
    }

    async fn who_stops_waiting_for_a_reason_disturbs_nobody() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        for _ in 0..10 {
            drop(tokio::time::timeout(millis(0), producer.pause_reason("orders", 0)).await);
        }
        deliver(&producer, "1").await;
        assert_eq!(why(&producer).await, None);
    }
}
