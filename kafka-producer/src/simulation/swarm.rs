//! Everything at once: faults, settings and load drawn from a seed.

use std::time::Duration;

use fastrand::Rng;
use kafka_mock::{AutoCreate, FaultAction, FaultRule, MockConfig};
use kafka_protocol::records::Compression;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{Settings, Simulation};

/// A run that is made of its seed alone.
fn run(seed: u64) -> (usize, usize) {
    let mut rng = Rng::with_seed(seed);
    let settings = settings(seed, &mut rng);
    let mut simulation = Simulation::new(settings);
    simulation.network.latency_max = Duration::from_micros(rng.u64(300..20_000));
    let (partitions, hardship) = (rng.i32(1..4), rng.u32(0..30));
    for _ in 0..rng.usize(50..400) {
        let (partition, size) = (rng.i32(0..partitions), rng.usize(8..600));
        simulation.send("orders", partition, size);
        if rng.u32(0..100) < hardship {
            trouble(&mut simulation, &mut rng, partitions);
        }
        if rng.u32(0..100) < 60 {
            simulation.run_for(Duration::from_micros(rng.u64(0..8_000)));
        }
    }
    heal(&mut simulation);
    let ledger = simulation.finish();
    (ledger.successes(), ledger.failures().len())
}

fn settings(seed: u64, rng: &mut Rng) -> Settings {
    let is_idempotent = rng.u32(0..4) > 0;
    let codec = Compression::from_id(rng.u8(0..5)).unwrap();
    let cluster = MockConfig::new().brokers(rng.u16(1..4)).default_partitions(4);
    let in_flight_max = if rng.bool() { 5 } else { rng.usize(1..6) };
    Settings {
        seed,
        acks: if is_idempotent { -1 } else { rng.i16(-1..2) },
        is_idempotent,
        in_flight_max,
        linger: Duration::from_millis(rng.u64(0..20)),
        delivery_timeout: Duration::from_secs(rng.u64(40..120)),
        batch_size: rng.usize(1..3000),
        compression: codec.into(),
        cluster: cluster
            .message_max_bytes(rng.usize(1500..10_000))
            .auto_create(AutoCreate::Immediately)
            .seed(seed),
        ..Settings::default()
    }
}

fn trouble(simulation: &mut Simulation, rng: &mut Rng, partitions: i32) {
    let brokers = simulation.cluster.brokers();
    let broker = brokers[rng.usize(..brokers.len())];
    let produce = |action| FaultRule::new(action).api(ApiKey::PRODUCE);
    let error = ERRORS[rng.usize(..ERRORS.len())];
    let rule = match rng.u32(0..9) {
        0 => produce(FaultAction::CloseAfter),
        1 => produce(FaultAction::CloseBefore),
        2 => produce(FaultAction::Error(error)).times(rng.u32(1..4)),
        3 => produce(FaultAction::ErrorAfterApply(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND)),
        4 => produce(FaultAction::Delay(Duration::from_millis(rng.u64(1..3000)))),
        5 => produce(FaultAction::Swallow),
        6 => FaultRule::new(FaultAction::CloseAfter),
        7 => {
            let partition = rng.i32(0..partitions);
            simulation.cluster.move_leader("orders", partition, Some(broker));
            return;
        }
        _ => return simulation.network.cut(simulation.now, broker, &mut simulation.cluster),
    };
    simulation.cluster.add_fault(rule);
}

fn heal(simulation: &mut Simulation) {
    simulation.cluster.clear_faults();
    simulation.network.down.clear();
}

const ERRORS: [ErrorCode; 7] = [
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    ErrorCode::CORRUPT_MESSAGE,
    ErrorCode::INVALID_RECORD,
];

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_reordered() {
    let (mut written, mut failed) = (0, 0);
    let (first, count) = (seed_from("SWARM_SEED", 1), seed_from("SWARM_RUNS", 150));
    for seed in first..first + count {
        let (w, f) = run(seed);
        (written, failed) = (written + w, failed + f);
    }
    println!("{count} runs from seed {first:#x}: {written} records written, {failed} failed");
    assert!(written > 0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(run(42), run(42));
}

fn seed_from(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    let parse = |text: String| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    value.and_then(parse).unwrap_or(default)
}
