//! CreateTopics, DeleteTopics, DescribeCluster.

use kafka_mock::MockConfig;
use kafka_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest,
};
use kafka_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use kafka_protocol::messages::describe_cluster::DescribeClusterRequest;
use kafka_protocol::{ErrorCode, Message, Uuid};

use crate::support::Rig;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

fn create(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, ..Default::default() }
}

#[test]
fn every_version_creates() {
    for version in CreateTopicsRequest::VERSIONS.iter() {
        let mut rig = Rig::new(MockConfig::new());
        let response = rig.ask(2, &create(vec![topic("a", 7, 2)]), version);
        assert_eq!(response.topics[0].error_code, ErrorCode::NONE, "v{version}");
        assert_eq!(rig.cluster.partition_count("a"), Some(7));
        if version >= 7 {
            assert_eq!(Some(response.topics[0].topic_id), rig.cluster.topic_id("a"));
        }
    }
}

#[test]
fn wishes_are_checked() {
    let mut rig = Rig::new(MockConfig::new());
    let mut check = |topic: CreatableTopic, expected| {
        let response = rig.ask(1, &create(vec![topic]), 7);
        assert_eq!(response.topics[0].error_code, expected);
    };
    check(topic("t", 1, 1), ErrorCode::TOPIC_ALREADY_EXISTS);
    check(topic("not valid", 1, 1), ErrorCode::INVALID_TOPIC_EXCEPTION);
    check(topic("a", 0, 1), ErrorCode::INVALID_PARTITIONS);
    check(topic("a", -2, 1), ErrorCode::INVALID_PARTITIONS);
    check(topic("a", i32::MAX, 1), ErrorCode::POLICY_VIOLATION);
    check(topic("a", 1, 0), ErrorCode::INVALID_REPLICATION_FACTOR);
    check(topic("a", 1, 4), ErrorCode::INVALID_REPLICATION_FACTOR);
    check(topic("a", -1, -1), ErrorCode::NONE);
    assert_eq!(rig.cluster.partition_count("a"), Some(3));
}

#[test]
fn a_topic_named_twice_is_not_created() {
    let mut rig = Rig::new(MockConfig::new());
    let response = rig.ask(1, &create(vec![topic("a", 1, 1), topic("a", 1, 1)]), 7);
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [ErrorCode::INVALID_REQUEST]);
    assert_eq!(rig.cluster.topics(), ["t"]);
}

#[test]
fn replicas_can_be_assigned() {
    let mut rig = Rig::new(MockConfig::new());
    let assigned = |index: i32, brokers: &[i32]| CreatableReplicaAssignment {
        partition_index: index,
        broker_ids: brokers.to_vec().into(),
        ..Default::default()
    };
    for (assignments, expected) in [
        (vec![assigned(1, &[3])], ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (vec![assigned(0, &[4])], ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (vec![assigned(0, &[])], ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (vec![assigned(0, &[1, 1])], ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (vec![assigned(1, &[2, 1]), assigned(0, &[3, 1])], ErrorCode::NONE),
    ] {
        let topic = CreatableTopic { assignments, ..topic("a", -1, -1) };
        let response = rig.ask(1, &create(vec![topic]), 7);
        assert_eq!(response.topics[0].error_code, expected);
    }
    assert_eq!(rig.cluster.leader("a", 0).unwrap().0, 3);
    assert_eq!(rig.cluster.leader("a", 1).unwrap().0, 2);
}

#[test]
fn validation_alone_creates_nothing() {
    let mut rig = Rig::new(MockConfig::new());
    let request = CreateTopicsRequest { validate_only: true, ..create(vec![topic("a", 1, 1)]) };
    let response = rig.ask(1, &request, 7);
    assert_eq!(
        (response.topics[0].error_code, response.topics[0].num_partitions),
        (ErrorCode::NONE, 1)
    );
    assert_eq!(rig.cluster.topics(), ["t"]);
}

#[test]
fn every_version_deletes() {
    for version in DeleteTopicsRequest::VERSIONS.iter() {
        let mut rig = Rig::new(MockConfig::new());
        let mut request = DeleteTopicsRequest::default();
        if version >= 6 {
            let name =
                |name: &str| DeleteTopicState { name: Some(name.into()), ..Default::default() };
            request.topics = vec![name("t"), name("nope")];
        } else {
            request.topic_names = vec!["t".into(), "nope".into()];
        }
        let response = rig.ask(1, &request, version);
        let codes: Vec<_> = response.responses.iter().map(|topic| topic.error_code).collect();
        assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
        assert_eq!(rig.cluster.topics(), [""; 0]);
    }
}

#[test]
fn topics_are_deleted_by_id() {
    let mut rig = Rig::new(MockConfig::new());
    let id = rig.cluster.topic_id("t").unwrap();
    let state = |name: Option<&str>, id| DeleteTopicState {
        name: name.map(Into::into),
        topic_id: id,
        ..Default::default()
    };
    let topics = vec![
        state(None, Uuid::from_u128(5)),
        state(Some("t"), id),
        state(None, Uuid::ZERO),
        state(None, id),
    ];
    let response = rig.ask(1, &DeleteTopicsRequest { topics, ..Default::default() }, 6);
    let codes: Vec<_> = response.responses.iter().map(|topic| topic.error_code).collect();
    let invalid = ErrorCode::INVALID_REQUEST;
    assert_eq!(codes, [ErrorCode::UNKNOWN_TOPIC_ID, invalid, invalid, ErrorCode::NONE]);
}

#[test]
fn every_version_describes_the_cluster() {
    let mut rig = Rig::new(MockConfig::new());
    for version in DescribeClusterRequest::VERSIONS.iter() {
        let response = rig.ask(1, &DescribeClusterRequest::default(), version);
        assert_eq!(response.cluster_id, rig.cluster.cluster_id());
        assert_eq!(response.brokers.len(), 3);
    }
    let controllers = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
    let code = rig.ask(1, &controllers, 1).error_code;
    assert_eq!(code, ErrorCode::MISMATCHED_ENDPOINT_TYPE);
}
