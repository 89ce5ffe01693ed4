//! One record: what is read out of a batch, borrowed from it.
//!
//! ```text
//! length varint | attributes int8 | timestamp delta varlong | offset delta varint |
//! key length varint, key | value length varint, value | header count varint, headers
//! header: key length varint, key | value length varint, value     (-1: null)
//! ```

use std::fmt;

use nom::Parser;

use crate::error::DecodeErrorKind;
use crate::primitives::parse::int8;
use crate::primitives::parsed::{At, Parsed, fail, truncated};
use crate::primitives::varint::{varint, varlong};

/// A record of a batch. Borrows the bytes of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'b> {
    /// Offset in the partition.
    pub offset: i64,
    /// Timestamp in ms: the producer's, or the broker's if the batch has log append time.
    pub timestamp: i64,
    /// Key. `None` is null, which is not the same as an empty key.
    pub key: Option<&'b [u8]>,
    /// Value. `None` is null: a tombstone in a compacted topic.
    pub value: Option<&'b [u8]>,
    /// Headers, in the order in which they were given; keys may repeat.
    pub headers: RecordHeaders<'b>,
}

/// A header of a record: a key, and a value that may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'b> {
    /// Key. Several headers of a record may have the same one.
    pub key: &'b str,
    /// Value. `None` is null, which is not the same as empty.
    pub value: Option<&'b [u8]>,
}

/// The headers of a record, read one by one.
#[derive(Clone, Default)]
pub struct RecordHeaders<'b> {
    /// From the first header on, and on to what follows the record. The headers were checked when
    /// the record was parsed, so that reading them again cannot fail.
    wire: &'b [u8],
    count: usize,
}

impl fmt::Debug for RecordHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

/// Equal if the headers are, however their lengths were written.
impl PartialEq for RecordHeaders<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.clone().eq(other.clone())
    }
}

impl Eq for RecordHeaders<'_> {}

impl<'b> Iterator for RecordHeaders<'b> {
    type Item = RecordHeader<'b>;

    fn next(&mut self) -> Option<RecordHeader<'b>> {
        self.count = self.count.checked_sub(1)?;
        let (rest, header) = header(self.wire).ok()?;
        self.wire = rest;
        Some(header)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for RecordHeaders<'_> {}

/// A record's fields as they stand on the wire: offset and timestamp as differences.
pub(super) struct WireRecord<'b> {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) key: Option<&'b [u8]>,
    pub(super) value: Option<&'b [u8]>,
    pub(super) headers: RecordHeaders<'b>,
}

/// Reads one record. Its content must fill its length exactly.
#[inline]
pub(super) fn record(i: &[u8]) -> Parsed<'_, WireRecord<'_>> {
    let (content, length) = varint(i).at("length")?;
    let Ok(length) = usize::try_from(length) else {
        return fail(i, DecodeErrorKind::InvalidLength(i64::from(length))).at("length");
    };
    let Some(behind) = content.len().checked_sub(length) else {
        return truncated(content, length);
    };
    let (rest, record) = content_of_record(content)?;
    if rest.len() != behind {
        let actual = content.len() - rest.len();
        return fail(content, DecodeErrorKind::SizeMismatch { announced: length, actual });
    }
    Ok((rest, record))
}

#[inline]
fn content_of_record(i: &[u8]) -> Parsed<'_, WireRecord<'_>> {
    let (i, (_attributes, timestamp_delta, offset_delta, key, value, headers)) = (
        |i| int8(i).at("attributes"),
        |i| varlong(i).at("timestamp_delta"),
        |i| varint(i).at("offset_delta"),
        |i| nullable_bytes(i).at("key"),
        |i| nullable_bytes(i).at("value"),
        |i| headers(i).at("headers"),
    )
        .parse(i)?;
    Ok((i, WireRecord { timestamp_delta, offset_delta, key, value, headers }))
}

/// Bytes behind a varint length; -1 is null.
#[inline(always)]
fn nullable_bytes(i: &[u8]) -> Parsed<'_, Option<&[u8]>> {
    let (rest, length) = varint(i)?;
    let Ok(length) = usize::try_from(length) else {
        return if length == -1 {
            Ok((rest, None))
        } else {
            fail(i, DecodeErrorKind::InvalidLength(i64::from(length)))
        };
    };
    match rest.split_at_checked(length) {
        Some((bytes, rest)) => Ok((rest, Some(bytes))),
        None => truncated(rest, length),
    }
}

/// Least bytes of a header: an empty key and a null value.
const HEADER_LEN_MIN: usize = 2;

#[inline(always)]
fn headers(i: &[u8]) -> Parsed<'_, RecordHeaders<'_>> {
    match i.split_first() {
        Some((0, rest)) => Ok((rest, RecordHeaders::default())),
        _ => some_headers(i),
    }
}

fn some_headers(i: &[u8]) -> Parsed<'_, RecordHeaders<'_>> {
    let (wire, count) = varint(i)?;
    let Ok(count) = usize::try_from(count) else {
        return fail(i, DecodeErrorKind::InvalidLength(i64::from(count)));
    };
    if count.saturating_mul(HEADER_LEN_MIN) > wire.len() {
        return fail(i, DecodeErrorKind::TooManyElements { count, remaining: wire.len() });
    }
    let mut rest = wire;
    for index in 0..count {
        (rest, _) = header(rest).at_index(index)?;
    }
    Ok((rest, RecordHeaders { wire, count }))
}

fn header(i: &[u8]) -> Parsed<'_, RecordHeader<'_>> {
    let (i, (key, value)) =
        (|i| header_key(i).at("key"), |i| nullable_bytes(i).at("value")).parse(i)?;
    Ok((i, RecordHeader { key, value }))
}

fn header_key(i: &[u8]) -> Parsed<'_, &str> {
    match nullable_bytes(i)? {
        (rest, Some(bytes)) => match std::str::from_utf8(bytes) {
            Ok(key) => Ok((rest, key)),
            Err(_) => fail(i, DecodeErrorKind::InvalidUtf8),
        },
        (_, None) => fail(i, DecodeErrorKind::UnexpectedNull),
    }
}
