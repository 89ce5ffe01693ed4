//! Nobody starves: partitions take turns, whatever waits in the others.

use std::time::Duration;

use kafka_mock::{AutoCreate, MockConfig};
use kafka_protocol::ApiKey;

use super::MS;
use crate::sim::{Settings, Simulation};

fn one_broker(partitions: u16) -> Settings {
    let cluster = MockConfig::new().brokers(1).default_partitions(partitions);
    Settings { cluster: cluster.auto_create(AutoCreate::Immediately), ..Settings::default() }
}

fn written(simulation: &Simulation, topic: &str, partition: i32) -> usize {
    simulation.cluster.records(topic, partition).map_or(0, |records| records.len())
}

#[test]
fn partitions_take_turns_in_requests_that_cannot_hold_them_all() {
    const PARTITIONS: i32 = 4;
    let settings = Settings { max_request_size: 2500, in_flight_max: 1, ..one_broker(4) };
    let mut simulation = Simulation::new(settings);
    for round in 0..1000 {
        simulation.send("orders", round % PARTITIONS, 100);
    }
    let mut spread_max = 0;
    while !simulation.ledger.is_settled() {
        simulation.step();
        let written = (0..PARTITIONS).map(|partition| written(&simulation, "orders", partition));
        let written: Vec<_> = written.collect();
        spread_max = spread_max.max(written.iter().max().unwrap() - written.iter().min().unwrap());
    }
    // Two batches of the largest size.
    assert!(spread_max <= 2 * 25, "one partition was {spread_max} records ahead of another");
    assert_eq!(simulation.finish().successes(), 1000);
}

/// Its batches are as large as a request may be, those of the other one as small as they can be.
#[test]
fn a_hot_partition_never_starves_another_one_or_another_topic() {
    let settings = Settings { max_request_size: 10_000, linger: Duration::ZERO, ..one_broker(2) };
    let mut simulation = Simulation::new(settings);
    simulation.network.latency_max = MS;
    for (topic, partition) in [("orders", 0), ("orders", 1), ("others", 0)] {
        simulation.send(topic, partition, 100);
    }
    simulation.settle();
    let mut slowest = Duration::ZERO;
    for round in 0..60 {
        for _ in 0..400 {
            simulation.try_send("orders", Some(0), 1000);
        }
        let (topic, partition) = [("orders", 1), ("others", 0)][round % 2];
        let before = written(&simulation, topic, partition);
        let begin = simulation.now;
        simulation.send(topic, partition, 10);
        while written(&simulation, topic, partition) == before {
            simulation.step();
        }
        slowest = slowest.max(simulation.now - begin);
    }
    assert!(slowest < MS * 20, "one record took {slowest:?}");
    let hot = written(&simulation, "orders", 0);
    assert!(hot > 1_000, "{hot} records of the hot partition");
    simulation.finish();
}

#[test]
fn a_request_holds_no_more_than_max_request_size() {
    let mut settings = Settings { max_request_size: 3000, ..one_broker(8) };
    // Names, ids and lengths come on top of the batches.
    settings.cluster = settings.cluster.request_max_bytes(3000 + 1000);
    let mut simulation = Simulation::new(settings);
    for round in 0..500 {
        simulation.send("orders", round % 8, 100);
    }
    assert_eq!(simulation.finish().successes(), 500);
}

#[test]
fn a_broker_that_leads_no_partition_gets_no_records() {
    let cluster = MockConfig::new().brokers(3).default_partitions(1);
    let cluster = cluster.auto_create(AutoCreate::Immediately);
    let mut simulation = Simulation::new(Settings { cluster, ..Settings::default() });
    for _ in 0..100 {
        simulation.send("orders", 0, 100);
    }
    simulation.settle();
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let produce = |seen: &&kafka_mock::RequestRecord| seen.api == ApiKey::PRODUCE;
    assert!(simulation.cluster.requests().filter(produce).all(|seen| seen.broker == leader));
    assert_eq!(simulation.finish().successes(), 100);
}
