//! Record batches of our own making: everything that goes in comes out.

use bytes::Bytes;
use kafka_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{MetadataRequest, ProduceResponse};
use kafka_protocol::records::{
    Compression, CompressionOptions, Compressor, RecordBatch, RecordBatchBuilder, RecordHeader,
    Records,
};
use kafka_protocol::{Encoder, Frame, Message};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Debug, Clone, PartialEq)]
struct OwnedRecord {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn build(records: &[OwnedRecord]) -> RecordBatchBuilder {
    let mut builder = RecordBatchBuilder::new();
    for (index, record) in records.iter().enumerate() {
        let headers: Vec<RecordHeader<'_>> = record
            .headers
            .iter()
            .map(|(key, value)| RecordHeader { key, value: value.as_deref() })
            .collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let len = builder.record_len(record.timestamp, key, value, &headers).unwrap();
        let before = builder.len();
        let place = builder.append(record.timestamp, key, value, &headers).unwrap();
        assert_eq!(place as usize, index);
        assert_eq!(builder.len() - before, len);
    }
    builder
}

fn read(batch: &RecordBatch) -> Vec<OwnedRecord> {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    batch
        .iter()
        .enumerate()
        .map(|(index, record)| {
            let record = record.unwrap();
            assert_eq!(record.offset, batch.header().base_offset + index as i64);
            OwnedRecord {
                timestamp: record.timestamp,
                key: own(record.key),
                value: own(record.value),
                headers: record.headers.map(|h| (h.key.to_owned(), own(h.value))).collect(),
            }
        })
        .collect()
}

fn records() -> impl Strategy<Value = Vec<OwnedRecord>> {
    let bytes = || proptest::option::of(vec(any::<u8>(), 0..300));
    let record = (any::<i64>(), bytes(), bytes(), vec((".{0,5}", bytes()), 0..4));
    let own = |(timestamp, key, value, headers)| OwnedRecord { timestamp, key, value, headers };
    vec(record.prop_map(own), 0..30)
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(records in records(), codec in 0..5_u8) {
        let codec = Compression::from_id(codec).unwrap();
        let mut compressor = Compressor::new(CompressionOptions::from(codec));
        let body = build(&records).finish().compress(&mut compressor).unwrap();
        let mut bytes = body.to_bytes(&body.header());
        prop_assert_eq!(bytes.len(), 61 + body.len());
        let batch = RecordBatch::decode(&mut bytes).unwrap();
        prop_assert!(bytes.is_empty());
        prop_assert_eq!(batch.header().attributes.compression(), Some(codec));
        prop_assert_eq!(batch.header().record_count as usize, records.len());
        let max = records.iter().map(|record| record.timestamp).max().unwrap_or(-1);
        prop_assert_eq!(batch.header().max_timestamp, max);
        prop_assert_eq!(read(&batch), records);
    }
}

/// kafka-backup#156 and others lost repeated keys in a map.
#[test]
fn repeated_headers_keep_their_order_and_their_nulls() {
    let value = |text: &str| Some(text.as_bytes().to_vec());
    let headers = [("a", value("1")), ("b", None), ("a", value("2")), ("", value("")), ("a", None)];
    let record = OwnedRecord {
        timestamp: 0,
        key: None,
        value: None,
        headers: headers.map(|(key, value)| (key.to_owned(), value)).to_vec(),
    };
    let body = build(std::slice::from_ref(&record)).finish();
    let batch = RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap();
    assert_eq!(batch.iter().next().unwrap().unwrap().headers.len(), 5);
    assert_eq!(read(&batch), [record]);
}

/// Found by fuzzing: the headers of a record used to carry all bytes behind them.
#[test]
fn equal_records_are_equal_whatever_follows_them() {
    let read_first = |second: &'static [u8]| {
        let mut builder = RecordBatchBuilder::new();
        let header = RecordHeader { key: "k", value: None };
        builder.append(0, None, None, &[header]).unwrap();
        builder.append(0, None, Some(second), &[]).unwrap();
        let body = builder.finish();
        RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap()
    };
    let (a, b) = (read_first(b"a"), read_first(b"b"));
    let (a, b) = (a.iter().next().unwrap().unwrap(), b.iter().next().unwrap().unwrap());
    assert_eq!(a, b);
    assert_eq!(format!("{:?}", a.headers), r#"[RecordHeader { key: "k", value: None }]"#);
}

/// kafka-protocol-rs#158 read timestamp deltas as 32 bits: wrong from 25 days on.
#[test]
fn timestamps_may_lie_far_apart() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    for apart in [25 * DAY_MS, -25 * DAY_MS, 10_000 * DAY_MS, i64::MAX, i64::MIN] {
        let mut builder = RecordBatchBuilder::new();
        for timestamp in [1, 1_i64.wrapping_add(apart), 0] {
            builder.append(timestamp, None, None, &[]).unwrap();
        }
        let body = builder.finish();
        let batch = RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap();
        let read: Vec<i64> = batch.iter().map(|record| record.unwrap().timestamp).collect();
        assert_eq!(read, [1, 1_i64.wrapping_add(apart), 0]);
    }
}

#[test]
fn one_body_is_sent_under_one_header_after_another() {
    let mut builder = RecordBatchBuilder::new();
    builder.append(5, None, Some(&[1; 3000]), &[]).unwrap();
    let body = builder.finish();
    let mut seen = Vec::new();
    for (epoch, sequence) in [(0, 17), (1, 0)] {
        let mut header = body.header();
        header.producer_id = 4711;
        header.producer_epoch = epoch;
        header.base_sequence = sequence;
        let records = body.to_records(&header);
        // The body's chunks are shared, not copied.
        assert_eq!(records.segments()[1].as_ptr(), body.chunks()[0].as_ptr());
        let batch = RecordBatch::decode(&mut records.to_bytes()).unwrap();
        assert_eq!(
            (batch.header().producer_epoch, batch.header().base_sequence),
            (epoch, sequence)
        );
        seen.push(batch.header().crc);
    }
    assert_ne!(seen[0], seen[1]);
}

#[test]
fn a_batch_without_records_is_written_and_read() {
    let body = RecordBatchBuilder::new().finish();
    let batch = RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap();
    assert_eq!(batch.header().record_count, 0);
    assert_eq!(batch.iter().count(), 0);
}

fn produce_request(records: Records) -> ProduceRequest {
    let partition = PartitionProduceData { index: 3, records: Some(records), ..Default::default() };
    let topic = TopicProduceData {
        name: "orders".into(),
        partition_data: vec![partition.clone(), partition],
        ..Default::default()
    };
    ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() }
}

#[test]
fn a_frame_shares_the_record_bytes() {
    let mut builder = RecordBatchBuilder::new();
    builder.append(5, None, Some(&[1; 5000]), &[]).unwrap();
    let body = builder.finish();
    for version in 3..13 {
        let request = produce_request(body.to_records(&body.header()));
        let frame = Frame::request(&request, version, 9, Some("me".into())).unwrap();
        let shared = |chunk: &&Bytes| frame.segments().iter().any(|s| s.as_ptr() == chunk.as_ptr());
        let large: Vec<&Bytes> = body.chunks().iter().filter(|chunk| chunk.len() > 512).collect();
        assert!(!large.is_empty() && large.iter().all(shared), "v{version}");

        let mut message = Vec::new();
        request.encode(&mut message, version).unwrap();
        let len = frame.len();
        let bytes = frame.into_bytes();
        assert_eq!(bytes.len(), len);
        assert!(bytes.ends_with(&message), "v{version}");
        assert_eq!(bytes[..4], (len as u32 - 4).to_be_bytes());
        let mut message = Bytes::from(message);
        assert_eq!(ProduceRequest::decode(&mut message, version).unwrap(), request);
    }
}

#[test]
fn small_records_are_copied_into_the_frame() {
    let mut builder = RecordBatchBuilder::new();
    builder.append(5, None, Some(&[1; 400]), &[]).unwrap();
    let body = builder.finish();
    let request = produce_request(body.to_records(&body.header()));
    let frame = Frame::request(&request, 9, 1, None).unwrap();
    assert_eq!(frame.segments().len(), 1);
}

#[test]
fn a_message_that_fails_leaves_no_records_behind() {
    let mut builder = RecordBatchBuilder::new();
    builder.append(5, None, Some(&[1; 5000]), &[]).unwrap();
    let body = builder.finish();
    let good = produce_request(body.to_records(&body.header()));
    let mut bad = good.clone();
    // The fault comes behind the records.
    bad.topic_data.push(TopicProduceData { name: "x".repeat(40_000).into(), ..Default::default() });
    let mut expected = Vec::new();
    good.encode(&mut expected, 9).unwrap();

    let mut out = Encoder::vectored();
    good.write(&mut out, 9).unwrap();
    bad.write(&mut out, 9).unwrap_err();
    assert_eq!(out.len(), expected.len());
    assert_eq!(out.into_segments().concat(), expected);
}

#[test]
fn what_a_version_cannot_carry_is_named() {
    let mut buf = vec![7];
    // Of several faults the first is told.
    let request = MetadataRequest {
        topics: None,
        include_topic_authorized_operations: true,
        ..Default::default()
    };
    let error = request.encode(&mut buf, 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MetadataRequest v0: topics is null, which this version does not allow"
    );
    let request =
        MetadataRequest { include_topic_authorized_operations: true, ..Default::default() };
    let error = request.encode(&mut buf, 7).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MetadataRequest v7: include_topic_authorized_operations is set, but does not exist in this \
         version and may not be dropped"
    );
    let error = request.encode(&mut buf, 99).unwrap_err();
    assert_eq!(error.to_string(), "MetadataRequest v99: unsupported version, known are 0 to 13");
    let mut response = ProduceResponse::default();
    response.unknown_tagged_fields.insert(0, Bytes::from_static(b"x"));
    let error = response.encode(&mut buf, 13).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ProduceResponse v13: unknown_tagged_fields use tag 0, which belongs to a known field"
    );
    let mut request = produce_request(Records::default());
    request.topic_data[0].name = "x".repeat(40_000).into();
    let error = request.encode(&mut buf, 9).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ProduceRequest v9: TopicProduceData.name has length 40000, at most 32767 can be written"
    );
    // Nothing was written, and what was there stays.
    assert_eq!(buf, [7]);
}
