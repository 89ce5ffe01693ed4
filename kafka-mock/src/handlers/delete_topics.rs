//! DeleteTopics, by name or by id.

use std::collections::BTreeMap;

use kafka_protocol::messages::DeleteTopicsRequest;
use kafka_protocol::messages::delete_topics::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsResponse,
};
use kafka_protocol::{ErrorCode, KafkaString, Uuid};

use super::{Answer, Call};
use crate::faults::Target;
use crate::state::ClusterState;

/// First version with ids.
const TOPIC_ID_FROM: i16 = 6;

pub(super) fn handle(
    state: &mut ClusterState,
    call: &Call,
    request: &DeleteTopicsRequest,
) -> Answer {
    let asked: Vec<(Option<&KafkaString>, Uuid)> = if call.version >= TOPIC_ID_FROM {
        request.topics.iter().map(|topic| (topic.name.as_ref(), topic.topic_id)).collect()
    } else {
        request.topic_names.iter().map(|name| (Some(name), Uuid::ZERO)).collect()
    };
    let mut counts = BTreeMap::new();
    for topic in &asked {
        *counts.entry(*topic).or_insert(0) += 1;
    }
    let mut responses = Vec::with_capacity(counts.len());
    for (name, id) in asked {
        responses.push(match counts.remove(&(name, id)) {
            Some(1) => delete(state, call, name, id),
            Some(_) => answer(name.cloned(), id, ErrorCode::INVALID_REQUEST),
            // One that comes twice is answered once.
            None => continue,
        });
    }
    let response = DeleteTopicsResponse { responses, ..Default::default() };
    call.respond::<DeleteTopicsRequest>(&response)
}

pub(super) fn targets(state: &ClusterState, request: &DeleteTopicsRequest) -> Vec<Target> {
    let name = |topic: &DeleteTopicState| match &topic.name {
        Some(name) => Some(name.to_string()),
        None => state.topics.name_of(topic.topic_id).map(str::to_owned),
    };
    let names = request.topic_names.iter().map(ToString::to_string);
    names.chain(request.topics.iter().filter_map(name)).map(|name| (name, None)).collect()
}

fn delete(
    state: &mut ClusterState,
    call: &Call,
    name: Option<&KafkaString>,
    id: Uuid,
) -> DeletableTopicResult {
    if name.is_some() != id.is_zero() {
        return answer(name.cloned(), id, ErrorCode::INVALID_REQUEST);
    }
    let (name, id) = match state.topics.resolve(id, name.map_or("", |name| name)) {
        Ok(topic) => (topic.name.clone(), topic.id),
        Err(error) => return answer(name.cloned(), id, error),
    };
    let fault = call.verdict.error(&name, None);
    if fault.is_none_or(|fault| fault.is_applied) {
        state.topics.remove(&name);
        state.may_wake_fetches = true;
    }
    answer(Some(name), id, fault.map_or(ErrorCode::NONE, |fault| fault.code))
}

fn answer(
    name: Option<KafkaString>,
    topic_id: Uuid,
    error_code: ErrorCode,
) -> DeletableTopicResult {
    DeletableTopicResult { name, topic_id, error_code, ..Default::default() }
}
