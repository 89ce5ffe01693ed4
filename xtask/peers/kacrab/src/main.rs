//! kacrab under the load of `cargo xtask bench peers`.
//!
//! What its buffer has no room for, `send` spins for until there is some, which a runtime of one thread
//! waits for in vain. So no more is outstanding than half of the buffer holds.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use kacrab::producer::{Producer, ProducerBuilder, ProducerError, ProducerRecord, SendFuture};
use kacrab::wire::WireError;
use peers_load::{Client, Load, Outstanding, SharedRecords, WINDOW, locked_version};
use tokio::time::{sleep, sleep_until};

/// How long to wait when a record is refused, as its own benchmark does.
const FULL: Duration = Duration::from_micros(50);

/// The default of `buffer.memory`.
const BUFFER: usize = 32 << 20;

/// What a record takes beside its value, at most.
const OVERHEAD: usize = 64;

#[tokio::main]
async fn main() -> Result<()> {
    let load = Load::new();
    let records = SharedRecords::new(&load);
    let producer = configured(&load).build().await?;
    let topic = Arc::from(load.options.topic.as_str());
    let sender = Sender { records: &records, producer: &producer, topic };
    outcome(sender.send(0).await?).await?;

    let buffer = load.options.buffer.unwrap_or(BUFFER);
    let limit = WINDOW.min(buffer / 2 / (load.options.size + OVERHEAD)).max(1);
    let mut outstanding = Outstanding::new(limit)?;
    let run = load.start();
    match run.pace() {
        None => {
            for number in 0..load.options.records {
                let sampled = load.is_sampled(number).then(Instant::now);
                outstanding.add(outcome(sender.send(number).await?), sampled).await?;
            }
        }
        Some(mut pace) => {
            while let Some(tick) = pace.next_tick() {
                sleep_until(tick.into()).await;
                for number in pace.due() {
                    let sent = Instant::now();
                    outstanding.add(outcome(sender.send(number).await?), Some(sent)).await?;
                }
            }
        }
    }
    producer.flush().await?;
    let latencies = outstanding.finish().await?;
    let stopped = run.stop();
    producer.close().await?;
    let client = Client {
        name: "kacrab",
        version: locked_version("kacrab"),
        settings: format!("up to {limit} futures outstanding, multi_thread runtime"),
    };
    stopped.print(&client, &latencies)
}

fn configured(load: &Load) -> ProducerBuilder {
    let options = &load.options;
    let mut builder = Producer::builder()
        .set("bootstrap.servers", options.servers.as_str())
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", options.compression.name());
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

struct Sender<'a> {
    records: &'a SharedRecords,
    producer: &'a Producer,
    topic: Arc<str>,
}

impl Sender<'_> {
    async fn send(&self, number: u64) -> Result<SendFuture> {
        loop {
            let topic = Arc::clone(&self.topic);
            let mut record = ProducerRecord::topic_value(topic, self.records.value(number));
            record.key = self.records.key(number);
            match self.producer.send(record) {
                Ok(future) => return Ok(future),
                Err(ProducerError::Backpressure | ProducerError::Wire(WireError::Backpressure)) => {
                    sleep(FULL).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

async fn outcome(future: SendFuture) -> Result<()> {
    future.await?;
    Ok(())
}
