//! Produce: what is appended, what is refused, and with which code.

use kafka_mock::{BrokerId, ConnectionId, MockConfig, ReplyAction};
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::fetch::FetchRequest;
use kafka_protocol::records::{
    BatchAttributes, Compression, Compressor, RecordBatchBuilder, Records, TimestampType,
};
use kafka_protocol::{ErrorCode, Message, Uuid};

use crate::support::{Rig, batch, batch_with, only, produce_request};

fn rig() -> Rig {
    Rig::new(MockConfig::new())
}

/// One batch to partition 0 is answered with this code, and appended if that is none.
fn check(records: Records, version: i16, expected: ErrorCode) {
    let mut rig = rig();
    let request = produce_request("t", 0, records);
    let answer = only(rig.ask(1, &request, version));
    assert_eq!(answer.error_code, expected);
    let appended = rig.cluster.offsets("t", 0).unwrap().end;
    assert_eq!(answer.base_offset, if expected.is_none() { 0 } else { -1 });
    assert_eq!(appended > 0, expected.is_none());
    assert_eq!(rig.cluster.counters().rejected, u64::from(!expected.is_none()));
}

fn bytes_of(records: &Records) -> Vec<u8> {
    records.to_bytes().to_vec()
}

fn records(bytes: &[u8]) -> Records {
    bytes::Bytes::copy_from_slice(bytes).into()
}

#[test]
fn every_version_appends() {
    for version in ProduceRequest::VERSIONS.iter() {
        let mut rig = rig();
        let mut request = produce_request("t", 0, batch(&["a", "b"]));
        if version >= 13 {
            request.topic_data[0].name = Default::default();
            request.topic_data[0].topic_id = rig.cluster.topic_id("t").unwrap();
        }
        for (acks, offset) in [(-1, 0), (1, 2)] {
            request.acks = acks;
            let answer = only(rig.ask(1, &request, version));
            assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, offset));
            assert_eq!(answer.log_append_time_ms, -1);
        }
        let values: Vec<_> = rig.values(0).into_iter().map(|(_, value)| value).collect();
        assert_eq!(values, ["a", "b", "a", "b"], "v{version}");
    }
}

#[test]
fn acks_0_is_never_answered_and_an_error_closes_the_connection() {
    let mut rig = rig();
    let mut request = produce_request("t", 0, batch(&["a"]));
    request.acks = 0;
    rig.send(1, &request, 9);
    assert_eq!(rig.replies(), []);
    assert_eq!(rig.values(0), [(0, "a".into())]);
    request.topic_data[0].partition_data[0].index = 1;
    rig.ask_and_be_closed(1, &request, 9);
}

#[test]
fn other_acks_are_refused() {
    let mut rig = rig();
    for acks in [2, -2, i16::MAX] {
        let mut request = produce_request("t", 0, batch(&["a"]));
        request.acks = acks;
        assert_eq!(only(rig.ask(1, &request, 9)).error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    }
    assert_eq!(rig.values(0), []);
}

#[test]
fn unknown_topics_and_partitions_have_codes_of_their_own() {
    let mut rig = rig();
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    for (topic, partition) in [("nope", 0), ("t", 3), ("t", -1)] {
        let request = produce_request(topic, partition, batch(&["a"]));
        assert_eq!(only(rig.ask(1, &request, 9)).error_code, unknown);
    }
    for id in [Uuid::ZERO, Uuid::from_u128(7)] {
        let mut request = produce_request("", 0, batch(&["a"]));
        request.topic_data[0].topic_id = id;
        assert_eq!(only(rig.ask(1, &request, 13)).error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    }
}

#[test]
fn a_broker_that_does_not_lead_tells_who_does() {
    let mut rig = rig();
    let request = produce_request("t", 0, batch(&["a"]));
    for version in [9, 10, 12] {
        let response = rig.ask(2, &request, version);
        let endpoints: Vec<i32> = response.node_endpoints.iter().map(|e| e.node_id).collect();
        let answer = only(response);
        assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
        let leader = &answer.current_leader;
        let hint = (leader.leader_id, leader.leader_epoch);
        if version >= 10 {
            assert_eq!((hint, &endpoints[..]), ((1, 0), &[1][..]));
        } else {
            assert_eq!((hint, &endpoints[..]), ((-1, -1), &[][..]));
        }
    }
    assert!(rig.cluster.move_leader("t", 0, Some(BrokerId(2))));
    assert_eq!(only(rig.ask(2, &request, 12)).error_code, ErrorCode::NONE);
    assert!(rig.cluster.move_leader("t", 0, None));
    let answer = only(rig.ask(2, &request, 12));
    assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    let leader = answer.current_leader;
    assert_eq!((leader.leader_id, leader.leader_epoch), (-1, 2));
}

#[test]
fn there_must_be_exactly_one_batch() {
    let one = bytes_of(&batch(&["a"]));
    let two = [&one[..], &one[..]].concat();
    check(Records::default(), 9, ErrorCode::INVALID_RECORD);
    check(records(&two), 9, ErrorCode::INVALID_RECORD);
    check(records(&one[..one.len() - 1]), 9, ErrorCode::INVALID_RECORD);
    // What follows and is not a batch is cut off.
    check(records(&[&one[..], b"garbage"].concat()), 9, ErrorCode::NONE);
    check(records(&[&one[..], &one[..one.len() - 1]].concat()), 9, ErrorCode::NONE);
}

#[test]
fn what_follows_a_batch_is_cut_off_only_if_it_could_begin_one() {
    let one = bytes_of(&batch(&["a"]));
    let with = |rest: &[u8]| records(&[&one[..], rest].concat());
    let begun = |magic: u8| [&[0; 11][..], &[99, 0, 0, 0, 0, magic]].concat();
    // Too short for a length; a length that no batch has; too short for a magic; a magic.
    check(with(&[0; 11]), 9, ErrorCode::NONE);
    check(with(&[0; 12]), 9, ErrorCode::CORRUPT_MESSAGE);
    check(with(&begun(9)[..16]), 9, ErrorCode::NONE);
    check(with(&begun(2)), 9, ErrorCode::NONE);
    check(with(&begun(3)), 9, ErrorCode::CORRUPT_MESSAGE);
}

#[test]
fn null_records_close_the_connection() {
    let mut rig = rig();
    let mut request = produce_request("t", 0, Records::default());
    request.topic_data[0].partition_data[0].records = None;
    rig.ask_and_be_closed(1, &request, 9);
}

#[test]
fn damage_is_found() {
    let good = bytes_of(&batch(&["a"]));
    let damaged = |at: usize, to: u8| {
        let mut bytes = good.clone();
        bytes[at] = to;
        records(&bytes)
    };
    check(damaged(good.len() - 1, 9), 9, ErrorCode::CORRUPT_MESSAGE);
    check(damaged(17, good[17] ^ 1), 9, ErrorCode::CORRUPT_MESSAGE);
    check(damaged(16, 3), 9, ErrorCode::CORRUPT_MESSAGE);
    check(damaged(16, 1), 9, ErrorCode::INVALID_RECORD);
    check(damaged(16, 0), 9, ErrorCode::INVALID_RECORD);
    // Batch lengths: negative, too small for anything, too small for a header, too large.
    check(damaged(8, 0xff), 9, ErrorCode::CORRUPT_MESSAGE);
    check(damaged(11, 3), 9, ErrorCode::CORRUPT_MESSAGE);
    check(damaged(11, 20), 9, ErrorCode::CORRUPT_MESSAGE);
    check(damaged(9, 1), 9, ErrorCode::INVALID_RECORD);
}

#[test]
fn without_the_crc_check_damage_is_not_found() {
    let mut rig = Rig::new(MockConfig::new().check_crc(false));
    let mut bytes = bytes_of(&batch(&["a"]));
    bytes[17] ^= 1;
    assert_eq!(rig.produce(0, records(&bytes)).error_code, ErrorCode::NONE);
}

#[test]
fn header_and_records_must_agree() {
    let invalid = ErrorCode::INVALID_RECORD;
    check(batch_with(&["a"], |header| header.base_offset = 5), 9, invalid);
    check(batch_with(&["a", "b"], |header| header.last_offset_delta = 0), 9, invalid);
    check(batch_with(&["a", "b"], |header| header.last_offset_delta = 5), 9, invalid);
    check(batch_with(&["a", "b"], |header| header.record_count = 1), 9, invalid);
    check(
        batch_with(&["a", "b"], |header| (header.record_count, header.last_offset_delta) = (1, 0)),
        9,
        invalid,
    );
    check(
        batch_with(&["a"], |header| (header.record_count, header.last_offset_delta) = (3, 2)),
        9,
        invalid,
    );
    check(batch_with(&["a"], |header| header.record_count = -1), 9, invalid);
    check(batch_with(&[], |_| {}), 9, invalid);
    check(
        batch_with(&["a"], |header| (header.record_count, header.last_offset_delta) = (0, -1)),
        9,
        invalid,
    );
}

#[test]
fn records_must_be_numbered_from_0() {
    // The second record claims to be the first one again: zigzag 1 is 2.
    let mut bytes = bytes_of(&batch(&["a", "b"]));
    let at = bytes.iter().rposition(|byte| *byte == 2).unwrap();
    let second = 61 + (bytes.len() - 61) / 2;
    assert!(at > second);
    bytes[second + 3] = 0;
    let mut rig = Rig::new(MockConfig::new().check_crc(false));
    assert_eq!(rig.produce(0, records(&bytes)).error_code, ErrorCode::INVALID_RECORD);
}

#[test]
fn control_batches_and_missing_sequences_are_refused() {
    let control = |header: &mut kafka_protocol::records::RecordBatchHeader| {
        header.attributes = header.attributes.with_control(true);
    };
    check(batch_with(&["a"], control), 9, ErrorCode::INVALID_RECORD);
    check(batch_with(&["a"], |header| header.producer_id = 7), 9, ErrorCode::INVALID_RECORD);
}

#[test]
fn codecs_are_checked() {
    let unknown = |header: &mut kafka_protocol::records::RecordBatchHeader| {
        header.attributes = BatchAttributes(5);
    };
    check(batch_with(&["a"], unknown), 9, ErrorCode::UNKNOWN_SERVER_ERROR);
    let not_gzip = |header: &mut kafka_protocol::records::RecordBatchHeader| {
        header.attributes = header.attributes.with_compression(Compression::Gzip);
    };
    check(batch_with(&["a"], not_gzip), 9, ErrorCode::UNKNOWN_SERVER_ERROR);
    check(compressed(Compression::Zstd), 6, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    check(compressed(Compression::Zstd), 7, ErrorCode::NONE);
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4] {
        check(compressed(codec), 3, ErrorCode::NONE);
    }
}

fn compressed(codec: Compression) -> Records {
    let mut builder = RecordBatchBuilder::new();
    for timestamp in 0..100 {
        builder.append(timestamp, Some(b"key"), Some(b"value"), &[]).unwrap();
    }
    let mut compressor = Compressor::new(codec.into());
    let body = builder.finish().compress(&mut compressor).unwrap();
    body.to_records(&body.header())
}

#[test]
fn a_batch_may_be_as_long_as_the_limit() {
    let records = batch(&["0123456789"]);
    for (limit, expected) in
        [(records.len(), ErrorCode::NONE), (records.len() - 1, ErrorCode::MESSAGE_TOO_LARGE)]
    {
        let mut rig = Rig::new(MockConfig::new().message_max_bytes(limit));
        assert_eq!(rig.produce(0, records.clone()).error_code, expected);
    }
}

#[test]
fn partitions_fail_alone() {
    let mut rig = rig();
    let mut request = produce_request("t", 0, batch(&["a"]));
    let more = produce_request("t", 9, batch(&["b"])).topic_data.remove(0).partition_data;
    request.topic_data[0].partition_data.extend(more);
    let response = rig.ask(1, &request, 9);
    let codes: Vec<_> =
        response.responses[0].partition_responses.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
}

#[test]
fn what_was_produced_is_read_back() {
    let mut rig = rig();
    rig.produce(0, batch(&["a", "b"]));
    rig.produce(0, compressed(Compression::Lz4));
    let records = rig.cluster.records("t", 0).unwrap();
    assert_eq!(records.len(), 102);
    assert!((0..).zip(&records).all(|(offset, record)| record.offset == offset));
    assert_eq!(records[1].timestamp, 1001);
    assert_eq!(records[101].key.as_deref(), Some(&b"key"[..]));
    assert_eq!(rig.cluster.batches("t", 0).unwrap().len(), 2);
    let counters = rig.cluster.counters();
    assert_eq!((counters.batches, counters.records), (2, 102));
}

#[test]
fn discarded_batches_are_counted_and_gone() {
    let mut rig = Rig::new(MockConfig::new().discard(true));
    for offset in [0, 2, 4] {
        assert_eq!(rig.produce(0, batch(&["a", "b"])).base_offset, offset);
    }
    let mut damaged = bytes_of(&batch(&["a"]));
    damaged[17] ^= 1;
    assert_eq!(rig.produce(0, records(&damaged)).error_code, ErrorCode::CORRUPT_MESSAGE);
    assert_eq!(rig.cluster.counters().records, 6);
    assert_eq!(rig.cluster.offsets("t", 0), Some(6..6));
    assert_eq!(rig.values(0), []);
}

#[test]
fn the_oldest_batches_go_when_the_log_is_full() {
    let len = batch(&["a"]).len();
    let mut rig = Rig::new(MockConfig::new().retention_bytes(2 * len));
    for value in ["a", "b", "c"] {
        rig.produce(0, batch(&[value]));
    }
    assert_eq!(rig.values(0), [(1, "b".into()), (2, "c".into())]);
    assert_eq!(rig.produce(0, batch(&["d"])).log_start_offset, 2);
}

#[test]
fn a_timestamp_type_of_the_producer_does_not_matter_to_the_log() {
    let records = batch_with(&["a"], |header| {
        header.attributes = header.attributes.with_timestamp_type(TimestampType::CreateTime);
    });
    check(records, 9, ErrorCode::NONE);
}

#[test]
fn an_append_wakes_a_fetch_that_waits() {
    let mut rig = rig();
    let fetch = FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        topics: vec![crate::consumer::fetch_topic("t", 0, 0)],
        ..Default::default()
    };
    rig.send_on(50, 1, &fetch, 12);
    assert_eq!(rig.replies(), []);
    rig.send(1, &produce_request("t", 0, batch(&["a"])), 9);
    let replies = rig.replies();
    assert_eq!(replies.len(), 2);
    let is_fetch = |reply: &&kafka_mock::Reply| reply.connection == ConnectionId(50);
    let reply = replies.iter().find(is_fetch).unwrap();
    assert!(matches!(reply.action, ReplyAction::Send(_)));
}
