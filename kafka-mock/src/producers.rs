//! What a partition remembers of its producers: epochs, and the window of five batches.
//!
//! Behaves as Kafka's `ProducerStateManager`, `ProducerStateEntry` and `ProducerAppendInfo` (4.x):
//!
//! ```text
//! is one of the last five, same epoch          → duplicate: its offset and timestamp again
//! epoch below the one remembered               → INVALID_PRODUCER_EPOCH
//! epoch above it, sequence not 0               → OUT_OF_ORDER_SEQUENCE_NUMBER
//! same epoch, sequence not the next one        → OUT_OF_ORDER_SEQUENCE_NUMBER
//! producer id not known here, any sequence     → appended (it may have been forgotten)
//! ```
//!
//! Brokers have not answered `DUPLICATE_SEQUENCE_NUMBER` or `UNKNOWN_PRODUCER_ID` to Produce since
//! 2.x: a batch that has left the window is simply out of order, and an unknown id is a new one.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use kafka_protocol::ErrorCode;
use kafka_protocol::records::RecordBatchHeader;

/// The producers of one partition, by producer id.
#[derive(Debug, Default)]
pub(crate) struct ProducerStates {
    entries: BTreeMap<i64, ProducerEntry>,
}

#[derive(Debug)]
struct ProducerEntry {
    epoch: i16,
    last_written: Instant,
    /// The last batches of this epoch, the newest last.
    window: VecDeque<BatchMetadata>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BatchMetadata {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    timestamp: i64,
}

/// How many batches a broker remembers, and so how many a producer may have in flight.
pub(crate) const WINDOW: usize = 5;

/// What to do with a batch that may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequenced {
    /// Append it.
    New,
    /// It is in the log already, from this offset on.
    Duplicate { base_offset: i64, timestamp: i64 },
}

impl ProducerStates {
    /// Judges a batch. One without a producer id is always new.
    ///
    /// # Errors
    /// What Kafka answers to a batch that must not be written.
    pub(crate) fn check(&self, header: &RecordBatchHeader) -> Result<Sequenced, ErrorCode> {
        if header.producer_id < 0 {
            return Ok(Sequenced::New);
        }
        match self.entries.get(&header.producer_id) {
            Some(entry) => entry.check(header),
            None => Ok(Sequenced::New),
        }
    }

    /// Remembers a batch that was appended. Beyond `ids_max` ids the lowest is forgotten.
    pub(crate) fn update(
        &mut self,
        header: &RecordBatchHeader,
        base_offset: i64,
        now: Instant,
        ids_max: usize,
    ) {
        if header.producer_id < 0 {
            return;
        }
        let epoch = header.producer_epoch;
        let window = || VecDeque::with_capacity(WINDOW);
        let new = || ProducerEntry { epoch, last_written: now, window: window() };
        let entry = self.entries.entry(header.producer_id).or_insert_with(new);
        if entry.epoch != epoch {
            entry.epoch = epoch;
            entry.window.clear();
        }
        entry.last_written = now;
        if entry.window.len() == WINDOW {
            entry.window.pop_front();
        }
        entry.window.push_back(BatchMetadata {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset,
            timestamp: header.max_timestamp,
        });
        while self.entries.len() > ids_max {
            self.entries.pop_first();
        }
    }

    /// Forgets a producer id that has written nothing for so long.
    pub(crate) fn expire(&mut self, producer_id: i64, now: Instant, expiration: Duration) {
        let is_over =
            |entry: &ProducerEntry| now.saturating_duration_since(entry.last_written) >= expiration;
        if self.entries.get(&producer_id).is_some_and(is_over) {
            self.entries.remove(&producer_id);
        }
    }

    /// Forgets them all; how many they were.
    pub(crate) fn forget_all(&mut self) -> usize {
        std::mem::take(&mut self.entries).len()
    }

    /// Forgets a producer id, as after `producer.id.expiration.ms`.
    pub(crate) fn forget(&mut self, producer_id: i64) {
        self.entries.remove(&producer_id);
    }
}

impl ProducerEntry {
    fn check(&self, header: &RecordBatchHeader) -> Result<Sequenced, ErrorCode> {
        let (first, last) = (header.base_sequence, header.last_sequence());
        if header.producer_epoch < self.epoch {
            return Err(ErrorCode::INVALID_PRODUCER_EPOCH);
        }
        if header.producer_epoch > self.epoch {
            return in_order(first == 0);
        }
        let is_same =
            |batch: &&BatchMetadata| batch.first_sequence == first && batch.last_sequence == last;
        if let Some(batch) = self.window.iter().find(is_same) {
            let (base_offset, timestamp) = (batch.base_offset, batch.timestamp);
            return Ok(Sequenced::Duplicate { base_offset, timestamp });
        }
        let next = match self.window.back() {
            Some(BatchMetadata { last_sequence: i32::MAX, .. }) | None => 0,
            Some(batch) => batch.last_sequence + 1,
        };
        in_order(first == next)
    }
}

fn in_order(yes: bool) -> Result<Sequenced, ErrorCode> {
    if yes { Ok(Sequenced::New) } else { Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER) }
}
