//! What the client programs of `cargo xtask bench peers` share: command line, records, pace, clocks, and
//! the line of results. The contract is the same in every language.
#![expect(clippy::disallowed_methods, reason = "it measures time")]

mod clocks;
mod options;
#[cfg(feature = "tokio")]
mod outstanding;
mod pace;
mod records;
mod shared;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use hdrhistogram::Histogram;
use serde_json::json;

use clocks::Clocks;
pub use options::{Compression, Options};
#[cfg(feature = "tokio")]
pub use outstanding::{Outstanding, WINDOW};
pub use pace::Pace;
use records::{Keys, Values};
pub use shared::SharedRecords;

/// Flat out, the latency of one record in so many is measured; at a steady rate that of each.
const SAMPLED: u64 = 64;

/// Longest latency that is told apart from longer ones.
const LATENCY_MAX_MICROS: u64 = 600_000_000;

/// The lock file of the clients, which knows their versions.
const LOCK: &str = include_str!("../../Cargo.lock");

/// The load: what is sent.
#[derive(Debug)]
pub struct Load {
    /// The command line.
    pub options: Options,
    values: Values,
    keys: Option<Keys>,
}

impl Load {
    /// As the command line says; ends the program if that is wrong.
    #[expect(clippy::new_without_default, reason = "it reads the command line")]
    pub fn new() -> Self {
        let options = Options::parse();
        let values = Values::new(options.size);
        let keys = options.keys.map(Keys::new);
        Self { options, values, keys }
    }

    /// Value of the record with this number.
    pub fn value(&self, number: u64) -> &[u8] {
        self.values.get(number)
    }

    /// Key of the record with this number, if records have keys.
    pub fn key(&self, number: u64) -> Option<&[u8]> {
        self.keys.as_ref().map(|keys| keys.get(number))
    }

    /// Whether the latency of the record with this number is measured.
    pub fn is_sampled(&self, number: u64) -> bool {
        self.options.rate.is_some() || number.is_multiple_of(SAMPLED)
    }

    /// Starts the clocks: one record is delivered already, the next ones count.
    pub fn start(&self) -> Run<'_> {
        Run { load: self, clocks: Clocks::start() }
    }
}

/// A run whose clocks are going.
#[derive(Debug)]
pub struct Run<'a> {
    load: &'a Load,
    clocks: Clocks,
}

impl Run<'_> {
    /// When what is sent, if there is a rate.
    pub fn pace(&self) -> Option<Pace> {
        let Options { rate, records, .. } = self.load.options;
        rate.map(|rate| Pace::new(self.clocks.started(), rate, records))
    }

    /// Stops the clocks: the last acknowledgement is there. What is returned is printed in the end.
    #[must_use = "prints the results"]
    pub fn stop(self) -> Stopped {
        let (wall, cpu) = self.clocks.read();
        Stopped { records: self.load.options.records, wall, cpu }
    }
}

/// A run that is over.
#[derive(Debug)]
pub struct Stopped {
    records: u64,
    wall: Duration,
    cpu: Duration,
}

impl Stopped {
    /// Prints the line of results. `settings` are those that the program chose, in words.
    ///
    /// # Errors
    /// If the system does not tell how much memory was used.
    pub fn print(self, client: &Client, latencies: &Latencies) -> Result<()> {
        let Self { records, wall, cpu } = self;
        let latencies = &latencies.0;
        let line = json!({
            "client": client.name,
            "version": client.version,
            "records": records,
            "seconds": wall.as_secs_f64(),
            "cpu_seconds": cpu.as_secs_f64(),
            "peak_rss_bytes": clocks::peak_rss_bytes()?,
            "latency_us": {
                "count": latencies.len(),
                "p50": latencies.value_at_quantile(0.5),
                "p99": latencies.value_at_quantile(0.99),
                "p999": latencies.value_at_quantile(0.999),
            },
            "settings": client.settings,
        });
        println!("{line}");
        Ok(())
    }
}

/// Who it was.
#[derive(Debug)]
pub struct Client {
    /// Name.
    pub name: &'static str,
    /// Version; see [`locked_version`].
    pub version: String,
    /// Settings that the program chose, in words.
    pub settings: String,
}

/// The version of a crate that this workspace has locked; empty if it has none.
pub fn locked_version(name: &str) -> String {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let rest = LOCK.split_once(&entry).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Latencies in microseconds.
#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// Never: the bounds are in order.
    pub fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_max(LATENCY_MAX_MICROS, 3)?))
    }

    /// Adds that of a record that was sent then, and whose acknowledgement is seen now.
    pub fn add_since(&mut self, sent: Instant) {
        self.0.saturating_record(sent.elapsed().as_micros() as u64);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}
