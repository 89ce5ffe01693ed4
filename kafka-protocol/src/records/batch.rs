//! Reads record batches.

use bytes::Bytes;

use super::compression::decompress;
use super::header::{CRC_COUNTS_FROM, LENGTH_COUNTS_FROM, MAGIC, RecordBatchHeader, TimestampType};
use super::record::{Record, record};
use super::{Compression, Records};
use crate::error::DecodeErrorKind;
use crate::{DecodeError, DecodeLimits};

/// A batch of records: its header, and the records behind it, decompressed.
///
/// Records are parsed one by one while they are read, and borrow the batch.
///
/// ```
/// # use kafka_protocol::records::{RecordBatch, RecordBatchBuilder};
/// # let mut builder = RecordBatchBuilder::new();
/// # builder.append(0, None, Some(b"value"), &[])?;
/// # let body = builder.finish();
/// # let mut buf = body.to_bytes(&body.header());
/// let batch = RecordBatch::decode(&mut buf)?;
/// for record in &batch {
///     let record = record?;
///     println!("{}: {:?}", record.offset, record.value);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RecordBatch {
    header: RecordBatchHeader,
    records: Bytes,
}

/// Whether to hold the bytes of a batch against its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrcCheck {
    /// Check: damage on the way is an error.
    #[default]
    Check,
    /// Trust the bytes, as after an earlier check.
    Skip,
}

impl RecordBatch {
    /// Reads a batch from the front of `buf`, checks its CRC, and moves `buf` behind it.
    ///
    /// Uncompressed records share `buf`'s memory.
    ///
    /// # Errors
    /// Bytes that are not a batch of magic 2, are damaged, or decompress to more than the default
    /// limit. `buf` is then as it was before.
    pub fn decode(buf: &mut Bytes) -> Result<Self, DecodeError> {
        Self::decode_with(buf, CrcCheck::Check, &DecodeLimits::DEFAULT)
    }

    /// [`decode`](Self::decode) with other limits, or without checking the CRC.
    ///
    /// # Errors
    /// As `decode`.
    pub fn decode_with(
        buf: &mut Bytes,
        crc_check: CrcCheck,
        limits: &DecodeLimits,
    ) -> Result<Self, DecodeError> {
        let header = RecordBatchHeader::decode(buf)?;
        let len = header.batch_len()?;
        if len > buf.len() {
            let kind = DecodeErrorKind::Truncated { needed: len, remaining: buf.len() };
            return Err(error_at(LENGTH_COUNTS_FROM - 4, kind));
        }
        if crc_check == CrcCheck::Check {
            header.check_crc(buf)?;
        }
        if header.record_count < 0 {
            let kind = DecodeErrorKind::InvalidLength(i64::from(header.record_count));
            return Err(error_at(RecordBatchHeader::LEN - 4, kind));
        }
        let Some(codec) = header.attributes.compression() else {
            let kind = DecodeErrorKind::Malformed("the attributes name no known codec");
            return Err(error_at(CRC_COUNTS_FROM, kind));
        };
        let records = buf.slice(RecordBatchHeader::LEN..len);
        let records = match codec {
            Compression::None => records,
            codec => decompress(codec, &records, limits.decompressed)
                .map_err(|e| error_at(RecordBatchHeader::LEN, DecodeErrorKind::Compression(e)))?
                .into(),
        };
        let _ = buf.split_to(len);
        Ok(Self { header, records })
    }

    /// The header.
    pub fn header(&self) -> &RecordBatchHeader {
        &self.header
    }

    /// The records in wire form, decompressed.
    pub fn records(&self) -> &Bytes {
        &self.records
    }

    /// The records, parsed as they are read. Ends after the first error.
    #[inline]
    pub fn iter(&self) -> RecordIter<'_> {
        let header = &self.header;
        RecordIter {
            rest: &self.records,
            len: self.records.len(),
            index: 0,
            count: header.record_count as usize,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time: match header.attributes.timestamp_type() {
                TimestampType::CreateTime => None,
                TimestampType::LogAppendTime => Some(header.max_timestamp),
            },
        }
    }
}

impl<'b> IntoIterator for &'b RecordBatch {
    type Item = Result<Record<'b>, DecodeError>;
    type IntoIter = RecordIter<'b>;

    fn into_iter(self) -> RecordIter<'b> {
        self.iter()
    }
}

/// The records of a batch, one by one.
#[derive(Debug, Clone)]
pub struct RecordIter<'b> {
    rest: &'b [u8],
    len: usize,
    index: usize,
    count: usize,
    base_offset: i64,
    base_timestamp: i64,
    log_append_time: Option<i64>,
}

/// Least bytes of a record: seven fields of one byte each.
const RECORD_LEN_MIN: usize = 7;

impl<'b> RecordIter<'b> {
    #[cold]
    fn fail(&mut self, fault: crate::error::Fault) -> Option<Result<Record<'b>, DecodeError>> {
        let fault = fault.in_element(self.index).in_field("records");
        // Where the records are compressed the offset counts in the decompressed bytes.
        let len = RecordBatchHeader::LEN + self.len;
        self.rest = &[];
        self.index = self.count;
        Some(Err(DecodeError::from_fault(NAME, i16::from(MAGIC), len, fault)))
    }

    #[cold]
    fn end(&mut self) -> Option<Result<Record<'b>, DecodeError>> {
        if self.rest.is_empty() {
            return None;
        }
        let kind = DecodeErrorKind::Malformed("bytes are left behind the last record");
        self.fail(crate::error::Fault::new(self.rest, kind))
    }
}

impl<'b> Iterator for RecordIter<'b> {
    type Item = Result<Record<'b>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            return self.end();
        }
        match record(self.rest) {
            Ok((rest, record)) => {
                self.rest = rest;
                self.index += 1;
                Some(Ok(Record {
                    offset: self.base_offset.wrapping_add(i64::from(record.offset_delta)),
                    timestamp: self
                        .log_append_time
                        .unwrap_or(self.base_timestamp.wrapping_add(record.timestamp_delta)),
                    key: record.key,
                    value: record.value,
                    headers: record.headers,
                }))
            }
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => self.fail(fault),
            Err(nom::Err::Incomplete(_)) => self.fail(crate::error::Fault::new(
                self.rest,
                DecodeErrorKind::Truncated { needed: 1, remaining: self.rest.len() },
            )),
        }
    }

    /// The count of the header is believed only as far as the bytes can bear it out.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.count - self.index;
        (left.min(self.rest.len() / RECORD_LEN_MIN), Some(left.saturating_add(1)))
    }
}

impl std::iter::FusedIterator for RecordIter<'_> {}

/// The batches in the records of a message, one by one.
///
/// A Fetch response may end in the middle of a batch; such a rest is not an error and stays in
/// [`rest`](Self::rest). Ends after the first error.
#[derive(Debug, Clone)]
pub struct RecordBatches {
    rest: Bytes,
    crc_check: CrcCheck,
    limits: DecodeLimits,
}

impl RecordBatches {
    /// The batches in `records`, CRC checked, with the default limits.
    pub fn new(records: &Records) -> Self {
        Self::with(records, CrcCheck::Check, DecodeLimits::DEFAULT)
    }

    /// The batches in `records`, with other limits, or without checking CRCs.
    pub fn with(records: &Records, crc_check: CrcCheck, limits: DecodeLimits) -> Self {
        Self { rest: records.to_bytes(), crc_check, limits }
    }

    /// The bytes that were not read: empty, a batch that was cut off, or what an error stopped at.
    pub fn rest(&self) -> &Bytes {
        &self.rest
    }

    /// Whether the rest is too short for the batch that it begins with.
    fn is_cut_off(&self) -> bool {
        let length = self.rest.get(LENGTH_COUNTS_FROM - 4..).and_then(|rest| rest.first_chunk());
        match length.map(|length| i32::from_be_bytes(*length)) {
            Some(length) => {
                usize::try_from(length).is_ok_and(|len| len + LENGTH_COUNTS_FROM > self.rest.len())
            }
            None => true,
        }
    }
}

impl Iterator for RecordBatches {
    type Item = Result<RecordBatch, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_cut_off() {
            return None;
        }
        let batch = RecordBatch::decode_with(&mut self.rest, self.crc_check, &self.limits);
        if batch.is_err() {
            self.rest = Bytes::new();
        }
        Some(batch)
    }
}

impl RecordBatchHeader {
    /// Reads the header at the front of `bytes`, without looking at the records or the CRC.
    ///
    /// # Errors
    /// Fewer than 61 bytes, or a magic other than 2.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        match Self::parse(bytes) {
            Ok((_, header)) => Ok(header),
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
                Err(DecodeError::from_fault(NAME, i16::from(MAGIC), bytes.len(), fault))
            }
            Err(nom::Err::Incomplete(_)) => {
                let kind = DecodeErrorKind::Truncated { needed: 1, remaining: 0 };
                Err(error_at(bytes.len(), kind))
            }
        }
    }

    /// Holds the bytes of a batch, of which this is the header, against its CRC: without
    /// decompressing them, and without looking at records.
    ///
    /// # Errors
    /// A batch that is damaged, or longer than `batch`. What follows it does not matter.
    pub fn check_crc(&self, batch: &[u8]) -> Result<(), DecodeError> {
        let len = self.batch_len()?;
        let Some(covered) = batch.get(CRC_COUNTS_FROM..len) else {
            let kind = DecodeErrorKind::Truncated { needed: len, remaining: batch.len() };
            return Err(error_at(LENGTH_COUNTS_FROM - 4, kind));
        };
        let computed = crc32c::crc32c(covered);
        if computed == self.crc {
            return Ok(());
        }
        let kind = DecodeErrorKind::CrcMismatch { stated: self.crc, computed };
        Err(error_at(CRC_COUNTS_FROM - 4, kind))
    }

    /// Length of the whole batch in bytes, as its header says.
    fn batch_len(&self) -> Result<usize, DecodeError> {
        let len = usize::try_from(self.batch_length).map(|length| length + LENGTH_COUNTS_FROM);
        match len {
            Ok(len) if len >= Self::LEN => Ok(len),
            _ => {
                let kind = DecodeErrorKind::InvalidLength(i64::from(self.batch_length));
                Err(error_at(LENGTH_COUNTS_FROM - 4, kind))
            }
        }
    }
}

const NAME: &str = "RecordBatch";

fn error_at(offset: usize, kind: DecodeErrorKind) -> DecodeError {
    DecodeError::new(NAME, i16::from(MAGIC), offset, kind)
}
