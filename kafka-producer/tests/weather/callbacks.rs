//! Callbacks that do what they should not.

use std::sync::mpsc;
use std::time::Duration;

use kafka_producer::{Producer, Record, RecordMetadata};

use crate::harness::*;

/// What callbacks say, to be waited for.
struct Told(mpsc::Receiver<String>);

impl Told {
    async fn next(&self) -> String {
        loop {
            match self.0.try_recv() {
                Ok(told) => return told,
                Err(mpsc::TryRecvError::Empty) => tokio::time::sleep(millis(2)).await,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn telling() -> (mpsc::Sender<String>, Told) {
    let (tell, told) = mpsc::channel();
    (tell, Told(told))
}

fn record(value: &str) -> Record<'_> {
    Record::new("orders", value)
}

/// What a thread without a runtime does that wants to wait.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn producer_of(server: &kafka_mock::MockServer) -> Producer {
    ready(server, builder(server)).await
}

weather! {
    async fn a_callback_is_told_the_outcome() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let callback = move |result: Result<RecordMetadata, _>| {
            tell.send(result.unwrap().to_string()).unwrap();
        };
        producer.send_with(record("value"), callback).await.unwrap();
        assert_eq!(told.next().await, "orders-0@0");
    }

    async fn a_callback_may_try_to_send() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let inner = producer.clone();
        producer.send_with(record("outer"), move |_| {
            let again = move |result: Result<RecordMetadata, _>| {
                tell.send(result.unwrap().to_string()).unwrap();
            };
            inner.try_send_with(record("inner"), again).unwrap();
        }).await.unwrap();
        assert_eq!(told.next().await, "orders-0@1");
        assert_eq!(values(&server), ["inner", "outer"]);
    }

    async fn a_callback_may_send_and_does_not_wait_for_what_only_it_could_free() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let inner = producer.clone();
        producer.send_with(record("outer"), move |_| {
            let sent = block_on(inner.send(record("inner")));
            tell.send(sent.map(|_| "accepted".to_owned()).unwrap()).unwrap();
            let unknown = block_on(inner.send(Record::new("unknown", "value")));
            tell.send(unknown.unwrap_err().to_string()).unwrap();
        }).await.unwrap();
        assert_eq!(told.next().await, "accepted");
        assert_eq!(
            told.next().await,
            "the record would have to wait for the metadata of its topic"
        );
        producer.flush().await.unwrap();
        assert_eq!(values(&server), ["inner", "outer"]);
    }

    async fn a_callback_may_wait_for_a_delivery() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let inner = producer.clone();
        producer.send_with(record("outer"), move |_| {
            let delivery = inner.try_send(record("inner")).unwrap();
            tell.send(block_on(delivery).unwrap().to_string()).unwrap();
        }).await.unwrap();
        assert_eq!(told.next().await, "orders-0@1");
    }

    async fn a_callback_that_panics_ends_itself_alone() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        producer.send_with(record("1"), |_| panic!("on purpose, in a callback")).await.unwrap();
        producer.send_with(record("2"), move |result| {
            tell.send(result.unwrap().to_string()).unwrap();
        }).await.unwrap();
        assert_eq!(told.next().await, "orders-0@1");
        deliver(&producer, "3").await;
        producer.close(Duration::from_secs(5)).await.unwrap();
        assert_eq!(values(&server), ["1", "2", "3"]);
    }

    async fn a_callback_that_blocks_holds_up_callbacks_alone() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let (go, may_go) = mpsc::channel::<()>();
        producer.send_with(record("1"), move |_| {
            may_go.recv().unwrap();
            tell.send("went on".to_owned()).unwrap();
        }).await.unwrap();
        for number in 2..10 {
            deliver(&producer, &number.to_string()).await;
        }
        producer.flush().await.unwrap();
        assert!(told.0.try_recv().is_err());
        go.send(()).unwrap();
        assert_eq!(told.next().await, "went on");
    }

    async fn callbacks_that_block_keep_their_memory() {
        let server = server();
        let producer = producer_of(&server).await;
        let before = producer.buffered_bytes();
        let (go, may_go) = mpsc::channel::<()>();
        producer.send_with(record("1"), move |_| may_go.recv().unwrap()).await.unwrap();
        producer.flush().await.unwrap();
        assert!(producer.buffered_bytes() > before);
        go.send(()).unwrap();
        until(|| producer.buffered_bytes() == before).await;
    }

    async fn callbacks_run_in_the_order_of_the_records() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        for number in 0..100 {
            let tell = tell.clone();
            let callback = move |_| tell.send(number.to_string()).unwrap();
            producer.send_with(record("value"), callback).await.unwrap();
        }
        for number in 0..100 {
            assert_eq!(told.next().await, number.to_string());
        }
    }

    async fn a_callback_of_a_record_that_is_refused_does_not_run() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let callback = move |_| tell.send("ran".to_owned()).unwrap();
        producer.send_with(record("value").partition(-1), callback).await.unwrap_err();
        producer.close(Duration::from_secs(5)).await.unwrap();
        assert_eq!(told.0.recv(), Err(mpsc::RecvError));
    }

    async fn closing_waits_for_callbacks() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        for number in 0..3 {
            let tell = tell.clone();
            producer.send_with(record("value"), move |_| {
                std::thread::sleep(millis(30));
                tell.send(number.to_string()).unwrap();
            }).await.unwrap();
        }
        producer.close(Duration::from_secs(10)).await.unwrap();
        assert_eq!(told.0.try_iter().collect::<Vec<_>>(), ["0", "1", "2"]);
    }

    async fn closing_does_not_wait_longer_for_callbacks_than_it_may() {
        let server = server();
        let producer = producer_of(&server).await;
        let (_go, may_go) = mpsc::channel::<()>();
        producer.send_with(record("value"), move |_| may_go.recv().unwrap_or(())).await.unwrap();
        producer.flush().await.unwrap();
        let patient = producer.clone();
        let patient = tokio::spawn(async move { patient.close(Duration::MAX).await });
        tokio::time::sleep(millis(50)).await;
        assert!(!patient.is_finished());
        producer.close(millis(50)).await.unwrap();
        patient.await.unwrap().unwrap();
    }

    async fn a_callback_may_flush_and_close() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let inner = producer.clone();
        producer.send_with(record("1"), move |_| {
            let delivery = inner.try_send(record("2")).unwrap();
            block_on(inner.flush()).unwrap();
            assert!(delivery.is_done());
            let last = inner.try_send(record("3")).unwrap();
            block_on(inner.close(Duration::MAX)).unwrap();
            tell.send(last.try_result().unwrap().unwrap().to_string()).unwrap();
        }).await.unwrap();
        assert_eq!(told.next().await, "orders-0@2");
        assert_eq!(refusal(&producer).await.to_string(), "the producer is closed");
    }

    async fn a_forced_close_runs_every_callback_and_gives_the_memory_back() {
        let server = server_of(kafka_mock::MockConfig::new().brokers(1).default_partitions(2));
        let producer = producer_of(&server).await;
        fault_produce(&server, kafka_mock::FaultAction::Hold);
        let (tell, told) = telling();
        for number in 0..100 {
            let tell = tell.clone();
            let callback = move |result: Result<RecordMetadata, kafka_producer::ProduceError>| {
                tell.send(result.unwrap_err().to_string()).unwrap();
            };
            producer.send_with(record("value").partition(number % 2), callback).await.unwrap();
        }
        producer.force_close();
        for _ in 0..100 {
            let told = told.next().await;
            assert!(told.contains("the producer was closed before it was delivered"), "{told}");
        }
        until(|| producer.buffered_bytes() == 0).await;
    }

    async fn a_callback_runs_when_its_delivery_could_be_told() {
        let server = server();
        let producer = producer_of(&server).await;
        let (tell, told) = telling();
        let lingering = producer.try_send(record("1")).unwrap();
        producer.send_with(record("2"), move |_| {
            tell.send(format!("{}", lingering.is_done())).unwrap();
        }).await.unwrap();
        assert_eq!(told.next().await, "true");
    }
}
