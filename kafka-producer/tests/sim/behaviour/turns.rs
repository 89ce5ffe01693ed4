//! Partitions of one broker take turns.

use std::time::Duration;

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;

use super::{MS, one_partition, produce, refuse_by_hand, refused, send_alone, warmed_up};
use crate::sim::{Settings, Simulation};

fn one_broker() -> Settings {
    let mut settings = Settings {
        linger: Duration::ZERO,
        in_flight_max: 1,
        max_request_size: 4000,
        batch_size: 1000,
        ..one_partition()
    };
    settings.cluster = settings.cluster.brokers(1).default_partitions(4);
    settings
}

fn written_to(simulation: &Simulation, topic: &str, partition: i32) -> usize {
    simulation.cluster.records(topic, partition).unwrap_or_default().len()
}

#[test]
fn a_partition_that_does_not_fit_into_a_request_is_the_first_of_the_next_one() {
    let mut simulation = warmed_up(one_broker());
    for partition in 1..4 {
        simulation.send("orders", partition, 8);
    }
    simulation.settle();
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 100)));
    send_alone(&mut simulation, 0);
    simulation.cluster.clear_requests();
    // Each takes most of a request.
    for partition in [1, 2, 3] {
        for _ in 0..3 {
            assert!(simulation.try_send("orders", Some(partition), 900));
        }
    }
    simulation.run_for(MS * 90);
    for partition in [1, 2, 3] {
        let before: Vec<_> = (1..4).map(|p| written_to(&simulation, "orders", p)).collect();
        while written_to(&simulation, "orders", partition) == 1 {
            simulation.step();
        }
        for later in partition + 1..4 {
            assert_eq!(written_to(&simulation, "orders", later), 1, "{partition}: {before:?}");
        }
    }
    simulation.finish();
}

/// It waits for an older batch; Kafka's own client sends nothing to its broker meanwhile.
#[test]
fn a_partition_that_idempotence_blocks_does_not_end_the_drain_of_its_broker() {
    let mut settings = one_broker();
    (settings.in_flight_max, settings.batch_size) = (5, 1);
    let mut simulation = warmed_up(settings);
    simulation.send("orders", 1, 100);
    simulation.settle();
    for _ in 0..2 {
        refuse_by_hand(&mut simulation);
        send_alone(&mut simulation, 0);
    }
    // The first is sent again, and not answered: the second, and what comes later, must wait.
    super::answer(&mut simulation, &refused(ErrorCode::NOT_ENOUGH_REPLICAS));
    super::answer(&mut simulation, &refused(ErrorCode::NOT_ENOUGH_REPLICAS));
    simulation
        .cluster
        .add_fault(produce(FaultAction::Delay(MS * 900)).topic("orders").partition(0));
    for _ in 0..5 {
        assert!(simulation.try_send("orders", Some(0), 100));
        assert!(simulation.try_send("orders", Some(1), 100));
    }
    simulation.run_for(MS * 50);
    assert_eq!(written_to(&simulation, "orders", 0), 1);
    assert!(written_to(&simulation, "orders", 1) >= 2);
    assert_eq!(simulation.finish().successes(), 14);
}
