//! Sequences when batches fail: which partition goes on under another epoch, and when (KIP-360).

use std::time::Duration;

use kafka_mock::{FaultAction, FaultRule};
use kafka_protocol::messages::produce::PartitionProduceResponse;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{
    MS, answer, answer_by_hand, one_partition, produce, refuse_by_hand, refused, requests,
    send_alone, sequences, warmed_up, written,
};
use crate::sender::{Command, Event};
use crate::sim::{Settings, Simulation};

fn hasty() -> Settings {
    Settings { delivery_timeout: MS * 2000, ..one_partition() }
}

/// Two partitions of one broker, each with a record.
fn two_partitions() -> Simulation {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.brokers(1).default_partitions(2);
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 1, 100);
    simulation.settle();
    simulation
}

/// Sends that many batches, which are not written and not answered.
fn send_refused(simulation: &mut Simulation, count: usize) {
    for _ in 0..count {
        refuse_by_hand(simulation);
    }
    for _ in 0..count {
        send_alone(simulation, 0);
    }
}

#[test]
fn batches_in_flight_have_sequences_one_behind_the_other() {
    let mut simulation = warmed_up(one_partition());
    answer_by_hand(&mut simulation);
    for _ in 0..5 {
        send_alone(&mut simulation, 0);
    }
    assert_eq!(simulation.sender.partition_in_flight_max(), 5);
    for offset in 1..6 {
        answer(&mut simulation, &written(offset));
    }
    assert_eq!(sequences(&simulation, 0), [0, 1, 2, 3, 4, 5].map(|sequence| (0, sequence)));
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 6);
}

#[test]
fn batches_that_fail_together_are_sent_again_one_at_a_time_and_in_order() {
    let mut simulation = warmed_up(one_partition());
    send_refused(&mut simulation, 4);
    for _ in 0..4 {
        answer(&mut simulation, &refused(ErrorCode::REQUEST_TIMED_OUT));
    }
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 50)).times(4));
    while !simulation.ledger.is_settled() {
        simulation.step();
        assert!(simulation.sender.partition_in_flight_max() <= 1);
    }
    assert_eq!(sequences(&simulation, 0), [0, 1, 2, 3, 4].map(|sequence| (0, sequence)));
    assert_eq!(simulation.finish().successes(), 5);
}

#[test]
fn behind_a_batch_that_fails_for_good_the_next_one_begins_at_zero_under_another_epoch() {
    let mut simulation = warmed_up(one_partition());
    send_refused(&mut simulation, 2);
    answer(&mut simulation, &refused(ErrorCode::INVALID_RECORD));
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0)]);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures().len()), (2, 1));
}

#[test]
fn a_sequence_that_the_broker_misses_before_the_oldest_batch_means_another_epoch() {
    for in_flight in [1, 2, 5] {
        let mut simulation = warmed_up(one_partition());
        send_refused(&mut simulation, in_flight);
        for _ in 0..in_flight {
            answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
        }
        simulation.settle();
        let expected = (0..i32::try_from(in_flight).unwrap()).map(|sequence| (1, sequence));
        let expected: Vec<_> = [(0, 0)].into_iter().chain(expected).collect();
        assert_eq!(sequences(&simulation, 0), expected);
        assert_eq!(simulation.finish().successes(), in_flight + 1);
    }
}

/// The epoch is asked for by the first; the second fails otherwise while it is still in flight.
#[test]
fn the_next_epoch_is_taken_even_if_what_is_still_in_flight_fails_otherwise() {
    let mut simulation = warmed_up(one_partition());
    send_refused(&mut simulation, 3);
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    answer(&mut simulation, &refused(ErrorCode::INVALID_RECORD));
    answer(&mut simulation, &refused(ErrorCode::REQUEST_TIMED_OUT));
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0), (1, 1)]);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures().len()), (3, 1));
}

#[test]
fn out_of_order_behind_a_batch_that_will_be_sent_again_is_no_gap() {
    let mut simulation = warmed_up(one_partition());
    send_refused(&mut simulation, 2);
    answer(&mut simulation, &refused(ErrorCode::NOT_ENOUGH_REPLICAS));
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(simulation.finish().successes(), 3);
}

/// The first was written, and its answer says otherwise.
#[test]
fn a_batch_is_acknowledged_before_the_one_in_front_of_it() {
    let mut simulation = warmed_up(one_partition());
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    send_alone(&mut simulation, 0);
    answer(&mut simulation, &refused(ErrorCode::REQUEST_TIMED_OUT));
    answer(&mut simulation, &written(2));
    simulation.cluster.clear_faults();
    simulation.settle();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (0, 1), (0, 2), (0, 3)]);
    assert_eq!(simulation.finish().successes(), 4);
}

#[test]
fn a_batch_that_never_had_a_sequence_and_expires_needs_no_other_epoch() {
    let mut simulation = warmed_up(hasty());
    let leader = simulation.cluster.leader("orders", 0);
    simulation.cluster.move_leader("orders", 0, None);
    let event = Event::Command(Command::WantTopic("orders".into()));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 500);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 3000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    simulation.cluster.move_leader("orders", 0, leader);
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (0, 1)]);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures()[0].attempts()), (2, 0));
}

/// What is behind it was written, so it was written as well.
#[test]
fn a_batch_that_expired_leaves_no_gap_if_the_one_behind_it_is_acknowledged() {
    let mut simulation = warmed_up(hasty());
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.run_for(MS * 1500);
    send_alone(&mut simulation, 0);
    simulation.run_for(MS * 470);
    assert_eq!(simulation.ledger.unsettled(), 1);
    answer(&mut simulation, &refused(ErrorCode::REQUEST_TIMED_OUT));
    answer(&mut simulation, &written(2));
    simulation.cluster.clear_faults();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (0, 1), (0, 2), (0, 3)]);
    let ledger = simulation.finish();
    assert!(ledger.failures()[0].may_have_been_written());
}

#[test]
fn a_batch_that_expired_leaves_a_gap_if_the_one_behind_it_fails() {
    let mut simulation = warmed_up(hasty());
    send_refused(&mut simulation, 1);
    simulation.run_for(MS * 1500);
    send_refused(&mut simulation, 1);
    simulation.run_for(MS * 470);
    assert_eq!(simulation.ledger.unsettled(), 1);
    answer(&mut simulation, &refused(ErrorCode::REQUEST_TIMED_OUT));
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0)]);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures().len()), (2, 1));
}

#[test]
fn after_all_batches_on_the_wire_have_expired_the_next_one_has_another_epoch() {
    let mut simulation = warmed_up(hasty());
    send_refused(&mut simulation, 3);
    simulation.run_for(MS * 2000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    for _ in 0..3 {
        answer(&mut simulation, &refused(ErrorCode::REQUEST_TIMED_OUT));
    }
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 0).last(), Some(&(1, 0)));
    assert_eq!(simulation.finish().failures().len(), 3);
}

/// They finish under the epoch that they have, and change when they are idle (librdkafka#4953).
#[test]
fn the_gap_of_one_partition_disturbs_no_other() {
    let mut simulation = two_partitions();
    // One batch of partition 1 on the wire, refused in a way that is tried again.
    refuse_by_hand(&mut simulation);
    send_alone(&mut simulation, 1);
    send_refused(&mut simulation, 1);
    answer(&mut simulation, &refused(ErrorCode::NOT_ENOUGH_REPLICAS));
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0)]);
    assert_eq!(sequences(&simulation, 1), [(0, 0), (0, 1)]);
    simulation.send("orders", 1, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 1), [(0, 0), (0, 1), (1, 0)]);
    assert_eq!(simulation.finish().successes(), 5);
}

#[test]
fn new_batches_wait_until_those_of_the_epoch_before_are_answered() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.brokers(2).default_partitions(2);
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 1, 100);
    simulation.settle();
    let leaders = [0, 1].map(|partition| simulation.cluster.leader("orders", partition));
    assert_ne!(leaders[0], leaders[1]);
    // One of partition 1 is on the wire while partition 0 gets its new epoch.
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 1);
    simulation.cluster.clear_faults();
    send_refused(&mut simulation, 1);
    let out_of_order = refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    simulation.answer_produce(Some(0), &out_of_order, Vec::new(), 0);
    simulation.run_for(MS * 200);
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0)]);
    simulation.send("orders", 1, 100);
    simulation.run_for(MS * 500);
    assert_eq!(sequences(&simulation, 1), [(0, 0), (0, 1)]);
    simulation.answer_produce(Some(1), &written(1), Vec::new(), 0);
    simulation.settle();
    assert_eq!(sequences(&simulation, 1), [(0, 0), (0, 1), (1, 0)]);
    assert_eq!(simulation.finish().successes(), 5);
}

#[test]
fn a_duplicate_is_a_success_whose_offset_nobody_knows() {
    let mut simulation = warmed_up(one_partition());
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    answer(&mut simulation, &refused(ErrorCode::DUPLICATE_SEQUENCE_NUMBER));
    simulation.cluster.clear_faults();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (0, 1), (0, 2)]);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.without_offset()), (3, 1));
}

#[test]
fn an_unknown_producer_id_is_plainly_tried_again_if_the_start_of_the_log_is_not_told() {
    let mut simulation = warmed_up(one_partition());
    send_refused(&mut simulation, 1);
    answer(&mut simulation, &refused(ErrorCode::UNKNOWN_PRODUCER_ID));
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (0, 1)]);
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn an_unknown_producer_id_means_another_epoch_once_and_those_behind_follow_in_it() {
    let mut simulation = warmed_up(one_partition());
    send_refused(&mut simulation, 3);
    for _ in 0..3 {
        let unknown = refused(ErrorCode::UNKNOWN_PRODUCER_ID);
        let unknown = PartitionProduceResponse { log_start_offset: 10, ..unknown };
        answer(&mut simulation, &unknown);
    }
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(simulation.finish().successes(), 4);
}

/// The last epoch is used up, and another id is not to be had yet.
fn without_producer_id() -> Simulation {
    let mut simulation = warmed_up(one_partition());
    simulation.sender.set_epoch(i16::MAX - 1);
    simulation.send("orders", 0, 100);
    simulation.settle();
    let busy = FaultAction::Error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS);
    simulation.cluster.add_fault(FaultRule::new(busy).api(ApiKey::INIT_PRODUCER_ID).times(5));
    send_refused(&mut simulation, 2);
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    simulation.run_for(MS * 500);
    assert_eq!(simulation.ledger.unsettled(), 2);
    simulation
}

#[test]
fn after_the_last_epoch_batches_are_sent_again_under_another_producer_id() {
    let mut simulation = without_producer_id();
    simulation.settle();
    let records = simulation.cluster.records("orders", 0).unwrap();
    let ids: std::collections::BTreeSet<_> = records.iter().map(|r| r.producer_id).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(simulation.finish().successes(), 4);
}

#[test]
fn closing_waits_for_another_producer_id_if_there_is_time() {
    let ledger = without_producer_id().close(Duration::from_secs(60));
    assert_eq!(ledger.successes(), 4);
}

#[test]
fn closing_at_once_does_not_wait_for_another_producer_id() {
    let ledger = without_producer_id().close(Duration::ZERO);
    assert_eq!((ledger.successes(), ledger.failures().len()), (2, 2));
    assert!(ledger.failures().iter().all(|error| !error.may_have_been_written()));
}

#[test]
fn while_another_producer_id_is_asked_for_other_partitions_keep_theirs() {
    let mut simulation = two_partitions();
    simulation.sender.set_epoch(i16::MAX - 1);
    for partition in 0..2 {
        simulation.send("orders", partition, 100);
    }
    simulation.settle();
    refuse_by_hand(&mut simulation);
    send_alone(&mut simulation, 1);
    send_refused(&mut simulation, 1);
    answer(&mut simulation, &refused(ErrorCode::NOT_ENOUGH_REPLICAS));
    answer(&mut simulation, &refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
    simulation.settle();
    let of = |partition| {
        let records = simulation.cluster.records("orders", partition).unwrap();
        records.iter().map(|record| record.producer_id).collect::<Vec<_>>()
    };
    let (first, second) = (of(0), of(1));
    assert_ne!(first[2], first[1]);
    assert_eq!(second[2], second[1], "it was sent under the old one");
    assert_eq!(simulation.finish().successes(), 6);
}

/// Nothing about it needs another producer.
#[test]
fn no_permission_to_write_idempotently_fails_its_batch_and_is_not_fatal() {
    let mut simulation = warmed_up(one_partition());
    let error = FaultAction::Error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    simulation.cluster.add_fault(produce(error));
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(sequences(&simulation, 0), [(0, 0), (1, 0)]);
    let ledger = simulation.finish();
    assert!(ledger.failures()[0].to_string().contains("not authorized for idempotent writes"));
}

#[test]
fn no_permission_for_a_producer_id_fails_what_waits_and_a_later_permission_is_found() {
    let mut simulation = Simulation::new(one_partition());
    let error = FaultAction::Error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    simulation.cluster.add_fault(FaultRule::new(error).api(ApiKey::INIT_PRODUCER_ID));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    let ledger = simulation.finish();
    assert_eq!((ledger.successes(), ledger.failures().len()), (1, 1));
    assert!(!ledger.failures()[0].may_have_been_written());
}

/// One request in flight, which metadata and the handshake need as well.
#[test]
fn a_producer_id_is_found_with_one_request_in_flight_and_brokers_that_come_up_late() {
    let mut simulation = Simulation::new(Settings { in_flight_max: 1, ..one_partition() });
    simulation.network.down = simulation.cluster.brokers();
    simulation.try_send("orders", Some(0), 100);
    simulation.run_for(MS * 5000);
    simulation.network.down.clear();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(requests(&simulation, ApiKey::INIT_PRODUCER_ID), 1);
    assert_eq!(simulation.finish().successes(), 1);
}
