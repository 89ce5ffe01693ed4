//! Flushing and closing.

use std::time::Duration;

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;
use kafka_protocol::messages::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse};

use super::{MS, answer, one_partition, produce, refuse_by_hand, refused, warmed_up};
use crate::sender::{Command, CommandId, Event, FlushReport};
use crate::sim::{Settings, Simulation};

/// Flushes until that time has passed.
fn flush_for(simulation: &mut Simulation, time: Duration) -> CommandId {
    let id = CommandId(1000 + simulation.actions);
    let deadline = Some(simulation.now + time);
    let event = Event::Command(Command::Flush { id, deadline });
    simulation.sender.handle_event(simulation.now, event);
    id
}

/// What a flush told, once it is done.
fn report(simulation: &mut Simulation, id: CommandId) -> FlushReport {
    loop {
        simulation.drain();
        match simulation.reports.get(&id) {
            Some(report) => return report.clone(),
            None => simulation.step(),
        }
    }
}

fn counts(report: &FlushReport) -> (u64, u64, u64) {
    (report.delivered, report.failed, report.unfinished)
}

fn send(simulation: &mut Simulation, records: usize) {
    (0..records).for_each(|_| simulation.send("orders", 0, 100));
}

#[test]
fn a_flush_tells_how_many_of_its_records_failed_and_why_the_first_did() {
    let mut simulation = warmed_up(Settings { linger: MS * 1000, ..one_partition() });
    let errors = [ErrorCode::TOPIC_AUTHORIZATION_FAILED, ErrorCode::INVALID_RECORD];
    for error in errors {
        simulation.cluster.add_fault(produce(FaultAction::Error(error)));
    }
    for _ in 0..3 {
        send(&mut simulation, 4);
        // A batch of its own.
        simulation.run_for(MS * 1100);
    }
    let id = simulation.flush();
    assert_eq!(counts(&report(&mut simulation, id)), (0, 0, 0), "all had their outcome before");

    let error = FaultAction::Error(ErrorCode::INVALID_RECORD);
    simulation.cluster.add_fault(produce(error));
    send(&mut simulation, 4);
    let id = simulation.flush();
    let report = report(&mut simulation, id);
    assert_eq!(counts(&report), (0, 4, 0));
    assert_eq!(report.first.unwrap().error_code(), Some(ErrorCode::INVALID_RECORD));
    assert_eq!(simulation.finish().failures().len(), 12);
}

#[test]
fn a_deadline_ends_the_wait_of_a_flush_and_its_records_go_on() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 500)));
    send(&mut simulation, 3);
    let begin = simulation.now;
    let id = flush_for(&mut simulation, MS * 100);
    let early = report(&mut simulation, id);
    assert_eq!((counts(&early), simulation.now - begin), ((0, 0, 3), MS * 100));
    let id = flush_for(&mut simulation, MS * 1000);
    assert_eq!(counts(&report(&mut simulation, id)), (3, 0, 0));
    assert!(simulation.now - begin < MS * 600, "{:?}", simulation.now - begin);
    assert_eq!(simulation.finish().successes(), 4);
}

#[test]
fn a_flush_waits_for_nothing_that_is_sent_after_it() {
    let mut simulation = warmed_up(Settings { linger: MS * 1000, ..one_partition() });
    send(&mut simulation, 2);
    let id = simulation.flush();
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 500)).skip(1));
    send(&mut simulation, 5);
    assert_eq!(counts(&report(&mut simulation, id)), (2, 0, 0));
    assert_eq!(simulation.ledger.unsettled(), 5);
    assert_eq!(simulation.finish().successes(), 8);
}

#[test]
fn each_of_several_flushes_tells_of_the_records_before_it() {
    let mut simulation = warmed_up(Settings { linger: MS * 1000, ..one_partition() });
    let error = FaultAction::Error(ErrorCode::INVALID_RECORD);
    simulation.cluster.add_fault(produce(error).skip(1));
    send(&mut simulation, 2);
    let first = simulation.flush();
    send(&mut simulation, 3);
    let second = simulation.flush();
    let third = flush_for(&mut simulation, Duration::ZERO);
    assert_eq!(counts(&report(&mut simulation, third)), (0, 0, 5));
    assert_eq!(counts(&report(&mut simulation, first)), (2, 0, 0));
    assert_eq!(counts(&report(&mut simulation, second)), (2, 3, 0));
    assert_eq!(simulation.finish().successes(), 3);
}

#[test]
fn records_of_a_batch_that_is_split_are_counted_once() {
    let mut settings = Settings { batch_size: 4000, ..one_partition() };
    settings.cluster = settings.cluster.message_max_bytes(900);
    let mut simulation = warmed_up(settings);
    send(&mut simulation, 20);
    simulation.send("orders", 0, 2000);
    let id = simulation.flush();
    assert_eq!(counts(&report(&mut simulation, id)), (20, 1, 0));
    assert_eq!(simulation.finish().successes(), 21);
}

#[test]
fn a_record_that_fails_for_a_reason_of_its_own_is_counted_once_and_is_the_first() {
    let mut simulation = warmed_up(one_partition());
    refuse_by_hand(&mut simulation);
    send(&mut simulation, 3);
    let id = simulation.flush();
    simulation.run_for(MS * 20);
    let own = BatchIndexAndErrorMessage {
        batch_index: 1,
        batch_index_error_message: Some("a bad one".into()),
        ..Default::default()
    };
    let refusal = refused(ErrorCode::INVALID_RECORD);
    let refusal = PartitionProduceResponse { record_errors: vec![own], ..refusal };
    answer(&mut simulation, &refusal);
    let report = report(&mut simulation, id);
    assert_eq!(counts(&report), (0, 3, 0));
    let first = report.first.unwrap().to_string();
    assert!(first.contains("a bad one"), "{first}");
    let sensors = simulation.sender.sensors();
    let metrics = sensors.snapshot(simulation.now, simulation.accumulator.budget());
    assert_eq!(metrics.value("producer-metrics", "record-error-total"), Some(3.0));
}

#[test]
fn records_that_expire_while_a_flush_waits_have_failed() {
    let settings = Settings { delivery_timeout: Duration::from_secs(40), ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.cluster.add_fault(produce(FaultAction::Swallow).always());
    send(&mut simulation, 2);
    let id = simulation.flush();
    assert_eq!(counts(&report(&mut simulation, id)), (0, 2, 0));
}

#[test]
fn a_flush_is_done_when_all_before_it_have_their_outcome() {
    let settings = Settings { linger: Duration::from_secs(10), ..one_partition() };
    let mut simulation = Simulation::new(settings);
    for _ in 0..5 {
        simulation.send("orders", 0, 100);
    }
    let id = CommandId(7);
    let event = Event::Command(Command::Flush { id, deadline: None });
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 100);
    simulation.ledger.collect();
    assert_eq!((simulation.done.as_slice(), simulation.ledger.unsettled()), (&[id][..], 0));
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

#[test]
fn a_closed_sender_asks_for_nothing_more() {
    let mut simulation = warmed_up(one_partition());
    let close = || Event::Command(Command::Close { deadline: None });
    simulation.sender.handle_event(simulation.now, close());
    simulation.drain();
    assert!(simulation.sender.is_closed());
    // What was on its way when it ended, and long after its metadata was to be fetched again.
    simulation.now += Duration::from_secs(600);
    let late = Command::WantTopic("bills".into());
    for event in [Event::RecordsReady, Event::Command(late), close()] {
        simulation.sender.handle_event(simulation.now, event);
    }
    simulation.sender.handle_timeout(simulation.now);
    let action = simulation.sender.poll_action(simulation.now);
    assert!(action.is_none(), "{action:?}");
    assert_eq!(simulation.sender.poll_timeout(), None);
}

#[test]
fn a_sender_that_gave_up_what_was_not_written_holds_nothing_of_it() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    let deadline = Some(simulation.now + MS);
    simulation.sender.handle_event(simulation.now, Event::Command(Command::Close { deadline }));
    simulation.run_for(MS);
    assert!(simulation.sender.is_closed());
    assert_eq!(simulation.sender.leftovers(), Vec::<String>::new());
}

/// Flushes with short timeouts in a loop, while no broker answers.
#[test]
fn a_flush_that_nobody_waits_for_any_more_is_not_kept() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.add_fault(produce(FaultAction::Swallow));
    send(&mut simulation, 1);
    for number in 0..100 {
        let id = CommandId(number);
        for command in [Command::Flush { id, deadline: None }, Command::Forget(id)] {
            simulation.sender.handle_event(simulation.now, Event::Command(command));
        }
        simulation.run_for(MS);
    }
    let kept = simulation.sender.leftovers();
    assert!(!kept.iter().any(|what| what.contains("flushes")), "{kept:?}");
    assert_eq!(simulation.finish().successes(), 2);
}
