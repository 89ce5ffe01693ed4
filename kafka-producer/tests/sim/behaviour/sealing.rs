//! Compression takes time and memory, and never all of it.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kafka_mock::{AutoCreate, MockConfig};
use kafka_protocol::records::Compression;

use super::{MS, one_partition, warmed_up};
use crate::accumulator::Attempt;
use crate::record::Record;
use crate::sender::Event;
use crate::sim::{Settings, Simulation};

fn compressed(codec: &str, settings: Settings) -> Settings {
    let compression: Compression = codec.parse().unwrap();
    Settings { compression: compression.into(), linger: Duration::ZERO, ..settings }
}

fn many_partitions() -> Settings {
    let cluster = MockConfig::new().brokers(1).default_partitions(16);
    Settings { cluster: cluster.auto_create(AutoCreate::Immediately), ..one_partition() }
}

#[test]
fn a_result_has_memory_while_the_body_is_there_and_all_comes_back() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        let mut simulation = warmed_up(compressed(codec, one_partition()));
        assert_eq!(simulation.accumulator.budget().used(), simulation.sender.reserved());
        simulation.send("orders", 0, 8000);
        simulation.drain();
        assert_eq!(simulation.sender.sealing_count(), 1);
        let held = simulation.accumulator.budget().used() - simulation.sender.reserved();
        assert!(held > 2 * 8000, "{codec}: {held} bytes for body and result");
        assert_eq!(simulation.finish().successes(), 2);
    }
}

/// So little memory that results wait for each other, and for what is taken apart.
#[test]
fn full_memory_is_emptied_although_all_of_it_is_to_be_compressed() {
    for codec in ["gzip", "snappy", "lz4", "zstd"] {
        for buffer_memory in [12_000, 20_000, 40_000] {
            let settings = Settings { buffer_memory, ..many_partitions() };
            let mut simulation = Simulation::new(compressed(codec, settings));
            let mut next = fastrand::Rng::with_seed(7);
            for number in 0..300 {
                simulation.send("orders", number % 16, next.usize(8..2500));
            }
            assert_eq!(simulation.finish().successes(), 300, "{codec}, {buffer_memory} bytes");
        }
    }
}

/// Its result would have no place: it goes as it is.
#[test]
fn a_record_that_takes_nearly_all_of_the_memory_is_sent_without_compression() {
    let settings = Settings { buffer_memory: 40_000, ..one_partition() };
    let mut simulation = warmed_up(compressed("zstd", settings));
    let before = simulation.cluster.counters().bytes;
    let budget = simulation.accumulator.budget().clone();
    let mut acquire = Box::pin(budget.acquire(36_000));
    simulation.sender.handle_event(simulation.now, Event::RecordsReady);
    simulation.run_for(MS);
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(permit)) = acquire.as_mut().poll(&mut context) else { panic!("no memory") };
    let value = simulation.ledger.next_value(34_000);
    let mut attempt = Attempt::default();
    attempt.permit = Some(permit);
    let (now, record) = (simulation.both_clocks(), Record::new("orders", &value));
    let delivery = simulation.accumulator.try_append(&now, &record, &mut attempt).unwrap();
    simulation.ledger.accept(simulation.now, delivery);
    simulation.sender.handle_event(simulation.now, Event::RecordsReady);
    simulation.settle();
    let bytes = simulation.cluster.counters().bytes - before;
    assert!(bytes > 34_000, "{bytes} bytes");
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn no_more_large_batches_are_compressed_at_once_than_there_are_threads_for() {
    let settings = Settings { buffer_memory: 1 << 22, ..many_partitions() };
    let mut simulation = Simulation::new(compressed("lz4", settings));
    let mut most = 0;
    for number in 0..160 {
        simulation.send("orders", number % 16, 6000);
        simulation.drain();
        most = most.max(simulation.sender.sealing_count());
    }
    assert_eq!(most, 2);
    assert_eq!(simulation.finish().successes(), 160);
}

/// Somebody reads it yet.
#[test]
fn a_batch_that_expires_while_it_is_compressed_keeps_its_memory_until_that_is_done() {
    let settings = Settings { delivery_timeout: MS * 200, ..one_partition() };
    let mut simulation = warmed_up(compressed("zstd", settings));
    let reserve = simulation.accumulator.budget().used();
    simulation.network.latency_max = Duration::from_secs(20);
    simulation.send("orders", 0, 8000);
    simulation.run_for(MS * 300);
    assert_eq!((simulation.ledger.unsettled(), simulation.sender.sealing_count()), (0, 1));
    assert!(simulation.accumulator.budget().used() >= reserve + 8000);
    simulation.network.latency_max = MS;
    let ledger = simulation.finish();
    assert!(!ledger.failures()[0].may_have_been_written());
}
