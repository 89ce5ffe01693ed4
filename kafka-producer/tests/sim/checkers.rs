//! What must hold: after each step of a run, and of its logs in the end. Nothing here asks the sender for
//! its opinion.

use std::collections::{BTreeMap, BTreeSet};

use kafka_mock::MockCluster;
use kafka_protocol::ErrorCode;

use crate::delivery::Delivery;
use crate::sim::harness::Simulation;
use crate::sim::ledger::{Ledger, Log, Settled, logs_of, number_of};
use crate::sim::settings::Settings;
use crate::{ProduceError, RecordMetadata};

/// Holds what has to be true whenever the sender has nothing more to do.
pub(super) fn check_step(simulation: &mut Simulation) {
    let seed = simulation.settings.seed;
    let settings = &simulation.settings;
    let used = simulation.accumulator.budget().used();
    assert!(used <= settings.buffer_memory, "seed {seed:#x}: {used} bytes are held");
    let on_the_wire = simulation.network.wire.bytes_held();
    let held = used - simulation.sender.reserved();
    assert!(
        on_the_wire <= held,
        "seed {seed:#x}: {on_the_wire} bytes may still be read, and {held} are held"
    );
    let (now, timeout) = (simulation.now, settings.delivery_timeout);
    if let Some((number, since)) = simulation.ledger.oldest_unsettled() {
        let waited = now.saturating_duration_since(since);
        assert!(waited < timeout, "seed {seed:#x}: record {number} has waited {waited:?}");
    }
    if let Some((at, timer)) = simulation.sender.poll_timeout() {
        assert!(at > simulation.now, "seed {seed:#x}: {timer:?} is due after draining");
    }
    let in_flight = simulation.network.in_flight_max();
    // Without acks the network cannot tell what is unanswered.
    let is_within = in_flight <= settings.in_flight_max || settings.acks == 0;
    assert!(is_within, "seed {seed:#x}: {in_flight} in flight");
    let unexplained = simulation.sender.unexplained(simulation.now);
    assert!(unexplained.is_empty(), "seed {seed:#x}: nothing keeps {unexplained:?} from sending");
    let of_one = simulation.sender.partition_in_flight_max();
    let is_within = of_one <= settings.in_flight_max.min(5);
    assert!(
        is_within || !settings.is_ordered(),
        "seed {seed:#x}: {of_one} of one partition in flight"
    );
}

/// Holds every outcome against the logs.
pub(super) fn check_end(ledger: &Ledger, cluster: &MockCluster, settings: &Settings) {
    let mut logs: Vec<Log> = Vec::new();
    for topic in cluster.topics() {
        logs.extend(logs_of(cluster, topic));
    }
    let logs: Vec<_> = ledger.archived.iter().chain(&logs).collect();
    let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
    for log in &logs {
        check_order(log, ledger, settings);
        for value in log.values.values() {
            *seen.entry(number_of(value)).or_default() += 1;
        }
    }
    for (number, Settled { delivery, outcome }) in &ledger.settled {
        let times = seen.get(number).copied().unwrap_or(0);
        let place = format!("{}-{}", delivery.topic(), delivery.partition());
        let seed = settings.seed;
        let context = format!("seed {seed:#x}: {place}: record {number}, {times} times in the log");
        assert_eq!(
            delivery.try_result().map(|again| show(&again)),
            Some(show(outcome)),
            "{context}: its outcome has changed"
        );
        match outcome {
            Ok(metadata) => {
                let is_there = is_at(&logs, *number, delivery, metadata);
                assert!(is_there, "{context}: not at {metadata}");
                assert!(times >= 1 || settings.acks == 0, "{context}: lost, {metadata}");
            }
            Err(error) => {
                let is_certain = !error.may_have_been_written();
                assert!(times == 0 || !is_certain, "{context}: {error}");
                // What a broker has already is written.
                let is_there = error.error_code() == Some(ErrorCode::DUPLICATE_SEQUENCE_NUMBER);
                assert!(!is_there, "{context}: {error}");
            }
        }
        let may_be_twice = !settings.is_idempotent || ledger.excused.contains(number);
        assert!(times <= 1 || may_be_twice, "{context}: doubled");
    }
}

/// In the order of sending, per partition.
fn check_order(log: &Log, ledger: &Ledger, settings: &Settings) {
    if !settings.is_ordered() {
        return;
    }
    let mut before: BTreeSet<u64> = BTreeSet::new();
    for value in log.values.values() {
        let number = number_of(value);
        if ledger.excused.contains(&number) {
            continue;
        }
        let is_behind = before.last().is_none_or(|last| *last <= number);
        // Without idempotence a batch may come again as a whole, but nothing overtakes.
        let is_again = !settings.is_idempotent && before.contains(&number);
        assert!(
            is_behind || is_again,
            "seed {:#x}: {}-{}: record {number} is behind {:?}",
            settings.seed,
            log.topic,
            log.partition,
            before.last()
        );
        before.insert(number);
    }
}

/// An offset that was told is where the record is. There need not be one.
fn is_at(logs: &[&Log], number: u64, delivery: &Delivery, metadata: &RecordMetadata) -> bool {
    metadata.offset.is_none_or(|offset| {
        let is_place =
            |log: &&&Log| log.topic == delivery.topic() && log.partition == delivery.partition();
        let mut values = logs.iter().filter(is_place).filter_map(|log| log.values.get(&offset));
        values.any(|value| number_of(value) == number)
    })
}

fn show(outcome: &Result<RecordMetadata, ProduceError>) -> String {
    format!("{outcome:?}")
}
