//! Requests that were sent on one connection and have no answer yet.
//!
//! A broker answers the requests of a connection in their order, so the queue is a plain FIFO and an
//! answer must belong to its front. Anything else means that the two sides no longer agree where they
//! are, and the connection is of no further use.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use crate::CorrelationError;
use crate::core::after;

/// The number that a response repeats from its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CorrelationId(pub i32);

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The in-flight window of one connection: sent, unanswered requests, oldest first.
///
/// A new connection gets a new window. `T` is whatever the owner wants back with the answer.
///
/// ```
/// # use kafka_net::InFlight;
/// # use std::time::{Duration, Instant};
/// # let now = Instant::now();
/// let mut in_flight = InFlight::new(5);
/// let first = in_flight.push(now, Duration::from_secs(30), "produce");
/// let second = in_flight.push(now, Duration::from_secs(30), "metadata");
/// assert_eq!(in_flight.complete(first), Ok("produce"));
/// assert_eq!(in_flight.complete(second), Ok("metadata"));
/// ```
#[derive(Debug)]
pub struct InFlight<T> {
    /// Oldest first.
    sent: VecDeque<Sent<T>>,
    limit: usize,
    next: CorrelationId,
}

#[derive(Debug)]
struct Sent<T> {
    correlation_id: CorrelationId,
    deadline: Instant,
    request: T,
}

impl<T> InFlight<T> {
    /// A window for at most `limit` requests (`max.in.flight.requests.per.connection`), at least one.
    pub fn new(limit: usize) -> Self {
        Self { sent: VecDeque::new(), limit: limit.max(1), next: CorrelationId(0) }
    }

    /// Enters a request that is sent now, and gives it its correlation id.
    ///
    /// Ask [`has_room`](Self::has_room) first.
    pub fn push(&mut self, now: Instant, timeout: Duration, request: T) -> CorrelationId {
        debug_assert!(self.has_room(), "{} requests are in flight already", self.limit);
        let correlation_id = self.advance();
        self.sent.push_back(Sent { correlation_id, deadline: after(now, timeout), request });
        correlation_id
    }

    /// A correlation id for a request that is never answered (Produce with `acks=0`). It takes no
    /// place in the window.
    pub fn push_without_response(&mut self) -> CorrelationId {
        self.advance()
    }

    /// The request that this answer belongs to, which leaves the window.
    ///
    /// # Errors
    /// If it is not the oldest one: the window stays as it is, and the connection has to be closed.
    pub fn complete(&mut self, correlation_id: CorrelationId) -> Result<T, CorrelationError> {
        match self.sent.pop_front() {
            Some(front) if front.correlation_id == correlation_id => Ok(front.request),
            Some(front) => {
                let expected = front.correlation_id;
                self.sent.push_front(front);
                Err(CorrelationError::OutOfOrder { expected, received: correlation_id })
            }
            None => Err(CorrelationError::NothingInFlight { received: correlation_id }),
        }
    }

    /// Takes everything out, oldest first: the connection is gone, and nobody knows whether the
    /// broker acted on these requests.
    pub fn drain(&mut self) -> impl Iterator<Item = T> {
        self.sent.drain(..).map(|sent| sent.request)
    }

    /// Gives every request more time: the broker said that it holds back its answers that long
    /// (KIP-219), and that time does not count.
    pub fn extend(&mut self, by: Duration) {
        for sent in &mut self.sent {
            sent.deadline = after(sent.deadline, by);
        }
    }

    /// The correlation id that the next request will get.
    pub fn next_correlation_id(&self) -> CorrelationId {
        self.next
    }

    /// When the first request runs out of time.
    pub fn next_deadline(&self) -> Option<Instant> {
        // Timeouts may differ, so the oldest request need not be the first one to expire.
        self.sent.iter().map(|sent| sent.deadline).min()
    }

    /// The oldest request whose time is up, if there is one. Its connection has to be closed: a late
    /// answer could no longer be told from the one that is due.
    pub fn expired(&self, now: Instant) -> Option<&T> {
        self.sent.iter().find(|sent| sent.deadline <= now).map(|sent| &sent.request)
    }

    /// The requests, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.sent.iter().map(|sent| &sent.request)
    }

    /// Whether one more request may be sent.
    pub fn has_room(&self) -> bool {
        self.sent.len() < self.limit
    }

    /// How many requests are unanswered.
    pub fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether every request was answered.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    fn advance(&mut self) -> CorrelationId {
        let id = self.next;
        self.next = CorrelationId(if id.0 >= LAST_USED { 0 } else { id.0 + 1 });
        id
    }
}

/// Kafka's clients keep the eight ids above this one for authentication, so that an answer to a
/// re-authentication is told from every other one.
const LAST_USED: i32 = i32::MAX - 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::tests::start;
    use proptest::prelude::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[test]
    fn answers_must_come_in_order() {
        let mut in_flight = InFlight::new(2);
        let first = in_flight.push(start(), TIMEOUT, 'a');
        let second = in_flight.push(start(), TIMEOUT, 'b');
        assert!(!in_flight.has_room());
        let error = in_flight.complete(second).unwrap_err();
        assert_eq!(error, CorrelationError::OutOfOrder { expected: first, received: second });
        assert_eq!(in_flight.complete(first), Ok('a'));
        assert_eq!(in_flight.complete(second), Ok('b'));
        let error = in_flight.complete(second).unwrap_err();
        assert_eq!(error, CorrelationError::NothingInFlight { received: second });
    }

    #[test]
    fn ids_that_kafka_reserves_for_authentication_are_skipped() {
        let mut in_flight = InFlight::new(3);
        in_flight.next = CorrelationId(i32::MAX - 8);
        let ids = [(); 2].map(|()| in_flight.push(start(), TIMEOUT, ()));
        assert_eq!(ids, [CorrelationId(i32::MAX - 8), CorrelationId(0)]);
    }

    #[test]
    fn a_request_without_response_takes_an_id_but_no_place() {
        let mut in_flight = InFlight::new(1);
        assert_eq!(in_flight.push_without_response(), CorrelationId(0));
        assert!(in_flight.has_room());
        assert_eq!(in_flight.push(start(), TIMEOUT, ()), CorrelationId(1));
    }

    #[test]
    fn the_first_deadline_counts_and_a_throttle_moves_all() {
        let start = start();
        let seconds = Duration::from_secs;
        let mut in_flight = InFlight::new(2);
        in_flight.push(start, seconds(30), 'a');
        in_flight.push(start, seconds(10), 'b');
        assert_eq!(in_flight.next_deadline(), Some(start + seconds(10)));
        assert_eq!(in_flight.expired(start + seconds(9)), None);
        assert_eq!(in_flight.expired(start + seconds(10)), Some(&'b'));
        assert_eq!(in_flight.expired(start + seconds(30)), Some(&'a'));
        in_flight.extend(seconds(5));
        assert_eq!(in_flight.expired(start + seconds(14)), None);
        assert_eq!(in_flight.drain().collect::<String>(), "ab");
        assert_eq!(in_flight.next_deadline(), None);
    }

    proptest! {
        /// Whatever is answered, a request comes out once, in order, and only by its own id.
        #[test]
        fn random_answers(limit in 1_usize..6, steps in prop::collection::vec((any::<bool>(), 0_i32..9), 0..200)) {
            let start = start();
            let mut in_flight = InFlight::new(limit);
            let (mut pushed, mut completed) = (0, 0);
            for (is_push, offset) in steps {
                if is_push && in_flight.has_room() {
                    prop_assert_eq!(in_flight.push(start, TIMEOUT, pushed), CorrelationId(pushed));
                    pushed += 1;
                } else {
                    let id = completed + offset - 4;
                    let is_due = offset == 4 && completed < pushed;
                    let answer = in_flight.complete(CorrelationId(id));
                    prop_assert_eq!(answer.is_ok(), is_due);
                    if is_due {
                        prop_assert_eq!(answer, Ok(completed));
                        completed += 1;
                    }
                }
                prop_assert_eq!(in_flight.len() as i32, pushed - completed);
                prop_assert!(in_flight.len() <= limit);
            }
        }
    }
}
