//! How long a batch waits before it is sent again (KIP-580).

use kafka_mock::FaultAction;
use kafka_protocol::{ApiKey, ErrorCode};

use super::{MS, one_partition, produce, times, warmed_up};
use crate::sim::Settings;

#[test]
fn the_pause_before_each_attempt_doubles_with_jitter_up_to_its_maximum() {
    let mut firsts = std::collections::BTreeSet::new();
    for seed in 1..6 {
        let mut simulation = warmed_up(Settings { seed, ..one_partition() });
        let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
        simulation.cluster.add_fault(produce(error).times(7));
        simulation.cluster.clear_requests();
        simulation.send("orders", 0, 100);
        simulation.settle();
        let times = times(&simulation, ApiKey::PRODUCE);
        assert_eq!(times.len(), 8);
        let exact = [100, 200, 400, 800, 1000, 1000, 1000];
        for (pair, exact) in times.windows(2).zip(exact) {
            let pause = pair[1] - pair[0];
            // There and back takes up to 8 ms.
            let least = MS * exact * 4 / 5;
            assert!((least..=MS * exact * 6 / 5 + MS * 9).contains(&pause), "{exact}: {pause:?}");
        }
        firsts.insert((times[1] - times[0]).as_millis() / 3);
        assert_eq!(simulation.finish().successes(), 2);
    }
    assert!(firsts.len() > 1, "without jitter: {firsts:?}");
}

/// And does not hold up the others of its broker.
#[test]
fn a_partition_that_backs_off_does_not_hold_up_others_of_its_broker() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.brokers(1).default_partitions(2);
    let mut simulation = warmed_up(settings);
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).topic("orders").partition(0).always());
    simulation.send("orders", 0, 100);
    for _ in 0..20 {
        simulation.send("orders", 1, 100);
        simulation.run_for(MS * 20);
        assert_eq!(simulation.ledger.unsettled(), 1);
    }
    simulation.cluster.clear_faults();
    assert_eq!(simulation.finish().successes(), 22);
}
