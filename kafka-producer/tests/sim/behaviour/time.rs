//! Every record has its outcome in time (KIP-91).

use std::time::Duration;

use kafka_mock::FaultAction;

use super::{MS, one_partition, produce, warmed_up};
use crate::ProduceErrorKind;
use crate::accumulator::Attempt;
use crate::record::Record;
use crate::sender::Event;
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

#[test]
fn a_record_that_the_sender_hears_of_too_late_has_failed_when_it_waits_again() {
    let mut simulation = warmed_up(one_partition());
    simulation.network.is_stalled = true;
    // Accepted while the machine falls asleep: the sender is told of it after that.
    let record = Record { partition: Some(0), ..Record::new("orders", b"late") };
    let (now, attempt) = (simulation.both_clocks(), &mut Attempt::default());
    let delivery = simulation.accumulator.try_append(&now, &record, attempt).unwrap();
    simulation.now += simulation.settings.delivery_timeout;
    simulation.sender.handle_event(simulation.now, Event::RecordsReady);
    simulation.drain();
    assert!(delivery.is_done());
    let (next, timer) = simulation.sender.poll_timeout().unwrap();
    assert!(next > simulation.now, "{timer:?}");
}
