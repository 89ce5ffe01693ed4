//! Java's bytes of every message in every version: read, and written again to the last byte.

use crate::support::{MessageVisitor, from_hex, golden_lines, headers, schemas, visit_message};
use bytes::Bytes;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::{Encoder, Message, RequestHeader, ResponseHeader};
use serde_json::Value;

use crate::random::versions;

/// What there is of each version, in this order.
const FAMILIES: [&str; 9] = [
    "defaults",
    "populated",
    "several",
    "nulls",
    "inner_nulls",
    "empty",
    "inner_empty",
    "least",
    "greatest",
];
/// What there is of flexible versions as well.
const FLEXIBLE: &str = "unknown_tags";

struct Golden {
    version: i16,
    family: String,
    bytes: Bytes,
}

fn golden(message: &str) -> Vec<Golden> {
    let parse = |line: &String| {
        let words: [&str; 3] = line.split(' ').collect::<Vec<_>>().try_into().expect("3 words");
        let [version, family, hex] = words;
        Golden {
            version: version[1..].parse().expect("a version"),
            family: family.to_owned(),
            bytes: from_hex(hex),
        }
    };
    golden_lines(&format!("messages/{message}.txt")).iter().map(parse).collect()
}

/// What the schema says has to be there.
fn matrix(schema: &Value) -> Vec<(i16, &'static str)> {
    let (min, max) = versions(schema["validVersions"].as_str().unwrap()).unwrap();
    let flexible = versions(schema["flexibleVersions"].as_str().unwrap());
    let mut matrix = Vec::new();
    for version in min..=max {
        matrix.extend(FAMILIES.map(|family| (version, family)));
        if flexible.is_some_and(|(from, _)| version >= from) {
            matrix.push((version, FLEXIBLE));
        }
    }
    matrix
}

fn assert_complete(schema: &Value, golden: &[Golden]) {
    let there: Vec<(i16, &str)> = golden.iter().map(|g| (g.version, &*g.family)).collect();
    assert_eq!(there, matrix(schema), "{}", schema["name"]);
}

/// Every line: decoding takes all bytes, encoding gives them back, and the length was foretold.
struct EveryLine<'s>(&'s Value);

impl MessageVisitor for EveryLine<'_> {
    fn visit<M: Message>(self) {
        let golden = golden(M::NAME);
        assert_complete(self.0, &golden);
        for Golden { version, family, bytes } in golden {
            let at = format!("{} v{version} {family}", M::NAME);
            let mut rest = bytes.clone();
            let message = M::decode(&mut rest, version).expect(&at);
            assert!(rest.is_empty(), "{at}: {} bytes are left", rest.len());
            let mut encoded = Vec::new();
            message.encode(&mut encoded, version).expect(&at);
            assert_eq!(encoded, bytes, "{at}");
            assert_eq!(message.encoded_len(version), bytes.len(), "{at}");
            // Older versions cannot say every default, and say the nearest.
            if family == "defaults" && version == M::VERSIONS.max {
                assert_eq!(message, M::default(), "{at}");
            }
            if family == "populated" {
                assert_texts_are_in_place(&format!("{message:?}"), &at);
            }
        }
    }
}

/// Java wrote into each string the name of its field, which is Kafka's, and a number.
fn assert_texts_are_in_place(message: &str, at: &str) {
    let plain = |name: &str| name.replace('_', "").to_lowercase();
    let mut field = String::new();
    for piece in message.split_inclusive(['"', ':', ' ']) {
        if let Some(name) = piece.strip_suffix(':') {
            field = plain(name);
        } else if let Some((name, number)) = piece.split_once('-') {
            let is_text = number.strip_suffix('"').is_some_and(|n| n.parse::<u32>().is_ok());
            assert!(!is_text || plain(name) == field, "{at}: {piece} is in {field}");
        }
    }
}

#[test]
fn javas_bytes_are_read_and_written_again() {
    let schemas = schemas();
    assert_eq!(schemas.len(), 193);
    for schema in &schemas {
        visit_message(schema["name"].as_str().unwrap(), EveryLine(schema));
    }
}

#[test]
fn produced_records_share_the_frame() {
    let mut shared = 0;
    for Golden { version, family, mut bytes } in golden("ProduceRequest") {
        let frame = bytes.clone();
        let request = ProduceRequest::decode(&mut bytes, version).expect(&family);
        for topic in &request.topic_data {
            for partition in &topic.partition_data {
                let Some(records) = &partition.records else { continue };
                let records = records.to_bytes();
                if !records.is_empty() {
                    assert!(frame.as_ptr_range().contains(&records.as_ptr()), "{version} {family}");
                    shared += 1;
                }
            }
        }
    }
    assert!(shared > 100, "{shared}");
}

#[test]
fn headers_are_javas() {
    for schema in &headers() {
        let name = schema["name"].as_str().unwrap();
        let golden = golden(name);
        assert_complete(schema, &golden);
        for Golden { version, family, bytes } in golden {
            let at = format!("{name} v{version} {family}");
            let mut rest = bytes.clone();
            let mut out = Encoder::contiguous(Vec::new());
            let len = if name == "RequestHeader" {
                let header = RequestHeader::decode_version(&mut rest, version).expect(&at);
                header.write(&mut out, version).expect(&at);
                header.encoded_len(version)
            } else {
                let header = ResponseHeader::decode(&mut rest, version).expect(&at);
                header.write(&mut out, version).expect(&at);
                header.encoded_len(version)
            };
            assert!(rest.is_empty(), "{at}");
            assert_eq!(out.into_segments().concat(), bytes, "{at}");
            assert_eq!(len, bytes.len(), "{at}");
        }
    }
}
