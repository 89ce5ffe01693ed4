//! When a batch is sent: full, lingered, or wanted for another reason.

use std::time::Duration;

use kafka_mock::FaultAction;
use kafka_protocol::ApiKey;
use kafka_protocol::records::Compression;

use super::{MS, one_partition, produce, requests, warmed_up};
use crate::sender::Timer;
use crate::sim::{Settings, Simulation};

/// A simulation in which batches wait that long, and nothing was sent yet but one record.
fn lingering(settings: Settings, linger: Duration) -> Simulation {
    let mut simulation = warmed_up(Settings { linger, ..settings });
    simulation.cluster.clear_requests();
    simulation
}

#[test]
fn a_batch_that_is_not_full_lingers_and_no_longer() {
    let mut simulation = lingering(one_partition(), MS * 50);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 25);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 24);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 0);
    simulation.run_for(MS * 20);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 1);
    assert_eq!(simulation.finish().successes(), 3);
}

#[test]
fn a_full_batch_does_not_linger() {
    let mut simulation = lingering(one_partition(), MS * 10_000);
    for _ in 0..7 {
        simulation.send("orders", 0, 100);
    }
    simulation.run_for(MS * 50);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 0, "less than batch.size");
    for _ in 0..3 {
        simulation.send("orders", 0, 100);
    }
    simulation.run_for(MS * 50);
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 1);
    assert_eq!(simulation.finish().successes(), 11);
}

#[test]
fn a_record_above_batch_size_is_sent_at_once_whatever_the_codec() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let compression: Compression = codec.parse().unwrap();
        let settings = Settings { compression: compression.into(), ..one_partition() };
        let mut simulation = lingering(settings, MS * 10_000);
        simulation.send("orders", 0, 5000);
        simulation.run_for(MS * 50);
        assert!(simulation.ledger.is_settled(), "{codec}");
        assert_eq!(simulation.finish().successes(), 2, "{codec}");
    }
}

#[test]
fn the_next_look_at_a_queue_is_when_the_first_linger_is_over() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.default_partitions(2);
    let mut simulation = lingering(settings, MS * 50);
    let first = simulation.now;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 20);
    simulation.send("orders", 1, 100);
    simulation.drain();
    let next = simulation.sender.poll_timeout().unwrap();
    assert!(matches!(next, (at, Timer::Linger(_)) if at == first + MS * 50), "{next:?}");
    assert_eq!(simulation.finish().successes(), 3);
}

/// A slow broker gets few and large batches.
#[test]
fn a_batch_grows_while_its_partition_cannot_be_sent() {
    let settings = Settings { in_flight_max: 1, ..one_partition() };
    let mut simulation = lingering(settings, Duration::ZERO);
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 200)));
    for _ in 0..300 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS / 4);
    }
    simulation.settle();
    let count = requests(&simulation, ApiKey::PRODUCE);
    assert!(count <= 3, "30 times batch.size in {count} requests");
    assert_eq!(simulation.finish().successes(), 301);
}

/// Java's mute: nothing of the partition leaves before its answer.
#[test]
fn with_one_request_in_flight_a_partition_waits_for_its_answer() {
    let settings = Settings { in_flight_max: 1, is_idempotent: false, ..one_partition() };
    let mut simulation = lingering(settings, Duration::ZERO);
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    for _ in 0..100 {
        simulation.send("orders", 0, 100);
        simulation.run_for(MS);
    }
    assert_eq!(requests(&simulation, ApiKey::PRODUCE), 1);
    simulation.cluster.release(simulation.now, None);
    assert_eq!(simulation.finish().successes(), 101);
}
