//! Every length and count of every message, in every version, with what it cannot be: refused where it
//! stands, for what it is, and within the bound of memory.

use bytes::Bytes;
use kafka_protocol::records::{CrcCheck, RecordBatch, RecordBatchBuilder};
use kafka_protocol::{DecodeErrorKind, DecodeLimits, Message};
use serde_json::Value;

use crate::bound::allocated;
use crate::places::{Full, Kind, Place};
use crate::random::unsigned_varint;
use crate::support::{MessageVisitor, schemas, visit_message};

/// What a length is replaced with.
#[derive(Debug, Clone, Copy)]
enum Length {
    /// The largest that the wire can say.
    Largest,
    /// One more than what follows can hold.
    OneTooMany,
    MinusTwo,
    Smallest,
    Null,
    /// A varint of more than 32 bits.
    TooWide,
}

const LENGTHS: [Length; 6] = [
    Length::Largest,
    Length::OneTooMany,
    Length::MinusTwo,
    Length::Smallest,
    Length::Null,
    Length::TooWide,
];

impl Length {
    /// As it stands on the wire; `None` if this form has no such length, or it is a valid one.
    fn encode(self, full: &Full<'_>, place: &Place) -> Option<Vec<u8>> {
        let is_count = matches!(place.kind, Kind::Tags | Kind::TagSize);
        let is_varint = full.flexible || is_count;
        let mut varint = Vec::new();
        let value = match self {
            Self::TooWide if is_varint => return Some(vec![0xff, 0xff, 0xff, 0xff, 0x7f]),
            Self::Largest if is_varint => i64::from(u32::MAX),
            Self::Null if is_varint && !is_count && !place.nullable => 0,
            Self::OneTooMany => {
                let behind = full.bytes.len() - place.at - place.width;
                (behind / place.each + 1 + usize::from(is_varint && !is_count)) as i64
            }
            _ if is_varint => return None,
            Self::Largest if place.kind == Kind::Text => i64::from(i16::MAX),
            Self::Largest => i64::from(i32::MAX),
            Self::MinusTwo => -2,
            Self::Smallest => i64::MIN >> (64 - 8 * place.width),
            Self::Null if !place.nullable => -1,
            Self::Null | Self::TooWide => return None,
        };
        if is_varint {
            unsigned_varint(value as u64, &mut varint);
            return Some(varint);
        }
        Some(value.to_be_bytes()[8 - place.width..].to_vec())
    }

    /// Whether this is what decoding has to say.
    fn is_refused_as(self, place: &Place, flexible: bool, kind: &DecodeErrorKind) -> bool {
        use DecodeErrorKind as Error;
        match (self, place.kind) {
            (Self::TooWide, _) => matches!(kind, Error::InvalidVarint),
            (Self::Null, _) => matches!(kind, Error::UnexpectedNull),
            (Self::MinusTwo | Self::Smallest, _) => matches!(kind, Error::InvalidLength(..=-2)),
            (_, Kind::Array | Kind::Tags) => matches!(kind, Error::TooManyElements { .. }),
            (Self::Largest, Kind::Text) if flexible => matches!(kind, Error::InvalidLength(_)),
            (_, Kind::Text | Kind::Bytes | Kind::TagSize) => {
                matches!(kind, Error::Truncated { .. })
            }
        }
    }
}

/// Counts the lengths that were tried.
struct EveryLength<'s>(&'s Value, &'s mut usize);

impl MessageVisitor for EveryLength<'_> {
    fn visit<M: Message>(self) {
        for version in M::VERSIONS.iter() {
            let full = Full::new(self.0, version);
            let bytes = Bytes::from(full.bytes.clone());
            let (whole, memory) = allocated(|| M::decode(&mut bytes.clone(), version));
            if let Err(error) = whole {
                panic!("{error}");
            }
            for place in &full.places {
                for length in LENGTHS {
                    let Some(wire) = length.encode(&full, place) else { continue };
                    check::<M>(version, &full, place, length, &wire, memory);
                    *self.1 += 1;
                }
            }
        }
    }
}

/// `whole` is what the undamaged message allocates: there is no reason to take more.
fn check<M: Message>(
    version: i16,
    full: &Full<'_>,
    place: &Place,
    length: Length,
    wire: &[u8],
    whole: usize,
) {
    let bytes = Bytes::from(full.with_length(place, wire));
    let what = || format!("{} v{version}, {}: {length:?} {:?}", M::NAME, place.path, place.kind);
    let (result, memory) = allocated(|| M::decode(&mut bytes.clone(), version));
    let Err(error) = result else { panic!("{} was taken", what()) };
    assert!(memory <= whole + ERROR_SIZE_MAX, "{}: {memory} bytes, {whole} otherwise", what());
    assert!(length.is_refused_as(place, full.flexible, error.kind()), "{}: {error}", what());
    let offsets = [place.at, place.at + wire.len()];
    assert!(offsets.contains(&error.offset()), "{}, at {}: {error}", what(), place.at);
}

#[test]
fn every_length_of_every_message_is_held_against_what_is_there() {
    let mut lengths = 0;
    for schema in &schemas() {
        visit_message(schema["name"].as_str().unwrap(), EveryLength(schema, &mut lengths));
    }
    println!("{lengths} lengths and counts were tried");
    assert!(lengths > 14_000, "only {lengths} lengths were tried");
}

/// Most memory that an error takes: its details and its path.
const ERROR_SIZE_MAX: usize = 1024;

/// As it stands in a record.
fn zigzag(value: i32) -> Vec<u8> {
    let mut wire = Vec::new();
    unsigned_varint(u64::from(((value << 1) ^ (value >> 31)) as u32), &mut wire);
    wire
}

#[test]
fn every_length_of_a_record_is_held_against_what_is_there() {
    // Attributes, timestamp and offset deltas; then key, value, headers: count, key, value.
    let content = |lengths: [i32; 5]| {
        let [key, value, headers, header_key, header_value] = lengths.map(zigzag);
        [&[0, 0, 0][..], &key, b"k", &value, b"v", &headers, &header_key, b"h", &header_value, b"w"]
            .concat()
    };
    let fine = [1; 5];
    let decode = |content: &[u8], length: i32| {
        let records = [&zigzag(length)[..], content].concat();
        let batch = batch_of_one(&records);
        let (record, memory) = allocated(|| batch.iter().next().expect("one").map(|_| ()));
        assert!(memory < 1024, "{memory} bytes");
        record.map_err(|error| error.kind().clone())
    };
    let whole = content(fine);
    assert_eq!(decode(&whole, whole.len() as i32), Ok(()));
    for length in [i32::MAX, whole.len() as i32 + 1, -1, i32::MIN] {
        assert!(decode(&whole, length).is_err(), "a record of {length} bytes");
    }
    for place in 0..fine.len() {
        for length in [i32::MAX, 100, -2, i32::MIN] {
            let mut lengths = fine;
            lengths[place] = length;
            let content = content(lengths);
            let error = decode(&content, content.len() as i32).unwrap_err();
            let is_expected = match (place, length < 0) {
                (_, true) => matches!(error, DecodeErrorKind::InvalidLength(_)),
                (2, _) => matches!(error, DecodeErrorKind::TooManyElements { .. }),
                _ => matches!(error, DecodeErrorKind::Truncated { .. }),
            };
            assert!(is_expected, "{length} at {place}: {error}");
        }
    }
}

fn batch_of_one(records: &[u8]) -> RecordBatch {
    let body = RecordBatchBuilder::new().finish();
    let mut header = body.header();
    header.record_count = 1;
    let mut batch = [&header.encode(&body)[..], records].concat();
    let length = (batch.len() - 12) as i32;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    RecordBatch::decode_with(&mut Bytes::from(batch), CrcCheck::Skip, &DecodeLimits::default())
        .expect("records are not read yet")
}
