//! Leaf parsers: `fn(&[u8]) -> Parsed<T>`, nom's signature in its complete mode.
//!
//! Own leaves instead of nom's: those are not inlined across crates without LTO, and cost several
//! times the instructions. The input is always a suffix of the frame, so what is left tells where we
//! are, and [`Context`] can hand out a piece of the frame without copying.

use bytes::Bytes;

use super::parsed::{Context, Parsed, Rest, fail, truncated};
use super::varint::unsigned_varint;
use crate::error::DecodeErrorKind;
use crate::records::Records;
use crate::{ApiKey, ErrorCode, KafkaString, Uuid};

macro_rules! fixed_width {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name(i: &[u8]) -> Parsed<'_, $type> {
            match i.split_first_chunk() {
                Some((bytes, rest)) => Ok((rest, <$type>::from_be_bytes(*bytes))),
                None => truncated(i, size_of::<$type>()),
            }
        }
    )*};
}

fixed_width! {
    int8: i8;
    int16: i16;
    uint16: u16;
    int32: i32;
    uint32: u32;
    int64: i64;
    float64: f64;
}

/// One byte; anything but 0 is true, as Java reads it.
#[inline(always)]
pub(crate) fn boolean(i: &[u8]) -> Parsed<'_, bool> {
    let (i, byte) = int8(i)?;
    Ok((i, byte != 0))
}

#[inline(always)]
pub(crate) fn uuid(i: &[u8]) -> Parsed<'_, Uuid> {
    match i.split_first_chunk() {
        Some((bytes, rest)) => Ok((rest, Uuid::from_bytes(*bytes))),
        None => truncated(i, 16),
    }
}

#[inline(always)]
pub(crate) fn error_code_int16(i: &[u8]) -> Parsed<'_, ErrorCode> {
    let (i, code) = int16(i)?;
    Ok((i, ErrorCode(code)))
}

#[inline(always)]
pub(crate) fn api_key_int16(i: &[u8]) -> Parsed<'_, ApiKey> {
    let (i, key) = int16(i)?;
    Ok((i, ApiKey(key)))
}

/// Unsigned varint of length + 1; 0 is null.
#[inline(always)]
pub(super) fn compact_length(i: &[u8]) -> Parsed<'_, Option<usize>> {
    let (rest, length) = unsigned_varint(i)?;
    Ok((rest, length.checked_sub(1).map(|length| length as usize)))
}

/// A classic length; -1 is null, less is refused.
#[inline(always)]
pub(super) fn classic_length<'i>(
    at: &'i [u8],
    rest: &'i [u8],
    length: i32,
) -> Parsed<'i, Option<usize>> {
    match usize::try_from(length) {
        Ok(length) => Ok((rest, Some(length))),
        Err(_) if length == -1 => Ok((rest, None)),
        Err(_) => fail(at, DecodeErrorKind::InvalidLength(i64::from(length))),
    }
}

/// Longest string, in bytes: what the classic form's int16 can say. Java holds compact strings to it
/// as well.
pub(crate) const STRING_LEN_MAX: usize = i16::MAX as usize;

#[inline]
pub(crate) fn nullable_string<'i>(
    i: &'i [u8],
    flexible: bool,
    cx: &Context<'_>,
) -> Parsed<'i, Option<KafkaString>> {
    let (rest, length) = if flexible {
        compact_length(i)?
    } else {
        let (rest, length) = int16(i)?;
        classic_length(i, rest, i32::from(length))?
    };
    let Some(length) = length else {
        return Ok((rest, None));
    };
    if length > STRING_LEN_MAX {
        return fail(i, DecodeErrorKind::InvalidLength(length as i64));
    }
    let (after, bytes) = cx.take(rest, length)?;
    match KafkaString::from_utf8(bytes) {
        Ok(string) => Ok((after, Some(string))),
        Err(_) => fail(rest, DecodeErrorKind::InvalidUtf8),
    }
}

#[inline]
pub(crate) fn string<'i>(i: &'i [u8], flexible: bool, cx: &Context<'_>) -> Parsed<'i, KafkaString> {
    not_null(i, nullable_string(i, flexible, cx))
}

/// Bytes or records: shared with the frame.
#[inline]
pub(crate) fn nullable_bytes<'i>(
    i: &'i [u8],
    flexible: bool,
    cx: &Context<'_>,
) -> Parsed<'i, Option<Bytes>> {
    let (rest, length) = if flexible {
        compact_length(i)?
    } else {
        let (rest, length) = int32(i)?;
        classic_length(i, rest, length)?
    };
    match length {
        None => Ok((rest, None)),
        Some(length) => {
            let (rest, bytes) = cx.take(rest, length)?;
            Ok((rest, Some(bytes)))
        }
    }
}

#[inline]
pub(crate) fn bytes<'i>(i: &'i [u8], flexible: bool, cx: &Context<'_>) -> Parsed<'i, Bytes> {
    not_null(i, nullable_bytes(i, flexible, cx))
}

/// A struct behind a marker: int8 -1 for null, anything from 0 up for present, as Java reads it.
#[inline]
pub(crate) fn nullable_struct<'i, T: Default>(
    i: &'i [u8],
    parse: impl FnOnce(&mut T, &'i [u8]) -> Rest<'i>,
) -> Parsed<'i, Option<T>> {
    let (i, marker) = int8(i)?;
    if marker < 0 {
        return Ok((i, None));
    }
    let mut value = T::default();
    let i = parse(&mut value, i)?;
    Ok((i, Some(value)))
}

/// A nullable value in a version that allows no null.
#[inline(always)]
pub(super) fn not_null<'i, T>(at: &'i [u8], parsed: Parsed<'i, Option<T>>) -> Parsed<'i, T> {
    match parsed {
        Ok((i, Some(value))) => Ok((i, value)),
        Ok((_, None)) => fail(at, DecodeErrorKind::UnexpectedNull),
        Err(error) => Err(error),
    }
}

/// A nullable value that may be null in some versions only.
#[inline(always)]
pub(crate) fn null_if<'i, T>(
    allowed: bool,
    at: &'i [u8],
    parsed: Parsed<'i, Option<T>>,
) -> Parsed<'i, Option<T>> {
    match parsed {
        Ok((_, None)) if !allowed => fail(at, DecodeErrorKind::UnexpectedNull),
        parsed => parsed,
    }
}

/// Records as they came, in one piece.
#[inline]
pub(crate) fn nullable_records<'i>(
    i: &'i [u8],
    flexible: bool,
    cx: &Context<'_>,
) -> Parsed<'i, Option<Records>> {
    let (i, bytes) = nullable_bytes(i, flexible, cx)?;
    Ok((i, bytes.map(Records::from)))
}

#[inline]
pub(crate) fn records<'i>(i: &'i [u8], flexible: bool, cx: &Context<'_>) -> Parsed<'i, Records> {
    not_null(i, nullable_records(i, flexible, cx))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_struct_is_null_behind_every_negative_marker() {
        for (marker, is_null) in [(-128, true), (-2, true), (-1, true), (0, false), (127, false)] {
            let bytes = [marker as u8, 5];
            let parse = |into: &mut i8, i| {
                int8(i).map(|(i, value)| {
                    *into = value;
                    i
                })
            };
            let (_, value) = nullable_struct(&bytes, parse).unwrap();
            assert_eq!(value, (!is_null).then_some(5), "{marker}");
        }
    }
}
