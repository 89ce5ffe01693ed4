//! Every record has its outcome in time (KIP-91).

use std::time::Duration;

use kafka_mock::FaultAction;

use super::{MS, one_partition, produce};
use crate::ProduceErrorKind;
use crate::sim::{Settings, Simulation};

#[test]
fn without_a_broker_records_fail_in_time_and_say_that_they_were_not_sent() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    simulation.network.down = simulation.cluster.brokers();
    for broker in simulation.cluster.brokers() {
        simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
    }
    simulation.run_for(MS * 100);
    simulation.send("orders", 0, 100);
    let ledger = simulation.finish();
    let error = ledger.failures()[0];
    assert!(!error.may_have_been_written());
    assert!(matches!(error.kind(), ProduceErrorKind::Timeout { .. }));
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:900"), "{text}");
    assert!(text.contains("connection refused"), "{text}");
    assert!(text.contains("it was not sent"), "{text}");
}

#[test]
fn an_in_flight_record_that_times_out_may_have_been_written() {
    let settings = Settings {
        delivery_timeout: Duration::from_secs(20),
        request_timeout: Duration::from_secs(30),
        ..one_partition()
    };
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    simulation.cluster.add_fault(produce(FaultAction::Swallow));
    simulation.send("orders", 0, 100);
    simulation.run_for(Duration::from_secs(21));
    simulation.send("orders", 0, 100);
    let ledger = simulation.finish();
    assert_eq!(ledger.successes() + ledger.failures().len(), 3);
    assert!(ledger.failures()[0].may_have_been_written());
}
