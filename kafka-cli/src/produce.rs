//! `kafka produce`: lines become records.

use std::collections::VecDeque;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write, stdout};
use std::time::Duration;

use kafka_mock::MockConfig;
use kafka_producer::{
    Delivery, FlushError, ProduceError, Producer, Record, RecordHeader, RecordMetadata, SendError,
};
use tokio::sync::mpsc;

use crate::args::ProduceArgs;
use crate::embedded::Embedded;
use crate::failure::{Failure, tell};
use crate::input::{self, Input};
use crate::interrupt::Interrupt;
use crate::lines::{Line, LineSplitter};
use crate::numbers::counted;
use crate::report::Report;
use crate::values::{Bootstrap, Text};

/// Most records whose outcome is waited for.
const PENDING_MAX: usize = 100_000;
/// A person waits less patiently than a service: `max.block.ms`, unless it is configured.
const MAX_BLOCK_MS: &str = "10000";
/// How long closing may take, when all outcomes are known.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: ProduceArgs) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    let inputs = input::open(&args.files)?;
    let (servers, _embedded) = cluster(&args.bootstrap_servers)?;
    let producer = build(&args, &servers)?;
    if args.files.is_empty() && io::stdin().is_terminal() {
        tell("reading lines from the terminal; Ctrl-D ends");
    }
    let headers = args.headers.iter().map(|header| RecordHeader {
        key: &header.name,
        value: header.value.as_deref().map(str::as_bytes),
    });
    let mut session = Session {
        args: &args,
        producer,
        headers: headers.collect(),
        pending: VecDeque::new(),
        report: Report::default(),
        out: BufWriter::new(stdout().lock()),
    };
    let mut ended = session.read(inputs, &mut interrupt).await;
    if matches!(ended, Err(Failure::Interrupted)) && !session.pending.is_empty() {
        tell("waiting for what was read to be delivered; another Ctrl-C does not wait");
    }
    // Also after a failure: what was accepted is delivered.
    if let Err(failure) = session.settle_all().await {
        ended = ended.and(Err(failure));
    }
    session.finish(ended).await
}

/// The servers to begin with, and the cluster behind them if it is ours.
fn cluster(bootstrap: &Bootstrap) -> Result<(String, Option<Embedded>), Failure> {
    match bootstrap {
        Bootstrap::Servers(servers) => Ok((servers.to_string(), None)),
        Bootstrap::Embedded => {
            let embedded = Embedded::start(MockConfig::new(), &[], &[])?;
            let servers = embedded.server().bootstrap_servers();
            let first = servers.split(',').next().unwrap_or_default();
            tell(format_args!(
                "an embedded cluster is at {first}, and gone when this command ends"
            ));
            Ok((servers, Some(embedded)))
        }
    }
}

/// Later settings replace earlier ones: ours, the file, `-X`, and what has an option of its own.
fn build(args: &ProduceArgs, servers: &str) -> Result<Producer, Failure> {
    let mut builder =
        Producer::builder().set("client.id", "kafka-cli").set("max.block.ms", MAX_BLOCK_MS);
    if let Some(path) = &args.config {
        builder = builder.properties_file(path);
    }
    for property in &args.properties {
        builder = builder.set(&property.name, &property.value);
    }
    builder = builder.bootstrap_servers(servers);
    if let Some(acks) = args.acks {
        builder = builder.set("acks", acks.0);
    }
    if let Some(compression) = args.compression {
        let codec = compression.codec.name();
        builder = builder.set("compression.type", codec);
        if let Some(level) = compression.level {
            builder = builder.set(format!("compression.{codec}.level"), level.to_string());
        }
    }
    builder.build().map_err(Failure::new)
}

/// Sends lines and waits for their outcomes, in order.
struct Session<'a> {
    args: &'a ProduceArgs,
    producer: Producer,
    headers: Vec<RecordHeader<'a>>,
    pending: VecDeque<Pending>,
    report: Report,
    out: BufWriter<StdoutLock<'static>>,
}

/// A record whose turn to be reported has not come.
enum Pending {
    Sent(Delivery),
    /// It was not accepted; the reason.
    Refused(String),
}

impl Session<'_> {
    /// Sends what comes, until it ends.
    async fn read(
        &mut self,
        mut inputs: mpsc::Receiver<Input>,
        interrupt: &mut Interrupt,
    ) -> Result<(), Failure> {
        let delimiter = self.args.delimiter.0;
        let mut splitter = LineSplitter::new(delimiter, self.args.max_line as usize);
        loop {
            self.out.flush()?;
            let input = tokio::select! {
                biased;
                () = interrupt.requested() => return Err(Failure::Interrupted),
                settled = self.settle_some(), if !self.pending.is_empty() => {
                    settled?;
                    continue;
                }
                input = inputs.recv() => input,
            };
            match input {
                Some(Input::Bytes(bytes)) => {
                    let mut piece = &*bytes;
                    while let Some(line) = splitter.next(&mut piece) {
                        self.send(&line, interrupt).await?;
                    }
                }
                Some(Input::End) => {
                    if let Some(line) = splitter.finish() {
                        self.send(&line, interrupt).await?;
                    }
                }
                Some(Input::Failed(sentence)) => return Err(Failure::Sentence(sentence)),
                None => return Ok(()),
            }
        }
    }

    async fn send(&mut self, line: &Line<'_>, interrupt: &mut Interrupt) -> Result<(), Failure> {
        let bytes = match line.bytes {
            Ok(bytes) => bytes,
            Err(too_long) => {
                let limit = self.args.max_line;
                tell(format_args!("line {}: {} bytes, not sent", line.number, too_long.len));
                self.pending
                    .push_back(Pending::Refused(format!("longer than {limit} bytes (--max-line)")));
                return Ok(());
            }
        };
        let (key, value) = match split(self.args, bytes) {
            Ok(parts) => parts,
            Err(reason) => {
                tell(format_args!("line {}: {reason}, not sent", line.number));
                self.pending.push_back(Pending::Refused(reason));
                return Ok(());
            }
        };
        let record = Record {
            partition: self.args.partition,
            key,
            value,
            headers: &self.headers,
            ..Record::empty(&self.args.topic)
        };
        let sent = tokio::select! {
            biased;
            sent = self.producer.send(record) => sent,
            () = interrupt.requested() => return Err(Failure::Interrupted),
        };
        match sent {
            Ok(delivery) => self.pending.push_back(Pending::Sent(delivery)),
            Err(error @ (SendError::TooLarge { .. } | SendError::InvalidRecord { .. })) => {
                tell(format_args!("line {}: {error}, not sent", line.number));
                self.pending.push_back(Pending::Refused(error.to_string()));
            }
            // The next record would fail as well, and each would wait for it.
            Err(error) => return Err(Failure::new(error)),
        }
        self.settle_ready()?;
        while self.pending.len() >= PENDING_MAX {
            self.settle_some().await?;
        }
        Ok(())
    }

    /// Waits for the oldest outcome, and takes all that are there then.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    async fn settle_some(&mut self) -> Result<(), Failure> {
        if let Some(Pending::Sent(delivery)) = self.pending.front_mut() {
            let outcome = delivery.await;
            self.pending.pop_front();
            self.settle(outcome)?;
        }
        self.settle_ready()
    }

    fn settle_ready(&mut self) -> Result<(), Failure> {
        while let Some(oldest) = self.pending.pop_front() {
            match oldest {
                Pending::Refused(reason) => {
                    if self.args.report {
                        writeln!(self.out, "error: {reason}")?;
                    }
                    self.report.fail(reason);
                }
                Pending::Sent(delivery) => match delivery.try_result() {
                    Some(outcome) => self.settle(outcome)?,
                    None => {
                        self.pending.push_front(Pending::Sent(delivery));
                        break;
                    }
                },
            }
        }
        Ok(())
    }

    fn settle(&mut self, outcome: Result<RecordMetadata, ProduceError>) -> Result<(), Failure> {
        match outcome {
            Ok(metadata) => {
                self.report.delivered += 1;
                if self.args.report {
                    writeln!(self.out, "{metadata}")?;
                }
            }
            Err(error) => {
                self.report.fail(error.kind().to_string());
                if self.args.report {
                    writeln!(self.out, "error: {error}")?;
                }
            }
        }
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<(), Failure> {
        if !self.pending.is_empty() {
            match self.producer.flush().await {
                // The report counts those that failed, by their reasons.
                Ok(_) | Err(FlushError::Failed { .. }) => {}
                Err(error) => return Err(Failure::new(error)),
            }
        }
        while !self.pending.is_empty() {
            self.settle_some().await?;
        }
        self.out.flush()?;
        Ok(())
    }

    /// Closes the producer, and says how it went.
    async fn finish(self, ended: Result<(), Failure>) -> Result<(), Failure> {
        let closed = self.producer.close(CLOSE_TIMEOUT).await.map_err(Failure::new);
        if self.args.metrics {
            tell(self.producer.metrics().to_string().trim_end());
        }
        let delivered = self.report.delivered;
        let failed = self.report.finish();
        let is_partial = ended.is_err() && delivered > 0;
        if failed.is_ok() && (is_partial || ended.is_ok() && io::stderr().is_terminal()) {
            tell(format_args!("{} delivered", counted(delivered, "record")));
        }
        match (ended, failed) {
            (Ok(()), failed) => failed.and(closed),
            (ended, Ok(())) => ended,
            // Both are told: the records that failed, and why there was an end.
            (ended, Err(failed)) => {
                failed.report();
                ended
            }
        }
    }
}

/// Key and value; `None` is null.
type Parts<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Key and value of a line, or why it has none.
fn split<'a>(args: &'a ProduceArgs, line: &'a [u8]) -> Result<Parts<'a>, String> {
    let (key, value) = match &args.key_separator {
        None => (args.key.as_deref().map(str::as_bytes), line),
        Some(Text(separator)) => {
            let at = line.windows(separator.len()).position(|window| window == separator);
            let key = at.and_then(|at| line.get(..at));
            let value = at.and_then(|at| line.get(at + separator.len()..));
            match (key, value) {
                (Some(key), Some(value)) => (Some(key), value),
                _ => return Err("no key separator".to_owned()),
            }
        }
    };
    let is_null = |bytes: &[u8]| args.null.as_ref().is_some_and(|Text(marker)| marker == bytes);
    Ok((key.filter(|key| !is_null(key)), Some(value).filter(|value| !is_null(value))))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn args(options: &str) -> ProduceArgs {
        let line = format!("kafka produce -b a:1 -t t {options}");
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Command::Produce(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_is_a_value_or_a_key_and_a_value() {
        let cases: [(&str, &str, Parts<'_>); 8] = [
            ("", "a:b", (None, Some(b"a:b"))),
            ("--key k", "a:b", (Some(b"k"), Some(b"a:b"))),
            ("-K :", "a:b:c", (Some(b"a"), Some(b"b:c"))),
            ("-K ::", "a:b::c", (Some(b"a:b"), Some(b"c"))),
            ("-K \\t", "a\tb", (Some(b"a"), Some(b"b"))),
            ("-K :", ":", (Some(b""), Some(b""))),
            ("-K : --null NULL", "NULL:NULL", (None, None)),
            ("-K : --null NULL", "a:NULL ", (Some(b"a"), Some(b"NULL "))),
        ];
        for (options, line, expected) in cases {
            assert_eq!(split(&args(options), line.as_bytes()), Ok(expected), "{options} {line}");
        }
        assert_eq!(split(&args("-K :"), b"a"), Err("no key separator".to_owned()));
        assert_eq!(split(&args("-K :"), b""), Err("no key separator".to_owned()));
    }
}
