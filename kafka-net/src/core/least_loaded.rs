//! Which of several brokers to ask what any of them can answer.

use std::time::Instant;

use fastrand::Rng;

/// How a broker stands as a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Takes requests now; so many are unanswered.
    Ready {
        /// Requests that were sent and not answered.
        in_flight: usize,
    },
    /// Is being connected to.
    Connecting,
    /// Could be connected to now; when that was last tried.
    Disconnected {
        /// The last attempt, `None` if there was none.
        last_attempt: Option<Instant>,
    },
    /// Backing off, throttled or full.
    Unavailable,
}

/// The best candidate: a ready broker with the fewest requests in flight, else one that is being
/// connected to, else the one whose last connection attempt is the longest ago; `None` if all are
/// unavailable. Equal ones take turns by chance.
pub fn least_loaded<B: Copy>(candidates: &[(B, Load)], rng: &mut Rng) -> Option<B> {
    let start = if candidates.is_empty() { 0 } else { rng.usize(..candidates.len()) };
    let (before, after) = candidates.split_at(start);
    after
        .iter()
        .chain(before)
        .filter(|(_, load)| *load != Load::Unavailable)
        .min_by_key(|(_, load)| rank(*load))
        .map(|(broker, _)| *broker)
}

fn rank(load: Load) -> (u8, usize, Option<Instant>) {
    match load {
        Load::Ready { in_flight } => (0, in_flight, None),
        Load::Connecting => (1, 0, None),
        Load::Disconnected { last_attempt } => (2, 0, last_attempt),
        Load::Unavailable => (3, 0, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tests::start;
    use std::time::Duration;

    #[test]
    fn ready_before_connecting_before_the_longest_unused() {
        let start = start();
        let ready = |in_flight| Load::Ready { in_flight };
        let last = |seconds| Load::Disconnected {
            last_attempt: Some(start + Duration::from_secs(seconds)),
        };
        let never = Load::Disconnected { last_attempt: None };
        let cases: [(&[Load], Option<usize>); 6] = [
            (&[ready(2), ready(1), Load::Connecting, never], Some(1)),
            (&[never, Load::Connecting, last(1)], Some(1)),
            (&[last(2), last(1), Load::Unavailable], Some(1)),
            (&[last(1), never], Some(1)),
            (&[Load::Unavailable], None),
            (&[], None),
        ];
        for (loads, expected) in cases {
            let candidates: Vec<_> = loads.iter().copied().enumerate().collect();
            for seed in 0..10 {
                let chosen = least_loaded(&candidates, &mut Rng::with_seed(seed));
                assert_eq!(chosen, expected, "{loads:?}");
            }
        }
    }

    #[test]
    fn equal_brokers_all_get_their_turn() {
        let candidates: Vec<_> = (0..4).map(|id| (id, Load::Ready { in_flight: 0 })).collect();
        let rng = &mut Rng::with_seed(1);
        let mut chosen: Vec<_> = (0..100).filter_map(|_| least_loaded(&candidates, rng)).collect();
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen, [0, 1, 2, 3]);
    }
}
