//! librdkafka under the load of `cargo xtask bench peers`, through its own C API.
//!
//! One thread produces, one polls for delivery reports: every record has its own.
#![expect(clippy::disallowed_methods, reason = "it measures time, and has threads")]

mod producer;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use peers_load::{Client, Load, Stopped};

use producer::{Producer, Reports};

/// How long a poll waits for reports.
const POLL: Duration = Duration::from_millis(100);

const FLUSH: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let load = Load::new();
    let reports = Reports::new()?;
    let producer = Producer::new(&properties(&load), &load.options.topic, &reports)?;
    let is_over = AtomicBool::new(false);
    let stopped = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                producer.poll(POLL);
            }
        });
        let stopped = produce_all(&load, &producer, &reports);
        is_over.store(true, Ordering::Relaxed);
        stopped
    })?;
    drop(producer);
    let client = Client {
        name: "librdkafka",
        version: producer::version(),
        settings: "one thread that produces, one that polls".to_owned(),
    };
    stopped.print(&client, &reports.into_latencies())
}

fn properties(load: &Load) -> Vec<(&'static str, String)> {
    let options = &load.options;
    let mut properties = vec![
        ("bootstrap.servers", options.servers.clone()),
        ("enable.idempotence", "true".to_owned()),
        ("compression.codec", options.compression.name().to_owned()),
        // Bytes shall be the limit, not records.
        ("queue.buffering.max.messages", "10000000".to_owned()),
        ("batch.num.messages", "1000000".to_owned()),
    ];
    if let Some(linger) = options.linger_ms {
        properties.push(("linger.ms", linger.to_string()));
    }
    if let Some(size) = options.batch_size {
        properties.push(("batch.size", size.to_string()));
    }
    if let Some(buffer) = options.buffer {
        properties.push(("queue.buffering.max.kbytes", (buffer / 1024).max(1).to_string()));
    }
    properties
}

fn produce_all(load: &Load, producer: &Producer<'_>, reports: &Reports) -> Result<Stopped> {
    let produce = |number, is_sampled| {
        while !producer.produce(load.key(number), load.value(number), is_sampled)? {
            producer.poll(Duration::from_millis(1));
        }
        anyhow::Ok(())
    };
    produce(0, false)?;
    producer.flush(FLUSH)?;
    ensure!(reports.delivered() == 1, "the first record failed");

    let run = load.start();
    let produce = |number| produce(number, load.is_sampled(number));
    match run.pace() {
        None => (0..load.options.records).try_for_each(produce)?,
        Some(mut pace) => {
            while let Some(tick) = pace.next_tick() {
                thread::sleep(tick.saturating_duration_since(Instant::now()));
                pace.due().try_for_each(produce)?;
            }
        }
    }
    producer.flush(FLUSH)?;
    let stopped = run.stop();
    let failed = reports.failed();
    ensure!(failed == 0, "{failed} records failed");
    ensure!(reports.delivered() == load.options.records + 1, "records have no report");
    Ok(stopped)
}
