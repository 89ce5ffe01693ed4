//! Java's bytes: read, written again to the last byte, and what is in them.

use crate::support::{MessageVisitor, from_hex, golden_lines, visit_message};
use bytes::Bytes;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use kafka_protocol::messages::{
    ApiVersionsRequest, InitProducerIdRequest, InitProducerIdResponse, ProduceRequest,
    ProduceResponse,
};
use kafka_protocol::{Encoder, ErrorCode, Message, RequestHeader, ResponseHeader};

const MESSAGES: [&str; 8] = [
    "ApiVersionsRequest",
    "ApiVersionsResponse",
    "InitProducerIdRequest",
    "InitProducerIdResponse",
    "MetadataRequest",
    "MetadataResponse",
    "ProduceRequest",
    "ProduceResponse",
];

struct Golden {
    version: i16,
    case: String,
    bytes: Bytes,
}

fn golden(message: &str) -> Vec<Golden> {
    let parse = |line: &String| {
        let [version, case, hex] = line.split(' ').collect::<Vec<_>>().try_into().expect("3 words");
        Golden {
            version: version[1..].parse().expect("a version"),
            case: case.to_owned(),
            bytes: from_hex(hex),
        }
    };
    golden_lines(&format!("messages/{message}.txt")).iter().map(parse).collect()
}

fn golden_case<M: Message>(version: i16, case: &str) -> M {
    let all = golden(M::NAME);
    let golden = all.iter().find(|golden| golden.version == version && golden.case == case);
    M::decode(&mut golden.expect(case).bytes.clone(), version).expect(case)
}

/// Every line: decoding takes all bytes, encoding gives them back, and the length was foretold.
struct EveryLine;

impl MessageVisitor for EveryLine {
    fn visit<M: Message>(self) {
        let mut versions = Vec::new();
        for Golden { version, case, bytes } in golden(M::NAME) {
            let at = format!("{} v{version} {case}", M::NAME);
            let mut rest = bytes.clone();
            let message = M::decode(&mut rest, version).expect(&at);
            assert!(rest.is_empty(), "{at}: {} bytes are left", rest.len());
            let mut encoded = Vec::new();
            message.encode(&mut encoded, version).expect(&at);
            assert_eq!(encoded, bytes, "{at}");
            assert_eq!(message.encoded_len(version), bytes.len(), "{at}");
            if case == "defaults" {
                // Old versions cannot say every default, and say the nearest.
                versions.push(version);
                if version == M::VERSIONS.max {
                    assert_eq!(message, M::default(), "{at}");
                }
            }
        }
        assert_eq!(versions, M::VERSIONS.iter().collect::<Vec<_>>(), "{}", M::NAME);
    }
}

#[test]
fn javas_bytes_are_read_and_written_again() {
    for message in MESSAGES {
        visit_message(message, EveryLine);
    }
}

/// Where Java refuses to write a value in a version, so do we; elsewhere we write what Java writes.
struct EveryVersionOfAValue;

impl MessageVisitor for EveryVersionOfAValue {
    fn visit<M: Message>(self) {
        let all = golden(M::NAME);
        let cases: std::collections::BTreeSet<&str> =
            all.iter().map(|golden| golden.case.as_str()).collect();
        for case in cases {
            let of_case: Vec<&Golden> = all.iter().filter(|golden| golden.case == case).collect();
            let latest = of_case.iter().max_by_key(|golden| golden.version).expect("a line");
            let value = M::decode(&mut latest.bytes.clone(), latest.version).expect(case);
            for version in M::VERSIONS.min..=latest.version {
                let at = format!("{} v{version} {case}", M::NAME);
                let mut encoded = Vec::new();
                let result = value.encode(&mut encoded, version);
                match of_case.iter().find(|golden| golden.version == version) {
                    Some(golden) => {
                        assert_eq!(result, Ok(()), "{at}");
                        assert_eq!(encoded, golden.bytes, "{at}");
                    }
                    None => {
                        let error = result.expect_err(&at);
                        assert_eq!((error.message(), error.version()), (M::NAME, version));
                        assert!(!error.field().is_empty(), "{at}: {error}");
                        assert!(encoded.is_empty(), "{at}: something was written");
                    }
                }
            }
        }
    }
}

#[test]
fn a_value_that_a_version_cannot_carry_is_dropped_or_refused_as_java_does() {
    // Without the messages that have fields of older versions only: a value read in the latest
    // version lacks those.
    for message in MESSAGES {
        if !["MetadataRequest", "MetadataResponse", "ProduceRequest", "ProduceResponse"]
            .contains(&message)
        {
            visit_message(message, EveryVersionOfAValue);
        }
    }
}

#[test]
fn fields_land_where_they_belong() {
    let response: MetadataResponse = golden_case(10, "populated");
    let [first, second] = response.brokers.as_slice() else { panic!("{response:#?}") };
    assert_ne!(first, second);
    assert!(first.rack.is_some() && first.port != first.node_id);
    let topic = &response.topics[0];
    assert!(!topic.topic_id.is_zero() && topic.is_internal && !topic.error_code.is_none());
    let partition = &topic.partitions[0];
    assert!(partition.replica_nodes.len() > 1 && partition.isr_nodes != partition.replica_nodes);
    assert_ne!(topic.topic_authorized_operations, i32::MIN);

    let request: MetadataRequest = golden_case(13, "nulls");
    assert_eq!(request.topics, None);

    let request: ApiVersionsRequest = golden_case(4, "populated");
    assert!(!request.client_software_name.is_empty());

    let request: InitProducerIdRequest = golden_case(5, "populated_v5");
    assert!(request.transactional_id.is_some() && request.producer_id > 0);

    let response: InitProducerIdResponse = golden_case(1, "populated_v5");
    assert!(response.producer_id > 0 && response.producer_epoch > 0);

    let response: ProduceResponse = golden_case(13, "populated");
    let partition = &response.responses[0].partition_responses[0];
    assert_ne!(partition.error_code, ErrorCode::NONE);
    assert!(partition.current_leader.leader_id > 0 && partition.record_errors.len() > 1);
    assert!(response.node_endpoints.len() > 1);
}

#[test]
fn produced_records_share_the_frame() {
    for Golden { version, case, mut bytes } in golden("ProduceRequest") {
        let frame = bytes.clone();
        let request = ProduceRequest::decode(&mut bytes, version).expect(&case);
        for topic in &request.topic_data {
            for partition in &topic.partition_data {
                let Some(records) = &partition.records else { continue };
                let records = records.to_bytes();
                if !records.is_empty() {
                    assert!(frame.as_ptr_range().contains(&records.as_ptr()), "{version} {case}");
                }
            }
        }
    }
}

#[test]
fn headers_are_javas() {
    for Golden { version, case, bytes } in golden("RequestHeader") {
        let mut rest = bytes.clone();
        let header = RequestHeader::decode_version(&mut rest, version).expect(&case);
        assert!(rest.is_empty());
        let mut out = Encoder::contiguous(Vec::new());
        header.write(&mut out, version).expect(&case);
        assert_eq!(out.into_segments().concat(), bytes, "v{version} {case}");
        assert_eq!(header.encoded_len(version), bytes.len());
    }
    for Golden { version, case, bytes } in golden("ResponseHeader") {
        let mut rest = bytes.clone();
        let header = ResponseHeader::decode(&mut rest, version).expect(&case);
        assert!(rest.is_empty());
        let mut out = Encoder::contiguous(Vec::new());
        header.write(&mut out, version).expect(&case);
        assert_eq!(out.into_segments().concat(), bytes, "v{version} {case}");
        assert_eq!(header.encoded_len(version), bytes.len());
    }
}
