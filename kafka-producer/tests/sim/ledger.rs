//! What was promised for each record.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::time::Instant;

use kafka_mock::MockCluster;

use crate::delivery::Delivery;
use crate::sim::reach::Reached;
use crate::{ProduceError, RecordMetadata};

/// Every record that was accepted, by its number: the first eight bytes of its value.
#[derive(Default)]
pub(super) struct Ledger {
    next: u64,
    /// Without an outcome, and when it was accepted.
    waiting: BTreeMap<u64, (Instant, Delivery)>,
    pub(super) settled: BTreeMap<u64, Settled>,
    /// Settled since they were last told.
    news: Vec<u64>,
    /// Logs of topics that were deleted or created again.
    pub(super) archived: Vec<Log>,
    /// Records that were uncertain when their broker forgot what it knew of the producer.
    pub(super) excused: BTreeSet<u64>,
    /// Hash of everything that the sender did.
    pub(super) trace: u64,
    pub(super) reached: Reached,
}

/// A record and its outcome. Kept whole: it must not become another one.
pub(super) struct Settled {
    pub(super) delivery: Delivery,
    pub(super) outcome: Result<RecordMetadata, ProduceError>,
}

/// Values of one partition, by offset.
pub(super) struct Log {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) values: BTreeMap<i64, Vec<u8>>,
}

impl Ledger {
    /// The value of the next record.
    pub(super) fn next_value(&self, size: usize) -> Vec<u8> {
        let mut value = self.next.to_be_bytes().to_vec();
        value.resize(size.max(8), 0x61 + (self.next % 26) as u8);
        value
    }

    /// It was accepted.
    pub(super) fn accept(&mut self, now: Instant, delivery: Delivery) {
        self.waiting.insert(self.next, (now, delivery));
        self.next += 1;
    }

    /// Where the last one that was accepted goes to.
    pub(super) fn last_partition(&self) -> i32 {
        self.waiting.last_key_value().expect("a record that waits").1.1.partition()
    }

    pub(super) fn collect(&mut self) {
        let done = self.waiting.iter().filter(|(_, (_, delivery))| delivery.is_done());
        let numbers: Vec<_> = done.map(|(number, _)| *number).collect();
        for number in numbers {
            let Some((_, delivery)) = self.waiting.remove(&number) else { continue };
            let Some(outcome) = delivery.try_result() else { continue };
            self.settled.insert(number, Settled { delivery, outcome });
            self.news.push(number);
        }
    }

    /// What was settled since the last call, in words: records in a row that share their fate share a
    /// line.
    pub(super) fn take_news(&mut self) -> Vec<String> {
        let mut lines: Vec<(String, u64, u64)> = Vec::new();
        for number in mem::take(&mut self.news) {
            let Settled { delivery, outcome } = &self.settled[&number];
            let place = format!("{}-{}", delivery.topic(), delivery.partition());
            let fate = match outcome {
                Ok(_) => format!("written to {place}"),
                Err(error) => error.to_string(),
            };
            match lines.last_mut() {
                Some((before, _, last)) if *before == fate && *last + 1 == number => *last = number,
                _ => lines.push((fate, number, number)),
            }
        }
        let line = |(fate, first, last): (String, u64, u64)| {
            if first == last {
                format!("record {first}: {fate}")
            } else {
                format!("records {first}..{last}: {fate}")
            }
        };
        lines.into_iter().map(line).collect()
    }

    pub(super) fn is_settled(&mut self) -> bool {
        self.collect();
        self.waiting.is_empty()
    }

    pub(super) fn unsettled(&self) -> usize {
        self.waiting.len()
    }

    /// How many were accepted so far.
    pub(super) fn accepted(&self) -> u64 {
        self.next
    }

    pub(super) fn first_unsettled(&mut self) -> Option<u64> {
        self.collect();
        self.waiting.first_key_value().map(|(number, _)| *number)
    }

    /// The record that has waited longest for its outcome, and since when.
    pub(super) fn oldest_unsettled(&mut self) -> Option<(u64, Instant)> {
        self.collect();
        self.waiting.first_key_value().map(|(number, (since, _))| (*number, *since))
    }

    pub(super) fn archive(&mut self, cluster: &MockCluster, topic: &str) {
        self.archived.extend(logs_of(cluster, topic));
    }

    /// A broker forgot the producer: of these records it cannot tell whether it has them.
    pub(super) fn excuse(&mut self, is_uncertain: impl Fn(u64, &Delivery) -> bool) {
        let uncertain = self.waiting.iter().filter(|(number, (_, d))| is_uncertain(**number, d));
        self.excused.extend(uncertain.map(|(number, _)| *number));
    }

    pub(super) fn successes(&self) -> usize {
        self.settled.values().filter(|settled| settled.outcome.is_ok()).count()
    }

    /// Successes whose offset is not known.
    pub(super) fn without_offset(&self) -> usize {
        let successes = self.settled.values().filter_map(|settled| settled.outcome.as_ref().ok());
        successes.filter(|metadata| metadata.offset.is_none()).count()
    }

    pub(super) fn failures(&self) -> Vec<&ProduceError> {
        self.settled.values().filter_map(|settled| settled.outcome.as_ref().err()).collect()
    }
}

/// The logs of a topic's partitions.
pub(super) fn logs_of(cluster: &MockCluster, topic: &str) -> Vec<Log> {
    let count = i32::try_from(cluster.partition_count(topic).unwrap_or(0)).unwrap();
    let log = |partition| {
        let records = cluster.records(topic, partition).unwrap();
        let value = |value: Option<bytes::Bytes>| value.map_or(Vec::new(), |value| value.to_vec());
        let values = records.into_iter().map(|record| (record.offset, value(record.value)));
        Log { topic: topic.to_owned(), partition, values: values.collect() }
    };
    (0..count).map(log).collect()
}

/// The number of the record that has this value.
pub(super) fn number_of(value: &[u8]) -> u64 {
    u64::from_be_bytes(*value.first_chunk::<8>().unwrap())
}
