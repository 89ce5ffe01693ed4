//! What the records of the demo hold, so that each can be recognised and checked alone.
//!
//! A made record is its sequence number and bytes that follow from it. A line of a file stays as it is,
//! and has a header with its sequence number and a checksum of both.

use std::hash::{DefaultHasher, Hasher};

use kafka_protocol::records::Record;

/// Name of the header beside a line.
pub(super) const HEADER: &str = "demo";
/// Bytes of its value: a sequence number and a checksum.
pub(super) const HEADER_LEN: usize = 16;

/// How records are made, and read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payload {
    /// Values of this many bytes, at least 16.
    Made {
        len: usize,
    },
    Lines,
}

/// Fills a value that was made for this number, whatever its length.
pub(super) fn fill(sequence: u64, value: &mut [u8]) {
    let mut state = sequence;
    let mut word = sequence.to_be_bytes();
    for chunk in value.chunks_mut(8) {
        for (to, from) in chunk.iter_mut().zip(word) {
            *to = from;
        }
        // The generator of SplitMix64: each word differs in half of its bits from the next one.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word = (mixed ^ (mixed >> 31)).to_le_bytes();
    }
}

/// The value of the header beside a line.
pub(super) fn header(sequence: u64, line: &[u8]) -> [u8; HEADER_LEN] {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(sequence);
    hasher.write(line);
    let both = u128::from(sequence) << 64 | u128::from(hasher.finish());
    both.to_be_bytes()
}

impl Payload {
    /// The sequence number of a record; `None` if it is not one that was sent, or not unchanged.
    /// `scratch` is for its own use.
    pub(super) fn sequence(self, record: &Record<'_>, scratch: &mut Vec<u8>) -> Option<u64> {
        let value = record.value?;
        let mut headers = record.headers.clone();
        match self {
            Self::Made { len } => {
                let sequence = u64::from_be_bytes(*value.first_chunk()?);
                scratch.resize(len, 0);
                fill(sequence, scratch);
                let is_whole = record.key.is_none() && headers.next().is_none();
                (is_whole && *scratch == value).then_some(sequence)
            }
            Self::Lines => {
                let found = headers.next().filter(|header| header.key == HEADER)?;
                let sequence = u64::from_be_bytes(*found.value?.first_chunk()?);
                let is_whole = record.key.is_none() && headers.next().is_none();
                let expected = header(sequence, value);
                (is_whole && found.value == Some(&expected)).then_some(sequence)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::{RecordBatch, RecordBatchBuilder, RecordHeader};

    use super::*;

    fn recognised(payload: Payload, value: &[u8], header: Option<&[u8]>) -> Option<u64> {
        let mut builder = RecordBatchBuilder::new();
        let headers = header.map(|value| RecordHeader { key: HEADER, value: Some(value) });
        builder.append(0, None, Some(value), headers.as_slice()).unwrap();
        let body = builder.finish();
        let batch = RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap();
        let record = batch.iter().next().unwrap().unwrap();
        payload.sequence(&record, &mut Vec::new())
    }

    #[test]
    fn a_made_record_is_recognised_and_any_change_is_seen() {
        for len in [16, 17, 100] {
            let payload = Payload::Made { len };
            let mut value = vec![0; len];
            fill(12_345, &mut value);
            assert_eq!(recognised(payload, &value, None), Some(12_345));
            assert_eq!(recognised(payload, &value, Some(b"")), None);
            assert_eq!(recognised(payload, &value[1..], None), None);
            for at in 0..len {
                value[at] ^= 1;
                assert_eq!(recognised(payload, &value, None), None, "byte {at} of {len}");
                value[at] ^= 1;
            }
        }
    }

    #[test]
    fn a_line_is_recognised_and_any_change_is_seen() {
        let line = b"a line";
        let mut header = header(7, line);
        assert_eq!(recognised(Payload::Lines, line, Some(&header)), Some(7));
        assert_eq!(recognised(Payload::Lines, b"a lime", Some(&header)), None);
        assert_eq!(recognised(Payload::Lines, line, None), None);
        for at in 0..HEADER_LEN {
            header[at] ^= 1;
            assert_eq!(recognised(Payload::Lines, line, Some(&header)), None, "byte {at}");
            header[at] ^= 1;
        }
    }
}
