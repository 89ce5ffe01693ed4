//! ApiVersions, and versions that a broker does not have.

use bytes::{BufMut, BytesMut};
use kafka_protocol::messages::api_versions::ApiVersionsResponse;
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, ProduceRequest};
use kafka_protocol::{ApiKey, Message, Request};

use super::Script;
use crate::session::Session;

pub(super) const SCRIPTS: [Script; 3] = [
    ("announced-versions", announced_versions),
    ("unknown-versions", unknown_versions),
    ("broken-frames", broken_frames),
];

fn announced_versions(session: &mut Session<'_>) {
    for version in ApiVersionsRequest::STABLE_VERSIONS.iter() {
        let request = client("script", "1.0");
        session.step(1, version, "a client with a name", &request);
    }
    for (name, software_version) in [("", "1"), ("a", ""), ("a b", "1"), ("-a", "1"), ("a", "1-")] {
        let label = format!("software {name:?} {software_version:?}");
        session.step(1, 3, &label, &client(name, software_version));
    }
    for (label, cluster_id, node_id) in
        [("a node but no cluster", None, 1), ("another cluster", Some("other".into()), 1)]
    {
        let request = ApiVersionsRequest { cluster_id, node_id, ..client("script", "1.0") };
        session.step(1, 5, label, &request);
    }
}

fn client(name: &str, version: &str) -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: name.into(),
        client_software_version: version.into(),
        ..Default::default()
    }
}

fn unknown_versions(session: &mut Session<'_>) {
    for version in [6, 99, i16::MAX, -1] {
        // Its header ends with the number of tags from version 3 on.
        let tags: &[u8] = if version >= 3 { &[0] } else { &[] };
        let frame = frame(ApiKey::API_VERSIONS, version, tags);
        let label = format!("ApiVersions v{version}");
        session.step_of_bytes::<ApiVersionsRequest>(&label, &frame, CORRELATION_ID, 0);
    }
    for version in [-1, 0, 1, 2, 14] {
        let frame = frame(ApiKey::PRODUCE, version, &[0; 8]);
        let label = format!("Produce v{version}");
        session.step_of_bytes::<ProduceRequest>(&label, &frame, CORRELATION_ID, 3);
    }
    for version in [-1, 14] {
        let frame = frame(ApiKey::METADATA, version, &[0; 8]);
        let label = format!("Metadata v{version}");
        session.step_of_bytes::<MetadataRequest>(&label, &frame, CORRELATION_ID, 1);
    }
    let frame = frame(ApiKey(999), 0, b"");
    session.step_of_bytes::<ApiVersionsRequest>("an unknown API", &frame, CORRELATION_ID, 0);
}

fn broken_frames(session: &mut Session<'_>) {
    let cut = frame(ApiKey::METADATA, 1, &[0, 0]);
    session.step_of_bytes::<MetadataRequest>("a cut Metadata v1", &cut, CORRELATION_ID, 1);
    let many = frame(ApiKey::METADATA, 1, &[0x7f, 0xff, 0xff, 0xff]);
    session.step_of_bytes::<MetadataRequest>("too many topics", &many, CORRELATION_ID, 1);
    let longer = frame(ApiKey::METADATA, 1, &[0, 0, 0, 0, 9, 9]);
    session.step_of_bytes::<MetadataRequest>("two bytes too many", &longer, CORRELATION_ID, 1);
    let mut empty = BytesMut::new();
    empty.put_i32(0);
    session.step_of_bytes::<ApiVersionsRequest>("an empty frame", &empty, CORRELATION_ID, 0);
    let mut negative = BytesMut::new();
    negative.put_i32(-1);
    session.step_of_bytes::<ApiVersionsRequest>("a negative length", &negative, CORRELATION_ID, 0);
    let mut cut_header = BytesMut::new();
    cut_header.put_i32(3);
    cut_header.put_slice(&[0, 18, 0]);
    session.step_of_bytes::<ApiVersionsRequest>("a cut header", &cut_header, CORRELATION_ID, 0);
    let body = [0, 0xff, 0xff, 0xff];
    let broken = frame(ApiKey::API_VERSIONS, 3, &body);
    assert!(ApiVersionsResponse::VERSIONS.contains(3));
    session.step_of_bytes::<ApiVersionsRequest>(
        "a broken ApiVersions v3",
        &broken,
        CORRELATION_ID,
        0,
    );
}

/// A frame with a header of version 1 and a null client id.
fn frame(api: ApiKey, version: i16, body: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    frame.put_i32(10 + body.len() as i32);
    frame.put_i16(api.0);
    frame.put_i16(version);
    frame.put_i32(CORRELATION_ID);
    frame.put_i16(-1);
    frame.put_slice(body);
    frame
}

const CORRELATION_ID: i32 = 77;
