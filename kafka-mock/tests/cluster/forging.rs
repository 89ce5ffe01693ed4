//! Answers that the cluster would not give.

use bytes::Bytes;
use kafka_mock::{
    BrokerId, CloseReason, FaultAction, FaultRule, MockConfig, ReplyAction, RequestFate, Rewrite,
};
use kafka_protocol::messages::metadata::MetadataRequest;
use kafka_protocol::messages::{ApiVersionsRequest, InitProducerIdRequest, ProduceRequest};
use kafka_protocol::{ErrorCode, Message};

use crate::producer_ids::idempotent;
use crate::support::{Rig, batch, only, produce_request};

fn rig() -> Rig {
    Rig::new(MockConfig::new())
}

#[test]
fn an_answer_is_changed_in_every_version_after_the_request_was_handled() {
    let mut rig = rig();
    for (stored, version) in (1..).zip(3..=13) {
        rig.cluster.add_fault(FaultRule::rewrite::<ProduceRequest>(|answer| {
            answer.responses[0].partition_responses[0].base_offset = 77;
        }));
        let mut request = produce_request("t", 0, batch(&["a"]));
        request.topic_data[0].topic_id = match version {
            13 => rig.cluster.topic_id("t").unwrap(),
            _ => Default::default(),
        };
        let answer = only(rig.ask(1, &request, version));
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, 77), "v{version}");
        assert_eq!(rig.cluster.offsets("t", 0), Some(0..stored));
    }
}

#[test]
fn a_change_is_for_one_api_and_used_once() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::rewrite::<InitProducerIdRequest>(|answer| {
        answer.producer_id = 5;
    }));
    rig.produce(0, batch(&["a"]));
    assert_eq!(rig.ask(1, &idempotent(), 4).producer_id, 5);
    assert_ne!(rig.ask(1, &idempotent(), 4).producer_id, 5);
    // Beside another action it leaves answers of other APIs as they are.
    let rewrite = Rewrite::new::<ProduceRequest>(|answer| answer.responses.clear());
    rig.cluster.add_fault(FaultRule::new(FaultAction::Rewrite(rewrite)).times(2));
    assert_eq!(rig.ask(1, &idempotent(), 4).error_code, ErrorCode::NONE);
    assert_eq!(rig.ask(1, &produce_request("t", 0, batch(&["a"])), 9).responses, []);
}

#[test]
fn with_an_error_beside_it_nothing_is_applied() {
    let mut rig = rig();
    let lie = FaultRule::rewrite::<ProduceRequest>(|answer| {
        let partition = &mut answer.responses[0].partition_responses[0];
        (partition.error_code, partition.base_offset) = (ErrorCode::NONE, 0);
    });
    rig.cluster.add_fault(lie.and(FaultAction::Error(ErrorCode::UNKNOWN_SERVER_ERROR)));
    // Acknowledged and not there.
    assert_eq!(rig.produce(0, batch(&["a"])).error_code, ErrorCode::NONE);
    assert_eq!(rig.values(0), []);
}

#[test]
fn a_change_that_cannot_be_written_closes_and_says_why() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::rewrite::<MetadataRequest>(|answer| {
        for topic in &mut answer.topics {
            topic.name = None;
        }
    }));
    rig.ask_and_be_closed(1, &MetadataRequest { topics: None, ..Default::default() }, 9);
    let fate = &rig.cluster.requests().last().unwrap().fate;
    assert!(matches!(fate, RequestFate::Closed(CloseReason::Unanswerable(_))), "{fate:?}");
}

#[test]
fn an_answer_in_version_0_to_an_unknown_version_is_changed_as_such() {
    let mut rig = Rig::new(MockConfig::new().kafka_version("2.4".parse().unwrap()));
    rig.cluster.add_fault(FaultRule::rewrite::<ApiVersionsRequest>(|answer| {
        answer.error_code = ErrorCode(99);
    }));
    let correlation_id = rig.send(1, &ApiVersionsRequest::default(), 4);
    let replies = rig.replies();
    let ReplyAction::Send(pieces) = &replies[0].action else { panic!("{replies:?}") };
    let answer = crate::support::read::<ApiVersionsRequest>(pieces, 0, correlation_id);
    assert_eq!(answer.error_code, ErrorCode(99));
}

#[test]
fn a_body_is_forged_behind_a_right_header() {
    let mut rig = rig();
    for version in 3..=12 {
        let answer = kafka_protocol::messages::ProduceResponse::default();
        let mut body = Vec::new();
        answer.encode(&mut body, version).unwrap();
        rig.cluster.add_fault(FaultRule::new(FaultAction::Forge(body.into())));
        let answer = rig.ask(1, &produce_request("t", 0, batch(&["a"])), version);
        assert_eq!(answer.responses, [], "v{version}");
    }
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..10));
    let garbage = Bytes::from_static(b"garbage");
    rig.cluster.add_fault(FaultRule::new(FaultAction::Forge(garbage.clone())));
    rig.send(1, &MetadataRequest::default(), 12);
    let replies = rig.replies();
    let ReplyAction::Send(pieces) = &replies[0].action else { panic!("{replies:?}") };
    let answer = pieces.concat();
    assert_eq!(answer[..4], (answer.len() as i32 - 4).to_be_bytes());
    assert_eq!(answer[8..], [&[0], &garbage[..]].concat());
}

#[test]
fn metadata_is_stale_for_so_many_answers_of_one_broker() {
    let mut rig = rig();
    let leader = |rig: &mut Rig, broker, version| {
        let all = MetadataRequest { topics: None, ..Default::default() };
        let partition = rig.ask(broker, &all, version).topics.remove(0).partitions.remove(1);
        (partition.leader_id, partition.leader_epoch, partition.error_code)
    };
    rig.cluster.move_leader("t", 1, Some(BrokerId(3)));
    let stale = FaultRule::tell_leader("t", 1, BrokerId(2), 0);
    rig.cluster.add_fault(stale.broker(BrokerId(1)).times(2));
    let (now, before) = ((3, 1, ErrorCode::NONE), (2, 0, ErrorCode::NONE));
    assert_eq!(leader(&mut rig, 2, 12), now);
    assert_eq!([leader(&mut rig, 1, 12), leader(&mut rig, 1, 13)], [before; 2]);
    assert_eq!(leader(&mut rig, 1, 12), now);
    rig.cluster.add_fault(FaultRule::tell_leader("t", 1, BrokerId(-1), 4));
    assert_eq!(leader(&mut rig, 1, 12), (-1, 4, ErrorCode::LEADER_NOT_AVAILABLE));
}
