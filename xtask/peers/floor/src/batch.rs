//! Record batches of version 2, written by hand.

use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

/// What is in front of the records.
const HEADER_LEN: usize = 61;

/// Where the fields of the header are.
const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;

/// Most bytes of a record beside key and value: five numbers of at most 5 bytes, a timestamp, two more.
const OVERHEAD_MAX: usize = 40;

/// Attributes of a batch whose records are compressed with lz4.
const LZ4: i16 = 3;

/// Who sends, as InitProducerId told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProducerId {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

/// A batch on its way from the first record to the acknowledgement.
pub(crate) struct Batch {
    pub(crate) partition: usize,
    pub(crate) opened: Instant,
    /// When those of its records were sent whose latency is measured.
    pub(crate) sampled: Vec<Instant>,
    pub(crate) count: i32,
    bytes: Vec<u8>,
    first_timestamp: i64,
    last_timestamp: i64,
}

impl Batch {
    /// An empty batch in this memory, of which it fills no more than the capacity.
    pub(crate) fn new(mut bytes: Vec<u8>, partition: usize, timestamp: i64) -> Self {
        bytes.clear();
        bytes.resize(HEADER_LEN, 0);
        Self {
            partition,
            opened: Instant::now(),
            sampled: Vec::new(),
            count: 0,
            bytes,
            first_timestamp: timestamp,
            last_timestamp: timestamp,
        }
    }

    pub(crate) fn has_room_for(&self, key: Option<&[u8]>, value: &[u8]) -> bool {
        let needed = OVERHEAD_MAX + key.map_or(0, <[u8]>::len) + value.len();
        self.count == 0 || self.bytes.len() + needed <= self.bytes.capacity()
    }

    #[inline]
    pub(crate) fn append(&mut self, timestamp: i64, key: Option<&[u8]>, value: &[u8]) {
        // A clock may be set back; deltas need not be positive.
        let mut front = Front::EMPTY;
        front.put(timestamp - self.first_timestamp);
        front.put(i64::from(self.count));
        let key_len = key.map_or(-1, |key| key.len() as i64);
        let rest = usize::try_from(key_len).unwrap_or(0)
            + varint_len(key_len)
            + varint_len(value.len() as i64)
            + value.len();
        // Attributes and the number of headers are one byte each.
        let mut start = Front::EMPTY;
        start.put((1 + front.len + rest + 1) as i64);
        start.push(0);
        start.extend(&front);
        start.put(key_len);
        if let Some(key) = key {
            self.bytes.extend_from_slice(start.bytes());
            self.bytes.extend_from_slice(key);
            start = Front::EMPTY;
        }
        start.put(value.len() as i64);
        self.bytes.extend_from_slice(start.bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.push(0);
        self.count += 1;
        self.last_timestamp = self.last_timestamp.max(timestamp);
    }

    /// Compresses the records, which takes new memory.
    pub(crate) fn compress(&mut self) -> Result<()> {
        let info = FrameInfo::new().block_mode(BlockMode::Independent);
        let out = Vec::with_capacity(self.bytes.len());
        let mut encoder = FrameEncoder::with_frame_info(info.block_size(BlockSize::Max64KB), out);
        encoder.write_all(&self.bytes[HEADER_LEN..])?;
        let compressed = encoder.finish()?;
        self.bytes.truncate(HEADER_LEN);
        self.bytes.extend_from_slice(&compressed);
        self.put_at(ATTRIBUTES_AT, &LZ4.to_be_bytes());
        Ok(())
    }

    /// Writes the header, checksum and all.
    pub(crate) fn finish(&mut self, producer: ProducerId, sequence: i32) {
        let len = (self.bytes.len() - MAGIC_AT + 4) as i32;
        self.put_at(LENGTH_AT, &len.to_be_bytes());
        // The leader epoch is not known.
        self.put_at(LENGTH_AT + 4, &(-1_i32).to_be_bytes());
        self.put_at(MAGIC_AT, &[2]);
        let mut at = ATTRIBUTES_AT + 2;
        at = self.put_at(at, &(self.count - 1).to_be_bytes());
        at = self.put_at(at, &self.first_timestamp.to_be_bytes());
        at = self.put_at(at, &self.last_timestamp.to_be_bytes());
        at = self.put_at(at, &producer.id.to_be_bytes());
        at = self.put_at(at, &producer.epoch.to_be_bytes());
        at = self.put_at(at, &sequence.to_be_bytes());
        self.put_at(at, &self.count.to_be_bytes());
        let crc = crc32c::crc32c(&self.bytes[ATTRIBUTES_AT..]);
        self.put_at(CRC_AT, &crc.to_be_bytes());
    }

    /// The whole batch, once it is finished.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its memory, for the next one.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    fn put_at(&mut self, at: usize, field: &[u8]) -> usize {
        self.bytes[at..at + field.len()].copy_from_slice(field);
        at + field.len()
    }
}

/// Numbers in front of something, put together where the compiler knows the bounds.
struct Front {
    bytes: [u8; OVERHEAD_MAX],
    len: usize,
}

impl Front {
    const EMPTY: Self = Self { bytes: [0; OVERHEAD_MAX], len: 0 };

    #[inline]
    fn push(&mut self, byte: u8) {
        self.bytes[self.len] = byte;
        self.len += 1;
    }

    #[inline]
    fn put(&mut self, number: i64) {
        let mut rest = zigzag(number);
        while rest >= 0x80 {
            self.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.push(rest as u8);
    }

    fn extend(&mut self, other: &Self) {
        other.bytes().iter().for_each(|byte| self.push(*byte));
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn varint_len(number: i64) -> usize {
    (64 - zigzag(number).leading_zeros() as usize).div_ceil(7).max(1)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use kafka_protocol::records::RecordBatch;

    use super::*;

    #[test]
    fn a_batch_is_read_again() {
        let mut batch = Batch::new(Vec::with_capacity(1000), 0, 1000);
        let long = [b'v'; 300];
        batch.append(1000, None, &long);
        batch.append(1007, Some(b"key"), b"value");
        batch.append(1003, Some(b""), b"");
        batch.finish(ProducerId { id: 7, epoch: 1 }, 42);
        let mut bytes = Bytes::copy_from_slice(batch.bytes());
        let read = RecordBatch::decode(&mut bytes).unwrap();
        assert!(bytes.is_empty());
        let header = read.header();
        assert_eq!((header.producer_id, header.base_sequence), (7, 42));
        assert_eq!((header.base_timestamp, header.max_timestamp), (1000, 1007));
        let records: Vec<_> = read.iter().map(Result::unwrap).collect();
        assert_eq!(records[0].value, Some(&long[..]));
        assert_eq!((records[1].key, records[1].value), (Some(&b"key"[..]), Some(&b"value"[..])));
        assert_eq!((records[2].key, records[2].timestamp), (Some(&b""[..]), 1003));
    }
}
