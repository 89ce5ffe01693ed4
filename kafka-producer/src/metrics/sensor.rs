//! One thing that is measured, over windows of time: what Kafka's `SampledStat` and `Meter` compute.
//!
//! ```text
//!   record ─► the newest window ─(older than metrics.sample.window.ms)─► a new one
//!   read   ─► all windows that had something within metrics.num.samples × metrics.sample.window.ms
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long is looked back, and in how many steps what is old is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    count: u32,
    length: Duration,
}

impl Windows {
    /// `metrics.num.samples` windows of `metrics.sample.window.ms`. More than 64 are made as many
    /// longer ones, over the same time: what a sensor holds has a bound.
    pub(crate) fn new(count: u32, length: Duration) -> Self {
        let span = length.saturating_mul(count);
        if count > COUNT_MAX {
            return Self { count: COUNT_MAX, length: span / COUNT_MAX };
        }
        Self { count: count.max(1), length }
    }

    fn span(self) -> Duration {
        self.length.saturating_mul(self.count)
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self::new(2, Duration::from_secs(30))
    }
}

/// When something is recorded or read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Instant,
    pub(crate) windows: Windows,
}

/// Values that were recorded: all of them as totals, the latest in windows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sensor {
    /// Oldest first; at most one more than there are windows, as the oldest is looked at in part.
    windows: VecDeque<Window>,
    total: f64,
    count: u64,
}

#[derive(Debug, Clone)]
struct Window {
    start: Instant,
    last: Instant,
    sum: f64,
    count: u64,
    max: f64,
}

impl Sensor {
    pub(crate) fn record(&mut self, at: Moment, value: f64) {
        self.total += value;
        self.count += 1;
        let Moment { now, windows } = at;
        let newest = self.windows.back();
        let age = newest.map(|newest| now.saturating_duration_since(newest.start));
        if age.is_none_or(|age| age >= windows.length) {
            if self.windows.len() > windows.count as usize {
                self.windows.pop_front();
            }
            let empty = Window { start: now, last: now, sum: 0.0, count: 0, max: f64::MIN };
            self.windows.push_back(empty);
        }
        if let Some(newest) = self.windows.back_mut() {
            newest.last = newest.last.max(now);
            newest.sum += value;
            newest.count += 1;
            newest.max = newest.max.max(value);
        }
    }

    /// Sum of everything that was ever recorded.
    pub(crate) fn total(&self) -> f64 {
        self.total
    }

    /// How often something was ever recorded.
    pub(crate) fn count(&self) -> f64 {
        self.count as f64
    }

    /// Mean of the values; NaN if there are none.
    pub(crate) fn avg(&self, at: Moment) -> f64 {
        let (sum, count) = self.sum_and_count(at);
        if count == 0 { f64::NAN } else { sum / count as f64 }
    }

    /// Largest of the values; NaN if there are none.
    pub(crate) fn max(&self, at: Moment) -> f64 {
        self.recent(at).map(|window| window.max).reduce(f64::max).unwrap_or(f64::NAN)
    }

    /// Sum of the values, a second.
    pub(crate) fn rate(&self, at: Moment) -> f64 {
        self.sum_and_count(at).0 / self.elapsed(at).as_secs_f64()
    }

    /// How many values there are, a second.
    pub(crate) fn count_rate(&self, at: Moment) -> f64 {
        self.sum_and_count(at).1 as f64 / self.elapsed(at).as_secs_f64()
    }

    fn sum_and_count(&self, at: Moment) -> (f64, u64) {
        let zero = (0.0, 0);
        self.recent(at).fold(zero, |(sum, count), window| (sum + window.sum, count + window.count))
    }

    fn recent(&self, at: Moment) -> impl Iterator<Item = &Window> {
        let span = at.windows.span();
        self.windows.iter().filter(move |window| since(at, window.last) < span)
    }

    /// The time that a rate is over. Where there is less than all windows but one, those that are
    /// missing count as well: the first record after a start is no burst.
    fn elapsed(&self, at: Moment) -> Duration {
        let Windows { count, length } = at.windows;
        let first = self.recent(at).next();
        let elapsed = first.map_or(Duration::ZERO, |window| since(at, window.start));
        let whole = elapsed.as_nanos().checked_div(length.as_nanos()).unwrap_or(u128::MAX);
        let missing = (count - 1).saturating_sub(u32::try_from(whole).unwrap_or(u32::MAX));
        elapsed.saturating_add(length.saturating_mul(missing)).max(ELAPSED_MIN)
    }
}

/// Whoever reads may have looked at the clock before the last value came.
fn since(at: Moment, then: Instant) -> Duration {
    at.now.saturating_duration_since(then)
}

const COUNT_MAX: u32 = 64;
/// Nothing happens in no time.
const ELAPSED_MIN: Duration = Duration::from_millis(1);

#[cfg(all(test, not(kafka_loom)))]
mod tests {
    use super::*;
    use crate::testing::start;

    const SECOND: Duration = Duration::from_secs(1);

    /// Two windows of 30 s, as by default.
    fn times() -> impl Fn(u32) -> Moment {
        let start = start();
        move |seconds| Moment { now: start + SECOND * seconds, windows: Windows::default() }
    }

    #[test]
    fn without_values_means_and_maxima_are_nan_and_rates_are_zero() {
        let (at, mut sensor) = (times(), Sensor::default());
        assert!(sensor.avg(at(0)).is_nan() && sensor.max(at(0)).is_nan());
        assert_eq!((sensor.rate(at(0)), sensor.count_rate(at(0))), (0.0, 0.0));
        sensor.record(at(0), 5.0);
        assert!(sensor.avg(at(60)).is_nan() && sensor.max(at(60)).is_nan());
        assert_eq!((sensor.rate(at(60)), sensor.total(), sensor.count()), (0.0, 5.0, 1.0));
    }

    #[test]
    fn old_windows_are_left_out_and_the_total_stays() {
        let (at, mut sensor) = (times(), Sensor::default());
        sensor.record(at(0), 10.0);
        sensor.record(at(29), 20.0);
        sensor.record(at(30), 3.0);
        assert_eq!((sensor.avg(at(30)), sensor.max(at(30))), (11.0, 20.0));
        // The first window had its last value at 29 s, the second at 30 s.
        assert_eq!(sensor.max(at(88)), 20.0);
        assert_eq!((sensor.avg(at(89)), sensor.max(at(89))), (3.0, 3.0));
        assert!(sensor.avg(at(90)).is_nan());
        assert_eq!((sensor.total(), sensor.count()), (33.0, 3.0));
    }

    #[test]
    fn a_negative_maximum_is_one() {
        let (at, mut sensor) = (times(), Sensor::default());
        sensor.record(at(0), -2.0);
        assert_eq!(sensor.max(at(0)), -2.0);
    }

    /// As `Rate.windowSize` has it.
    #[test]
    fn a_rate_is_over_all_windows_but_one_and_the_time_in_the_last() {
        let (at, mut sensor) = (times(), Sensor::default());
        sensor.record(at(0), 300.0);
        assert_eq!(sensor.rate(at(0)), 10.0);
        assert_eq!(sensor.rate(at(20)), 6.0);
        assert_eq!(sensor.rate(at(40)), 7.5);
        sensor.record(at(40), 200.0);
        assert_eq!((sensor.rate(at(50)), sensor.count_rate(at(50))), (10.0, 2.0 / 50.0));
        // The first window is too old: what is left began at 40 s.
        assert_eq!(sensor.rate(at(80)), 5.0);
    }

    #[test]
    fn a_rate_over_one_window_that_begins_now_is_finite() {
        let now = start();
        let at = Moment { now, windows: Windows::new(1, SECOND) };
        let mut sensor = Sensor::default();
        sensor.record(at, 2.0);
        assert_eq!(sensor.rate(at), 2000.0);
    }

    #[test]
    fn totals_never_fall_and_windows_never_pile_up() {
        let start = start();
        for (count, length) in [(1, 0), (1, 7), (3, 10), (i32::MAX as u32, 1), (1000, u64::MAX)] {
            let windows = Windows::new(count, Duration::from_millis(length));
            let (mut sensor, mut total) = (Sensor::default(), 0.0);
            for ms in 0..1000 {
                let at = Moment { now: start + Duration::from_millis(ms * ms % 777), windows };
                sensor.record(at, 1.0);
                assert!(sensor.total() > total && sensor.rate(at) >= 0.0);
                total = sensor.total();
            }
            assert!(sensor.windows.len() <= COUNT_MAX as usize + 1);
        }
    }

    #[test]
    fn many_windows_are_fewer_long_ones_over_the_same_time() {
        let windows = Windows::new(6400, SECOND);
        assert_eq!((windows.count, windows.length), (64, SECOND * 100));
        assert_eq!(windows.span(), SECOND * 6400);
    }
}
