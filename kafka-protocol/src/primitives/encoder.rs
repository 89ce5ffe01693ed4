//! Writers of Kafka's primitive types, and the lengths they write.
//!
//! The first fault is remembered instead of returned, so that generated code is a straight line; the
//! message as a whole then fails.

use bytes::Bytes;

use super::parse::STRING_LEN_MAX;
use super::varint::{put_unsigned_varint, unsigned_varint_len};
use crate::error::EncodeErrorKind;
use crate::records::Records;
use crate::{ApiKey, EncodeError, ErrorCode, Int32Array, KafkaString, UnknownTaggedFields, Uuid};

/// Where messages are written: one buffer, or a list of segments with the record bytes not copied.
///
/// Most callers want [`Message::encode`](crate::Message::encode) or
/// [`Frame`](crate::Frame); take this for frames of your own making.
///
/// ```
/// # use kafka_protocol::{Encoder, Message, messages::ApiVersionsRequest};
/// let mut out = Encoder::vectored();
/// ApiVersionsRequest::default().write(&mut out, 4)?;
/// let segments = out.into_segments();
/// # Ok::<(), kafka_protocol::EncodeError>(())
/// ```
#[derive(Debug, Default)]
pub struct Encoder {
    buf: Vec<u8>,
    /// Record bytes that belong before byte `.0` of `buf`.
    splices: Vec<(usize, Bytes)>,
    spliced_len: usize,
    is_vectored: bool,
    fault: Option<(&'static str, EncodeErrorKind)>,
}

/// Records shorter than this are copied: a segment of its own costs more than so few bytes.
const SPLICE_LEN_MIN: usize = 512;

impl Encoder {
    /// Appends everything, record bytes included, to `buf`.
    pub fn contiguous(buf: Vec<u8>) -> Self {
        Self { buf, ..Self::default() }
    }

    /// Keeps record bytes as segments of their own, shared with their owner.
    pub fn vectored() -> Self {
        Self { is_vectored: true, ..Self::default() }
    }

    /// Bytes written, over all segments.
    pub fn len(&self) -> usize {
        self.buf.len() + self.spliced_len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer; the segments of record bytes, if there are any, are not in it.
    pub(crate) fn into_buf(self) -> Vec<u8> {
        self.buf
    }

    pub(crate) fn buf_mut(&mut self) -> &mut Vec<u8> {
        &mut self.buf
    }

    /// What was written, in order. One segment if the encoder is contiguous.
    pub fn into_segments(self) -> Vec<Bytes> {
        let buf = Bytes::from(self.buf);
        let mut segments = Vec::with_capacity(2 * self.splices.len() + 1);
        let mut from = 0;
        for (at, records) in self.splices {
            if at > from {
                segments.push(buf.slice(from..at));
                from = at;
            }
            segments.push(records);
        }
        if from < buf.len() {
            segments.push(buf.slice(from..));
        }
        segments
    }

    /// Writes one message with `put`: all of it, or on an error nothing.
    pub(crate) fn message(
        &mut self,
        message: &'static str,
        version: i16,
        put: impl FnOnce(&mut Self),
    ) -> Result<(), EncodeError> {
        let (len, splices, spliced_len) = (self.buf.len(), self.splices.len(), self.spliced_len);
        put(self);
        match self.fault.take() {
            None => Ok(()),
            Some((field, kind)) => {
                self.buf.truncate(len);
                self.splices.truncate(splices);
                self.spliced_len = spliced_len;
                Err(EncodeError { message, version, field, kind })
            }
        }
    }

    #[cold]
    pub(crate) fn fail(&mut self, field: &'static str, kind: EncodeErrorKind) {
        self.fault.get_or_insert((field, kind));
    }

    /// A field is set that this version cannot carry.
    #[cold]
    pub(crate) fn fail_unsupported(&mut self, field: &'static str) {
        self.fail(field, EncodeErrorKind::UnsupportedField);
    }

    #[cold]
    pub(crate) fn fail_null(&mut self, field: &'static str) {
        self.fail(field, EncodeErrorKind::UnexpectedNull);
    }

    fn fail_too_long(&mut self, field: &'static str, length: usize, limit: usize) {
        self.fail(field, EncodeErrorKind::TooLong { length, limit });
    }
}

macro_rules! put_fixed_width {
    ($($name:ident: $type:ty;)*) => {$(
        #[inline(always)]
        pub(crate) fn $name(&mut self, value: $type) {
            self.buf.extend_from_slice(&value.to_be_bytes());
        }
    )*};
}

impl Encoder {
    put_fixed_width! {
        put_int8: i8;
        put_int16: i16;
        put_uint16: u16;
        put_int32: i32;
        put_int64: i64;
        put_float64: f64;
    }

    #[inline(always)]
    pub(crate) fn put_boolean(&mut self, value: bool) {
        self.buf.push(u8::from(value));
    }

    #[inline(always)]
    pub(crate) fn put_uuid(&mut self, value: Uuid) {
        self.buf.extend_from_slice(&value.to_bytes());
    }

    #[inline(always)]
    pub(crate) fn put_error_code(&mut self, value: ErrorCode) {
        self.put_int16(value.0);
    }

    #[inline(always)]
    pub(crate) fn put_api_key(&mut self, value: ApiKey) {
        self.put_int16(value.0);
    }

    #[inline]
    pub(crate) fn put_string(&mut self, field: &'static str, value: &KafkaString, flexible: bool) {
        let length = value.len();
        if length > STRING_LEN_MAX {
            return self.fail_too_long(field, length, STRING_LEN_MAX);
        }
        if flexible {
            put_unsigned_varint(&mut self.buf, length as u32 + 1);
        } else {
            self.put_int16(length as i16);
        }
        self.buf.extend_from_slice(value.as_bytes());
    }

    #[inline]
    pub(crate) fn put_nullable_string(
        &mut self,
        field: &'static str,
        value: Option<&KafkaString>,
        flexible: bool,
    ) {
        match value {
            Some(value) => self.put_string(field, value, flexible),
            None if flexible => self.buf.push(0),
            None => self.put_int16(-1),
        }
    }

    #[inline]
    pub(crate) fn put_bytes(&mut self, field: &'static str, value: &Bytes, flexible: bool) {
        self.put_length(field, value.len(), flexible);
        self.buf.extend_from_slice(value);
    }

    #[inline]
    pub(crate) fn put_nullable_bytes(
        &mut self,
        field: &'static str,
        value: Option<&Bytes>,
        flexible: bool,
    ) {
        match value {
            Some(value) => self.put_bytes(field, value, flexible),
            None => self.put_null_length(flexible),
        }
    }

    pub(crate) fn put_records(&mut self, field: &'static str, value: &Records, flexible: bool) {
        self.put_length(field, value.len(), flexible);
        for segment in value.segments() {
            if self.is_vectored && segment.len() >= SPLICE_LEN_MIN {
                self.spliced_len += segment.len();
                self.splices.push((self.buf.len(), segment.clone()));
            } else {
                self.buf.extend_from_slice(segment);
            }
        }
    }

    pub(crate) fn put_nullable_records(
        &mut self,
        field: &'static str,
        value: Option<&Records>,
        flexible: bool,
    ) {
        match value {
            Some(value) => self.put_records(field, value, flexible),
            None => self.put_null_length(flexible),
        }
    }

    /// Length of bytes, or count of an array.
    #[inline]
    pub(crate) fn put_length(&mut self, field: &'static str, length: usize, flexible: bool) {
        if length > LENGTH_MAX {
            return self.fail_too_long(field, length, LENGTH_MAX);
        }
        if flexible {
            put_unsigned_varint(&mut self.buf, length as u32 + 1);
        } else {
            self.put_int32(length as i32);
        }
    }

    #[inline]
    pub(crate) fn put_null_length(&mut self, flexible: bool) {
        if flexible {
            self.buf.push(0);
        } else {
            self.put_int32(-1);
        }
    }

    #[inline]
    pub(crate) fn put_int32_array(
        &mut self,
        field: &'static str,
        values: &Int32Array,
        flexible: bool,
    ) {
        self.put_length(field, values.len(), flexible);
        for value in values {
            self.put_int32(*value);
        }
    }

    /// Tag and size that come before the value of a tagged field.
    #[inline]
    pub(crate) fn put_tag(&mut self, tag: u32, size: usize) {
        put_unsigned_varint(&mut self.buf, tag);
        // A size beyond 32 bits cannot get here: the value's own lengths would have failed first.
        put_unsigned_varint(&mut self.buf, size as u32);
    }

    /// The tagged section up to its known fields: how many there are, known and unknown.
    #[inline]
    pub(crate) fn put_tag_count(&mut self, known: usize, unknown: &UnknownTaggedFields) {
        put_unsigned_varint(&mut self.buf, (known + unknown.len()) as u32);
    }

    /// The rest of the tagged section. Tags below `known_end` belong to the schema.
    #[inline]
    pub(crate) fn put_unknown_tagged_fields(
        &mut self,
        field: &'static str,
        unknown: &UnknownTaggedFields,
        known_end: u32,
    ) {
        for (tag, value) in unknown.as_slice() {
            if *tag < known_end {
                self.fail(field, EncodeErrorKind::TagInUse { tag: *tag });
            }
            self.put_tag(*tag, value.len());
            self.buf.extend_from_slice(value);
        }
    }
}

/// Most bytes or elements a length can say: what int32 holds, also in compact form.
const LENGTH_MAX: usize = i32::MAX as usize;

/// Bytes that a string takes.
#[inline]
pub(crate) fn string_len(value: &KafkaString, flexible: bool) -> usize {
    let length = value.len();
    if flexible { compact_length_len(length) + length } else { 2 + length }
}

#[inline]
pub(crate) fn nullable_string_len(value: Option<&KafkaString>, flexible: bool) -> usize {
    match value {
        Some(value) => string_len(value, flexible),
        None if flexible => 1,
        None => 2,
    }
}

/// Bytes that `length` bytes take together with their length.
#[inline]
pub(crate) fn bytes_len(length: usize, flexible: bool) -> usize {
    length_len(length, flexible) + length
}

#[inline]
pub(crate) fn nullable_bytes_len(length: Option<usize>, flexible: bool) -> usize {
    length.map_or_else(|| null_length_len(flexible), |length| bytes_len(length, flexible))
}

/// Bytes that a length or a count takes.
#[inline]
pub(crate) fn length_len(length: usize, flexible: bool) -> usize {
    if flexible { compact_length_len(length) } else { 4 }
}

#[inline]
pub(crate) fn null_length_len(flexible: bool) -> usize {
    if flexible { 1 } else { 4 }
}

#[inline]
fn compact_length_len(length: usize) -> usize {
    unsigned_varint_len((length as u32).wrapping_add(1))
}

/// Bytes that a tagged field takes together with its tag and size.
#[inline]
pub(crate) fn tagged_field_len(tag: u32, size: usize) -> usize {
    unsigned_varint_len(tag) + unsigned_varint_len(size as u32) + size
}

/// Bytes of the tagged section, less its known fields.
#[inline]
pub(crate) fn tagged_section_len(known: usize, unknown: &UnknownTaggedFields) -> usize {
    let mut len = unsigned_varint_len((known + unknown.len()) as u32);
    for (tag, value) in unknown.as_slice() {
        len += tagged_field_len(*tag, value.len());
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_int32_is_refused_in_both_forms() {
        for flexible in [false, true] {
            let mut out = Encoder::contiguous(Vec::new());
            out.message("M", 0, |out| out.put_length("M.f", LENGTH_MAX, flexible)).unwrap();
            assert_eq!(out.len(), length_len(LENGTH_MAX, flexible));
            let too_long = |out: &mut Encoder| out.put_length("M.f", 1 << 31, flexible);
            let kind = EncodeErrorKind::TooLong { length: 1 << 31, limit: 0x7fff_ffff };
            assert_eq!(out.message("M", 0, too_long).unwrap_err().kind(), &kind);
        }
    }
}
