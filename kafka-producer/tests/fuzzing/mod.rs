//! Anything that may happen to a sender, in any order: for the fuzzer, and in small for the tests.
//!
//! An input is ten bytes of [configuration](settings::Settings), then steps: a letter, and what it
//! takes, mostly digits. What is no step does nothing, and behind the end everything is `0`.
//!
//! ```text
//!   a place size   a record is appended            r nth how    a name is resolved, or not
//!   e              the sender hears of it          o nth        a connection is open
//!   b size         somebody waits for memory       c nth why    a connection is lost
//!   y what place   …and takes it, or goes away     w nth        a request was written
//!   x topic        somebody waits for a topic      i nth how    a request is answered
//!   f              flush                           d nth how    …but the answer is damaged
//!   z time         close                           j nth …      any bytes come instead
//!   s nth how      a body was compressed, or not   u kind nth   something comes too late
//!   p time         time passes                     l …          the cluster changes
//!   n              …until the next timer           g            all that is asked for comes about
//!   t time         the clock goes back
//! ```

mod answers;
mod cluster;
mod input;
mod ledger;
mod links;
mod requests;
mod settings;
mod steps;
mod world;

use std::time::{Duration, Instant};

use crate::accumulator::Attempt;
use input::Input;
use settings::{Ending, Settings};
use world::World;

/// Runs the steps of an input, and then to an end at which nothing may be left.
///
/// # Panics
/// If the sender breaks one of its rules.
pub fn sender_events(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let settings = Settings::read(&mut input);
    let ending = settings.ending;
    let mut world = World::new(settings, start());
    for _ in 0..STEPS_MAX {
        if input.is_empty() || world.sender.is_closed() {
            break;
        }
        world.step(&mut input);
    }
    world.drain();
    match ending {
        Ending::Healed => world.heal(),
        Ending::Closed(time) => world.close_alone(time),
    }
    world.check_closed();
}

impl World {
    /// Nobody answers any more: closing ends with its time.
    fn close_alone(&mut self, time: Duration) {
        let deadline = self.latest + time;
        self.now = self.latest;
        if !self.sender.is_closed() {
            self.close(Some(time));
            self.drain();
        }
        for _ in 0..TIMERS_MAX {
            if self.sender.is_closed() {
                return;
            }
            let (at, _) = self.sender.poll_timeout().expect("the time to close in");
            assert!(at <= deadline, "closing takes too long");
            self.pass(at.saturating_duration_since(self.now));
            self.drain();
        }
        panic!("there is always another timer");
    }

    /// Everybody is well and answers at once: a record that is sent now arrives, and closing ends.
    fn heal(&mut self) {
        self.now = self.latest;
        self.cluster.heal();
        self.waiters.clear();
        for connection in self.links.ids() {
            if self.links.get(connection).is_some_and(links::Link::is_open) {
                self.links.lose(connection);
                let reason = kafka_net::DisconnectReason::ClosedByPeer;
                self.tell(crate::sender::Event::Disconnected { connection, reason });
            }
        }
        // What was throttled, or is to be tried again, need not be waited for any more.
        self.pass(Duration::from_secs(600));
        self.live(|world| world.ledger.is_settled());
        if self.sender.is_closed() {
            return;
        }
        if self.accumulator.closed().is_none() {
            self.must_arrive();
        }
        self.close(None);
        self.live(|world| world.sender.is_closed());
    }

    /// Lets time pass while everybody answers.
    fn live(&mut self, is_over: impl Fn(&Self) -> bool) {
        let until = self.now + Duration::from_secs(600);
        for _ in 0..TIMERS_MAX {
            let is_busy = self.go();
            if is_over(self) {
                return;
            }
            assert!(self.now < until, "it does not come to its end");
            let next = self.sender.poll_timeout().map(|(at, _)| at).filter(|_| !is_busy);
            let next = next.unwrap_or(self.now + Duration::from_millis(1));
            self.pass(next.saturating_duration_since(self.now));
        }
        panic!("there is always another timer");
    }

    fn must_arrive(&mut self) {
        let before = self.ledger.len();
        for _ in 0..ATTEMPTS_MAX {
            self.try_append(6, 8, Attempt::default());
            if self.ledger.len() > before {
                break;
            }
            // It may only have asked for the topic.
            self.pass(Duration::from_secs(1));
            self.go();
        }
        self.live(|world| world.ledger.is_settled());
        let config = &self.settings.sender;
        let is_patient = config.delivery_timeout >= Duration::from_secs(1)
            && !config.connections.request_timeout.is_zero();
        let is_large = self.settings.accumulator.buffer_memory >= 3_000;
        if is_patient && is_large && self.settings.accumulator.max_request_size > 200 {
            assert_eq!(self.ledger.len(), before + 1, "a record was not accepted");
            let outcome = self.ledger.last();
            assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
        }
    }
}

/// Any time will do: only differences count.
#[expect(clippy::disallowed_methods, reason = "there is no other way to an `Instant`")]
fn start() -> Instant {
    Instant::now() + Duration::from_secs(3_600)
}

const STEPS_MAX: usize = 1_000;
/// With one a second everything is there in time: metadata, memory.
const ATTEMPTS_MAX: usize = 10;
const TIMERS_MAX: usize = 10_000;

#[cfg(test)]
mod tests;
