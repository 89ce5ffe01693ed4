//! Records at a steady rate.

use std::ops::Range;
use std::time::{Duration, Instant};

/// How often records are let go: what is due by then goes at once.
const TICK: Duration = Duration::from_millis(1);

/// Says which records may be sent by when.
///
/// The caller sleeps, in its own way, until [`next_tick`](Self::next_tick) and sends what is
/// [due](Self::due).
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    rate: u64,
    records: u64,
    sent: u64,
    ticks: u32,
}

impl Pace {
    pub(crate) fn new(start: Instant, rate: u64, records: u64) -> Self {
        Self { start, rate, records, sent: 0, ticks: 0 }
    }

    /// When to look again; `None` after the last record.
    pub fn next_tick(&mut self) -> Option<Instant> {
        self.ticks += 1;
        (self.sent < self.records).then(|| self.start + TICK * self.ticks)
    }

    /// Numbers of the records that ought to be sent now.
    pub fn due(&mut self) -> Range<u64> {
        let elapsed = self.start.elapsed().as_nanos();
        let due = elapsed * u128::from(self.rate) / 1_000_000_000;
        let due = self.records.min(due as u64);
        std::mem::replace(&mut self.sent, due)..due
    }
}
