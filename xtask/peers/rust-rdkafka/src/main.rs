//! rust-rdkafka's `FutureProducer` under the load of `cargo xtask bench peers`.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use peers_load::{Client, Load, Outstanding, WINDOW, locked_version};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};
use tokio::task::yield_now;
use tokio::time::{sleep, sleep_until};

/// How long to wait when librdkafka's queue is full.
const FULL: Duration = Duration::from_millis(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::new();
    let producer: FutureProducer = configured(&load).create()?;
    outcome(send(&load, &producer, 0).await?).await?;

    let mut outstanding = Outstanding::new(WINDOW)?;
    let run = load.start();
    match run.pace() {
        None => {
            for number in 0..load.options.records {
                let sampled = load.is_sampled(number).then(Instant::now);
                let future = send(&load, &producer, number).await?;
                outstanding.add(outcome(future), sampled).await?;
                if sampled.is_some() {
                    // Nothing else gives those their turn that wait for an outcome.
                    yield_now().await;
                }
            }
        }
        Some(mut pace) => {
            while let Some(tick) = pace.next_tick() {
                sleep_until(tick.into()).await;
                for number in pace.due() {
                    let sent = Instant::now();
                    let future = send(&load, &producer, number).await?;
                    outstanding.add(outcome(future), Some(sent)).await?;
                }
            }
        }
    }
    let latencies = outstanding.finish().await?;
    let stopped = run.stop();
    let client = Client {
        name: "rust-rdkafka",
        version: locked_version("rdkafka"),
        settings: "FutureProducer, up to 100,000 futures outstanding, current_thread runtime"
            .to_owned(),
    };
    stopped.print(&client, &latencies)
}

fn configured(load: &Load) -> ClientConfig {
    let options = &load.options;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &options.servers);
    config.set("enable.idempotence", "true");
    config.set("compression.codec", options.compression.name());
    // Bytes shall be the limit, not records.
    config.set("queue.buffering.max.messages", "10000000");
    config.set("batch.num.messages", "1000000");
    if let Some(linger) = options.linger_ms {
        config.set("linger.ms", linger.to_string());
    }
    if let Some(size) = options.batch_size {
        config.set("batch.size", size.to_string());
    }
    if let Some(buffer) = options.buffer {
        config.set("queue.buffering.max.kbytes", (buffer / 1024).max(1).to_string());
    }
    config
}

async fn send(load: &Load, producer: &FutureProducer, number: u64) -> Result<DeliveryFuture> {
    let mut record =
        FutureRecord::<[u8], [u8]>::to(&load.options.topic).payload(load.value(number));
    record.key = load.key(number);
    loop {
        match producer.send_result(record) {
            Ok(future) => return Ok(future),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                record = refused;
                sleep(FULL).await;
            }
            Err((error, _)) => bail!(error),
        }
    }
}

async fn outcome(future: DeliveryFuture) -> Result<()> {
    match future.await? {
        Ok(_) => Ok(()),
        Err((error, _)) => Err(error.into()),
    }
}
