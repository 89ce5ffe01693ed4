//! Clients that are told to wait, by a fault or by their quota.

use std::time::Duration;

use kafka_mock::{BrokerId, ConnectionId, FaultAction, FaultRule, MockConfig};
use kafka_protocol::messages::metadata::MetadataRequest;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    FetchRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
    ProduceRequest,
};
use kafka_protocol::{Frame, Request};

use crate::connections::order;
use crate::support::{Rig, batch, produce_request};

const SECOND: Duration = Duration::from_secs(1);

fn throttle(time: Duration) -> FaultRule {
    FaultRule::new(FaultAction::Throttle(time))
}

/// The throttle time that each version of an API tells, in a cluster of its own.
fn told<R: Request>(request: &R, time: fn(&R::Response) -> i32) -> Vec<i32> {
    let told = |version| {
        let mut rig = Rig::new(MockConfig::new());
        rig.cluster.add_fault(throttle(Duration::from_millis(1234)));
        time(&rig.ask(1, request, version))
    };
    R::STABLE_VERSIONS.iter().map(told).collect()
}

#[test]
fn every_api_tells_its_throttle_time_as_soon_as_it_can() {
    let software = ApiVersionsRequest {
        client_software_name: "me".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let produce = produce_request("t", 0, batch(&["a"]));
    // Versions that do not have the field, the lowest ones, tell nothing.
    for (name, without, told) in [
        ("ApiVersions", 1, told(&software, |answer| answer.throttle_time_ms)),
        ("CreateTopics", 0, told(&CreateTopicsRequest::default(), |a| a.throttle_time_ms)),
        ("DeleteTopics", 0, told(&DeleteTopicsRequest::default(), |a| a.throttle_time_ms)),
        ("DescribeCluster", 0, told(&DescribeClusterRequest::default(), |a| a.throttle_time_ms)),
        ("Fetch", 0, told(&FetchRequest::default(), |a| a.throttle_time_ms)),
        ("FindCoordinator", 1, told(&FindCoordinatorRequest::default(), |a| a.throttle_time_ms)),
        ("InitProducerId", 0, told(&InitProducerIdRequest::default(), |a| a.throttle_time_ms)),
        ("ListOffsets", 1, told(&ListOffsetsRequest::default(), |a| a.throttle_time_ms)),
        ("Metadata", 3, told(&MetadataRequest::default(), |answer| answer.throttle_time_ms)),
        ("Produce", 0, told(&produce, |answer| answer.throttle_time_ms)),
    ] {
        let expected: Vec<i32> =
            (0..told.len()).map(|place| if place < without { 0 } else { 1234 }).collect();
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn a_throttled_answer_comes_at_once_and_what_is_sent_behind_it_waits() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.add_fault(throttle(SECOND).connection(ConnectionId(7)));
    for connection in [7, 7, 8] {
        rig.send_on(connection, 1, &MetadataRequest::default(), 12);
    }
    assert_eq!(order(&rig.replies()), [(7, 1), (8, 3)]);
    assert_eq!(rig.cluster.reads_at(ConnectionId(7)), Some(rig.now + SECOND));
    rig.advance(SECOND);
    assert_eq!(order(&rig.replies()), [(7, 2)]);
    // Another throttle time would begin when the one before is over.
    assert_eq!(rig.cluster.reads_at(ConnectionId(7)), Some(rig.now));
}

#[test]
fn a_client_that_does_not_ask_for_an_answer_is_throttled_too() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.add_fault(throttle(SECOND));
    rig.send(1, &ProduceRequest { acks: 0, ..produce_request("t", 0, batch(&["a"])) }, 11);
    rig.send(1, &MetadataRequest::default(), 12);
    assert_eq!(rig.replies(), []);
    rig.advance(SECOND);
    assert_eq!(rig.replies().len(), 1);
}

#[test]
fn a_throttled_request_was_handled() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.add_fault(throttle(SECOND));
    rig.produce(0, batch(&["a"]));
    assert_eq!(rig.values(0), [(0, "a".into())]);
}

#[test]
fn no_time_is_too_long() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.set_rtt(BrokerId(2), Duration::MAX);
    rig.cluster.add_fault(throttle(Duration::MAX).and(FaultAction::Delay(Duration::MAX)));
    rig.send(1, &MetadataRequest::default(), 12);
    rig.send(1, &MetadataRequest::default(), 12);
    rig.send(2, &MetadataRequest::default(), 12);
    assert_eq!(rig.replies(), []);
    assert!(rig.cluster.poll_timeout().is_some());
}

/// Bytes of a Produce request as a client sends it, without the size field.
fn len(request: &ProduceRequest) -> u64 {
    Frame::request(request, 11, 1, Some("test".into())).unwrap().into_bytes().len() as u64 - 4
}

#[test]
fn a_producer_above_its_rate_is_throttled_for_what_it_is_ahead() {
    let request = produce_request("t", 0, batch(&["a"]));
    // Two requests a second; the first two are free.
    let config = MockConfig::new().producer_byte_rate(2 * len(&request));
    let mut rig = Rig::new(config);
    let produce = |rig: &mut Rig| rig.ask(1, &request, 11).throttle_time_ms;
    assert_eq!([produce(&mut rig), produce(&mut rig), produce(&mut rig)], [0, 0, 500]);
    rig.send(1, &request, 11);
    assert_eq!(rig.replies(), []);
    rig.advance(Duration::from_millis(500));
    assert_eq!(rig.replies().len(), 1);
    rig.advance(Duration::from_secs(10));
    assert_eq!(produce(&mut rig), 0);
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..5));
}

#[test]
fn a_rate_may_be_of_one_client_and_changes_at_run_time() {
    let mut rig = Rig::new(MockConfig::new());
    let request = produce_request("t", 0, batch(&["a"]));
    let throttled = |rig: &mut Rig| rig.ask(1, &request, 11).throttle_time_ms > 0;
    rig.cluster.set_producer_byte_rate(Some("other"), Some(1));
    assert!(!throttled(&mut rig));
    rig.cluster.set_producer_byte_rate(None, Some(1));
    assert!(throttled(&mut rig));
    rig.advance(Duration::from_secs(3600));
    // The rate of one client goes before that of all.
    rig.cluster.set_producer_byte_rate(Some("test"), None);
    assert!(!throttled(&mut rig));
    rig.cluster.set_producer_byte_rate(Some("test"), Some(1));
    assert!(throttled(&mut rig));
    // Other requests are not throttled, but wait behind.
    rig.send(1, &MetadataRequest::default(), 12);
    assert_eq!(rig.replies(), []);
}
