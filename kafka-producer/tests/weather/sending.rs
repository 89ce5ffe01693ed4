//! What a send does first, and what it is told when it cannot go on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kafka_mock::{FaultAction, FaultRule, MockConfig};
use kafka_producer::{Partitioner, Record, RoundRobinPartitioner, SendError, TopicPartitions};
use kafka_protocol::ApiKey;

use crate::harness::*;

weather! {
    async fn a_record_that_no_topic_could_take_is_refused_without_asking_for_the_topic() {
        let producer = builder_at("127.0.0.1:1").set("max.request.size", "1000").build().unwrap();
        let begin = Instant::now();
        let value = "x".repeat(2000);
        let error = producer.send(Record::new("orders", &value)).await.unwrap_err();
        assert!(matches!(error, SendError::TooLarge { property: "max.request.size", .. }));
        assert!(begin.elapsed() < millis(5000), "{:?}", begin.elapsed());
    }

    async fn a_closed_producer_says_so_whatever_is_wrong_with_the_record() {
        let server = server();
        let producer = ready(&server, builder(&server).set("max.request.size", "1000")).await;
        producer.close(millis(5000)).await.unwrap();
        let large = "x".repeat(2000);
        for record in [
            Record::new("orders", &large),
            Record::new("orders", "value").partition(-1),
            Record::new("orders", "value").partition(7),
            Record::new("", "value"),
        ] {
            let error = producer.send(record).await.unwrap_err();
            assert!(matches!(error, SendError::Closed), "{error}");
            let error = producer.try_send(record).unwrap_err();
            assert!(matches!(error, SendError::Closed), "{error}");
        }
    }

    // Half of the time goes to metadata, and what is left is all there is for memory.
    async fn metadata_and_memory_share_the_time_to_block() {
        let server = server();
        let builder = builder(&server).set("buffer.memory", "40000").set("max.block.ms", "600");
        let producer = ready(&server, builder).await;
        fault_produce(&server, FaultAction::Hold);
        let value = "x".repeat(9000);
        while producer.try_send(Record::new("orders", &value)).is_ok() {}
        let late = FaultRule::new(FaultAction::Delay(millis(400))).api(ApiKey::METADATA);
        fault(&server, late.always());
        let begin = Instant::now();
        let error = producer.send(Record::new("others", &value)).await.unwrap_err();
        let took = begin.elapsed();
        assert!(matches!(error, SendError::MemoryTimeout { .. }), "{error}");
        assert!(took >= millis(590) && took < millis(900), "{took:?}");
        assert_says!(error, "within 600 ms");
    }

    async fn no_time_to_block_is_enough_where_nothing_has_to_be_waited_for() {
        let nowhere = builder_at("127.0.0.1:1").set("max.block.ms", "0").build().unwrap();
        let error = refusal(&nowhere).await;
        assert_says!(error, "Topic orders not present in metadata after 0 ms.");
        let server = server();
        let producer = builder(&server).set("max.block.ms", "0").build().unwrap();
        until(|| producer.try_send(Record::new("orders", "1")).is_ok()).await;
        send(&producer, "2").await.await.unwrap();
    }

    async fn the_longest_times_do_not_overflow() {
        let server = server();
        let builder = builder(&server)
            .set("max.block.ms", i64::MAX.to_string())
            .set("delivery.timeout.ms", i32::MAX.to_string())
            .set("metadata.max.idle.ms", i64::MAX.to_string())
            .set("metadata.max.age.ms", i64::MAX.to_string())
            .set("connections.max.idle.ms", i64::MAX.to_string());
        let producer = builder.build().unwrap();
        deliver(&producer, "value").await;
        producer.close(Duration::MAX).await.unwrap();
    }

    // Nobody waits in line here: it comes back until there is room.
    async fn a_try_send_that_finds_no_memory_ends_the_lingering() {
        let server = server_of(MockConfig::new().brokers(1).default_partitions(20));
        let builder = builder(&server)
            .set("buffer.memory", "40000")
            .set("linger.ms", "3600000")
            .set("delivery.timeout.ms", "3700000");
        let producer = ready(&server, builder).await;
        let value = "x".repeat(1000);
        for number in 0..100 {
            let record = Record::new("orders", &value).partition(number % 20);
            until(|| producer.try_send(record).is_ok()).await;
        }
        producer.close(millis(5000)).await.unwrap();
        assert_eq!(values(&server).len(), 100);
    }

    // It holds what is kept for splitting as long as there is something to split.
    async fn a_try_send_that_needs_nearly_all_of_the_memory_gets_it() {
        let server = server();
        let producer = ready(&server, builder(&server).set("buffer.memory", "20000")).await;
        deliver(&producer, "value").await;
        let value = "x".repeat(18_000);
        until(|| producer.try_send(Record::new("orders", &value)).is_ok()).await;
        producer.close(millis(5000)).await.unwrap();
        assert_eq!(values(&server).len(), 2);
    }

    async fn a_batch_may_linger_longer_than_a_tenth_of_the_delivery_timeout() {
        let server = server();
        let builder = builder(&server)
            .set("linger.ms", "1000")
            .set("request.timeout.ms", "100")
            .set("delivery.timeout.ms", "1100");
        let producer = ready(&server, builder).await;
        let first = send(&producer, "1").await;
        tokio::time::sleep(millis(150)).await;
        let second = send(&producer, "2").await;
        tokio::time::sleep(millis(50)).await;
        assert!(!first.is_done(), "it should linger");
        second.await.unwrap();
        first.await.unwrap();
        assert_eq!(requests(&server, ApiKey::PRODUCE), 1);
    }

    // A partitioner that counts would lose its turn with each attempt.
    async fn a_partitioner_is_asked_once_however_long_the_send_waits() {
        #[derive(Debug, Default)]
        struct Counting(Arc<AtomicUsize>, RoundRobinPartitioner);
        impl Partitioner for Counting {
            fn partition(&self, record: &Record<'_>, topic: &TopicPartitions<'_>) -> i32 {
                self.0.fetch_add(1, Ordering::Relaxed);
                self.1.partition(record, topic)
            }
        }
        let server = server_of(MockConfig::new().brokers(1).default_partitions(3));
        let asked = Arc::default();
        let partitioner = Counting(Arc::clone(&asked), RoundRobinPartitioner::new());
        let builder = builder(&server).set("buffer.memory", "40000").partitioner(partitioner);
        let producer = ready(&server, builder).await;
        fault(&server, FaultRule::new(FaultAction::Delay(millis(20))).api(ApiKey::PRODUCE).always());
        let value = "x".repeat(9000);
        let partitions = Mutex::new(Vec::new());
        for _ in 0..12 {
            let delivery = producer.send(Record::new("orders", &value).key("k")).await.unwrap();
            partitions.lock().unwrap().push(delivery.partition());
        }
        assert_eq!(asked.load(Ordering::Relaxed), 12);
        assert_eq!(*partitions.lock().unwrap(), [0, 1, 2].repeat(4));
    }

    async fn one_answer_about_a_topic_is_enough_for_all_its_records() {
        let server = server();
        let producer = builder(&server).build().unwrap();
        deliver(&producer, "0").await;
        let asked = requests(&server, ApiKey::METADATA);
        for number in 1..50 {
            deliver(&producer, &number.to_string()).await;
        }
        assert_eq!(requests(&server, ApiKey::METADATA), asked);
    }
}
