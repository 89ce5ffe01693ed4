//! The Java program on the other side: one process, a command at a time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::record::{LogRecord, OwnedRecord, Sent};
use crate::variable;

/// Makes a topic, and waits until the brokers know it: with `acks=0` what comes earlier is lost.
pub(crate) fn create(topic: &str, partitions: i32, replicas: i16, properties: &[&str]) {
    create_without_waiting(topic, partitions, replicas, properties);
    call(&format!("await {topic} {}", partitions * i32::from(replicas)));
}

/// Makes a topic of which some brokers may hear later than its first producer.
pub(crate) fn create_without_waiting(
    topic: &str,
    partitions: i32,
    replicas: i16,
    properties: &[&str],
) {
    let properties = properties.join(" ");
    call(format!("create {topic} {partitions} {replicas} {properties}").trim_end());
}

/// All records of the topics, those of a partition in its order. Waits if there are less than
/// `count`, but not for ever.
pub(crate) fn dump(count: usize, topics: &[&str]) -> Vec<LogRecord> {
    let lines = call(&format!("dump {count} {}", topics.join(" ")));
    lines.iter().map(|line| LogRecord::parse(line)).collect()
}

/// How many batches of each codec are on the brokers' disks, all replicas of a partition together.
pub(crate) fn batches(topic: &str) -> BTreeMap<String, u64> {
    let count = |line: &String| {
        let (codec, count) = line.split_once(' ')?;
        Some((codec.to_owned(), count.parse().ok()?))
    };
    let lines = call(&format!("batches {topic}"));
    lines.iter().map(|line| count(line).expect("CODEC COUNT")).collect()
}

/// Has Java's own producer send the records.
pub(crate) fn send(properties: &str, records: Vec<OwnedRecord>) -> Vec<Sent> {
    let mut command = format!("send {properties}").trim_end().to_owned();
    for record in &records {
        command += "\n";
        command += &record.line();
    }
    let lines = call(&(command + "\n"));
    assert_eq!(lines.len(), records.len());
    records.into_iter().zip(lines).map(|(record, line)| Sent::parse(record, &line)).collect()
}

struct Peer {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// Ends with the tests: its input does.
static PEER: OnceLock<Mutex<Peer>> = OnceLock::new();

/// The lines of the answer, without the last one.
fn call(command: &str) -> Vec<String> {
    let peer = PEER.get_or_init(|| Mutex::new(Peer::start()));
    let mut peer = peer.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(peer.input, "{command}").expect("Java reads");
    peer.input.flush().expect("Java reads");
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        let len = peer.output.read_line(&mut line).expect("Java writes");
        assert!(len > 0, "the Java program has ended");
        line.truncate(line.trim_end().len());
        match line.as_str() {
            "ok" => return lines,
            error if error.starts_with("error ") => panic!("{command:.100}: {error}"),
            _ => lines.push(line),
        }
    }
}

impl Peer {
    #[expect(clippy::zombie_processes, reason = "it ends with us, when its input does")]
    fn start() -> Self {
        let mut java = Command::new("java")
            .args(["-classpath", &variable("CLASS_PATH"), "Peer", &variable("BOOTSTRAP_SERVERS")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Java starts");
        let input = java.stdin.take().expect("a pipe");
        let output = BufReader::new(java.stdout.take().expect("a pipe"));
        Self { input, output }
    }
}
