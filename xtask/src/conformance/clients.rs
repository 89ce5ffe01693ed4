//! Java's clients and franz-go against `kafka mock`: each sends in every way, and each reads it all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::peer::Peer;
use crate::cargo::cargo;
use crate::java::{self, Java};

/// A client that is not ours.
struct Client {
    name: &'static str,
    peer: Peer,
}

/// # Errors
/// If a record is not acknowledged, or is not where its producer was told it is.
pub(super) fn run(root: &Path) -> Result<()> {
    let java = Java::new(root);
    let program = java.compile("interop", &root.join("xtask/java/interop"), &java.clients()?)?;
    let franz = build_franz(root)?;
    cargo(root, ".", &["build", "--quiet", "--package", "kafka-cli"])?;

    let mut mock = Command::new(kafka_binary()?);
    mock.args(["mock", "--auto-create"]);
    let mut mock = Peer::start(mock)?;
    let servers = mock.line()?;

    let mut java = program.command(&[], "Peer")?;
    java.arg(&servers);
    let mut clients = vec![Client { name: "Java's clients", peer: Peer::start(java)? }];
    if let Some(franz) = franz {
        let mut franz = Command::new(franz);
        franz.arg(&servers);
        clients.push(Client { name: "franz-go", peer: Peer::start(franz)? });
    } else {
        println!("franz-go: skipped, Go (go) is not installed");
    }
    for sender in 0..clients.len() {
        for (index, case) in CASES.iter().enumerate() {
            check(&mut clients, sender, index, case)
                .with_context(|| format!("{} with `{case}`", clients[sender].name))?;
        }
        println!(
            "{}: {} ways to send, {} records each, acknowledged, in their place, and read by {}",
            clients[sender].name,
            CASES.len(),
            RECORDS,
            clients.iter().map(|client| client.name).collect::<Vec<_>>().join(" and "),
        );
    }
    Ok(())
}

/// One client sends, all read.
fn check(clients: &mut [Client], sender: usize, case_index: usize, case: &str) -> Result<()> {
    let topic = format!("t-{sender}-{case_index}");
    let records: Vec<Record> = (0..RECORDS).map(|n| Record::new(&topic, n)).collect();
    let mut command = format!("send {case}\n");
    for record in &records {
        command += &record.to_send(&topic);
    }
    let sent = clients[sender].peer.call(&command)?;
    ensure!(sent.len() == records.len(), "{} of {RECORDS} records sent", sent.len());

    let mut ends = BTreeMap::new();
    let mut expected = Vec::new();
    for (record, told) in records.iter().zip(&sent) {
        let end = ends.entry(record.partition).or_insert(0);
        let offset = *end;
        *end += 1;
        // Without an answer nobody knows the offset.
        if !case.contains("acks=0") {
            let right = format!("{} {offset} {}", record.partition, record.timestamp);
            ensure!(*told == right, "told `{told}` instead of `{right}`");
        }
        expected.push(record.as_read(&topic, offset));
    }
    expected.sort();
    for reader in clients {
        let mut lines = reader.peer.call(&format!("dump {RECORDS} {topic}"))?;
        lines.sort();
        let other = expected.iter().zip(&lines).find(|(one, other)| one != other);
        let (count, name) = (lines.len(), reader.name);
        ensure!(count == expected.len(), "{name} read {count} of {RECORDS} records");
        ensure!(other.is_none(), "{name} read something else: {other:?}");
    }
    Ok(())
}

/// A record whose parts follow from its number.
struct Record {
    partition: u32,
    timestamp: u64,
    /// Key, value and headers, as the programs write and read them.
    content: String,
}

impl Record {
    fn new(topic: &str, n: u32) -> Self {
        let text = |text: String| {
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("{}:{hex}", text.len())
        };
        let key = match n % 7 {
            0 => "null".to_owned(),
            _ => text(format!("key {n}")),
        };
        let value = match n % 11 {
            0 => "null".to_owned(),
            1 => text(String::new()),
            _ => text(format!("{topic} {n} ").repeat(n as usize % 40 + 1)),
        };
        let headers = match n % 5 {
            0 => format!("{}={},{}=null", text("h".into()), text(n.to_string()), text("e".into())),
            _ => "-".to_owned(),
        };
        Self {
            partition: n % PARTITIONS,
            timestamp: FIRST_TIMESTAMP + u64::from(n),
            content: format!("{key} {value} {headers}"),
        }
    }

    fn to_send(&self, topic: &str) -> String {
        format!("{topic} {} {} {}\n", self.partition, self.timestamp, self.content)
    }

    fn as_read(&self, topic: &str, offset: u64) -> String {
        let Self { partition, timestamp, content } = self;
        format!("{topic} {partition} {offset} {timestamp} CreateTime {content}")
    }
}

/// Where the program of `xtask/go/franz` is now, `None` without Go.
fn build_franz(root: &Path) -> Result<Option<PathBuf>> {
    if !java::is_on_path("go") {
        return Ok(None);
    }
    let program = root.join("target/go/franz");
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-o"]).arg(&program).arg(".");
    go.current_dir(root.join("xtask/go/franz"));
    java::run(&mut go, "compile our Go program")?;
    Ok(Some(program))
}

/// Cargo puts it beside this program.
fn kafka_binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("a program without a folder")?;
    Ok(folder.join(format!("kafka{}", std::env::consts::EXE_SUFFIX)))
}

const CASES: [&str; 8] = [
    "acks=all enable.idempotence=true compression.type=none",
    "acks=all enable.idempotence=true compression.type=gzip",
    "acks=all enable.idempotence=true compression.type=snappy",
    "acks=all enable.idempotence=true compression.type=lz4",
    "acks=all enable.idempotence=true compression.type=zstd",
    // Many small batches: the window of five turns over.
    "acks=all enable.idempotence=true compression.type=none batch.size=2048",
    "acks=1 enable.idempotence=false compression.type=lz4",
    "acks=0 enable.idempotence=false compression.type=none",
];
const RECORDS: u32 = 5_000;
/// What `kafka mock` gives to a topic that is asked for.
const PARTITIONS: u32 = 3;
const FIRST_TIMESTAMP: u64 = 1_700_000_000_000;
