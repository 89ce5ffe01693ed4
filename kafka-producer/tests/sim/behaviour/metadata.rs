//! What metadata says, and what of it is believed.

use kafka_mock::{BrokerId, FaultAction, FaultRule};
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::{ApiKey, Uuid, VersionRange};

use super::{MS, asked, one_partition, produce, requests, warmed_up};
use crate::sender::{Command, Event};
use crate::sim::network::port_of;
use crate::sim::{Settings, Simulation};

fn other_broker(simulation: &Simulation) -> BrokerId {
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    simulation.cluster.brokers().into_iter().find(|broker| *broker != leader).unwrap()
}

/// The epoch of the leader grows, and the producer learns it.
pub(super) fn grow_epoch(simulation: &mut Simulation) {
    let leader = simulation.cluster.leader("orders", 0);
    for _ in 0..8 {
        simulation.cluster.move_leader("orders", 0, leader);
    }
    fetch(simulation);
}

pub(super) fn fetch(simulation: &mut Simulation) {
    let event = Event::Command(Command::WantTopic("orders".into()));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 1000);
}

#[test]
fn an_older_leader_epoch_is_not_believed() {
    let mut simulation = warmed_up(one_partition());
    grow_epoch(&mut simulation);
    let other = other_broker(&simulation);
    simulation.cluster.announce_leader("orders", 0, Some((other, 1)));
    fetch(&mut simulation);
    simulation.cluster.clear_requests();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert!(!asked(&simulation, ApiKey::PRODUCE).contains(&other));
    simulation.cluster.announce_leader("orders", 0, None);
    assert_eq!(simulation.finish().successes(), 2);
}

/// Before version 9 of Metadata brokers told epochs that were not true yet (KAFKA-9212).
#[test]
fn leader_epochs_in_old_versions_of_metadata_are_not_believed() {
    for (version, is_believed) in [(7, false), (8, false), (9, true)] {
        let mut settings = one_partition();
        settings.cluster =
            settings.cluster.versions(ApiKey::METADATA, VersionRange::new(0, version));
        let mut simulation = warmed_up(settings);
        let (leader, other) =
            (simulation.cluster.leader("orders", 0).unwrap(), other_broker(&simulation));
        simulation.cluster.announce_leader("orders", 0, Some((other, 50)));
        fetch(&mut simulation);
        simulation.cluster.announce_leader("orders", 0, Some((leader, 40)));
        fetch(&mut simulation);
        simulation.cluster.clear_requests();
        simulation.cluster.add_fault(produce(FaultAction::CloseBefore));
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 50);
        let expected = if is_believed { other } else { leader };
        let first = asked(&simulation, ApiKey::PRODUCE)[0];
        assert_eq!(first, expected, "version {version}");
    }
}

#[test]
fn the_leader_epoch_of_a_topic_that_was_created_again_counts_anew() {
    let mut simulation = warmed_up(one_partition());
    grow_epoch(&mut simulation);
    simulation.archive("orders");
    simulation.cluster.recreate_topic("orders").unwrap();
    fetch(&mut simulation);
    simulation.send("orders", 0, 100);
    let before = simulation.now;
    simulation.settle();
    assert!(simulation.now - before < MS * 1000, "{:?}", simulation.now - before);
    assert_eq!(simulation.finish().successes(), 2);
}

/// However many a broker names.
#[test]
fn brokers_that_are_no_longer_in_the_metadata_are_forgotten() {
    let mut simulation = warmed_up(one_partition());
    for round in 0..100 {
        let brokers = (0..5).map(|number| MetadataResponseBroker {
            node_id: round * 5 + number,
            host: "127.0.0.1".into(),
            port: 1,
            ..Default::default()
        });
        let answer = MetadataResponse { brokers: brokers.collect(), ..Default::default() };
        simulation.sender.hear_metadata(simulation.now, &answer);
        simulation.run_for(MS);
    }
    let known = simulation.sender.broker_count();
    assert!(known <= 15, "{known} brokers");
    simulation.send("orders", 0, 100);
    assert_eq!(simulation.finish().successes(), 2);
}

/// Its leader is not among the brokers, and none of those can be asked.
#[test]
fn a_record_whose_leader_is_not_known_any_more_says_who_could_not_be_asked() {
    let settings = Settings { rebootstrap_after: None, ..one_partition() };
    let mut simulation = warmed_up(settings);
    let brokers = (0..2).map(|number| MetadataResponseBroker {
        node_id: 100 + number,
        host: "127.0.0.1".into(),
        port: 1,
        ..Default::default()
    });
    let answer = MetadataResponse { brokers: brokers.collect(), ..Default::default() };
    simulation.sender.hear_metadata(simulation.now, &answer);
    simulation.run_for(MS);
    simulation.send("orders", 0, 100);
    let ledger = simulation.finish();
    let text = ledger.failures()[0].to_string();
    assert!(text.contains("leader") && text.contains("cannot connect to 127.0.0.1:1"), "{text}");
}

/// One request in flight, and it is not answered: metadata can wait, records of others cannot.
#[test]
fn metadata_that_are_due_hold_up_no_records() {
    let mut simulation = warmed_up(one_partition());
    let swallow = FaultRule::new(FaultAction::Swallow).api(ApiKey::METADATA).always();
    simulation.cluster.add_fault(swallow);
    let event = Event::Command(Command::WantTopic("orders".into()));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 10);
    for _ in 0..10 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 100);
        assert_eq!(simulation.ledger.unsettled(), 0);
    }
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 11);
}

#[test]
fn partitions_that_are_added_are_used_and_the_others_go_on() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.add_partitions("orders", 3).unwrap();
    simulation.send("orders", 2, 100);
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert_eq!(simulation.cluster.records("orders", 2).unwrap().len(), 1);
    assert_eq!(simulation.finish().successes(), 3);
}

/// Brokers of two ages answer in turn: an id that is not told says nothing of the topic.
#[test]
fn a_topic_id_that_is_not_told_for_a_while_makes_no_other_topic() {
    let mut simulation = warmed_up(one_partition());
    grow_epoch(&mut simulation);
    let id = simulation.cluster.topic_id("orders").unwrap();
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    for topic_id in [Uuid::ZERO, id, Uuid::ZERO] {
        let answer = answer_about(&simulation, topic_id, leader, 1);
        simulation.sender.hear_metadata(simulation.now, &answer);
        simulation.send("orders", 0, 100);
        simulation.settle();
    }
    assert_eq!(simulation.cluster.records("orders", 0).unwrap().len(), 4);
    assert_eq!(simulation.finish().successes(), 4);
}

#[test]
fn without_a_topic_id_an_older_leader_epoch_is_not_believed_either() {
    let mut simulation = warmed_up(one_partition());
    grow_epoch(&mut simulation);
    let other = other_broker(&simulation);
    let answer = answer_about(&simulation, Uuid::ZERO, other, 1);
    simulation.sender.hear_metadata(simulation.now, &answer);
    simulation.cluster.clear_requests();
    simulation.send("orders", 0, 100);
    simulation.settle();
    assert!(!asked(&simulation, ApiKey::PRODUCE).contains(&other));
    assert_eq!(simulation.finish().successes(), 2);
}

/// In turn: a cluster whose brokers disagree is asked less and less often.
#[test]
fn answers_that_bring_nothing_new_are_asked_for_less_and_less_often() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.clear_requests();
    for _ in 0..1000 {
        let event = Event::Command(Command::WantTopic("orders".into()));
        simulation.sender.handle_event(simulation.now, event);
        simulation.run_for(MS * 10);
    }
    let count = requests(&simulation, ApiKey::METADATA);
    assert!((10..25).contains(&count), "{count} requests in ten seconds");
    assert_eq!(simulation.finish().successes(), 1);
}

/// An answer about the first partition of `orders`.
pub(super) fn answer_about(
    simulation: &Simulation,
    topic_id: Uuid,
    leader: BrokerId,
    leader_epoch: i32,
) -> MetadataResponse {
    let brokers = simulation.cluster.brokers().into_iter().map(|broker| MetadataResponseBroker {
        node_id: broker.0,
        host: "127.0.0.1".into(),
        port: port_of(broker).into(),
        ..Default::default()
    });
    let partition =
        MetadataResponsePartition { leader_id: leader.0, leader_epoch, ..Default::default() };
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(simulation.cluster.cluster_id().into()),
        topics: vec![MetadataResponseTopic {
            name: Some("orders".into()),
            topic_id,
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    }
}
