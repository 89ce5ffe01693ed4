//! One behaviour a test, told by its name; one file a subject.

mod acks;
mod brokers;
mod expiry;
mod fairness;
mod flushing;
mod leaders;
mod lingering;
mod memory;
mod metrics;
mod partitioning;
mod retries;
mod sequences;
mod splitting;
mod time;
mod too_large;
mod topics;

use std::time::Duration;

use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig};
use kafka_protocol::ApiKey;

use crate::sim::{Settings, Simulation};

const MS: Duration = Duration::from_millis(1);

fn produce(action: FaultAction) -> FaultRule {
    FaultRule::new(action).api(ApiKey::PRODUCE)
}

fn one_partition() -> Settings {
    let cluster = MockConfig::new().brokers(3).default_partitions(1);
    Settings { cluster: cluster.auto_create(AutoCreate::Immediately), ..Settings::default() }
}

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
