//! One behaviour a test, told by its name; one file a subject.

mod acks;
mod backoff;
mod brokers;
mod errors;
mod expiry;
mod fairness;
mod flushing;
mod gaps;
mod hints;
mod late;
mod leaders;
mod lingering;
mod memory;
mod metadata;
mod metrics;
mod partitioning;
mod pausing;
mod rebootstrap;
mod releases;
mod retries;
mod sealing;
mod sequences;
mod splitting;
mod throttling;
mod time;
mod too_large;
mod topics;
mod turns;
mod versions;

use std::time::Duration;

use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig};
use kafka_protocol::messages::produce::PartitionProduceResponse;
use kafka_protocol::{ApiKey, ErrorCode};

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

/// Times at which the cluster got requests, since the simulation began.
fn times(simulation: &Simulation, api: ApiKey) -> Vec<Duration> {
    let requests = simulation.cluster.requests().filter(|request| request.api == api);
    requests.map(|request| request.time - simulation.start).collect()
}

/// The brokers that got requests, in their order.
fn asked(simulation: &Simulation, api: ApiKey) -> Vec<kafka_mock::BrokerId> {
    let requests = simulation.cluster.requests().filter(|request| request.api == api);
    requests.map(|request| request.broker).collect()
}

/// Epoch and sequence of each record of `orders`, as the log has them.
fn sequences(simulation: &Simulation, partition: i32) -> Vec<(i16, i32)> {
    let records = simulation.cluster.records("orders", partition).unwrap();
    records.iter().map(|record| (record.producer_epoch, record.sequence)).collect()
}

/// From now on the test answers Produce requests: what they carry is written.
fn answer_by_hand(simulation: &mut Simulation) {
    simulation.cluster.add_fault(produce(FaultAction::Swallow).always());
}

/// The test answers the next Produce request: what it carries is not written.
fn refuse_by_hand(simulation: &mut Simulation) {
    let refused = FaultAction::Error(ErrorCode::UNKNOWN_SERVER_ERROR);
    simulation.cluster.add_fault(produce(refused).and(FaultAction::Swallow));
}

/// Sends a record of `orders`, which is on the wire then.
fn send_alone(simulation: &mut Simulation, partition: i32) {
    simulation.send("orders", partition, 100);
    simulation.run_for(MS * 20);
}

/// Answers the oldest Produce request.
fn answer(simulation: &mut Simulation, answer: &PartitionProduceResponse) {
    simulation.answer_produce(None, answer, Vec::new(), 0);
}

fn refused(error_code: ErrorCode) -> PartitionProduceResponse {
    PartitionProduceResponse { error_code, base_offset: -1, ..Default::default() }
}

fn written(base_offset: i64) -> PartitionProduceResponse {
    PartitionProduceResponse { base_offset, log_start_offset: 0, ..Default::default() }
}
