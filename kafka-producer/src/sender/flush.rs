//! Flushes: who waits for which batches, and what became of their records.
//!
//! ```text
//!            takes all that is queued        outcomes are counted
//!   Flush ─────────────────────────► waiting ────────────────────► CommandDone
//!                                       │ all batches before `end` have their outcome,
//!                                       └ or the deadline: what is left goes on
//! ```

use std::time::Instant;

use crate::ProduceError;
use crate::accumulator::Completion;
use crate::sender::Sender;
use crate::sender::event::{Action, Answer, BatchId, CommandId};
use crate::sender::partitions::Taken;
use crate::sender::timers::Timer;

/// Somebody waits until every batch before `end` has its outcome.
#[derive(Debug)]
pub(super) struct Flush {
    id: CommandId,
    end: BatchId,
    deadline: Option<Instant>,
    report: FlushReport,
}

/// What became of the records that had no outcome when the flush began.
#[derive(Debug, Clone, Default)]
pub(crate) struct FlushReport {
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    /// Why the first of them failed.
    pub(crate) first: Option<ProduceError>,
    /// Those whose outcome came too late for the deadline.
    pub(crate) unfinished: u64,
}

impl Sender {
    /// Takes everything out of the queues, so that what comes later is not waited for.
    pub(super) fn begin_flush(&mut self, now: Instant, id: CommandId, deadline: Option<Instant>) {
        self.look_at_queues(now);
        for index in self.nonempty.clone() {
            while self.take_from_queue(index) {}
            self.evaluate(now, index);
        }
        let count = if is_broken!("flush_waits_for_nothing") { 0 } else { self.next_batch };
        let end = BatchId { taken: count, first_record: 0 };
        self.flushes.push(Flush { id, end, deadline, report: FlushReport::default() });
    }

    /// Nobody waits for a flush any more.
    pub(super) fn forget_flush(&mut self, id: CommandId) {
        self.flushes.retain(|flush| flush.id != id);
    }

    /// Records of a batch have their outcome.
    pub(super) fn conclude(&mut self, id: BatchId, completion: Completion) {
        let records = completion.record_count();
        let error = completion.error();
        if let Some(error) = error {
            self.sensors.on_error(self.now, error.topic(), records);
        }
        for flush in self.flushes.iter_mut().filter(|flush| id < flush.end) {
            flush.report.count(records, error);
        }
        self.actions.push_back(Action::Complete(completion));
    }

    /// A record of a batch has an outcome of its own. It is counted with its batch, whose end follows.
    pub(super) fn conclude_one(&mut self, id: BatchId, completion: Completion) {
        for flush in self.flushes.iter_mut().filter(|flush| id < flush.end) {
            flush.report.count(0, completion.error());
        }
        self.actions.push_back(Action::Complete(completion));
    }

    /// Answers flushes whose batches have their outcome, and those that wait no longer.
    pub(super) fn finish_flushes(&mut self, now: Instant) {
        let oldest = self.incomplete.first().copied();
        let is_over = |flush: &Flush| {
            oldest.is_none_or(|oldest| oldest >= flush.end)
                || flush.deadline.is_some_and(|deadline| deadline <= now)
        };
        let (over, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.flushes).into_iter().partition(is_over);
        self.flushes = waiting;
        for Flush { id, end, report, .. } in over {
            let unfinished = self.unfinished_before(end);
            let report = FlushReport { unfinished, ..report };
            self.actions.push_back(Action::CommandDone(id, Answer::Flushed(report)));
        }
        let deadline = self.flushes.iter().filter_map(|flush| flush.deadline).min();
        self.timers.set(Timer::Flush, deadline);
    }

    /// Records without an outcome in batches that were taken before that one.
    fn unfinished_before(&self, end: BatchId) -> u64 {
        let is_unfinished = |taken: &&Taken| taken.id < end && !taken.batch.is_complete();
        let partitions = self.partitions.iter().flatten();
        let all =
            partitions.flat_map(|partition| partition.waiting.iter().chain(&partition.in_flight));
        all.filter(is_unfinished).map(|taken| u64::from(taken.batch.record_count())).sum()
    }
}

impl FlushReport {
    fn count(&mut self, records: u32, error: Option<&ProduceError>) {
        match error {
            None => self.delivered += u64::from(records),
            Some(error) => {
                self.failed += u64::from(records);
                self.first.get_or_insert_with(|| error.clone());
            }
        }
    }
}
