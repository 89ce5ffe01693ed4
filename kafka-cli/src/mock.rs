//! `kafka mock`: a cluster in memory for other programs.

use std::io::{Write, stdout};
use std::time::Duration;

use kafka_mock::{AutoCreate, MockConfig};

use crate::args::MockArgs;
use crate::embedded::Embedded;
use crate::failure::{Failure, tell};
use crate::interrupt::Interrupt;
use crate::numbers::{bytes, counted, grouped};

pub(crate) async fn run(args: MockArgs) -> Result<(), Failure> {
    let rtt = Duration::from_millis(args.rtt);
    let mut config = MockConfig::new().brokers(args.brokers).discard(args.discard).rtt(rtt);
    if let Some(version) = args.kafka_version {
        config = config.kafka_version(version);
    }
    if let Some(quota) = args.quota {
        config = config.producer_byte_rate(quota);
    }
    config = match args.auto_create {
        Some(create) => config.default_partitions(create.partitions),
        None => config.auto_create(AutoCreate::Off),
    };
    let ports = ports(args.port, args.brokers)?;
    let topics: Vec<_> = args.topics.iter().map(|t| (t.name.as_str(), t.partitions)).collect();
    let mut interrupt = Interrupt::listen();
    let embedded = Embedded::start(config, &topics, &ports)?;

    let mut out = stdout().lock();
    writeln!(out, "{}", embedded.server().bootstrap_servers())?;
    out.flush()?;
    drop(out);
    tell(format_args!(
        "{} in memory on 127.0.0.1, with {}; Ctrl-C ends it, and its records are gone then",
        counted(args.brokers.into(), "broker"),
        counted(topics.len() as u64, "topic"),
    ));
    if topics.is_empty() && args.auto_create.is_none() {
        tell("no topic can be used: --topic creates one, --auto-create all that are asked for");
    }
    interrupt.requested().await;

    let seen = embedded.server().with_cluster(|cluster| cluster.counters());
    tell(format_args!(
        "took {}, {} in {} of {}",
        counted(seen.requests, "request"),
        counted(seen.records, "record"),
        batches(seen.batches),
        bytes(seen.bytes),
    ));
    if seen.duplicates > 0 {
        tell(format_args!("acknowledged {} again as duplicates", batches(seen.duplicates)));
    }
    if seen.rejected > 0 {
        tell(format_args!("refused {}", batches(seen.rejected)));
    }
    Ok(())
}

fn batches(count: u64) -> String {
    if count == 1 { "1 batch".to_owned() } else { format!("{} batches", grouped(count)) }
}

/// A port for each broker, from the first one on; none if they shall be free ones.
fn ports(first: Option<u16>, brokers: u16) -> Result<Vec<u16>, Failure> {
    let Some(first) = first else { return Ok(Vec::new()) };
    match first.checked_add(brokers - 1) {
        Some(last) => Ok((first..=last).collect()),
        None => Err(Failure::new(format_args!(
            "there are not {brokers} ports from {first} on: the last one is 65535"
        ))),
    }
}
