//! What no producer can leave out, and nothing else, under the load of `cargo xtask bench peers`.
//!
//! One thread encodes records into batches under a mutex; for each broker one adds header and checksum
//! and writes requests, and one reads the answers. Nothing is sent again, and metadata is never renewed.
#![expect(clippy::disallowed_methods, reason = "it measures time, and has threads")]

mod accumulator;
mod batch;
mod wire;

use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use peers_load::{Client, Compression, Load, Stopped, locked_version};

use accumulator::{Accumulator, Limits};
use batch::Batch;
use wire::Cluster;

fn main() -> Result<()> {
    let load = Load::new();
    let options = &load.options;
    let limits = Limits {
        linger: Duration::from_millis(options.linger_ms.unwrap_or(5).into()),
        batch_size: options.batch_size.unwrap_or(1_000_000),
        buffer: options.buffer.unwrap_or(32 << 20),
    };
    let cluster = Cluster::discover(&options.servers, &options.topic)?;
    let brokers = cluster.brokers.len();
    let accumulator = Accumulator::new(cluster.leaders.clone(), brokers, limits)?;
    let streams = cluster.brokers.iter().map(|address| wire::connect(address));
    let streams = streams.collect::<Result<Vec<_>>>()?;
    let stopped = thread::scope(|scope| {
        for (broker, stream) in streams.iter().enumerate() {
            let link =
                Link { broker, stream, load: &load, cluster: &cluster, accumulator: &accumulator };
            let (sent, expected) = mpsc::channel();
            scope.spawn(move || link.end_if_failed(link.write(&sent)));
            scope.spawn(move || link.end_if_failed(link.read(&expected)));
        }
        let stopped = send_all(&load, &accumulator);
        accumulator.end("all is sent");
        stopped
    })?;
    let client = Client {
        name: "floor",
        version: locked_version("peers-floor"),
        settings: format!(
            "linger {} ms, batches of {} bytes, buffer of {} bytes, coarse timestamps",
            limits.linger.as_millis(),
            limits.batch_size,
            limits.buffer
        ),
    };
    stopped.print(&client, &accumulator.into_latencies())
}

fn send_all(load: &Load, accumulator: &Accumulator) -> Result<Stopped> {
    accumulator.append(load.key(0), load.value(0), None)?;
    accumulator.flush()?;
    let run = load.start();
    let send = |number| {
        let sampled = load.is_sampled(number).then(Instant::now);
        accumulator.append(load.key(number), load.value(number), sampled)
    };
    match run.pace() {
        None => (0..load.options.records).try_for_each(send)?,
        Some(mut pace) => {
            while let Some(tick) = pace.next_tick() {
                thread::sleep(tick.saturating_duration_since(Instant::now()));
                pace.due().try_for_each(send)?;
            }
        }
    }
    accumulator.flush()?;
    Ok(run.stop())
}

/// A connection to a broker, as its two threads see it.
#[derive(Clone, Copy)]
struct Link<'a> {
    broker: usize,
    stream: &'a TcpStream,
    load: &'a Load,
    cluster: &'a Cluster,
    accumulator: &'a Accumulator,
}

/// A request that an answer is expected to.
struct Sent {
    correlation_id: i32,
    batches: Vec<Batch>,
}

impl Link<'_> {
    fn write(&self, sent: &mpsc::Sender<Sent>) -> Result<()> {
        let mut sequences = vec![0_i32; self.cluster.leaders.len()];
        let mut stream = self.stream.try_clone()?;
        for correlation_id in 1.. {
            let mut batches = self.accumulator.next_request(self.broker);
            if batches.is_empty() {
                break;
            }
            for batch in &mut batches {
                if self.load.options.compression == Compression::Lz4 {
                    batch.compress()?;
                }
                let sequence = &mut sequences[batch.partition];
                batch.finish(self.cluster.producer, *sequence);
                // After the last one comes 0.
                *sequence = sequence.wrapping_add(batch.count) & i32::MAX;
            }
            wire::write_produce(&mut stream, &self.load.options.topic, correlation_id, &batches)?;
            sent.send(Sent { correlation_id, batches })?;
        }
        Ok(())
    }

    fn read(&self, expected: &mpsc::Receiver<Sent>) -> Result<()> {
        let mut stream = self.stream.try_clone()?;
        for Sent { correlation_id, batches } in expected {
            wire::read_acknowledgement(&mut stream, correlation_id)?;
            self.accumulator.acknowledge(self.broker, batches);
        }
        Ok(())
    }

    fn end_if_failed(&self, result: Result<()>) {
        if let Err(error) = result {
            self.accumulator.end(&error.to_string());
            // Wakes the other thread of this connection.
            self.stream.shutdown(Shutdown::Both).ok();
        }
    }
}
