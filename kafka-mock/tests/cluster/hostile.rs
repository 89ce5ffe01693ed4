//! Bytes that no client should send: nothing panics, and the connection closes.

use bytes::Bytes;
use kafka_mock::{CloseReason, ConnectionId, MockConfig, ReplyAction, RequestFate};
use kafka_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use kafka_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::messages::metadata::MetadataRequestTopic;
use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest, ProduceRequest};
use kafka_protocol::{ApiKey, ErrorCode, Frame};

use crate::support::{Rig, batch, produce_request, sequenced};

/// Numbers that follow from a seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn check_closed(rig: &mut Rig, frame: Bytes) -> String {
    rig.send_bytes(9, 1, frame);
    let replies = rig.replies();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].action, ReplyAction::Close);
    rig.cluster.handle_disconnect(rig.now, ConnectionId(9));
    match &rig.cluster.requests().last().unwrap().fate {
        RequestFate::Closed(CloseReason::Malformed(reason)) => reason.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn frames_that_are_not_requests_close_and_are_recorded_with_the_reason() {
    let mut rig = Rig::new(MockConfig::new());
    for (frame, reason) in [
        (&b""[..], "RequestHeader v1"),
        (b"\0", "RequestHeader v1"),
        (b"\x7f\xff\0\0\0\0\0\0\xff\xff", "unknown api key 32767"),
        // SyncGroup: known to the codec, not to the cluster.
        (b"\0\x0e\0\0\0\0\0\0\xff\xff", "SyncGroup(14) is not implemented"),
        // Metadata of a version that is not there, and one with two billion topics.
        (b"\0\x03\0\x63\0\0\0\0\xff\xff\0", "unsupported version"),
        (b"\0\x03\0\x01\0\0\0\0\xff\xff\x7f\xff\xff\xff", "2147483647 elements"),
        // Produce is announced from version 0 and refused below 3.
        (b"\0\0\0\0\0\0\0\0\xff\xff\0\0\0\0\0\0\0\0\0\0", "unsupported version"),
    ] {
        let found = check_closed(&mut rig, Bytes::from_static(frame));
        assert!(found.contains(reason), "{frame:?}: {found}");
    }
}

#[test]
fn a_frame_that_is_too_long_closes() {
    let mut rig = Rig::new(MockConfig::new().request_max_bytes(100));
    let reason = check_closed(&mut rig, vec![0; 101].into());
    assert_eq!(reason, "a frame of 101 bytes is longer than 100");
}

#[test]
fn an_answer_is_not_longer_because_a_topic_is_named_often() {
    let mut rig = Rig::new(MockConfig::new());
    let topic = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic; 10_000]), ..Default::default() };
    assert_eq!(rig.ask(1, &request, 12).topics.len(), 1);
    let topic = CreatableTopic { name: "new".into(), ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic; 100_000], ..Default::default() };
    assert_eq!(rig.ask(1, &request, 7).topics.len(), 1);
}

#[test]
fn a_partition_that_is_listed_twice_is_refused() {
    let mut rig = Rig::new(MockConfig::new());
    let partition = ListOffsetsPartition { timestamp: -1, ..Default::default() };
    let topic =
        ListOffsetsTopic { name: "t".into(), partitions: vec![partition; 2], ..Default::default() };
    let request = ListOffsetsRequest { topics: vec![topic], ..Default::default() };
    let response = rig.ask(1, &request, 8);
    let codes: Vec<_> = response.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST]);
}

fn frames() -> Vec<Vec<u8>> {
    let frame = |frame: Frame| frame.into_bytes()[4..].to_vec();
    let mut frames = vec![
        frame(Frame::request(&ApiVersionsRequest::default(), 4, 1, Some("me".into())).unwrap()),
        frame(Frame::request(&MetadataRequest::default(), 12, 1, None).unwrap()),
    ];
    for version in [3, 9, 12] {
        for records in [batch(&["a", "b"]), sequenced(&["c"], 7, 1, 0)] {
            let request: ProduceRequest = produce_request("t", 0, records);
            frames.push(frame(Frame::request(&request, version, 1, None).unwrap()));
        }
    }
    frames
}

/// Each frame is answered or closes the connection, and the cluster stays as it should be.
fn feed(rig: &mut Rig, frame: Vec<u8>) {
    rig.send_bytes(9, 1, frame.into());
    let replies = rig.replies();
    assert!(replies.len() <= 1);
    rig.cluster.handle_disconnect(rig.now, ConnectionId(9));
}

#[test]
fn cut_frames_never_panic() {
    let mut rig = Rig::new(MockConfig::new());
    for frame in frames() {
        for len in 0..frame.len() {
            feed(&mut rig, frame[..len].to_vec());
        }
    }
}

#[test]
fn flipped_and_random_frames_never_panic() {
    let seed = 0x5eed;
    let mut random = Random(seed);
    for config in [
        MockConfig::new(),
        MockConfig::new().check_crc(false),
        MockConfig::new().discard(true).check_crc(false),
    ] {
        let mut rig = Rig::new(config.retention_bytes(10_000).partitions_max(100));
        let frames = frames();
        for _ in 0..3_000 {
            let mut frame = frames[random.below(frames.len())].clone();
            for _ in 0..=random.below(4) {
                let at = random.below(frame.len());
                frame[at] = random.next() as u8;
            }
            feed(&mut rig, frame);
            let mut frame: Vec<u8> = (0..random.below(60)).map(|_| random.next() as u8).collect();
            if let Some(key) = frame.get_mut(..2) {
                key.copy_from_slice(&ApiKey(random.below(80) as i16).0.to_be_bytes());
            }
            if let Some(version) = frame.get_mut(2..4) {
                version.copy_from_slice(&(random.below(14) as i16).to_be_bytes());
            }
            feed(&mut rig, frame);
        }
        assert!(rig.cluster.records("t", 0).is_some(), "seed {seed:#x}");
    }
}
