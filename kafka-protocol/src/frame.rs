//! Whole frames: size, header and message together.

use bytes::{Bytes, BytesMut};

use crate::{DecodeError, DecodeLimits, EncodeError, Encoder, KafkaString, Message};
use crate::{Request, RequestHeader, ResponseHeader};

/// A frame ready to be written: its size, a header and a message, as segments in order.
///
/// Record bytes are segments of their own, shared with the batch they come from, so that a vectored
/// write sends them without another copy.
///
/// ```
/// # use kafka_protocol::{Frame, messages::ApiVersionsRequest};
/// let frame = Frame::request(&ApiVersionsRequest::default(), 4, 1, Some("demo".into()))?;
/// assert_eq!(frame.into_bytes(), "\0\0\0\x12\0\x12\0\x04\0\0\0\x01\0\x04demo\0\x01\x01\0");
/// # Ok::<(), kafka_protocol::EncodeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    segments: Vec<Bytes>,
    len: usize,
}

impl Frame {
    /// The frame of a request in this version.
    ///
    /// # Errors
    /// If the version cannot carry the request, see [`Message::write`].
    pub fn request<R: Request>(
        request: &R,
        version: i16,
        correlation_id: i32,
        client_id: Option<KafkaString>,
    ) -> Result<Self, EncodeError> {
        let header = RequestHeader {
            api_key: R::KEY,
            api_version: version,
            correlation_id,
            client_id,
            ..RequestHeader::default()
        };
        let header_version = if is_flexible::<R>(version) { 2 } else { 1 };
        Self::new(|out| {
            header.write(out, header_version)?;
            request.write(out, version)
        })
    }

    /// The frame of a response to a request `R` in this version.
    ///
    /// # Errors
    /// If the version cannot carry the response, see [`Message::write`].
    pub fn response<R: Request>(
        response: &R::Response,
        version: i16,
        correlation_id: i32,
    ) -> Result<Self, EncodeError> {
        let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
        Self::new(|out| {
            header.write(out, response_header_version::<R>(version))?;
            response.write(out, version)
        })
    }

    fn new(
        write: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
    ) -> Result<Self, EncodeError> {
        let mut out = Encoder::vectored();
        out.put_int32(0);
        write(&mut out)?;
        let len = out.len();
        let size = i32::try_from(len - SIZE_LEN).map_err(|_| EncodeError {
            message: "Frame",
            version: 0,
            field: "size",
            kind: crate::EncodeErrorKind::TooLong { length: len, limit: i32::MAX as usize },
        })?;
        if let Some(front) = out.buf_mut().first_chunk_mut() {
            *front = size.to_be_bytes();
        }
        Ok(Self { segments: out.into_segments(), len })
    }

    /// The bytes, in order.
    pub fn segments(&self) -> &[Bytes] {
        &self.segments
    }

    /// The bytes, in order.
    pub fn into_segments(self) -> Vec<Bytes> {
        self.segments
    }

    /// The bytes in one piece; copies them if they are in several.
    pub fn into_bytes(self) -> Bytes {
        match <[Bytes; 1]>::try_from(self.segments) {
            Ok([only]) => only,
            Err(segments) => {
                let mut all = BytesMut::with_capacity(self.len);
                segments.iter().for_each(|segment| all.extend_from_slice(segment));
                all.freeze()
            }
        }
    }

    /// Length in bytes, the size field included.
    #[expect(clippy::len_without_is_empty, reason = "a frame always has its size field")]
    pub fn len(&self) -> usize {
        self.len
    }
}

/// Reads a response frame (behind its size) to a request `R` that was sent in this version.
///
/// Bytes behind the message are tolerated, as Kafka's own clients do. Whether the correlation id is
/// the expected one is for the caller to check.
///
/// # Errors
/// Bytes that are not this response in this version, or that would cost more than `limits`.
pub fn decode_response<R: Request>(
    mut frame: Bytes,
    version: i16,
    limits: &DecodeLimits,
) -> Result<(ResponseHeader, R::Response), DecodeError> {
    let header = ResponseHeader::decode(&mut frame, response_header_version::<R>(version))?;
    let response = R::Response::decode_with(&mut frame, version, limits)?;
    Ok((header, response))
}

/// Bytes of the size in front of every frame.
const SIZE_LEN: usize = 4;

fn is_flexible<M: Message>(version: i16) -> bool {
    M::FLEXIBLE_FROM.is_some_and(|from| version >= from)
}

fn response_header_version<R: Request>(version: i16) -> i16 {
    R::KEY.response_header_version(version).unwrap_or(0)
}
