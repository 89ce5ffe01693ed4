//! What was promised for each record, and when.

use std::time::Instant;

use crate::delivery::Delivery;
use crate::{ProduceError, ProduceErrorKind, RecordMetadata};

/// All records that were accepted.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    /// Those without an outcome, oldest first.
    pending: Vec<usize>,
}

struct Entry {
    delivery: Delivery,
    /// Until then it has its outcome.
    due: Instant,
    outcome: Option<Outcome>,
}

type Outcome = Result<RecordMetadata, ProduceError>;

impl Ledger {
    pub(super) fn accept(&mut self, delivery: Delivery, due: Instant) {
        assert!(!delivery.is_done(), "an outcome before it was sent");
        self.pending.push(self.entries.len());
        self.entries.push(Entry { delivery, due, outcome: None });
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Records before this one have their outcome.
    pub(super) fn first_pending(&self) -> usize {
        self.pending.first().copied().unwrap_or(self.entries.len())
    }

    /// Whether nothing has an outcome that was not told.
    pub(super) fn is_untold(&self) -> bool {
        self.pending.iter().all(|at| !self.entries[*at].delivery.is_done())
    }

    /// Takes outcomes that were told just now. Says of how many records.
    pub(super) fn collect(&mut self) -> usize {
        let (entries, before) = (&mut self.entries, self.pending.len());
        self.pending.retain(|at| {
            let entry = &mut entries[*at];
            entry.outcome = entry.delivery.try_result();
            entry.outcome.is_none()
        });
        before - self.pending.len()
    }

    /// No record waits longer than it may.
    pub(super) fn check_due(&self, now: Instant) {
        if let Some(at) = self.pending.first() {
            assert!(self.entries[*at].due > now, "record {at} has no outcome in time");
        }
    }

    /// What was told is still so, and nobody forgot a record.
    pub(super) fn check_final(&self) {
        assert!(self.is_settled(), "{} records have no outcome", self.pending.len());
        for (at, entry) in self.entries.iter().enumerate() {
            let (now, before) = (entry.delivery.try_result(), entry.outcome.as_ref());
            let is_same = match (&now, before) {
                (Some(Ok(now)), Some(Ok(before))) => now == before,
                (Some(Err(now)), Some(Err(before))) => {
                    now.kind() == before.kind()
                        && now.may_have_been_written() == before.may_have_been_written()
                }
                _ => false,
            };
            assert!(is_same, "record {at} was told {before:?}, and then {now:?}");
            if let Some(Err(error)) = before {
                let is_dropped = matches!(error.kind(), ProduceErrorKind::DriverEnded(_));
                assert!(!is_dropped, "record {at} was forgotten: {error}");
            }
        }
    }

    /// How many failed because the producer was closed.
    pub(super) fn given_up(&self) -> usize {
        let outcomes = self.entries.iter().filter_map(|entry| entry.outcome.as_ref());
        let is_closed = |outcome: &&Outcome| {
            outcome.as_ref().is_err_and(|error| *error.kind() == ProduceErrorKind::Closed)
        };
        outcomes.filter(is_closed).count()
    }

    /// What became of the last one.
    pub(super) fn last(&self) -> Option<&Outcome> {
        self.entries.last()?.outcome.as_ref()
    }
}
