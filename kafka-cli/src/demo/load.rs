//! Sends the records of the demo, and keeps what became of them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use kafka_producer::{
    Delivery, FlushError, ProduceError, Producer, Record, RecordHeader, RecordMetadata,
};
use tokio::sync::mpsc;

use super::ledger::Ledger;
use super::payload::{self, Payload};
use super::progress::Progress;
use super::{TOPIC, now};
use crate::args::DemoArgs;
use crate::failure::Failure;
use crate::input::{self, Input};
use crate::lines::{Line, LineSplitter, TooLong};
use crate::numbers::{counted, duration};

/// The latency of one in so many records is measured.
pub(super) const SAMPLE_EVERY: u64 = 64;
/// Most records whose outcome is waited for.
const PENDING_MAX: usize = 200_000;
/// Longest line of a file: what fits into a request with all that belongs to it.
const LINE_LEN_MAX: usize = 1_000_000;
/// The progress is looked at once in so many records.
const PROGRESS_EVERY: u64 = 512;
/// Latencies above it count as this: ten minutes.
const LATENCY_MAX_MICROS: u64 = 600_000_000;
/// How long closing may take, when all outcomes are known.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) payload: Payload,
    pub(super) count: u64,
    /// Of all values.
    pub(super) bytes: u64,
    file: Option<PathBuf>,
}

/// What became of it.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) ledger: Arc<Ledger>,
    /// In microseconds.
    pub(super) latency: Histogram<u64>,
    /// From the first send to the last acknowledgement.
    pub(super) time: Duration,
    pub(super) first_error: Option<ProduceError>,
}

impl Load {
    /// Looks what there is to send: a file is read once for it.
    pub(super) fn open(args: &DemoArgs) -> Result<Self, Failure> {
        let Some(path) = &args.file else {
            let len = args.size as usize;
            let (payload, count) = (Payload::Made { len }, args.records);
            return Ok(Self { payload, count, bytes: count * u64::from(args.size), file: None });
        };
        let (count, bytes) = measure(path)?;
        if count == 0 {
            return Err(Failure::new(format_args!("{} has no lines", path.display())));
        }
        Ok(Self { payload: Payload::Lines, count, bytes, file: Some(path.clone()) })
    }

    pub(super) fn describe(&self) -> String {
        match (&self.file, self.payload) {
            (Some(path), _) => format!("{} of {}", counted(self.count, "line"), path.display()),
            (None, Payload::Made { len }) => {
                format!("{} of {len} bytes", counted(self.count, "record"))
            }
            (None, Payload::Lines) => counted(self.count, "line"),
        }
    }

    /// Sends everything, and waits until every outcome is known.
    pub(super) async fn send(&self, servers: &str) -> Result<Sent, Failure> {
        let ledger = Ledger::new(self.count).ok_or_else(|| {
            Failure::new(format_args!(
                "there is no memory for {}: take fewer",
                counted(self.count, "record")
            ))
        })?;
        let producer =
            Producer::builder().bootstrap_servers(servers).set("client.id", "kafka-demo");
        let producer = producer.build().map_err(Failure::new)?;
        let begin = now();
        let (running, mut all_ran) = mpsc::channel(1);
        let mut sending = Sending {
            producer,
            ledger: Arc::new(ledger),
            sampled: Arc::default(),
            running,
            pending: VecDeque::new(),
            first_error: None,
            progress: Progress::begin("sending ", self.count, begin),
        };
        match (&self.file, self.payload) {
            (Some(path), _) => sending.send_lines(path, self.count).await?,
            (None, Payload::Made { len }) => sending.send_made(len, self.count).await?,
            (None, Payload::Lines) => {}
        }
        match sending.producer.flush().await {
            // Those that failed are told with the check.
            Ok(_) | Err(FlushError::Failed { .. }) => {}
            Err(error) => return Err(Failure::new(error)),
        }
        while sending.settle_oldest().await {}
        // Ends when the last callback is gone.
        drop(sending.running);
        let _ = all_ran.recv().await;
        let time = begin.elapsed();
        sending.progress.end();
        sending.producer.close(CLOSE_TIMEOUT).await.map_err(Failure::new)?;
        let mut sampled = sending.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let first_error = sending.first_error.or_else(|| sampled.first_error.take());
        let latency = sampled.latency.clone();
        Ok(Sent { ledger: sending.ledger, latency, time, first_error })
    }
}

/// Lines of a file, and their bytes.
fn measure(path: &Path) -> Result<(u64, u64), Failure> {
    let failed =
        |error: io::Error| Failure::new(format_args!("cannot read {}: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Failure::new(format_args!(
            "{} is not a plain file, and would have to be read twice; `kafka produce -b embedded` \
             takes anything",
            path.display()
        )));
    }
    let mut splitter = LineSplitter::new(b'\n', LINE_LEN_MAX);
    let mut buffer = vec![0; 64 * 1024];
    let (mut count, mut bytes) = (0, 0);
    let mut add = |line: Line<'_>| match line.bytes {
        Ok(line) => {
            count += 1;
            bytes += line.len() as u64;
            Ok(())
        }
        Err(TooLong { len }) => Err(Failure::new(format_args!(
            "line {} of {} has {len} bytes: at most {LINE_LEN_MAX}",
            line.number,
            path.display()
        ))),
    };
    loop {
        let len = file.read(&mut buffer).map_err(failed)?;
        if len == 0 {
            break;
        }
        let mut piece = buffer.get(..len).unwrap_or_default();
        while let Some(line) = splitter.next(&mut piece) {
            add(line)?;
        }
    }
    splitter.finish().map_or(Ok(()), add)?;
    Ok((count, bytes))
}

/// The loop that sends.
struct Sending {
    producer: Producer,
    ledger: Arc<Ledger>,
    sampled: Arc<Mutex<Sampled>>,
    /// A clone is in each callback that has not run.
    running: mpsc::Sender<()>,
    /// Sequence numbers and deliveries, oldest first.
    pending: VecDeque<(u64, Delivery)>,
    first_error: Option<ProduceError>,
    progress: Progress,
}

/// What callbacks find out.
#[derive(Debug)]
struct Sampled {
    latency: Histogram<u64>,
    first_error: Option<ProduceError>,
}

impl Default for Sampled {
    fn default() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_MICROS, 3);
        #[expect(clippy::expect_used, reason = "the bounds are constants, and a test makes one")]
        let latency = latency.expect("valid bounds");
        Self { latency, first_error: None }
    }
}

impl Sending {
    async fn send_made(&mut self, len: usize, count: u64) -> Result<(), Failure> {
        let mut value = vec![0; len];
        for sequence in 0..count {
            payload::fill(sequence, &mut value);
            self.send(sequence, Record::new(TOPIC, &value)).await?;
        }
        Ok(())
    }

    /// Sends as many lines as there were when they were counted; the file may have grown.
    async fn send_lines(&mut self, path: &Path, count: u64) -> Result<(), Failure> {
        let mut inputs = input::open(&[path.to_owned()])?;
        let mut splitter = LineSplitter::new(b'\n', LINE_LEN_MAX);
        let mut sequence = 0;
        while let Some(input) = inputs.recv().await {
            let bytes = match input {
                Input::Bytes(bytes) => bytes,
                Input::End => Vec::new(),
                Input::Failed(sentence) => return Err(Failure::Sentence(sentence)),
            };
            let mut piece = &*bytes;
            let is_end = piece.is_empty();
            loop {
                let line = if is_end { splitter.finish() } else { splitter.next(&mut piece) };
                let Some(Line { bytes: Ok(line), .. }) = line.filter(|_| sequence < count) else {
                    break;
                };
                let header = payload::header(sequence, line);
                let headers = [RecordHeader { key: payload::HEADER, value: Some(&header) }];
                self.send(sequence, Record::new(TOPIC, line).headers(&headers)).await?;
                sequence += 1;
            }
        }
        Ok(())
    }

    /// Sends a record. Its outcome comes to a callback, which knows the time, or is fetched later,
    /// which costs less.
    async fn send(&mut self, sequence: u64, record: Record<'_>) -> Result<(), Failure> {
        if sequence.is_multiple_of(SAMPLE_EVERY) {
            let callback = self.callback(sequence);
            self.producer.send_with(record, callback).await.map_err(Failure::new)?;
        } else {
            let delivery = self.producer.send(record).await.map_err(Failure::new)?;
            self.pending.push_back((sequence, delivery));
            self.settle_ready();
            while self.pending.len() >= PENDING_MAX {
                self.settle_oldest().await;
            }
        }
        if sequence.is_multiple_of(PROGRESS_EVERY) {
            let sampled = &self.sampled;
            self.progress.update(sequence, now(), || {
                let sampled = sampled.lock().unwrap_or_else(PoisonError::into_inner);
                let p99 = sampled.latency.value_at_quantile(0.99);
                format!(", p99 {}", duration(Duration::from_micros(p99)))
            });
        }
        Ok(())
    }

    fn callback(
        &self,
        sequence: u64,
    ) -> impl FnOnce(Result<RecordMetadata, ProduceError>) + Send + 'static {
        let (ledger, sampled) = (Arc::clone(&self.ledger), Arc::clone(&self.sampled));
        let running = self.running.clone();
        let begin = now();
        move |outcome| {
            let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
            ledger.settle(sequence, &outcome);
            let mut sampled = sampled.lock().unwrap_or_else(PoisonError::into_inner);
            sampled.latency.saturating_record(micros);
            if let Err(error) = outcome {
                sampled.first_error.get_or_insert(error);
            }
            drop(running);
        }
    }

    fn settle_ready(&mut self) {
        while let Some((sequence, delivery)) = self.pending.front() {
            let (sequence, Some(outcome)) = (*sequence, delivery.try_result()) else { break };
            self.pending.pop_front();
            self.settle(sequence, outcome);
        }
    }

    /// Waits for the oldest outcome. Whether there was one.
    async fn settle_oldest(&mut self) -> bool {
        let Some((sequence, delivery)) = self.pending.pop_front() else { return false };
        let outcome = delivery.await;
        self.settle(sequence, outcome);
        true
    }

    fn settle(&mut self, sequence: u64, outcome: Result<RecordMetadata, ProduceError>) {
        self.ledger.settle(sequence, &outcome);
        if let Err(error) = outcome {
            self.first_error.get_or_insert(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_can_be_counted() {
        let mut sampled = Sampled::default();
        sampled.latency.saturating_record(u64::MAX);
        assert_eq!(sampled.latency.len(), 1);
    }
}
