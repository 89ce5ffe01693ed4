//! Input: the largest frame that is taken (a uint16), eight sizes of reads, and a stream of bytes.
//!
//! However the stream is split, the same frames come out and then the same error, which stays. What
//! is buffered is less than a frame, and the buffer grows with what has arrived, not with what is
//! announced. Frames that we encode come out whole on the other side.

#![no_main]

use bytes::{Buf, Bytes, BytesMut};
use kafka_net::KafkaCodec;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use kafka_protocol::records::Records;
use kafka_protocol::{Frame, Message};
use libfuzzer_sys::fuzz_target;
use tokio_util::codec::{Decoder, Encoder};

fuzz_target!(|input: &[u8]| {
    let Some((&[high, low, ref pieces @ ..], stream)) = input.split_first_chunk::<10>() else {
        return;
    };
    let limit = usize::from(u16::from_be_bytes([high, low]));
    let whole = decode(stream, limit, |_, _| stream.len());
    assert!(whole.frames.iter().all(|frame| frame.len() <= limit));
    assert_eq!(decode(stream, limit, |_, _| 1), whole, "byte for byte");
    let in_turn = |nth: usize, _: &BytesMut| usize::from(pieces[nth % pieces.len()]) + 1;
    assert_eq!(decode(stream, limit, in_turn), whole, "in pieces of {pieces:?}");
    // As a socket is read: as much as there is room for.
    let room = |_, buffer: &BytesMut| {
        assert!(buffer.capacity() <= 2 * buffer.len() + ROOM_MAX, "{}", buffer.capacity());
        buffer.capacity() - buffer.len()
    };
    assert_eq!(decode(stream, limit, room), whole, "as much as there is room for");
    check_encoder(&whole.frames);
});

/// What came out of a stream.
#[derive(Debug, PartialEq)]
struct Decoded {
    frames: Vec<Bytes>,
    error: Option<String>,
}

/// Has a codec decode the stream, which comes in pieces; `next_len` says how long the next one is,
/// from its number and the buffer.
fn decode(stream: &[u8], limit: usize, next_len: impl Fn(usize, &BytesMut) -> usize) -> Decoded {
    let mut codec = KafkaCodec::with_frame_len_max(limit);
    let (mut buffer, mut coming) = (BytesMut::new(), stream);
    let mut decoded = Decoded { frames: Vec::new(), error: None };
    for nth in 0.. {
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => decoded.frames.push(frame),
                Ok(None) => break,
                Err(error) => {
                    let again = codec.decode(&mut buffer).expect_err("an error stays");
                    assert_eq!(again.to_string(), error.to_string());
                    decoded.error = Some(error.to_string());
                    return decoded;
                }
            }
        }
        assert!(buffer.len() < SIZE_LEN + limit.max(1), "a whole frame is kept back");
        if coming.is_empty() {
            break;
        }
        let len = next_len(nth, &buffer).min(coming.len());
        assert!(len > 0, "no room for what has to come");
        let (piece, rest) = coming.split_at(len);
        buffer.extend_from_slice(piece);
        coming = rest;
    }
    let split_off: usize = decoded.frames.iter().map(|frame| SIZE_LEN + frame.len()).sum();
    assert_eq!(split_off + buffer.len(), stream.len());
    assert!(stream.ends_with(&buffer));
    decoded
}

/// Encodes requests, each with one of these frames as the records of two partitions.
fn check_encoder(payloads: &[Bytes]) {
    let frame = |(id, payload): (i32, &Bytes)| {
        let partition = |index| {
            let records = Some(Records::from(payload.clone()));
            PartitionProduceData { index, records, ..PartitionProduceData::default() }
        };
        let partition_data = vec![partition(0), partition(1)];
        let topic = TopicProduceData { partition_data, ..TopicProduceData::default() };
        let request = ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() };
        let version = ProduceRequest::VERSIONS.max;
        Frame::request(&request, version, id, None).expect("the version has all of these fields")
    };
    let frames: Vec<Frame> = (0..).zip(payloads).map(frame).collect();
    let (mut codec, mut stream) = (KafkaCodec::new(), BytesMut::new());
    for frame in &frames {
        codec.encode(frame.clone(), &mut stream).expect("memory is there");
    }
    for frame in frames {
        let mut expected = frame.into_bytes();
        let len = expected.get_u32() as usize;
        assert_eq!(len, expected.len());
        let decoded = codec.decode(&mut stream).expect("we have encoded it");
        assert_eq!(decoded, Some(expected));
    }
    assert!(stream.is_empty());
}

/// Bytes of the size in front of every frame.
const SIZE_LEN: usize = 4;

/// Most room that a buffer has for bytes of which nothing has come.
const ROOM_MAX: usize = 16 * 1024;
