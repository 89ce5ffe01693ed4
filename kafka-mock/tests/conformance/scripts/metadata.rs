//! Metadata and DescribeCluster.

use kafka_protocol::messages::describe_cluster::DescribeClusterRequest;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::{Request, Uuid};

use super::Script;
use crate::session::Session;

pub(super) const SCRIPTS: [Script; 6] = [
    ("metadata-versions", every_version),
    ("metadata-of-nothing-known", nothing_known),
    ("metadata-by-id", by_id),
    ("auto-creation", auto_creation),
    ("authorized-operations", authorized_operations),
    ("described-cluster", described_cluster),
];

fn named(names: &[&str]) -> MetadataRequest {
    let topic =
        |name: &&str| MetadataRequestTopic { name: Some((*name).into()), ..Default::default() };
    MetadataRequest { topics: Some(names.iter().map(topic).collect()), ..Default::default() }
}

/// Versions before 4 cannot say it, and mean yes.
fn without_creation(version: i16, request: MetadataRequest) -> MetadataRequest {
    MetadataRequest { allow_auto_topic_creation: version < 4, ..request }
}

fn every_version(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1, 2, 3]);
    let other = session.replicated_topic("u", &[2, 3, 1]);
    for version in MetadataRequest::STABLE_VERSIONS.iter() {
        let all = MetadataRequest { topics: None, ..Default::default() };
        if version > 0 {
            session.step(1, version, "all topics", &without_creation(version, all));
        }
        let request = without_creation(version, named(&[]));
        session.step(1, version, "an empty list", &request);
        let request = without_creation(version, named(&[&other.name, &topic.name]));
        session.step(2, version, "two topics", &request);
        let request = without_creation(version, named(&[&topic.name, &topic.name]));
        session.step(3, version, "a topic twice", &request);
    }
}

fn nothing_known(session: &mut Session<'_>) {
    let long = "x".repeat(250);
    for version in MetadataRequest::STABLE_VERSIONS.iter() {
        if version >= 4 {
            let unknown = session.names.full("unknown");
            let request = without_creation(version, named(&[&unknown]));
            session.step(1, version, "an unknown topic", &request);
        }
        for (label, name) in
            [("a slash", "a/b"), ("no characters", ""), ("a dot", "."), ("250 characters", &long)]
        {
            let label = format!("a name of {label}, may be created");
            session.step(1, version, &label, &named(&[name]));
        }
        if version >= 4 {
            let request = without_creation(version, named(&["a/b"]));
            session.step(1, version, "a name of a slash", &request);
        }
    }
}

fn by_id(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let asked = |id, name: Option<&str>| MetadataRequestTopic {
        topic_id: id,
        name: name.map(Into::into),
        ..Default::default()
    };
    for version in 10..=MetadataRequest::STABLE_VERSIONS.max {
        let request = |topics| MetadataRequest {
            topics: Some(topics),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let mut ask = |label, topics| {
            session.step(1, version, label, &request(topics));
        };
        ask("by id", vec![asked(topic.id, None)]);
        ask("by an unknown id", vec![asked(Uuid::from_u128(77), None)]);
        ask("by id and name", vec![asked(topic.id, Some(&topic.name))]);
        ask("by id and another name", vec![asked(topic.id, Some("other"))]);
        ask("neither id nor name", vec![asked(Uuid::ZERO, None)]);
        let both = vec![asked(topic.id, None), asked(Uuid::ZERO, Some(&topic.name))];
        ask("one by id, one by name", both);
    }
}

fn auto_creation(session: &mut Session<'_>) {
    for version in MetadataRequest::STABLE_VERSIONS.iter() {
        let name = session.names.full(&format!("new{version}"));
        session.step(1, version, "a new topic", &named(&[&name]));
        session.wait_until(|session| {
            [1, 2, 3].into_iter().all(|broker| {
                (0..3).all(|partition| session.leader(broker, &name, partition).is_some())
            })
        });
        let answer = session.ask(1, version, &named(&[&name]));
        let found = &answer.topics[0];
        let line = format!(
            "then it has {} partitions of {} replicas, {}",
            found.partitions.len(),
            found.partitions[0].replica_nodes.as_slice().len(),
            if found.topic_id.is_zero() { "no id" } else { "an id" },
        );
        session.lines.push(line);
    }
}

fn authorized_operations(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    for version in 8..=MetadataRequest::STABLE_VERSIONS.max {
        let request = MetadataRequest {
            include_topic_authorized_operations: true,
            ..without_creation(version, named(&[&topic.name]))
        };
        session.step(1, version, "of a topic", &request);
        if version <= 10 {
            let request = MetadataRequest {
                include_cluster_authorized_operations: true,
                ..without_creation(version, named(&[&topic.name]))
            };
            session.step(1, version, "of the cluster", &request);
        }
    }
    let unknown = session.names.full("unknown");
    let request = MetadataRequest {
        include_topic_authorized_operations: true,
        ..without_creation(12, named(&[&unknown]))
    };
    session.step(1, 12, "of an unknown topic", &request);
}

fn described_cluster(session: &mut Session<'_>) {
    for version in DescribeClusterRequest::STABLE_VERSIONS.iter() {
        let plain = DescribeClusterRequest::default();
        session.step(1, version, "as it is", &plain);
        let request = DescribeClusterRequest {
            include_cluster_authorized_operations: true,
            ..Default::default()
        };
        session.step(1, version, "with operations", &request);
        if version >= 1 {
            for endpoint_type in [2, 3, 0] {
                let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
                let label = format!("endpoint type {endpoint_type}");
                session.step(1, version, &label, &request);
            }
        }
        if version >= 2 {
            let request =
                DescribeClusterRequest { include_fenced_brokers: true, ..Default::default() };
            session.step(1, version, "fenced brokers too", &request);
        }
    }
}
