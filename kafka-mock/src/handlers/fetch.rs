//! Fetch: batches out of logs, now or when there are enough.
//!
//! There are no fetch sessions: a new one is answered with session id 0, which tells the client to
//! name all its partitions each time (KIP-227). What is read are whole batches.

use std::time::Duration;

use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch::{
    FetchPartition, FetchResponse, FetchTopic, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use kafka_protocol::records::Records;
use kafka_protocol::{ErrorCode, KafkaString};

use super::{Answer, Call};
use crate::faults::Target;
use crate::state::ClusterState;
use crate::topics::Partition;

/// First version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;
/// First version whose answer tells the leader (KIP-951).
const LEADER_HINT_FROM: i16 = 16;
/// Most bytes of batches in an answer, whatever the client asks for (`fetch.max.bytes`).
const RESPONSE_BYTES_MAX: usize = 55 * 1024 * 1024;
/// `session_epoch` of a client that ends its session, if it has one, and asks without (KIP-227).
const FINAL_EPOCH: i32 = -1;
/// `isolation_level` of a consumer that wants to hear of aborted transactions.
const READ_COMMITTED: i8 = 1;

pub(super) fn handle(state: &ClusterState, call: &Call, request: Box<FetchRequest>) -> Answer {
    let wait = u64::try_from(request.max_wait_ms).unwrap_or(0);
    match answer(state, call, &request, wait == 0) {
        Some(answer) => answer,
        None => Answer::Wait(request, Duration::from_millis(wait)),
    }
}

/// The answer, unless there is less than the client waits for and time is left.
pub(super) fn answer(
    state: &ClusterState,
    call: &Call,
    request: &FetchRequest,
    is_over: bool,
) -> Option<Answer> {
    if request.session_id != 0 && request.session_epoch != FINAL_EPOCH {
        let error_code = ErrorCode::FETCH_SESSION_ID_NOT_FOUND;
        let response = FetchResponse { error_code, ..Default::default() };
        return Some(call.respond::<FetchRequest>(&response));
    }
    let mut read = Read::new(call, request);
    let is_enough = is_over || read.is_enough(state, request);
    is_enough.then(|| call.respond::<FetchRequest>(&read.response(state, request)))
}

pub(super) fn targets(state: &ClusterState, request: &FetchRequest) -> Vec<Target> {
    let mut targets = Vec::new();
    for topic in &request.topics {
        let name = state.topics.name_of(topic.topic_id).unwrap_or(&topic.topic);
        let partitions = topic.partitions.iter();
        targets.extend(partitions.map(|asked| (name.to_owned(), Some(asked.partition))));
    }
    targets
}

/// An answer in the making.
struct Read<'a> {
    call: &'a Call,
    is_read_committed: bool,
    /// Bytes that the answer may still have.
    left: usize,
    /// Whether nothing was read yet: then one batch comes whatever its size.
    is_first: bool,
    endpoints: Vec<NodeEndpoint>,
}

impl<'a> Read<'a> {
    fn new(call: &'a Call, request: &FetchRequest) -> Self {
        Self {
            call,
            is_read_committed: request.isolation_level == READ_COMMITTED,
            left: usize::try_from(request.max_bytes).unwrap_or(0).min(RESPONSE_BYTES_MAX),
            is_first: true,
            endpoints: Vec::new(),
        }
    }

    /// Whether to answer at once: nothing is asked for, there is an error, or enough bytes.
    fn is_enough(&self, state: &ClusterState, request: &FetchRequest) -> bool {
        let mut asked =
            request.topics.iter().flat_map(|t| t.partitions.iter().map(move |p| (t, p)));
        let min_bytes = usize::try_from(request.min_bytes).unwrap_or(0);
        let mut bytes = 0;
        let is_waiting = asked.clone().next().is_some()
            && bytes < min_bytes
            && asked.all(|(topic, asked)| {
                let max_bytes = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
                match self.find(state, topic, asked) {
                    Ok(partition) => {
                        bytes += partition.log.readable(asked.fetch_offset, max_bytes);
                        bytes < min_bytes
                    }
                    Err(_) => false,
                }
            });
        !is_waiting
    }

    fn response(&mut self, state: &ClusterState, request: &FetchRequest) -> FetchResponse {
        let mut responses = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let partitions = topic.partitions.iter();
            responses.push(FetchableTopicResponse {
                topic: topic.topic.clone(),
                topic_id: topic.topic_id,
                partitions: partitions.map(|asked| self.partition(state, topic, asked)).collect(),
                ..Default::default()
            });
        }
        let node_endpoints = std::mem::take(&mut self.endpoints);
        FetchResponse { responses, node_endpoints, ..Default::default() }
    }

    fn partition(
        &mut self,
        state: &ClusterState,
        topic: &FetchTopic,
        asked: &FetchPartition,
    ) -> PartitionData {
        let partition = match self.find(state, topic, asked) {
            Ok(partition) => partition,
            Err(error) => return self.failed(state, topic, asked, error),
        };
        let asked_bytes = usize::try_from(asked.partition_max_bytes).unwrap_or(0);
        let max_bytes = asked_bytes.min(self.left);
        let pieces = partition.log.read(asked.fetch_offset, max_bytes, self.is_first);
        let records: Records = pieces.into_iter().collect();
        self.left = self.left.saturating_sub(records.len());
        self.is_first &= records.is_empty();
        PartitionData {
            partition_index: asked.partition,
            high_watermark: partition.log.end_offset(),
            last_stable_offset: partition.log.end_offset(),
            log_start_offset: partition.log.start_offset(),
            aborted_transactions: self.is_read_committed.then(Vec::new),
            records: Some(records),
            ..Default::default()
        }
    }

    fn find<'s>(
        &self,
        state: &'s ClusterState,
        topic: &FetchTopic,
        asked: &FetchPartition,
    ) -> Result<&'s Partition, ErrorCode> {
        if self.call.version >= TOPIC_ID_FROM && topic.topic_id.is_zero() {
            return Err(ErrorCode::UNKNOWN_TOPIC_ID);
        }
        let found = state.topics.resolve(topic.topic_id, &topic.topic)?;
        if let Some(fault) = self.call.verdict.error(&found.name, Some(asked.partition)) {
            return Err(fault.code);
        }
        let index = usize::try_from(asked.partition).ok();
        let partition = index
            .and_then(|index| found.partitions.get(index))
            .ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let epoch = Some(asked.current_leader_epoch).filter(|epoch| *epoch >= 0);
        partition.check_leader(self.call.broker, epoch, &state.failed_disks)?;
        let readable = partition.log.start_offset()..=partition.log.end_offset();
        if !readable.contains(&asked.fetch_offset) {
            return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
        }
        Ok(partition)
    }

    fn failed(
        &mut self,
        state: &ClusterState,
        topic: &FetchTopic,
        asked: &FetchPartition,
        error_code: ErrorCode,
    ) -> PartitionData {
        let is_moved = matches!(
            error_code,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH
        );
        let is_unknown = matches!(
            error_code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID
        );
        let current_leader = if is_moved && self.call.version >= LEADER_HINT_FROM {
            self.leader_hint(state, topic, asked)
        } else {
            LeaderIdAndEpoch::default()
        };
        PartitionData {
            partition_index: asked.partition,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            current_leader,
            aborted_transactions: is_unknown.then(Vec::new),
            records: Some(Records::default()),
            ..Default::default()
        }
    }

    fn leader_hint(
        &mut self,
        state: &ClusterState,
        topic: &FetchTopic,
        asked: &FetchPartition,
    ) -> LeaderIdAndEpoch {
        let name = state.topics.resolve(topic.topic_id, &topic.topic);
        let name = name.map_or(KafkaString::default(), |topic| topic.name.clone());
        let Some(partition) = state.topics.partition(&name, asked.partition) else {
            return LeaderIdAndEpoch::default();
        };
        let leader_id = partition.leader_id();
        let address = partition.leader.and_then(|leader| state.brokers.get(&leader));
        let is_told = self.endpoints.iter().any(|endpoint| endpoint.node_id == leader_id);
        if let Some(address) = address.filter(|_| !is_told) {
            let (host, port) = (address.host.clone(), address.port);
            let endpoint = NodeEndpoint { node_id: leader_id, host, port, ..Default::default() };
            self.endpoints.push(endpoint);
        }
        let leader_epoch = partition.leader_epoch;
        LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() }
    }
}
