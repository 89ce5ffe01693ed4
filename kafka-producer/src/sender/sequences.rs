//! Producer id, epoch and sequences: what lets a broker drop what it has already (KIP-98, KIP-360).
//!
//! ```text
//!             ask                 answer
//!  Unassigned ───► Requested(broker) ───► Ready(id, epoch) ──bump──► Ready(id, epoch + 1)
//!      ▲   ▲            │ error, connection lost            │
//!      │   └────────────┘ (after a backoff)                 │ the last epoch is used up
//!      └────────────────────────────────────────────────────┘
//! ```
//!
//! A batch gets its sequence when it is sent for the first time. Where a sequence is lost for good
//! (its batch failed, or the broker forgot the producer), the partition goes on under a new epoch
//! with sequence 0, once nothing of it is on the wire any more; others keep theirs until they are idle.
//!
//! A batch that may have been written must not get another sequence: the broker could not tell that it
//! has it. It is sent again as it is. If the broker has it, it says so; if a sequence before it is
//! missing it answers OUT_OF_ORDER, and then neither this batch nor a later one can be there.

use crate::sender::event::BatchId;

/// Id and epoch, always used together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ProducerId {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// The sequence of a batch's first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sequence(pub(crate) i32);

impl Sequence {
    /// The one after that many records: it wraps from `i32::MAX` to 0.
    pub(crate) fn advance(self, records: u32) -> Self {
        let next = (i64::from(self.0) + i64::from(records)) % (i64::from(i32::MAX) + 1);
        Self(i32::try_from(next).unwrap_or(0))
    }
}

/// What a batch was sent under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Assigned {
    pub(crate) producer: ProducerId,
    pub(crate) base: Sequence,
}

/// The producer's id, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProducerIdState {
    /// `enable.idempotence` is off.
    Disabled,
    Unassigned,
    Requested,
    Ready(ProducerId),
}

impl ProducerIdState {
    pub(super) fn ready(self) -> Option<ProducerId> {
        match self {
            Self::Ready(producer) => Some(producer),
            _ => None,
        }
    }

    /// The next epoch of the same id. There may be none: then another id has to be asked for.
    pub(super) fn bump(&mut self) {
        if let Self::Ready(producer) = *self {
            *self = match producer.epoch.checked_add(1) {
                // Kafka keeps the last one for fencing.
                Some(epoch) if epoch < i16::MAX => Self::Ready(ProducerId { epoch, ..producer }),
                _ => Self::Unassigned,
            };
        }
    }
}

/// The sequences of one partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PartitionSequences {
    /// What its batches are sent under.
    producer: Option<ProducerId>,
    next: Option<Sequence>,
    gap: Gap,
}

/// Whether a sequence was lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Gap {
    #[default]
    None,
    /// Batches ended without being acknowledged, this one as the last: later ones may be refused.
    Suspected { last: BatchId },
    /// The broker refused the oldest batch for its sequence: nothing that waits is there.
    Confirmed,
}

impl PartitionSequences {
    /// Whether a batch without a sequence may get one now. Under another id or epoch than before only
    /// if nothing is unanswered.
    pub(super) fn may_assign(&self, current: ProducerId, is_idle: bool) -> bool {
        self.gap == Gap::None && (self.producer == Some(current) || is_idle)
    }

    /// Whether a batch may be sent again with the sequence that it has.
    pub(super) fn may_repeat(&self) -> bool {
        self.gap != Gap::Confirmed
    }

    /// Whether nothing of this partition was ever sent under that id and epoch. A broker that knows
    /// nothing of a producer takes whatever sequence comes first.
    pub(super) fn is_new(&self, current: ProducerId) -> bool {
        self.producer != Some(current)
    }

    /// A batch ended, and nobody knows whether its sequence was used.
    pub(super) fn suspect_gap(&mut self, batch: BatchId) {
        self.gap = match self.gap {
            Gap::None => Gap::Suspected { last: batch },
            Gap::Suspected { last } => Gap::Suspected { last: last.max(batch) },
            Gap::Confirmed => Gap::Confirmed,
        };
    }

    /// A batch was acknowledged, so those before it were written as well.
    pub(super) fn settle_gap(&mut self, batch: BatchId) {
        if matches!(self.gap, Gap::Suspected { last } if last < batch) {
            self.gap = Gap::None;
        }
    }

    /// The broker misses a sequence before the oldest batch.
    pub(super) fn confirm_gap(&mut self) {
        self.gap = Gap::Confirmed;
    }

    /// Whether to go on under another epoch, once nothing is on the wire. `is_certain` says that no
    /// batch that waits with a sequence may have been written.
    pub(super) fn must_renumber(&self, is_certain: bool) -> bool {
        match self.gap {
            Gap::None => false,
            Gap::Suspected { .. } => is_certain,
            Gap::Confirmed => true,
        }
    }

    /// The sequence of the next batch.
    pub(super) fn assign(&mut self, current: ProducerId, records: u32) -> Assigned {
        if self.producer != Some(current) {
            (self.producer, self.next) = (Some(current), None);
        }
        let base = self.next.unwrap_or(Sequence(0));
        let used = if is_broken!("sequence_given_twice") { records - 1 } else { records };
        self.next = Some(base.advance(used));
        Assigned { producer: current, base }
    }

    /// Whether another epoch has to be taken first: it is broken under the current one.
    pub(super) fn needs_bump(&self, current: ProducerId) -> bool {
        self.gap != Gap::None && self.producer == Some(current)
    }

    #[cfg(test)]
    pub(super) fn name(&self) -> &'static str {
        match self.gap {
            Gap::None => "whole",
            Gap::Suspected { .. } => "gap suspected",
            Gap::Confirmed => "gap confirmed",
        }
    }

    #[cfg(test)]
    pub(super) fn set_next(&mut self, next: Sequence) {
        self.next = Some(next);
    }

    /// Begins at 0 with the next batch.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: ProducerId = ProducerId { id: 7, epoch: 0 };

    fn batch(taken: u64) -> BatchId {
        BatchId { taken, first_record: 0 }
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(Sequence(0).advance(3), Sequence(3));
        assert_eq!(Sequence(i32::MAX).advance(1), Sequence(0));
        assert_eq!(Sequence(i32::MAX - 1).advance(3), Sequence(1));
    }

    #[test]
    fn another_epoch_begins_at_zero_and_only_when_idle() {
        let mut sequences = PartitionSequences::default();
        assert_eq!(sequences.assign(P, 5).base, Sequence(0));
        assert_eq!(sequences.assign(P, 1).base, Sequence(5));
        let next = ProducerId { epoch: 1, ..P };
        assert!(!sequences.may_assign(next, false) && sequences.may_assign(next, true));
        assert_eq!(sequences.assign(next, 1), Assigned { producer: next, base: Sequence(0) });
    }

    #[test]
    fn the_last_epoch_is_followed_by_another_id() {
        let mut state = ProducerIdState::Ready(ProducerId { id: 7, epoch: i16::MAX - 2 });
        state.bump();
        assert_eq!(state, ProducerIdState::Ready(ProducerId { id: 7, epoch: i16::MAX - 1 }));
        state.bump();
        assert_eq!(state, ProducerIdState::Unassigned);
    }

    #[test]
    fn a_batch_that_may_be_there_keeps_its_sequence_until_the_broker_misses_one_before_it() {
        let mut sequences = PartitionSequences::default();
        sequences.suspect_gap(batch(1));
        assert!(sequences.may_repeat() && !sequences.must_renumber(false));
        assert!(sequences.must_renumber(true));
        sequences.confirm_gap();
        sequences.suspect_gap(batch(2));
        sequences.settle_gap(batch(3));
        assert!(!sequences.may_repeat() && sequences.must_renumber(false));
    }

    #[test]
    fn only_a_batch_behind_the_gap_shows_that_there_is_none() {
        let mut sequences = PartitionSequences::default();
        sequences.assign(P, 1);
        sequences.suspect_gap(batch(4));
        sequences.suspect_gap(batch(2));
        sequences.settle_gap(batch(3));
        assert!(sequences.needs_bump(P));
        sequences.settle_gap(batch(5));
        assert!(!sequences.needs_bump(P) && sequences.may_assign(P, false));
    }

    #[test]
    fn a_broken_partition_waits_for_another_epoch() {
        let mut sequences = PartitionSequences::default();
        sequences.assign(P, 5);
        sequences.suspect_gap(batch(1));
        assert!(sequences.needs_bump(P) && !sequences.may_assign(P, true));
        assert!(!sequences.needs_bump(ProducerId { epoch: 1, ..P }));
    }
}
