//! Both clocks for the price of one.

#![expect(clippy::disallowed_methods, reason = "the facade is where time comes from")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::accumulator::Now;
use crate::sync::{AtomicI64, Ordering};

/// Tells the time of day from the monotonic clock: one reading a record instead of two. The driver
/// sets it right from time to time.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// Time of day at the start, in ms since 1970.
    start_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let clock = Self { start: now(), start_ms: AtomicI64::new(0) };
        clock.synchronize();
        clock
    }

    pub(crate) fn now(&self) -> Now {
        let monotonic = now();
        let since = monotonic.saturating_duration_since(self.start);
        let start_ms = self.start_ms.load(Ordering::Relaxed);
        Now { monotonic, timestamp_ms: start_ms.saturating_add(as_millis(since)) }
    }

    /// Takes over what the system says the time of day is.
    pub(crate) fn synchronize(&self) {
        let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = now().saturating_duration_since(self.start);
        let start_ms = as_millis(today).saturating_sub(as_millis(since));
        self.start_ms.store(start_ms, Ordering::Relaxed);
    }
}

/// The time as tokio has it, so that a paused clock is one.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn as_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
