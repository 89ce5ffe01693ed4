//! Brokers that are away, busy, or cannot be talked to.

use std::time::Duration;

use kafka_mock::{FaultAction, FaultRule};
use kafka_protocol::ApiKey;

use super::{MS, one_partition, produce, warmed_up};
use crate::sim::{Settings, Simulation};

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

/// `metadata.recovery.rebootstrap.trigger.ms=0`: at once, but not before anything went wrong.
#[test]
fn without_patience_the_bootstrap_servers_are_asked_only_after_a_failure() {
    let mut settings = Settings { rebootstrap_after: Some(Duration::ZERO), ..one_partition() };
    settings.cluster = settings.cluster.brokers(1);
    let mut simulation = warmed_up(settings);
    let attempts = simulation.network.attempts;
    simulation.send("others", 0, 100);
    simulation.run_for(MS * 1000);
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
