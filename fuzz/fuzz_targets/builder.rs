//! Input: records, a codec and its level, made of the bytes by the `arbitrary` crate.
//!
//! The builder foretells length and memory; compressing gives the same bytes each time; and what was
//! built and compressed reads as what was put in.

#![no_main]

use kafka_protocol::records::{
    Compression, CompressionOptions, Compressor, RecordBatch, RecordBatchBody, RecordBatchBuilder,
    RecordHeader,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    codec: u8,
    level: i8,
    records: Vec<InputRecord<'a>>,
}

#[derive(Debug, Arbitrary)]
struct InputRecord<'a> {
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<Repeated<'a>>,
    headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

/// Bytes several times over: short inputs reach the end of a builder's chunk this way.
#[derive(Debug, Arbitrary)]
struct Repeated<'a> {
    bytes: &'a [u8],
    times: u8,
}

fuzz_target!(|input: Input<'_>| {
    let records: Vec<Prepared<'_>> = input.records.iter().map(Prepared::new).collect();
    let plain = build(&records);
    check(&plain, &records);
    let options = compression(&input);
    let compressor = &mut Compressor::new(options);
    let [once, twice] =
        [(); 2].map(|()| plain.compress(compressor).expect("every codec is built in"));
    assert_eq!(once.header().attributes.compression(), Some(options.codec()));
    assert_eq!(once.chunks().concat(), twice.chunks().concat(), "compressed twice");
    check(&once, &records);
});

/// An input record in the form in which builder and reader have it.
struct Prepared<'a> {
    timestamp: i64,
    key: Option<&'a [u8]>,
    value: Option<Vec<u8>>,
    headers: Vec<RecordHeader<'a>>,
}

impl<'a> Prepared<'a> {
    fn new(input: &InputRecord<'a>) -> Self {
        Self {
            timestamp: input.timestamp,
            key: input.key,
            value: input.value.as_ref().map(|value| value.bytes.repeat(value.times.into())),
            headers: input
                .headers
                .iter()
                .map(|(key, value)| RecordHeader { key, value: *value })
                .collect(),
        }
    }
}

fn build(records: &[Prepared<'_>]) -> RecordBatchBody {
    let mut builder = RecordBatchBuilder::new();
    for (index, Prepared { timestamp, key, value, headers }) in (0..).zip(records) {
        let value = value.as_deref();
        let len = builder.record_len(*timestamp, *key, value, headers).expect("below 2 GiB");
        let foretold = (builder.len() + len, builder.memory() + builder.memory_needed(len));
        assert_eq!(builder.append(*timestamp, *key, value, headers), Ok(index));
        assert_eq!((builder.len(), builder.memory()), foretold);
    }
    assert_eq!(builder.is_empty(), records.is_empty());
    let len = builder.len();
    let body = builder.finish();
    assert_eq!(body.len(), len);
    assert_eq!(body.record_count() as usize, records.len());
    body
}

fn check(body: &RecordBatchBody, expected: &[Prepared<'_>]) {
    let header = body.header();
    assert_eq!(header.max_timestamp, expected.iter().map(|r| r.timestamp).max().unwrap_or(-1));
    let mut bytes = body.to_bytes(&header);
    assert_eq!(body.to_records(&header).to_bytes(), bytes, "in pieces and in one");
    let batch = RecordBatch::decode(&mut bytes).expect("we have built it");
    assert!(bytes.is_empty());
    let mut records = batch.iter();
    for (offset, expected) in (0..).zip(expected) {
        let record = records.next().expect("as many as were put in").expect("we have built it");
        assert_eq!((record.offset, record.timestamp), (offset, expected.timestamp));
        assert_eq!((record.key, record.value), (expected.key, expected.value.as_deref()));
        assert!(record.headers.eq(expected.headers.iter().copied()), "other headers");
    }
    assert!(records.next().is_none(), "more records than were put in");
}

fn compression(input: &Input<'_>) -> CompressionOptions {
    let codec = Compression::from_id(input.codec % 5).expect("0 to 4 are codecs");
    codec.with_level(input.level.into()).unwrap_or_else(|_| codec.into())
}
