//! ListOffsets: the first and last offset of a partition, or the one of a timestamp.

use std::collections::BTreeMap;

use kafka_protocol::ErrorCode;
use kafka_protocol::messages::ListOffsetsRequest;
use kafka_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};

use super::{Answer, Call};
use crate::faults::Target;
use crate::state::ClusterState;
use crate::topics::Partition;

/// First version whose answer has a leader epoch (KIP-320).
const LEADER_EPOCH_FROM: i16 = 4;
/// Timestamps with a meaning of their own; the local log is the whole log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
/// About tiered storage, which is not there.
const LATEST_TIERED: i64 = -5;
const EARLIEST_PENDING_UPLOAD: i64 = -6;

pub(super) fn handle(state: &ClusterState, call: &Call, request: &ListOffsetsRequest) -> Answer {
    let mut counts = BTreeMap::new();
    for topic in &request.topics {
        for asked in &topic.partitions {
            *counts.entry((&topic.name, asked.partition_index)).or_insert(0) += 1;
        }
    }
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        let answers = topic.partitions.iter().filter_map(|asked| {
            // A partition that is asked for twice is answered once.
            let found = match counts.remove(&(&topic.name, asked.partition_index))? {
                1 => find(state, call, &topic.name, asked),
                _ => Err(ErrorCode::INVALID_REQUEST),
            };
            Some(answer(asked, call.version, found))
        });
        topics.push(ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: answers.collect(),
            ..Default::default()
        });
    }
    let response = ListOffsetsResponse { topics, ..Default::default() };
    call.respond::<ListOffsetsRequest>(&response)
}

pub(super) fn targets(request: &ListOffsetsRequest) -> Vec<Target> {
    let mut targets = Vec::new();
    for topic in &request.topics {
        let partitions = topic.partitions.iter();
        targets.extend(partitions.map(|p| (topic.name.to_string(), Some(p.partition_index))));
    }
    targets
}

/// Timestamp, offset and leader epoch; `None` if no record is that late.
type Found = Option<(i64, i64, i32)>;

fn find(
    state: &ClusterState,
    call: &Call,
    topic: &str,
    asked: &ListOffsetsPartition,
) -> Result<Found, ErrorCode> {
    if let Some(fault) = call.verdict.error(topic, Some(asked.partition_index)) {
        return Err(fault.code);
    }
    if call.version < first_version(asked.timestamp) {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    let partition = state
        .topics
        .partition(topic, asked.partition_index)
        .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    let epoch = Some(asked.current_leader_epoch).filter(|epoch| *epoch != -1);
    partition.check_leader(call.broker, epoch, &state.failed_disks)?;
    Ok(offset_of(partition, asked.timestamp))
}

/// First version that may ask for this timestamp.
fn first_version(timestamp: i64) -> i16 {
    match timestamp {
        LATEST | EARLIEST | 0.. => 1,
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL => 8,
        LATEST_TIERED => 9,
        EARLIEST_PENDING_UPLOAD => 11,
        _ => i16::MAX,
    }
}

fn offset_of(partition: &Partition, timestamp: i64) -> Found {
    let log = &partition.log;
    match timestamp {
        LATEST => Some((-1, log.end_offset(), partition.leader_epoch)),
        EARLIEST | EARLIEST_LOCAL => {
            let epoch = log.first_epoch().unwrap_or(partition.leader_epoch);
            Some((-1, log.start_offset(), epoch))
        }
        MAX_TIMESTAMP => log.find_max_timestamp(),
        timestamp if timestamp >= 0 => log.find_timestamp(timestamp),
        _ => None,
    }
}

fn answer(
    asked: &ListOffsetsPartition,
    version: i16,
    found: Result<Found, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let (timestamp, offset, leader_epoch) = found.unwrap_or_default().unwrap_or((-1, -1, -1));
    ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        error_code: found.err().unwrap_or_default(),
        timestamp,
        offset,
        leader_epoch: if version >= LEADER_EPOCH_FROM { leader_epoch } else { -1 },
        ..Default::default()
    }
}
