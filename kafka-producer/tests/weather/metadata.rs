//! Topics that are not known, or not known yet.

use std::time::Instant;

use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig};
use kafka_producer::Record;
use kafka_protocol::{ApiKey, ErrorCode};

use crate::harness::*;

weather! {
    async fn metadata_that_is_missing_is_said_in_kafkas_words() {
        let server = server();
        fault(&server, FaultRule::new(FaultAction::Swallow).api(ApiKey::METADATA).always());
        let producer = builder(&server).set("max.block.ms", "150").build().unwrap();
        let error = refusal(&producer).await;
        assert_eq!(
            error.to_string(),
            format!(
                "Topic orders not present in metadata after 150 ms. Cause: {} has not answered yet",
                server.bootstrap_servers()
            )
        );
        assert!(error.is_retriable());
    }

    async fn an_unknown_topic_is_said_with_what_the_broker_answered() {
        let server = server_of(MockConfig::new().brokers(1).auto_create(AutoCreate::Off));
        let producer = builder(&server).set("max.block.ms", "200").build().unwrap();
        let begin = Instant::now();
        let error = refusal(&producer).await;
        assert!(begin.elapsed() >= millis(200), "Kafka waits for the topic too");
        assert_eq!(
            error.to_string(),
            "Topic orders not present in metadata after 200 ms. Cause: UNKNOWN_TOPIC_OR_PARTITION \
             (3): there is no such topic or partition"
        );
    }

    async fn a_topic_that_is_created_while_a_send_waits_is_found() {
        let server = server_of(MockConfig::new().brokers(1).auto_create(AutoCreate::Off));
        let producer = builder(&server).build().unwrap();
        let create = async {
            tokio::time::sleep(millis(50)).await;
            server.with_cluster(|cluster| cluster.create_topic("orders", 1)).unwrap();
        };
        let (delivery, ()) = tokio::join!(producer.send(Record::new("orders", "value")), create);
        delivery.unwrap().await.unwrap();
    }

    async fn a_topic_that_the_broker_is_still_creating_is_waited_for() {
        let server = server_of(MockConfig::new().brokers(1).auto_create(AutoCreate::AsKafka));
        let producer = builder(&server).build().unwrap();
        deliver(&producer, "value").await;
    }

    async fn no_permission_for_a_topic_is_said_at_once() {
        let server = server();
        let denied = FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        fault(&server, FaultRule::new(denied).api(ApiKey::METADATA).topic("orders").always());
        let producer = builder(&server).build().unwrap();
        let begin = Instant::now();
        let error = refusal(&producer).await;
        assert!(begin.elapsed() < millis(5000), "max.block.ms is 10 s: {:?}", begin.elapsed());
        assert_eq!(
            error.to_string(),
            "topic \"orders\" cannot be used: TOPIC_AUTHORIZATION_FAILED (29): not authorized \
             for this topic"
        );
        assert!(!error.is_retriable());
        producer.send(Record::new("others", "value")).await.unwrap().await.unwrap();
    }

    async fn a_permission_that_is_given_later_is_found() {
        let server = server();
        let denied = FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        fault(&server, FaultRule::new(denied).api(ApiKey::METADATA).topic("orders"));
        let producer = builder(&server).build().unwrap();
        refusal(&producer).await;
        let record = Record::new("orders", "value");
        loop {
            // Each refusal asks again.
            match producer.send(record).await {
                Ok(delivery) => break drop(delivery.await.unwrap()),
                Err(_) => tokio::time::sleep(millis(10)).await,
            }
        }
    }

    async fn one_bad_topic_does_not_hold_up_another() {
        let server = server_of(MockConfig::new().brokers(1).auto_create(AutoCreate::Off));
        server.with_cluster(|cluster| cluster.create_topic("orders", 1)).unwrap();
        let producer = builder(&server).set("max.block.ms", "1000").build().unwrap();
        let missing = producer.send(Record::new("missing", "value"));
        let others = async {
            for number in 0..20 {
                deliver(&producer, &number.to_string()).await;
            }
            Instant::now()
        };
        let begin = Instant::now();
        let (missing, done) = tokio::join!(missing, others);
        assert_says!(missing.unwrap_err(), "Topic missing not present in metadata after 1000 ms.");
        assert!(done - begin < millis(1000), "{:?}", done - begin);
    }

    async fn waiting_for_metadata_takes_no_memory_and_ends_with_the_producer() {
        let server = server();
        fault(&server, FaultRule::new(FaultAction::Swallow).api(ApiKey::METADATA).always());
        let producer = builder(&server).build().unwrap();
        let before = producer.buffered_bytes();
        let waiting = producer.send(Record::new("orders", "value"));
        let close = async {
            tokio::time::sleep(millis(50)).await;
            assert_eq!(producer.buffered_bytes(), before);
            producer.close(millis(1000)).await.unwrap();
        };
        let (error, ()) = tokio::join!(waiting, close);
        assert_eq!(error.unwrap_err().to_string(), "the producer is closed");
    }

    async fn partitions_are_told_with_their_leaders() {
        let server = server_of(MockConfig::new().brokers(1).default_partitions(2));
        let producer = builder(&server).set("max.block.ms", "200").build().unwrap();
        let infos = producer.partitions_for("orders").await.unwrap();
        assert_eq!(infos.iter().map(|info| (info.partition, info.leader)).collect::<Vec<_>>(),
            [(0, Some(1)), (1, Some(1))]);
        let error = producer.partitions_for("").await.unwrap_err();
        assert_says!(error, "topic \"\" cannot be used: INVALID_TOPIC_EXCEPTION (17)");
    }

    async fn metadata_survives_a_fault_in_the_middle() {
        let server = server();
        let producer = ready(&server, builder(&server).set("metadata.max.age.ms", "20")).await;
        fault(&server, FaultRule::new(FaultAction::CloseAfter).api(ApiKey::METADATA).times(3));
        for number in 0..10 {
            deliver(&producer, &number.to_string()).await;
            tokio::time::sleep(millis(10)).await;
        }
        assert_eq!(values(&server).len(), 10);
        assert!(requests(&server, ApiKey::METADATA) > 4);
    }
}
