//! Where records go, and how many came there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::process::Process;
use super::rows::Place;
use crate::conformance::Peer;

/// What a place is made from.
pub(super) struct Places {
    pub(super) folder: PathBuf,
    /// `kafka`, for its `mock`.
    pub(super) null_broker: PathBuf,
    /// There for the rows that need it.
    pub(super) kafka: Option<Kafka>,
}

/// A real broker, and Kafka's own client to look after it.
pub(super) struct Kafka {
    servers: String,
    admin: Peer,
    topics: u32,
}

/// A topic for one run of one program.
pub(super) enum Open {
    Null { process: Process, servers: String },
    Kafka { servers: String, topic: String },
}

impl Kafka {
    /// `admin` is the program of `xtask/java/interop`.
    pub(super) fn new(servers: String, admin: Command) -> Result<Self> {
        Ok(Self { servers, admin: Peer::start(admin)?, topics: 0 })
    }
}

impl Places {
    pub(super) fn open(&mut self, place: Place) -> Result<Open> {
        match place {
            Place::Null { brokers, partitions, rtt_ms } => {
                let mut command = Command::new(&self.null_broker);
                command.args(["mock", "--discard", "--brokers", &brokers.to_string()]);
                command.args(["--topic", &format!("{TOPIC}:{partitions}")]);
                if rtt_ms > 0 {
                    command.args(["--rtt", &rtt_ms.to_string()]);
                }
                let mut process = Process::start(command, &self.folder, "null-broker")?;
                let servers = process.first_line(START_TIME)?;
                Ok(Open::Null { process, servers })
            }
            Place::Kafka => {
                let kafka = self.kafka.as_mut().context("Kafka is not running")?;
                kafka.topics += 1;
                let topic = format!("{TOPIC}-{}", kafka.topics);
                // A topic that is deleted frees the disk at once.
                let create = format!("create {topic} {PARTITIONS} 1 file.delete.delay.ms=0");
                kafka.admin.call(&create)?;
                kafka.admin.call(&format!("await {topic} {PARTITIONS}"))?;
                Ok(Open::Kafka { servers: kafka.servers.clone(), topic })
            }
        }
    }

    /// How many records came.
    pub(super) fn close(&mut self, open: Open) -> Result<u64> {
        match open {
            Open::Null { process, .. } => counted(&process.interrupt(END_TIME)?),
            Open::Kafka { topic, .. } => {
                let kafka = self.kafka.as_mut().context("Kafka is not running")?;
                let count = kafka.admin.call(&format!("count {topic}"))?;
                kafka.admin.call(&format!("delete {topic}"))?;
                count.first().context("no count")?.parse().context("a bad count")
            }
        }
    }
}

impl Open {
    /// What a program is told.
    pub(super) fn arguments(&self) -> [&str; 4] {
        let (servers, topic) = match self {
            Self::Null { servers, .. } => (servers, TOPIC),
            Self::Kafka { servers, topic } => (servers, topic.as_str()),
        };
        ["--servers", servers, "--topic", topic]
    }
}

/// The number of records in `took 12 requests, 3,456 records in 7 batches of 89 kB`.
fn counted(words: &str) -> Result<u64> {
    let line = words.lines().find(|line| line.starts_with("took "));
    let line = line.with_context(|| format!("the null broker counted nothing: {words}"))?;
    ensure!(!words.contains("refused"), "the null broker refused some: {words}");
    let record = |part: &str| part.split_once(" record").map(|(count, _)| count.replace(',', ""));
    let count = line.split(", ").find_map(record);
    count.and_then(|count| count.parse().ok()).with_context(|| format!("no count in `{line}`"))
}

/// The folder of what is measured, empty but for what programs print.
pub(super) fn folder(target: &Path) -> Result<PathBuf> {
    let folder = target.join("bench-peers");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

const TOPIC: &str = "bench";
/// Of a topic of the real Kafka.
const PARTITIONS: u32 = 6;
const START_TIME: Duration = Duration::from_secs(20);
const END_TIME: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_broker_is_understood() {
        let words =
            "1 broker in memory\ntook 1,234 requests, 5,678,901 records in 3 batches of 1 B\n";
        assert_eq!(counted(words).unwrap(), 5_678_901);
        assert_eq!(counted("took 2 requests, 1 record in 1 batch of 1 B\n").unwrap(), 1);
        assert!(counted("took 2 requests, 1 record in 1 batch of 1 B\nrefused 1 batch\n").is_err());
        assert!(counted("").is_err());
    }
}
