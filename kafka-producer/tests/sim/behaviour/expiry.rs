//! `delivery.timeout.ms` counts from the first record of a batch, wherever the batch is.

use std::time::{Duration, Instant};

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;

use super::{MS, one_partition, produce, warmed_up};
use crate::sender::{Event, Timer};
use crate::sim::{Settings, Simulation};

const TIMEOUT: Duration = Duration::from_secs(10);

fn two_partitions() -> Settings {
    let mut settings = Settings { delivery_timeout: TIMEOUT, ..one_partition() };
    settings.cluster = settings.cluster.default_partitions(2);
    settings
}

/// A simulation whose brokers are all gone.
fn cut_off(settings: Settings) -> Simulation {
    let mut simulation = warmed_up(settings);
    simulation.network.down = simulation.cluster.brokers();
    for broker in simulation.cluster.brokers() {
        simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
    }
    simulation.run_for(MS * 10);
    simulation
}

/// When so many records are left without an outcome.
fn time_of(simulation: &mut Simulation, left: usize) -> Instant {
    while simulation.ledger.unsettled() > left {
        simulation.step();
        simulation.drain();
        simulation.ledger.collect();
    }
    simulation.now
}

#[test]
fn a_record_that_cannot_be_sent_expires_at_the_delivery_timeout_of_its_batch() {
    let mut simulation = cut_off(two_partitions());
    let first = simulation.now;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 500);
    // In the same batch: it has less time.
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1500);
    let second = simulation.now;
    simulation.send("orders", 1, 100);
    assert_eq!(time_of(&mut simulation, 1), first + TIMEOUT);
    assert_eq!(time_of(&mut simulation, 0), second + TIMEOUT);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures().len()), (1, 3));
    assert!(ledger.failures().iter().all(|error| !error.may_have_been_written()));
}

#[test]
fn the_next_expiry_is_that_of_the_oldest_batch_wherever_it_is() {
    let mut simulation = warmed_up(two_partitions());
    simulation.cluster.add_fault(produce(FaultAction::Hold).partition(1));
    let first = simulation.now;
    simulation.send("orders", 1, 100);
    simulation.run_for(MS * 2000);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 100);
    let mut expiries = Vec::new();
    while simulation.ledger.unsettled() > 0 {
        if let Some((at, Timer::Delivery(_))) = simulation.sender.poll_timeout() {
            expiries.push(at - first);
        }
        simulation.step();
        simulation.ledger.collect();
    }
    expiries.dedup();
    assert_eq!(expiries, [TIMEOUT, TIMEOUT + MS * 2000]);
    simulation.network.release(simulation.now);
    simulation.cluster.release(simulation.now, None);
    simulation.finish();
}

#[test]
fn a_batch_that_waits_for_its_next_attempt_expires_in_time() {
    let mut simulation = warmed_up(two_partitions());
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).always());
    let begin = simulation.now;
    simulation.send("orders", 0, 100);
    let took = time_of(&mut simulation, 0) - begin;
    // Its attempts take some milliseconds: one may be answered after that.
    assert!(took >= TIMEOUT && took < TIMEOUT + MS * 10, "{took:?}");
    simulation.cluster.clear_faults();
    let ledger = simulation.finish();
    assert_eq!(ledger.failures().len(), 1);
    assert!(!ledger.failures()[0].may_have_been_written(), "{}", ledger.failures()[0]);
}

#[test]
fn a_batch_behind_one_that_is_not_answered_expires_in_its_own_time() {
    let settings = Settings { in_flight_max: 1, is_idempotent: false, ..two_partitions() };
    let mut simulation = warmed_up(settings);
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    let first = simulation.now;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 3000);
    let second = simulation.now;
    simulation.send("orders", 0, 100);
    assert_eq!(time_of(&mut simulation, 1), first + TIMEOUT);
    assert_eq!(time_of(&mut simulation, 0), second + TIMEOUT);
    simulation.cluster.release(simulation.now, None);
    let ledger = simulation.finish();
    let failures = ledger.failures();
    assert_eq!(failures.len(), 2);
    assert!(failures[0].may_have_been_written() && !failures[1].may_have_been_written());
}

/// Whoever reads the clock in several threads may be late with what it said.
#[test]
fn a_clock_that_goes_back_moves_no_expiry() {
    let mut simulation = cut_off(two_partitions());
    let first = simulation.now;
    simulation.send("orders", 0, 100);
    for second in 1..9 {
        simulation.run_for(MS * 1000);
        simulation.sender.handle_event(first - MS * 3600 * second, Event::RecordsReady);
        simulation.sender.handle_timeout(first - MS * 3600);
    }
    assert_eq!(simulation.ledger.unsettled(), 1);
    assert_eq!(time_of(&mut simulation, 0), first + TIMEOUT);
    simulation.finish();
}

/// Its bytes may be on their way to the wire yet (KAFKA-19012).
#[test]
fn the_memory_of_an_expired_batch_is_held_until_its_answer() {
    let mut simulation = warmed_up(two_partitions());
    let before = simulation.accumulator.budget().used();
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    simulation.send("orders", 0, 100);
    let held = simulation.accumulator.budget().used();
    simulation.run_for(TIMEOUT + MS * 10);
    assert!(simulation.ledger.is_settled());
    assert_eq!(simulation.accumulator.budget().used(), held);
    simulation.cluster.release(simulation.now, None);
    simulation.run_for(MS * 10);
    assert_eq!(simulation.accumulator.budget().used(), before);
    simulation.finish();
}
