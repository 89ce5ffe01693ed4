//! Both clocks for the price of one.

#![expect(clippy::disallowed_methods, reason = "the facade is where time comes from")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::accumulator::{Now, Time};
use crate::sync::{AtomicI64, Ordering};

/// Tells the time of day from the monotonic clock: one reading a record instead of two. The driver
/// sets it right from time to time.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// The start, on the system's coarse clock: it takes a quarter of the time to read, and is right to
    /// some milliseconds.
    coarse_start: coarsetime::Instant,
    /// Time of day at the start, in ms since 1970.
    start_ms: AtomicI64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let coarse_start = coarsetime::Instant::now();
        let clock = Self { start: now(), coarse_start, start_ms: AtomicI64::new(0) };
        clock.synchronize();
        clock
    }

    pub(crate) fn now(&self) -> Now {
        let monotonic = now();
        let since = monotonic.saturating_duration_since(self.start);
        Now { monotonic, timestamp_ms: self.timestamp_ms(as_millis(since)) }
    }

    fn timestamp_ms(&self, since_start: i64) -> i64 {
        self.start_ms.load(Ordering::Relaxed).saturating_add(since_start)
    }

    /// Takes over what the system says the time of day is.
    pub(crate) fn synchronize(&self) {
        let today = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = now().saturating_duration_since(self.start);
        let start_ms = as_millis(today).saturating_sub(as_millis(since));
        self.start_ms.store(start_ms, Ordering::Relaxed);
    }
}

impl Time for Clock {
    #[inline(always)]
    fn about(&self) -> Now {
        // Not `now`, which stores it for all threads to see.
        let coarse = coarsetime::Instant::now_without_cache_update();
        let since = coarse.duration_since(self.coarse_start).as_millis();
        let monotonic = self.start + Duration::from_millis(since);
        Now { monotonic, timestamp_ms: self.timestamp_ms(i64::try_from(since).unwrap_or(i64::MAX)) }
    }

    fn exactly(&self) -> Instant {
        now()
    }
}

/// The time as tokio has it, so that a paused clock is one.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn as_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
