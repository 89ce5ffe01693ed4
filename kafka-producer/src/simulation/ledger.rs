//! What was promised for each record, and whether the logs agree.

use std::collections::{BTreeMap, BTreeSet};

use kafka_mock::MockCluster;

use crate::delivery::Delivery;
use crate::simulation::{Log, Settings};
use crate::{ProduceError, RecordMetadata};

/// Every record that was accepted, by its number: the first eight bytes of its value.
#[derive(Default)]
pub(super) struct Ledger {
    next: u64,
    waiting: BTreeMap<u64, Delivery>,
    outcomes: BTreeMap<u64, Accepted>,
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

    pub(super) fn successes(&self) -> usize {
        self.outcomes.values().filter(|accepted| accepted.outcome.is_ok()).count()
    }

    pub(super) fn failures(&self) -> Vec<&ProduceError> {
        self.outcomes.values().filter_map(|accepted| accepted.outcome.as_ref().err()).collect()
    }

    /// Holds the outcomes against the logs.
    pub(super) fn check(&self, cluster: &MockCluster, settings: &Settings) {
        let seed = settings.seed;
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        let mut logs: BTreeMap<(String, i32), Log> = BTreeMap::new();
        for topic in cluster.topics() {
            for partition in 0..cluster.partition_count(topic).unwrap() {
                let partition = i32::try_from(partition).unwrap();
                let records = cluster.records(topic, partition).unwrap();
                let log: Log = records
                    .iter()
                    .map(|record| (record.offset, record.value.as_deref().unwrap().to_vec()))
                    .collect();
                self.check_order(&log, settings);
                for value in log.values() {
                    *seen.entry(number_of(value)).or_default() += 1;
                }
                logs.insert((topic.to_owned(), partition), log);
            }
        }
        for (number, accepted) in &self.outcomes {
            let times = seen.get(number).copied().unwrap_or(0);
            let context = format!("seed {seed:#x}: record {number}, {times} times in the log, ");
            match &accepted.outcome {
                Ok(metadata) => {
                    let log = &logs[&(accepted.topic.clone(), accepted.partition)];
                    if let Some(offset) = metadata.offset {
                        let there = log.get(&offset).map(|value| number_of(value));
                        assert_eq!(there, Some(*number), "{context}not at {metadata}");
                    }
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
    fn check_order(&self, log: &Log, settings: &Settings) {
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
                "seed {:#x}: record {number} is behind {:?}",
                settings.seed,
                before.last()
            );
            before.insert(number);
        }
    }
}

fn number_of(value: &[u8]) -> u64 {
    u64::from_be_bytes(*value.first_chunk::<8>().unwrap())
}
