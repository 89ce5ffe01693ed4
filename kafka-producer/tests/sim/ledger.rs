//! What was promised for each record, and whether the logs agree.

use std::collections::{BTreeMap, BTreeSet};

use kafka_mock::MockCluster;

use crate::delivery::Delivery;
use crate::sim::settings::Settings;
use crate::{ProduceError, RecordMetadata};

/// Every record that was accepted, by its number: the first eight bytes of its value.
#[derive(Default)]
pub(super) struct Ledger {
    next: u64,
    waiting: BTreeMap<u64, Delivery>,
    outcomes: BTreeMap<u64, Accepted>,
    /// Logs of topics that were deleted or created again.
    archived: Vec<(String, i32, Log)>,
    /// Hash of everything that the sender did.
    pub(super) trace: u64,
}

struct Accepted {
    topic: String,
    partition: i32,
    outcome: Result<RecordMetadata, ProduceError>,
}

impl Ledger {
    /// The value of the next record.
    pub(super) fn next_value(&self, size: usize) -> Vec<u8> {
        let mut value = self.next.to_be_bytes().to_vec();
        value.resize(size.max(8), 0x61 + (self.next % 26) as u8);
        value
    }

    /// It was accepted.
    pub(super) fn accept(&mut self, delivery: Delivery) {
        self.waiting.insert(self.next, delivery);
        self.next += 1;
    }

    /// Where the last one that was accepted goes to.
    pub(super) fn last_partition(&self) -> i32 {
        self.waiting.last_key_value().expect("a record that waits").1.partition()
    }

    pub(super) fn collect(&mut self) {
        let outcomes = &mut self.outcomes;
        self.waiting.retain(|number, delivery| match delivery.try_result() {
            None => true,
            Some(outcome) => {
                let (topic, partition) = (delivery.topic().to_owned(), delivery.partition());
                outcomes.insert(*number, Accepted { topic, partition, outcome });
                false
            }
        });
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

    pub(super) fn archive(&mut self, cluster: &MockCluster, topic: &str) {
        for partition in 0..cluster.partition_count(topic).unwrap_or(0) {
            let partition = i32::try_from(partition).unwrap();
            self.archived.push((topic.to_owned(), partition, log_of(cluster, topic, partition)));
        }
    }

    pub(super) fn successes(&self) -> usize {
        self.outcomes.values().filter(|accepted| accepted.outcome.is_ok()).count()
    }

    /// Successes whose offset is not known.
    pub(super) fn without_offset(&self) -> usize {
        let successes =
            self.outcomes.values().filter_map(|accepted| accepted.outcome.as_ref().ok());
        successes.filter(|metadata| metadata.offset.is_none()).count()
    }

    pub(super) fn failures(&self) -> Vec<&ProduceError> {
        self.outcomes.values().filter_map(|accepted| accepted.outcome.as_ref().err()).collect()
    }

    /// Holds the outcomes against the logs.
    pub(super) fn check(&self, cluster: &MockCluster, settings: &Settings) {
        let seed = settings.seed;
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        let mut logs = self.archived.clone();
        for topic in cluster.topics() {
            for partition in 0..cluster.partition_count(topic).unwrap() {
                let partition = i32::try_from(partition).unwrap();
                logs.push((topic.to_owned(), partition, log_of(cluster, topic, partition)));
            }
        }
        for (topic, partition, log) in &logs {
            self.check_order(&format!("{topic}-{partition}"), log, settings);
            for value in log.values() {
                *seen.entry(number_of(value)).or_default() += 1;
            }
        }
        for (number, accepted) in &self.outcomes {
            let times = seen.get(number).copied().unwrap_or(0);
            let (topic, partition) = (&accepted.topic, accepted.partition);
            let place = format!("{topic}-{partition}");
            let context = format!("seed {seed:#x}: {place}: record {number}, {times} times, ");
            match &accepted.outcome {
                Ok(metadata) => {
                    let is_at = |offset: i64| {
                        let mut logs = logs.iter().filter(|(topic, partition, _)| {
                            *topic == accepted.topic && *partition == accepted.partition
                        });
                        let is_it = |value: &Vec<u8>| number_of(value) == *number;
                        logs.any(|(_, _, log)| log.get(&offset).is_some_and(is_it))
                    };
                    let is_there = metadata.offset.is_none_or(is_at);
                    assert!(is_there, "{context}not at {metadata}");
                    assert!(times >= 1 || settings.acks == 0, "{context}lost, {metadata}");
                }
                Err(error) if !error.may_have_been_written() => {
                    assert_eq!(times, 0, "{context}written, but {error}");
                }
                Err(_) => {}
            }
            assert!(times <= 1 || !settings.is_idempotent, "{context}doubled");
        }
    }

    /// In the order of sending, per partition.
    fn check_order(&self, name: &str, log: &Log, settings: &Settings) {
        if !settings.is_idempotent && settings.in_flight_max > 1 {
            return;
        }
        let mut before: BTreeSet<u64> = BTreeSet::new();
        for value in log.values() {
            let number = number_of(value);
            let is_behind = before.last().is_none_or(|last| *last <= number);
            // Without idempotence a batch may come again as a whole, but nothing overtakes.
            let is_again = !settings.is_idempotent && before.contains(&number);
            assert!(
                is_behind || is_again,
                "seed {:#x}: {name}: record {number} is behind {:?}",
                settings.seed,
                before.last()
            );
            before.insert(number);
        }
    }
}

fn log_of(cluster: &MockCluster, topic: &str, partition: i32) -> Log {
    let records = cluster.records(topic, partition).unwrap();
    records
        .iter()
        .map(|record| (record.offset, record.value.as_deref().unwrap().to_vec()))
        .collect()
}

fn number_of(value: &[u8]) -> u64 {
    u64::from_be_bytes(*value.first_chunk::<8>().unwrap())
}

/// Values of one partition, by offset.
type Log = BTreeMap<i64, Vec<u8>>;
