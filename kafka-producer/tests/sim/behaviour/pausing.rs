//! Why a partition sends nothing: every reason, when it is so, in the words that a person reads.

use std::time::Duration;

use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig};
use kafka_protocol::{ApiKey, ErrorCode};

use super::{MS, answer_by_hand, one_partition, produce, send_alone, warmed_up, written};
use crate::PauseReason;
use crate::sender::{Command, CommandId, Event};
use crate::sim::{Settings, Simulation};

/// Why a partition of `orders` sends nothing now.
fn why(simulation: &mut Simulation, partition: i32) -> Option<PauseReason> {
    let id = CommandId(1_000_000 + simulation.actions);
    let command = Command::WhyPaused { id, topic: "orders".into(), partition };
    simulation.sender.handle_event(simulation.now, Event::Command(command));
    simulation.drain();
    simulation.reasons[&id].clone()
}

fn reason(simulation: &mut Simulation) -> PauseReason {
    why(simulation, 0).expect("a reason")
}

/// The first reason of that kind that comes up.
fn reason_of(simulation: &mut Simulation, is_it: impl Fn(&PauseReason) -> bool) -> PauseReason {
    for _ in 0..10_000 {
        match why(simulation, 0) {
            Some(reason) if is_it(&reason) => return reason,
            _ => simulation.step(),
        }
    }
    panic!("it never came up; now it is {:?}", why(simulation, 0));
}

fn down(simulation: &mut Simulation) {
    simulation.network.down = simulation.cluster.brokers();
    for broker in simulation.cluster.brokers() {
        simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
    }
}

#[test]
fn a_partition_that_has_nothing_to_send_has_no_reason_not_to() {
    let mut simulation = warmed_up(one_partition());
    assert_eq!(why(&mut simulation, 0), None);
    // What is on its way waits for nothing.
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    send_alone(&mut simulation, 0);
    assert_eq!((why(&mut simulation, 0), simulation.ledger.unsettled()), (None, 1));
}

#[test]
fn a_topic_that_is_not_known_says_what_is_wrong_with_its_metadata() {
    let mut simulation = Simulation::new(one_partition());
    assert_eq!(reason(&mut simulation), PauseReason::UnknownTopic { cause: None });
    down(&mut simulation);
    assert!(!simulation.try_send("orders", Some(0), 100));
    let has_cause =
        |reason: &PauseReason| matches!(reason, PauseReason::UnknownTopic { cause: Some(_) });
    let text = reason_of(&mut simulation, has_cause).to_string();
    assert!(
        text.starts_with("the topic's metadata is not known yet: cannot connect to "),
        "{text}"
    );
}

#[test]
fn a_topic_has_so_many_partitions_and_no_more() {
    let mut simulation = warmed_up(one_partition());
    for partition in [1, -1] {
        let reason = why(&mut simulation, partition);
        assert_eq!(reason, Some(PauseReason::UnknownPartition { partitions: 1 }));
    }
}

#[test]
fn a_batch_lingers_for_a_time_that_is_told() {
    let mut simulation = warmed_up(Settings { linger: MS * 1000, ..one_partition() });
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 400);
    assert_eq!(reason(&mut simulation), PauseReason::Lingering { remaining: MS * 600 });
    assert_eq!(reason(&mut simulation).to_string(), "it lingers for another 600 ms");
    simulation.flush();
    simulation.drain();
    assert_eq!(why(&mut simulation, 0), None);
}

#[test]
fn a_batch_is_being_compressed() {
    let compression: kafka_protocol::records::Compression = "lz4".parse().unwrap();
    let compression = compression.into();
    let settings = Settings { compression, linger: Duration::ZERO, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 0, 100);
    assert_eq!(reason(&mut simulation), PauseReason::Compressing);
    simulation.settle();
    assert_eq!(why(&mut simulation, 0), None);
}

#[test]
fn a_partition_backs_off_after_an_error_that_is_told() {
    let mut simulation = warmed_up(one_partition());
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error));
    simulation.send("orders", 0, 100);
    let backs_off = |reason: &PauseReason| matches!(reason, PauseReason::BackingOff { .. });
    let reason = reason_of(&mut simulation, backs_off);
    let PauseReason::BackingOff { remaining, .. } = reason else { panic!("{reason}") };
    assert!(remaining > MS * 70 && remaining <= MS * 120, "{remaining:?}");
    let text = reason.to_string();
    assert!(text.contains(" answered NOT_ENOUGH_REPLICAS"), "{text}");
    simulation.run_for(remaining + MS);
    assert_eq!(why(&mut simulation, 0), None);
}

#[test]
fn a_partition_without_a_leader_says_so() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.move_leader("orders", 0, None);
    simulation.send("orders", 0, 100);
    let has_none = |reason: &PauseReason| matches!(reason, PauseReason::NoLeader { .. });
    let text = reason_of(&mut simulation, has_none).to_string();
    assert!(text.starts_with("the partition has no leader"), "{text}");
}

#[test]
fn a_leader_that_cannot_be_reached_is_named_with_the_last_error() {
    let mut simulation = warmed_up(one_partition());
    down(&mut simulation);
    simulation.run_for(MS * 200);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 20);
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let text = reason(&mut simulation).to_string();
    let start = format!("its leader, broker {}, is not connected: cannot connect to ", leader.0);
    assert!(text.starts_with(&start) && text.contains("connection refused"), "{text}");
}

#[test]
fn nothing_is_sent_before_there_is_a_producer_id() {
    let mut simulation = Simulation::new(one_partition());
    let swallow = FaultRule::new(FaultAction::Swallow).api(ApiKey::INIT_PRODUCER_ID);
    simulation.cluster.add_fault(swallow);
    simulation.send("orders", 0, 100);
    let awaits_id = |reason: &PauseReason| matches!(reason, PauseReason::NoProducerId { .. });
    assert_eq!(reason_of(&mut simulation, awaits_id).to_string(), "there is no producer id yet");
    simulation.settle();
    assert_eq!(why(&mut simulation, 0), None);
}

#[test]
fn the_second_batch_waits_until_the_first_is_acknowledged() {
    let mut simulation = Simulation::new(one_partition());
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 200);
    assert_eq!(why(&mut simulation, 0), None);
    send_alone(&mut simulation, 0);
    assert_eq!(reason(&mut simulation), PauseReason::AwaitingFirst);
}

#[test]
fn a_batch_that_is_sent_again_keeps_others_behind_it() {
    let mut simulation = warmed_up(one_partition());
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error));
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 200);
    send_alone(&mut simulation, 0);
    assert_eq!(reason(&mut simulation), PauseReason::Repeating);
}

#[test]
fn a_sequence_that_may_be_lost_has_to_be_settled_first() {
    let mut simulation = warmed_up(one_partition());
    let error = FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    simulation.cluster.add_fault(produce(error).times(1));
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    simulation.network.latency_max = Duration::ZERO;
    // Both are on their way when the first one is refused.
    for _ in 0..2 {
        assert!(simulation.try_send("orders", Some(0), 1000));
        simulation.drain();
    }
    simulation.run_for(MS * 20);
    send_alone(&mut simulation, 0);
    assert_eq!(reason(&mut simulation), PauseReason::UnresolvedSequence);
}

#[test]
fn a_partition_has_a_window_of_unanswered_batches() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.add_fault(produce(FaultAction::Hold).always());
    for _ in 0..5 {
        send_alone(&mut simulation, 0);
        assert_eq!(why(&mut simulation, 0), None);
    }
    send_alone(&mut simulation, 0);
    assert_eq!(reason(&mut simulation), PauseReason::WindowFull { in_flight: 5 });
}

#[test]
fn a_broker_has_a_window_of_unanswered_requests() {
    let cluster = MockConfig::new().brokers(1).default_partitions(6);
    let cluster = cluster.auto_create(AutoCreate::Immediately);
    let mut simulation = warmed_up(Settings { cluster, ..one_partition() });
    simulation.cluster.add_fault(produce(FaultAction::Hold).always());
    for partition in (0..6).rev() {
        assert_eq!(why(&mut simulation, partition), None);
        simulation.send("orders", partition, 100);
        simulation.run_for(MS * 20);
    }
    assert_eq!(reason(&mut simulation), PauseReason::BrokerBusy { broker: 1, in_flight: 5 });
}

#[test]
fn a_broker_that_throttles_is_named_with_the_time_that_is_left() {
    let mut simulation = warmed_up(one_partition());
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.answer_produce(None, &written(1), Vec::new(), 1000);
    simulation.cluster.clear_faults();
    let begin = simulation.now;
    send_alone(&mut simulation, 0);
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let remaining = MS * 1000 - (simulation.now - begin);
    assert_eq!(reason(&mut simulation), PauseReason::Throttled { broker: leader.0, remaining });
    assert_eq!(
        reason(&mut simulation).to_string(),
        format!("its leader, broker {}, wants no requests for another 980 ms", leader.0)
    );
    simulation.run_for(remaining + MS * 20);
    assert_eq!((why(&mut simulation, 0), simulation.ledger.unsettled()), (None, 0));
}
