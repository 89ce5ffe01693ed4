//! Running, being closed, closed; and what users want in between.
//!
//! ```text
//!            Close             nothing is left, or the deadline
//!  Running ─────────► Closing ──────────────────────────────────► Closed
//! ```

use std::time::{Duration, Instant};

use crate::ProduceErrorKind;
use crate::delivery::Outcome;
use crate::sender::Sender;
use crate::sender::event::{Action, Command};
use crate::sender::pause::Question;
use crate::sender::sealing::Seals;
use crate::sender::timers::Timer;

/// Where a sender is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifecycle {
    Running,
    /// Sends what was accepted.
    Closing,
    Closed,
}

impl Lifecycle {
    pub(super) fn is_running(self) -> bool {
        self == Self::Running
    }
}

impl Sender {
    pub(super) fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::WantTopic(topic) => self.metadata.want(now, &topic),
            Command::Flush { id, deadline } => self.begin_flush(now, id, deadline),
            Command::Forget(id) => self.forget_flush(id),
            Command::WhyPaused { id, topic, partition } => {
                self.questions.push(Question { id, topic, partition });
            }
            Command::Close { deadline } => {
                if self.lifecycle.is_running() {
                    self.lifecycle = Lifecycle::Closing;
                }
                self.timers.set(Timer::Close, deadline);
            }
        }
    }

    /// Ends what has come to its end.
    pub(super) fn advance_lifecycle(&mut self, now: Instant) {
        self.finish_flushes(now);
        let is_done =
            self.nonempty.is_empty() && self.incomplete.is_empty() && self.unanswered.is_empty();
        if self.lifecycle == Lifecycle::Closing && is_done {
            self.end(now);
        }
    }

    /// The time to close in is over: what is left fails.
    pub(super) fn force_close(&mut self, now: Instant) {
        if self.lifecycle != Lifecycle::Closed {
            // Outcomes of before are no losses.
            let before = self.actions.len();
            self.fail_everything(now, &ProduceErrorKind::Closed);
            let given_up = self.actions.iter().skip(before).map(|action| match action {
                Action::Complete(completion) => u64::from(completion.record_count()),
                _ => 0,
            });
            self.abandoned = given_up.sum();
            // Whoever waits for what is given up here is told so, by the end of the driver.
            if self.abandoned > 0 {
                self.flushes.clear();
            }
            self.advance_lifecycle(now);
            self.end(now);
        }
    }

    /// Fails every record that has no outcome yet.
    pub(super) fn fail_everything(&mut self, now: Instant, kind: &ProduceErrorKind) {
        self.look_at_queues(now);
        for index in 0..self.partitions.len() {
            self.fail_partition(index, kind);
            self.evaluate(now, index);
        }
    }

    /// Fails what a partition holds. What is in flight is kept until its answer.
    pub(super) fn fail_partition(&mut self, index: usize, kind: &ProduceErrorKind) {
        while self.take_from_queue(index) {}
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let mut failed = Vec::new();
        for taken in &mut partition.in_flight {
            if !taken.batch.is_complete() {
                taken.batch.may_have_been_written = true;
                let outcome = Outcome::Failed(taken.batch.error(kind.clone()));
                self.incomplete.remove(&taken.id);
                failed.push((taken.id, taken.batch.complete(outcome)));
            }
        }
        let waiting = std::mem::take(&mut partition.waiting);
        if let Some(last) = waiting.iter().rfind(|taken| taken.sequence.is_some()) {
            partition.sequences.suspect_gap(last.id);
        }
        failed.into_iter().for_each(|(id, completion)| self.conclude(id, completion));
        for taken in waiting {
            self.fail_batch(taken, kind.clone());
        }
    }

    /// Revokes grants of memory that nobody takes, and refills what splits and seals have used.
    pub(super) fn watch_memory(&mut self, now: Instant) {
        let largest = self.largest_batch();
        let budget = self.accumulator.budget();
        // Nothing is there to be split: a record that needs nearly all of the memory gets it.
        let is_idle = self.nonempty.is_empty() && self.incomplete.is_empty();
        let gives_way = budget.has_waiters() && is_idle;
        let result =
            if self.config.is_compressed { Seals::reserve_for(largest, budget.total()) } else { 0 };
        for (reserve, wanted) in
            [(&mut self.split_reserve, largest), (&mut self.seals.reserve, result)]
        {
            let missing = wanted.saturating_sub(reserve.bytes());
            if gives_way {
                reserve.shrink(reserve.bytes());
            } else if missing > 0 {
                budget.try_grow(reserve, missing);
            }
        }
        // Not put off by what happens meanwhile.
        let next = self.timers.get(Timer::Memory).unwrap_or(now + GRANT_PATIENCE);
        self.timers.set(Timer::Memory, budget.has_grants().then_some(next));
    }

    fn end(&mut self, now: Instant) {
        let (connections, mut out) = self.io();
        let lost = connections.close_all(now, &mut out);
        self.on_lost(now, lost, "the producer was closed");
        self.lose_unanswered(now);
        self.lifecycle = Lifecycle::Closed;
        self.timers = super::Timers::default();
        // Nobody waits for what is still being compressed.
        self.seals.clear();
    }
}

impl Drop for Sender {
    /// Its records fail with it. Nobody will learn what became of those that were on the wire.
    fn drop(&mut self) {
        let partitions = self.partitions.iter_mut().flatten();
        for taken in partitions.flat_map(|partition| &mut partition.in_flight) {
            taken.batch.may_have_been_written = true;
        }
    }
}

/// A future that does not take granted memory for that long loses its turn.
const GRANT_PATIENCE: Duration = Duration::from_millis(5);
