//! Order of answers, and the life of connections.

use std::time::Duration;

use kafka_mock::{
    BrokerId, CloseReason, ConnectionId, FaultAction, FaultRule, MockConfig, Reply, ReplyAction,
    RequestFate,
};
use kafka_protocol::ApiKey;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::fetch::FetchRequest;
use kafka_protocol::messages::metadata::MetadataRequest;

use crate::support::{Rig, batch, produce_request};

/// The correlation ids of answers, per connection in the order in which they come.
pub(crate) fn order(replies: &[Reply]) -> Vec<(u64, i32)> {
    let id = |reply: &Reply| match &reply.action {
        ReplyAction::Send(pieces) => i32::from_be_bytes(pieces.concat()[4..8].try_into().unwrap()),
        ReplyAction::Close => -1,
    };
    replies.iter().map(|reply| (reply.connection.0, id(reply))).collect()
}

fn metadata() -> MetadataRequest {
    MetadataRequest::default()
}

#[test]
fn answers_come_in_the_order_of_requests() {
    let mut rig = Rig::new(MockConfig::new());
    for _ in 0..3 {
        rig.send_on(7, 1, &metadata(), 12);
    }
    assert_eq!(order(&rig.replies()), [(7, 1), (7, 2), (7, 3)]);
}

#[test]
fn a_late_answer_holds_up_those_behind_it_on_its_connection_alone() {
    let mut rig = Rig::new(MockConfig::new());
    let delay = FaultAction::Delay(Duration::from_millis(10));
    rig.cluster.add_fault(FaultRule::new(delay).connection(ConnectionId(7)));
    for connection in [7, 7, 8] {
        rig.send_on(connection, 1, &metadata(), 12);
    }
    assert_eq!(order(&rig.replies()), [(8, 3)]);
    assert_eq!(rig.cluster.poll_timeout(), Some(rig.now + Duration::from_millis(10)));
    rig.advance(Duration::from_millis(10));
    assert_eq!(order(&rig.replies()), [(7, 1), (7, 2)]);
    assert_eq!(rig.cluster.poll_timeout(), None);
}

#[test]
fn frames_behind_a_close_are_ignored_until_the_connection_is_gone() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.add_fault(FaultRule::new(FaultAction::CloseBefore));
    rig.send_on(7, 1, &metadata(), 12);
    rig.send_on(7, 1, &metadata(), 12);
    assert_eq!(order(&rig.replies()), [(7, -1)]);
    rig.send_on(7, 1, &metadata(), 12);
    assert_eq!(order(&rig.replies()), []);
    assert_eq!(rig.cluster.counters().requests, 1);
    rig.cluster.handle_disconnect(rig.now, ConnectionId(7));
    rig.send_on(7, 1, &metadata(), 12);
    assert_eq!(order(&rig.replies()).len(), 1);
}

#[test]
fn a_disconnect_forgets_what_was_to_come() {
    let mut rig = Rig::new(MockConfig::new());
    let waiting = FetchRequest {
        max_wait_ms: 50,
        min_bytes: 1,
        topics: vec![crate::consumer::fetch_topic("t", 0, 0)],
        ..Default::default()
    };
    rig.send_on(7, 1, &waiting, 12);
    rig.send_on(8, 1, &metadata(), 12);
    for connection in [7, 8] {
        rig.cluster.handle_disconnect(rig.now, ConnectionId(connection));
    }
    rig.advance(Duration::from_millis(50));
    assert_eq!(rig.replies(), []);
    assert_eq!(rig.cluster.poll_timeout(), None);
}

#[test]
fn too_many_requests_in_flight_close_the_connection() {
    let mut rig = Rig::new(MockConfig::new().requests_in_flight_max(2));
    rig.cluster.add_fault(FaultRule::new(FaultAction::Hold));
    for _ in 0..3 {
        rig.send_on(7, 1, &metadata(), 12);
    }
    let last = rig.cluster.requests().last().unwrap();
    assert_eq!(last.fate, RequestFate::Closed(CloseReason::TooManyInFlight));
}

#[test]
fn the_request_log_is_bounded_and_tells_who_asked_what() {
    let mut rig = Rig::new(MockConfig::new().request_log_max(2));
    for broker in 1..=3 {
        rig.ask(broker, &metadata(), 12);
    }
    let seen: Vec<_> = rig.cluster.requests().map(|r| (r.broker, r.version, r.time)).collect();
    assert_eq!(seen, [(BrokerId(2), 12, rig.now), (BrokerId(3), 12, rig.now)]);
    rig.cluster.clear_requests();
    assert_eq!(rig.cluster.requests().count(), 0);
}

#[test]
fn the_same_script_gives_the_same_bytes() {
    let run = || {
        let mut rig = Rig::new(MockConfig::new().seed(3));
        let mut replies = Vec::new();
        for broker in [3, 1, 2, 1] {
            rig.send(broker, &metadata(), 12);
            replies.extend(rig.replies());
        }
        replies
    };
    assert_eq!(run(), run());
}

#[test]
fn connections_and_requests_of_each_api_are_counted() {
    let mut rig = Rig::new(MockConfig::new().request_log_max(1));
    rig.cluster.add_fault(FaultRule::new(FaultAction::Hold).connection(ConnectionId(8)));
    for (connection, broker) in [(7, 1), (8, 2), (7, 1), (8, 2)] {
        rig.send_on(connection, broker, &metadata(), 12);
    }
    rig.replies();
    let seen = rig.cluster.connections().map(|c| (c.connection.0, c.broker.0, c.requests));
    assert_eq!(seen.collect::<Vec<_>>(), [(7, 1, 2), (8, 2, 2)]);
    let waiting: Vec<_> = rig.cluster.connections().map(|c| (c.opened, c.unanswered)).collect();
    assert_eq!(waiting, [(rig.now, 0), (rig.now, 2)]);
    assert_eq!(rig.cluster.request_count(ApiKey::METADATA), 4);
    assert_eq!(rig.cluster.request_count(ApiKey::API_VERSIONS), 0);
    rig.cluster.handle_disconnect(rig.now, ConnectionId(7));
    assert_eq!(rig.cluster.connections().count(), 1);
}

#[test]
fn requests_are_kept_whole_if_they_shall_be() {
    let request = produce_request("t", 0, batch(&["a"]));
    for keep in [true, false] {
        let mut rig = Rig::new(MockConfig::new().keep_requests(keep));
        rig.ask(1, &request, 9);
        let record = rig.cluster.requests().last().unwrap();
        assert_eq!(record.request::<ProduceRequest>(), keep.then(|| request.clone()));
        assert_eq!(record.request::<MetadataRequest>(), None);
    }
}
