//! Brokers that move, vanish, lie or stall: one behaviour a test, told by its name.

use kafka_mock::{FaultAction, FaultRule};
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::{ApiKey, ErrorCode};

use super::network::port_of;
use super::scenarios::{MS, one_partition, produce};
use super::{Command, Event, Settings, Simulation};

/// Sends a record and waits until it is written.
fn warmed_up(settings: Settings) -> Simulation {
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation
}

fn requests(simulation: &Simulation, api: ApiKey) -> usize {
    simulation.cluster.requests().filter(|request| request.api == api).count()
}

/// A hint needs no backoff, once: what goes wrong at the new leader is no news of it.
#[test]
fn errors_of_a_new_leader_are_tried_again_with_a_backoff() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let other = simulation.cluster.brokers().into_iter().find(|b| *b != leader).unwrap();
    simulation.cluster.move_leader("orders", 0, Some(other));
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).broker(other).always());
    simulation.cluster.clear_requests();
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    let count = requests(&simulation, ApiKey::PRODUCE);
    assert!((3..10).contains(&count), "{count} requests in a second");
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 2);
}

/// One request in flight, and a broker that takes its time: that is no reason to begin anew.
#[test]
fn a_busy_broker_is_not_given_up_for_the_bootstrap_servers() {
    let mut settings = Settings { in_flight_max: 1, ..one_partition() };
    settings.cluster = settings.cluster.brokers(1);
    let mut simulation = warmed_up(settings);
    let attempts = simulation.network.attempts;
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 2000)));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    // Needs metadata, which nobody can be asked for yet.
    simulation.try_send("others", Some(0), 100);
    simulation.run_for(MS * 5000);
    assert_eq!(simulation.network.attempts, attempts);
    assert_eq!(simulation.finish().successes(), 2);
}

/// A cluster that sends its clients away, again and again.
#[test]
fn beginning_anew_leaves_no_connections_behind() {
    let mut simulation = warmed_up(one_partition());
    simulation
        .cluster
        .add_fault(FaultRule::new(FaultAction::Swallow).api(ApiKey::METADATA).always());
    for _ in 0..50 {
        simulation.sender.begin_anew(simulation.now);
        simulation.run_for(MS * 20);
    }
    let known = simulation.sender.broker_count();
    assert!(known <= 5, "{known} brokers");
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 1);
}

/// Its leader is one that the answer does not describe: better answers are asked for.
#[test]
fn a_leader_that_is_not_among_the_brokers_is_asked_for_again() {
    let mut simulation = warmed_up(one_partition());
    simulation.cluster.announce_leader("orders", 0, Some((kafka_mock::BrokerId(99), 7)));
    simulation.cluster.add_fault(produce(FaultAction::CloseBefore));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    simulation.cluster.announce_leader("orders", 0, None);
    let leader = simulation.cluster.leader("orders", 0);
    for _ in 0..8 {
        simulation.cluster.move_leader("orders", 0, leader);
    }
    let before = simulation.now;
    simulation.settle();
    assert!(simulation.now - before < MS * 3000, "{:?}", simulation.now - before);
    assert_eq!(simulation.finish().successes(), 2);
}

/// With `acks=0` nothing is answered, and yet it is noticed that nothing leaves.
#[test]
fn without_acks_a_connection_that_takes_nothing_is_given_up_in_time() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 29_000);
    assert_eq!(simulation.ledger.unsettled(), 1);
    simulation.network.is_stalled = false;
    simulation.run_for(MS * 3_000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn without_acks_a_topic_that_was_created_again_leaves_nothing_behind() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.run_for(MS * 50);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 1000);
    simulation.drain();
    simulation.network.is_stalled = false;
    simulation.archive("orders");
    simulation.cluster.recreate_topic("orders").unwrap();
    let event = Event::Command(Command::WantTopic("orders".into()));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 500);
    simulation.network.release(simulation.now);
    simulation.finish();
}

/// An old answer of a broker that lags behind: partitions never go while the topic lives.
#[test]
fn fewer_partitions_of_the_same_topic_are_old_news() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.default_partitions(2);
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 1, 100);
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let answer = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: leader.0,
            host: "127.0.0.1".into(),
            port: port_of(leader).into(),
            ..Default::default()
        }],
        topics: vec![MetadataResponseTopic {
            name: Some("orders".into()),
            topic_id: simulation.cluster.topic_id("orders").unwrap(),
            partitions: vec![MetadataResponsePartition {
                leader_id: leader.0,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    simulation.sender.hear_metadata(simulation.now, &answer);
    assert_eq!(simulation.finish().successes(), 2);
}

/// Each batch fails when its turn comes, and the next one's turn comes at once.
#[test]
fn a_broker_that_cannot_be_talked_to_fails_every_record_without_waiting() {
    let mut settings = Settings { linger: MS * 60_000, ..one_partition() };
    let ancient = kafka_protocol::VersionRange::new(0, 1);
    settings.cluster = settings.cluster.versions(ApiKey::PRODUCE, ancient);
    let mut simulation = Simulation::new(settings);
    for _ in 0..300 {
        simulation.send("orders", 0, 100);
    }
    simulation.flush();
    simulation.run_for(MS * 1000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    let ledger = simulation.finish();
    assert_eq!(ledger.failures().len(), 300);
    assert!(ledger.failures().iter().all(|error| !error.may_have_been_written()));
}
