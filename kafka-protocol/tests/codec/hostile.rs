//! Input that means harm, or that belongs to somebody else: an error, quickly, and memory small.

use bytes::Bytes;
use kafka_protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::records::{RecordBatch, RecordBatchBuilder};
use kafka_protocol::{
    ApiKey, DecodeErrorKind, DecodeLimits, Message, RequestHeader, ResponseHeader,
};

use crate::bound::{allocated, decode_within_bound};
use crate::support::{MessageVisitor, visit_message};

/// Reads `bytes` as a message in every version, and holds the memory against the bound.
struct WithinBound<'b>(&'b Bytes);

impl MessageVisitor for WithinBound<'_> {
    fn visit<M: Message>(self) {
        for version in M::VERSIONS.iter() {
            let _ = decode_within_bound::<M>(version, self.0);
        }
    }
}

fn every_message(visit: impl Fn(&str)) {
    for key in ApiKey::ALL {
        let name = key.name().expect("a known API");
        visit(&format!("{name}Request"));
        visit(&format!("{name}Response"));
    }
}

/// kafka-protocol-rs#152: a count of 54 million made a decoder allocate 3.6 GiB.
#[test]
fn eight_bytes_cost_no_gigabytes() {
    let eight = Bytes::from_static(&[0x03, 0x00, 0x00, 0x03, 0x3c, 0x0c, 0x00, 0xb6]);
    every_message(|name| visit_message(name, WithinBound(&eight)));
}

#[test]
fn the_largest_counts_cost_nothing() {
    for hostile in [&[0x7f; 64][..], &[0xff; 64], &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0]] {
        let hostile = Bytes::from_static(hostile);
        every_message(|name| visit_message(name, WithinBound(&hostile)));
    }
}

/// A wrong address is met by honest users too: kafka-go#1439.
#[test]
fn bytes_of_other_services_are_errors() {
    for other in [
        &b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    ] {
        let other = Bytes::from_static(other);
        every_message(|name| visit_message(name, WithinBound(&other)));
        let error = RequestHeader::decode(&mut other.clone()).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::UnknownApiKey(_)), "{error}");
        assert!(MetadataResponse::decode(&mut other.clone(), 12).is_err());
    }
}

#[test]
fn less_memory_is_allowed_where_less_is_asked() {
    let mut frame = Vec::new();
    let response =
        MetadataResponse { brokers: vec![Default::default(); 100], ..Default::default() };
    response.encode(&mut frame, 12).unwrap();
    let frame = Bytes::from(frame);
    let decode = |limits: &DecodeLimits| {
        MetadataResponse::decode_with(&mut frame.clone(), 12, limits).map(|_| ())
    };
    assert_eq!(decode(&DecodeLimits::default()), Ok(()));
    let error = decode(&DecodeLimits::default().with_allocation(1000)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MetadataResponse v12: brokers at byte 4: \
         decoding would allocate more than the limit of 1000 bytes"
    );
}

#[test]
fn an_error_says_where_it_is() {
    let mut frame = Vec::new();
    let partition =
        MetadataResponsePartition { replica_nodes: [1, 2, 3].into(), ..Default::default() };
    let topic = MetadataResponseTopic {
        name: Some("orders".into()),
        partitions: vec![partition; 2],
        ..Default::default()
    };
    let response = MetadataResponse { topics: vec![topic], ..Default::default() };
    response.encode(&mut frame, 12).unwrap();
    let cut = Bytes::from(frame).slice(..76);
    let error = MetadataResponse::decode(&mut cut.clone(), 12).unwrap_err();
    assert_eq!((error.message(), error.version()), ("MetadataResponse", 12));
    assert_eq!(error.path(), "topics[0].partitions[1].leader_id");
    assert!(matches!(error.kind(), DecodeErrorKind::Truncated { .. }), "{error}");

    let error = MetadataResponse::decode(&mut cut.clone(), 99).unwrap_err();
    assert_eq!(
        error.to_string(),
        "MetadataResponse v99: at byte 0: unsupported version, known are 0 to 13"
    );
    let error = ResponseHeader::decode(&mut cut.slice(..3), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ResponseHeader v0: correlation_id at byte 0: needs 4 bytes, only 3 are left"
    );
}

#[test]
fn a_false_record_count_is_an_error_and_reserves_nothing() {
    let mut builder = RecordBatchBuilder::new();
    builder.append(0, None, None, &[]).unwrap();
    let body = builder.finish();
    for count in [0, 2, i32::MAX] {
        let mut header = body.header();
        header.record_count = count;
        let batch = RecordBatch::decode(&mut body.to_bytes(&header)).unwrap();
        let (records, memory) = allocated(|| batch.iter().collect::<Vec<_>>());
        assert!(records.last().unwrap().is_err(), "{count}: {records:?}");
        assert!(memory < 4096, "{count}: {memory}");
    }
    let mut header = body.header();
    header.record_count = -1;
    let error = RecordBatch::decode(&mut body.to_bytes(&header)).unwrap_err();
    assert_eq!(error.to_string(), "RecordBatch v2: at byte 57: invalid length -1");
}
