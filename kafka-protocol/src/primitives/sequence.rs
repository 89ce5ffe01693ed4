//! Parsers of what repeats: arrays and tagged fields. Every count is checked before it costs memory.

use super::parse::{classic_length, compact_length, int32, not_null};
use super::parsed::{At, Context, Parsed, Rest, fail, truncated};
use super::varint::unsigned_varint;
use crate::error::DecodeErrorKind;
use crate::{Int32Array, UnknownTaggedFields};

/// An array of elements that take at least `min_len` bytes each in this version, read by `element`.
#[inline]
pub(crate) fn array<'i, T: Default>(
    i: &'i [u8],
    flexible: bool,
    min_len: usize,
    cx: &mut Context<'_>,
    element: impl Fn(&mut T, &'i [u8], &mut Context<'_>) -> Rest<'i>,
) -> Parsed<'i, Vec<T>> {
    not_null(i, nullable_array(i, flexible, min_len, cx, element))
}

/// The count is held against the remaining bytes, and the memory against the budget, before anything
/// is allocated. Elements of no bytes at all are held by the budget alone.
///
/// Elements are filled where they stay. Bytes that were just written in small pieces are slow to move.
#[inline]
pub(crate) fn nullable_array<'i, T: Default>(
    i: &'i [u8],
    flexible: bool,
    min_len: usize,
    cx: &mut Context<'_>,
    element: impl Fn(&mut T, &'i [u8], &mut Context<'_>) -> Rest<'i>,
) -> Parsed<'i, Option<Vec<T>>> {
    let (mut rest, count) = count(i, flexible, min_len)?;
    let Some(count) = count else {
        return Ok((rest, None));
    };
    cx.charge(i, count.saturating_mul(size_of::<T>()))?;
    let mut elements = Vec::with_capacity(count);
    for index in 0..count {
        elements.push(T::default());
        if let Some(last) = elements.last_mut() {
            rest = element(last, rest, cx).at_index(index)?;
        }
    }
    Ok((rest, Some(elements)))
}

/// An array of what a leaf parser gives.
#[inline]
pub(crate) fn value<'i, T>(
    parse: impl Fn(&'i [u8], &mut Context<'_>) -> Parsed<'i, T>,
) -> impl Fn(&mut T, &'i [u8], &mut Context<'_>) -> Rest<'i> {
    move |into, i, cx| {
        let rest;
        (rest, *into) = parse(i, cx)?;
        Ok(rest)
    }
}

/// Short arrays are read where they are asked for, and into their place.
#[inline(always)]
pub(crate) fn int32_array<'i>(
    into: &mut Int32Array,
    i: &'i [u8],
    flexible: bool,
    cx: &mut Context<'_>,
) -> Rest<'i> {
    let (rest, count) = count(i, flexible, 4)?;
    let Some(count) = count else {
        return fail(i, DecodeErrorKind::UnexpectedNull);
    };
    match (count, rest.first_chunk(), rest.split_at_checked(4 * count)) {
        (..=Int32Array::INLINE_MAX, Some(wire), Some((_, rest))) => {
            into.set_inline(wire, count as u8);
            Ok(rest)
        }
        _ => long_int32_array(into, rest, count, cx),
    }
}

/// Of more elements than are kept inline, or at the end of the frame.
#[inline(never)]
fn long_int32_array<'i>(
    into: &mut Int32Array,
    i: &'i [u8],
    count: usize,
    cx: &mut Context<'_>,
) -> Rest<'i> {
    let Some((wire, rest)) = i.split_at_checked(count.saturating_mul(4)) else {
        return truncated(i, count.saturating_mul(4));
    };
    cx.charge(i, Int32Array::memory_of(count))?;
    *into = Int32Array::from_wire(wire);
    Ok(rest)
}

pub(crate) fn nullable_int32_array<'i>(
    i: &'i [u8],
    flexible: bool,
    cx: &mut Context<'_>,
) -> Parsed<'i, Option<Int32Array>> {
    if let (rest, None) = count(i, flexible, 4)? {
        return Ok((rest, None));
    }
    let mut values = Int32Array::new();
    let rest = int32_array(&mut values, i, flexible, cx)?;
    Ok((rest, Some(values)))
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
