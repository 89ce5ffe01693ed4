//! Produce: batches into logs.

use std::collections::BTreeMap;

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse, TopicProduceData,
    TopicProduceResponse,
};
use kafka_protocol::{ErrorCode, KafkaString, Uuid};

use super::{Answer, Call};
use crate::batch::{Batch, Rejection, Stage};
use crate::coordinator::ProducerIdAndEpoch;
use crate::faults::Target;
use crate::journal::CloseReason;
use crate::producers::Sequenced;
use crate::request::CheckedProduce;
use crate::state::ClusterState;

/// First version whose answer tells the leader (KIP-951).
const LEADER_HINT_FROM: i16 = 10;
/// First version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;

pub(super) fn handle(state: &mut ClusterState, call: &Call, produce: CheckedProduce) -> Answer {
    let CheckedProduce { request, batches } = produce;
    let refused = refuse_all(&request, &batches);
    let mut left = times_named(&request);
    let mut batches = batches.into_iter();
    let mut response = ProduceResponse::default();
    let mut places = BTreeMap::new();
    let mut has_failed = false;
    for topic in &request.topic_data {
        for (partition, batch) in topic.partition_data.iter().zip(&mut batches) {
            if let Some(times) = left.get_mut(&(topic.topic_id, &topic.name, partition.index)) {
                *times -= 1;
                if *times > 0 {
                    continue;
                }
            }
            let write = Write { call, request: &request, topic, index: partition.index };
            let appended = match refused {
                Some(refused) => {
                    state.counters.rejected += 1;
                    Err(refused)
                }
                None => write.append_with_faults(state, batch),
            };
            has_failed |= appended.is_err();
            let answer = write.answer(state, appended, &mut response.node_endpoints);
            let place = *places.entry((topic.topic_id, &topic.name)).or_insert_with(|| {
                response.responses.push(TopicProduceResponse {
                    name: topic.name.clone(),
                    topic_id: topic.topic_id,
                    ..Default::default()
                });
                response.responses.len() - 1
            });
            if let Some(of_topic) = response.responses.get_mut(place) {
                of_topic.partition_responses.push(answer);
            }
        }
    }
    match request.acks {
        0 if has_failed => Answer::Close(CloseReason::FailedWithoutAcks),
        0 => Answer::Nothing,
        _ => call.respond::<ProduceRequest>(&response),
    }
}

pub(super) fn targets(state: &ClusterState, request: &ProduceRequest) -> Vec<Target> {
    let mut targets = Vec::new();
    for topic in &request.topic_data {
        let name = state.topics.name_of(topic.topic_id).unwrap_or(&topic.name);
        let partitions = topic.partition_data.iter();
        targets.extend(partitions.map(|partition| (name.to_owned(), Some(partition.index))));
    }
    targets
}

/// How often a request names each partition. A broker keeps the last batch of each, and answers once.
fn times_named(request: &ProduceRequest) -> BTreeMap<(Uuid, &KafkaString, i32), usize> {
    let mut times = BTreeMap::new();
    for topic in &request.topic_data {
        for partition in &topic.partition_data {
            *times.entry((topic.topic_id, &topic.name, partition.index)).or_insert(0) += 1;
        }
    }
    times
}

/// Why no partition of the request can be written, if so. A broker looks at one batch after the other,
/// until one is of a transaction.
fn refuse_all(request: &ProduceRequest, batches: &[Result<Batch, Rejection>]) -> Option<Refused> {
    for batch in batches {
        match batch {
            Err(rejection) if rejection.stage == Stage::Request => {
                return Some((*rejection).into());
            }
            Ok(batch) if batch.header.attributes.is_transactional() => {
                let error = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
                return request.transactional_id.is_none().then(|| error.into());
            }
            _ => {}
        }
    }
    None
}

/// One partition of a request.
struct Write<'a> {
    call: &'a Call,
    request: &'a ProduceRequest,
    topic: &'a TopicProduceData,
    index: i32,
}

/// Where a batch is.
struct Appended {
    base_offset: i64,
    /// -1 unless it was there before: then Kafka tells the batch's largest timestamp.
    log_append_time_ms: i64,
    log_start_offset: i64,
}

/// Why a batch was not appended.
#[derive(Clone, Copy)]
struct Refused {
    code: ErrorCode,
    message: Option<&'static str>,
    /// -1 where Kafka does not tell it.
    log_start_offset: i64,
}

impl From<ErrorCode> for Refused {
    fn from(code: ErrorCode) -> Self {
        Self { code, message: None, log_start_offset: -1 }
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self { message: Some(rejection.message), ..rejection.code.into() }
    }
}

impl Write<'_> {
    /// Name of the topic, looked up if the request has its id.
    fn topic_name(&self, state: &ClusterState) -> Result<KafkaString, ErrorCode> {
        if self.call.version >= TOPIC_ID_FROM && self.topic.topic_id.is_zero() {
            return Err(ErrorCode::UNKNOWN_TOPIC_ID);
        }
        let topic = state.topics.resolve(self.topic.topic_id, &self.topic.name)?;
        Ok(topic.name.clone())
    }

    fn append_with_faults(
        &self,
        state: &mut ClusterState,
        batch: Result<Batch, Rejection>,
    ) -> Result<Appended, Refused> {
        let name = self.topic_name(state)?;
        let fault = self.call.verdict.error(&name, Some(self.index));
        match fault {
            Some(fault) if !fault.is_applied => return Err(fault.code.into()),
            _ => {}
        }
        let appended = self.append(state, &name, batch);
        if appended.is_err() {
            state.counters.rejected += 1;
        }
        match fault {
            Some(fault) if appended.is_ok() => Err(fault.code.into()),
            _ => appended,
        }
    }

    fn append(
        &self,
        state: &mut ClusterState,
        name: &str,
        batch: Result<Batch, Rejection>,
    ) -> Result<Appended, Refused> {
        let configs = state.topics.get(name).map(|topic| topic.configs).unwrap_or_default();
        let batch_len_max = configs.max_message_bytes.unwrap_or(state.config.message_max_bytes);
        let Some(partition) = state.topics.partition_mut(name, self.index) else {
            return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.into());
        };
        if let Err(rejection @ Rejection { stage: Stage::Request | Stage::Partition, .. }) = &batch
        {
            return Err((*rejection).into());
        }
        if !(-1..=1).contains(&self.request.acks) {
            return Err(ErrorCode::INVALID_REQUIRED_ACKS.into());
        }
        partition.check_leader(self.call.broker, None, &state.failed_disks)?;
        if let Ok(batch) = &batch {
            self.check_transaction(&state.coordinator, batch)?;
        }
        let min_insync = configs.min_insync_replicas.unwrap_or(state.config.min_insync_replicas);
        // A topic with fewer replicas than that can be written all the same.
        let min_insync = min_insync.min(partition.replicas.as_slice().len());
        if self.request.acks == -1 && partition.in_sync_count(&state.brokers) < min_insync {
            return Err(ErrorCode::NOT_ENOUGH_REPLICAS.into());
        }
        let log_start_offset = partition.log.start_offset();
        let tell_start = |refused: Refused| Refused { log_start_offset, ..refused };
        let batch_len = match &batch {
            Ok(batch) => batch.bytes.len(),
            Err(Rejection { stage: Stage::Records { batch_len }, .. }) => *batch_len,
            Err(_) => 0,
        };
        if batch_len > batch_len_max {
            let message = Some("the batch is larger than max.message.bytes");
            return Err(Refused { message, ..ErrorCode::MESSAGE_TOO_LARGE.into() });
        }
        let batch = batch.map_err(|rejection| match rejection.code {
            ErrorCode::CORRUPT_MESSAGE => rejection.into(),
            _ => tell_start(rejection.into()),
        })?;
        let (now, config) = (self.call.now, &state.config);
        partition.producers.expire(batch.header.producer_id, now, config.producer_id_expiration);
        let sequenced = partition.producers.check(&batch.header);
        if let Sequenced::Duplicate { base_offset, timestamp } =
            sequenced.map_err(|error| tell_start(error.into()))?
        {
            state.counters.duplicates += 1;
            let log_append_time_ms = timestamp;
            return Ok(Appended { base_offset, log_append_time_ms, log_start_offset });
        }
        let base_offset = if config.discard {
            partition.log.skip(batch.header.record_count)
        } else {
            partition.log.append(now, &batch, partition.leader_epoch, config.retention_bytes)
        };
        partition.producers.update(&batch.header, base_offset, now, config.producer_ids_max);
        state.counters.batches += 1;
        state.counters.records += u64::from(batch.header.record_count.unsigned_abs());
        state.counters.bytes += batch.bytes.len() as u64;
        state.may_wake_fetches = true;
        let log_start_offset = partition.log.start_offset();
        Ok(Appended { base_offset, log_append_time_ms: -1, log_start_offset })
    }

    /// A transactional batch needs a transaction, and there is none yet. Kafka asks the coordinator for
    /// batches with a producer id alone.
    fn check_transaction(
        &self,
        coordinator: &crate::coordinator::Coordinator,
        batch: &Batch,
    ) -> Result<(), ErrorCode> {
        if !batch.header.attributes.is_transactional() || batch.header.producer_id < 0 {
            return Ok(());
        }
        let transactional_id = self.request.transactional_id.as_deref().unwrap_or_default();
        let producer = ProducerIdAndEpoch {
            producer_id: batch.header.producer_id,
            epoch: batch.header.producer_epoch,
        };
        Err(coordinator.check_transactional(transactional_id, producer, self.call.version))
    }

    fn answer(
        &self,
        state: &ClusterState,
        appended: Result<Appended, Refused>,
        endpoints: &mut Vec<NodeEndpoint>,
    ) -> PartitionProduceResponse {
        let refused = match appended {
            Ok(appended) => {
                return PartitionProduceResponse {
                    index: self.index,
                    base_offset: appended.base_offset,
                    log_append_time_ms: appended.log_append_time_ms,
                    log_start_offset: appended.log_start_offset,
                    ..Default::default()
                };
            }
            Err(refused) => refused,
        };
        let current_leader = match refused.code {
            ErrorCode::NOT_LEADER_OR_FOLLOWER if self.call.version >= LEADER_HINT_FROM => {
                self.leader_hint(state, endpoints)
            }
            _ => LeaderIdAndEpoch::default(),
        };
        PartitionProduceResponse {
            index: self.index,
            error_code: refused.code,
            base_offset: -1,
            log_start_offset: refused.log_start_offset,
            error_message: refused.message.map(KafkaString::from_static),
            current_leader,
            ..Default::default()
        }
    }

    /// Who leads instead (KIP-951), with its address among the endpoints of the answer.
    fn leader_hint(
        &self,
        state: &ClusterState,
        endpoints: &mut Vec<NodeEndpoint>,
    ) -> LeaderIdAndEpoch {
        let name = self.topic_name(state).unwrap_or_default();
        let Some(partition) = state.topics.partition(&name, self.index) else {
            return LeaderIdAndEpoch::default();
        };
        let address = partition.leader.and_then(|leader| state.brokers.get(&leader));
        let leader_id = partition.leader_id();
        if let Some(address) = address {
            if !endpoints.iter().any(|endpoint| endpoint.node_id == leader_id) {
                let (host, port) = (address.host.clone(), address.port);
                endpoints.push(NodeEndpoint {
                    node_id: leader_id,
                    host,
                    port,
                    ..Default::default()
                });
            }
        }
        let leader_epoch = partition.leader_epoch;
        LeaderIdAndEpoch { leader_id, leader_epoch, ..Default::default() }
    }
}
