//! Input: what happens to the in-flight window of a connection, made of the bytes by the `arbitrary`
//! crate.
//!
//! A request is answered in the order in which it was sent, once, and only by its own correlation id.
//! Any other answer changes nothing. The window never holds more than its limit, and it knows which
//! request is the first to run out of time.

#![no_main]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kafka_net::{CorrelationError, CorrelationId, InFlight};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    limit: u8,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// `None` is a request that may take for ever.
    Send {
        timeout_ms: Option<u32>,
    },
    SendWithoutResponse,
    Answer(Answer),
    /// The broker holds its answers back.
    Throttle {
        ms: u32,
    },
    Pass {
        seconds: u16,
    },
    Close,
}

#[derive(Debug, Arbitrary)]
enum Answer {
    Due,
    /// To a request that is in flight behind the one that is due.
    Early(u8),
    /// To the request that was answered last.
    Again,
    Forged(i32),
}

fuzz_target!(|input: Input| {
    let mut subject = Subject::new(usize::from(input.limit));
    for step in &input.steps {
        subject.handle(step);
        subject.check();
    }
    subject.close();
    subject.check();
});

struct Subject {
    window: InFlight<u32>,
    limit: usize,
    start: Instant,
    now_ms: u64,
    /// What has to be in the window, oldest first.
    sent: VecDeque<Sent>,
    next_id: i32,
    next_request: u32,
    /// The last request that was answered, and its id.
    answered: Option<(u32, CorrelationId)>,
}

struct Sent {
    id: CorrelationId,
    deadline_ms: Option<u64>,
    request: u32,
}

impl Subject {
    #[expect(clippy::disallowed_methods, reason = "there is no other way to make an Instant")]
    fn new(limit: usize) -> Self {
        Self {
            window: InFlight::new(limit),
            limit: limit.max(1),
            start: Instant::now(),
            now_ms: 0,
            sent: VecDeque::new(),
            next_id: 0,
            next_request: 0,
            answered: None,
        }
    }

    fn handle(&mut self, step: &Step) {
        match *step {
            Step::Send { timeout_ms } if self.window.has_room() => self.send(timeout_ms),
            Step::Send { .. } => {}
            Step::SendWithoutResponse => {
                assert_eq!(self.window.push_without_response(), CorrelationId(self.next_id));
                self.next_id += 1;
            }
            Step::Answer(ref answer) => {
                if let Some(id) = self.id_of(answer) {
                    self.answer(id);
                }
            }
            Step::Throttle { ms } => {
                self.window.extend(Duration::from_millis(ms.into()));
                for deadline in self.sent.iter_mut().flat_map(|sent| &mut sent.deadline_ms) {
                    *deadline += u64::from(ms);
                }
            }
            Step::Pass { seconds } => self.now_ms += 1000 * u64::from(seconds),
            Step::Close => self.close(),
        }
    }

    fn send(&mut self, timeout_ms: Option<u32>) {
        let timeout = timeout_ms.map_or(Duration::MAX, |ms| Duration::from_millis(ms.into()));
        let id = self.window.push(self.at(self.now_ms), timeout, self.next_request);
        assert_eq!(id, CorrelationId(self.next_id));
        let deadline_ms = timeout_ms.map(|ms| self.now_ms + u64::from(ms));
        self.sent.push_back(Sent { id, deadline_ms, request: self.next_request });
        self.next_id += 1;
        self.next_request += 1;
    }

    fn id_of(&self, answer: &Answer) -> Option<CorrelationId> {
        match *answer {
            Answer::Due => self.sent.front().map(|sent| sent.id),
            Answer::Early(nth) => self.sent.get(usize::from(nth) + 1).map(|sent| sent.id),
            Answer::Again => self.answered.map(|(_, id)| id),
            Answer::Forged(id) => Some(CorrelationId(id)),
        }
    }

    fn answer(&mut self, received: CorrelationId) {
        let expected = match self.sent.front() {
            Some(due) if due.id == received => Ok(due.request),
            Some(due) => Err(CorrelationError::OutOfOrder { expected: due.id, received }),
            None => Err(CorrelationError::NothingInFlight { received }),
        };
        let answered = self.window.complete(received);
        assert_eq!(answered, expected);
        if let Ok(request) = answered {
            assert!(self.answered.is_none_or(|(before, _)| before < request), "twice, or late");
            self.answered = Some((request, received));
            self.sent.pop_front();
        }
    }

    /// A new connection has a new window.
    fn close(&mut self) {
        let drained = self.window.drain();
        assert!(drained.eq(self.sent.drain(..).map(|sent| sent.request)), "oldest first, and all");
        assert!(self.window.is_empty());
        self.window = InFlight::new(self.limit);
        self.next_id = 0;
        self.answered = None;
    }

    fn check(&self) {
        assert!(self.window.iter().eq(self.sent.iter().map(|sent| &sent.request)));
        assert_eq!(self.window.len(), self.sent.len());
        assert_eq!(self.window.is_empty(), self.sent.is_empty());
        assert!(self.window.len() <= self.limit);
        assert_eq!(self.window.has_room(), self.window.len() < self.limit);
        assert_eq!(self.window.next_correlation_id(), CorrelationId(self.next_id));

        let is_late = |sent: &&Sent| sent.deadline_ms.is_some_and(|ms| ms <= self.now_ms);
        let late = self.sent.iter().find(is_late);
        assert_eq!(self.window.expired(self.at(self.now_ms)), late.map(|sent| &sent.request));
        let first = self.sent.iter().flat_map(|sent| sent.deadline_ms).min();
        match (self.window.next_deadline(), first) {
            (deadline, Some(ms)) => assert_eq!(deadline, Some(self.at(ms))),
            (Some(deadline), None) => {
                assert!(!self.sent.is_empty() && deadline > self.at(NEVER_MS));
            }
            (None, None) => assert!(self.sent.is_empty()),
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }
}

/// Later than any input can make it: fifty years.
const NEVER_MS: u64 = 50 * 365 * 86_400_000;
