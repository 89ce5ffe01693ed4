//! The end of the task behind a producer, and of the runtime that it ran on.

use std::time::Duration;

use kafka_mock::{FaultAction, MockServer};
use kafka_producer::{Producer, Record};
use tokio::runtime::Runtime;

use crate::harness::*;

const ENDED: &str =
    "the producer's I/O task has ended: its thread panicked, or its runtime was shut down";

/// A producer, and the only runtime that it runs on.
async fn on_own_runtime(server: &MockServer) -> (Producer, Runtime) {
    let runtime = runtime();
    let builder = builder(server).set("buffer.memory", "40000").set("batch.size", "2000");
    let (producer, task) = builder.build_with_task().unwrap();
    runtime.spawn(task);
    producer.partitions_for("orders").await.unwrap();
    (producer, runtime)
}

weather! {
    async fn everybody_who_waits_is_told_when_the_runtime_ends() {
        let server = server();
        let (producer, runtime) = on_own_runtime(&server).await;
        fault_produce(&server, FaultAction::Hold);
        let sent = send(&producer, "sent").await;
        until(|| !values(&server).is_empty()).await;
        let value = "x".repeat(1000);
        let mut queued = Vec::new();
        while let Ok(delivery) = producer.try_send(Record::new("orders", &value)) {
            queued.push(delivery);
        }
        let end = async {
            tokio::time::sleep(millis(50)).await;
            runtime.shutdown_background();
        };
        let (waiting, flushed, failed, ()) = tokio::join!(
            producer.send(Record::new("orders", &value)),
            producer.flush(),
            failure(sent),
            end
        );
        assert_eq!(waiting.unwrap_err().to_string(), ENDED);
        assert_eq!(flushed.unwrap_err().to_string(), ENDED);
        assert_eq!(
            failed.to_string(),
            format!("record for orders-0 failed: {ENDED}; it was sent once and may have been written")
        );
        for delivery in queued {
            let error = failure(delivery).await;
            assert_says!(error, &format!("record for orders-0 failed: {ENDED}; it was"));
        }
        assert_eq!(refusal(&producer).await.to_string(), ENDED);
        assert_eq!(producer.flush().await.unwrap_err().to_string(), ENDED);
        assert_eq!(producer.close(Duration::from_secs(1)).await.unwrap_err().to_string(), ENDED);
        let error = producer.try_send(Record::new("orders", "late")).unwrap_err();
        assert_eq!(error.to_string(), ENDED);
    }

    async fn a_close_that_waits_is_told_when_the_runtime_ends() {
        let server = server();
        let (producer, runtime) = on_own_runtime(&server).await;
        fault_produce(&server, FaultAction::Hold);
        let delivery = send(&producer, "sent").await;
        let end = async {
            until(|| !values(&server).is_empty()).await;
            runtime.shutdown_background();
        };
        let (closed, ()) = tokio::join!(producer.close(Duration::from_secs(3600)), end);
        assert_eq!(closed.unwrap_err().to_string(), ENDED);
        assert_says!(failure(delivery).await, ENDED, "may have been written");
    }

    async fn a_task_that_is_aborted_fails_what_waits_for_metadata() {
        let server = server();
        let rule = kafka_mock::FaultRule::new(FaultAction::Swallow);
        fault(&server, rule.api(kafka_protocol::ApiKey::METADATA).always());
        let (producer, task) = builder(&server).build_with_task().unwrap();
        let task = tokio::spawn(task);
        let abort = async {
            tokio::time::sleep(millis(50)).await;
            task.abort();
        };
        let (error, partitions, ()) = tokio::join!(
            producer.send(Record::new("orders", "value")),
            producer.partitions_for("others"),
            abort
        );
        assert_eq!(error.unwrap_err().to_string(), ENDED);
        assert_eq!(partitions.unwrap_err().to_string(), ENDED);
    }

    async fn callbacks_are_told_when_the_task_is_aborted() {
        let server = server();
        let (producer, task) = builder(&server).build_with_task().unwrap();
        let task = tokio::spawn(task);
        producer.partitions_for("orders").await.unwrap();
        fault_produce(&server, FaultAction::Hold);
        let (tell, told) = tokio::sync::oneshot::channel();
        producer.send_with(Record::new("orders", "value"), move |result| {
            tell.send(result.unwrap_err().to_string()).unwrap();
        }).await.unwrap();
        task.abort();
        assert_says!(told.await.unwrap(), &format!("record for orders-0 failed: {ENDED}"));
    }

    async fn a_task_that_is_never_run_refuses_when_it_is_dropped() {
        let server = server();
        let (producer, task) = builder(&server).build_with_task().unwrap();
        drop(task);
        assert_eq!(refusal(&producer).await.to_string(), ENDED);
    }

    async fn the_memory_of_what_failed_is_given_back() {
        let server = server();
        let (producer, runtime) = on_own_runtime(&server).await;
        fault_produce(&server, FaultAction::Hold);
        let value = "x".repeat(1000);
        while producer.try_send(Record::new("orders", &value)).is_ok() {}
        runtime.shutdown_background();
        until(|| producer.buffered_bytes() == 0).await;
    }

    async fn a_producer_on_its_own_thread_survives_the_runtime_that_it_was_built_in() {
        let server = server();
        let builder = builder(&server);
        let producer = tokio::task::spawn_blocking(move || {
            let runtime = runtime();
            let producer = runtime.block_on(async {
                let producer = builder.build().unwrap();
                deliver(&producer, "within").await;
                producer
            });
            drop(runtime);
            producer
        }).await.unwrap();
        deliver(&producer, "after").await;
        assert_eq!(values(&server), ["after", "within"]);
    }
}
