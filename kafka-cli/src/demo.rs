//! `kafka demo`: many records through the real producer into a cluster of our own, and a check of
//! every one.

mod ledger;
mod load;
mod payload;
mod progress;

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use kafka_mock::MockConfig;

use crate::args::DemoArgs;
use crate::cluster::{self, End, Topic};
use crate::embedded::Embedded;
use crate::failure::{Failure, tell};
use crate::histogram;
use crate::numbers::{bytes, counted, duration, grouped, per_second};
use crate::reader::{Position, TopicReader};
use crate::values::Servers;
use ledger::{Check, Verdict};
use load::{Load, Sent};
use progress::Progress;

const TOPIC: &str = "demo";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of values: the embedded cluster keeps them in memory.
const BYTES_MAX: u64 = 8_000_000_000;

pub(crate) async fn run(args: DemoArgs) -> Result<(), Failure> {
    let load = Load::open(&args)?;
    if load.bytes > BYTES_MAX {
        return Err(Failure::new(format_args!(
            "the embedded cluster keeps everything in memory: {} is more than {}",
            bytes(load.bytes),
            bytes(BYTES_MAX)
        )));
    }
    let config = MockConfig::new().retention_bytes(usize::MAX);
    let embedded = Embedded::start(config, &[(TOPIC, args.partitions)], &[])?;
    let servers = embedded.server().bootstrap_servers();
    tell(format_args!(
        "sending {} to {}; the cluster of 3 brokers runs inside this command",
        load.describe(),
        counted(args.partitions.into(), "partition"),
    ));
    let sent = load.send(&servers).await?;
    let begin = now();
    let verdict = read_back(&load, &sent, &servers).await?;
    let text = summary(&load, &sent, &verdict, begin.elapsed());
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    match sent.first_error {
        _ if verdict.is_good() => Ok(()),
        Some(error) => {
            Err(Failure::new(format_args!("the check failed; the first error: {error}")))
        }
        None => Err(Failure::new("the check failed")),
    }
}

/// Reads the whole topic through its brokers, and compares.
async fn read_back(load: &Load, sent: &Sent, servers: &str) -> Result<Verdict, Failure> {
    let servers: Servers = servers.parse().map_err(Failure::new)?;
    let pool = cluster::connect(&servers, CONNECT_TIMEOUT);
    let mut topic = Topic::find(&pool, TOPIC, &[]).await?;
    let ends = topic.offsets(&pool, End::Last).await?;
    let positions: BTreeMap<i32, Position> = ends
        .into_iter()
        .map(|(partition, end)| (partition, Position { next: 0, end: Some(end) }))
        .collect();
    let mut progress = Progress::begin("checking", load.count, now());
    let mut reader = TopicReader::new(pool, topic, positions);
    let mut check = Check::new(&sent.ledger);
    let mut scratch = Vec::new();
    let mut read = 0;
    while let Some(batch) = reader.next().await? {
        for record in batch.records() {
            let record = record.map_err(Failure::new)?;
            let sequence = load.payload.sequence(&record, &mut scratch);
            check.see(batch.partition, record.offset, sequence);
            read += 1;
        }
        progress.update(read, now(), String::new);
    }
    progress.end();
    Ok(check.finish())
}

fn summary(load: &Load, sent: &Sent, verdict: &Verdict, checking: Duration) -> String {
    let rate = grouped(per_second(load.count, sent.time));
    let byte_rate = bytes(per_second(load.bytes, sent.time));
    let (time, size) = (duration(sent.time), bytes(load.bytes));
    let mut out = format!(
        "\nsent        {}, {size}, in {time}: {rate} records/s, {byte_rate}/s\n",
        counted(load.count, "record"),
    );
    out += &latency(&sent.latency);
    out += &format!(
        "read back   {} over the wire in {}\n\n",
        counted(verdict.read, "record"),
        duration(checking)
    );
    let mut line = |count: u64, what: &str, is_shown: bool| {
        if is_shown {
            out += &format!("{:>15}  {what}\n", grouped(count));
        }
    };
    line(verdict.acknowledged, "acknowledged", true);
    line(verdict.lost, "lost", true);
    line(verdict.doubled, "doubled", true);
    line(verdict.reordered, "reordered", true);
    line(verdict.failed, "failed", verdict.failed > 0);
    line(verdict.misplaced, "not where the delivery said", verdict.misplaced > 0);
    line(verdict.foreign, "changed, or should not be there", verdict.foreign > 0);
    out += match verdict.is_good() {
        true => {
            "\nEvery record is in the log exactly once, unchanged, in order, at the offset that its \
             delivery said.\n"
        }
        false => "\nThis is not what was sent.\n",
    };
    out
}

fn latency(latency: &Histogram<u64>) -> String {
    if latency.is_empty() {
        return String::new();
    }
    let at = |quantile| duration(Duration::from_micros(latency.value_at_quantile(quantile)));
    format!(
        "latency     p50 {}, p99 {}, max {}, from send to acknowledgement, of 1 in {} records\n\n{}\n",
        at(0.5),
        at(0.99),
        duration(Duration::from_micros(latency.max())),
        load::SAMPLE_EVERY,
        histogram::draw(latency)
    )
}

#[expect(clippy::disallowed_methods, reason = "a demo tells how long things take")]
fn now() -> Instant {
    Instant::now()
}
