//! Where keyless records go while brokers come and go (KIP-794, KIP-1123).

use std::time::Duration;

use kafka_mock::{AutoCreate, BrokerId, FaultAction, MockConfig};
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

use super::{MS, produce};
use crate::cluster::TopicState;
use crate::sender::AvailabilityConfig;
use crate::sim::network::port_of;
use crate::sim::{Settings, Simulation};

/// Two brokers, each of which leads two of four partitions.
fn two_brokers(timeout: Option<Duration>) -> Settings {
    let cluster = MockConfig::new().brokers(2).default_partitions(4);
    Settings {
        availability: AvailabilityConfig { timeout, rack: None },
        linger: Duration::ZERO,
        delivery_timeout: Duration::from_secs(3600),
        buffer_memory: 1 << 24,
        cluster: cluster.auto_create(AutoCreate::Immediately),
        ..Settings::default()
    }
}

/// Sends keyless records for 300 ms, and tells how many of them went to partitions of each broker.
fn spread(simulation: &mut Simulation) -> [usize; 2] {
    let mut counts = [0; 2];
    for _ in 0..300 {
        while !simulation.try_send("orders", None, 100) {
            simulation.step();
        }
        let partition = simulation.ledger.last_partition();
        let leader = simulation.cluster.leader("orders", partition).unwrap();
        counts[usize::try_from(leader.0).unwrap() - 1] += 1;
        simulation.run_for(MS);
    }
    counts
}

fn cut_off(simulation: &mut Simulation, broker: BrokerId) {
    simulation.network.down = vec![broker];
    simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
}

#[test]
fn a_partition_whose_leader_takes_nothing_is_left_out_until_it_does() {
    for is_gone in [true, false] {
        let mut simulation = Simulation::new(two_brokers(Some(MS * 60)));
        assert!(spread(&mut simulation).iter().all(|count| *count > 60));
        let hold = match is_gone {
            true => {
                cut_off(&mut simulation, BrokerId(2));
                None
            }
            false => {
                let hold = produce(FaultAction::Hold).broker(BrokerId(2)).always();
                Some(simulation.cluster.add_fault(hold))
            }
        };
        spread(&mut simulation);
        let [first, second] = spread(&mut simulation);
        assert_eq!((first, second), (300, 0), "gone: {is_gone}");
        simulation.network.down.clear();
        if let Some(hold) = hold {
            simulation.cluster.remove_fault(hold);
            simulation.cluster.release(simulation.now, None);
        }
        simulation.run_for(MS * 3000);
        let counts = spread(&mut simulation);
        assert!(counts.iter().all(|count| *count > 60), "gone: {is_gone}: {counts:?}");
        simulation.finish();
    }
}

#[test]
fn no_partition_is_left_out_without_a_timeout_or_where_all_would_be() {
    let mut simulation = Simulation::new(two_brokers(None));
    spread(&mut simulation);
    cut_off(&mut simulation, BrokerId(2));
    spread(&mut simulation);
    let [_, second] = spread(&mut simulation);
    assert!(second > 0, "it takes part, as much as its queue allows");

    let mut simulation = Simulation::new(two_brokers(Some(MS * 60)));
    spread(&mut simulation);
    cut_off(&mut simulation, BrokerId(2));
    cut_off(&mut simulation, BrokerId(1));
    simulation.network.down = simulation.cluster.brokers();
    spread(&mut simulation);
    let counts = spread(&mut simulation);
    assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
}

/// Leaders of four partitions, in three racks.
fn racks(leaders: [i32; 4]) -> MetadataResponse {
    let broker = |(id, rack): (i32, &str)| MetadataResponseBroker {
        node_id: id,
        host: "127.0.0.1".into(),
        port: port_of(BrokerId(id)).into(),
        rack: Some(rack.into()),
        ..Default::default()
    };
    let partition = |(index, leader): (usize, &i32)| MetadataResponsePartition {
        partition_index: i32::try_from(index).unwrap(),
        leader_id: *leader,
        ..Default::default()
    };
    MetadataResponse {
        brokers: [(1, "a"), (2, "b"), (3, "b")].map(broker).to_vec(),
        topics: vec![MetadataResponseTopic {
            name: Some("orders".into()),
            partitions: leaders.iter().enumerate().map(partition).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[test]
fn keyless_records_stay_in_the_clients_rack_if_a_leader_is_there() {
    for (rack, leaders, expected) in [
        (Some("b"), [1, 2, 3, 1], vec![1, 2]),
        (Some("b"), [1, -1, 3, 2], vec![2, 3]),
        (Some("b"), [1, -1, 1, 1], vec![0, 2, 3]),
        (Some("c"), [1, 2, 3, 1], vec![0, 1, 2, 3]),
        (None, [1, 2, 3, 1], vec![0, 1, 2, 3]),
        (Some("b"), [-1; 4], vec![]),
    ] {
        let rack = rack.map(str::to_owned);
        let availability = AvailabilityConfig { rack, ..AvailabilityConfig::default() };
        let mut simulation = Simulation::new(Settings { availability, ..two_brokers(None) });
        simulation.try_send("orders", None, 100);
        simulation.sender.hear_metadata(simulation.now, &racks(leaders));
        let cluster = simulation.accumulator.cluster();
        let Some(TopicState::Known(topic)) = cluster.topic("orders") else { panic!() };
        assert_eq!(topic.preferred, expected, "{leaders:?}");
    }
}
