//! Interceptors, end to end.

use std::sync::{Arc, Mutex};

use kafka_mock::FaultAction;
use kafka_producer::{
    Interceptor, ProduceError, Record, RecordBuf, RecordHeader, RecordHeaderBuf, RecordMetadata,
    SendError,
};
use kafka_protocol::ErrorCode;

use crate::harness::*;

/// What interceptors saw.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Shouts, and notes what becomes of it.
struct Shout(Seen);

impl Interceptor for Shout {
    fn on_send(&self, mut record: RecordBuf) -> RecordBuf {
        record.value = record.value.map(|value| value.to_ascii_uppercase().into());
        record
    }

    fn on_acknowledgement(
        &self,
        outcome: &Result<RecordMetadata, ProduceError>,
        _: &[RecordHeaderBuf],
    ) {
        self.0.note(match outcome {
            Ok(written) => written.to_string(),
            Err(error) => error.to_string(),
        });
    }

    fn on_send_error(&self, record: &Record<'_>, error: &SendError) {
        let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
        self.0.note(format!("{value}: {error}"));
    }
}

/// Panics wherever it is called.
struct Panics;

impl Interceptor for Panics {
    fn on_send(&self, _: RecordBuf) -> RecordBuf {
        panic!("on purpose, in on_send")
    }

    fn on_acknowledgement(&self, _: &Result<RecordMetadata, ProduceError>, _: &[RecordHeaderBuf]) {
        panic!("on purpose, in on_acknowledgement")
    }

    fn on_send_error(&self, _: &Record<'_>, _: &SendError) {
        panic!("on purpose, in on_send_error")
    }
}

weather! {
    async fn an_interceptor_changes_the_record_and_sees_its_outcome() {
        let (server, seen) = (server(), Seen::default());
        let producer = ready(&server, builder(&server).interceptor(Shout(seen.clone()))).await;
        deliver(&producer, "hello").await;
        let delivery = producer.try_send(Record::new("orders", "again")).unwrap();
        delivery.await.unwrap();
        assert_eq!(values(&server), ["AGAIN", "HELLO"]);
        until(|| seen.0.lock().unwrap().len() == 2).await;
        assert_eq!(seen.take(), ["orders-0@0", "orders-0@1"]);
    }

    async fn an_interceptor_sees_a_failure() {
        let (server, seen) = (server(), Seen::default());
        let producer = ready(&server, builder(&server).interceptor(Shout(seen.clone()))).await;
        fault_produce(&server, FaultAction::Error(ErrorCode::INVALID_RECORD));
        let error = failure(send(&producer, "hello").await).await;
        until(|| !seen.0.lock().unwrap().is_empty()).await;
        assert_eq!(seen.take(), [error.to_string()]);
    }

    async fn an_interceptor_sees_a_refusal() {
        let (server, seen) = (server(), Seen::default());
        let producer = ready(&server, builder(&server).interceptor(Shout(seen.clone()))).await;
        let record = Record::new("orders", "hello").partition(-1);
        let error = producer.send(record).await.unwrap_err();
        assert_eq!(seen.take(), [format!("HELLO: {error}")]);
        let error = producer.try_send(record).unwrap_err();
        assert_eq!(seen.take(), [format!("HELLO: {error}")]);
    }

    async fn an_interceptor_that_panics_fails_nothing() {
        let (server, seen) = (server(), Seen::default());
        let builder = builder(&server).interceptor(Panics).interceptor(Shout(seen.clone()));
        let producer = ready(&server, builder).await;
        deliver(&producer, "hello").await;
        producer.send(Record::new("orders", "hello").partition(-1)).await.unwrap_err();
        assert_eq!(values(&server), ["HELLO"]);
        until(|| seen.0.lock().unwrap().len() == 2).await;
    }

    async fn an_interceptor_may_send_the_record_elsewhere() {
        struct Elsewhere;
        impl Interceptor for Elsewhere {
            fn on_send(&self, record: RecordBuf) -> RecordBuf {
                RecordBuf { topic: "elsewhere".to_owned(), ..record }
            }
        }
        let server = server();
        let producer = builder(&server).interceptor(Elsewhere).build().unwrap();
        let delivery = send(&producer, "hello").await;
        assert_eq!(delivery.await.unwrap().to_string(), "elsewhere-0@0");
    }

    async fn an_interceptor_learns_where_a_refused_record_was_to_go() {
        struct Where(Seen);
        impl Interceptor for Where {
            fn on_send_error(&self, record: &Record<'_>, error: &SendError) {
                assert!(matches!(error, SendError::TooLarge { .. }), "{error}");
                self.0.note(format!("{}-{:?}", record.topic, record.partition));
            }
        }
        let (server, seen) = (server(), Seen::default());
        let builder = builder(&server).set("max.request.size", "1000");
        let producer = ready(&server, builder.interceptor(Where(seen.clone()))).await;
        let value = "x".repeat(2000);
        producer.send(Record::new("orders", &value).partition(0)).await.unwrap_err();
        producer.send(Record::new("orders", &value)).await.unwrap_err();
        assert_eq!(seen.take(), ["orders-Some(0)", "orders-None"]);
    }

    async fn an_interceptor_sees_the_headers_with_the_outcome_and_they_count_as_memory() {
        struct Headers(Seen);
        impl Interceptor for Headers {
            fn on_acknowledgement(
                &self,
                outcome: &Result<RecordMetadata, ProduceError>,
                headers: &[RecordHeaderBuf],
            ) {
                let value = headers[0].value.as_deref().map_or(0, <[u8]>::len);
                self.0.note(format!("{} {}={value}", outcome.is_ok(), headers[0].key));
            }
        }
        let (server, seen) = (server(), Seen::default());
        let producer = ready(&server, builder(&server).interceptor(Headers(seen.clone()))).await;
        let before = producer.buffered_bytes();
        let hold = fault_produce(&server, FaultAction::Hold);
        let value = vec![b'x'; 5000];
        let headers = [RecordHeader { key: "trace", value: Some(&value) }];
        let record = Record::new("orders", "value").headers(&headers);
        let delivery = producer.send(record).await.unwrap();
        // In the batch, and again for the interceptor.
        assert!(producer.buffered_bytes() >= before + 2 * 5000);
        server.with_cluster(|cluster| cluster.remove_fault(hold));
        release(&server);
        delivery.await.unwrap();
        fault_produce(&server, FaultAction::Error(ErrorCode::INVALID_RECORD));
        failure(producer.send(record).await.unwrap()).await;
        until(|| producer.buffered_bytes() == before).await;
        assert_eq!(seen.take(), ["true trace=5000", "false trace=5000"]);
    }
}
