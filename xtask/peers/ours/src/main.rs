//! Our producer under the load of `cargo xtask bench peers`.
//!
//! Outcomes: deliveries are dropped; `flush` tells of records that fail while it waits, the metrics of
//! those that failed before. Latencies are taken in callbacks.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kafka_producer::{Producer, ProducerBuilder, Record};
use peers_load::{Client, Latencies, Load, locked_version};
use tokio::time::sleep_until;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::new();
    let producer = configured(&load).build()?;
    producer.send(record(&load, 0)).await?.await?;

    let latencies = Arc::new(Mutex::new(Latencies::new()?));
    let sender = Sender { load: &load, producer: &producer, latencies: &latencies };
    let run = load.start();
    match run.pace() {
        None => {
            for number in 0..load.options.records {
                sender.send(number).await?;
            }
        }
        Some(mut pace) => {
            while let Some(tick) = pace.next_tick() {
                sleep_until(tick.into()).await;
                for number in pace.due() {
                    sender.send(number).await?;
                }
            }
        }
    }
    producer.flush().await?;
    let stopped = run.stop();

    let metrics = producer.metrics();
    // Waits for the callbacks.
    producer.close(Duration::from_secs(30)).await?;
    let failed = metrics.value("producer-metrics", "record-error-total").unwrap_or(f64::NAN);
    ensure!(failed == 0.0, "{failed} records failed");
    let client = Client {
        name: "ours",
        version: locked_version("kafka-producer"),
        settings: "one thread that sends, one for I/O".to_owned(),
    };
    let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner);
    stopped.print(&client, &latencies)
}

fn configured(load: &Load) -> ProducerBuilder {
    let options = &load.options;
    let mut builder = Producer::builder().bootstrap_servers(&options.servers);
    builder = builder.set("compression.type", options.compression.name());
    if let Some(linger) = options.linger_ms {
        builder = builder.set("linger.ms", linger.to_string());
    }
    if let Some(size) = options.batch_size {
        builder = builder.set("batch.size", size.to_string());
    }
    if let Some(buffer) = options.buffer {
        builder = builder.set("buffer.memory", buffer.to_string());
    }
    builder
}

fn record(load: &Load, number: u64) -> Record<'_> {
    let record = Record::new(&load.options.topic, load.value(number));
    match load.key(number) {
        Some(key) => record.key(key),
        None => record,
    }
}

struct Sender<'a> {
    load: &'a Load,
    producer: &'a Producer,
    latencies: &'a Arc<Mutex<Latencies>>,
}

impl Sender<'_> {
    async fn send(&self, number: u64) -> Result<()> {
        let record = record(self.load, number);
        if !self.load.is_sampled(number) {
            self.producer.send(record).await?;
            return Ok(());
        }
        let latencies = Arc::clone(self.latencies);
        let sent = Instant::now();
        let callback = move |_| {
            latencies.lock().unwrap_or_else(PoisonError::into_inner).add_since(sent);
        };
        Ok(self.producer.send_with(record, callback).await?)
    }
}
