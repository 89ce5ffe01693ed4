//! Topics that grow, go, or are created again (KIP-516).

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use super::{MS, one_partition, warmed_up};
use crate::sim::Simulation;
use crate::sim::network::port_of;

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

/// An answer about the first partition of a topic, without the other one.
fn one_of_two(leader: kafka_mock::BrokerId) -> MetadataResponse {
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: leader.0,
            host: "127.0.0.1".into(),
            port: port_of(leader).into(),
            ..Default::default()
        }],
        topics: vec![MetadataResponseTopic {
            name: Some("orders".into()),
            partitions: vec![MetadataResponsePartition {
                leader_id: leader.0,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// An old answer of a broker that lags behind: partitions never go while the topic lives.
#[test]
fn fewer_partitions_of_the_same_topic_are_old_news() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.default_partitions(2);
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 1, 100);
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let mut answer = one_of_two(leader);
    answer.topics[0].topic_id = simulation.cluster.topic_id("orders").unwrap();
    simulation.sender.hear_metadata(simulation.now, &answer);
    assert_eq!(simulation.finish().successes(), 2);
}

/// An answer without topic ids names one partition less, and the next one has it again.
#[test]
fn a_partition_that_was_gone_and_is_back_loses_no_record() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.default_partitions(2);
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 1, 100);
    simulation.settle();
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let mut answer = one_of_two(leader);
    answer.topics[0].topic_id = kafka_protocol::Uuid::ZERO;
    simulation.sender.hear_metadata(simulation.now, &answer);
    simulation.run_for(MS * 10);
    // The partition is missed, and asked for.
    simulation.send("orders", 1, 100);
    assert_eq!(simulation.finish().successes(), 3);
}

/// What it had in the log was written under sequences that are forgotten as well.
#[test]
fn a_topic_that_nobody_sends_to_is_forgotten_and_found_again() {
    let mut simulation = warmed_up(one_partition());
    assert!(simulation.accumulator.cluster().topic("orders").is_some());
    for _ in 0..4 {
        simulation.send("others", 0, 100);
        simulation.run_for(MS * 200_000);
    }
    assert!(simulation.accumulator.cluster().topic("orders").is_none());
    assert!(simulation.accumulator.cluster().topic("others").is_some());
    simulation.send("orders", 0, 100);
    assert_eq!(simulation.finish().successes(), 6);
}

/// Its leader says first that it does not know the topic any more.
#[test]
fn what_the_old_topic_refused_goes_to_the_new_one() {
    let mut simulation = warmed_up(one_partition());
    simulation.archive("orders");
    simulation.cluster.recreate_topic("orders").unwrap();
    for _ in 0..30 {
        simulation.send("orders", 0, 100);
    }
    assert_eq!(simulation.finish().successes(), 31);
}
