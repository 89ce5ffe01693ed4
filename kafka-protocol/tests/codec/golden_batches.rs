//! Java's record batches: every fact read, and uncompressed ones written again to the last byte.

use std::collections::BTreeMap;
use std::fs;

use crate::support::{from_hex, golden_lines, path};
use kafka_protocol::records::{
    Compression, CrcCheck, RecordBatch, RecordBatchBuilder, RecordBatches, RecordHeader, Records,
    TimestampType,
};
use kafka_protocol::{DecodeErrorKind, DecodeLimits};

/// A golden batch: its facts by name, and its lines of records.
struct Golden {
    name: String,
    facts: BTreeMap<String, String>,
    records: Vec<String>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let mut golden =
            Self { name: name.to_owned(), facts: BTreeMap::new(), records: Vec::new() };
        for line in golden_lines(&format!("batches/{name}.txt")) {
            match line.split_once(": ").expect(&line) {
                ("record", record) => golden.records.push(record.to_owned()),
                (key, value) => {
                    golden.facts.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        golden
    }

    fn fact<T: std::str::FromStr>(&self, name: &str) -> T {
        let fact = self.facts.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.name));
        fact.parse().unwrap_or_else(|_| panic!("{}: {name}: {fact}", self.name))
    }

    fn bytes(&self) -> bytes::Bytes {
        from_hex(&self.facts["hex"])
    }
}

fn names() -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(path("tests/golden/batches"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap().replace(".txt", ""))
        .collect();
    names.sort();
    assert!(names.len() > 20, "{names:?}");
    names
}

fn batches() -> Vec<Golden> {
    let names = names().into_iter().filter(|name| !name.starts_with("magic"));
    names.map(|name| Golden::read(&name)).collect()
}

/// A byte string as the golden files write it, a repeated one spelled out.
fn spell_out(text: &str) -> String {
    match text.split_once('*') {
        Some((hex, times)) => hex.repeat(times.parse().expect(text)),
        None => text.to_owned(),
    }
}

fn hex_or_null(bytes: Option<&[u8]>) -> String {
    bytes.map_or("null".to_owned(), |bytes| bytes.iter().map(|b| format!("{b:02x}")).collect())
}

fn spell_out_record(line: &str) -> String {
    line.split(' ')
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !value.starts_with('[') => {
                format!("{name}={}", spell_out(value))
            }
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn every_fact_of_javas_batches_is_read() {
    for golden in batches() {
        let name = &golden.name;
        let mut rest = golden.bytes();
        let batch = RecordBatch::decode(&mut rest).expect(name);
        assert!(rest.is_empty(), "{name}");
        let header = batch.header();
        assert_eq!(header.base_offset, golden.fact::<i64>("base_offset"), "{name}");
        assert_eq!(header.last_offset(), golden.fact::<i64>("last_offset"), "{name}");
        assert_eq!(header.batch_length + 12, golden.fact::<i32>("size_bytes"), "{name}");
        assert_eq!(header.partition_leader_epoch, golden.fact::<i32>("partition_leader_epoch"));
        assert_eq!(format!("{:08x}", header.crc), golden.facts["crc"], "{name}");
        assert_eq!(header.attributes.compression(), Some(golden.fact("codec")), "{name}");
        let timestamp_type = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        };
        assert_eq!(timestamp_type, golden.facts["timestamp_type"], "{name}");
        assert_eq!(header.attributes.is_transactional(), golden.fact::<bool>("transactional"));
        assert_eq!(header.attributes.is_control(), golden.fact::<bool>("control"), "{name}");
        let horizon = header.delete_horizon_ms().map_or("none".to_owned(), |ms| ms.to_string());
        assert_eq!(horizon, golden.facts["delete_horizon_ms"], "{name}");
        assert_eq!(header.base_timestamp, golden.fact::<i64>("base_timestamp"), "{name}");
        assert_eq!(header.max_timestamp, golden.fact::<i64>("max_timestamp"), "{name}");
        assert_eq!(header.producer_id, golden.fact::<i64>("producer_id"), "{name}");
        assert_eq!(header.producer_epoch, golden.fact::<i16>("producer_epoch"), "{name}");
        assert_eq!(header.base_sequence, golden.fact::<i32>("base_sequence"), "{name}");
        assert_eq!(header.last_sequence(), golden.fact::<i32>("last_sequence"), "{name}");
        assert_eq!(header.record_count, golden.fact::<i32>("record_count"), "{name}");
    }
}

#[test]
fn every_record_of_javas_batches_is_read() {
    for golden in batches() {
        let batch = RecordBatch::decode(&mut golden.bytes()).expect(&golden.name);
        let read: Vec<String> = batch
            .iter()
            .map(|record| {
                let record = record.expect(&golden.name);
                let headers: Vec<String> = record
                    .headers
                    .map(|header| {
                        let key = hex_or_null(Some(header.key.as_bytes()));
                        format!("{key}={}", hex_or_null(header.value))
                    })
                    .collect();
                format!(
                    "offset={} timestamp={} key={} value={} headers=[{}]",
                    record.offset,
                    record.timestamp,
                    hex_or_null(record.key),
                    hex_or_null(record.value),
                    headers.join(",")
                )
            })
            .collect();
        let expected: Vec<String> =
            golden.records.iter().map(|line| spell_out_record(line)).collect();
        assert_eq!(read, expected, "{}", golden.name);
    }
}

/// Appends what a batch holds to a builder, as somebody who re-encodes it would.
fn rebuild(batch: &RecordBatch) -> RecordBatchBuilder {
    let mut builder = RecordBatchBuilder::new();
    for record in batch {
        let record = record.unwrap();
        let headers: Vec<RecordHeader<'_>> = record.headers.collect();
        builder.append(record.timestamp, record.key, record.value, &headers).unwrap();
    }
    builder
}

#[test]
fn the_same_records_give_javas_bytes() {
    let mut compared = 0;
    for golden in batches() {
        let bytes = golden.bytes();
        let batch = RecordBatch::decode(&mut bytes.clone()).unwrap();
        let header = *batch.header();
        // Compressors differ; log append time and compaction change what the producer wrote.
        if header.attributes.compression() != Some(Compression::None)
            || header.attributes.timestamp_type() == TimestampType::LogAppendTime
            || header.last_offset_delta + 1 != header.record_count
            || header.delete_horizon_ms().is_some()
        {
            continue;
        }
        let body = rebuild(&batch).finish();
        let mut ours = body.header();
        ours.base_offset = header.base_offset;
        ours.partition_leader_epoch = header.partition_leader_epoch;
        ours.attributes = header.attributes;
        ours.producer_id = header.producer_id;
        ours.producer_epoch = header.producer_epoch;
        ours.base_sequence = header.base_sequence;
        assert_eq!(body.to_bytes(&ours), bytes, "{}", golden.name);
        assert_eq!(body.to_records(&ours).to_bytes(), bytes, "{}", golden.name);
        compared += 1;
    }
    assert!(compared >= 8, "only {compared} batches were compared");
}

#[test]
fn old_formats_are_refused_by_name() {
    for (name, magic) in [("magic0", 0), ("magic1", 1)] {
        let golden = Golden::read(name);
        let error = RecordBatch::decode(&mut golden.bytes()).unwrap_err();
        assert_eq!(error.kind(), &DecodeErrorKind::UnsupportedMagic(magic));
        assert_eq!(
            error.to_string(),
            format!(
                "RecordBatch v2: magic at byte 16: record format (magic) {magic} is not \
                 supported, only 2 (Kafka 0.11 and later)"
            )
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_behind_the_crc_is_noticed() {
    let bytes = Golden::read("none_single").bytes();
    for at in 21..bytes.len() {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1;
        let error = RecordBatch::decode(&mut damaged.clone().into()).unwrap_err();
        assert!(matches!(error.kind(), DecodeErrorKind::CrcMismatch { .. }), "{at}: {error}");
        // Without the check it may be read or not, but never panics.
        let limits = DecodeLimits::DEFAULT;
        if let Ok(batch) = RecordBatch::decode_with(&mut damaged.into(), CrcCheck::Skip, &limits) {
            batch.iter().for_each(drop);
        }
    }
}

#[test]
fn several_batches_are_read_up_to_the_one_that_is_cut_off() {
    let all = ["none_mixed", "gzip_mixed", "empty"].map(|name| Golden::read(name).bytes());
    let together = Records::from(bytes::Bytes::from(all.concat()));
    let counts: Vec<i32> =
        RecordBatches::new(&together).map(|batch| batch.unwrap().header().record_count).collect();
    assert_eq!(counts.len(), 3);
    assert_eq!((counts[0], counts[2]), (counts[1], 0));

    let whole = all[0].len();
    let cut = together.to_bytes().slice(..whole + all[1].len() - 1);
    let mut batches = RecordBatches::new(&cut.into());
    assert_eq!(batches.by_ref().count(), 1);
    assert_eq!(batches.rest().len(), all[1].len() - 1);
}
