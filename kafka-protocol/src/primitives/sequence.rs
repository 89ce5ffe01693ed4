//! Parsers of what repeats: arrays and tagged fields. Every count is checked before it costs memory.

use super::parse::{classic_length, compact_length, int32, not_null};
use super::parsed::{Context, Parsed, fail, truncated};
use super::varint::unsigned_varint;
use crate::error::DecodeErrorKind;
use crate::{Int32Array, UnknownTaggedFields};

/// An array of elements that take at least `min_len` bytes each in this version.
///
/// The count is held against the remaining bytes, and the memory against the budget, before anything
/// is allocated. Elements of no bytes at all are held by the budget alone.
#[inline]
pub(crate) fn nullable_array<'i, T>(
    i: &'i [u8],
    flexible: bool,
    min_len: usize,
    cx: &mut Context<'_>,
    element: impl Fn(&'i [u8], &mut Context<'_>) -> Parsed<'i, T>,
) -> Parsed<'i, Option<Vec<T>>> {
    let (mut rest, count) = count(i, flexible, min_len)?;
    let Some(count) = count else {
        return Ok((rest, None));
    };
    cx.charge(i, count.saturating_mul(size_of::<T>()))?;
    let mut elements = Vec::with_capacity(count);
    for index in 0..count {
        match element(rest, cx) {
            Ok((next, value)) => {
                elements.push(value);
                rest = next;
            }
            Err(error) => return Err(error.map(|fault| fault.in_element(index))),
        }
    }
    Ok((rest, Some(elements)))
}

#[inline]
pub(crate) fn array<'i, T>(
    i: &'i [u8],
    flexible: bool,
    min_len: usize,
    cx: &mut Context<'_>,
    element: impl Fn(&'i [u8], &mut Context<'_>) -> Parsed<'i, T>,
) -> Parsed<'i, Vec<T>> {
    not_null(i, nullable_array(i, flexible, min_len, cx, element))
}

#[inline]
pub(crate) fn nullable_int32_array<'i>(
    i: &'i [u8],
    flexible: bool,
    cx: &mut Context<'_>,
) -> Parsed<'i, Option<Int32Array>> {
    let (rest, count) = count(i, flexible, 4)?;
    let Some(count) = count else {
        return Ok((rest, None));
    };
    let Some((wire, rest)) = rest.split_at_checked(count.saturating_mul(4)) else {
        return truncated(rest, count.saturating_mul(4));
    };
    if count > Int32Array::INLINE_MAX {
        cx.charge(i, wire.len())?;
    }
    Ok((rest, Some(Int32Array::from_wire(wire))))
}

#[inline]
pub(crate) fn int32_array<'i>(
    i: &'i [u8],
    flexible: bool,
    cx: &mut Context<'_>,
) -> Parsed<'i, Int32Array> {
    not_null(i, nullable_int32_array(i, flexible, cx))
}

#[inline(always)]
fn count(i: &[u8], flexible: bool, min_len: usize) -> Parsed<'_, Option<usize>> {
    let (rest, count) = if flexible {
        compact_length(i)?
    } else {
        let (rest, count) = int32(i)?;
        classic_length(i, rest, count)?
    };
    match count {
        Some(count) if count.saturating_mul(min_len) > rest.len() => {
            fail(i, DecodeErrorKind::TooManyElements { count, remaining: rest.len() })
        }
        count => Ok((rest, count)),
    }
}

/// The tagged section that ends every struct of a flexible version.
///
/// `known` reads the value of a tag and says whether it knew the tag; the others are kept as raw bytes.
#[inline]
pub(crate) fn tagged_fields<'i>(
    i: &'i [u8],
    cx: &mut Context<'_>,
    known: impl FnMut(u32, &'i [u8], &mut Context<'_>) -> Parsed<'i, bool>,
) -> Parsed<'i, UnknownTaggedFields> {
    match i.split_first() {
        Some((0, rest)) => Ok((rest, UnknownTaggedFields::default())),
        _ => some_tagged_fields(i, cx, known),
    }
}

/// Tagged fields of a struct that knows none in this version.
#[inline]
pub(crate) fn unknown_tagged_fields<'i>(
    i: &'i [u8],
    cx: &mut Context<'_>,
) -> Parsed<'i, UnknownTaggedFields> {
    tagged_fields(i, cx, |_, i, _| Ok((i, false)))
}

/// A tag and a size of one byte each.
const TAGGED_FIELD_LEN_MIN: usize = 2;

fn some_tagged_fields<'i>(
    i: &'i [u8],
    cx: &mut Context<'_>,
    mut known: impl FnMut(u32, &'i [u8], &mut Context<'_>) -> Parsed<'i, bool>,
) -> Parsed<'i, UnknownTaggedFields> {
    let (mut rest, count) = unsigned_varint(i)?;
    let count = count as usize;
    if count.saturating_mul(TAGGED_FIELD_LEN_MIN) > rest.len() {
        return fail(i, DecodeErrorKind::TooManyElements { count, remaining: rest.len() });
    }
    let mut unknown = UnknownTaggedFields::default();
    let mut tag_before = None;
    for index in 0..count {
        let (after_tag, tag) = unsigned_varint(rest)?;
        if tag_before.is_some_and(|before| tag <= before) {
            return fail(rest, DecodeErrorKind::TagOrder { tag });
        }
        tag_before = Some(tag);
        let (value, size) = unsigned_varint(after_tag)?;
        let size = size as usize;
        let Some(end) = value.len().checked_sub(size) else {
            return truncated(value, size);
        };
        let (after, is_known) = known(tag, value, cx)?;
        if !is_known {
            if unknown.is_empty() {
                let fields_max = count - index;
                cx.charge(rest, UnknownTaggedFields::memory_of(fields_max))?;
                unknown = UnknownTaggedFields::with_capacity(fields_max);
            }
            let (after, raw) = cx.take(value, size)?;
            unknown.push_ascending(tag, raw);
            rest = after;
        } else if after.len() != end {
            let actual = value.len() - after.len();
            return fail(value, DecodeErrorKind::SizeMismatch { announced: size, actual });
        } else {
            rest = after;
        }
    }
    Ok((rest, unknown))
}
