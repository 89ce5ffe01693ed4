//! rskafka under the load of `cargo xtask bench peers`: a `BatchProducer` for each partition.
//!
//! It has neither a partitioner nor idempotence. Records without a key fill the batch of one partition
//! after the other.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::Utc;
use futures_util::poll;
use peers_load::{Client, Compression, Load, Outstanding, WINDOW, locked_version};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression as Codec, UnknownTopicHandling};
use rskafka::client::producer::aggregator::RecordAggregator;
use rskafka::client::producer::{BatchProducer, BatchProducerBuilder};
use rskafka::record::Record;
use tokio::time::sleep_until;

/// What its own benchmark has.
const BATCH_SIZE: usize = 1_000_000;

/// What a record takes in a batch beside its key and value, at most; an aggregator does not count it.
const OVERHEAD: usize = 20;

/// The longest key that there is.
const KEY: usize = 14;

/// An outcome, which must have been asked for once: only then is its record in a batch.
type Outcome = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

#[tokio::main]
async fn main() -> Result<()> {
    let load = Load::new();
    let sender = Sender::connect(&load).await?;
    sender.send(0).await.await?;

    // It has no limit of memory: that on what is outstanding has to do.
    let buffer = load.options.buffer.unwrap_or(usize::MAX);
    let limit = WINDOW.min(buffer / (load.options.size + OVERHEAD)).max(1);
    let mut outstanding = Outstanding::new(limit)?;
    let run = load.start();
    match run.pace() {
        None => {
            for number in 0..load.options.records {
                let sampled = load.is_sampled(number).then(Instant::now);
                outstanding.add(sender.send(number).await, sampled).await?;
            }
        }
        Some(mut pace) => {
            while let Some(tick) = pace.next_tick() {
                sleep_until(tick.into()).await;
                for number in pace.due() {
                    let sent = Instant::now();
                    outstanding.add(sender.send(number).await, Some(sent)).await?;
                }
            }
        }
    }
    sender.flush().await?;
    let latencies = outstanding.finish().await?;
    let stopped = run.stop();
    let client = Client {
        name: "rskafka",
        version: locked_version("rskafka"),
        settings: format!(
            "no idempotence, a BatchProducer of {} bytes for each partition, up to {limit} futures \
             outstanding, multi_thread runtime",
            sender.batch_size
        ),
    };
    stopped.print(&client, &latencies)
}

struct Sender<'a> {
    load: &'a Load,
    producers: Vec<Arc<BatchProducer<RecordAggregator>>>,
    batch_size: usize,
    /// So many records without a key go to one partition before the next one has its turn.
    batch_records: u64,
}

impl<'a> Sender<'a> {
    async fn connect(load: &'a Load) -> Result<Self> {
        let options = &load.options;
        let servers = options.servers.split(',').map(str::to_owned).collect();
        let client = ClientBuilder::new(servers).build().await?;
        let topics = client.list_topics().await?;
        let topic = topics.into_iter().find(|topic| topic.name == options.topic);
        let batch_size = options.batch_size.unwrap_or(BATCH_SIZE);
        let batch_records = (batch_size / (options.size + KEY + OVERHEAD)).max(1);
        let codec = match options.compression {
            Compression::None => Codec::NoCompression,
            Compression::Lz4 => Codec::Lz4,
        };
        let mut producers = Vec::new();
        for partition in topic.context("no such topic")?.partitions {
            let (name, unknown) = (options.topic.as_str(), UnknownTopicHandling::Retry);
            let partition = client.partition_client(name, partition, unknown).await?;
            let mut builder =
                BatchProducerBuilder::new(Arc::new(partition)).with_compression(codec);
            if let Some(linger) = options.linger_ms {
                builder = builder.with_linger(Duration::from_millis(linger.into()));
            }
            let counted = batch_records * options.size.max(1);
            producers.push(Arc::new(builder.build(RecordAggregator::new(counted))));
        }
        Ok(Self { load, producers, batch_size, batch_records: batch_records as u64 })
    }

    /// Adds a record to a batch.
    async fn send(&self, number: u64) -> Outcome {
        let key = self.load.key(number);
        let count = self.producers.len() as u64;
        let at = match key {
            // Any hash would do that is not slow.
            Some(key) => key.iter().fold(0_u64, |hash, byte| hash * 31 + u64::from(*byte)) % count,
            None => number / self.batch_records % count,
        };
        let producer = Arc::clone(&self.producers[at as usize]);
        let record = Record {
            key: key.map(<[u8]>::to_vec),
            value: Some(self.load.value(number).to_vec()),
            headers: BTreeMap::new(),
            timestamp: Utc::now(),
        };
        let mut outcome: Outcome = Box::pin(async move {
            producer.produce(record).await?;
            Ok(())
        });
        match poll!(&mut outcome) {
            std::task::Poll::Ready(result) => Box::pin(std::future::ready(result)),
            std::task::Poll::Pending => outcome,
        }
    }

    async fn flush(&self) -> Result<()> {
        for producer in &self.producers {
            producer.flush().await?;
        }
        Ok(())
    }
}
