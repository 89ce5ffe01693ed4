//! Metadata: which brokers and topics there are, and who leads what.

use std::collections::BTreeSet;

use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata::{
    MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use kafka_protocol::{ErrorCode, Int32Array, KafkaString, Uuid};

use super::{Answer, CLUSTER_OPERATIONS, Call, TOPIC_OPERATIONS};
use crate::faults::Target;
use crate::state::ClusterState;
use crate::topics::{Partition, Topic, is_valid_name};
use crate::{AutoCreate, BrokerId};

/// First version that asks by topic id (KIP-516).
const TOPIC_ID_FROM: i16 = 12;

pub(super) fn handle(state: &mut ClusterState, call: &Call, request: &MetadataRequest) -> Answer {
    let asked_for = request.topics.as_deref().unwrap_or_default();
    if let Some(error) = fault_of(asked_for, call.version) {
        return call.respond::<MetadataRequest>(&refused(asked_for, error));
    }
    let topics = match asked(request, call.version) {
        None => state.topics.iter().map(|topic| describe(state, call, topic)).collect(),
        Some(topics) => topics_asked(state, call, request, topics),
    };
    let brokers = state.brokers.iter().map(|(id, address)| MetadataResponseBroker {
        node_id: id.0,
        host: address.host.clone(),
        port: address.port,
        ..Default::default()
    });
    let mut response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(state.cluster_id.clone()),
        controller_id: state.controller_id(),
        topics,
        ..Default::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if request.include_topic_authorized_operations {
        for topic in &mut response.topics {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    call.respond::<MetadataRequest>(&response)
}

pub(super) fn targets(state: &ClusterState, request: &MetadataRequest) -> Vec<Target> {
    let Some(topics) = request.topics.as_ref().filter(|topics| !topics.is_empty()) else {
        return state.topics.iter().map(|topic| (topic.name.to_string(), None)).collect();
    };
    let name = |topic: &MetadataRequestTopic| match &topic.name {
        Some(name) if topic.topic_id.is_zero() => Some(name.to_string()),
        _ => state.topics.name_of(topic.topic_id).map(str::to_owned),
    };
    topics.iter().filter_map(name).map(|name| (name, None)).collect()
}

/// The topics that are asked for, `None` for all. Version 0 has an empty list for that.
fn asked(request: &MetadataRequest, version: i16) -> Option<&[MetadataRequestTopic]> {
    match request.topics.as_deref() {
        Some([]) if version == 0 => None,
        topics => topics,
    }
}

/// Each topic once, ascending, however often it is named: so an answer is never larger than the
/// cluster.
fn topics_asked(
    state: &mut ClusterState,
    call: &Call,
    request: &MetadataRequest,
    topics: &[MetadataRequestTopic],
) -> Vec<MetadataResponseTopic> {
    let is_id = |topic: &&MetadataRequestTopic| !topic.topic_id.is_zero();
    // If one topic is named by its id, Kafka looks at ids alone.
    if topics.iter().any(|topic| is_id(&topic)) {
        let ids: BTreeSet<Uuid> = topics.iter().filter(is_id).map(|t| t.topic_id).collect();
        return ids.into_iter().map(|id| by_its_id(state, call, id)).collect();
    }
    let may_create = request.allow_auto_topic_creation;
    let names: BTreeSet<&KafkaString> = topics.iter().filter_map(|t| t.name.as_ref()).collect();
    names.into_iter().map(|name| by_name(state, call, name, may_create)).collect()
}

/// Why a request is not looked at any further, if so: ids come with version 12, and a topic has a name
/// or an id.
fn fault_of(topics: &[MetadataRequestTopic], version: i16) -> Option<ErrorCode> {
    let by_id = topics.iter().any(|topic| !topic.topic_id.is_zero());
    let nameless = topics.iter().any(|topic| topic.name.is_none());
    match version {
        ..TOPIC_ID_FROM if by_id || nameless => Some(ErrorCode::INVALID_REQUEST),
        // Kafka does not expect it and has no better code.
        TOPIC_ID_FROM.. if nameless && !by_id => Some(ErrorCode::UNKNOWN_SERVER_ERROR),
        _ => None,
    }
}

/// The answer to such a request: what it asked for, and nothing of the cluster.
fn refused(topics: &[MetadataRequestTopic], error_code: ErrorCode) -> MetadataResponse {
    let topic = |topic: &MetadataRequestTopic| {
        failed(error_code, Some(topic.name.clone().unwrap_or_default()), topic.topic_id)
    };
    let topics = topics.iter().map(topic).collect();
    MetadataResponse { topics, controller_id: -1, error_code, ..Default::default() }
}

fn by_its_id(state: &ClusterState, call: &Call, id: Uuid) -> MetadataResponseTopic {
    match state.topics.resolve(id, "") {
        Ok(found) => describe(state, call, found),
        Err(error) => failed(error, None, id),
    }
}

fn by_name(
    state: &mut ClusterState,
    call: &Call,
    name: &KafkaString,
    may_create: bool,
) -> MetadataResponseTopic {
    if let Some(topic) = state.topics.get(name) {
        return describe(state, call, topic);
    }
    let error = if let Some(fault) = call.verdict.error(name, None) {
        fault.code
    } else if !is_valid_name(name) {
        ErrorCode::INVALID_TOPIC_EXCEPTION
    } else if may_create && state.config.auto_create != AutoCreate::Off {
        let replicas = state.default_replication_factor();
        match state.create_topic(name, state.config.default_partitions, replicas) {
            Err(error) => error,
            Ok(()) if state.config.auto_create == AutoCreate::Immediately => ErrorCode::NONE,
            Ok(()) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        }
    } else {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
    };
    match state.topics.get(name) {
        Some(topic) if error.is_none() => describe(state, call, topic),
        _ => failed(error, Some(name.clone()), Uuid::ZERO),
    }
}

fn describe(state: &ClusterState, call: &Call, topic: &Topic) -> MetadataResponseTopic {
    let whole_topic = call.verdict.error(&topic.name, None);
    let partitions = (0..).zip(&topic.partitions).map(|(index, partition)| {
        let fault = call.verdict.error(&topic.name, Some(index));
        let described = describe_partition(state, index, partition);
        match fault {
            Some(fault) => MetadataResponsePartition { error_code: fault.code, ..described },
            None => described,
        }
    });
    let partitions: Vec<_> = partitions.collect();
    // A rule for one partition fails that one; a rule for the topic fails the topic.
    let fails_everywhere = !partitions.iter().any(|partition| partition.error_code.is_none());
    MetadataResponseTopic {
        error_code: match whole_topic {
            Some(fault) if fails_everywhere => fault.code,
            _ => ErrorCode::NONE,
        },
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        partitions,
        ..Default::default()
    }
}

fn describe_partition(
    state: &ClusterState,
    index: i32,
    partition: &Partition,
) -> MetadataResponsePartition {
    let is_gone = |id: &i32| !state.brokers.contains_key(&BrokerId(*id));
    let offline: Vec<i32> = partition.replicas.iter().copied().filter(is_gone).collect();
    let real = (partition.leader_id(), partition.leader_epoch);
    let told = partition.announced.map(|(leader, epoch)| (leader.0, epoch));
    let (leader_id, leader_epoch) = told.unwrap_or(real);
    MetadataResponsePartition {
        error_code: match leader_id {
            -1 => ErrorCode::LEADER_NOT_AVAILABLE,
            _ => ErrorCode::NONE,
        },
        partition_index: index,
        leader_id,
        leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: Int32Array::from(partition.in_sync(&state.brokers)),
        offline_replicas: Int32Array::from(offline),
        ..Default::default()
    }
}

fn failed(error_code: ErrorCode, name: Option<KafkaString>, id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic { error_code, name, topic_id: id, ..Default::default() }
}
