//! Back to the bootstrap servers (KIP-899, KIP-1102, KIP-1242), and names that do not resolve (KIP-909).

use std::time::Duration;

use kafka_mock::{FaultAction, FaultRule};
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata::MetadataResponseBroker;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{MS, answer_by_hand, one_partition, requests, send_alone, warmed_up};
use crate::sender::{Command, Event};
use crate::sim::network::port_of;
use crate::sim::{Settings, Simulation};

const REBOOTSTRAP: FaultAction = FaultAction::Error(ErrorCode::REBOOTSTRAP_REQUIRED);

fn want_metadata(simulation: &mut Simulation) {
    let event = Event::Command(Command::WantTopic("orders".into()));
    simulation.sender.handle_event(simulation.now, event);
}

/// Whether the producer knows the bootstrap servers alone, at some time within this one.
fn begins_anew_within(simulation: &mut Simulation, time: Duration) -> bool {
    let until = simulation.now + time;
    while simulation.now < until {
        simulation.step();
        if simulation.sender.is_bootstrapping() {
            return true;
        }
    }
    false
}

#[test]
fn a_broker_that_is_not_the_expected_one_leads_back_to_the_bootstrap_servers() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    simulation
        .cluster
        .add_fault(FaultRule::new(REBOOTSTRAP).api(ApiKey::API_VERSIONS).broker(leader));
    simulation.network.cut(simulation.now, leader, &mut simulation.cluster);
    simulation.send("orders", 0, 100);
    assert!(begins_anew_within(&mut simulation, MS * 1000));
    assert_eq!(simulation.finish().successes(), 2);
}

/// What a broker answers to Metadata that has no use for its clients.
fn send_away(simulation: &mut Simulation) {
    let error_code = ErrorCode::REBOOTSTRAP_REQUIRED;
    let answer = MetadataResponse { error_code, ..Default::default() };
    simulation.sender.hear_metadata(simulation.now, &answer);
}

#[test]
fn a_rebootstrap_that_a_broker_asks_for_ends_every_connection_and_what_is_in_flight_is_sent_again()
{
    let mut simulation = warmed_up(one_partition());
    answer_by_hand(&mut simulation);
    send_alone(&mut simulation, 0);
    simulation.cluster.clear_faults();
    send_away(&mut simulation);
    assert!(begins_anew_within(&mut simulation, MS * 10));
    simulation.run_for(MS * 1000);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 3);
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn a_broker_that_is_never_the_expected_one_is_not_asked_without_a_pause() {
    let mut simulation = warmed_up(one_partition());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let rule = FaultRule::new(REBOOTSTRAP).api(ApiKey::API_VERSIONS).broker(leader).always();
    simulation.cluster.add_fault(rule);
    simulation.network.cut(simulation.now, leader, &mut simulation.cluster);
    simulation.send("orders", 0, 100);
    let before = simulation.network.attempts;
    simulation.run_for(MS * 10_000);
    let attempts = simulation.network.attempts - before;
    assert!((5..150).contains(&attempts), "{attempts} attempts in ten seconds");
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 2);
}

/// `metadata.recovery.strategy=none`.
#[test]
fn without_recovery_a_rebootstrap_that_is_asked_for_is_a_failed_fetch_and_no_more() {
    let mut simulation = warmed_up(Settings { rebootstrap_after: None, ..one_partition() });
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    simulation
        .cluster
        .add_fault(FaultRule::new(REBOOTSTRAP).api(ApiKey::API_VERSIONS).broker(leader));
    send_away(&mut simulation);
    simulation.network.cut(simulation.now, leader, &mut simulation.cluster);
    simulation.send("orders", 0, 100);
    assert!(!begins_anew_within(&mut simulation, MS * 2000));
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn when_no_broker_can_be_reached_the_bootstrap_servers_are_asked_again() {
    let mut simulation = warmed_up(one_partition());
    simulation.network.down = simulation.cluster.brokers();
    for broker in simulation.cluster.brokers() {
        simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
    }
    simulation.send("orders", 0, 100);
    assert!(begins_anew_within(&mut simulation, MS * 5000));
    simulation.network.down.clear();
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn metadata_that_is_wanted_in_vain_for_the_trigger_time_leads_back_to_the_bootstrap_servers() {
    let settings = Settings { rebootstrap_after: Some(MS * 100_000), ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation
        .cluster
        .add_fault(FaultRule::new(FaultAction::Swallow).api(ApiKey::METADATA).always());
    want_metadata(&mut simulation);
    assert!(!begins_anew_within(&mut simulation, MS * 99_000));
    assert!(begins_anew_within(&mut simulation, MS * 40_000));
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 1);
}

/// Kafka refuses a node id without a cluster id.
#[test]
fn a_broker_of_a_cluster_without_id_is_not_told_who_it_should_be() {
    let mut simulation = warmed_up(one_partition());
    let brokers = simulation.cluster.brokers().into_iter().map(|broker| MetadataResponseBroker {
        node_id: broker.0,
        host: "127.0.0.1".into(),
        port: port_of(broker).into(),
        ..Default::default()
    });
    let answer = MetadataResponse { brokers: brokers.collect(), ..Default::default() };
    simulation.sender.hear_metadata(simulation.now, &answer);
    simulation
        .cluster
        .add_fault(FaultRule::new(FaultAction::Swallow).api(ApiKey::METADATA).always());
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    simulation.network.cut(simulation.now, leader, &mut simulation.cluster);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    assert_eq!(simulation.ledger.unsettled(), 0);
}

#[test]
fn bootstrap_names_that_do_not_resolve_for_a_while_are_looked_up_until_they_do() {
    let mut simulation =
        Simulation::new(Settings { bootstrap_host: "localhost", ..one_partition() });
    simulation.network.has_names = false;
    simulation.try_send("orders", Some(0), 100);
    simulation.run_for(MS * 10_000);
    let lookups = simulation.network.lookups;
    assert!((10..60).contains(&lookups), "{lookups} look-ups in ten seconds");
    simulation.network.has_names = true;
    simulation.send("orders", 0, 100);
    assert_eq!(simulation.finish().successes(), 1);
}
