//! Fetch and ListOffsets.

use std::time::Duration;

use bytes::Bytes;
use kafka_mock::{BrokerId, MockConfig, Reply, ReplyAction};
use kafka_protocol::messages::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, PartitionData,
};
use kafka_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::records::RecordBatches;
use kafka_protocol::{ErrorCode, Message, Uuid};

use crate::support::{Rig, batch, read};

pub(crate) fn fetch_topic(name: &str, partition: i32, offset: i64) -> FetchTopic {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: i32::MAX,
        ..Default::default()
    };
    FetchTopic { topic: name.into(), partitions: vec![partition], ..Default::default() }
}

fn fetch(partition: i32, offset: i64) -> FetchRequest {
    FetchRequest { topics: vec![fetch_topic("t", partition, offset)], ..Default::default() }
}

fn only(response: FetchResponse) -> PartitionData {
    assert_eq!((response.error_code, response.session_id), (ErrorCode::NONE, 0));
    let mut partitions = response.responses.into_iter().flat_map(|topic| topic.partitions);
    let partition = partitions.next().unwrap();
    assert!(partitions.next().is_none());
    partition
}

fn values(partition: &PartitionData) -> Vec<(i64, String)> {
    let records = partition.records.clone().unwrap_or_default();
    let mut values = Vec::new();
    for batch in RecordBatches::new(&records) {
        for record in &batch.unwrap() {
            let record = record.unwrap();
            values.push((record.offset, String::from_utf8(record.value.unwrap().into()).unwrap()));
        }
    }
    values
}

/// Partition 0 of `t` with batches `a b`, `c`, `d`.
fn filled() -> Rig {
    let mut rig = Rig::new(MockConfig::new());
    for values in [&["a", "b"][..], &["c"], &["d"]] {
        rig.produce(0, batch(values));
    }
    rig
}

#[test]
fn every_version_reads_from_any_offset() {
    let mut rig = filled();
    let id = rig.cluster.topic_id("t").unwrap();
    for version in FetchRequest::VERSIONS.iter() {
        let mut request = fetch(0, 2);
        if version >= 13 {
            request.topics[0].topic = Default::default();
            request.topics[0].topic_id = id;
        }
        let partition = only(rig.ask(1, &request, version));
        assert_eq!(partition.error_code, ErrorCode::NONE);
        assert_eq!(values(&partition), [(2, "c".into()), (3, "d".into())], "v{version}");
        assert_eq!((partition.high_watermark, partition.last_stable_offset), (4, 4));
        assert_eq!(partition.aborted_transactions, None);
    }
    // The batch that holds the offset comes whole.
    assert_eq!(values(&only(rig.ask(1, &fetch(0, 1), 12))).len(), 4);
    let committed = FetchRequest { isolation_level: 1, ..fetch(0, 0) };
    assert_eq!(only(rig.ask(1, &committed, 12)).aborted_transactions, Some(Vec::new()));
}

#[test]
fn what_is_read_is_stamped_by_the_leader() {
    let mut rig = filled();
    rig.cluster.move_leader("t", 0, Some(BrokerId(2)));
    rig.send(2, &crate::support::produce_request("t", 0, batch(&["e"])), 9);
    rig.replies();
    let partition = only(rig.ask(2, &fetch(0, 0), 12));
    let epochs: Vec<_> = RecordBatches::new(&partition.records.unwrap())
        .map(|batch| batch.unwrap().header().partition_leader_epoch)
        .collect();
    assert_eq!(epochs, [0, 0, 0, 1]);
}

#[test]
fn errors_have_their_codes() {
    let mut rig = filled();
    let mut check = |broker, request: &FetchRequest, version, expected| {
        assert_eq!(only(rig.ask(broker, request, version)).error_code, expected);
    };
    check(1, &fetch(0, 4), 12, ErrorCode::NONE);
    check(1, &fetch(0, 5), 12, ErrorCode::OFFSET_OUT_OF_RANGE);
    check(1, &fetch(0, -1), 12, ErrorCode::OFFSET_OUT_OF_RANGE);
    check(2, &fetch(0, 0), 12, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    check(1, &fetch(9, 0), 12, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut by_id = fetch(0, 0);
    by_id.topics[0].topic_id = Uuid::from_u128(5);
    check(1, &by_id, 13, ErrorCode::UNKNOWN_TOPIC_ID);
    check(1, &fetch(0, 0), 13, ErrorCode::UNKNOWN_TOPIC_ID);
    let mut known_epoch = fetch(0, 0);
    known_epoch.topics[0].partitions[0].current_leader_epoch = 3;
    check(1, &known_epoch, 12, ErrorCode::UNKNOWN_LEADER_EPOCH);
    rig.cluster.move_leader("t", 0, Some(BrokerId(1)));
    known_epoch.topics[0].partitions[0].current_leader_epoch = 0;
    let code = only(rig.ask(1, &known_epoch, 12)).error_code;
    assert_eq!(code, ErrorCode::FENCED_LEADER_EPOCH);
}

#[test]
fn a_broker_that_does_not_lead_tells_who_does() {
    let mut rig = filled();
    let mut request = fetch(0, 0);
    request.topics[0].topic_id = rig.cluster.topic_id("t").unwrap();
    let response = rig.ask(2, &request, 16);
    assert_eq!(response.node_endpoints[0].node_id, 1);
    assert_eq!(only(response).current_leader.leader_id, 1);
}

#[test]
fn a_session_is_not_kept() {
    let mut rig = filled();
    let new = FetchRequest { session_epoch: 0, ..fetch(0, 0) };
    assert_eq!(rig.ask(1, &new, 12).session_id, 0);
    let old = FetchRequest { session_id: 7, session_epoch: 1, ..Default::default() };
    let code = rig.ask(1, &old, 12).error_code;
    assert_eq!(code, ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
}

#[test]
fn limits_cut_between_batches_but_never_before_the_first() {
    let mut rig = filled();
    let small = batch(&["c"]).len() as i32;
    let count = |rig: &mut Rig, max_bytes, partition_max_bytes, offset| {
        let mut request = FetchRequest { max_bytes, ..fetch(0, offset) };
        request.topics[0].partitions[0].partition_max_bytes = partition_max_bytes;
        values(&only(rig.ask(1, &request, 12))).len()
    };
    assert_eq!(count(&mut rig, i32::MAX, 1, 0), 2);
    assert_eq!(count(&mut rig, 1, i32::MAX, 0), 2);
    assert_eq!(count(&mut rig, 1, 0, 2), 1);
    assert_eq!(count(&mut rig, i32::MAX, 2 * small - 1, 2), 1);
    assert_eq!(count(&mut rig, i32::MAX, 2 * small, 2), 2);
    assert_eq!(count(&mut rig, -1, -1, 0), 2);
}

#[test]
fn a_later_partition_does_not_get_its_first_batch_for_free() {
    let mut rig = filled();
    for partition in [0, 1, 2] {
        rig.cluster.move_leader("t", partition, Some(BrokerId(1)));
    }
    rig.send(1, &crate::support::produce_request("t", 1, batch(&["x"])), 9);
    rig.replies();
    let topics = vec![fetch_topic("t", 0, 0), fetch_topic("t", 1, 0)];
    let request = FetchRequest { max_bytes: 1, topics, ..Default::default() };
    let response = rig.ask(1, &request, 12);
    let counts: Vec<_> =
        response.responses.iter().map(|topic| values(&topic.partitions[0]).len()).collect();
    assert_eq!(counts, [2, 0]);
}

fn waiting(min_bytes: i32) -> FetchRequest {
    FetchRequest { max_wait_ms: 500, min_bytes, ..fetch(0, 4) }
}

fn answered(replies: &[Reply], correlation_id: i32) -> PartitionData {
    let [Reply { action: ReplyAction::Send(pieces), .. }] = replies else { panic!("{replies:?}") };
    let pieces: &[Bytes] = pieces;
    only(read::<FetchRequest>(pieces, 12, correlation_id))
}

#[test]
fn a_fetch_waits_for_its_time() {
    let mut rig = filled();
    let id = rig.send(1, &waiting(1), 12);
    assert_eq!(rig.replies(), []);
    assert_eq!(rig.cluster.poll_timeout(), Some(rig.now + Duration::from_millis(500)));
    rig.advance(Duration::from_millis(499));
    assert_eq!(rig.replies(), []);
    rig.advance(Duration::from_millis(1));
    assert_eq!(values(&answered(&rig.replies(), id)), []);
    assert_eq!(rig.cluster.poll_timeout(), None);
}

#[test]
fn a_fetch_waits_for_enough_bytes() {
    let mut rig = filled();
    let len = batch(&["e"]).len() as i32;
    let id = rig.send_on(50, 1, &waiting(len + 1), 12);
    rig.produce(0, batch(&["e"]));
    assert_eq!(rig.replies(), []);
    rig.send(1, &crate::support::produce_request("t", 0, batch(&["f"])), 9);
    let replies = rig.replies();
    let fetched: Vec<_> = replies.into_iter().filter(|reply| reply.connection.0 == 50).collect();
    assert_eq!(values(&answered(&fetched, id)), [(4, "e".into()), (5, "f".into())]);
}

#[test]
fn a_fetch_does_not_wait_for_an_error_or_for_nothing() {
    let mut rig = filled();
    let nothing = FetchRequest { max_wait_ms: 500, min_bytes: 1, ..Default::default() };
    assert_eq!(rig.ask(1, &nothing, 12).responses, []);
    rig.send_on(50, 1, &waiting(1), 12);
    assert_eq!(rig.replies(), []);
    rig.cluster.move_leader("t", 0, Some(BrokerId(2)));
    assert_eq!(rig.replies().len(), 1);
}

#[test]
fn answers_behind_a_fetch_that_waits_wait_as_well() {
    let mut rig = filled();
    rig.send(1, &waiting(1), 12);
    rig.send(1, &crate::support::produce_request("t", 1, batch(&["x"])), 9);
    assert_eq!(rig.replies(), []);
    rig.advance(Duration::from_millis(500));
    assert_eq!(rig.replies().len(), 2);
}

fn list(partition: i32, timestamp: i64) -> ListOffsetsRequest {
    let partition =
        ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() };
    let topic =
        ListOffsetsTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    ListOffsetsRequest { topics: vec![topic], ..Default::default() }
}

fn listed(
    rig: &mut Rig,
    broker: i32,
    timestamp: i64,
    version: i16,
) -> ListOffsetsPartitionResponse {
    let response = rig.ask(broker, &list(0, timestamp), version);
    response.topics[0].partitions[0].clone()
}

#[test]
fn every_version_lists_offsets() {
    let mut rig = filled();
    rig.cluster.delete_records("t", 0, 2);
    for version in ListOffsetsRequest::VERSIONS.iter() {
        for (timestamp, offset) in [(-1, 4), (-2, 2), (1000, 2), (1001, -1)] {
            let answer = listed(&mut rig, 1, timestamp, version);
            assert_eq!(
                (answer.error_code, answer.offset),
                (ErrorCode::NONE, offset),
                "{timestamp}"
            );
        }
    }
}

#[test]
fn offsets_are_found_by_timestamp() {
    let mut rig = filled();
    for (timestamp, offset, found) in [(0, 0, 1000), (1001, 1, 1001), (1002, -1, -1), (-3, 1, 1001)]
    {
        let answer = listed(&mut rig, 1, timestamp, 10);
        assert_eq!((answer.offset, answer.timestamp), (offset, found), "{timestamp}");
    }
    assert_eq!(listed(&mut rig, 1, -4, 10).offset, 0);
    assert_eq!(listed(&mut rig, 1, -5, 10).offset, -1);
    for (timestamp, version) in [(-3, 6), (-4, 7), (-5, 8), (-6, 10), (-7, 11)] {
        let code = listed(&mut rig, 1, timestamp, version).error_code;
        assert_eq!(code, ErrorCode::UNSUPPORTED_VERSION);
    }
    let code = listed(&mut rig, 2, -1, 10).error_code;
    assert_eq!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
}
