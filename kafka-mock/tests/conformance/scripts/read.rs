//! Fetch and ListOffsets: what was written, by every version.

use kafka_protocol::messages::{FetchRequest, ListOffsetsRequest};
use kafka_protocol::records::{Compression, RecordBatchBuilder};
use kafka_protocol::{Request, Uuid};

use super::{Script, TOPIC_ID_FROM, send};
use crate::batches::{Batch, batch};
use crate::reading::{fetch_request, list_request};
use crate::session::{Session, Topic};

pub(super) const SCRIPTS: [Script; 4] = [
    ("fetch-versions", fetch_versions),
    ("fetch-sizes", fetch_sizes),
    ("offsets", offsets),
    ("fetch-sessions", fetch_sessions),
];

fn fetch(topic: &Topic, version: i16, partition: i32, offset: i64) -> FetchRequest {
    let mut request = fetch_request(&topic.name, partition, offset);
    if version >= TOPIC_ID_FROM {
        request.topics[0].topic = Default::default();
        request.topics[0].topic_id = topic.id;
    }
    request
}

/// Three batches: offsets 0 and 1, 2 to 4, 5.
fn written(session: &mut Session<'_>, name: &str) -> Topic {
    let topic = session.topic(name, &[1, 1]);
    send(session, "two records", &topic, batch(&["a", "b"]).records());
    let three = batch(&["c", "d", "e"]).compressed(Compression::Gzip).records();
    send(session, "three records, gzip", &topic, three);
    send(session, "one record", &topic, batch(&["f"]).records());
    topic
}

fn fetch_versions(session: &mut Session<'_>) {
    let topic = written(session, "t");
    let nowhere = Topic { name: session.names.full("nowhere"), id: Uuid::from_u128(77) };
    let zero = Topic { name: String::new(), id: Uuid::ZERO };
    for version in FetchRequest::STABLE_VERSIONS.iter() {
        for offset in [0, 1, 3, 5, 6, 7, -1] {
            let request = fetch(&topic, version, 0, offset);
            session.step(1, version, &format!("from {offset}"), &request);
        }
        session.step(1, version, "an empty partition", &fetch(&topic, version, 1, 0));
        session.step(1, version, "an unknown partition", &fetch(&topic, version, 2, 0));
        session.step(1, version, "an unknown topic", &fetch(&nowhere, version, 0, 0));
        if version >= TOPIC_ID_FROM {
            session.step(1, version, "no topic id", &fetch(&zero, version, 0, 0));
        }
        let request = FetchRequest { isolation_level: 1, ..fetch(&topic, version, 0, 0) };
        session.step(1, version, "committed records", &request);
        let request = FetchRequest { topics: Vec::new(), ..fetch(&topic, version, 0, 0) };
        session.step(1, version, "no topics", &request);
    }
}

fn fetch_sizes(session: &mut Session<'_>) {
    let topic = written(session, "t");
    let first = batch(&["a", "b"]).records().len() as i32;
    for max_bytes in [0, 1, first - 1, first, first + 1, 1000] {
        let mut request = fetch(&topic, 12, 0, 0);
        request.topics[0].partitions[0].partition_max_bytes = max_bytes;
        session.step(1, 12, &format!("{max_bytes} bytes of the partition"), &request);
        let request = FetchRequest { max_bytes, ..fetch(&topic, 12, 0, 0) };
        session.step(1, 12, &format!("{max_bytes} bytes"), &request);
    }
    let mut request = fetch(&topic, 12, 0, 6);
    (request.min_bytes, request.max_wait_ms) = (1, 50);
    session.step(1, 12, "nothing comes", &request);
    let mut request = fetch(&topic, 12, 0, 0);
    (request.min_bytes, request.max_wait_ms) = (100_000, 50);
    session.step(1, 12, "less than wanted comes", &request);
}

fn offsets(session: &mut Session<'_>) {
    let topic = written(session, "t");
    let mut builder = RecordBatchBuilder::new();
    for timestamp in [2000, 500, 2000, 1500] {
        builder.append(timestamp, None, Some(b"x"), &[]).unwrap();
    }
    send(session, "timestamps that rise and fall", &topic, Batch::new(builder).records());
    for version in ListOffsetsRequest::STABLE_VERSIONS.iter() {
        for timestamp in
            [-1, -2, -3, -4, -5, -6, -7, 0, 999, 1000, 1001, 1002, 1003, 1999, 2000, 2001]
        {
            let request = list_request(&topic.name, 0, timestamp, -1);
            session.step(1, version, &format!("timestamp {timestamp}"), &request);
        }
        for timestamp in [-1, -2, -3, 0] {
            let request = list_request(&topic.name, 1, timestamp, -1);
            let label = format!("timestamp {timestamp}, an empty partition");
            session.step(1, version, &label, &request);
        }
        let request = list_request(&topic.name, 7, -1, -1);
        session.step(1, version, "an unknown partition", &request);
        let request = list_request(&session.names.full("nowhere"), 0, -1, -1);
        session.step(1, version, "an unknown topic", &request);
        let mut request = list_request(&topic.name, 0, -1, -1);
        request.topics.extend(request.topics.clone());
        session.step(1, version, "a partition twice", &request);
        let mut request = list_request(&topic.name, 0, -1, -1);
        request.isolation_level = 1;
        if version >= 2 {
            session.step(1, version, "committed records", &request);
        }
    }
}

fn fetch_sessions(session: &mut Session<'_>) {
    let topic = written(session, "t");
    let request = |session_id, session_epoch| FetchRequest {
        session_id,
        session_epoch,
        ..fetch(&topic, 12, 0, 0)
    };
    for (label, id, epoch) in [
        ("no session", 0, -1),
        ("a new session", 0, 0),
        ("an unknown session", 12_345, 1),
        ("the end of an unknown session", 12_345, -1),
    ] {
        session.step(1, 12, label, &request(id, epoch));
    }
}
