//! `acks=0`: being written is all there is to know.

use super::{MS, one_partition, warmed_up};
use crate::sender::{Command, Event};
use crate::sim::{Settings, Simulation};

#[test]
fn acks_zero_completes_when_written_and_has_no_offset() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = Simulation::new(settings);
    for _ in 0..100 {
        simulation.send("orders", 0, 100);
    }
    let ledger = simulation.finish();
    assert_eq!(ledger.successes(), 100);
}

/// With `acks=0` nothing is answered, and yet it is noticed that nothing leaves.
#[test]
fn without_acks_a_connection_that_takes_nothing_is_given_up_in_time() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 29_000);
    assert_eq!(simulation.ledger.unsettled(), 1);
    simulation.network.is_stalled = false;
    simulation.run_for(MS * 3_000);
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert_eq!(simulation.finish().successes(), 2);
}

#[test]
fn without_acks_a_topic_that_was_created_again_leaves_nothing_behind() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.run_for(MS * 50);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 1000);
    simulation.drain();
    simulation.network.is_stalled = false;
    simulation.archive("orders");
    simulation.cluster.recreate_topic("orders").unwrap();
    let event = Event::Command(Command::WantTopic("orders".into()));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 500);
    simulation.network.release(simulation.now);
    simulation.finish();
}
