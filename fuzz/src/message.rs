//! What holds for every message, whatever bytes it is read from.

use bytes::Bytes;
use kafka_protocol::{DecodeLimits, Message};

use crate::allocating_at_most;

/// Reads a message. If the bytes are one, it must survive being written and read again.
///
/// Gives the message, and its bytes as we write them: these need not be the ones that were read,
/// since readers take longer varints than needed, explicit defaults of tagged fields, and so on.
pub fn check_message<M: Message>(input: &Bytes, version: i16) -> Option<(M, Bytes)> {
    let message: M = decode_frugally(input, version)?;

    let mut encoded = b"before".to_vec();
    if let Err(error) = message.encode(&mut encoded, version) {
        panic!("{error}, though it was decoded: {message:?}");
    }
    let encoded = Bytes::from(encoded).slice(b"before".len()..);
    assert_eq!(encoded.len(), message.encoded_len(version), "encoded_len of {message:?}");

    let mut rest = encoded.clone();
    let again = match M::decode(&mut rest, version) {
        Ok(again) => again,
        Err(error) => panic!("{error}, though we encoded it: {message:?}"),
    };
    assert!(rest.is_empty(), "{rest:?} of what we encoded was not read again");
    assert!(again == message || !is_comparable(&message), "{message:?} became {again:?}");
    assert_eq!(encode(&again, version), encoded, "written again: {message:?}");
    Some((message, encoded))
}

/// Decodes with the default limits, and holds the decoder to the memory that they allow.
fn decode_frugally<M: Message>(input: &Bytes, version: i16) -> Option<M> {
    let honest = M::MEMORY_PER_BYTE * input.len() + DecodeLimits::SLACK;
    let mut rest = input.clone();
    let result = allocating_at_most(honest + ERROR_SIZE_MAX, || M::decode(&mut rest, version));
    match result {
        Ok(message) => Some(message),
        Err(error) => {
            assert_eq!(rest, input, "an error moved the buffer");
            assert!(error.offset() <= input.len(), "{error}");
            assert_eq!((error.message(), error.version()), (M::NAME, version));
            None
        }
    }
}

fn encode<M: Message>(message: &M, version: i16) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(message.encoded_len(version));
    message.encode(&mut encoded, version).expect("it has just been encoded");
    encoded
}

/// Whether the message is equal to itself, which a NaN in it is not.
fn is_comparable<M: Message>(message: &M) -> bool {
    message.clone() == *message
}

/// Most memory that an error may take: its details and its path.
const ERROR_SIZE_MAX: usize = 4096;
