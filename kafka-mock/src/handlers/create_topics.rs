//! CreateTopics, at any broker: it would pass it on to the controller.

use std::collections::BTreeMap;

use kafka_protocol::messages::CreateTopicsRequest;
use kafka_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicResult, CreateTopicsResponse,
};
use kafka_protocol::{ErrorCode, Int32Array};

use super::{Answer, Call, topic_configs};
use crate::BrokerId;
use crate::state::ClusterState;

pub(super) fn handle(
    state: &mut ClusterState,
    call: &Call,
    request: &CreateTopicsRequest,
) -> Answer {
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut counts = BTreeMap::new();
    for topic in &request.topics {
        *counts.entry(&topic.name).or_insert(0) += 1;
    }
    for topic in &request.topics {
        let created = match counts.remove(&topic.name) {
            Some(1) => create_with_faults(state, call, topic, request.validate_only),
            Some(_) => Err(ErrorCode::INVALID_REQUEST),
            // A name that comes twice is answered once.
            None => continue,
        };
        topics.push(match created {
            Ok(created) => CreatableTopicResult { name: topic.name.clone(), ..created },
            Err(error_code) => failed(topic, error_code),
        });
    }
    let response = CreateTopicsResponse { topics, ..Default::default() };
    call.respond::<CreateTopicsRequest>(&response)
}

fn create_with_faults(
    state: &mut ClusterState,
    call: &Call,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, ErrorCode> {
    match call.verdict.error(&topic.name, None) {
        Some(fault) if !fault.is_applied => Err(fault.code),
        Some(fault) => create(state, topic, validate_only).and(Err(fault.code)),
        None => create(state, topic, validate_only),
    }
}

fn create(
    state: &mut ClusterState,
    topic: &CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, ErrorCode> {
    let replicas = if topic.assignments.is_empty() {
        let partitions = match topic.num_partitions {
            -1 => state.config.default_partitions,
            count => count,
        };
        let replication_factor = match topic.replication_factor {
            -1 => state.default_replication_factor(),
            factor => i32::from(factor),
        };
        state.new_topic(&topic.name, partitions, replication_factor)?
    } else {
        if topic.num_partitions != -1 || topic.replication_factor != -1 {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let replicas = assigned(state, &topic.assignments)?;
        state.check_new_topic(&topic.name, replicas.len() as i32, 1)?;
        replicas
    };
    let configs = topic_configs::parse(&topic.configs)?;
    let num_partitions = replicas.len() as i32;
    let factor = replicas.first().map_or(0, |replicas| replicas.len());
    // What is only validated gets an id as well, as from Kafka.
    let topic_id = state.new_topic_id();
    if !validate_only {
        state.insert_topic(&topic.name, topic_id, replicas, configs);
    }
    Ok(CreatableTopicResult {
        topic_id,
        num_partitions,
        replication_factor: i16::try_from(factor).unwrap_or(i16::MAX),
        configs: Some(Vec::new()),
        ..Default::default()
    })
}

/// Replicas by hand: partitions from 0 on, each with as many brokers that exist, none twice.
fn assigned(
    state: &ClusterState,
    assignments: &[CreatableReplicaAssignment],
) -> Result<Vec<Int32Array>, ErrorCode> {
    let mut sorted: Vec<_> = assignments.iter().collect();
    sorted.sort_by_key(|assignment| assignment.partition_index);
    let replication_factor = sorted.first().map_or(0, |first| first.broker_ids.len());
    let is_valid = |(index, assignment): (i32, &&CreatableReplicaAssignment)| {
        let brokers = assignment.broker_ids.as_slice();
        let is_broker = |id: &i32| state.brokers.contains_key(&BrokerId(*id));
        let is_once = |id: &&i32| brokers.iter().filter(|other| other == id).count() == 1;
        assignment.partition_index == index
            && !brokers.is_empty()
            && brokers.len() == replication_factor
            && brokers.len() <= state.brokers.len()
            && brokers.iter().all(is_broker)
            && brokers.iter().all(|id| is_once(&id))
    };
    if !(0..).zip(&sorted).all(is_valid) {
        return Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    }
    Ok(sorted.into_iter().map(|assignment| assignment.broker_ids.clone()).collect())
}

fn failed(topic: &CreatableTopic, error_code: ErrorCode) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name.clone(),
        error_code,
        error_message: error_code.name().map(Into::into),
        ..Default::default()
    }
}
