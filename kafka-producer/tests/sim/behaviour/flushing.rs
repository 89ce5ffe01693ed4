//! Flushing and closing.

use std::time::Duration;

use super::{MS, one_partition};
use crate::sender::{Command, Event};
use crate::sim::{Settings, Simulation};

#[test]
fn a_flush_is_done_when_all_before_it_have_their_outcome() {
    let settings = Settings { linger: Duration::from_secs(10), ..one_partition() };
    let mut simulation = Simulation::new(settings);
    for _ in 0..5 {
        simulation.send("orders", 0, 100);
    }
    let id = crate::sender::CommandId(7);
    let event = Event::Command(Command::Flush(id));
    simulation.sender.handle_event(simulation.now, event);
    simulation.run_for(MS * 100);
    simulation.ledger.collect();
    assert_eq!((simulation.done.as_slice(), simulation.ledger.unsettled()), (&[id][..], 0));
}

#[test]
fn what_was_written_before_the_time_to_close_in_was_over_is_not_given_up() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation.send("orders", 0, 100);
    let written = loop {
        simulation.drain();
        simulation.now = simulation.network.next_at().unwrap_or(simulation.now + MS);
        if simulation.now - simulation.start > MS * 1000 {
            panic!("never answered");
        }
        simulation.cluster.handle_timeout(simulation.now);
        let events = simulation.network.deliver(simulation.now, &mut simulation.cluster);
        let is_answer = events.iter().any(|event| matches!(event, Event::Frame { .. }));
        for event in events {
            simulation.sender.handle_event(simulation.now, event);
        }
        simulation.sender.handle_timeout(simulation.now);
        if is_answer {
            break simulation.now;
        }
    };
    let close = Command::Close { deadline: Some(written) };
    simulation.sender.handle_event(written, Event::Command(close));
    simulation.sender.handle_timeout(written);
    simulation.drain();
    assert_eq!(simulation.sender.abandoned(), 0);
}
