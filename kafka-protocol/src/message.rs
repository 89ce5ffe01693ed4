//! What every message can do, and what makes one a request.

use bytes::Bytes;

use crate::primitives::parsed::{Context, Parsed, Rest};
use crate::{ApiKey, DecodeError, DecodeErrorKind, DecodeLimits};
use crate::{EncodeError, EncodeErrorKind, Encoder, VersionRange};

/// A Kafka message: its versions, and the way to bytes and back.
///
/// Implemented by generated code for everything in [`messages`](crate::messages). A message is plain
/// data with the schema's defaults; make one with `..Default::default()`, since newer Kafka versions
/// add fields.
pub trait Message: Clone + std::fmt::Debug + Default + PartialEq {
    /// Name as in Kafka's schemas, such as `MetadataRequest`.
    const NAME: &'static str;
    /// Every version that can be encoded and decoded, unstable ones included.
    const VERSIONS: VersionRange;
    /// First version with compact lengths and tagged fields (KIP-482), `None` if there is none yet.
    const FLEXIBLE_FROM: Option<i16>;
    /// Most bytes of memory that decoding can honestly need for a byte on the wire.
    const MEMORY_PER_BYTE: usize;

    /// Exact number of bytes that [`encode`](Self::encode) writes in this version.
    ///
    /// A field that the version lacks counts nothing. Of no meaning for a version outside
    /// [`VERSIONS`](Self::VERSIONS), or for a value that cannot be encoded.
    fn encoded_len(&self, version: i16) -> usize;

    /// Writes the message.
    ///
    /// # Errors
    /// A version outside [`VERSIONS`](Self::VERSIONS); a field that is set, does not exist in this
    /// version and must not be dropped; a null where the version allows none; a value longer than
    /// its length can say. The encoder is then as it was before.
    fn write(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Reads a message from the front of `buf` and moves `buf` behind it.
    ///
    /// Bytes that follow are left in `buf`: Kafka's own readers tolerate them, so whether they are an
    /// error is for the caller to say. Strings and bytes share `buf`'s memory.
    ///
    /// # Errors
    /// Bytes that are not this message in this version, or that would cost more than `limits`. `buf`
    /// is then as it was before.
    fn decode_with(
        buf: &mut Bytes,
        version: i16,
        limits: &DecodeLimits,
    ) -> Result<Self, DecodeError>;

    /// [`decode_with`](Self::decode_with) the default limits, which no valid message exceeds.
    ///
    /// # Errors
    /// Bytes that are not this message in this version.
    fn decode(buf: &mut Bytes, version: i16) -> Result<Self, DecodeError> {
        Self::decode_with(buf, version, &DecodeLimits::DEFAULT)
    }

    /// Appends the message to `buf`.
    ///
    /// # Errors
    /// As [`write`](Self::write); `buf` is then as it was before.
    fn encode(&self, buf: &mut Vec<u8>, version: i16) -> Result<(), EncodeError> {
        let mut out = Encoder::contiguous(std::mem::take(buf));
        let result = self.write(&mut out, version);
        *buf = out.into_buf();
        result
    }
}

/// A request: which API it belongs to, and what answers it.
pub trait Request: Message {
    /// The message that answers this one.
    type Response: Message;
    /// The API's number.
    const KEY: ApiKey;
    /// The versions to negotiate with a broker: [`VERSIONS`](Message::VERSIONS) without one that is
    /// still in development.
    const STABLE_VERSIONS: VersionRange;
}

/// [`Message::write`] around the generated `put`.
#[inline]
pub(crate) fn write<M: Message>(
    message: &M,
    out: &mut Encoder,
    version: i16,
    put: fn(&M, &mut Encoder, i16),
) -> Result<(), EncodeError> {
    if !M::VERSIONS.contains(version) {
        let kind = EncodeErrorKind::UnsupportedVersion { supported: M::VERSIONS };
        return Err(EncodeError { message: M::NAME, version, field: "", kind });
    }
    out.message(M::NAME, version, |out| put(message, out, version))
}

/// A generated parser: fills a message that has the schema's defaults.
pub(crate) type Parse<M> = for<'i> fn(&mut M, &'i [u8], i16, &mut Context<'_>) -> Rest<'i>;

/// [`Message::decode_with`] around the generated `parse`.
#[inline]
pub(crate) fn decode<M: Message>(
    buf: &mut Bytes,
    version: i16,
    limits: &DecodeLimits,
    parse: Parse<M>,
) -> Result<M, DecodeError> {
    if !M::VERSIONS.contains(version) {
        let kind = DecodeErrorKind::UnsupportedVersion { supported: M::VERSIONS };
        return Err(DecodeError::new(M::NAME, version, 0, kind));
    }
    let frame = buf.clone();
    let mut cx = Context::new(&frame, limits.budget(M::MEMORY_PER_BYTE, frame.len()));
    let mut message = M::default();
    let parsed = parse(&mut message, &frame, version, &mut cx).map(|rest| (rest, message));
    finish(M::NAME, version, buf, parsed)
}

/// Moves `buf` behind what was parsed, or completes the fault.
pub(crate) fn finish<T>(
    name: &'static str,
    version: i16,
    buf: &mut Bytes,
    parsed: Parsed<'_, T>,
) -> Result<T, DecodeError> {
    match parsed {
        Ok((rest, value)) => {
            let _ = buf.split_to(buf.len() - rest.len());
            Ok(value)
        }
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => {
            Err(DecodeError::from_fault(name, version, buf.len(), fault))
        }
        // Complete parsers never ask for more; if one did, the frame would still be too short.
        Err(nom::Err::Incomplete(_)) => {
            let kind = DecodeErrorKind::Truncated { needed: 1, remaining: 0 };
            Err(DecodeError::new(name, version, buf.len(), kind))
        }
    }
}
