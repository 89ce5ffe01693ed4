//! What parsers give and what they carry along: results, faults, the frame and its budget.
//!
//! The input is always a suffix of the frame, so what is left of it tells where we are, and
//! [`Context`] can hand out a piece of the frame without copying.

use bytes::Bytes;

use crate::error::{DecodeErrorKind, Fault};

/// What a parser gives: the rest of the input and a value, or a fault. Never `Incomplete`.
pub(crate) type Parsed<'i, T> = nom::IResult<&'i [u8], T, Fault>;

/// What a parser gives that writes its value where it belongs: the rest of the input, or a fault.
pub(crate) type Rest<'i> = Result<&'i [u8], nom::Err<Fault>>;

/// What decoding a frame carries along: the frame itself, and what may still be allocated.
#[derive(Debug)]
pub(crate) struct Context<'f> {
    frame: &'f Bytes,
    limit: usize,
    spent: usize,
}

impl<'f> Context<'f> {
    pub(crate) fn new(frame: &'f Bytes, limit: usize) -> Self {
        Self { frame, limit, spent: 0 }
    }

    /// Takes `bytes` from the budget before they are allocated for what is read at `i`.
    pub(crate) fn charge<'i>(&mut self, i: &'i [u8], bytes: usize) -> Rest<'i> {
        let spent = self.spent.saturating_add(bytes);
        if spent > self.limit {
            return fail(i, DecodeErrorKind::OverBudget { limit: self.limit });
        }
        self.spent = spent;
        Ok(i)
    }

    /// The next `len` bytes of the frame, shared.
    #[inline]
    pub(crate) fn take<'i>(&self, i: &'i [u8], len: usize) -> Parsed<'i, Bytes> {
        let Some((_, rest)) = i.split_at_checked(len) else {
            return truncated(i, len);
        };
        // `i` is a suffix of the frame, so both ends lie inside it.
        let start = self.frame.len() - i.len();
        Ok((rest, self.frame.slice(start..start + len)))
    }
}

/// Says in which field a parser failed. Costs nothing while it succeeds.
pub(crate) trait At: Sized {
    fn at(self, field: &'static str) -> Self;
    fn at_index(self, index: usize) -> Self;
}

impl<T> At for Result<T, nom::Err<Fault>> {
    #[inline(always)]
    fn at(self, field: &'static str) -> Self {
        match self {
            Ok(parsed) => Ok(parsed),
            Err(error) => Err(error.map(|fault| fault.in_field(field))),
        }
    }

    #[inline(always)]
    fn at_index(self, index: usize) -> Self {
        match self {
            Ok(parsed) => Ok(parsed),
            Err(error) => Err(error.map(|fault| fault.in_element(index))),
        }
    }
}

#[cold]
#[inline(never)]
pub(crate) fn fail<T>(at: &[u8], kind: DecodeErrorKind) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Failure(Fault::new(at, kind)))
}

#[cold]
#[inline(never)]
pub(crate) fn truncated<T>(at: &[u8], needed: usize) -> Result<T, nom::Err<Fault>> {
    fail(at, DecodeErrorKind::Truncated { needed, remaining: at.len() })
}
