//! `kafka metadata`: brokers, topics and partitions, as a table or as JSON.

use std::io::{Write, stdout};
use std::time::Duration;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::{ErrorCode, KafkaString};
use serde_json::{Value, json};

use crate::args::MetadataArgs;
use crate::failure::Failure;
use crate::numbers::counted;
use crate::{cluster, table};

pub(crate) async fn run(args: MetadataArgs) -> Result<(), Failure> {
    let timeout = Duration::from_secs(args.connect.timeout);
    let pool = cluster::connect(&args.connect.bootstrap_servers, timeout);
    let mut metadata = cluster::metadata(&pool, &args.topics).await?;
    metadata.brokers.sort_by_key(|broker| broker.node_id);
    metadata.topics.sort_by(|a, b| a.name.cmp(&b.name));
    for topic in &mut metadata.topics {
        topic.partitions.sort_by_key(|partition| partition.partition_index);
    }
    let text = if args.json { format!("{:#}\n", to_json(&metadata)) } else { to_text(&metadata) };
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    // An error of a topic that was asked for is an error of the command.
    if !args.topics.is_empty() {
        for topic in &metadata.topics {
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            if let Some(failure) = cluster::unusable(name, topic.error_code) {
                return Err(failure);
            }
        }
    }
    Ok(())
}

fn to_text(metadata: &MetadataResponse) -> String {
    let id = metadata.cluster_id.as_ref().map_or("without id", |id| id.as_str());
    let topics = counted(metadata.topics.len() as u64, "topic");
    let partitions = metadata.topics.iter().map(|topic| topic.partitions.len() as u64).sum();
    let partitions = counted(partitions, "partition");
    let brokers = counted(metadata.brokers.len() as u64, "broker");
    let mut out = format!("cluster {id}: {brokers}, {topics}, {partitions}\n\n");

    let brokers: Vec<[String; 4]> = metadata
        .brokers
        .iter()
        .map(|broker| {
            let note = if broker.node_id == metadata.controller_id { "controller" } else { "" };
            let rack = broker.rack.as_ref().map_or("-", |rack| rack.as_str());
            let address = format!("{}:{}", broker.host.as_str(), broker.port);
            [broker.node_id.to_string(), address, rack.to_owned(), note.to_owned()]
        })
        .collect();
    out += &table::draw(["BROKER", "ADDRESS", "RACK", ""], &brokers);

    if !metadata.topics.is_empty() {
        let rows: Vec<[String; 6]> = metadata.topics.iter().flat_map(rows).collect();
        out.push('\n');
        out += &table::draw(["TOPIC", "PARTITION", "LEADER", "REPLICAS", "ISR", "ERROR"], &rows);
    }
    out
}

/// A row for each partition; one for a topic that has none.
fn rows(topic: &MetadataResponseTopic) -> Vec<[String; 6]> {
    let name = match &topic.name {
        Some(name) => name.as_str().to_owned(),
        None => topic.topic_id.to_string(),
    };
    if topic.partitions.is_empty() || !topic.error_code.is_none() {
        let none = || "-".to_owned();
        return vec![[name, none(), none(), none(), none(), error(topic.error_code)]];
    }
    let row = |partition: &MetadataResponsePartition| {
        let leader = match partition.leader_id {
            ..0 => "none".to_owned(),
            id => id.to_string(),
        };
        [
            name.clone(),
            partition.partition_index.to_string(),
            leader,
            list(partition.replica_nodes.as_slice()),
            list(partition.isr_nodes.as_slice()),
            error(partition.error_code),
        ]
    };
    topic.partitions.iter().map(row).collect()
}

fn list(ids: &[i32]) -> String {
    if ids.is_empty() {
        return "-".to_owned();
    }
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn error(code: ErrorCode) -> String {
    if code.is_none() { String::new() } else { code.to_string() }
}

fn to_json(metadata: &MetadataResponse) -> Value {
    let brokers = metadata.brokers.iter().map(|broker| {
        json!({
            "id": broker.node_id,
            "host": broker.host.as_str(),
            "port": broker.port,
            "rack": broker.rack.as_ref().map(KafkaString::as_str),
        })
    });
    let topics = metadata.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            json!({
                "partition": partition.partition_index,
                "leader": partition.leader_id,
                "leader_epoch": partition.leader_epoch,
                "replicas": partition.replica_nodes.as_slice(),
                "isr": partition.isr_nodes.as_slice(),
                "offline": partition.offline_replicas.as_slice(),
                "error": json_error(partition.error_code),
            })
        });
        json!({
            "name": topic.name.as_ref().map(KafkaString::as_str),
            "id": topic.topic_id.to_string(),
            "internal": topic.is_internal,
            "error": json_error(topic.error_code),
            "partitions": partitions.collect::<Vec<_>>(),
        })
    });
    json!({
        "cluster_id": metadata.cluster_id.as_ref().map(KafkaString::as_str),
        "controller": metadata.controller_id,
        "brokers": brokers.collect::<Vec<_>>(),
        "topics": topics.collect::<Vec<_>>(),
    })
}

/// The name as in Kafka's documentation, the number if it has none, null if there is no error.
fn json_error(code: ErrorCode) -> Value {
    if code.is_none() {
        return Value::Null;
    }
    code.name().map_or_else(|| json!(code.0), |name| json!(name))
}
