//! The delivery timeout of batches in every place, and answers that come after it (KIP-91, KAFKA-19012).

use std::time::Duration;

use kafka_mock::FaultAction;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{
    MS, answer, answer_by_hand, one_partition, produce, refuse_by_hand, refused, requests,
    send_alone, sequences, warmed_up, written,
};
use crate::ProduceErrorKind;
use crate::sim::{Settings, Simulation};

/// Records have two seconds.
fn hasty() -> Settings {
    Settings { delivery_timeout: MS * 2000, ..one_partition() }
}

#[test]
fn a_batch_that_backs_off_fails_when_its_time_is_over_and_says_what_went_wrong_last() {
    let mut simulation = warmed_up(hasty());
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).always());
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1999);
    assert_eq!(simulation.ledger.unsettled(), 1);
    simulation.run_for(MS * 2);
    assert_eq!(simulation.ledger.unsettled(), 0);
    simulation.cluster.clear_faults();
    let ledger = simulation.finish();
    let error = ledger.failures()[0];
    assert!(!error.may_have_been_written() && error.is_retriable() && error.attempts() >= 3);
    let text = error.to_string();
    assert!(text.contains("2000 ms") && text.contains("NOT_ENOUGH_REPLICAS"), "{text}");
}

/// The time of its parts is counted from when it was opened.
#[test]
fn the_parts_of_a_split_batch_have_no_more_time_than_the_whole() {
    let mut settings = Settings { batch_size: 4000, ..hasty() };
    settings.cluster = settings.cluster.message_max_bytes(900);
    let mut simulation = warmed_up(settings);
    simulation.cluster.add_fault(produce(FaultAction::Error(ErrorCode::MESSAGE_TOO_LARGE)));
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).always());
    for _ in 0..20 {
        simulation.send("orders", 0, 100);
    }
    simulation.run_for(MS * 1999);
    assert_eq!(simulation.ledger.unsettled(), 20);
    simulation.run_for(MS * 10);
    assert_eq!(simulation.ledger.unsettled(), 0);
    simulation.cluster.clear_faults();
    let ledger = simulation.finish();
    let mut kinds = ledger.failures().into_iter().map(crate::ProduceError::kind);
    assert!(kinds.all(|kind| matches!(kind, ProduceErrorKind::Timeout { .. })));
}

#[test]
fn a_batch_that_expires_on_the_wire_keeps_its_memory_until_its_connection_is_done_with_it() {
    let mut simulation = warmed_up(hasty());
    let idle = simulation.accumulator.budget().used();
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.run_for(MS * 2000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert!(simulation.accumulator.budget().used() > idle, "its memory is used again");
    answer(&mut simulation, &written(1));
    assert_eq!(simulation.accumulator.budget().used(), idle);
    simulation.cluster.clear_faults();
    let ledger = simulation.finish();
    assert!(ledger.failures()[0].may_have_been_written());
}

#[test]
fn the_memory_of_a_batch_that_expired_on_the_wire_comes_back_when_its_connection_ends() {
    let mut simulation = warmed_up(hasty());
    let idle = simulation.accumulator.budget().used();
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.run_for(MS * 29_000);
    assert!(simulation.accumulator.budget().used() > idle);
    simulation.cluster.clear_faults();
    simulation.run_for(MS * 2_000);
    assert_eq!(simulation.accumulator.budget().used(), idle);
    simulation.finish();
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing_and_is_not_tried_again_or_split() {
    for error in [
        ErrorCode::NOT_ENOUGH_REPLICAS,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::MESSAGE_TOO_LARGE,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ErrorCode::UNKNOWN_PRODUCER_ID,
        ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER,
    ] {
        let mut simulation = warmed_up(hasty());
        refuse_by_hand(&mut simulation);
        simulation.send("orders", 0, 100);
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 2010);
        assert_eq!(simulation.ledger.unsettled(), 0);
        let before = requests(&simulation, ApiKey::PRODUCE);
        answer(&mut simulation, &refused(error));
        simulation.run_for(MS * 5000);
        assert_eq!(requests(&simulation, ApiKey::PRODUCE), before, "{error}");
        simulation.send("orders", 0, 100);
        simulation.settle();
        let ledger = simulation.finish();
        assert_eq!((ledger.successes(), ledger.failures().len()), (2, 2), "{error}");
    }
}

#[test]
fn batches_of_several_partitions_expire_on_the_wire_together() {
    let mut settings = hasty();
    settings.cluster = settings.cluster.default_partitions(6);
    let mut simulation = warmed_up(settings);
    answer_by_hand(&mut simulation);
    for partition in 0..6 {
        simulation.send("orders", partition, 100);
    }
    simulation.run_for(MS * 2020);
    assert_eq!(simulation.ledger.unsettled(), 0);
    simulation.cluster.clear_faults();
    let ledger = simulation.finish();
    assert_eq!(ledger.failures().len(), 6);
    assert!(ledger.failures().iter().all(|error| error.may_have_been_written()));
}

/// `max.in.flight.requests.per.connection=1`, without idempotence.
#[test]
fn in_order_the_second_batch_waits_for_the_answer_to_the_first_even_if_that_has_expired() {
    let settings = Settings { in_flight_max: 1, is_idempotent: false, ..hasty() };
    let mut simulation = warmed_up(settings);
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.run_for(MS * 1900);
    simulation.cluster.clear_faults();
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    assert_eq!((simulation.ledger.unsettled(), requests(&simulation, ApiKey::PRODUCE)), (1, 2));
    answer(&mut simulation, &written(1));
    simulation.run_for(MS * 100);
    assert_eq!((simulation.ledger.unsettled(), requests(&simulation, ApiKey::PRODUCE)), (0, 3));
    simulation.finish();
}

/// A new leader does not answer for the old one.
#[test]
fn in_order_the_second_batch_is_not_sent_to_a_new_leader_before_the_first_is_answered() {
    let settings = Settings { in_flight_max: 1, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let other = simulation.cluster.brokers().into_iter().find(|b| *b != leader).unwrap();
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.cluster.clear_faults();
    simulation.cluster.move_leader("orders", 0, Some(other));
    simulation.cluster.clear_requests();
    let event = crate::sender::Command::WantTopic("orders".into());
    simulation.sender.handle_event(simulation.now, crate::sender::Event::Command(event));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    assert_eq!(simulation.sender.known_leader("orders", 0), Some(other.0));
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 0);
    answer(&mut simulation, &written(1));
    simulation.run_for(MS * 100);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 1);
    assert_eq!(simulation.finish().successes(), 3);
}

#[test]
fn times_that_never_end_do_not_overflow() {
    let ages = Duration::from_secs(u64::MAX / 4);
    let settings =
        Settings { delivery_timeout: ages, request_timeout: ages, linger: MS, ..one_partition() };
    let mut simulation = Simulation::new(settings);
    for _ in 0..10 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 50);
    }
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert_eq!(sequences(&simulation, 0).len(), 10);
}
