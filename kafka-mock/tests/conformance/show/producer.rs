//! What a producer is answered.

use kafka_protocol::ApiKey;
use kafka_protocol::messages::api_versions::ApiVersionsResponse;
use kafka_protocol::messages::find_coordinator::FindCoordinatorResponse;
use kafka_protocol::messages::init_producer_id::InitProducerIdResponse;
use kafka_protocol::messages::metadata::{
    MetadataResponse, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};

use super::{Show, sorted};
use crate::names::{Names, code};

impl Show for ProduceResponse {
    fn show(&self, names: &mut Names) -> String {
        let mut parts = Vec::new();
        for topic in &self.responses {
            for partition in &topic.partition_responses {
                parts.push(produced(names, topic, partition));
            }
            if topic.partition_responses.is_empty() {
                parts.push(format!("{} without partitions", names.topic(&topic.name)));
            }
        }
        let mut text = sorted(parts);
        for node in &self.node_endpoints {
            text += &format!(", broker {}", names.broker(node.node_id, &node.host, node.port));
        }
        text
    }
}

fn produced(
    names: &Names,
    topic: &TopicProduceResponse,
    partition: &PartitionProduceResponse,
) -> String {
    let name = match topic.name.as_str() {
        "" => names.topic_id(topic.topic_id),
        name => names.topic(name),
    };
    let mut text = format!("{name}/{} {}", partition.index, code(partition.error_code));
    if partition.base_offset != -1 {
        text += &format!(" at {}", partition.base_offset);
    }
    if partition.log_append_time_ms != -1 {
        // A topic that stamps its records tells the broker's time.
        let is_now = partition.log_append_time_ms > RECENT_MS;
        let time = if is_now { "now".into() } else { partition.log_append_time_ms.to_string() };
        text += &format!(" time {time}");
    }
    if partition.log_start_offset != -1 {
        text += &format!(" start {}", partition.log_start_offset);
    }
    if !partition.record_errors.is_empty() {
        let indexes: Vec<i32> = partition.record_errors.iter().map(|r| r.batch_index).collect();
        text += &format!(" records {indexes:?}");
    }
    let leader = &partition.current_leader;
    if leader.leader_id != -1 || leader.leader_epoch != -1 {
        let full = names.full(&name);
        let epoch = names.epoch(&full, partition.index, leader.leader_epoch);
        text += &format!(" leader {} epoch {epoch}", leader.leader_id);
    }
    text
}

impl Show for MetadataResponse {
    fn show(&self, names: &mut Names) -> String {
        for topic in self.topics.iter().filter(|topic| topic.error_code.is_none()) {
            names.learn_topic(topic.topic_id, topic.name.as_deref().unwrap_or_default());
        }
        // Other topics of the cluster are not the script's.
        let is_own = |topic: &&MetadataResponseTopic| {
            let own = topic.name.as_deref().and_then(|name| names.own(name));
            own.is_some() || !topic.error_code.is_none()
        };
        let topics = sorted(self.topics.iter().filter(is_own).map(|topic| described(names, topic)));
        let brokers = sorted(self.brokers.iter().map(|b| names.broker(b.node_id, &b.host, b.port)));
        let racks = self.brokers.iter().filter(|broker| broker.rack.is_some()).count();
        let mut text = format!("{topics} | brokers {brokers}");
        if racks > 0 {
            text += &format!(", {racks} racks");
        }
        text += &format!(", {}", names.cluster(self.cluster_id.as_ref()));
        text += if self.controller_id == -1 { ", no controller" } else { ", a controller" };
        text += &operations("cluster", self.cluster_authorized_operations);
        if !self.error_code.is_none() {
            text += &format!(", {}", code(self.error_code));
        }
        text
    }
}

fn described(names: &Names, topic: &MetadataResponseTopic) -> String {
    let name = topic.name.as_deref().map_or_else(|| "null".to_owned(), |name| names.topic(name));
    let mut text = format!("{name} {}, {}", code(topic.error_code), names.topic_id(topic.topic_id));
    if topic.is_internal {
        text += ", internal";
    }
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let full = topic.name.as_deref().unwrap_or_default();
    for partition in partitions {
        text += &of_partition(names, full, partition);
    }
    text + &operations("topic", topic.topic_authorized_operations)
}

fn of_partition(names: &Names, topic: &str, partition: &MetadataResponsePartition) -> String {
    let epoch = names.epoch(topic, partition.partition_index, partition.leader_epoch);
    let mut in_sync = partition.isr_nodes.as_slice().to_vec();
    in_sync.sort_unstable();
    format!(
        ", {}: {} leader {} epoch {epoch} replicas {:?} in sync {in_sync:?} offline {:?}",
        partition.partition_index,
        code(partition.error_code),
        partition.leader_id,
        partition.replica_nodes.as_slice(),
        partition.offline_replicas.as_slice(),
    )
}

/// What the client may do, as bits; the smallest number says that nobody asked.
pub(super) fn operations(of: &str, bits: i32) -> String {
    match bits {
        i32::MIN => String::new(),
        bits => format!(", may {of} {bits:#x}"),
    }
}

impl Show for InitProducerIdResponse {
    fn show(&self, names: &mut Names) -> String {
        let id = names.producer(self.producer_id);
        let mut text = format!("{} {id} epoch {}", code(self.error_code), self.producer_epoch);
        if self.ongoing_txn_producer_id != -1 || self.ongoing_txn_producer_epoch != -1 {
            text += ", an ongoing transaction";
        }
        text
    }
}

impl Show for FindCoordinatorResponse {
    fn show(&self, names: &mut Names) -> String {
        if self.coordinators.is_empty() {
            let node = coordinator(names, self.node_id, &self.host, self.port);
            return format!("{} {node}", code(self.error_code));
        }
        sorted(self.coordinators.iter().map(|found| {
            let node = coordinator(names, found.node_id, &found.host, found.port);
            format!("{} {} {node}", names.topic(&found.key), code(found.error_code))
        }))
    }
}

/// Any broker may be it.
fn coordinator(names: &Names, id: i32, host: &str, port: i32) -> String {
    match (id, names.broker(id, host, port)) {
        (1.., text) if text == id.to_string() => "a broker".to_owned(),
        (_, text) => text,
    }
}

impl Show for ApiVersionsResponse {
    /// Only the APIs that the mock cluster has.
    fn show(&self, _names: &mut Names) -> String {
        let listed = |api: &&_| self.api_keys.iter().find(|other| other.api_key == **api);
        let apis = APIS.iter().filter_map(|api| listed(&api)).map(|api| {
            let name = api.api_key.name().unwrap_or_default();
            format!("{name} {}-{}", api.min_version, api.max_version)
        });
        let apis: Vec<String> = apis.collect();
        format!("{} {}", code(self.error_code), apis.join(", "))
    }
}

const APIS: [ApiKey; 10] = [
    ApiKey::PRODUCE,
    ApiKey::FETCH,
    ApiKey::LIST_OFFSETS,
    ApiKey::METADATA,
    ApiKey::FIND_COORDINATOR,
    ApiKey::API_VERSIONS,
    ApiKey::CREATE_TOPICS,
    ApiKey::DELETE_TOPICS,
    ApiKey::INIT_PRODUCER_ID,
    ApiKey::DESCRIBE_CLUSTER,
];

/// Scripts use timestamps around 1970, and some in the far future; this is 2020.
const RECENT_MS: i64 = 1_577_836_800_000;
