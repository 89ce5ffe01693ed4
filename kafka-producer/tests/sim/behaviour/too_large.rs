//! Batches and records that a broker finds too large (KIP-126).

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;

use super::{MS, one_partition, produce};
use crate::sim::{Settings, Simulation};

#[test]
fn a_batch_that_is_too_large_is_split_and_keeps_its_order() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.message_max_bytes(900);
    settings.batch_size = 4000;
    for compression in ["none", "lz4"] {
        let compression: kafka_protocol::records::Compression = compression.parse().unwrap();
        let settings = Settings { compression: compression.into(), ..settings.clone() };
        let mut simulation = Simulation::new(settings);
        for _ in 0..200 {
            simulation.send("orders", 0, 100);
        }
        assert_eq!(simulation.finish().successes(), 200, "{compression}");
    }
}

#[test]
fn a_record_that_is_too_large_for_the_broker_fails_alone() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.message_max_bytes(900);
    let mut simulation = Simulation::new(settings);
    for number in 0..100 {
        simulation.send("orders", 0, if number == 50 { 2000 } else { 100 });
    }
    let ledger = simulation.finish();
    assert_eq!(ledger.successes(), 99);
    let error = ledger.failures()[0];
    assert_eq!(error.error_code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
}

/// So many parts, each with its own overhead, that the memory for splitting cannot hold them.
#[test]
fn a_batch_of_many_small_records_is_split_in_halves_if_need_be() {
    let mut settings = Settings { batch_size: 1, in_flight_max: 1, ..one_partition() };
    settings.cluster = settings.cluster.message_max_bytes(8000);
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 8);
    simulation.settle();
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 500)));
    for _ in 0..2000 {
        simulation.send("orders", 0, 8);
    }
    assert_eq!(simulation.finish().successes(), 2001);
}
