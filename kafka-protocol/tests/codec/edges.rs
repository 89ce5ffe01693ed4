//! The edges of what is allowed: the last value that passes, the first one that does not, and what an
//! error says about its place.

use bytes::Bytes;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use kafka_protocol::messages::produce::ProduceResponse;
use kafka_protocol::messages::{ApiVersionsRequest, FetchRequest, SaslHandshakeResponse};
use kafka_protocol::records::{
    AppendError, Compression, CompressionOptions, Compressor, CrcCheck, RecordBatch,
    RecordBatchBody, RecordBatchBuilder, RecordBatchHeader, RecordBatches, RecordHeader, Records,
};
use kafka_protocol::{
    DecodeErrorKind, DecodeLimits, EncodeErrorKind, Encoder, Message, RequestHeader, ResponseHeader,
};

fn decode_error<M: Message>(bytes: &'static [u8], version: i16) -> String {
    M::decode(&mut Bytes::from_static(bytes), version).unwrap_err().to_string()
}

#[test]
fn a_count_is_refused_before_anything_is_read_or_charged() {
    // 54 million elements in one byte, with a budget that would allow them.
    let mut bytes = Bytes::from_static(&[0x03, 0x3c, 0x0c, 0x00, 0xb6]);
    let error = SaslHandshakeResponse::decode(&mut bytes, 1).unwrap_err();
    assert_eq!(error.path(), "mechanisms");
    assert!(matches!(error.kind(), DecodeErrorKind::Truncated { needed: 4, remaining: 3 }));
    let mut bytes = Bytes::from_static(&[0, 0, 0x3c, 0x0c, 0x00, 0xb6, 0]);
    let error = SaslHandshakeResponse::decode(&mut bytes, 1).unwrap_err();
    let kind = DecodeErrorKind::TooManyElements { count: 0x3c0c_00b6, remaining: 1 };
    assert_eq!(error.kind(), &kind);
}

/// The least that an element takes depends on the version.
#[test]
fn a_count_is_held_against_the_least_that_its_elements_take() {
    for (version, count, least) in
        [(0, &[0, 0, 0, 2][..], 10), (1, &[0, 0, 0, 2], 12), (12, &[0, 0, 0, 0, 3], 11)]
    {
        for missing in [0, 1] {
            let remaining = 2 * least - missing;
            let bytes = [count, &vec![0; remaining]].concat();
            let error = MetadataResponse::decode(&mut bytes.into(), version).unwrap_err();
            let too_many = DecodeErrorKind::TooManyElements { count: 2, remaining };
            assert_eq!(error.kind() == &too_many, missing == 1, "v{version}: {error}");
        }
    }
}

#[test]
fn lengths_below_minus_one_are_not_null() {
    assert_eq!(
        decode_error::<SaslHandshakeResponse>(&[0, 0, 0xff, 0xff, 0xff, 0xfe], 1),
        "SaslHandshakeResponse v1: mechanisms at byte 2: invalid length -2"
    );
    assert_eq!(
        decode_error::<SaslHandshakeResponse>(&[0, 0, 0xff, 0xff, 0xff, 0xff], 1),
        "SaslHandshakeResponse v1: mechanisms at byte 2: null is not allowed in this version"
    );
}

#[test]
fn strings_end_at_32767_bytes_in_both_forms() {
    for len in [32_767, 32_768] {
        let request = ApiVersionsRequest {
            client_software_name: "x".repeat(len).into(),
            ..Default::default()
        };
        let is_allowed = len == 32_767;
        assert_eq!(request.encode(&mut Vec::new(), 4).is_ok(), is_allowed, "{len}");
        // The same by hand: uvarint of length + 1, the name, an empty version, no tags.
        let mut bytes = vec![(len + 1) as u8 | 0x80, ((len + 1) >> 7) as u8 | 0x80, 0x02];
        bytes.extend("x".repeat(len).bytes().chain([1, 0]));
        let decoded = ApiVersionsRequest::decode(&mut bytes.into(), 4);
        match decoded {
            Ok(decoded) => assert!(is_allowed && decoded == request, "{len}"),
            Err(error) => {
                assert!(!is_allowed, "{error}");
                assert_eq!(error.kind(), &DecodeErrorKind::InvalidLength(32_768));
            }
        }
    }
}

#[test]
fn a_budget_may_be_used_up_to_the_last_byte() {
    let mut frame = Vec::new();
    let response = MetadataResponse { brokers: vec![Default::default(); 10], ..Default::default() };
    response.encode(&mut frame, 12).unwrap();
    let broker = size_of_val(&response.brokers[0]);
    for (allocation, fits) in [(10 * broker, true), (10 * broker - 1, false)] {
        let limits = DecodeLimits::default().with_allocation(allocation);
        let result = MetadataResponse::decode_with(&mut frame.clone().into(), 12, &limits);
        assert_eq!(result.is_ok(), fits, "{allocation}");
    }
}

#[test]
fn three_replicas_cost_nothing_and_four_are_charged() {
    for (replicas, fits) in [(3, true), (4, false)] {
        let mut response = MetadataResponse::default();
        response.topics.push(Default::default());
        response.topics[0].partitions.push(Default::default());
        response.topics[0].partitions[0].replica_nodes = (0..replicas).collect();
        let structs =
            size_of_val(&response.topics[0]) + size_of_val(&response.topics[0].partitions[0]);
        let mut frame = Vec::new();
        response.encode(&mut frame, 12).unwrap();
        let limits = DecodeLimits::default().with_allocation(structs + 15);
        let result = MetadataResponse::decode_with(&mut frame.into(), 12, &limits);
        assert_eq!(result.is_ok(), fits, "{replicas}");
    }
}

#[test]
fn a_tagged_field_must_fill_its_size_exactly() {
    // One tag, 0 (node endpoints): its size says 3, an empty array takes 1.
    assert_eq!(
        decode_error::<ProduceResponse>(&[1, 0, 0, 0, 0, 1, 0, 3, 1, 0, 0], 13),
        "ProduceResponse v13: at byte 8: 3 bytes were announced, the content took 1"
    );
    assert_eq!(
        decode_error::<ProduceResponse>(&[1, 0, 0, 0, 0, 1, 0, 9, 1], 13),
        "ProduceResponse v13: at byte 8: needs 9 bytes, only 1 are left"
    );
    // Tags 5 and 5.
    assert_eq!(
        decode_error::<ProduceResponse>(&[1, 0, 0, 0, 0, 2, 5, 0, 5, 0], 13),
        "ProduceResponse v13: at byte 8: tag 5 is repeated or out of order"
    );
    // A count of 200 tags in two bytes.
    let error = decode_error::<ProduceResponse>(&[1, 0, 0, 0, 0, 0xc8, 0x01, 0, 0], 13);
    assert_eq!(
        error,
        "ProduceResponse v13: at byte 5: the array claims 200 elements in 2 remaining bytes"
    );
}

#[test]
fn tags_ascend_and_are_paid_for() {
    let decode = |tags: [u8; 2]| {
        let mut bytes = Bytes::copy_from_slice(&[0, 0, 0, 7, 2, tags[0], 0, tags[1], 0]);
        ResponseHeader::decode(&mut bytes, 1).map_err(|error| error.kind().clone())
    };
    assert_eq!(decode([4, 5]).unwrap().unknown_tagged_fields.len(), 2);
    assert_eq!(decode([5, 5]), Err(DecodeErrorKind::TagOrder { tag: 5 }));
    assert_eq!(decode([5, 4]), Err(DecodeErrorKind::TagOrder { tag: 4 }));

    let mut request = ApiVersionsRequest::default();
    for tag in 0..100 {
        request.unknown_tagged_fields.insert(tag, Bytes::new());
    }
    let mut bytes = Vec::new();
    request.encode(&mut bytes, 4).unwrap();
    let decode = |allocation| {
        let limits = DecodeLimits::default().with_allocation(allocation);
        ApiVersionsRequest::decode_with(&mut bytes.clone().into(), 4, &limits)
    };
    assert_eq!(decode(10_000).as_ref(), Ok(&request));
    let kind = DecodeErrorKind::OverBudget { limit: 1000 };
    assert_eq!(decode(1000).unwrap_err().kind(), &kind);
}

#[test]
fn a_tag_is_unknown_before_the_version_that_has_it() {
    let mut request = FetchRequest::default();
    request.unknown_tagged_fields.insert(1, Bytes::from_static(b"raw"));
    let mut bytes = Vec::new();
    request.encode(&mut bytes, 14).unwrap();
    assert_eq!(FetchRequest::decode(&mut bytes.into(), 14).as_ref(), Ok(&request));
    // From version 15 on it is the replica state.
    let error = request.encode(&mut Vec::new(), 15).unwrap_err();
    assert_eq!(error.kind(), &EncodeErrorKind::TagInUse { tag: 1 });
}

#[test]
fn a_fault_in_a_tagged_field_names_it() {
    let request = FetchRequest { cluster_id: Some("abc".into()), ..Default::default() };
    let mut bytes = Vec::new();
    request.encode(&mut bytes, 12).unwrap();
    *bytes.last_mut().unwrap() = 0xff;
    let error = FetchRequest::decode(&mut bytes.into(), 12).unwrap_err();
    assert_eq!((error.path(), error.kind()), ("cluster_id", &DecodeErrorKind::InvalidUtf8));
}

#[test]
fn headers_have_two_versions_each() {
    let bytes = Bytes::from_static(&[0; 20]);
    let mut out = Encoder::contiguous(Vec::new());
    for version in [0, 3] {
        let error = RequestHeader::decode_version(&mut bytes.clone(), version).unwrap_err();
        let expected = format!("RequestHeader v{version}: at byte 0: unsupported version, ");
        assert_eq!(error.to_string(), expected + "known are 1 to 2");
        let error = RequestHeader::default().write(&mut out, version).unwrap_err();
        let expected = format!("RequestHeader v{version}: unsupported version, ");
        assert_eq!(error.to_string(), expected + "known are 1 to 2");
    }
    for version in [-1, 2] {
        let error = ResponseHeader::decode(&mut bytes.clone(), version).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::UnsupportedVersion { .. }), "{error}");
        let error = ResponseHeader::default().write(&mut out, version).unwrap_err();
        assert!(matches!(error.kind(), EncodeErrorKind::UnsupportedVersion { .. }), "{error}");
    }
    assert!(out.is_empty());
}

#[test]
fn what_follows_a_message_is_left_to_the_caller() {
    let mut bytes = Bytes::from_static(&[0, 0, 0, 0, 7, 8]);
    MetadataRequest::decode(&mut bytes, 0).unwrap();
    assert_eq!(bytes, &[7, 8][..]);
}

fn one_record() -> RecordBatchBody {
    let mut builder = RecordBatchBuilder::new();
    assert!(builder.is_empty());
    builder.append(7, None, Some(b"value"), &[]).unwrap();
    assert_eq!((builder.is_empty(), builder.record_count()), (false, 1));
    builder.finish()
}

#[test]
fn a_new_header_is_that_of_a_producer_without_idempotence() {
    let body = RecordBatchBuilder::new().finish();
    assert!(body.is_empty() && body.record_count() == 0);
    let header = body.header();
    let ids = (header.producer_id, header.producer_epoch, header.base_sequence);
    assert_eq!(ids, (-1, -1, -1));
    assert_eq!((header.base_offset, header.partition_leader_epoch), (0, -1));
    assert_eq!((header.batch_length, header.last_offset_delta), (49, -1));
    assert_eq!((header.base_timestamp, header.max_timestamp), (-1, -1));
    assert_eq!(header.last_sequence(), -1);

    let body = one_record();
    assert!(!body.is_empty() && body.record_count() == 1);
    let mut header = body.header();
    header.base_sequence = 0;
    assert_eq!(header.last_sequence(), 0);
    assert!(format!("{:?}", header.attributes).contains("transactional: false"));
}

fn batch_error(bytes: Vec<u8>) -> String {
    RecordBatch::decode(&mut bytes.into()).unwrap_err().to_string()
}

#[test]
fn errors_of_a_batch_name_the_byte() {
    let body = one_record();
    let good = body.to_bytes(&body.header()).to_vec();
    assert_eq!(
        batch_error(good[..good.len() - 1].to_vec()),
        format!(
            "RecordBatch v2: at byte 8: needs {} bytes, only {} are left",
            good.len(),
            good.len() - 1
        )
    );
    let mut short = good.clone();
    short[8..12].copy_from_slice(&48_i32.to_be_bytes());
    assert_eq!(batch_error(short), "RecordBatch v2: at byte 8: invalid length 48");
    let mut damaged = good.clone();
    damaged[60] ^= 1;
    assert!(batch_error(damaged).starts_with("RecordBatch v2: at byte 17: the header states CRC"));
    let mut header = body.header();
    header.attributes.0 = 7;
    assert_eq!(
        batch_error(body.to_bytes(&header).to_vec()),
        "RecordBatch v2: at byte 21: the attributes name no known codec"
    );
    assert_eq!(
        RecordBatchHeader::decode(&good[..20]).unwrap_err().to_string(),
        "RecordBatch v2: crc at byte 17: needs 4 bytes, only 3 are left"
    );
}

#[test]
fn errors_of_a_record_name_the_byte_and_the_field() {
    let body = one_record();
    let mut bytes = body.to_bytes(&body.header()).to_vec();
    let at = bytes.iter().rposition(|byte| *byte == b'v').unwrap() - 1;
    // The value's length, 5 in zigzag form, becomes 100.
    bytes[at] = 0xc8;
    bytes[at + 1] = 0x01;
    let limits = DecodeLimits::default();
    let skip = CrcCheck::Skip;
    let batch = RecordBatch::decode_with(&mut bytes.into(), skip, &limits).unwrap();
    let error = batch.iter().next().unwrap().unwrap_err();
    assert_eq!(error.path(), "records[0].value");
    assert_eq!(error.offset(), at + 2);
    // Iteration ends with the error.
    assert_eq!(batch.iter().count(), 1);
}

/// One record with a header of the key "k" and a null, each of its bytes made wrong.
#[test]
fn each_fault_of_a_record_is_told_apart() {
    use DecodeErrorKind::{InvalidLength, InvalidUtf8, SizeMismatch, TooManyElements};
    let mut builder = RecordBatchBuilder::new();
    builder.append(0, None, None, &[RecordHeader { key: "k", value: None }]).unwrap();
    let body = builder.finish();
    let good = body.to_bytes(&body.header());
    assert_eq!(good[61..], [18, 0, 0, 0, 1, 1, 2, 2, b'k', 1]);
    // Lengths are in zigzag form: 1 is -1, 3 is -2.
    for (at, byte, path, offset, kind) in [
        (61, 1, "records[0].length", 61, InvalidLength(-1)),
        (61, 16, "records[0]", 62, SizeMismatch { announced: 8, actual: 9 }),
        (65, 3, "records[0].key", 65, InvalidLength(-2)),
        (66, 3, "records[0].value", 66, InvalidLength(-2)),
        (67, 1, "records[0].headers", 67, InvalidLength(-1)),
        (67, 4, "records[0].headers", 67, TooManyElements { count: 2, remaining: 3 }),
        (68, 1, "records[0].headers[0].key", 68, DecodeErrorKind::UnexpectedNull),
        (69, 0xff, "records[0].headers[0].key", 68, InvalidUtf8),
        (70, 3, "records[0].headers[0].value", 70, InvalidLength(-2)),
    ] {
        let mut damaged = good.to_vec();
        damaged[at] = byte;
        let limits = DecodeLimits::default();
        let batch = RecordBatch::decode_with(&mut damaged.into(), CrcCheck::Skip, &limits).unwrap();
        let error = batch.iter().next().unwrap().unwrap_err();
        assert_eq!((error.path(), error.offset(), error.kind()), (path, offset, &kind));
    }
}

#[test]
fn batches_end_at_the_first_error() {
    let good = one_record().to_bytes(&one_record().header());
    let wrong_crc = [&good[..17], &[!good[17]], &good[18..]].concat();
    let negative_length = [&good[..8], &[0xff], &good[9..]].concat();
    let behind = |second: &[u8]| Records::from(Bytes::from([&good[..], second, &good].concat()));
    for second in [&wrong_crc, &negative_length] {
        let mut batches = RecordBatches::new(&behind(second));
        assert!(batches.next().unwrap().is_ok());
        assert!(batches.next().unwrap().is_err());
        assert!(batches.next().is_none());
    }
    let unchecked = behind(&wrong_crc);
    let unchecked = RecordBatches::with(&unchecked, CrcCheck::Skip, DecodeLimits::DEFAULT);
    assert_eq!(unchecked.filter(Result::is_ok).count(), 3);

    let mut gzip = Compressor::new(CompressionOptions::from(Compression::Gzip));
    let body = one_record().compress(&mut gzip).unwrap();
    let limits = DecodeLimits::DEFAULT.with_decompressed(11);
    let mut limited =
        RecordBatches::with(&body.to_records(&body.header()), CrcCheck::Check, limits);
    let error = limited.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "RecordBatch v2: at byte 61: gzip data is larger than 11 bytes when decompressed"
    );
}

#[test]
fn the_size_hint_believes_only_what_the_bytes_can_bear_out() {
    let mut builder = RecordBatchBuilder::new();
    for _ in 0..10 {
        builder.append(0, None, None, &[]).unwrap();
    }
    let body = builder.finish();
    let batch = RecordBatch::decode(&mut body.to_bytes(&body.header())).unwrap();
    let mut records = batch.iter();
    assert_eq!(records.size_hint(), (10, Some(11)));
    records.next();
    assert_eq!(records.size_hint(), (9, Some(10)));

    let mut header = body.header();
    header.record_count = 1000;
    let batch = RecordBatch::decode(&mut body.to_bytes(&header)).unwrap();
    assert_eq!(batch.iter().size_hint(), (10, Some(1001)));
}

#[test]
fn what_is_compressed_is_not_compressed_again() {
    let body = one_record();
    let mut gzip = Compressor::new(CompressionOptions::from(Compression::Gzip));
    let mut lz4 = Compressor::new(CompressionOptions::from(Compression::Lz4));
    let mut none = Compressor::new(CompressionOptions::from(Compression::None));
    let once = body.compress(&mut gzip).unwrap();
    for again in [&mut lz4, &mut none] {
        let twice = once.compress(again).unwrap();
        assert_eq!(twice.header().attributes, once.header().attributes);
        assert_eq!(twice.chunks(), once.chunks());
    }
    assert_eq!(body.compress(&mut none).unwrap().chunks(), body.chunks());
}

#[test]
fn records_are_equal_if_their_bytes_are() {
    let pieces = |texts: &[&'static str]| -> Records {
        texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
    };
    assert!(Records::default().is_empty() && !pieces(&["a"]).is_empty());
    assert_eq!(pieces(&["ab", "c"]), pieces(&["a", "bc"]));
    assert_eq!(pieces(&["ab", "c"]), Records::from(Bytes::from_static(b"abc")));
    assert_ne!(pieces(&["ab", "c"]), pieces(&["ab"]));
    assert_ne!(pieces(&["abc"]), pieces(&["acb"]));
    assert_eq!(RecordBatches::new(&pieces(&["abc"])).count(), 0);
}

#[test]
fn append_errors_say_what_to_do() {
    let error = AppendError::RecordTooLarge { len: 3_000_000_000 };
    assert_eq!(error.to_string(), "a record of 3000000000 bytes is longer than any batch can be");
    assert!(AppendError::BatchFull.to_string().contains("2 GiB"));
}
