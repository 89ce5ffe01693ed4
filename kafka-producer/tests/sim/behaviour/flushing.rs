//! Flushing and closing.

use std::time::Duration;

use super::{MS, one_partition, warmed_up};
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

#[test]
fn a_closed_sender_asks_for_nothing_more() {
    let mut simulation = warmed_up(one_partition());
    let close = || Event::Command(Command::Close { deadline: None });
    simulation.sender.handle_event(simulation.now, close());
    simulation.drain();
    assert!(simulation.sender.is_closed());
    // What was on its way when it ended, and long after its metadata was to be fetched again.
    simulation.now += Duration::from_secs(600);
    let late = Command::WantTopic("bills".into());
    for event in [Event::RecordsReady, Event::Command(late), close()] {
        simulation.sender.handle_event(simulation.now, event);
    }
    simulation.sender.handle_timeout(simulation.now);
    let action = simulation.sender.poll_action(simulation.now);
    assert!(action.is_none(), "{action:?}");
    assert_eq!(simulation.sender.poll_timeout(), None);
}

#[test]
fn a_sender_that_gave_up_what_was_not_written_holds_nothing_of_it() {
    let settings = Settings { acks: 0, is_idempotent: false, ..one_partition() };
    let mut simulation = warmed_up(settings);
    simulation.network.is_stalled = true;
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    let deadline = Some(simulation.now + MS);
    simulation.sender.handle_event(simulation.now, Event::Command(Command::Close { deadline }));
    simulation.run_for(MS);
    assert!(simulation.sender.is_closed());
    assert_eq!(simulation.sender.leftovers(), Vec::<String>::new());
}
