//! Partitioners that talk nonsense, end to end.

use kafka_mock::MockConfig;
use kafka_producer::{Partitioner, Record, TopicPartitions};

use crate::harness::*;

/// Always the same partition, whether or not there is one.
#[derive(Debug)]
struct Always(i32);

impl Partitioner for Always {
    fn partition(&self, _: &Record<'_>, _: &TopicPartitions<'_>) -> i32 {
        self.0
    }
}

weather! {
    async fn a_partition_that_is_not_there_is_said_at_once() {
        for (nonsense, told) in [(7, "7"), (-1, "-1"), (i32::MIN, "-2147483648"), (3, "3")] {
            let server = server_of(MockConfig::new().brokers(1).default_partitions(3));
            let producer = ready(&server, builder(&server).partitioner(Always(nonsense))).await;
            let expected = format!(
                "a record for topic \"orders\" is invalid: the partitioner chose partition {told}, \
                 the topic's partition count is 3"
            );
            assert_eq!(refusal(&producer).await.to_string(), expected);
            let error = producer.try_send(Record::new("orders", "value")).unwrap_err();
            assert_eq!(error.to_string(), expected);
            let named = producer.send(Record::new("orders", "value").partition(1)).await.unwrap();
            assert_eq!(named.await.unwrap().partition, 1);
        }
    }

    async fn a_partitioner_is_asked_for_records_that_name_no_partition() {
        let server = server_of(MockConfig::new().brokers(1).default_partitions(3));
        let producer = ready(&server, builder(&server).partitioner(Always(2))).await;
        assert_eq!(send(&producer, "1").await.await.unwrap().partition, 2);
        let keyed = producer.send(Record::new("orders", "2").key("key")).await.unwrap();
        assert_eq!(keyed.await.unwrap().partition, 2);
    }

    async fn a_partitioner_that_panics_ends_its_send_alone() {
        #[derive(Debug)]
        struct Panics;
        impl Partitioner for Panics {
            fn partition(&self, record: &Record<'_>, _: &TopicPartitions<'_>) -> i32 {
                assert!(record.key.is_none(), "on purpose, in a partitioner");
                0
            }
        }
        let server = server();
        let producer = ready(&server, builder(&server).partitioner(Panics)).await;
        let panics = producer.clone();
        let task = tokio::spawn(async move {
            panics.send(Record::new("orders", "1").key("key")).await
        });
        assert!(task.await.unwrap_err().is_panic());
        deliver(&producer, "2").await;
        assert_eq!(values(&server), ["2"]);
    }
}
