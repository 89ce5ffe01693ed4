//! Our producer and real Kafka: what it writes, Kafka's own consumer reads, byte for byte.
//!
//! `cargo xtask interop` starts a cluster of three brokers for these tests, and says where it is in
//! environment variables; without it they are left out. The other side is the Java program in
//! `xtask/java/interop`, which uses Kafka's own clients. One test runs at a time, since one of them
//! kills brokers, and each prints what it has shown.

mod check;
mod content;
mod keys;
mod peer;
mod record;
mod restart;

use kafka_producer::Producer;

/// A producer for the cluster, with these properties.
fn producer(properties: &[(&str, &str)]) -> Producer {
    let mut builder = Producer::builder().bootstrap_servers(&variable("BOOTSTRAP_SERVERS"));
    for (name, value) in properties {
        builder = builder.set(name, value);
    }
    builder.build().expect("a configuration without faults")
}

/// What `cargo xtask interop` says.
fn variable(name: &str) -> String {
    let name = format!("KAFKA_INTEROP_{name}");
    std::env::var(&name).unwrap_or_else(|_| panic!("{name} is not set: run `cargo xtask interop`"))
}
