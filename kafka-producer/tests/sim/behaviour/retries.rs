//! What goes wrong on the way is tried again: nothing is lost, doubled or out of order.

use kafka_mock::FaultAction;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{MS, one_partition, produce, send_alone, sequences, warmed_up};
use crate::sim::Simulation;

#[test]
fn an_answer_that_never_comes_is_a_request_timeout_and_is_tried_again() {
    let mut simulation = Simulation::new(one_partition());
    simulation.cluster.add_fault(produce(FaultAction::Swallow).skip(1));
    for _ in 0..100 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    assert_eq!(simulation.finish().successes(), 100);
}

#[test]
fn every_retriable_error_is_tried_again_without_losing_order() {
    for error in [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::REQUEST_TIMED_OUT,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::KAFKA_STORAGE_ERROR,
        ErrorCode::CORRUPT_MESSAGE,
    ] {
        let mut simulation = Simulation::new(one_partition());
        simulation.cluster.add_fault(produce(FaultAction::Error(error)).skip(2).times(3));
        for _ in 0..200 {
            simulation.send("orders", 0, 100);
            simulation.run_for(MS);
        }
        assert_eq!(simulation.finish().successes(), 200, "{error}");
    }
}

#[test]
fn an_error_after_writing_does_not_double_records() {
    let mut simulation = Simulation::new(one_partition());
    let error = FaultAction::ErrorAfterApply(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    simulation.cluster.add_fault(produce(error).skip(1).times(2));
    for _ in 0..200 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    assert_eq!(simulation.finish().successes(), 200);
}

#[test]
fn a_final_error_fails_its_batch_alone_and_the_next_ones_go_on_under_another_epoch() {
    let mut simulation = Simulation::new(one_partition());
    let error = FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    simulation.cluster.add_fault(produce(error).skip(1));
    for _ in 0..200 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    let ledger = simulation.finish();
    let failures = ledger.failures();
    assert!(!failures.is_empty() && failures.len() + ledger.successes() == 200);
    assert!(failures.iter().all(|error| !error.may_have_been_written()));
}

#[test]
fn records_arrive_in_order_and_once() {
    let mut simulation = Simulation::new(one_partition());
    for _ in 0..500 {
        simulation.send("orders", 0, 100);
    }
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures().len()), (500, 0));
}

#[test]
fn a_lost_answer_does_not_double_records() {
    let mut simulation = Simulation::new(one_partition());
    simulation.cluster.add_fault(produce(FaultAction::CloseAfter).skip(1).times(3));
    for _ in 0..300 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    assert_eq!(simulation.finish().successes(), 300);
}

#[test]
fn a_backoff_holds_up_its_partition_alone() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.brokers(1).default_partitions(2);
    let mut simulation = warmed_up(settings);
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).partition(0).times(3));
    simulation.send("orders", 0, 100);
    simulation.send("orders", 1, 100);
    simulation.run_for(MS * 60);
    assert_eq!(simulation.ledger.unsettled(), 1);
    for _ in 0..5 {
        simulation.send("orders", 1, 100);
        simulation.run_for(MS * 30);
    }
    assert_eq!(simulation.ledger.unsettled(), 1, "it waits, and nobody else does");
    assert_eq!(simulation.finish().successes(), 8);
}

#[test]
fn a_backoff_doubles_with_each_attempt_up_to_its_maximum() {
    let mut simulation = warmed_up(one_partition());
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).times(8));
    simulation.cluster.clear_requests();
    simulation.send("orders", 0, 100);
    simulation.settle();
    let seen = simulation.cluster.requests().filter(|seen| seen.api == ApiKey::PRODUCE);
    let times: Vec<_> = seen.map(|seen| seen.time).collect();
    assert_eq!(times.len(), 9);
    for (retry, pair) in times.windows(2).enumerate() {
        let gap = (pair[1] - pair[0]).as_secs_f64();
        let wanted = (0.1 * 2_f64.powi(i32::try_from(retry).unwrap())).min(1.0);
        // A fifth of jitter, and the network.
        assert!(gap >= wanted * 0.8 && gap <= wanted * 1.2 + 0.01, "retry {retry}: {gap} s");
    }
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn batches_whose_connection_is_lost_are_sent_again_in_their_order() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    simulation.cluster.add_fault(produce(FaultAction::Hold).times(5));
    for _ in 0..5 {
        send_alone(&mut simulation, 0);
    }
    simulation.network.cut(simulation.now, leader, &mut simulation.cluster);
    simulation.run_for(MS * 2000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert_eq!(sequences(&simulation, 0).len(), 6);
    assert_eq!(simulation.finish().successes(), 6);
}
