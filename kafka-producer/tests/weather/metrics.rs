//! What a producer has measured of itself: what only those who wait can tell.

use kafka_mock::FaultAction;
use kafka_producer::{Metrics, Producer, Record};

use crate::harness::*;

fn value(metrics: &Metrics, name: &str) -> f64 {
    let value = metrics.value("producer-metrics", name);
    value.unwrap_or_else(|| panic!("there is no {name}"))
}

fn measured(producer: &Producer, name: &str) -> f64 {
    value(&producer.metrics(), name)
}

weather! {
    async fn a_send_that_finds_no_memory_in_time_is_counted() {
        let server = server();
        let builder = builder(&server).set("buffer.memory", "65536").set("max.block.ms", "100");
        let producer = ready(&server, builder).await;
        fault_produce(&server, FaultAction::Hold);
        let value = "x".repeat(2000);
        while producer.try_send(Record::new("orders", &value)).is_ok() {}
        assert_eq!(measured(&producer, "buffer-exhausted-total"), 0.0);
        assert_eq!(measured(&producer, "record-error-total"), 0.0);
        let error = producer.send(Record::new("orders", &value)).await.unwrap_err();
        assert_says!(error, "no memory");
        assert_eq!(measured(&producer, "buffer-exhausted-total"), 1.0);
        assert_eq!(measured(&producer, "record-error-total"), 1.0);
        let waited = measured(&producer, "bufferpool-wait-time-ns-total");
        assert!(waited >= 90e6, "{waited}");
        assert!(measured(&producer, "bufferpool-wait-ratio") > 0.0);
        assert_eq!(measured(&producer, "waiting-threads"), 0.0);
    }

    async fn the_time_of_flushes_and_of_waiting_for_metadata_is_told() {
        let server = server();
        let producer = builder(&server).build().unwrap();
        assert_eq!(measured(&producer, "metadata-wait-time-ns-total"), 0.0);
        let _delivery = send(&producer, "1").await;
        let waited = measured(&producer, "metadata-wait-time-ns-total");
        assert!(waited > 0.0);
        let _delivery = send(&producer, "2").await;
        assert_eq!(measured(&producer, "metadata-wait-time-ns-total"), waited);
        assert_eq!(measured(&producer, "flush-time-ns-total"), 0.0);
        producer.flush().await.unwrap();
        assert!(measured(&producer, "flush-time-ns-total") > 0.0);
    }

    async fn metadata_that_never_comes_is_an_error_and_no_wait() {
        let producer = builder_at("127.0.0.1:1").set("max.block.ms", "50").build().unwrap();
        refusal(&producer).await;
        assert_eq!(measured(&producer, "metadata-wait-time-ns-total"), 0.0);
        assert_eq!(measured(&producer, "record-error-total"), 1.0);
        assert_eq!(measured(&producer, "buffer-exhausted-total"), 0.0);
    }

    async fn the_work_of_the_io_thread_is_measured() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        deliver(&producer, "1").await;
        let metrics = producer.metrics();
        assert!(value(&metrics, "select-total") > 0.0);
        assert!(value(&metrics, "io-time-ns-total") > 0.0);
        assert!(value(&metrics, "io-wait-time-ns-total") > 0.0);
        let share = value(&metrics, "io-ratio") + value(&metrics, "io-wait-ratio");
        assert!(share > 0.0 && share <= 1.0, "{share}");
    }

    async fn a_callback_may_read_metrics_and_so_may_who_has_closed_the_producer() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let (tell, told) = tokio::sync::oneshot::channel();
        let inner = producer.clone();
        let record = Record::new("orders", "1");
        producer.send_with(record, move |_| tell.send(inner.metrics()).unwrap()).await.unwrap();
        let metrics = told.await.unwrap();
        assert_eq!(metrics.of_topic("orders", "record-send-total"), Some(1.0));
        producer.close(millis(5000)).await.unwrap();
        assert_eq!(measured(&producer, "record-send-total"), 1.0);
        assert_eq!(measured(&producer, "connection-count"), 0.0);
    }

    async fn clients_are_told_apart_by_their_id() {
        let server = server();
        let producer = ready(&server, builder(&server).set("client.id", "till 7")).await;
        let metrics = producer.metrics();
        let (name, _) = metrics.iter().next().unwrap();
        assert_eq!(name.tags().collect::<Vec<_>>(), [("client-id", "till 7")]);
    }
}
