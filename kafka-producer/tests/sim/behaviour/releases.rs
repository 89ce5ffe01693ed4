//! Brokers of other releases, and of several at once.

use kafka_mock::{FaultAction, KafkaVersion};

use super::{MS, one_partition, produce};
use crate::sim::Simulation;

/// Each release, and the first answer lost: what is negotiated is enough to write once and in order.
#[test]
fn every_release_from_2_1_to_4_4_is_written_to_once_and_in_order() {
    for release in KafkaVersion::ALL {
        let mut settings = one_partition();
        settings.cluster = settings.cluster.kafka_version(release);
        let mut simulation = Simulation::new(settings);
        simulation.cluster.add_fault(produce(FaultAction::CloseAfter));
        for _ in 0..20 {
            simulation.send("orders", 0, 100);
            simulation.run_for(MS * 10);
        }
        assert_eq!(simulation.finish().successes(), 20, "{release}");
    }
}

/// Brokers are shut down one after the other, lead nothing meanwhile, and come back newer.
#[test]
fn a_rolling_upgrade_loses_nothing() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.kafka_version(KafkaVersion::ALL[0]);
    let mut simulation = Simulation::new(settings);
    for release in KafkaVersion::ALL {
        for broker in simulation.cluster.brokers() {
            simulation.send("orders", 0, 100);
            simulation.run_for(MS * 20);
            simulation.cluster.elect_leaders(broker);
            simulation.network.down.push(broker);
            let (now, cluster) = (simulation.now, &mut simulation.cluster);
            simulation.network.cut(now, broker, cluster);
            simulation.send("orders", 0, 100);
            simulation.run_for(MS * 50);
            simulation.cluster.set_kafka_version(broker, release);
            simulation.network.down.clear();
        }
    }
    assert_eq!(simulation.finish().successes(), 2 * 3 * KafkaVersion::ALL.len());
}
