//! Leaders that move, and answers that lie about them.

use kafka_mock::FaultAction;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{MS, one_partition, produce, requests, warmed_up};
use crate::sim::Simulation;

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
