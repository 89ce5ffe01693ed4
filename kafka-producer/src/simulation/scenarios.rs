//! One behaviour a test, told by its name.

use std::time::Duration;

use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig};
use kafka_protocol::{ApiKey, ErrorCode};

use super::{Command, Event, Settings, Simulation};
use crate::ProduceErrorKind;

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn produce(action: FaultAction) -> FaultRule {
    FaultRule::new(action).api(ApiKey::PRODUCE)
}

pub(super) fn one_partition() -> Settings {
    let cluster = MockConfig::new().brokers(3).default_partitions(1);
    Settings { cluster: cluster.auto_create(AutoCreate::Immediately), ..Settings::default() }
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
fn a_moved_leader_is_found_and_order_is_kept() {
    let mut simulation = Simulation::new(one_partition());
    for round in 0..400 {
        simulation.send("orders", 0, 100);
        if round % 50 == 20 {
            let brokers = simulation.cluster.brokers();
            let to = brokers[round / 50 % brokers.len()];
            simulation.cluster.move_leader("orders", 0, Some(to));
        }
        simulation.run_for(MS);
    }
    assert_eq!(simulation.finish().successes(), 400);
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

#[test]
fn a_batch_that_is_too_large_is_split_and_keeps_its_order() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.message_max_bytes(900);
    settings.batch_size = 4000;
    for compression in ["none", "lz4"] {
        let compression: kafka_protocol::records::Compression = compression.parse().unwrap();
        let settings = Settings { compression: compression.into(), ..settings.clone() };
        let mut simulation = Simulation::new(settings);
        for _ in 0..200 {
            simulation.send("orders", 0, 100);
        }
        assert_eq!(simulation.finish().successes(), 200, "{compression}");
    }
}

#[test]
fn a_record_that_is_too_large_for_the_broker_fails_alone() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.message_max_bytes(900);
    let mut simulation = Simulation::new(settings);
    for number in 0..100 {
        simulation.send("orders", 0, if number == 50 { 2000 } else { 100 });
    }
    let ledger = simulation.finish();
    assert_eq!(ledger.successes(), 99);
    let error = ledger.failures()[0];
    assert_eq!(error.error_code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
}

#[test]
fn without_a_broker_records_fail_in_time_and_say_that_they_were_not_sent() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    simulation.network.down = simulation.cluster.brokers();
    for broker in simulation.cluster.brokers() {
        simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
    }
    simulation.run_for(MS * 100);
    simulation.send("orders", 0, 100);
    let ledger = simulation.finish();
    let error = ledger.failures()[0];
    assert!(!error.may_have_been_written());
    assert!(matches!(error.kind(), ProduceErrorKind::Timeout { .. }));
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:900"), "{text}");
    assert!(text.contains("connection refused"), "{text}");
    assert!(text.contains("it was not sent"), "{text}");
}

#[test]
fn an_in_flight_record_that_times_out_may_have_been_written() {
    let settings = Settings {
        delivery_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(30),
        ..one_partition()
    };
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    simulation.cluster.add_fault(produce(FaultAction::Swallow));
    simulation.send("orders", 0, 100);
    simulation.run_for(Duration::from_secs(21));
    simulation.send("orders", 0, 100);
    let ledger = simulation.finish();
    assert_eq!(ledger.successes() + ledger.failures().len(), 3);
    assert!(ledger.failures()[0].may_have_been_written());
}

#[test]
fn a_recreated_topic_gets_what_was_never_sent() {
    let mut simulation = Simulation::new(one_partition());
    for _ in 0..20 {
        simulation.send("orders", 0, 100);
    }
    simulation.run_for(MS * 200);
    let sent = simulation.ledger.unsettled();
    assert_eq!(sent, 0);
    simulation.cluster.recreate_topic("orders").unwrap();
    let before: Vec<_> = (0..20).collect();
    for _ in before {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    for _ in 0..100_000 {
        if simulation.ledger.is_settled() {
            break;
        }
        simulation.step();
    }
    let log = simulation.cluster.records("orders", 0).unwrap();
    assert!(!log.is_empty() && log.len() <= 20);
}

#[test]
fn acks_zero_completes_when_written_and_has_no_offset() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = Simulation::new(settings);
    for _ in 0..100 {
        simulation.send("orders", 0, 100);
    }
    let ledger = simulation.finish();
    assert_eq!(ledger.successes(), 100);
}

#[test]
fn a_flush_is_done_when_all_before_it_have_their_outcome() {
    let settings = Settings { linger: Duration::from_secs(10), ..one_partition() };
    let mut simulation = Simulation::new(settings);
    for _ in 0..5 {
        simulation.send("orders", 0, 100);
    }
    let id = crate::sender::CommandId(7);
    let event = Event::Command(Command::Flush(id));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 100);
    simulation.ledger.collect();
    assert_eq!((simulation.done.as_slice(), simulation.ledger.unsettled()), (&[id][..], 0));
}

#[test]
fn memory_that_is_full_empties_lingering_batches() {
    let settings = Settings {
        linger: Duration::from_secs(60),
        buffer_memory: 16 * 1024,
        max_request_size: 2048,
        batch_size: 1024 * 1024,
        ..one_partition()
    };
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    while simulation.try_send("orders", Some(0), 100) {}
    let budget = simulation.accumulator.budget().clone();
    let mut acquire = Box::pin(budget.acquire(4096));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(acquire.as_mut().poll(&mut context).is_pending());
    simulation.sender.handle_event(simulation.now, Event::RecordsReady);
    simulation.run_for(MS * 4);
    let mut is_granted = false;
    for _ in 0..100 {
        is_granted |= acquire.as_mut().poll(&mut context).is_ready();
        if is_granted {
            break;
        }
        simulation.step();
    }
    assert!(is_granted && simulation.now - simulation.start < Duration::from_secs(10));
}

/// So many parts, each with its own overhead, that the memory for splitting cannot hold them.
#[test]
fn a_batch_of_many_small_records_is_split_in_halves_if_need_be() {
    let mut settings = Settings { batch_size: 1, in_flight_max: 1, ..one_partition() };
    settings.cluster = settings.cluster.message_max_bytes(8000);
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 8);
    simulation.settle();
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 500)));
    for _ in 0..2000 {
        simulation.send("orders", 0, 8);
    }
    assert_eq!(simulation.finish().successes(), 2001);
}

/// A future that nobody polls must not keep what was granted to it, however much else happens.
#[test]
fn a_grant_that_nobody_takes_goes_to_the_next_while_the_sender_is_busy() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.settle();
    let budget = simulation.accumulator.budget().clone();
    let all = budget.try_acquire(budget.total() - budget.used()).unwrap();
    let _abandoned = budget.acquire(100_000);
    drop(all);
    assert!(budget.has_grants());
    for _ in 0..20 {
        simulation.sender.handle_event(simulation.now, Event::RecordsReady);
        simulation.run_for(MS);
    }
    assert!(!budget.has_grants());
}

#[test]
fn what_was_written_before_the_time_to_close_in_was_over_is_not_given_up() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation.send("orders", 0, 100);
    let written = loop {
        simulation.drain();
        simulation.now = simulation.network.next_at().unwrap_or(simulation.now + MS);
        if simulation.now - simulation.start > MS * 1000 {
            panic!("never answered");
        }
        simulation.cluster.handle_timeout(simulation.now);
        let events = simulation.network.deliver(simulation.now, &mut simulation.cluster);
        let is_answer = events.iter().any(|event| matches!(event, Event::Frame { .. }));
        for event in events {
            simulation.sender.handle_event(simulation.now, event);
        }
        simulation.sender.handle_timeout(simulation.now);
        if is_answer {
            break simulation.now;
        }
    };
    let close = Command::Close { deadline: Some(written) };
    simulation.sender.handle_event(written, Event::Command(close));
    simulation.sender.handle_timeout(written);
    simulation.drain();
    assert_eq!(simulation.sender.abandoned(), 0);
}

/// Sequences wrap from the largest to 0 (2³¹ records of one partition).
#[test]
fn sequences_wrap_without_another_epoch() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.settle();
    let producer_id = simulation.cluster.records("orders", 0).unwrap()[0].producer_id;
    simulation.cluster.forget_producer("orders", 0, producer_id);
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
