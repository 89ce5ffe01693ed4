//! The mock answers as Kafka 4.4.0 does: one set of scripts, and what Kafka answered to them.
//!
//! ```text
//! scripts/        what is asked
//! kafka-4.4.0.txt what Kafka answers and keeps: a line a step, made by `cargo xtask conformance --write`
//! differences.rs  where the mock answers something else, each with its reason
//! ```
//!
//! `cargo test` holds the mock to the file. `cargo xtask conformance` runs the same scripts against
//! Kafka itself as well.
#![cfg(feature = "tcp")]

mod batches;
mod client;
mod differences;
mod names;
mod reading;
mod scripts;
mod session;
mod show;
mod transcript;

use std::net::SocketAddr;

use kafka_mock::{AutoCreate, MockCluster, MockConfig, MockServer};

use crate::session::Cluster;
use crate::transcript::{Transcript, check_against_kafka, run};

/// What Kafka answers, as it was written down.
const KAFKA: &str = include_str!("kafka-4.4.0.txt");

#[tokio::test(flavor = "multi_thread")]
async fn the_mock_answers_as_kafka_did() {
    let config = MockConfig::new().auto_create(AutoCreate::AsKafka);
    let server = MockServer::start(MockCluster::new(config)).unwrap();
    let addresses = server.addresses().iter().map(|(_, address)| *address).collect();
    let cluster = Cluster { addresses, mock: Some(server) };
    let mock = tokio::task::spawn_blocking(move || run(&cluster, "mock")).await.unwrap();
    check_against_kafka(&Transcript::parse(KAFKA), &mock);
}

#[test]
#[ignore = "needs Kafka: cargo xtask conformance"]
fn kafka_answers_as_it_did() {
    let servers = std::env::var("KAFKA_CONFORMANCE_BOOTSTRAP_SERVERS").unwrap();
    let addresses: Vec<SocketAddr> = servers.split(',').map(|s| s.parse().unwrap()).collect();
    let cluster = Cluster { addresses, mock: None };
    let kafka = run(&cluster, &std::process::id().to_string());
    match std::env::var("KAFKA_CONFORMANCE_WRITE") {
        Ok(path) => {
            std::fs::write(path, kafka.to_text()).unwrap();
            println!("Kafka itself, written down: {}", kafka.counts());
        }
        Err(_) => kafka.check_same(&Transcript::parse(KAFKA)),
    }
}
