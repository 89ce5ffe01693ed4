//! What a consumer is answered.

use kafka_protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets::ListOffsetsResponse;
use kafka_protocol::records::{RecordBatches, Records};

use super::{Show, sorted};
use crate::names::{Names, code};

impl Show for FetchResponse {
    fn show(&self, names: &mut Names) -> String {
        let mut parts = Vec::new();
        for topic in &self.responses {
            parts.extend(topic.partitions.iter().map(|found| fetched(names, topic, found)));
        }
        let session = if self.session_id == 0 { "no session" } else { "a session" };
        let mut text = format!("{}, {session}: {}", code(self.error_code), sorted(parts));
        for node in &self.node_endpoints {
            text += &format!(", broker {}", names.broker(node.node_id, &node.host, node.port));
        }
        text
    }
}

fn fetched(names: &Names, topic: &FetchableTopicResponse, found: &PartitionData) -> String {
    let name = match topic.topic.as_str() {
        "" => names.topic_id(topic.topic_id),
        name => names.topic(name),
    };
    let full = names.full(&name);
    let mut text = format!("{name}/{} {}", found.partition_index, code(found.error_code));
    text += &format!(
        ", high {} stable {} start {}",
        found.high_watermark, found.last_stable_offset, found.log_start_offset
    );
    let aborted =
        found.aborted_transactions.as_ref().map_or("null".into(), |a| a.len().to_string());
    text += &format!(", aborted {aborted}, {}", batches(found.records.as_ref()));
    let leader = &found.current_leader;
    if leader.leader_id != -1 || leader.leader_epoch != -1 {
        let epoch = names.epoch(&full, found.partition_index, leader.leader_epoch);
        text += &format!(", leader {} epoch {epoch}", leader.leader_id);
    }
    let diverging = &found.diverging_epoch;
    if diverging.epoch != -1 || diverging.end_offset != -1 {
        let epoch = names.epoch(&full, found.partition_index, diverging.epoch);
        text += &format!(", diverging epoch {epoch} at {}", diverging.end_offset);
    }
    if found.preferred_read_replica != -1 {
        text += &format!(", better at {}", found.preferred_read_replica);
    }
    text
}

/// The first offset of each batch.
fn batches(records: Option<&Records>) -> String {
    let Some(records) = records else { return "null records".to_owned() };
    let mut batches = RecordBatches::new(records);
    let offsets: Vec<i64> =
        batches.by_ref().flatten().map(|batch| batch.header().base_offset).collect();
    let rest = batches.rest().len();
    if rest == 0 {
        format!("batches {offsets:?}")
    } else {
        format!("batches {offsets:?} and {rest} bytes")
    }
}

impl Show for ListOffsetsResponse {
    fn show(&self, names: &mut Names) -> String {
        let mut parts = Vec::new();
        for topic in &self.topics {
            for found in &topic.partitions {
                let epoch = names.epoch(&topic.name, found.partition_index, found.leader_epoch);
                parts.push(format!(
                    "{}/{} {} offset {} time {} epoch {epoch}",
                    names.topic(&topic.name),
                    found.partition_index,
                    code(found.error_code),
                    found.offset,
                    found.timestamp,
                ));
            }
        }
        sorted(parts)
    }
}
