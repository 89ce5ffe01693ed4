//! The log of one partition: batches in order, each with the offset that it got.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::records::{RecordBatch, RecordBatchHeader};

use crate::batch::Batch;

/// Batches behind each other without gaps, from `start_offset` to `end_offset`.
#[derive(Debug, Default)]
pub(crate) struct PartitionLog {
    batches: VecDeque<StoredBatch>,
    start_offset: i64,
    end_offset: i64,
    /// Bytes that were ever appended.
    position: usize,
}

/// A batch as the producer sent it, with what the broker adds to it.
#[derive(Debug)]
struct StoredBatch {
    base_offset: i64,
    leader_epoch: i32,
    appended: Instant,
    header: RecordBatchHeader,
    /// Bytes that were ever appended before it.
    position: usize,
    /// With the offset and leader epoch of the producer; the real ones are put in when it is read.
    bytes: Bytes,
}

/// Bytes that the broker writes anew: base offset, batch length, partition leader epoch. The CRC does
/// not cover them.
const PATCH_LEN: usize = 16;

impl PartitionLog {
    /// Adds a batch and gives its base offset. Old batches go while the log is longer than
    /// `retention_bytes`.
    pub(crate) fn append(
        &mut self,
        now: Instant,
        batch: &Batch,
        leader_epoch: i32,
        retention_bytes: usize,
    ) -> i64 {
        // A copy of its own, so that it does not keep the frame that it came in.
        let bytes = Bytes::copy_from_slice(&batch.bytes);
        let base_offset = self.end_offset;
        let (header, position) = (batch.header, self.position);
        self.position += bytes.len();
        self.batches.push_back(StoredBatch {
            base_offset,
            leader_epoch,
            appended: now,
            header,
            position,
            bytes,
        });
        self.end_offset = base_offset.saturating_add(i64::from(header.record_count));
        while self.len() > retention_bytes && self.batches.len() > 1 {
            self.drop_oldest();
        }
        base_offset
    }

    /// Gives a batch its offset without keeping it.
    pub(crate) fn skip(&mut self, record_count: i32) -> i64 {
        let base_offset = self.end_offset;
        self.end_offset = base_offset.saturating_add(i64::from(record_count));
        self.start_offset = self.end_offset;
        base_offset
    }

    /// Deletes what is before `offset`, batch by batch; the start offset becomes `offset`.
    pub(crate) fn delete_before(&mut self, offset: i64) {
        let offset = offset.min(self.end_offset);
        while self.batches.front().is_some_and(|batch| batch.end_offset() <= offset) {
            self.drop_oldest();
        }
        self.start_offset = self.start_offset.max(offset);
    }

    /// Loses every batch with a record at `offset` or later.
    pub(crate) fn truncate(&mut self, offset: i64) {
        while let Some(last) = self.batches.back().filter(|batch| batch.end_offset() > offset) {
            self.end_offset = last.base_offset;
            self.position = last.position;
            self.batches.pop_back();
        }
        self.end_offset = self.end_offset.max(self.start_offset);
    }

    /// The first offset that can be read.
    pub(crate) fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset that the next record gets. There are no lagging followers, so this is the high
    /// watermark as well.
    pub(crate) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// About how many bytes [`read`](Self::read) would give, without looking at each batch.
    pub(crate) fn readable(&self, offset: i64, max_bytes: usize) -> usize {
        let first = self.batches.get(self.index_of(offset));
        first.map_or(0, |first| self.position - first.position).min(max_bytes)
    }

    /// Whole batches from the one that holds `offset`, as long as they fit into `max_bytes`, as pieces
    /// that share the log's bytes. The first one comes whatever its size if `at_least_one` (KIP-74).
    pub(crate) fn read(&self, offset: i64, max_bytes: usize, at_least_one: bool) -> Vec<Bytes> {
        let selected = self.select(offset, max_bytes, at_least_one);
        selected.flat_map(StoredBatch::pieces).collect()
    }

    /// The header of each batch as its producer sent it, the offset that it got, and when.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&RecordBatchHeader, i64, Instant)> {
        self.batches.iter().map(|batch| (&batch.header, batch.base_offset, batch.appended))
    }

    /// Every batch, with its offsets.
    pub(crate) fn batches(&self) -> impl Iterator<Item = RecordBatch> + '_ {
        self.batches.iter().filter_map(StoredBatch::decode)
    }

    /// The first record with this timestamp or a later one: its timestamp, offset and leader epoch.
    pub(crate) fn find_timestamp(&self, timestamp: i64) -> Option<(i64, i64, i32)> {
        let batch = self.batches.iter().find(|batch| batch.header.max_timestamp >= timestamp)?;
        let records = batch.decode()?;
        let mut records = records.iter().flatten();
        let record = records.find(|record| record.timestamp >= timestamp)?;
        Some((record.timestamp, record.offset, batch.leader_epoch))
    }

    /// The record with the largest timestamp: its timestamp, offset and leader epoch.
    pub(crate) fn find_max_timestamp(&self) -> Option<(i64, i64, i32)> {
        let largest = self.batches.iter().map(|batch| batch.header.max_timestamp).max()?;
        self.find_timestamp(largest)
    }

    /// Leader epoch of the first batch.
    pub(crate) fn first_epoch(&self) -> Option<i32> {
        self.batches.front().map(|batch| batch.leader_epoch)
    }

    fn select(
        &self,
        offset: i64,
        max_bytes: usize,
        at_least_one: bool,
    ) -> impl Iterator<Item = &StoredBatch> {
        let first = self.index_of(offset);
        let mut left = max_bytes;
        let mut may_exceed = at_least_one;
        self.batches.range(first..).take_while(move |batch| {
            let fits = batch.bytes.len() <= left || may_exceed;
            may_exceed = false;
            left = left.saturating_sub(batch.bytes.len());
            fits
        })
    }

    /// Place of the batch that holds `offset`, or of the first one behind it.
    fn index_of(&self, offset: i64) -> usize {
        self.batches.partition_point(|batch| batch.end_offset() <= offset)
    }

    /// Bytes that are kept.
    fn len(&self) -> usize {
        self.batches.front().map_or(0, |first| self.position - first.position)
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.batches.pop_front() {
            self.start_offset = self.start_offset.max(oldest.end_offset());
        }
    }
}

impl StoredBatch {
    fn end_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.header.record_count))
    }

    fn pieces(&self) -> [Bytes; 2] {
        let mut patch = BytesMut::with_capacity(PATCH_LEN);
        patch.put_i64(self.base_offset);
        patch.put_i32(self.header.batch_length);
        patch.put_i32(self.leader_epoch);
        let rest = self.bytes.len().min(PATCH_LEN);
        [patch.freeze(), self.bytes.slice(rest..)]
    }

    fn decode(&self) -> Option<RecordBatch> {
        let [patch, rest] = self.pieces();
        let mut bytes = BytesMut::with_capacity(self.bytes.len());
        bytes.extend_from_slice(&patch);
        bytes.extend_from_slice(&rest);
        RecordBatch::decode(&mut bytes.freeze()).ok()
    }
}
