//! The 61 bytes in front of the records of a batch.

use std::fmt;

use nom::Parser;

use super::{Compression, RecordBatchBody};
use crate::error::DecodeErrorKind;
use crate::primitives::parse::{int8, int16, int32, int64, uint32};
use crate::primitives::parsed::{At, Parsed, fail};

/// The header of a record batch of magic 2 (KIP-98).
///
/// For a batch to be sent, take [`RecordBatchBody::header`], set the producer's fields, and give it
/// to [`RecordBatchBody::to_bytes`] or [`RecordBatchBody::to_records`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordBatchHeader {
    /// Offset of the first record. A producer sends 0; the broker sets it.
    pub base_offset: i64,
    /// Bytes of the batch after this field: 49 and the records. Set when the header is written.
    pub batch_length: i32,
    /// Epoch of the leader that wrote the batch, -1 from a producer. Not covered by the CRC.
    pub partition_leader_epoch: i32,
    /// CRC-32C of everything from the attributes on. Set when the header is written.
    pub crc: u32,
    /// Codec, timestamp type and flags.
    pub attributes: BatchAttributes,
    /// Offset of the last record less the base offset; stays when records are compacted away.
    pub last_offset_delta: i32,
    /// Timestamp of the first record in ms, from which the records' deltas count; the delete horizon
    /// if the attributes say so.
    pub base_timestamp: i64,
    /// Largest timestamp of a record in ms, or the log append time if the attributes say so.
    pub max_timestamp: i64,
    /// Producer id, -1 if idempotence is off (KIP-98).
    pub producer_id: i64,
    /// Epoch of the producer id, -1 if idempotence is off.
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 if idempotence is off. Wraps from `i32::MAX` to 0.
    pub base_sequence: i32,
    /// Number of records in the batch.
    pub record_count: i32,
}

impl RecordBatchHeader {
    /// Bytes of a header.
    pub const LEN: usize = 61;

    /// The header of a batch without records, for a producer without idempotence.
    pub(crate) const EMPTY: Self = Self {
        base_offset: 0,
        batch_length: (Self::LEN - LENGTH_COUNTS_FROM) as i32,
        partition_leader_epoch: -1,
        crc: 0,
        attributes: BatchAttributes(0),
        last_offset_delta: -1,
        base_timestamp: -1,
        max_timestamp: -1,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: 0,
    };

    /// Offset of the last record, whether or not it is still there.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Sequence of the last record; -1 if idempotence is off.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta.max(0));
        // Sequences wrap from i32::MAX to 0.
        (last % (i64::from(i32::MAX) + 1)) as i32
    }

    /// When tombstones and control records of the batch may be deleted, in ms, if that is set
    /// (KIP-534). It stands in place of the base timestamp.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// The header's bytes for this body, with its length and CRC: one pass over header and body.
    pub fn encode(&self, body: &RecordBatchBody) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let batch_length = (Self::LEN - LENGTH_COUNTS_FROM + body.len()) as i32;
        let mut at = 0;
        put(&mut bytes, &mut at, &self.base_offset.to_be_bytes());
        put(&mut bytes, &mut at, &batch_length.to_be_bytes());
        put(&mut bytes, &mut at, &self.partition_leader_epoch.to_be_bytes());
        put(&mut bytes, &mut at, &[MAGIC as u8]);
        at = CRC_COUNTS_FROM;
        put(&mut bytes, &mut at, &self.attributes.0.to_be_bytes());
        put(&mut bytes, &mut at, &self.last_offset_delta.to_be_bytes());
        put(&mut bytes, &mut at, &self.base_timestamp.to_be_bytes());
        put(&mut bytes, &mut at, &self.max_timestamp.to_be_bytes());
        put(&mut bytes, &mut at, &self.producer_id.to_be_bytes());
        put(&mut bytes, &mut at, &self.producer_epoch.to_be_bytes());
        put(&mut bytes, &mut at, &self.base_sequence.to_be_bytes());
        put(&mut bytes, &mut at, &self.record_count.to_be_bytes());
        let mut crc = crc32c::crc32c(bytes.get(CRC_COUNTS_FROM..).unwrap_or_default());
        for chunk in body.chunks() {
            crc = crc32c::crc32c_append(crc, chunk);
        }
        let mut at = CRC_AT;
        put(&mut bytes, &mut at, &crc.to_be_bytes());
        bytes
    }

    /// Reads a header; what its fields say is not yet held against anything.
    pub(crate) fn parse(i: &[u8]) -> Parsed<'_, Self> {
        let (i, (base_offset, batch_length, partition_leader_epoch)) = (
            |i| int64(i).at("base_offset"),
            |i| int32(i).at("batch_length"),
            |i| int32(i).at("partition_leader_epoch"),
        )
            .parse(i)?;
        // Behind this byte magic 0 and 1 look different, so it is judged first.
        let (i, ()) = magic(i).at("magic")?;
        let (i, (crc, attributes, last_offset_delta, base_timestamp, max_timestamp)) = (
            |i| uint32(i).at("crc"),
            |i| int16(i).at("attributes"),
            |i| int32(i).at("last_offset_delta"),
            |i| int64(i).at("base_timestamp"),
            |i| int64(i).at("max_timestamp"),
        )
            .parse(i)?;
        let (i, (producer_id, producer_epoch, base_sequence, record_count)) = (
            |i| int64(i).at("producer_id"),
            |i| int16(i).at("producer_epoch"),
            |i| int32(i).at("base_sequence"),
            |i| int32(i).at("record_count"),
        )
            .parse(i)?;
        let header = Self {
            base_offset,
            batch_length,
            partition_leader_epoch,
            crc,
            attributes: BatchAttributes(attributes),
            last_offset_delta,
            base_timestamp,
            max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count,
        };
        Ok((i, header))
    }
}

/// The only format that is read and written.
pub(crate) const MAGIC: i8 = 2;
/// The batch length counts what follows it.
pub(crate) const LENGTH_COUNTS_FROM: usize = 12;
/// The CRC covers everything from the attributes on.
pub(crate) const CRC_COUNTS_FROM: usize = 21;
const CRC_AT: usize = 17;

fn magic(i: &[u8]) -> Parsed<'_, ()> {
    match int8(i)? {
        (i, MAGIC) => Ok((i, ())),
        (_, other) => fail(i, DecodeErrorKind::UnsupportedMagic(other)),
    }
}

#[inline(always)]
fn put(bytes: &mut [u8; RecordBatchHeader::LEN], at: &mut usize, value: &[u8]) {
    let end = *at + value.len();
    if let Some(place) = bytes.get_mut(*at..end) {
        place.copy_from_slice(value);
    }
    *at = end;
}

/// Attributes of a batch, as their 16 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BatchAttributes(pub i16);

/// Who set the records' timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer.
    CreateTime,
    /// The broker, when it wrote the batch: one timestamp for all its records.
    LogAppendTime,
}

const CODEC_BITS: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

impl BatchAttributes {
    /// The codec; `None` for a number without one.
    pub fn compression(self) -> Option<Compression> {
        Compression::from_id((self.0 & CODEC_BITS) as u8)
    }

    /// Who set the timestamps.
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch belongs to a transaction (KIP-98).
    pub fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Whether its records are markers for the cluster itself, not data of a user.
    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon (KIP-534).
    pub fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// These attributes with another codec.
    #[must_use]
    pub fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !CODEC_BITS | i16::from(compression.id()))
    }

    /// These attributes with another timestamp type.
    #[must_use]
    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME, timestamp_type == TimestampType::LogAppendTime)
    }

    /// These attributes, in a transaction or not.
    #[must_use]
    pub fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL, transactional)
    }

    /// These attributes, for control records or not.
    #[must_use]
    pub fn with_control(self, control: bool) -> Self {
        self.with(CONTROL, control)
    }

    /// These attributes, with the base timestamp as a delete horizon or not.
    #[must_use]
    pub fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON, delete_horizon)
    }

    fn with(self, bit: i16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }
}

impl fmt::Debug for BatchAttributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchAttributes")
            .field("compression", &self.compression())
            .field("timestamp_type", &self.timestamp_type())
            .field("transactional", &self.is_transactional())
            .field("control", &self.is_control())
            .field("delete_horizon", &self.has_delete_horizon())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_to_zero() {
        let header = RecordBatchHeader {
            base_sequence: i32::MAX - 1,
            last_offset_delta: 3,
            ..RecordBatchHeader::EMPTY
        };
        assert_eq!(header.last_sequence(), 1);
        assert_eq!(RecordBatchHeader::EMPTY.last_sequence(), -1);
    }

    #[test]
    fn flags_do_not_touch_each_other() {
        let all = BatchAttributes::default()
            .with_compression(Compression::Zstd)
            .with_transactional(true)
            .with_control(true)
            .with_delete_horizon(true)
            .with_timestamp_type(TimestampType::LogAppendTime);
        assert_eq!(all.0, 0x7c);
        assert_eq!(all.with_control(false).with_compression(Compression::None).0, 0x58);
        assert_eq!(BatchAttributes(7).compression(), None);
    }
}
