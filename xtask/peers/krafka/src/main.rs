//! krafka under the load of `cargo xtask bench peers`.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use krafka::producer::{DeliveryHandle, Producer};
use krafka::{Kafka, Record};
use peers_load::{Client, Compression, Load, Outstanding, SharedRecords, WINDOW, locked_version};
use tokio::time::sleep_until;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let load = Load::new();
    let records = SharedRecords::new(&load);
    let kafka = Kafka::builder(load.options.servers.as_str()).connect().await?;
    let producer = configured(&load, &kafka).await?;
    let sender = Sender { load: &load, records: &records, producer: &producer };
    outcome(sender.send(0).await?).await?;

    let mut outstanding = Outstanding::new(WINDOW)?;
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
        name: "krafka",
        version: locked_version("krafka"),
        settings: format!("enqueue, up to {WINDOW} handles outstanding, current_thread runtime"),
    };
    stopped.print(&client, &latencies)
}

async fn configured(load: &Load, kafka: &Kafka) -> Result<Producer> {
    let options = &load.options;
    let mut builder = kafka.producer().compression(match options.compression {
        Compression::None => krafka::Compression::None,
        Compression::Lz4 => krafka::Compression::Lz4,
    });
    if let Some(linger) = options.linger_ms {
        builder = builder.linger(Duration::from_millis(linger.into()));
    }
    if let Some(size) = options.batch_size {
        builder = builder.batch_size(size);
    }
    if let Some(buffer) = options.buffer {
        builder = builder.buffer_memory(buffer);
    }
    Ok(builder.build().await?)
}

struct Sender<'a> {
    load: &'a Load,
    records: &'a SharedRecords,
    producer: &'a Producer,
}

impl Sender<'_> {
    async fn send(&self, number: u64) -> Result<DeliveryHandle> {
        let mut record = Record::new(self.load.options.topic.as_str(), self.records.value(number));
        record.key = self.records.key(number);
        Ok(self.producer.enqueue(record).await?)
    }
}

async fn outcome(handle: DeliveryHandle) -> Result<()> {
    ensure!(handle.await?.is_persisted(), "a record is not written");
    Ok(())
}
