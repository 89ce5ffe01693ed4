//! Topics that go away, and brokers that refuse what is written to them.

use std::time::Instant;

use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig, MockServer};
use kafka_producer::ProduceErrorKind;
use kafka_protocol::{ApiKey, ErrorCode};

use crate::harness::*;

/// A cluster that creates nothing but `orders`.
fn server_with_orders() -> MockServer {
    let server = server_of(MockConfig::new().brokers(1).auto_create(AutoCreate::Off));
    server.with_cluster(|cluster| cluster.create_topic("orders", 1)).unwrap();
    server
}

fn denied(server: &MockServer, api: ApiKey, error: ErrorCode) {
    fault(server, FaultRule::new(FaultAction::Error(error)).api(api).always());
}

weather! {
    async fn records_for_a_topic_that_is_deleted_fail_and_say_it() {
        let server = server_with_orders();
        let builder = builder(&server)
            .set("request.timeout.ms", "300")
            .set("delivery.timeout.ms", "700")
            .set("max.block.ms", "300");
        let producer = ready(&server, builder).await;
        deliver(&producer, "1").await;
        server.with_cluster(|cluster| cluster.delete_topic("orders"));
        let queued = send(&producer, "2").await;
        let error = failure(queued).await;
        assert_says!(error, "record for orders-0 failed: not delivered within ", "UNKNOWN_TOPIC");
        let error = refusal(&producer).await;
        assert_says!(error, "Topic orders not present in metadata after 300 ms.", "UNKNOWN_TOPIC");
        server.with_cluster(|cluster| cluster.create_topic("orders", 1)).unwrap();
        until(|| producer.try_send(kafka_producer::Record::new("orders", "3")).is_ok()).await;
        producer.flush().await.unwrap();
        assert_eq!(values(&server), ["3"]);
    }

    async fn records_for_a_topic_that_is_created_again_go_to_the_new_one() {
        let server = server_with_orders();
        let producer = ready(&server, builder(&server)).await;
        deliver(&producer, "1").await;
        server.with_cluster(|cluster| cluster.recreate_topic("orders")).unwrap();
        let mut written = Vec::new();
        for number in 0..20 {
            let value = format!("later {number:02}");
            match send(&producer, &value).await.await {
                Ok(_) => written.push(value),
                Err(error) => assert_says!(error, "was deleted and created again"),
            }
        }
        assert!(written.len() >= 19, "{written:?}");
        assert_eq!(values(&server), written);
    }

    async fn no_permission_to_write_is_said_at_once() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        denied(&server, ApiKey::PRODUCE, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        let begin = Instant::now();
        let error = failure(send(&producer, "value").await).await;
        assert!(begin.elapsed() < millis(5000), "{:?}", begin.elapsed());
        assert_eq!(
            error.to_string(),
            "record for orders-0 failed: TOPIC_AUTHORIZATION_FAILED (29): not authorized for this \
             topic; it was sent once and was not written"
        );
        assert!(!error.is_retriable() && !error.may_have_been_written());
        server.with_cluster(kafka_mock::MockCluster::clear_faults);
        deliver(&producer, "later").await;
    }

    async fn no_permission_for_a_producer_id_is_said_at_once() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        denied(&server, ApiKey::INIT_PRODUCER_ID, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
        let begin = Instant::now();
        let error = failure(send(&producer, "value").await).await;
        assert!(begin.elapsed() < millis(5000), "{:?}", begin.elapsed());
        assert_eq!(
            error.to_string(),
            "record for orders-0 failed: CLUSTER_AUTHORIZATION_FAILED (31): not authorized for \
             idempotent writes; it was not sent"
        );
        assert_eq!(error.error_code(), Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
        server.with_cluster(kafka_mock::MockCluster::clear_faults);
        deliver(&producer, "later").await;
    }

    async fn a_broker_that_has_no_producer_ids_yet_is_asked_again() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let loading = FaultAction::Error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
        fault(&server, FaultRule::new(loading).api(ApiKey::INIT_PRODUCER_ID).times(3));
        deliver(&producer, "value").await;
        assert_eq!(requests(&server, ApiKey::INIT_PRODUCER_ID), 4);
    }

    async fn a_producer_id_that_never_comes_is_said_when_the_time_is_over() {
        let server = server();
        let builder = builder(&server).set("request.timeout.ms", "100");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "400")).await;
        denied(&server, ApiKey::INIT_PRODUCER_ID, ErrorCode::COORDINATOR_NOT_AVAILABLE);
        let error = failure(send(&producer, "value").await).await;
        assert_says!(
            error,
            "record for orders-0 failed: not delivered within ",
            ", because no producer id: COORDINATOR_NOT_AVAILABLE (15)",
            "; it was not sent",
        );
    }

    async fn a_refusal_that_may_pass_is_tried_again() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let few = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
        fault(&server, FaultRule::new(few).api(ApiKey::PRODUCE).times(3));
        deliver(&producer, "value").await;
        assert_eq!(values(&server), ["value"]);
        assert_eq!(requests(&server, ApiKey::PRODUCE), 4);
    }

    async fn a_refusal_that_does_not_pass_is_said_when_the_time_is_over() {
        let server = server();
        let builder = builder(&server).set("request.timeout.ms", "100");
        // One attempt, so that none is under way when the time is over.
        let builder = builder.set("retry.backoff.ms", "9000").set("retry.backoff.max.ms", "9000");
        let producer = ready(&server, builder.set("delivery.timeout.ms", "400")).await;
        fault_produce(&server, FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS));
        let error = failure(send(&producer, "value").await).await;
        assert_says!(
            error,
            "record for orders-0 failed: not delivered within ",
            "because 127.0.0.1:",
            " answered NOT_ENOUGH_REPLICAS (19): fewer replicas are in sync",
            "; it was sent once and was not written",
        );
        assert!(!error.may_have_been_written() && error.is_retriable());
    }

    async fn retries_that_are_used_up_are_said() {
        let server = server();
        let builder = builder(&server).set("retries", "2").set("enable.idempotence", "false");
        let producer = ready(&server, builder).await;
        fault_produce(&server, FaultAction::CloseBefore);
        let error = failure(send(&producer, "value").await).await;
        assert_says!(
            error,
            "record for orders-0 failed: lost the connection to 127.0.0.1:",
            ": the broker closed the connection",
            "; it was sent 3 times and may have been written",
        );
        assert!(matches!(error.kind(), ProduceErrorKind::Disconnected { .. }));
    }

    async fn an_error_code_that_nobody_knows_is_said_as_a_number() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        fault_produce(&server, FaultAction::Error(ErrorCode(4242)));
        let error = failure(send(&producer, "value").await).await;
        assert_says!(error, "record for orders-0 failed: unknown error code 4242");
    }
}
