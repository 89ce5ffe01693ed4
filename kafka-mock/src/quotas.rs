//! Byte rates of producers: one that writes faster is told to wait, and its connection with it.
//!
//! As Kafka has it since 2.0 (KIP-13, KIP-219): the batch is appended and answered at once, the answer
//! says for how long the client is throttled, and so long the broker reads nothing from its
//! connection. Kafka measures over a window of eleven seconds, so its throttle times come in steps;
//! here what is written is paid for byte by byte, and a second's worth of bytes is free of waiting.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::BrokerId;

/// What producers may write to a broker, by client id.
#[derive(Debug)]
pub(crate) struct ProducerQuotas {
    /// Bytes a second of clients without a rate of their own.
    rate: Option<u64>,
    rates: BTreeMap<String, Option<u64>>,
    /// When what a client has written to a broker is paid for.
    paid_at: BTreeMap<(BrokerId, String), Instant>,
}

/// What a client may be ahead of its rate before it has to wait.
const BURST: Duration = Duration::from_secs(1);
/// Longest time to wait: a client that cannot be served before is not told a time that overflows.
const THROTTLE_MAX: Duration = Duration::from_secs(3600);
/// Most clients whose debts are remembered; beyond it the first ones are let off.
const CLIENTS_MAX: usize = 10_000;

impl ProducerQuotas {
    pub(crate) fn new(rate: Option<u64>) -> Self {
        Self { rate, rates: BTreeMap::new(), paid_at: BTreeMap::new() }
    }

    /// Changes the rate of a client, or of all that have none of their own.
    pub(crate) fn set(&mut self, client_id: Option<&str>, rate: Option<u64>) {
        match client_id {
            Some(client_id) => {
                self.rates.insert(client_id.to_owned(), rate);
            }
            None => self.rate = rate,
        }
        self.paid_at.clear();
    }

    /// Whether nobody has to wait.
    pub(crate) fn is_empty(&self) -> bool {
        self.rate.is_none() && self.rates.is_empty()
    }

    /// Takes note of bytes that a client has written to a broker; for how long it has to wait.
    pub(crate) fn charge(
        &mut self,
        now: Instant,
        broker: BrokerId,
        client_id: &str,
        bytes: usize,
    ) -> Duration {
        let Some(rate) = self.rates.get(client_id).copied().unwrap_or(self.rate) else {
            return Duration::ZERO;
        };
        let cost = time_for(bytes, rate);
        let key = (broker, client_id.to_owned());
        let paid_at = self.paid_at.get(&key).map_or(now, |at| *at).max(now);
        let debt = (paid_at.saturating_duration_since(now) + cost).min(THROTTLE_MAX + BURST);
        self.paid_at.insert(key, now + debt);
        while self.paid_at.len() > CLIENTS_MAX {
            self.paid_at.pop_first();
        }
        debt.saturating_sub(BURST)
    }
}

/// How long so many bytes take at a rate of bytes a second, which is at least one; at most an hour.
pub(crate) fn time_for(bytes: usize, rate: u64) -> Duration {
    let nanos = bytes as u128 * 1_000_000_000 / u128::from(rate.max(1));
    u64::try_from(nanos).map_or(THROTTLE_MAX, Duration::from_nanos).min(THROTTLE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "some instant to count from; it never moves")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_client_waits_for_what_it_is_ahead_of_its_rate() {
        let mut quotas = ProducerQuotas::new(Some(1000));
        let now = origin();
        let ms = Duration::from_millis;
        for (at, bytes, expected) in [
            (0, 400, 0),
            (0, 600, 0),
            (0, 500, 500),
            // A second later a second's worth is paid for.
            (1000, 500, 0),
            (1000, 250, 250),
            (10_000, 1000, 0),
        ] {
            let wait = quotas.charge(now + ms(at), BrokerId(1), "a", bytes);
            assert_eq!(wait, ms(expected), "{bytes} at {at}");
        }
        // Other clients and other brokers are another matter.
        assert_eq!(quotas.charge(now + ms(10_000), BrokerId(1), "b", 1000), Duration::ZERO);
        assert_eq!(quotas.charge(now + ms(10_000), BrokerId(2), "a", 1000), Duration::ZERO);
    }

    #[test]
    fn nobody_waits_longer_than_an_hour_and_debts_are_bounded() {
        let mut quotas = ProducerQuotas::new(Some(0));
        for number in 0..CLIENTS_MAX + 5 {
            let client = number.to_string();
            let wait = quotas.charge(origin(), BrokerId(1), &client, usize::MAX);
            assert_eq!(wait, THROTTLE_MAX - BURST);
            quotas.charge(origin(), BrokerId(1), &client, usize::MAX);
        }
        assert_eq!(quotas.paid_at.len(), CLIENTS_MAX);
    }
}
