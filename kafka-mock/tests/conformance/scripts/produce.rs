//! Batches that are in order: versions, acks, sizes, codecs, several partitions.

use kafka_protocol::Request;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce::TopicProduceData;
use kafka_protocol::records::{Compression, RecordBatchBuilder, RecordHeader};

use super::{Script, USUAL, produce_to, send};
use crate::batches::{Batch, batch};
use crate::session::Session;

pub(super) const SCRIPTS: [Script; 12] = [
    ("produce-versions", every_version),
    ("acks", acks),
    ("records-of-all-kinds", records_of_all_kinds),
    ("codecs", codecs),
    ("compressed-anew", compressed_anew),
    ("max-message-bytes", max_message_bytes),
    ("message-max-bytes", message_max_bytes),
    ("several-partitions", several_partitions),
    ("timestamps", timestamps),
    ("wrong-maximum-timestamps", wrong_maximum),
    ("future-timestamps", future_timestamps),
    ("log-append-time", log_append_time),
];

fn every_version(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1, 2]);
    for version in ProduceRequest::STABLE_VERSIONS.iter() {
        let mut request = produce_to(&topic, 0, batch(&["a", "b"]).records(), version);
        session.step(1, version, "acks=-1", &request);
        request.acks = 1;
        session.step(1, version, "acks=1", &request);
        request.acks = 0;
        session.step_without_answer(1, version, "acks=0", &request);
        let broken = batch(&["a"]).edited(|bytes| bytes[crate::batches::CRC_AT] ^= 1);
        session.step(1, version, "a wrong CRC", &produce_to(&topic, 0, broken, version));
        let empty = produce_to(&topic, 0, batch(&[]).records(), version);
        session.step(1, version, "no records", &empty);
    }
    session.log(&topic);
    session.log_of(&topic, 1, 2);
}

fn acks(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let replicated = session.replicated_topic("r", &[1, 2, 3]);
    for acks in [-1, 0, 1, 2, 3, -2, i16::MAX, i16::MIN] {
        for (name, topic) in [("one replica", &topic), ("three replicas", &replicated)] {
            let records = batch(&[&format!("acks {acks}")]).records();
            let request = ProduceRequest { acks, ..produce_to(topic, 0, records, USUAL) };
            let label = format!("acks={acks}, {name}");
            if acks == 0 {
                session.step_without_answer(1, USUAL, &label, &request);
            } else {
                session.step(1, USUAL, &label, &request);
            }
        }
    }
    let unknown = produce_to(&topic, 7, batch(&["a"]).records(), USUAL);
    let broken = batch(&["a"]).edited(|bytes| bytes[crate::batches::CRC_AT] ^= 1);
    let broken = produce_to(&topic, 0, broken, USUAL);
    for (label, request) in [("an unknown partition", unknown), ("a wrong CRC", broken)] {
        let request = ProduceRequest { acks: 0, ..request };
        session.step_without_answer(1, USUAL, &format!("acks=0, {label}"), &request);
    }
    // Wrong acks and another fault: which is told?
    let mut request = produce_to(&topic, 7, batch(&["a"]).records(), USUAL);
    request.acks = 2;
    session.step(1, USUAL, "acks=2, an unknown partition", &request);
    let mut request = produce_to(&topic, 0, batch(&["a"]).records(), USUAL);
    request.acks = 2;
    session.step(2, USUAL, "acks=2, not the leader", &request);
    session.log(&topic);
    session.log(&replicated);
}

fn records_of_all_kinds(session: &mut Session<'_>) {
    let header = |key, value| RecordHeader { key, value };
    let topic = session.topic("t", &[1]);
    let mut builder = RecordBatchBuilder::new();
    builder.append(5, None, None, &[]).unwrap();
    builder.append(3, Some(b""), Some(b""), &[]).unwrap();
    builder.append(9, Some(b"key"), Some(b"value"), &[header("h", Some(b"1"))]).unwrap();
    let headers = [header("a", None), header("a", Some(b"")), header("", Some(b"x"))];
    builder.append(7, None, Some(b"headers"), &headers).unwrap();
    send(
        session,
        "keys, values and headers, null and empty",
        &topic,
        Batch::new(builder).records(),
    );
    send(session, "one more", &topic, batch(&["x"]).records());
    session.log(&topic);
}

fn codecs(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let all = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    for version in [3, 6, 7, 9, 11] {
        for codec in all {
            let records = batch(&["a", "b", "c"]).compressed(codec).records();
            let request = produce_to(&topic, 0, records, version);
            session.step(1, version, &codec.to_string(), &request);
        }
    }
    session.log(&topic);
}

fn compressed_anew(session: &mut Session<'_>) {
    let gzip = session.topic_with("always-gzip", &[1], &[("compression.type", "gzip")]);
    let lz4 = batch(&["a"]).compressed(Compression::Lz4).records();
    send(session, "a topic that compresses anew", &gzip, lz4);
    session.log(&gzip);
}

/// The limit counts the whole batch, as it was sent.
fn max_message_bytes(session: &mut Session<'_>) {
    let len = batch(&["0123456789"]).records().len();
    let limit = len.to_string();
    let topic = session.topic_with("t", &[1], &[("max.message.bytes", &limit)]);
    send(session, "just as long", &topic, batch(&["0123456789"]).records());
    send(session, "a byte longer", &topic, batch(&["0123456789a"]).records());
    send(session, "a byte longer, wrong CRC", &topic, {
        batch(&["0123456789a"]).edited(|bytes| bytes[crate::batches::CRC_AT] ^= 1)
    });
    let long = "a".repeat(200);
    let compressed = batch(&[&long]).compressed(Compression::Gzip).records();
    send(session, "longer before it was compressed", &topic, compressed);
    session.log(&topic);
    let topic = session.topic_with("large", &[1], &[("max.message.bytes", "2000000")]);
    let large = "x".repeat(1_500_000);
    send(session, "larger than a broker's default", &topic, batch(&[&large]).records());
    session.log(&topic);
}

fn message_max_bytes(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let overhead = batch(&[&"x".repeat(1_000_000)]).records().len() - 1_000_000;
    let longest = 1_048_588 - overhead;
    send(session, "just as long", &topic, batch(&[&"x".repeat(longest)]).records());
    send(session, "a byte longer", &topic, batch(&[&"x".repeat(longest + 1)]).records());
    let zeros = "0".repeat(1_500_000);
    let compressed = batch(&[&zeros]).compressed(Compression::Zstd).records();
    send(session, "longer before it was compressed", &topic, compressed);
    session.log(&topic);
}

fn several_partitions(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1, 1, 2]);
    let other = session.topic("u", &[1]);
    let mut request = produce_to(&topic, 0, batch(&["a"]).records(), USUAL);
    for partition in [1, 2, 3] {
        let more = produce_to(&topic, partition, batch(&["b"]).records(), USUAL);
        let more = more.topic_data.into_iter().flat_map(|topic| topic.partition_data);
        request.topic_data[0].partition_data.extend(more);
    }
    request.topic_data.extend(produce_to(&other, 0, batch(&["c"]).records(), USUAL).topic_data);
    session.step(1, USUAL, "two topics, some partitions fail", &request);
    let topic_data = TopicProduceData { name: topic.name.as_str().into(), ..Default::default() };
    let request = ProduceRequest { acks: -1, topic_data: vec![topic_data], ..Default::default() };
    session.step(1, USUAL, "no partitions", &request);
    let request = ProduceRequest { acks: -1, ..Default::default() };
    session.step(1, USUAL, "no topics", &request);
    let request = ProduceRequest { acks: 0, ..Default::default() };
    session.step_without_answer(1, USUAL, "no topics, acks=0", &request);
    session.log(&topic);
    session.log_of(&topic, 1, 1);
    session.log(&other);
}

fn timestamps(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    for timestamp in [0, -1, 1_600_000_000_000] {
        let label = format!("a record of {timestamp}");
        send(session, &label, &topic, one_of(timestamp).records());
    }
    session.log(&topic);
}

fn one_of(timestamp: i64) -> Batch {
    let mut builder = RecordBatchBuilder::new();
    builder.append(timestamp, None, Some(b"a"), &[]).unwrap();
    Batch::new(builder)
}

/// Kafka writes the largest timestamp of the records into the header, whatever was there.
fn wrong_maximum(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let wrong = |time| batch(&["a", "b"]).header(|header| header.max_timestamp = time).records();
    send(session, "a maximum below the truth", &topic, wrong(5));
    send(session, "a maximum above the truth", &topic, wrong(5000));
    send(session, "a maximum of -1", &topic, wrong(-1));
    send(session, "a maximum in 2100", &topic, wrong(IN_2100));
    send(session, "a record of -5", &topic, one_of(-5).records());
    let earlier = batch(&["a", "b"]).header(|header| header.base_timestamp = -1);
    send(session, "a base of -1", &topic, earlier.records());
    session.log(&topic);
}

fn future_timestamps(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    send(session, "a record of 2100", &topic, one_of(IN_2100).records());
    session.log(&topic);
}

fn log_append_time(session: &mut Session<'_>) {
    let stamping = [("message.timestamp.type", "LogAppendTime")];
    let topic = session.topic_with("stamped", &[1], &stamping);
    send(session, "a topic that stamps", &topic, batch(&["a", "b"]).records());
    session.log(&topic);
}

const IN_2100: i64 = 4_102_444_800_000;
