//! CreateTopics and DeleteTopics.

use kafka_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use kafka_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};
use kafka_protocol::{ErrorCode, Int32Array, Request, Uuid};

use super::{Script, send};
use crate::batches::batch;
use crate::session::Session;

pub(super) const SCRIPTS: [Script; 4] = [
    ("created-topics", created_topics),
    ("refused-topics", refused_topics),
    ("topic-configs", topic_configs),
    ("deleted-topics", deleted_topics),
];

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

fn request(topics: Vec<CreatableTopic>) -> CreateTopicsRequest {
    CreateTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() }
}

fn created_topics(session: &mut Session<'_>) {
    for version in CreateTopicsRequest::STABLE_VERSIONS.iter() {
        let name = session.names.full(&format!("t{version}"));
        let validated =
            CreateTopicsRequest { validate_only: true, ..request(vec![topic(&name, 2, 3)]) };
        session.step(1, version, "only to be validated", &validated);
        session.step(2, version, "a new topic", &request(vec![topic(&name, 2, 3)]));
        session.step(1, version, "it exists", &request(vec![topic(&name, 2, 3)]));
        session.step(1, version, "it exists, only to be validated", &validated);
        let mut assigned = topic(&format!("{name}-assigned"), -1, -1);
        assigned.assignments = assignments(&[(0, &[3, 1]), (1, &[2, 3])]);
        session.step(1, version, "replicas by hand", &request(vec![assigned]));
        let new = format!("{name}-two");
        let two = request(vec![topic(&name, 1, 1), topic(&new, 1, 1)]);
        session.step(1, version, "one that exists and one that does not", &two);
        if version >= DEFAULTS_FROM {
            let name = format!("{name}-defaults");
            session.step(1, version, "as many as usual", &request(vec![topic(&name, -1, -1)]));
        }
        session.step(1, version, "no topics", &request(Vec::new()));
    }
}

fn refused_topics(session: &mut Session<'_>) {
    let name = session.names.full("t");
    let long = "x".repeat(250);
    for version in [2, 4, 5, 7] {
        for (label, bad) in
            [("a/b", "a/b"), ("nothing", ""), (".", "."), ("..", ".."), ("250 characters", &long)]
        {
            let label = format!("a name of {label}");
            session.step(1, version, &label, &request(vec![topic(bad, 1, 1)]));
        }
        for (partitions, replicas) in
            [(0, 1), (-2, 1), (1, 0), (1, -2), (1, 4), (1, i16::MAX), (0, 0), (0, 9)]
        {
            let label = format!("{partitions} partitions of {replicas} replicas");
            let wrong = request(vec![topic(&name, partitions, replicas)]);
            session.step(1, version, &label, &wrong);
        }
        let twice = request(vec![topic(&name, 1, 1), topic(&name, 2, 1)]);
        session.step(1, version, "a name twice", &twice);
        type Replicas<'a> = &'a [(i32, &'a [i32])];
        let wrong: [(&str, Replicas<'_>); 8] = [
            ("an unknown broker", &[(0, &[9])]),
            ("a broker twice", &[(0, &[1, 1])]),
            ("no brokers", &[(0, &[])]),
            ("not from 0 on", &[(1, &[1])]),
            ("a gap", &[(0, &[1]), (2, &[1])]),
            ("a partition twice", &[(0, &[1]), (0, &[2])]),
            ("a partition of -1", &[(-1, &[1])]),
            ("different numbers of replicas", &[(0, &[1]), (1, &[2, 3])]),
        ];
        for (label, replicas) in wrong {
            let name = session.names.full(&format!("{}{version}", label.replace(' ', "-")));
            let mut topic = topic(&name, -1, -1);
            topic.assignments = assignments(replicas);
            session.step(1, version, &format!("replicas by hand, {label}"), &request(vec![topic]));
        }
        let mut both = topic(&name, 1, 1);
        both.assignments = assignments(&[(0, &[1])]);
        session.step(1, version, "replicas by hand and a count", &request(vec![both]));
    }
}

fn assignments(replicas: &[(i32, &[i32])]) -> Vec<CreatableReplicaAssignment> {
    let assignment = |(partition_index, brokers): &(i32, &[i32])| CreatableReplicaAssignment {
        partition_index: *partition_index,
        broker_ids: Int32Array::from(brokers.to_vec()),
        ..Default::default()
    };
    replicas.iter().map(assignment).collect()
}

fn topic_configs(session: &mut Session<'_>) {
    let configs = [
        ("max.message.bytes", Some("1000")),
        ("max.message.bytes", Some("-1")),
        ("max.message.bytes", Some("many")),
        ("max.message.bytes", None),
        ("message.timestamp.type", Some("LogAppendTime")),
        ("message.timestamp.type", Some("Never")),
        ("compression.type", Some("zstd")),
        ("compression.type", Some("rar")),
        ("retention.ms", Some("60000")),
        ("cleanup.policy", Some("compact")),
        ("no.such.config", Some("1")),
        ("", Some("1")),
    ];
    for (index, (name, value)) in configs.into_iter().enumerate() {
        let mut topic = topic(&session.names.full(&format!("t{index}")), 1, 1);
        let config = CreatableTopicConfig {
            name: name.into(),
            value: value.map(Into::into),
            ..Default::default()
        };
        topic.configs = vec![config];
        let label = format!("{name}={}", value.unwrap_or("null"));
        session.step(1, 7, &label, &request(vec![topic]));
    }
}

fn deleted_topics(session: &mut Session<'_>) {
    for version in DeleteTopicsRequest::STABLE_VERSIONS.iter() {
        let topic = session.topic(&format!("t{version}"), &[1]);
        send(session, "a record", &topic, batch(&["a"]).records());
        let unknown = session.names.full("unknown");
        let delete = |names: &[&str]| DeleteTopicsRequest {
            topic_names: match version {
                ..=5 => names.iter().map(|name| (*name).into()).collect(),
                _ => Vec::new(),
            },
            topics: match version {
                ..=5 => Vec::new(),
                _ => names.iter().map(|name| state(Some(name), Uuid::ZERO)).collect(),
            },
            timeout_ms: 10_000,
            ..Default::default()
        };
        session.step(1, version, "a topic and an unknown one", &delete(&[&topic.name, &unknown]));
        session.wait_until(|session| {
            session.offsets(&topic.name, 0, 1) == Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        });
        session.step(1, version, "it is gone", &delete(&[&topic.name]));
        let again = session.topic(&format!("t{version}"), &[1]);
        session.log(&again);
        session.step(1, version, "a topic twice", &delete(&[&again.name, &again.name]));
        session.step(1, version, "no topics", &delete(&[]));
    }
    let topic = session.topic("by-id", &[1]);
    let delete = |topics| DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    session.step(1, 6, "an unknown id", &delete(vec![state(None, Uuid::from_u128(77))]));
    session.step(1, 6, "no id and no name", &delete(vec![state(None, Uuid::ZERO)]));
    session.step(1, 6, "id and name", &delete(vec![state(Some(&topic.name), topic.id)]));
    session.step(1, 6, "by id", &delete(vec![state(None, topic.id)]));
}

fn state(name: Option<&str>, topic_id: Uuid) -> DeleteTopicState {
    DeleteTopicState { name: name.map(Into::into), topic_id, ..Default::default() }
}

/// First version that may leave counts to the broker (KIP-464).
const DEFAULTS_FROM: i16 = 4;
