//! The headers in front of requests and responses.
//!
//! ```text
//! request   size int32 | api key int16 | api version int16 | correlation id int32 |
//!           client id nullable string, never compact | tagged fields (v2)
//! response  size int32 | correlation id int32 | tagged fields (v1)
//! ```
//!
//! The size counts what follows it; it belongs to the frame, not to the header.

use bytes::Bytes;
use nom::Parser;

use crate::error::DecodeErrorKind;
use crate::message::finish;
use crate::primitives::encoder::{nullable_string_len, tagged_section_len};
use crate::primitives::parse::{api_key_int16, int16, int32, nullable_string};
use crate::primitives::parsed::{At, Context, Parsed};
use crate::primitives::sequence::unknown_tagged_fields;
use crate::{ApiKey, DecodeError, DecodeLimits, EncodeError, EncodeErrorKind, Encoder};
use crate::{KafkaString, UnknownTaggedFields, VersionRange};

/// The header in front of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API that is called.
    pub api_key: ApiKey,
    /// Version of the request, and of the response to it.
    pub api_version: i16,
    /// Repeated in the response. Per connection, responses come in the order of their requests.
    pub correlation_id: i32,
    /// What the client calls itself, for the broker's logs and quotas.
    pub client_id: Option<KafkaString>,
    /// Tagged fields of header version 2.
    pub unknown_tagged_fields: UnknownTaggedFields,
}

impl RequestHeader {
    const NAME: &'static str = "RequestHeader";
    const VERSIONS: VersionRange = VersionRange::new(1, 2);

    /// Reads the header at the front of a request frame (behind its size) and moves `buf` behind it.
    /// The header's own version follows from the API and version in its first four bytes.
    ///
    /// # Errors
    /// An unknown API, or bytes that are not a header. `buf` is then as it was before.
    pub fn decode(buf: &mut Bytes) -> Result<Self, DecodeError> {
        let (_, (key, version)) = match (api_key_int16, int16).parse(buf) {
            Ok(start) => start,
            failed => {
                return finish(Self::NAME, 1, &mut buf.clone(), failed).map(|_| Self::default());
            }
        };
        match key.request_header_version(version) {
            Some(header_version) => Self::decode_version(buf, header_version),
            None => {
                let kind = DecodeErrorKind::UnknownApiKey(key.0);
                Err(DecodeError::new(Self::NAME, 1, 0, kind))
            }
        }
    }

    /// Reads a header of the given header version, 1 or 2, whatever API it names.
    ///
    /// # Errors
    /// Bytes that are not a header of this version. `buf` is then as it was before.
    pub fn decode_version(buf: &mut Bytes, header_version: i16) -> Result<Self, DecodeError> {
        check_version(Self::NAME, header_version, Self::VERSIONS)?;
        let frame = buf.clone();
        let mut cx = context(&frame);
        let parsed = Self::parse(&frame, header_version, &mut cx);
        finish(Self::NAME, header_version, buf, parsed)
    }

    fn parse<'i>(i: &'i [u8], header_version: i16, cx: &mut Context<'_>) -> Parsed<'i, Self> {
        let (i, (api_key, api_version, correlation_id, client_id)) = (
            |i| api_key_int16(i).at("api_key"),
            |i| int16(i).at("api_version"),
            |i| int32(i).at("correlation_id"),
            // Never compact, so that a broker can read it before it knows the version (KIP-482).
            |i| nullable_string(i, false, cx).at("client_id"),
        )
            .parse(i)?;
        let (i, unknown_tagged_fields) = if header_version >= 2 {
            unknown_tagged_fields(i, cx)?
        } else {
            (i, UnknownTaggedFields::default())
        };
        let header =
            Self { api_key, api_version, correlation_id, client_id, unknown_tagged_fields };
        Ok((i, header))
    }

    /// Writes the header in the given header version, 1 or 2; see
    /// [`ApiKey::request_header_version`].
    ///
    /// # Errors
    /// A client id of more than 32,767 bytes, or an unknown header version.
    pub fn write(&self, out: &mut Encoder, header_version: i16) -> Result<(), EncodeError> {
        check_encode_version(Self::NAME, header_version, Self::VERSIONS)?;
        out.message(Self::NAME, header_version, |out| {
            out.put_api_key(self.api_key);
            out.put_int16(self.api_version);
            out.put_int32(self.correlation_id);
            out.put_nullable_string("RequestHeader.client_id", self.client_id.as_ref(), false);
            if header_version >= 2 {
                put_tagged_fields(out, &self.unknown_tagged_fields);
            }
        })
    }

    /// Exact number of bytes that [`write`](Self::write) writes.
    pub fn encoded_len(&self, header_version: i16) -> usize {
        let mut len = 8 + nullable_string_len(self.client_id.as_ref(), false);
        if header_version >= 2 {
            len += tagged_section_len(0, &self.unknown_tagged_fields);
        }
        len
    }
}

/// The header in front of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseHeader {
    /// The correlation id of the request that is answered.
    pub correlation_id: i32,
    /// Tagged fields of header version 1.
    pub unknown_tagged_fields: UnknownTaggedFields,
}

impl ResponseHeader {
    const NAME: &'static str = "ResponseHeader";
    const VERSIONS: VersionRange = VersionRange::new(0, 1);

    /// Reads the header at the front of a response frame (behind its size) and moves `buf` behind it;
    /// see [`ApiKey::response_header_version`].
    ///
    /// # Errors
    /// Bytes that are not a header of this version. `buf` is then as it was before.
    pub fn decode(buf: &mut Bytes, header_version: i16) -> Result<Self, DecodeError> {
        check_version(Self::NAME, header_version, Self::VERSIONS)?;
        let frame = buf.clone();
        let mut cx = context(&frame);
        let parsed = Self::parse(&frame, header_version, &mut cx);
        finish(Self::NAME, header_version, buf, parsed)
    }

    fn parse<'i>(i: &'i [u8], header_version: i16, cx: &mut Context<'_>) -> Parsed<'i, Self> {
        let (i, correlation_id) = int32(i).at("correlation_id")?;
        let (i, unknown_tagged_fields) = if header_version >= 1 {
            unknown_tagged_fields(i, cx)?
        } else {
            (i, UnknownTaggedFields::default())
        };
        Ok((i, Self { correlation_id, unknown_tagged_fields }))
    }

    /// Writes the header in the given header version, 0 or 1.
    ///
    /// # Errors
    /// An unknown header version.
    pub fn write(&self, out: &mut Encoder, header_version: i16) -> Result<(), EncodeError> {
        check_encode_version(Self::NAME, header_version, Self::VERSIONS)?;
        out.message(Self::NAME, header_version, |out| {
            out.put_int32(self.correlation_id);
            if header_version >= 1 {
                put_tagged_fields(out, &self.unknown_tagged_fields);
            }
        })
    }

    /// Exact number of bytes that [`write`](Self::write) writes.
    pub fn encoded_len(&self, header_version: i16) -> usize {
        if header_version >= 1 { 4 + tagged_section_len(0, &self.unknown_tagged_fields) } else { 4 }
    }
}

fn context(frame: &Bytes) -> Context<'_> {
    let budget = DecodeLimits::DEFAULT.budget(UnknownTaggedFields::MEMORY_PER_BYTE, frame.len());
    Context::new(frame, budget)
}

fn put_tagged_fields(out: &mut Encoder, fields: &UnknownTaggedFields) {
    out.put_tag_count(0, fields);
    out.put_unknown_tagged_fields("unknown_tagged_fields", fields, 0);
}

fn check_version(
    message: &'static str,
    version: i16,
    supported: VersionRange,
) -> Result<(), DecodeError> {
    if supported.contains(version) {
        return Ok(());
    }
    let kind = DecodeErrorKind::UnsupportedVersion { supported };
    Err(DecodeError::new(message, version, 0, kind))
}

fn check_encode_version(
    message: &'static str,
    version: i16,
    supported: VersionRange,
) -> Result<(), EncodeError> {
    if supported.contains(version) {
        return Ok(());
    }
    let kind = EncodeErrorKind::UnsupportedVersion { supported };
    Err(EncodeError { message, version, field: "", kind })
}
