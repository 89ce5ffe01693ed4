//! Sends records as fast as it can, and prints the rate and what a million records cost in CPU time.
//!
//! ```sh
//! kafka mock --discard                                          # prints an address
//! cargo run --release -p kafka-producer --example flat_out -- 127.0.0.1:9092 20000000
//! ```

#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::time::{Duration, Instant};

use kafka_producer::{Producer, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let servers = args.next().ok_or("usage: flat_out SERVERS [RECORDS] [PROPERTY=VALUE]…")?;
    let records: u64 = args.next().map_or(Ok(5_000_000), |records| records.parse())?;
    let mut builder = Producer::builder().bootstrap_servers(&servers);
    for property in args {
        let (name, value) = property.split_once('=').ok_or("a property is NAME=VALUE")?;
        builder = builder.set(name, value);
    }
    let producer = builder.build()?;
    let mut value = [0; 100];
    producer.send(Record::new("flat-out", &value)).await?.await?;
    let (start, cpu) = (Instant::now(), cpu_seconds());
    for number in 0..records {
        value[..8].copy_from_slice(&number.to_be_bytes());
        producer.send(Record::new("flat-out", &value)).await?;
    }
    producer.flush().await?;
    let (elapsed, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let millions = records as f64 / 1e6;
    println!(
        "{records} records of 100 B in {elapsed:.2} s: {:.2} million a second; \
         {:.3} s of CPU a million (librdkafka: 0.53 s)",
        millions / elapsed,
        cpu / millions
    );
    producer.close(Duration::from_secs(10)).await?;
    Ok(())
}

/// User and system time of this process; 0 where the system does not tell it this way.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / TICKS_A_SECOND
}

/// What Linux counts in, whatever the kernel's own rate is.
const TICKS_A_SECOND: f64 = 100.0;
