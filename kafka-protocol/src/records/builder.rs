//! Builds the records of a batch, in wire form, as they come.

use std::fmt;

use bytes::Bytes;

use super::body::RecordBatchBody;
use super::header::LENGTH_COUNTS_FROM;
use super::record::RecordHeader;
use super::{ChunkPool, RecordBatchHeader};
use crate::primitives::varint::{unsigned_varlong_len, write_varint_64, zigzag_64};

/// Collects records into the body of a batch.
///
/// A record is encoded once, straight into the batch. Memory grows in chunks, 1 KiB first and then
/// doubling up to 64 KiB, so that many nearly empty batches stay small; nothing is moved when a
/// batch grows.
#[derive(Debug)]
pub struct RecordBatchBuilder {
    full: Vec<Bytes>,
    open: Vec<u8>,
    /// Bytes in `full`.
    full_len: usize,
    /// Where chunks come from, if not from the system.
    pool: Option<ChunkPool>,
    /// Capacity of the first chunk.
    chunk_first: usize,
    record_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

/// Capacity of a batch's first chunk.
const CHUNK_FIRST: usize = 1024;
/// Capacity of the largest chunks, unless one record needs more.
const CHUNK_MAX: usize = 64 * 1024;
/// Most bytes of a body: the batch length, an int32, counts part of the header as well.
const BODY_MAX: usize = i32::MAX as usize - (RecordBatchHeader::LEN - LENGTH_COUNTS_FROM);

impl RecordBatchBuilder {
    /// A builder that has not allocated anything yet.
    pub const fn new() -> Self {
        Self {
            full: Vec::new(),
            open: Vec::new(),
            full_len: 0,
            pool: None,
            chunk_first: CHUNK_FIRST,
            record_count: 0,
            base_timestamp: -1,
            max_timestamp: -1,
        }
    }

    /// A builder that takes its chunks from a pool, to which they come back when the body is dropped.
    ///
    /// The first chunk is large enough for `expected` bytes of records, up to 64 KiB.
    pub fn with_pool(pool: ChunkPool, expected: usize) -> Self {
        let chunk_first = expected.clamp(CHUNK_FIRST, CHUNK_MAX).next_power_of_two();
        Self { pool: Some(pool), chunk_first, ..Self::new() }
    }

    /// A builder whose first chunk holds `bytes` of records: for a batch whose size is known.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { open: Vec::with_capacity(bytes), ..Self::new() }
    }

    /// Adds a record, and gives its place in the batch: 0 for the first one.
    ///
    /// `timestamp` is in ms since 1970. A null key or value is `None`, which is not the same as an
    /// empty one. Headers keep their order, keys may repeat.
    ///
    /// # Errors
    /// If the record or the batch would become longer than the format can say (2 GiB). The batch is
    /// then as it was before.
    #[inline]
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> Result<u32, AppendError> {
        let record = self.measure(timestamp, key, value, headers)?;
        if !record.put_in_place(&mut self.open) {
            self.put_across_chunks(timestamp, key, value, headers)?;
        }
        Ok(self.count(timestamp))
    }

    /// Adds a record if that takes no new memory and leaves the batch with no more than `len_max` bytes
    /// of records; otherwise nothing changes. Gives what [`append`](Self::append) gives.
    #[inline]
    pub fn append_in_place(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
        len_max: usize,
    ) -> Option<u32> {
        let record = self.measure(timestamp, key, value, headers).ok()?;
        let is_put = self.len() + record.len <= len_max && record.put_in_place(&mut self.open);
        is_put.then(|| self.count(timestamp))
    }

    /// Bytes that [`append`](Self::append) would add to the batch for this record.
    ///
    /// # Errors
    /// As `append`.
    #[inline]
    pub fn record_len(
        &self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> Result<usize, AppendError> {
        Ok(self.measure(timestamp, key, value, headers)?.len)
    }

    /// Bytes of memory that would be allocated to add `len` bytes of records; 0 if they fit into the
    /// open chunk.
    pub fn memory_needed(&self, len: usize) -> usize {
        match len.checked_sub(self.open.capacity() - self.open.len()) {
            None | Some(0) => 0,
            Some(rest) => self.next_chunk(rest),
        }
    }

    /// Bytes of memory allocated for records so far, full or not.
    pub fn memory(&self) -> usize {
        self.full_len + self.open.capacity()
    }

    /// Length of the records so far in bytes, without the batch header.
    pub fn len(&self) -> usize {
        self.full_len + self.open.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.record_count == 0
    }

    /// Number of records.
    pub fn record_count(&self) -> i32 {
        self.record_count
    }

    /// Ends the batch: nothing more can be added. Copies nothing.
    pub fn finish(mut self) -> RecordBatchBody {
        if !self.open.is_empty() {
            self.full.push(share(self.pool.as_ref(), self.open));
        }
        let header = RecordBatchHeader {
            last_offset_delta: self.record_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            record_count: self.record_count,
            ..RecordBatchHeader::EMPTY
        };
        RecordBatchBody::new(self.full, header)
    }

    #[inline]
    fn measure<'r>(
        &self,
        timestamp: i64,
        key: Option<&'r [u8]>,
        value: Option<&'r [u8]>,
        headers: &'r [RecordHeader<'r>],
    ) -> Result<Measured<'r>, AppendError> {
        let offset_delta = self.record_count;
        // Differences wrap, and wrap back when they are read.
        let timestamp_delta =
            if offset_delta == 0 { 0 } else { timestamp.wrapping_sub(self.base_timestamp) };
        let (timestamp, offset) = (zigzag_64(timestamp_delta), (offset_delta as u64) << 1);
        let bytes = key.map_or(0, <[u8]>::len).saturating_add(value.map_or(0, <[u8]>::len));
        let is_short = bytes < SHORT_MAX && (timestamp | offset) < 1 << 14 && headers.is_empty();
        let content_len = if is_short {
            let head = short_len(timestamp) + short_len(offset);
            // Attributes, and the number of headers.
            2 + head + short_len(nullable(key)) + short_len(nullable(value)) + bytes
        } else {
            long_len(timestamp, offset, key, value, headers)
        };
        if content_len > BODY_MAX - 5 {
            return Err(AppendError::RecordTooLarge { len: content_len });
        }
        let len = length_len(content_len) + content_len;
        if len > BODY_MAX - self.len() || offset_delta == i32::MAX {
            return Err(AppendError::BatchFull);
        }
        Ok(Measured { len, content_len, timestamp, offset, is_short, key, value, headers })
    }

    /// Counts a record that was written, and gives its place.
    #[inline(always)]
    fn count(&mut self, timestamp: i64) -> u32 {
        let place = self.record_count;
        if place == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.record_count += 1;
        place as u32
    }

    /// Capacity of the next chunk, of which `needed` bytes are used at once.
    fn next_chunk(&self, needed: usize) -> usize {
        let doubled = (2 * self.open.capacity()).clamp(self.chunk_first, CHUNK_MAX);
        doubled.max(needed)
    }

    /// Any record: to the end of the open chunk, and on in the next ones.
    ///
    /// Measures again, so that the common way keeps nothing in memory for this one.
    #[inline(never)]
    fn put_across_chunks(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[RecordHeader<'_>],
    ) -> Result<(), AppendError> {
        let record = self.measure(timestamp, key, value, headers)?;
        let mut chunks = ChunkWriter { rest: record.len, builder: self };
        record.put(&mut chunks);
        Ok(())
    }
}

impl Default for RecordBatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// The bytes of a full chunk, which go back where they came from.
fn share(pool: Option<&ChunkPool>, chunk: Vec<u8>) -> Bytes {
    match pool {
        Some(pool) => pool.share(chunk),
        None => chunk.into(),
    }
}

/// A record with what it takes to write it.
struct Measured<'r> {
    /// Bytes of the record, its length field included.
    len: usize,
    /// What the length field says.
    content_len: usize,
    /// Time since the first record, in zigzag form.
    timestamp: u64,
    /// Place after the first record, in zigzag form.
    offset: u64,
    /// Each of its varints takes one or two bytes, and it has no headers.
    is_short: bool,
    key: Option<&'r [u8]>,
    value: Option<&'r [u8]>,
    headers: &'r [RecordHeader<'r>],
}

impl Measured<'_> {
    /// Writes the record if the chunk has room for it.
    #[inline(always)]
    fn put_in_place(&self, open: &mut Vec<u8>) -> bool {
        let room = open.capacity() - open.len();
        // The head is written as eight bytes, whatever it takes.
        if self.is_short && self.len + 8 <= room {
            let (head, len) = self.short_head();
            let end = open.len() + len;
            open.extend_from_slice(&head);
            open.truncate(end);
            put_nullable(open, self.key);
            put_nullable(open, self.value);
            open.push(0);
            return true;
        }
        let fits = self.len <= room;
        if fits {
            self.put_long(open);
        }
        fits
    }

    #[inline(never)]
    fn put_long(&self, open: &mut Vec<u8>) {
        self.put(open);
    }

    #[inline(always)]
    fn put(&self, out: &mut impl Put) {
        put_length(out, self.content_len);
        // Attributes of a record: none are defined.
        out.put(&[0]);
        put_varint_64(out, self.timestamp);
        put_varint_64(out, self.offset);
        self.put_content(out);
    }

    /// What comes before the key and its length, of a short record.
    ///
    /// Put together in a register, and written at once: that saves the checks for room of each.
    #[inline(always)]
    fn short_head(&self) -> ([u8; 8], usize) {
        let mut head = 0;
        let mut bits = 0;
        let length = (self.content_len as u64) << 1;
        for (value, attributes_bits) in [(length, 8), (self.timestamp, 0), (self.offset, 0)] {
            let (bytes, len) =
                if value < 0x80 { (value, 8) } else { (value & 0x7f | 0x80 | value >> 7 << 8, 16) };
            head |= bytes << bits;
            // Attributes of a record: none are defined.
            bits += len + attributes_bits;
        }
        (head.to_le_bytes(), bits / 8)
    }

    #[inline(always)]
    fn put_content(&self, out: &mut impl Put) {
        put_nullable(out, self.key);
        put_nullable(out, self.value);
        put_length(out, self.headers.len());
        for header in self.headers {
            put_nullable(out, Some(header.key.as_bytes()));
            put_nullable(out, header.value);
        }
    }
}

/// Where a record is written: a chunk that has room for it, or several.
trait Put {
    fn put(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    #[inline(always)]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Fills the open chunk to its end and goes on in the next one.
struct ChunkWriter<'b> {
    builder: &'b mut RecordBatchBuilder,
    /// Bytes of the record that are still to be written.
    rest: usize,
}

impl Put for ChunkWriter<'_> {
    fn put(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let open = &mut self.builder.open;
            let room = open.capacity() - open.len();
            if room == 0 {
                let capacity = self.builder.next_chunk(self.rest);
                let pool = self.builder.pool.as_ref();
                let next = match pool {
                    Some(pool) => pool.take(capacity),
                    None => Vec::with_capacity(capacity),
                };
                let full = std::mem::replace(&mut self.builder.open, next);
                if !full.is_empty() {
                    self.builder.full_len += full.len();
                    self.builder.full.push(share(pool, full));
                }
                continue;
            }
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            open.extend_from_slice(now);
            self.rest = self.rest.saturating_sub(now.len());
            bytes = later;
        }
    }
}

/// Length -1 in zigzag form.
const NULL: u8 = 1;
/// Keys and values that are together shorter have lengths of one or two bytes, and so has their record.
const SHORT_MAX: usize = 8000;

/// The length of a key or value in zigzag form.
#[inline(always)]
fn nullable(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(NULL.into(), |bytes| (bytes.len() as u64) << 1)
}

/// Bytes of a varint that takes one or two.
#[inline(always)]
fn short_len(value: u64) -> usize {
    1 + usize::from(value >= 1 << 7)
}

/// Bytes of any record, without its length field.
#[inline(never)]
fn long_len(
    timestamp: u64,
    offset: u64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[RecordHeader<'_>],
) -> usize {
    let head = 1 + unsigned_varlong_len(timestamp) + unsigned_varlong_len(offset);
    let mut len = head + nullable_len(key) + nullable_len(value) + length_len(headers.len());
    for header in headers {
        len += nullable_len(Some(header.key.as_bytes())) + nullable_len(header.value);
    }
    len
}

/// A number from 0 up in zigzag form: lengths and counts, and how far a record is from the first one.
#[inline(always)]
fn put_length(out: &mut impl Put, length: usize) {
    put_varint_64(out, (length as u64) << 1);
}

#[inline(always)]
fn length_len(length: usize) -> usize {
    unsigned_varlong_len((length as u64) << 1)
}

/// One and two bytes, which is nearly all of them, are written as what they are: bytes gathered in a
/// buffer of their own would be slow to copy out of it at once.
#[inline(always)]
fn put_varint_64(out: &mut impl Put, value: u64) {
    if value < 1 << 7 {
        out.put(&[value as u8]);
    } else if value < 1 << 14 {
        out.put(&[value as u8 | 0x80, (value >> 7) as u8]);
    } else {
        put_long_varint_64(out, value);
    }
}

#[cold]
fn put_long_varint_64(out: &mut impl Put, value: u64) {
    let mut bytes = [0; 10];
    let len = write_varint_64(&mut bytes, value);
    out.put(bytes.get(..len).unwrap_or_default());
}

#[inline(always)]
fn put_nullable(out: &mut impl Put, value: Option<&[u8]>) {
    match value {
        Some(bytes) => {
            put_length(out, bytes.len());
            out.put(bytes);
        }
        None => out.put(&[NULL]),
    }
}

/// Bytes of a length and what it counts. Lengths beyond int32 are refused by the sum of them.
#[inline(always)]
fn nullable_len(value: Option<&[u8]>) -> usize {
    value.map_or(1, |bytes| length_len(bytes.len()) + bytes.len())
}

/// Why a record could not be added to a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// The record alone is longer than a batch can be.
    RecordTooLarge {
        /// Its length in bytes.
        len: usize,
    },
    /// The batch would become longer than 2 GiB; the record fits into another one.
    BatchFull,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RecordTooLarge { len } => {
                write!(f, "a record of {len} bytes is longer than any batch can be")
            }
            Self::BatchFull => f.write_str("the batch has reached the format's limit of 2 GiB"),
        }
    }
}

impl std::error::Error for AppendError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::RecordBatch;

    #[test]
    fn chunks_fill_to_the_end_and_memory_is_foretold() {
        let mut builder = RecordBatchBuilder::new();
        let mut expected = Vec::new();
        for n in 0..3000_usize {
            let value = vec![n as u8; n % 300];
            let len = builder.record_len(0, None, Some(&value), &[]).unwrap();
            let foretold = builder.memory() + builder.memory_needed(len);
            assert_eq!(builder.append(0, None, Some(&value), &[]), Ok(n as u32));
            assert_eq!(builder.memory(), foretold);
            expected.push((n, len));
        }
        let len: usize = expected.iter().map(|(_, len)| len).sum();
        assert_eq!(builder.len(), len);
        let body = builder.finish();
        assert_eq!(body.len(), len);
        let (last, full) = body.chunks().split_last().unwrap();
        assert!(full.iter().all(|chunk| chunk.len().is_power_of_two()), "chunks are not full");
        assert!(last.len() <= 64 * 1024);
        let lens: Vec<usize> = full.iter().map(|chunk| chunk.len() / 1024).collect();
        assert_eq!(lens[..9], [1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }

    /// Every length of varint in front of the key, beside a room that ends anywhere.
    #[test]
    fn records_read_back_whatever_their_lengths_and_the_room() {
        let deltas = [0, 63, 64, 8191, 8192, -1, -64, -8192, -8193, i64::MAX >> 1];
        for value_len in [0, 1, 40, 60, 70, 8180, 8192, 20_000] {
            let value = vec![7; value_len];
            let mut builder = RecordBatchBuilder::new();
            let timestamps: Vec<i64> = deltas.iter().cycle().take(200).copied().collect();
            for timestamp in &timestamps {
                builder.append(*timestamp, None, Some(&value), &[]).unwrap();
            }
            let body = builder.finish();
            let batch = RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap();
            let mut read = Vec::new();
            for record in &batch {
                let record = record.unwrap();
                assert_eq!((record.key, record.value), (None, Some(&value[..])));
                read.push(record.timestamp);
            }
            assert_eq!(read, timestamps);
        }
    }

    #[test]
    fn no_batch_is_longer_than_its_length_can_say() {
        let limit = i32::MAX as usize - 49;
        let mut builder = RecordBatchBuilder::new();
        let len = |builder: &RecordBatchBuilder| builder.record_len(0, None, None, &[]);
        builder.full_len = limit - 7;
        assert_eq!(len(&builder), Ok(7));
        builder.full_len += 1;
        assert_eq!(len(&builder), Err(AppendError::BatchFull));
        builder = RecordBatchBuilder { record_count: i32::MAX, ..Default::default() };
        assert_eq!(len(&builder), Err(AppendError::BatchFull));

        // Never touched, so it takes no memory.
        let zeros = vec![0; limit];
        let len = |value| RecordBatchBuilder::new().record_len(0, None, Some(value), &[]);
        assert_eq!(len(&zeros[..limit - 15]), Ok(limit));
        let error = AppendError::RecordTooLarge { len: limit - 4 };
        assert_eq!(len(&zeros[..limit - 14]), Err(error));
    }

    #[test]
    fn a_batch_of_known_size_is_one_chunk() {
        let mut builder = RecordBatchBuilder::with_capacity(700_000);
        while builder.memory_needed(107) == 0 {
            builder.append(0, None, Some(&[7; 98]), &[]).unwrap();
        }
        assert!(builder.len() > 699_000);
        assert_eq!((builder.full.len(), builder.memory()), (0, 700_000));
    }

    #[test]
    fn a_large_record_gets_one_chunk_for_what_does_not_fit() {
        let mut builder = RecordBatchBuilder::new();
        let value = vec![7; 900_000];
        builder.append(0, None, Some(b"small"), &[]).unwrap();
        builder.append(0, None, Some(&value), &[]).unwrap();
        assert_eq!(builder.full.len(), 1);
        assert_eq!(builder.memory(), builder.len());
    }
}
