//! Metadata and ApiVersions.

use kafka_mock::{AutoCreate, BrokerId, CloseReason, KafkaVersion, MockConfig, RequestFate};
use kafka_protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use kafka_protocol::{
    ApiKey, BrokerVersions, ErrorCode, Frame, Message, Uuid, VersionRange, decode_response,
};

use crate::support::Rig;

fn by_name(names: &[&str]) -> MetadataRequest {
    let topic =
        |name: &&str| MetadataRequestTopic { name: Some((*name).into()), ..Default::default() };
    MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..Default::default() }
}

fn by_id(id: Uuid) -> MetadataRequest {
    let topic = MetadataRequestTopic { topic_id: id, name: None, ..Default::default() };
    MetadataRequest { topics: Some(vec![topic]), ..Default::default() }
}

fn code(response: &MetadataResponse) -> ErrorCode {
    let [topic] = &response.topics[..] else { panic!("{response:?}") };
    topic.error_code
}

#[test]
fn every_version_tells_brokers_and_partitions() {
    let mut rig = Rig::new(MockConfig::new());
    assert!(rig.cluster.set_address(BrokerId(2), "elsewhere", 5));
    for version in MetadataRequest::VERSIONS.iter() {
        let response = rig.ask(1, &by_name(&["t"]), version);
        let brokers: Vec<_> =
            response.brokers.iter().map(|b| (b.node_id, b.host.as_str(), b.port)).collect();
        assert_eq!(
            brokers,
            [(1, "127.0.0.1", 9092), (2, "elsewhere", 5), (3, "127.0.0.1", 9094)],
            "v{version}"
        );
        assert_eq!(code(&response), ErrorCode::NONE);
        let leaders: Vec<_> = response.topics[0]
            .partitions
            .iter()
            .map(|p| (p.partition_index, p.leader_id))
            .collect();
        assert_eq!(leaders, [(0, 1), (1, 2), (2, 3)]);
        let cluster_id = response.cluster_id.map(String::from);
        assert_eq!(cluster_id.as_deref(), (version >= 2).then(|| rig.cluster.cluster_id()));
        let has_id = !response.topics[0].topic_id.is_zero();
        assert_eq!(has_id, version >= 10);
    }
}

#[test]
fn all_topics_are_asked_for_by_null_or_once_by_nothing() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.create_topic("u", 1).unwrap();
    let all = MetadataRequest { topics: None, ..Default::default() };
    let none = MetadataRequest { topics: Some(Vec::new()), ..Default::default() };
    assert_eq!(rig.ask(1, &none, 0).topics.len(), 2);
    for version in 1..=13 {
        assert_eq!(rig.ask(1, &none, version).topics.len(), 0);
        assert_eq!(rig.ask(1, &all, version).topics.len(), 2);
    }
}

#[test]
fn topics_are_found_by_id() {
    let mut rig = Rig::new(MockConfig::new());
    let id = rig.cluster.topic_id("t").unwrap();
    let response = rig.ask(1, &by_id(id), 12);
    assert_eq!((code(&response), response.topics[0].topic_id), (ErrorCode::NONE, id));
    assert_eq!(response.topics[0].name.as_deref(), Some("t"));
    let other = Uuid::from_u128(1);
    let response = rig.ask(1, &by_id(other), 12);
    assert_eq!(
        (code(&response), response.topics[0].topic_id),
        (ErrorCode::UNKNOWN_TOPIC_ID, other)
    );
    assert_eq!(code(&rig.ask(1, &by_id(id), 11)), ErrorCode::INVALID_REQUEST);
}

#[test]
fn a_topic_is_created_on_demand() {
    for (auto_create, first, second) in [
        (AutoCreate::Immediately, ErrorCode::NONE, ErrorCode::NONE),
        (AutoCreate::AsKafka, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::NONE),
        (
            AutoCreate::Off,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ),
    ] {
        let config = MockConfig::new().auto_create(auto_create).default_partitions(5);
        let mut rig = Rig::new(config);
        assert_eq!(code(&rig.ask(1, &by_name(&["new"]), 12)), first);
        assert_eq!(code(&rig.ask(1, &by_name(&["new"]), 12)), second);
        let expected = (auto_create != AutoCreate::Off).then_some(5);
        assert_eq!(rig.cluster.partition_count("new"), expected);
    }
}

#[test]
fn a_topic_is_not_created_if_the_client_or_its_name_forbids_it() {
    let mut rig = Rig::new(MockConfig::new());
    let mut request = by_name(&["new"]);
    request.allow_auto_topic_creation = false;
    assert_eq!(code(&rig.ask(1, &request, 12)), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let response = rig.ask(1, &by_name(&["not valid"]), 12);
    assert_eq!(code(&response), ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert_eq!(rig.cluster.topics(), ["t"]);
}

#[test]
fn topics_are_bounded() {
    let mut rig = Rig::new(MockConfig::new().partitions_max(5));
    assert_eq!(code(&rig.ask(1, &by_name(&["a"]), 12)), ErrorCode::POLICY_VIOLATION);
}

#[test]
fn a_partition_without_leader_says_so() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.move_leader("t", 1, None);
    let response = rig.ask(1, &by_name(&["t"]), 12);
    let partition = &response.topics[0].partitions[1];
    assert_eq!(partition.error_code, ErrorCode::LEADER_NOT_AVAILABLE);
    assert_eq!((partition.leader_id, partition.leader_epoch), (-1, 1));
}

#[test]
fn metadata_may_be_stale() {
    let mut rig = Rig::new(MockConfig::new());
    let leader = |rig: &mut Rig| {
        let partition = rig.ask(1, &by_name(&["t"]), 12).topics.remove(0).partitions.remove(0);
        (partition.leader_id, partition.leader_epoch)
    };
    rig.cluster.announce_leader("t", 0, Some((BrokerId(1), 0)));
    rig.cluster.move_leader("t", 0, Some(BrokerId(3)));
    assert_eq!(leader(&mut rig), (1, 0));
    rig.cluster.announce_leader("t", 0, None);
    assert_eq!(leader(&mut rig), (3, 1));
}

#[test]
fn a_recreated_topic_has_another_id_and_no_records() {
    let mut rig = Rig::new(MockConfig::new());
    rig.produce(0, crate::support::batch(&["a"]));
    let old = rig.cluster.topic_id("t").unwrap();
    rig.cluster.recreate_topic("t").unwrap();
    assert_ne!(rig.cluster.topic_id("t").unwrap(), old);
    assert_eq!(rig.values(0), []);
    assert_eq!(code(&rig.ask(1, &by_id(old), 12)), ErrorCode::UNKNOWN_TOPIC_ID);
    rig.cluster.add_partitions("t", 5).unwrap();
    assert_eq!(rig.ask(1, &by_name(&["t"]), 12).topics[0].partitions.len(), 5);
}

fn software(name: &str) -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: name.into(),
        client_software_version: "1".into(),
        ..Default::default()
    }
}

#[test]
fn every_version_announces_what_there_is() {
    let mut rig = Rig::new(MockConfig::new());
    for version in ApiVersionsRequest::VERSIONS.iter() {
        let response = rig.ask(1, &software("me"), version);
        assert_eq!(response.error_code, ErrorCode::NONE);
        let versions = BrokerVersions::from(&response);
        assert_eq!(versions.range(ApiKey::PRODUCE), Some(VersionRange::new(0, 13)));
        assert_eq!(versions.range(ApiKey::INIT_PRODUCER_ID), Some(VersionRange::new(0, 5)));
        assert_eq!(response.api_keys.len(), 10);
    }
    assert_eq!(rig.ask(1, &software("m e"), 3).error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(rig.ask(1, &software(""), 3).error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(rig.ask(1, &software(""), 2).error_code, ErrorCode::NONE);
}

#[test]
fn an_unknown_version_of_api_versions_is_told_the_known_ones_in_version_0() {
    let older = |version| MockConfig::new().versions(ApiKey::API_VERSIONS, version);
    for (config, told) in [
        (MockConfig::new(), Some(VersionRange::new(0, 5))),
        (older(VersionRange::new(0, 3)), Some(VersionRange::new(0, 3))),
        // Before Kafka 2.4 they were not told (KIP-511).
        (older(VersionRange::new(0, 2)), None),
    ] {
        let mut rig = Rig::new(config);
        let frame = Frame::request(&software("me"), 4, 9, None).unwrap().into_bytes();
        for version in [99, 6, -1] {
            let mut frame = frame[4..].to_vec();
            frame[2..4].copy_from_slice(&i16::to_be_bytes(version));
            rig.send_bytes(1, 1, frame.into());
            let replies = rig.replies();
            let kafka_mock::ReplyAction::Send(pieces) = &replies[0].action else { panic!() };
            let answer = pieces.concat()[4..].to_vec();
            let (header, response): (_, ApiVersionsResponse) =
                decode_response::<ApiVersionsRequest>(answer.into(), 0, &Default::default())
                    .unwrap();
            assert_eq!(header.correlation_id, 9);
            assert_eq!(response.error_code, ErrorCode::UNSUPPORTED_VERSION);
            let versions = BrokerVersions::from(&response);
            assert_eq!(versions.range(ApiKey::API_VERSIONS), told);
            assert_eq!(response.api_keys.len(), usize::from(told.is_some()));
        }
    }
}

#[test]
fn a_client_that_wants_another_broker_or_cluster_is_sent_away() {
    let mut rig = Rig::new(MockConfig::new());
    let own = rig.cluster.cluster_id().to_owned();
    for (cluster_id, node_id, expected) in [
        (Some(own.as_str()), 1, ErrorCode::NONE),
        (Some(own.as_str()), 2, ErrorCode::REBOOTSTRAP_REQUIRED),
        (Some("other"), 1, ErrorCode::REBOOTSTRAP_REQUIRED),
        (Some(own.as_str()), -1, ErrorCode::INVALID_REQUEST),
        (None, 1, ErrorCode::INVALID_REQUEST),
    ] {
        let cluster_id = cluster_id.map(Into::into);
        let request = ApiVersionsRequest { cluster_id, node_id, ..software("me") };
        assert_eq!(rig.ask(1, &request, 5).error_code, expected);
    }
}

#[test]
fn an_older_broker_closes_on_newer_versions() {
    let config = MockConfig::new()
        .versions(ApiKey::METADATA, VersionRange::new(1, 7))
        .without_api(ApiKey::DESCRIBE_CLUSTER);
    let mut rig = Rig::new(config);
    let versions = BrokerVersions::from(&rig.ask(1, &software("me"), 3));
    assert_eq!(versions.range(ApiKey::METADATA), Some(VersionRange::new(1, 7)));
    assert_eq!(versions.range(ApiKey::DESCRIBE_CLUSTER), None);
    rig.ask(1, &by_name(&["t"]), 7);
    rig.ask_and_be_closed(1, &by_name(&["t"]), 8);
    let last = rig.cluster.requests().last().unwrap();
    assert_eq!(last.fate, RequestFate::Closed(CloseReason::UnsupportedVersion));
    rig.ask_and_be_closed(1, &kafka_protocol::messages::DescribeClusterRequest::default(), 0);
}

#[test]
fn a_release_announces_what_it_had() {
    for (release, produce, metadata, init_producer_id, describe_cluster) in [
        ("2.1", 7, 7, 1, None),
        ("2.4", 8, 9, 2, None),
        ("2.6", 8, 9, 3, None),
        ("2.8", 9, 11, 4, Some(0)),
        ("3.6", 9, 12, 4, Some(0)),
        ("3.7", 10, 12, 4, Some(1)),
        ("3.9", 11, 12, 5, Some(1)),
        ("4.0", 12, 13, 5, Some(2)),
        ("4.4", 13, 13, 5, Some(2)),
    ] {
        let mut rig = Rig::new(MockConfig::new().kafka_version(release.parse().unwrap()));
        let versions = BrokerVersions::from(&rig.ask(1, &software("me"), 0));
        let max = |api| versions.range(api).map(|range| range.max);
        assert_eq!(max(ApiKey::PRODUCE), Some(produce), "{release}");
        assert_eq!(max(ApiKey::METADATA), Some(metadata), "{release}");
        assert_eq!(max(ApiKey::INIT_PRODUCER_ID), Some(init_producer_id), "{release}");
        assert_eq!(max(ApiKey::DESCRIBE_CLUSTER), describe_cluster, "{release}");
    }
}

#[test]
fn every_release_takes_batches_in_its_newest_version_and_no_newer_one() {
    for release in KafkaVersion::ALL {
        let mut rig = Rig::new(MockConfig::new().kafka_version(release));
        let versions = BrokerVersions::from(&rig.ask(1, &software("me"), 0));
        let newest = versions.range(ApiKey::PRODUCE).unwrap().max;
        let mut request = crate::support::produce_request("t", 0, crate::support::batch(&["a"]));
        if newest >= 13 {
            request.topic_data[0].topic_id = rig.cluster.topic_id("t").unwrap();
        }
        let answer = crate::support::only(rig.ask(1, &request, newest));
        assert_eq!(answer.error_code, ErrorCode::NONE, "{release}");
        if newest < 13 {
            rig.ask_and_be_closed(1, &request, newest + 1);
        }
    }
}
