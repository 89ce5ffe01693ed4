//! Batches that nobody should write.

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce::PartitionProduceData;
use kafka_protocol::records::{
    BatchAttributes, Compression, RecordBatchHeader, Records, TimestampType,
};

use super::{Script, USUAL, produce_to, send};
use crate::batches::{CRC_AT, EPOCH_AT, LENGTH_AT, MAGIC_AT, RECORDS_AT, batch};
use crate::session::{Session, Topic};

pub(super) const SCRIPTS: [Script; 11] = [
    ("damage", damage),
    ("lengths", lengths),
    ("one-batch-a-partition", one_batch_a_partition),
    ("header-fields", header_fields),
    ("attributes", attributes),
    ("wrong-timestamp-type", wrong_timestamp_type),
    ("broken-records", broken_records),
    ("wrong-deltas", wrong_deltas),
    ("broken-compression", broken_compression),
    ("broken-requests", broken_requests),
    ("two-faults", two_faults),
];

fn damage(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let good = batch(&["abc"]);
    let end = good.records().len() - 1;
    for (label, at) in [
        ("the CRC", CRC_AT),
        ("the attributes", CRC_AT + 5),
        ("the producer id", CRC_AT + 29),
        ("the record count", RECORDS_AT - 1),
        ("the first record", RECORDS_AT + 4),
        ("the last byte", end),
    ] {
        let label = format!("a flipped bit in {label}");
        send(session, &label, &topic, good.edited(|bytes| bytes[at] ^= 1));
    }
    for magic in [0, 1, 3, 127, 255] {
        let records = good.edited(|bytes| bytes[MAGIC_AT] = magic);
        send(session, &format!("magic {}", magic as i8), &topic, records);
    }
    let records = good.edited(|bytes| bytes[EPOCH_AT] = 0);
    send(session, "a leader epoch of the producer's", &topic, records);
    session.log(&topic);
}

/// The batch length field counts what follows it.
fn lengths(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let good = batch(&["abc"]);
    let true_length = good.records().len() as i32 - 12;
    let with = |length: i32| {
        good.edited(|bytes| {
            bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        })
    };
    for (label, length) in [
        ("negative", -1),
        ("the smallest number", i32::MIN),
        ("0", 0),
        ("13", 13),
        ("14", 14),
        ("48, less than a header", 48),
        ("49, a header alone", 49),
        ("a byte less", true_length - 1),
        ("a byte more", true_length + 1),
        ("a megabyte more", true_length + 1_000_000),
        ("the largest number", i32::MAX),
    ] {
        send(session, &format!("length {label}"), &topic, with(length));
    }
    for len in [0, 1, 11, 12, 16, 17, 60, 61] {
        let label = format!("the first {len} bytes");
        send(session, &label, &topic, good.edited(|bytes| bytes.truncate(len)));
    }
    session.log(&topic);
}

fn one_batch_a_partition(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let append = |more: &[u8]| batch(&["a"]).edited(|bytes| bytes.extend_from_slice(more));
    let second = batch(&["b"]).records().to_bytes();
    send(session, "two batches", &topic, append(&second));
    send(session, "a batch and all but a byte", &topic, append(&second[..second.len() - 1]));
    send(session, "a batch and 11 bytes", &topic, append(&[0; 11]));
    send(session, "a batch and 12 zeros", &topic, append(&[0; 12]));
    send(session, "a batch and the begin of one", &topic, append(&second[..16]));
    send(session, "a batch and a header", &topic, append(&second[..61]));
    let mut wrong_magic = second.to_vec();
    wrong_magic[MAGIC_AT] = 3;
    send(session, "a batch and one of magic 3", &topic, append(&wrong_magic));
    let mut request = produce_to(&topic, 0, Records::default(), USUAL);
    session.step(1, USUAL, "no bytes", &request);
    request.topic_data[0].partition_data[0].records = None;
    session.step_into_silence(USUAL, "null", &request);
    let again = |value: &str| PartitionProduceData {
        records: Some(batch(&[value]).records()),
        ..Default::default()
    };
    request.topic_data[0].partition_data = vec![again("first"), again("second")];
    session.step(1, USUAL, "the same partition twice", &request);
    let other = produce_to(&topic, 0, batch(&["third"]).records(), USUAL).topic_data;
    request.topic_data[0].partition_data = vec![again("first")];
    request.topic_data.extend(other);
    session.step(1, USUAL, "the same topic twice", &request);
    session.log(&topic);
}

fn header_fields(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let id = session.producer_id();
    type Change = fn(&mut RecordBatchHeader);
    let changes: [(&str, Change); 13] = [
        ("base offset 5", |header| header.base_offset = 5),
        ("base offset -1", |header| header.base_offset = -1),
        ("last offset delta 0", |header| header.last_offset_delta = 0),
        ("last offset delta 5", |header| header.last_offset_delta = 5),
        ("last offset delta -1", |header| header.last_offset_delta = -1),
        ("record count 0", |header| header.record_count = 0),
        ("record count 1", |header| header.record_count = 1),
        ("record count 3", |header| header.record_count = 3),
        ("record count -1", |header| header.record_count = -1),
        ("count and delta of one record", |header| {
            (header.record_count, header.last_offset_delta) = (1, 0);
        }),
        ("count and delta of three records", |header| {
            (header.record_count, header.last_offset_delta) = (3, 2);
        }),
        ("the largest count and delta", |header| {
            (header.record_count, header.last_offset_delta) = (i32::MAX, i32::MAX - 1);
        }),
        ("leader epoch 9", |header| header.partition_leader_epoch = 9),
    ];
    for (label, change) in changes {
        send(session, label, &topic, batch(&["a", "b"]).header(change).records());
    }
    send(session, "no records", &topic, batch(&[]).records());
    let none = batch(&[]).header(|header| (header.record_count, header.last_offset_delta) = (0, 0));
    send(session, "no records, last offset delta 0", &topic, none.records());
    for (label, producer, epoch, sequence) in [
        ("sequence -1", id, 0, -1),
        ("sequence -2", id, 0, -2),
        ("the smallest sequence", id, 0, i32::MIN),
        ("epoch -1", id, -1, 0),
        ("epoch -2", id, -2, 0),
        ("a sequence without a producer", -1, -1, 0),
        ("an epoch without a producer", -1, 0, -1),
        ("producer -2", -2, 0, 0),
    ] {
        let records = batch(&["a", "b"]).producer(producer, epoch, sequence).records();
        send(session, label, &topic, records);
    }
    session.log(&topic);
}

fn attributes(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let id = session.producer_id();
    let with = |bits: i16| batch(&["a"]).header(|header| header.attributes = BatchAttributes(bits));
    for codec in 1..=7 {
        send(session, &format!("codec {codec}, but not compressed"), &topic, with(codec).records());
    }
    let control = || batch(&["a"]).header(|h| h.attributes = h.attributes.with_control(true));
    send(session, "a control batch", &topic, control().records());
    send(session, "a control batch of a producer", &topic, control().producer(id, 0, 0).records());
    send(session, "a delete horizon", &topic, {
        batch(&["a"]).header(|h| h.attributes = h.attributes.with_delete_horizon(true)).records()
    });
    send(session, "bit 7", &topic, with(0x80).records());
    send(session, "bit 15", &topic, with(i16::MIN).records());
    session.log(&topic);
}

fn wrong_timestamp_type(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let stamped = batch(&["a"]).header(|header| {
        let attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        header.attributes = attributes;
    });
    send(session, "log append time", &topic, stamped.records());
    session.log(&topic);
}

/// Records that do not say what the header says; the CRC is right.
fn broken_records(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let good = || batch(&["abc", "def"]);
    // A record: length, attributes, timestamp delta, offset delta, key length, value length, value,
    // header count; numbers in zigzag, a byte each.
    let record_len = (good().records().len() - RECORDS_AT) / 2;
    let edits: [(&str, usize, u8); 8] = [
        ("length a byte longer", 0, 2 * (record_len as u8)),
        ("length a byte shorter", 0, 2 * (record_len as u8 - 2)),
        ("a negative length", 0, 1),
        ("length 0", 0, 0),
        ("record attributes", 1, 1),
        ("a key longer than the record", 4, 100),
        ("a value longer than the record", 5, 100),
        ("a negative header count", record_len - 1, 1),
    ];
    for (label, at, to) in edits {
        let records = good().edited_and_sealed(|bytes| bytes[RECORDS_AT + at] = to);
        send(session, label, &topic, records);
    }
    let records = good().edited_and_sealed(|bytes| {
        bytes.extend_from_slice(b"rest");
        let length = bytes.len() as i32 - 12;
        bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
    });
    send(session, "bytes behind the last record", &topic, records);
    session.log(&topic);
}

/// Kafka looks at the numbers of records only where it has to write them anew.
fn wrong_deltas(session: &mut Session<'_>) {
    let good = || batch(&["abc", "def"]);
    let record_len = (good().records().len() - RECORDS_AT) / 2;
    for (name, at, to) in [
        ("later-timestamp", 2, 20),
        ("earlier-timestamp", 2, 19),
        ("first-is-numbered-1", 3, 2),
        ("second-is-numbered-0", record_len + 3, 0),
        ("second-is-numbered-2", record_len + 3, 4),
    ] {
        let topic = session.topic(name, &[1]);
        let records = good().edited_and_sealed(|bytes| bytes[RECORDS_AT + at] = to);
        send(session, name, &topic, records);
        session.log(&topic);
    }
}

/// A batch that Kafka cannot even look at fails the whole request.
fn broken_requests(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1, 1, 1]);
    let good = || batch(&["a"]);
    let set_length = |length: i32| {
        good().edited(|bytes| {
            bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        })
    };
    for (label, broken) in [
        ("a length of 3", set_length(3)),
        ("the largest length", set_length(i32::MAX)),
        ("magic 9", good().edited(|bytes| bytes[MAGIC_AT] = 9)),
        ("magic 1", good().edited(|bytes| bytes[MAGIC_AT] = 1)),
        ("a wrong CRC", good().edited(|bytes| bytes[CRC_AT] ^= 1)),
        ("no bytes", Records::default()),
        ("two batches", good().edited(|bytes| bytes.extend_from_within(..))),
        ("a batch and one of magic 3", {
            good().edited(|bytes| {
                bytes.extend_from_within(..);
                let second = bytes.len() / 2;
                bytes[second + MAGIC_AT] = 3;
            })
        }),
    ] {
        let data = |index, records| PartitionProduceData {
            index,
            records: Some(records),
            ..Default::default()
        };
        let mut request = produce_to(&topic, 0, good().records(), USUAL);
        let others = [data(1, broken), data(2, good().records()), data(9, good().records())];
        request.topic_data[0].partition_data.extend(others);
        session.step(1, USUAL, &format!("one of four has {label}"), &request);
        let unanswered = ProduceRequest { acks: 0, ..request };
        session.step_without_answer(1, USUAL, &format!("acks=0, one has {label}"), &unanswered);
    }
    for partition in 0..3 {
        session.log_of(&topic, partition, 1);
    }
}

fn broken_compression(session: &mut Session<'_>) {
    let topic = &session.topic("t", &[1]);
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let good = || batch(&["abc", "def"]).compressed(codec);
        let zeroed = good().edited_and_sealed(|bytes| {
            bytes[RECORDS_AT..].iter_mut().for_each(|byte| *byte = 0);
        });
        send(session, &format!("{codec}, all zeros"), topic, zeroed);
        let cut = good().edited_and_sealed(|bytes| {
            bytes.truncate(RECORDS_AT + (bytes.len() - RECORDS_AT) / 2);
            let length = bytes.len() as i32 - 12;
            bytes[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        });
        send(session, &format!("{codec}, cut in half"), topic, cut);
        let more = good().header(|h| (h.record_count, h.last_offset_delta) = (3, 2)).records();
        send(session, &format!("{codec}, a record is missing"), topic, more);
        let less = good().header(|h| (h.record_count, h.last_offset_delta) = (1, 0)).records();
        send(session, &format!("{codec}, a record too many"), topic, less);
    }
    session.log(topic);
}

/// Which of two faults is told.
fn two_faults(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let nowhere = Topic { name: session.names.full("nowhere"), id: topic.id };
    let crc = || batch(&["a"]).edited(|bytes| bytes[CRC_AT] ^= 1);
    let magic = || batch(&["a"]).edited(|bytes| bytes[MAGIC_AT] = 1);
    let faults: [(&str, Records); 5] = [
        ("a wrong CRC", crc()),
        ("magic 1", magic()),
        ("no bytes", Records::default()),
        ("base offset 5", batch(&["a"]).header(|h| h.base_offset = 5).records()),
        ("a length of 3", batch(&["a"]).edited(|bytes| bytes[LENGTH_AT + 3] = 3)),
    ];
    for (label, records) in &faults {
        let request = produce_to(&nowhere, 0, records.clone(), USUAL);
        session.step(1, USUAL, &format!("an unknown topic and {label}"), &request);
        let request = produce_to(&topic, 0, records.clone(), USUAL);
        session.step(2, USUAL, &format!("not the leader and {label}"), &request);
        let wrong_acks = ProduceRequest { acks: 2, ..request };
        session.step(1, USUAL, &format!("acks=2 and {label}"), &wrong_acks);
    }
    let zstd = batch(&["a"]).compressed(Compression::Zstd);
    let request = produce_to(&nowhere, 0, zstd.records(), 6);
    session.step(1, 6, "an unknown topic and zstd", &request);
    let request = produce_to(&topic, 0, zstd.records(), 6);
    session.step(2, 6, "not the leader and zstd", &request);
    let both = zstd.edited(|bytes| bytes[CRC_AT] ^= 1);
    session.step(1, 6, "zstd and a wrong CRC", &produce_to(&topic, 0, both, 6));
    let both = batch(&["a"]).header(|h| h.base_offset = 5).edited(|bytes| bytes[CRC_AT] ^= 1);
    send(session, "base offset 5 and a wrong CRC", &topic, both);
    let both = batch(&[]).header(|h| h.attributes = h.attributes.with_control(true)).records();
    send(session, "a control batch without records", &topic, both);
    session.log(&topic);
}
