//! What the sender waits for, by time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use kafka_net::BrokerId;

/// Why something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A connection: end of its setup, or idle.
    Connection(BrokerId),
    /// A broker that may be tried again, or takes requests again.
    Broker(BrokerId),
    /// The oldest request of a connection has no answer.
    Request(BrokerId),
    /// Metadata is to be fetched.
    Metadata,
    /// A producer id is to be asked for.
    ProducerId,
    /// The open batch of a partition has lingered.
    Linger(usize),
    /// A partition may be tried again.
    Backoff(usize),
    /// The leader of a partition has taken nothing for too long.
    Availability(usize),
    /// The oldest batch of a partition is too old.
    Delivery(usize),
    /// Grants of memory that nobody took.
    Memory,
    /// A flush waits no longer.
    Flush,
    /// The time to close in is over.
    Close,
}

/// At most one time for each reason.
#[derive(Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Timer)>,
    by_timer: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Sets or clears the time of a reason.
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.by_timer.insert(timer, at),
            None => self.by_timer.remove(&timer),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, timer));
        }
        if let Some(at) = at {
            self.by_time.insert((at, timer));
        }
    }

    /// When a reason is due, if it has a time.
    pub(super) fn get(&self, timer: Timer) -> Option<Instant> {
        self.by_timer.get(&timer).copied()
    }

    /// Takes out a reason whose time has come.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.set(timer, None);
        Some(timer)
    }

    /// What is due first.
    pub(super) fn next(&self) -> Option<(Instant, Timer)> {
        self.by_time.first().copied()
    }
}

#[cfg(all(test, not(kafka_loom)))]
mod tests {
    use super::*;
    use crate::testing::start;
    use std::time::Duration;

    #[test]
    fn the_earliest_comes_first_and_only_when_due() {
        let (start, second) = (start(), Duration::from_secs(1));
        let mut timers = Timers::default();
        timers.set(Timer::Linger(3), Some(start + second * 2));
        timers.set(Timer::Metadata, Some(start + second));
        assert_eq!(timers.pop_due(start), None);
        assert_eq!(timers.next(), Some((start + second, Timer::Metadata)));
        assert_eq!(timers.pop_due(start + second * 3), Some(Timer::Metadata));
        assert_eq!(timers.pop_due(start + second * 3), Some(Timer::Linger(3)));
        assert_eq!(timers.pop_due(start + second * 3), None);
    }

    #[test]
    fn a_reason_has_one_time_and_may_lose_it() {
        let (start, second) = (start(), Duration::from_secs(1));
        let mut timers = Timers::default();
        timers.set(Timer::Close, Some(start + second));
        timers.set(Timer::Close, Some(start));
        assert_eq!(timers.next(), Some((start, Timer::Close)));
        timers.set(Timer::Close, None);
        assert_eq!((timers.next(), timers.by_time.len()), (None, 0));
    }
}
