//! How long to wait before the next attempt: exponential, with jitter (KIP-144, KIP-580, KIP-601).

use std::time::{Duration, Instant};

use fastrand::Rng;

/// A delay that doubles with each attempt, up to a maximum, spread by ±20 % so that clients which
/// failed together do not come back together.
///
/// The formula is Kafka's: `initial · 2^min(attempts, log₂(max / initial)) · U(0.8, 1.2)`, at most
/// `max`. Where `max` is not above `initial`, the delay is the smaller of both, without jitter.
///
/// ```
/// # use kafka_net::ExponentialBackoff;
/// # use std::time::Duration;
/// let millis = Duration::from_millis;
/// let backoff = ExponentialBackoff::new(millis(100), millis(1000)).without_jitter();
/// let mut rng = fastrand::Rng::with_seed(1);
/// let delays: Vec<_> = (0..5).map(|attempts| backoff.delay(attempts, &mut rng)).collect();
/// assert_eq!(delays, [100, 200, 400, 800, 1000].map(millis));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExponentialBackoff {
    initial: Duration,
    max: Duration,
    jitter: f64,
}

impl ExponentialBackoff {
    /// From `initial` to `max`, with the jitter of 0.2 that all of Kafka's clients use.
    pub const fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max, jitter: JITTER }
    }

    /// The same delays without the random part.
    #[must_use]
    pub const fn without_jitter(self) -> Self {
        Self { jitter: 0.0, ..self }
    }

    /// The delay after that many failed attempts, 0 for the first one; drawn anew by each call.
    pub fn delay(&self, attempts: u32, rng: &mut Rng) -> Duration {
        if self.max <= self.initial {
            return self.initial.min(self.max);
        }
        let (initial, max) = (as_millis(self.initial), as_millis(self.max));
        let exponent = f64::from(attempts).min((max / initial.max(1.0)).log2());
        let spread = 1.0 - self.jitter + 2.0 * self.jitter * rng.f64();
        let delay = (initial * exponent.exp2() * spread).min(max);
        Duration::try_from_secs_f64(delay / 1000.0).map_or(self.max, |delay| delay.min(self.max))
    }
}

/// `now + delay`, or a time that never comes where that is beyond what an [`Instant`] can say.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay).or_else(|| now.checked_add(NEVER)).unwrap_or(now)
}

fn as_millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

const JITTER: f64 = 0.2;

const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;
    use proptest::prelude::*;

    fn millis(initial: u64, max: u64) -> ExponentialBackoff {
        ExponentialBackoff::new(Duration::from_millis(initial), Duration::from_millis(max))
    }

    #[test]
    fn without_room_to_grow_the_delay_is_constant() {
        let rng = &mut Rng::with_seed(1);
        for (initial, max, expected) in [(50, 50, 50), (50, 20, 20), (0, 0, 0)] {
            for attempts in [0, 1, 100] {
                let delay = millis(initial, max).delay(attempts, rng);
                assert_eq!(delay, Duration::from_millis(expected), "{initial} {max} {attempts}");
            }
        }
    }

    #[test]
    fn extreme_settings_do_not_overflow() {
        let rng = &mut Rng::with_seed(1);
        let endless = ExponentialBackoff::new(Duration::from_millis(1), Duration::MAX);
        for attempts in [0, 63, 1023, u32::MAX] {
            assert!(endless.delay(attempts, rng) <= Duration::MAX);
        }
        assert!(after(crate::core::tests::start(), Duration::MAX) > crate::core::tests::start());
    }

    proptest! {
        #[test]
        fn a_delay_stays_within_the_jitter_of_the_exact_one(
            initial in 1_u64..10_000, factor in 2_u64..1_000, attempts in 0_u32..40, seed: u64,
        ) {
            let backoff = millis(initial, initial * factor);
            let mut rng = Rng::with_seed(seed);
            let exact = backoff.without_jitter().delay(attempts, &mut rng).as_secs_f64();
            let delay = backoff.delay(attempts, &mut rng);
            prop_assert!(delay <= backoff.max);
            let ratio = delay.as_secs_f64() / exact;
            prop_assert!((0.799..=1.201).contains(&ratio), "{ratio}");
        }
    }
}
