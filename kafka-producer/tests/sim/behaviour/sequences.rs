//! Producer id, epoch and sequences (KIP-98, KIP-360).

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;

use super::{MS, one_partition, produce};
use crate::sim::Simulation;

#[test]
fn a_broker_that_forgot_the_producer_is_written_to_under_another_epoch() {
    for error in [ErrorCode::UNKNOWN_PRODUCER_ID, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER] {
        let mut simulation = Simulation::new(one_partition());
        simulation.cluster.add_fault(produce(FaultAction::Error(error)).skip(3));
        for _ in 0..200 {
            simulation.send("orders", 0, 100);
            simulation.run_for(MS);
        }
        assert_eq!(simulation.finish().successes(), 200, "{error}");
    }
}

/// Sequences wrap from the largest to 0 (2³¹ records of one partition).
#[test]
fn sequences_wrap_without_another_epoch() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.settle();
    let producer_id = simulation.cluster.records("orders", 0).unwrap()[0].producer_id;
    simulation.cluster.forget_producer("orders", 0, producer_id);
    simulation.network.wire.forget_sequences();
    simulation.sender.set_next_sequence(i32::MAX - 20);
    for _ in 0..200 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    simulation.settle();
    let records = simulation.cluster.records("orders", 0).unwrap();
    assert!(records.iter().all(|record| record.producer_epoch == 0));
    assert_eq!(records.last().unwrap().sequence, 200 - 22);
    assert_eq!(simulation.finish().successes(), 201);
}

/// The last epoch of a producer id is followed by another id.
#[test]
fn when_epochs_are_used_up_another_producer_id_is_asked_for() {
    let mut simulation = Simulation::new(one_partition());
    simulation.sender.set_epoch(i16::MAX - 3);
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation.sender.set_epoch(i16::MAX - 3);
    let error = FaultAction::Error(ErrorCode::INVALID_RECORD);
    simulation.cluster.add_fault(produce(error).skip(2).times(6));
    for _ in 0..300 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    simulation.settle();
    let records = simulation.cluster.records("orders", 0).unwrap();
    let ids: std::collections::BTreeSet<_> = records.iter().map(|r| r.producer_id).collect();
    assert_eq!(ids.len(), 2);
    let ledger = simulation.finish();
    assert_eq!(ledger.successes() + ledger.failures().len(), 301);
}
