//! Partitions without a leader, and leaders that move.

use kafka_mock::{BrokerId, MockConfig, MockServer};
use kafka_producer::{Producer, Record};

use crate::harness::*;

fn two_partitions() -> MockServer {
    server_of(MockConfig::new().brokers(1).default_partitions(2))
}

fn without_leader(server: &MockServer) {
    server.with_cluster(|cluster| cluster.move_leader("orders", 1, None));
}

async fn hasty(server: &MockServer, memory: &str) -> Producer {
    let builder = builder(server)
        .set("request.timeout.ms", "500")
        .set("delivery.timeout.ms", "500")
        .set("max.block.ms", "2000")
        .set("batch.size", "2000")
        .set("buffer.memory", memory);
    ready(server, builder).await
}

weather! {
    async fn a_record_for_a_partition_without_leader_says_so() {
        let server = two_partitions();
        let producer = hasty(&server, "1000000").await;
        without_leader(&server);
        let delivery = producer.send(Record::new("orders", "value").partition(1)).await.unwrap();
        let error = failure(delivery).await;
        assert_says!(
            error,
            "record for orders-1 failed: not delivered within ",
            ", because orders-1 has no leader",
        );
        assert!(error.is_retriable());
    }

    async fn a_partition_that_never_had_a_leader_says_so_too() {
        let server = two_partitions();
        server.with_cluster(|cluster| cluster.create_topic("orders", 2)).unwrap();
        without_leader(&server);
        let producer = hasty(&server, "1000000").await;
        let delivery = producer.send(Record::new("orders", "value").partition(1)).await.unwrap();
        let error = failure(delivery).await;
        assert_says!(error, "orders-1 has no leader; it was not sent");
        assert!(!error.may_have_been_written());
    }

    async fn memory_full_of_records_without_leader_is_no_deadlock() {
        let server = two_partitions();
        server.with_cluster(|cluster| cluster.create_topic("orders", 2)).unwrap();
        without_leader(&server);
        let producer = hasty(&server, "40000").await;
        let value = "x".repeat(1000);
        let mut stuck = Vec::new();
        while let Ok(delivery) = producer.try_send(Record::new("orders", &value).partition(1)) {
            stuck.push(delivery);
        }
        assert!(stuck.len() > 5);
        // Waits until those without a leader have failed, and takes their memory.
        let moving = producer.send(Record::new("orders", &value).partition(0)).await.unwrap();
        moving.await.unwrap();
        for delivery in stuck {
            assert_says!(failure(delivery).await, "orders-1 has no leader");
        }
        assert_eq!(values(&server), [value]);
    }

    async fn records_for_other_partitions_go_on_meanwhile() {
        let server = two_partitions();
        server.with_cluster(|cluster| cluster.create_topic("orders", 2)).unwrap();
        without_leader(&server);
        let producer = hasty(&server, "1000000").await;
        let stuck = producer.send(Record::new("orders", "stuck").partition(1)).await.unwrap();
        for _ in 0..10 {
            // A record without a key goes where there is a leader.
            assert_eq!(send(&producer, "moving").await.await.unwrap().partition, 0);
        }
        assert_says!(failure(stuck).await, "has no leader");
    }

    async fn a_partition_that_gets_a_leader_in_time_loses_nothing() {
        let server = two_partitions();
        let producer = ready(&server, builder(&server)).await;
        without_leader(&server);
        let delivery = producer.send(Record::new("orders", "value").partition(1)).await.unwrap();
        tokio::time::sleep(millis(100)).await;
        assert!(!delivery.is_done());
        server.with_cluster(|cluster| cluster.move_leader("orders", 1, Some(FIRST)));
        assert_eq!(delivery.await.unwrap().to_string(), "orders-1@0");
    }

    async fn a_leader_that_moves_in_mid_stream_loses_and_doubles_nothing() {
        let server = server_of(MockConfig::new().brokers(2).default_partitions(1));
        let producer = ready(&server, builder(&server)).await;
        let mut deliveries = Vec::new();
        for number in 0..300 {
            if number % 50 == 25 {
                let to = BrokerId(1 + (number / 50) % 2);
                server.with_cluster(|cluster| cluster.move_leader("orders", 0, Some(to)));
            }
            deliveries.push(send(&producer, &format!("{number:03}")).await);
            tokio::task::yield_now().await;
        }
        for delivery in deliveries {
            delivery.await.unwrap();
        }
        let expected: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
        assert_eq!(values(&server), expected);
    }
}
