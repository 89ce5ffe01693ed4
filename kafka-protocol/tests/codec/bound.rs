//! Memory that decoding takes, held against what it may.

use bytes::Bytes;
use kafka_protocol::{DecodeError, DecodeLimits, Message};

/// Runs `work` and gives its result with the bytes that it allocated, those it gave back included.
///
/// What C libraries allocate is not counted.
pub(crate) fn allocated<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(work()));
    (result.expect("measured"), info.bytes_total as usize)
}

/// Decodes, and holds the memory against the message's bound.
pub(crate) fn decode_within_bound<M: Message>(
    version: i16,
    bytes: &Bytes,
) -> Result<M, DecodeError> {
    let bound = M::MEMORY_PER_BYTE * bytes.len() + DecodeLimits::SLACK;
    let (result, memory) = allocated(|| M::decode(&mut bytes.clone(), version));
    let name = M::NAME;
    assert!(memory <= bound, "{name} v{version}: {memory} > {bound}: {bytes:?} {result:?}");
    result
}
