//! Each fault, and which of several a request gets.

use std::time::Duration;

use kafka_mock::{BrokerId, FaultAction, FaultRule, MockConfig, ReplyAction};
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::find_coordinator::FindCoordinatorRequest;
use kafka_protocol::messages::metadata::MetadataRequest;
use kafka_protocol::{ApiKey, ErrorCode};

use crate::connections::order;
use crate::producer_ids::idempotent;
use crate::support::{Rig, batch, produce_request, sequenced};

const A: ErrorCode = ErrorCode::NOT_ENOUGH_REPLICAS;
const B: ErrorCode = ErrorCode::KAFKA_STORAGE_ERROR;
const OK: ErrorCode = ErrorCode::NONE;

fn rig() -> Rig {
    Rig::new(MockConfig::new())
}

fn produce(rig: &mut Rig) -> ErrorCode {
    rig.produce(0, batch(&["a"])).error_code
}

fn error(code: ErrorCode) -> FaultRule {
    FaultRule::new(FaultAction::Error(code))
}

/// A request to broker 1 with a batch for partition 0 and one for partition 1.
fn two_partitions(rig: &mut Rig) -> [ErrorCode; 2] {
    rig.cluster.move_leader("t", 1, Some(BrokerId(1)));
    let mut request = produce_request("t", 0, batch(&["a"]));
    let more = produce_request("t", 1, batch(&["b"])).topic_data.remove(0).partition_data;
    request.topic_data[0].partition_data.extend(more);
    let response = rig.ask(1, &request, 9);
    let partitions = &response.responses[0].partition_responses;
    [partitions[0].error_code, partitions[1].error_code]
}

#[test]
fn errors_are_used_up_in_order() {
    let mut rig = rig();
    rig.cluster.add_fault(error(A).api(ApiKey::PRODUCE).times(2));
    rig.cluster.add_fault(error(B).api(ApiKey::PRODUCE));
    let codes: Vec<_> = (0..4).map(|_| produce(&mut rig)).collect();
    assert_eq!(codes, [A, A, B, OK]);
    assert_eq!(rig.cluster.fault_count(), 0);
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..1));
}

#[test]
fn matchers_narrow() {
    let mut rig = rig();
    for rule in [
        error(A).api(ApiKey::FETCH),
        error(A).broker(BrokerId(2)),
        error(A).connection(kafka_mock::ConnectionId(99)),
        error(A).topic("other"),
        error(A).topic("t").partition(2),
    ] {
        rig.cluster.add_fault(rule);
    }
    assert_eq!(produce(&mut rig), OK);
    assert_eq!(rig.cluster.fault_count(), 5);
    rig.cluster.clear_faults();
    assert_eq!(rig.cluster.fault_count(), 0);
}

#[test]
fn a_rule_may_wait_for_a_later_request_or_last() {
    let mut rig = rig();
    rig.cluster.add_fault(error(A).api(ApiKey::PRODUCE).skip(2));
    let codes: Vec<_> = (0..4).map(|_| produce(&mut rig)).collect();
    assert_eq!(codes, [OK, OK, A, OK]);
    let rule = rig.cluster.add_fault(error(B).api(ApiKey::PRODUCE).always());
    assert_eq!([produce(&mut rig), produce(&mut rig)], [B, B]);
    assert!(rig.cluster.remove_fault(rule));
    assert!(!rig.cluster.remove_fault(rule));
    assert_eq!(produce(&mut rig), OK);
}

#[test]
fn a_partition_fails_alone() {
    let mut rig = rig();
    rig.cluster.add_fault(error(A).topic("t").partition(1));
    assert_eq!(two_partitions(&mut rig), [OK, A]);
    assert_eq!(two_partitions(&mut rig), [OK, OK]);
}

#[test]
fn rules_for_different_partitions_hit_the_same_request_and_others_queue() {
    let mut rig = rig();
    rig.cluster.add_fault(error(A).partition(0));
    rig.cluster.add_fault(error(B).partition(0));
    rig.cluster.add_fault(error(B).partition(1));
    rig.cluster.add_fault(error(A));
    assert_eq!(two_partitions(&mut rig), [A, B]);
    assert_eq!(two_partitions(&mut rig), [B, A]);
    assert_eq!(two_partitions(&mut rig), [OK, OK]);
}

#[test]
fn an_error_may_lie() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::new(FaultAction::ErrorAfterApply(A)));
    assert_eq!(rig.produce(0, sequenced(&["a"], 7, 0, 0)).error_code, A);
    // It was stored: the retry is a duplicate.
    let again = rig.produce(0, sequenced(&["a"], 7, 0, 0));
    assert_eq!((again.error_code, again.base_offset), (OK, 0));
    assert_eq!(rig.cluster.counters().duplicates, 1);
}

#[test]
fn an_injected_leader_error_tells_the_leader() {
    let mut rig = rig();
    rig.cluster.add_fault(error(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    let answer = rig.produce(0, batch(&["a"]));
    assert_eq!(answer.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER);
    assert_eq!(answer.current_leader.leader_id, 1);
}

#[test]
fn requests_without_partitions_fail_as_a_whole() {
    let mut rig = rig();
    rig.cluster.add_fault(error(A).topic("t"));
    assert_eq!(rig.ask(1, &idempotent(), 4).error_code, OK);
    rig.cluster.clear_faults();
    rig.cluster.add_fault(error(A).times(2));
    assert_eq!(rig.ask(1, &idempotent(), 4).error_code, A);
    rig.cluster.add_fault(error(B));
    let find = FindCoordinatorRequest { key: "x".into(), ..Default::default() };
    assert_eq!(rig.ask(1, &find, 1).error_code, A);
    // The rules are used up one after the other here as well.
    assert_eq!(rig.cluster.fault_count(), 1);
    assert_eq!(rig.ask(1, &find, 1).error_code, B);
}

#[test]
fn metadata_fails_by_topic_or_by_partition() {
    let mut rig = rig();
    let all = MetadataRequest { topics: None, ..Default::default() };
    rig.cluster.add_fault(error(A).topic("t"));
    assert_eq!(rig.ask(1, &all, 12).topics[0].error_code, A);
    rig.cluster.add_fault(error(A).topic("t").partition(1));
    let topic = rig.ask(1, &all, 12).topics.remove(0);
    let codes: Vec<_> = topic.partitions.iter().map(|partition| partition.error_code).collect();
    assert_eq!((topic.error_code, &codes[..]), (OK, &[OK, A, OK][..]));
}

fn send_two(rig: &mut Rig) -> Vec<(u64, i32)> {
    rig.send(1, &produce_request("t", 0, batch(&["a"])), 9);
    rig.send(1, &produce_request("t", 0, batch(&["b"])), 9);
    order(&rig.replies())
}

#[test]
fn swallowed_means_handled_and_never_answered() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::new(FaultAction::Swallow));
    assert_eq!(send_two(&mut rig), [(1, 2)]);
    assert_eq!(rig.values(0), [(0, "a".into()), (1, "b".into())]);
}

#[test]
fn closed_before_means_not_handled() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::new(FaultAction::CloseBefore));
    assert_eq!(send_two(&mut rig), [(1, -1)]);
    assert_eq!(rig.values(0), []);
}

#[test]
fn closed_after_means_handled() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::new(FaultAction::CloseAfter));
    assert_eq!(send_two(&mut rig), [(1, -1)]);
    assert_eq!(rig.values(0), [(0, "a".into())]);
}

#[test]
fn closed_after_holds_for_acks_0_as_well() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::new(FaultAction::CloseAfter));
    let request = ProduceRequest { acks: 0, ..produce_request("t", 0, batch(&["a"])) };
    rig.ask_and_be_closed(1, &request, 9);
    assert_eq!(rig.values(0), [(0, "a".into())]);
}

#[test]
fn held_answers_come_when_they_are_released() {
    let mut rig = rig();
    let rule = rig.cluster.add_fault(FaultRule::new(FaultAction::Hold));
    assert_eq!(send_two(&mut rig), []);
    assert_eq!(rig.cluster.poll_timeout(), None);
    assert_eq!(rig.cluster.release(rig.now, Some(rule)), 1);
    assert_eq!(order(&rig.replies()), [(1, 1), (1, 2)]);
    assert_eq!(rig.cluster.release(rig.now, None), 0);
}

#[test]
fn of_several_held_answers_each_comes_when_it_is_released_itself() {
    let mut rig = rig();
    let hold = || FaultRule::new(FaultAction::Hold);
    let rules = [(); 3].map(|()| rig.cluster.add_fault(hold()));
    for connection in [1, 2, 3] {
        rig.send_on(connection, 1, &MetadataRequest::default(), 12);
    }
    for (rule, expected) in rules.into_iter().zip([(1, 1), (2, 2), (3, 3)]).rev() {
        assert_eq!(rig.replies(), []);
        assert_eq!(rig.cluster.release(rig.now, Some(rule)), 1);
        assert_eq!(order(&rig.replies()), [expected]);
        assert_eq!(rig.cluster.release(rig.now, Some(rule)), 0);
    }
}

#[test]
fn several_actions_of_one_rule_hold_together() {
    let mut rig = rig();
    let delay = Duration::from_millis(5);
    rig.cluster.add_fault(error(A).and(FaultAction::Delay(delay)));
    rig.send(1, &produce_request("t", 0, batch(&["a"])), 9);
    assert_eq!(rig.replies(), []);
    rig.advance(delay);
    assert_eq!(rig.replies().len(), 1);
    assert_eq!(rig.values(0), []);
}

/// What a damaged answer looks like, beside the same answer undamaged.
fn damaged(action: FaultAction) -> (Vec<ReplyAction>, Vec<u8>) {
    let ask = |action: Option<FaultAction>| {
        let mut rig = rig();
        if let Some(action) = action {
            rig.cluster.add_fault(FaultRule::new(action));
        }
        rig.send(1, &MetadataRequest::default(), 12);
        rig.replies().into_iter().map(|reply| reply.action).collect::<Vec<_>>()
    };
    (ask(Some(action)), bytes(&ask(None)).concat())
}

fn bytes(actions: &[ReplyAction]) -> Vec<Vec<u8>> {
    let sent = |action: &ReplyAction| match action {
        ReplyAction::Send(pieces) => Some(pieces.concat()),
        ReplyAction::Close => None,
    };
    actions.iter().filter_map(sent).collect()
}

#[test]
fn bytes_of_an_answer_are_damaged() {
    let (actions, whole) = damaged(FaultAction::Truncate(9));
    assert_eq!(bytes(&actions), [whole[..9].to_vec()]);
    assert_eq!(actions.last(), Some(&ReplyAction::Close));

    let (actions, mut whole) = damaged(FaultAction::Corrupt { at: 20 });
    whole[20] = !whole[20];
    assert_eq!(bytes(&actions), [whole]);

    let (actions, mut whole) = damaged(FaultAction::WrongCorrelationId);
    whole[4..8].iter_mut().for_each(|byte| *byte = !*byte);
    assert_eq!(bytes(&actions), [whole]);

    let (actions, whole) = damaged(FaultAction::Duplicate);
    assert_eq!(bytes(&actions), [[&whole[..], &whole[..]].concat()]);

    let (actions, whole) = damaged(FaultAction::SplitWrites(7));
    let writes: Vec<_> = whole.chunks(7).map(<[u8]>::to_vec).collect();
    assert_eq!(bytes(&actions), writes);
}
