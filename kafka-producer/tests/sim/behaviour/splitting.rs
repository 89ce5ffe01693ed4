//! What follows from a split: its end, its parts, and what is learned.

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;
use kafka_protocol::records::Compression;

use super::{MS, one_partition, produce, warmed_up};
use crate::sim::{Settings, Simulation};

/// Batches of up to so many bytes, of which the broker takes `limit`.
fn refusing(batch_size: usize, limit: usize) -> Settings {
    let mut settings = Settings { batch_size, linger: MS * 100, ..one_partition() };
    settings.cluster = settings.cluster.message_max_bytes(limit);
    settings
}

#[test]
fn a_split_ends_with_single_records_and_each_is_refused_alone() {
    let mut simulation = Simulation::new(refusing(16 * 1024, 300));
    for _ in 0..64 {
        simulation.send("orders", 0, 400);
    }
    let ledger = simulation.finish();
    assert_eq!(ledger.failures().len(), 64);
    for error in ledger.failures() {
        assert_eq!(error.error_code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
        assert!(!error.may_have_been_written());
    }
}

#[test]
fn after_a_split_the_batches_of_the_topic_are_small_enough() {
    let mut simulation = Simulation::new(refusing(1000, 3000));
    let error = FaultAction::Delay(MS * 50);
    simulation.cluster.add_fault(produce(error).always());
    let mut refused = Vec::new();
    for _ in 0..10 {
        for _ in 0..300 {
            simulation.send("orders", 0, 100);
        }
        simulation.settle();
        refused.push(simulation.cluster.counters().rejected);
    }
    assert!(refused[0] > 0, "batches should grow while the broker is slow");
    assert_eq!(refused[4], refused[9], "{refused:?}");
    assert_eq!(simulation.finish().successes(), 3000);
}

/// The simulation holds each flush against what has an outcome when it is done.
#[test]
fn a_flush_waits_for_all_parts_of_a_split_batch() {
    let mut simulation = Simulation::new(refusing(16 * 1024, 900));
    for _ in 0..60 {
        simulation.send("orders", 0, 100);
    }
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 100)).skip(2).times(3));
    let id = simulation.flush();
    while simulation.done.is_empty() {
        simulation.step();
    }
    assert_eq!(simulation.done, [id]);
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert_eq!(simulation.finish().successes(), 60);
}

/// It compressed to a hundredth, so the parts need much more memory than it holds.
#[test]
fn a_batch_that_compressed_well_is_split_although_memory_is_full() {
    let compression: Compression = "zstd".parse().unwrap();
    let settings = Settings {
        buffer_memory: 64 * 1024,
        compression: compression.into(),
        max_request_size: 60_000,
        ..refusing(32 * 1024, 100_000)
    };
    let mut simulation = warmed_up(settings);
    let error = FaultAction::Error(ErrorCode::MESSAGE_TOO_LARGE);
    simulation.cluster.add_fault(produce(error));
    let begin = simulation.now;
    let mut count = 1;
    for _ in 0..100 {
        while simulation.try_send("orders", Some(0), 1000) {
            count += 1;
        }
        simulation.step();
    }
    simulation.settle();
    assert!(simulation.now - begin < MS * 5000, "{:?}", simulation.now - begin);
    assert_eq!(simulation.finish().successes(), count);
}
