//! The outcome of a range of records, and the search for one.

use std::ops::Range;

use crate::sync::Arc;
use crate::{ProduceError, RecordMetadata};

/// What became of some records of a batch.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The broker has them.
    Written {
        /// Offset of the first of them, if the broker told.
        first_offset: Option<i64>,
        /// The broker's timestamp, if the topic has `message.timestamp.type=LogAppendTime`.
        log_append_time: Option<i64>,
    },
    /// They failed, and for the same reason.
    Failed(ProduceError),
}

impl Outcome {
    /// The same outcome for records that begin so many later.
    pub(super) fn skip(&self, records: u32) -> Self {
        match self {
            Self::Written { first_offset, log_append_time } => Self::Written {
                // The offset is a peer's: where it would overflow it is none.
                first_offset: first_offset.and_then(|first| first.checked_add(records.into())),
                log_append_time: *log_append_time,
            },
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }
}

/// What a record's metadata needs that its batch does not share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordFacts {
    pub(crate) timestamp: i64,
    /// Position in the batch.
    pub(crate) index: u32,
    /// -1 if there is no key, as on the wire.
    pub(crate) key_size: i32,
    /// -1 if there is no value.
    pub(crate) value_size: i32,
}

impl RecordFacts {
    pub(crate) fn new(
        index: u32,
        timestamp: i64,
        key_size: Option<usize>,
        value_size: Option<usize>,
    ) -> Self {
        Self { timestamp, index, key_size: pack(key_size), value_size: pack(value_size) }
    }
}

/// No key or value that Kafka can take is longer than `i32::MAX`.
fn pack(size: Option<usize>) -> i32 {
    size.map_or(-1, |size| i32::try_from(size).unwrap_or(i32::MAX))
}

fn unpack(size: i32) -> Option<usize> {
    usize::try_from(size).ok()
}

/// Records that got one outcome. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(super) records: Range<u32>,
    outcome: Outcome,
}

impl Part {
    pub(super) fn new(records: Range<u32>, outcome: Outcome) -> Self {
        debug_assert!(!records.is_empty(), "an outcome of no records");
        Self { records, outcome }
    }

    /// What a record of this part is told.
    pub(crate) fn result(
        &self,
        topic: &Arc<str>,
        partition: i32,
        record: RecordFacts,
    ) -> Result<RecordMetadata, ProduceError> {
        debug_assert!(self.records.contains(&record.index), "a record of another part");
        match self.outcome.skip(record.index.saturating_sub(self.records.start)) {
            Outcome::Written { first_offset, log_append_time } => Ok(RecordMetadata {
                topic: topic.clone(),
                partition,
                offset: first_offset,
                timestamp: log_append_time.unwrap_or(record.timestamp),
                serialized_key_size: unpack(record.key_size),
                serialized_value_size: unpack(record.value_size),
            }),
            Outcome::Failed(error) => Err(error),
        }
    }
}

/// All parts of a batch that are resolved.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) first: Option<&'a Part>,
    /// Sorted; no record is in two parts.
    pub(super) rest: &'a [Part],
}

impl<'a> Parts<'a> {
    /// The part that has this record.
    pub(super) fn find(self, index: u32) -> Option<&'a Part> {
        let at = self.rest.partition_point(|part| part.records.end <= index);
        let found = |part: &&Part| part.records.contains(&index);
        self.first.filter(found).or_else(|| self.rest.get(at).filter(found))
    }

    /// The first of these records that are not resolved, up to the next one that is.
    pub(super) fn next_gap(self, records: Range<u32>) -> Option<Range<u32>> {
        let mut start = records.start;
        while let Some(part) = self.find(start) {
            start = part.records.end;
        }
        if start >= records.end {
            return None;
        }
        let at = self.rest.partition_point(|part| part.records.start <= start);
        let behind = |part: &&Part| part.records.start > start;
        let next = self.first.filter(behind).into_iter().chain(self.rest.get(at));
        let end = next.map(|part| part.records.start).fold(records.end, u32::min);
        Some(start..end)
    }
}
