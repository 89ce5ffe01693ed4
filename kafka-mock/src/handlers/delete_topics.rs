//! DeleteTopics, by name or by id.

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
    let responses = if call.version >= TOPIC_ID_FROM {
        let topics = request.topics.iter();
        topics.map(|topic| delete(state, call, topic.name.as_ref(), topic.topic_id)).collect()
    } else {
        let names = request.topic_names.iter();
        names.map(|name| delete(state, call, Some(name), Uuid::ZERO)).collect()
    };
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
    let answer = |name: Option<KafkaString>, id, error_code: ErrorCode| DeletableTopicResult {
        name,
        topic_id: id,
        error_code,
        ..Default::default()
    };
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
