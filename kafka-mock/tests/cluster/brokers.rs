//! Brokers that come and go, and how they are while they are there.

use std::time::Duration;

use kafka_mock::{BrokerId, ConnectionId, FaultAction, FaultRule, MockConfig};
use kafka_protocol::messages::find_coordinator::FindCoordinatorRequest;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataResponsePartition};
use kafka_protocol::messages::{FetchRequest, ListOffsetsRequest, ProduceRequest};
use kafka_protocol::{ApiKey, ErrorCode, VersionRange};

use crate::connections::order;
use crate::support::{Rig, batch, only, produce_request};

const OK: ErrorCode = ErrorCode::NONE;

fn rig() -> Rig {
    Rig::new(MockConfig::new())
}

fn all_topics() -> MetadataRequest {
    MetadataRequest { topics: None, ..Default::default() }
}

/// Who is announced, and where.
fn announced(rig: &mut Rig) -> Vec<(i32, i32)> {
    let brokers = rig.ask(1, &all_topics(), 12).brokers;
    brokers.iter().map(|broker| (broker.node_id, broker.port)).collect()
}

fn partition(rig: &mut Rig, index: usize) -> MetadataResponsePartition {
    rig.ask(1, &all_topics(), 12).topics.remove(0).partitions.remove(index)
}

fn leaders(rig: &Rig) -> [Option<i32>; 3] {
    [0, 1, 2].map(|index| rig.cluster.leader("t", index).map(|leader| leader.0))
}

fn produce_at(rig: &mut Rig, broker: i32, partition: i32, acks: i16) -> ErrorCode {
    let request = ProduceRequest { acks, ..produce_request("t", partition, batch(&["a"])) };
    only(rig.ask(broker, &request, 11)).error_code
}

fn coordinator(rig: &mut Rig, key: &str) -> i32 {
    let request = FindCoordinatorRequest { key: key.into(), key_type: 1, ..Default::default() };
    rig.ask(1, &request, 3).node_id
}

#[test]
fn an_added_broker_is_announced_leads_nothing_and_can_be_given_partitions() {
    let mut rig = rig();
    assert!(rig.cluster.add_broker(BrokerId(4)));
    assert!(!rig.cluster.add_broker(BrokerId(4)));
    assert!(!rig.cluster.add_broker(BrokerId(-1)));
    assert!(rig.cluster.add_broker(BrokerId(i32::MAX)));
    assert_eq!(announced(&mut rig)[3..], [(4, 9095), (i32::MAX, 65535)]);
    assert_eq!(leaders(&rig), [Some(1), Some(2), Some(3)]);
    assert_eq!(produce_at(&mut rig, 4, 0, -1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    rig.cluster.move_leader("t", 0, Some(BrokerId(4)));
    assert_eq!(produce_at(&mut rig, 4, 0, -1), OK);
    rig.cluster.create_topic("u", 4).unwrap();
    assert_eq!(rig.cluster.leader("u", 3), Some(BrokerId(4)));
}

#[test]
fn what_a_removed_broker_led_has_no_leader() {
    let mut rig = rig();
    assert!(rig.cluster.remove_broker(BrokerId(2)));
    assert!(!rig.cluster.remove_broker(BrokerId(2)));
    assert_eq!(announced(&mut rig), [(1, 9092), (3, 9094)]);
    assert_eq!(leaders(&rig), [Some(1), None, Some(3)]);
    let told = partition(&mut rig, 1);
    assert_eq!(
        (told.error_code, told.leader_id, told.leader_epoch),
        (ErrorCode::LEADER_NOT_AVAILABLE, -1, 1)
    );
    assert_eq!(told.isr_nodes.as_slice(), [3, 1]);
    assert_eq!(told.offline_replicas.as_slice(), [2]);
    assert_eq!(produce_at(&mut rig, 2, 1, -1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    // A topic that is made again is led by who is there.
    rig.cluster.recreate_topic("t").unwrap();
    assert_eq!(leaders(&rig), [Some(1), Some(3), Some(3)]);
}

#[test]
fn leaders_are_elected_among_the_replicas_that_are_there() {
    let mut rig = rig();
    rig.produce(1, batch(&["kept"]));
    assert_eq!(rig.cluster.elect_leaders(BrokerId(2)), 1);
    assert_eq!(leaders(&rig), [Some(1), Some(3), Some(3)]);
    assert_eq!(partition(&mut rig, 1).leader_epoch, 1);
    rig.cluster.remove_broker(BrokerId(2));
    rig.cluster.remove_broker(BrokerId(1));
    assert_eq!(rig.cluster.elect_leaders(BrokerId(3)), 2);
    assert_eq!(leaders(&rig), [None; 3]);
    assert_eq!(rig.values(1), [(0, "kept".into())]);
}

#[test]
fn a_cluster_without_brokers_answers_all_the_same() {
    let mut rig = rig();
    for broker in 1..=3 {
        rig.cluster.remove_broker(BrokerId(broker));
    }
    assert_eq!(announced(&mut rig), []);
    assert_eq!(coordinator(&mut rig, "x"), -1);
    assert_eq!(rig.cluster.create_topic("u", 1), Err(ErrorCode::INVALID_REPLICATION_FACTOR));
    assert_eq!(produce_at(&mut rig, 1, 0, -1), ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn coordinators_are_spread_over_the_brokers_that_are_there() {
    let mut rig = rig();
    let keys: Vec<String> = (0..20).map(|key| key.to_string()).collect();
    rig.cluster.move_coordinator("moved", Some(BrokerId(2)));
    rig.cluster.remove_broker(BrokerId(2));
    rig.cluster.add_broker(BrokerId(9));
    let found: Vec<i32> = keys.iter().map(|key| coordinator(&mut rig, key)).collect();
    for broker in [1, 3, 9] {
        assert!(found.contains(&broker), "{found:?}");
    }
    assert!(!found.contains(&2));
    assert_ne!(coordinator(&mut rig, "moved"), 2);
}

#[test]
fn what_is_under_way_at_a_removed_broker_is_answered() {
    let mut rig = rig();
    let delay = Duration::from_millis(5);
    rig.cluster.add_fault(FaultRule::new(FaultAction::Delay(delay)));
    rig.send(2, &produce_request("t", 1, batch(&["a"])), 11);
    rig.cluster.remove_broker(BrokerId(2));
    rig.advance(delay);
    assert_eq!(order(&rig.replies()), [(2, 1)]);
}

#[test]
fn connections_of_a_broker_are_closed_and_others_stay() {
    let mut rig = rig();
    rig.cluster.add_fault(FaultRule::new(FaultAction::Hold).connection(ConnectionId(7)));
    for (connection, broker) in [(7, 1), (7, 1), (8, 1), (9, 2)] {
        rig.send_on(connection, broker, &all_topics(), 12);
    }
    rig.replies();
    assert_eq!(rig.cluster.close_connections(rig.now, BrokerId(1)), 2);
    assert_eq!(order(&rig.replies()), [(7, -1), (8, -1)]);
    assert_eq!(rig.cluster.close_connections(rig.now, BrokerId(1)), 0);
    // What was held is lost with its connection, and nothing comes behind a close.
    assert_eq!(rig.cluster.release(rig.now, None), 0);
    rig.send_on(7, 1, &all_topics(), 12);
    assert_eq!(order(&rig.replies()), []);
    rig.send_on(9, 2, &all_topics(), 12);
    rig.send_on(10, 1, &all_topics(), 12);
    assert_eq!(order(&rig.replies()).len(), 2);
}

#[test]
fn a_far_broker_answers_later_and_takes_several_requests_at_once() {
    let rtt = Duration::from_millis(80);
    let mut rig = Rig::new(MockConfig::new().rtt(rtt));
    rig.cluster.set_rtt(BrokerId(2), Duration::ZERO);
    for broker in [1, 1, 2] {
        rig.send(broker, &all_topics(), 12);
    }
    assert_eq!(order(&rig.replies()), [(2, 3)]);
    assert_eq!(rig.cluster.poll_timeout(), Some(rig.now + rtt));
    rig.advance(rtt);
    assert_eq!(order(&rig.replies()), [(1, 1), (1, 2)]);
}

#[test]
fn a_broker_that_reads_slowly_answers_when_it_would_have_read() {
    let mut rig = rig();
    rig.cluster.set_read_rate(BrokerId(1), Some(1000));
    let start = rig.now;
    let value = "x".repeat(900);
    for connection in [1, 1, 5] {
        rig.send_on(connection, 1, &produce_request("t", 0, batch(&[&value])), 11);
    }
    assert_eq!(rig.replies(), []);
    let first = rig.cluster.poll_timeout().unwrap();
    assert!((Duration::from_millis(900)..Duration::from_millis(1100)).contains(&(first - start)));
    rig.advance(first - start);
    assert_eq!(order(&rig.replies()), [(1, 1), (5, 3)]);
    // The second one of a connection is read behind the first.
    let second = rig.cluster.poll_timeout().unwrap();
    assert_eq!(second - first, first - start);
    assert_eq!(rig.cluster.reads_at(ConnectionId(1)), Some(second));
    rig.advance(second - first);
    assert_eq!(rig.replies().len(), 1);
    rig.cluster.set_read_rate(BrokerId(1), None);
    assert_eq!(produce_at(&mut rig, 1, 0, -1), OK);
}

#[test]
fn a_failed_disk_is_told_until_it_works_again() {
    let mut rig = rig();
    rig.cluster.set_disk_failed(BrokerId(1), true);
    let fetch = FetchRequest {
        topics: vec![crate::consumer::fetch_topic("t", 0, 0)],
        ..Default::default()
    };
    for _ in 0..3 {
        assert_eq!(produce_at(&mut rig, 1, 0, -1), ErrorCode::KAFKA_STORAGE_ERROR);
        let read = rig.ask(1, &fetch, 12).responses.remove(0).partitions.remove(0);
        assert_eq!(read.error_code, ErrorCode::KAFKA_STORAGE_ERROR);
    }
    // Others lead what they led, and may lead this.
    assert_eq!(produce_at(&mut rig, 2, 1, -1), OK);
    assert_eq!(rig.cluster.elect_leaders(BrokerId(1)), 1);
    assert_eq!(produce_at(&mut rig, 2, 0, -1), OK);
    rig.cluster.move_leader("t", 0, Some(BrokerId(1)));
    rig.cluster.set_disk_failed(BrokerId(1), false);
    assert_eq!(produce_at(&mut rig, 1, 0, -1), OK);
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..2));
    assert_eq!(rig.ask(1, &ListOffsetsRequest::default(), 7).topics, []);
}

#[test]
fn too_few_in_sync_replicas_refuse_acks_all_and_nothing_else() {
    let mut rig = Rig::new(MockConfig::new().min_insync_replicas(2));
    assert!(rig.cluster.set_in_sync_replicas("t", 0, Some(1)));
    assert!(!rig.cluster.set_in_sync_replicas("t", 9, Some(1)));
    for _ in 0..2 {
        assert_eq!(produce_at(&mut rig, 1, 0, -1), ErrorCode::NOT_ENOUGH_REPLICAS);
    }
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..0));
    assert_eq!(produce_at(&mut rig, 1, 0, 1), OK);
    assert_eq!(partition(&mut rig, 0).isr_nodes.as_slice(), [1]);
    rig.cluster.set_in_sync_replicas("t", 0, Some(2));
    assert_eq!(produce_at(&mut rig, 1, 0, -1), OK);
    assert_eq!(partition(&mut rig, 0).isr_nodes.as_slice(), [1, 2]);
    rig.cluster.set_in_sync_replicas("t", 0, None);
    assert_eq!(partition(&mut rig, 0).isr_nodes.as_slice(), [1, 2, 3]);
    // Removed brokers are not in sync either.
    for broker in [2, 3] {
        rig.cluster.remove_broker(BrokerId(broker));
    }
    assert_eq!(produce_at(&mut rig, 1, 0, -1), ErrorCode::NOT_ENOUGH_REPLICAS);
}

#[test]
fn a_topic_with_fewer_replicas_than_must_be_in_sync_can_be_written() {
    let mut rig = Rig::new(MockConfig::new().brokers(1).min_insync_replicas(2));
    assert_eq!(produce_at(&mut rig, 1, 0, -1), OK);
}

#[test]
fn one_broker_is_upgraded_while_the_others_are_not() {
    let mut rig = rig();
    let metadata = ApiKey::METADATA;
    rig.cluster.set_versions(BrokerId(1), metadata, Some(VersionRange::new(0, 8)));
    rig.ask(1, &all_topics(), 8);
    rig.ask_and_be_closed(1, &all_topics(), 9);
    rig.ask(2, &all_topics(), 9);
    rig.cluster.set_versions(BrokerId(1), metadata, Some(VersionRange::new(0, 9)));
    rig.ask(1, &all_topics(), 9);
    rig.cluster.set_versions(BrokerId(1), metadata, None);
    rig.ask_and_be_closed(1, &all_topics(), 1);
    rig.cluster.set_kafka_version(BrokerId(1), "4.4".parse().unwrap());
    rig.ask(1, &all_topics(), 13);
}
