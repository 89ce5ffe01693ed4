//! Brokers that move, vanish, lie or stall: one behaviour a test, told by its name.

use kafka_mock::FaultAction;
use kafka_protocol::{ApiKey, ErrorCode};

use super::scenarios::{MS, one_partition, produce};
use super::{Settings, Simulation};

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
