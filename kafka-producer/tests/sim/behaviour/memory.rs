//! `buffer.memory`: a hard limit, served in order.

use std::time::Duration;

use super::{MS, one_partition};
use crate::sender::Event;
use crate::sim::{Settings, Simulation};

#[test]
fn memory_that_is_full_empties_lingering_batches() {
    let settings = Settings {
        linger: Duration::from_secs(60),
        buffer_memory: 16 * 1024,
        max_request_size: 2048,
        batch_size: 1024 * 1024,
        ..one_partition()
    };
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    while simulation.try_send("orders", Some(0), 100) {}
    let budget = simulation.accumulator.budget().clone();
    let mut acquire = Box::pin(budget.acquire(4096));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(acquire.as_mut().poll(&mut context).is_pending());
    simulation.sender.handle_event(simulation.now, Event::RecordsReady);
    simulation.run_for(MS * 4);
    let mut is_granted = false;
    for _ in 0..100 {
        is_granted |= acquire.as_mut().poll(&mut context).is_ready();
        if is_granted {
            break;
        }
        simulation.step();
    }
    assert!(is_granted && simulation.now - simulation.start < Duration::from_secs(10));
}

/// A future that nobody polls must not keep what was granted to it, however much else happens.
#[test]
fn a_grant_that_nobody_takes_goes_to_the_next_while_the_sender_is_busy() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    simulation.settle();
    let budget = simulation.accumulator.budget().clone();
    let all = budget.try_acquire(budget.total() - budget.used()).unwrap();
    let _abandoned = budget.acquire(100_000);
    drop(all);
    assert!(budget.has_grants());
    for _ in 0..20 {
        simulation.sender.handle_event(simulation.now, Event::RecordsReady);
        simulation.run_for(MS);
    }
    assert!(!budget.has_grants());
}
