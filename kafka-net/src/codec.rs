//! Frames in a stream of bytes: a size, then as many bytes.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::Frame;
use thiserror::Error;
use tokio_util::codec::{Decoder, Encoder};

use crate::FrameError;
use crate::core::frame_len;

/// Kafka's framing for [`tokio_util::codec`]: splits frames off without copying them.
///
/// Items are frames behind their size, as [`decode_response`](kafka_protocol::decode_response) takes
/// them. A buffer grows with what has arrived, not with what is announced: to make us hold 90 MiB, a
/// peer has to send more than 45.
///
/// ```
/// use bytes::BytesMut;
/// use kafka_net::KafkaCodec;
/// use tokio_util::codec::Decoder;
///
/// let mut received = BytesMut::from("\0\0\0\x02ok\0\0");
/// let mut codec = KafkaCodec::new();
/// assert_eq!(codec.decode(&mut received)?.as_deref(), Some(&b"ok"[..]));
/// assert_eq!(codec.decode(&mut received)?, None, "half a size");
/// # Ok::<(), kafka_net::CodecError>(())
/// ```
#[derive(Debug, Clone)]
pub struct KafkaCodec {
    frame_len_max: usize,
    /// Only the first frame is looked at for another protocol.
    is_first: bool,
}

/// Why there are no more frames.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// What came is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl KafkaCodec {
    /// A codec for a new connection, with frames of up to 100 MiB, as brokers have it
    /// (`socket.request.max.bytes`).
    pub fn new() -> Self {
        Self::with_frame_len_max(FRAME_LEN_MAX)
    }

    /// A codec for a new connection, with frames of up to so many bytes.
    pub fn with_frame_len_max(frame_len_max: usize) -> Self {
        Self { frame_len_max, is_first: true }
    }

    /// The next frame, if it is there as a whole; else makes room for what should come next.
    pub(crate) fn split(&mut self, received: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(size) = received.first_chunk() else {
            received.reserve(RESERVE_MIN);
            return Ok(None);
        };
        let len = frame_len(*size, self.frame_len_max, self.is_first)?;
        self.is_first = false;
        let missing = (len + SIZE_LEN).saturating_sub(received.len());
        if missing > 0 {
            received.reserve(missing.min(received.len().max(RESERVE_MIN)));
            return Ok(None);
        }
        received.advance(SIZE_LEN);
        Ok(Some(received.split_to(len).freeze()))
    }
}

impl Default for KafkaCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder for KafkaCodec {
    type Item = Bytes;
    type Error = CodecError;

    fn decode(&mut self, received: &mut BytesMut) -> Result<Option<Bytes>, CodecError> {
        Ok(self.split(received)?)
    }
}

/// Copies the frame: for those who frame by hand. [`Transport`](crate::Transport) does not.
impl Encoder<Frame> for KafkaCodec {
    type Error = CodecError;

    fn encode(&mut self, frame: Frame, out: &mut BytesMut) -> Result<(), CodecError> {
        out.reserve(frame.len());
        for segment in frame.segments() {
            out.extend_from_slice(segment);
        }
        Ok(())
    }
}

/// `socket.request.max.bytes` of a broker.
pub(crate) const FRAME_LEN_MAX: usize = 100 * 1024 * 1024;

const SIZE_LEN: usize = 4;

/// What a connection reads at least at once.
const RESERVE_MIN: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::ApiVersionsRequest;
    use proptest::prelude::*;

    #[test]
    fn an_announced_size_costs_nothing_until_it_comes() {
        let mut codec = KafkaCodec::new();
        let mut received = BytesMut::new();
        received.extend_from_slice(&90_000_000_i32.to_be_bytes());
        received.extend_from_slice(b"0123456789");
        assert_eq!(codec.split(&mut received), Ok(None));
        assert!(received.capacity() <= 2 * RESERVE_MIN, "{}", received.capacity());
        for step in [100_000, 1_000_000] {
            received.resize(step, 0);
            assert_eq!(codec.split(&mut received), Ok(None));
            assert!(received.capacity() <= 2 * step + RESERVE_MIN, "{}", received.capacity());
        }
    }

    #[test]
    fn a_frame_above_the_limit_is_an_error_before_it_comes() {
        let mut codec = KafkaCodec::with_frame_len_max(10);
        let error = codec.decode(&mut BytesMut::from("\0\0\0\x0b")).unwrap_err();
        assert_eq!(error.to_string(), "a frame of 11 bytes is announced, the limit is 10");
    }

    #[test]
    fn an_encoded_frame_decodes() {
        let request = ApiVersionsRequest::default();
        let frame = Frame::request(&request, 3, 1, Some("me".into())).unwrap();
        let mut out = BytesMut::new();
        KafkaCodec::new().encode(frame.clone(), &mut out).unwrap();
        let decoded = KafkaCodec::new().decode(&mut out).unwrap().unwrap();
        assert_eq!(decoded, frame.into_bytes().slice(4..));
    }

    proptest! {
        /// However the bytes arrive, the same frames come out.
        #[test]
        fn any_split(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..10),
            pieces in prop::collection::vec(1_usize..20, 1..50),
        ) {
            let mut stream = Vec::new();
            for frame in &frames {
                stream.extend_from_slice(&(frame.len() as i32).to_be_bytes());
                stream.extend_from_slice(frame);
            }
            let (mut codec, mut received) = (KafkaCodec::new(), BytesMut::new());
            let (mut decoded, mut rest) = (Vec::new(), &stream[..]);
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                received.extend_from_slice(now);
                while let Some(frame) = codec.decode(&mut received).unwrap() {
                    decoded.push(frame.to_vec());
                }
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(decoded, frames);
        }
    }
}
