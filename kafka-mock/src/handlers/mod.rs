//! One file an API: a request and the cluster in, an answer out.

mod api_versions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod fetch;
mod find_coordinator;
mod init_producer_id;
mod list_offsets;
mod metadata;
mod produce;
mod topic_configs;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::{ApiKey, Frame, Request};

use crate::BrokerId;
use crate::faults::{Target, Verdict};
use crate::journal::CloseReason;
use crate::request::RequestBody;
use crate::state::ClusterState;

/// What a handler knows of a request besides its body.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) now: Instant,
    pub(crate) broker: BrokerId,
    pub(crate) api: ApiKey,
    /// Version of the answer, and of the request unless nobody knows that one.
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    /// When its answer may leave at the earliest.
    pub(crate) answer_at: Instant,
    pub(crate) verdict: Verdict,
}

/// What a handler gives.
#[derive(Debug)]
pub(crate) enum Answer {
    /// An answer, as pieces with its size field.
    Send(Vec<Bytes>),
    /// None, and none is expected.
    Nothing,
    /// Close the connection.
    Close(CloseReason),
    /// Try again when there is more to read, or after this time.
    Wait(Box<FetchRequest>, Duration),
}

/// What a client may do to a topic, and to the cluster, where nothing is forbidden: a bit for each of
/// Java's `AclOperation`s that there is.
const TOPIC_OPERATIONS: i32 = 0x0df8;
const CLUSTER_OPERATIONS: i32 = 0x1fa0;

impl Call {
    /// The answer to a request of type `R`.
    pub(crate) fn respond<R: Request>(&self, response: &R::Response) -> Answer {
        match Frame::response::<R>(response, self.version, self.correlation_id) {
            Ok(frame) => Answer::Send(frame.into_segments()),
            Err(error) => Answer::Close(CloseReason::Unanswerable(error.to_string())),
        }
    }
}

/// Handles a request whose version was announced.
pub(crate) fn handle(state: &mut ClusterState, call: &Call, body: RequestBody) -> Answer {
    match body {
        RequestBody::ApiVersions(request) => api_versions::handle(state, call, &request),
        RequestBody::CreateTopics(request) => create_topics::handle(state, call, &request),
        RequestBody::DeleteTopics(request) => delete_topics::handle(state, call, &request),
        RequestBody::DescribeCluster(request) => describe_cluster::handle(state, call, &request),
        RequestBody::Fetch(request) => fetch::handle(state, call, Box::new(request)),
        RequestBody::FindCoordinator(request) => find_coordinator::handle(state, call, &request),
        RequestBody::InitProducerId(request) => init_producer_id::handle(state, call, &request),
        RequestBody::ListOffsets(request) => list_offsets::handle(state, call, &request),
        RequestBody::Metadata(request) => metadata::handle(state, call, &request),
        RequestBody::Produce(request) => produce::handle(state, call, request),
        RequestBody::UnknownApiVersions => api_versions::unsupported(state, call),
        RequestBody::Malformed(reason) => Answer::Close(CloseReason::Malformed(reason)),
    }
}

/// Handles a request whose version was not announced: only ApiVersions gets an answer (KIP-511).
pub(crate) fn handle_unsupported(state: &ClusterState, call: &Call) -> Answer {
    match state.announced(call.broker).range(call.api) {
        Some(_) if call.api == ApiKey::API_VERSIONS => api_versions::unsupported(state, call),
        _ => Answer::Close(CloseReason::UnsupportedVersion),
    }
}

/// Tries a Fetch again that waited; `is_over` if it has waited for as long as it wanted.
pub(crate) fn retry_fetch(
    state: &ClusterState,
    call: &Call,
    request: &FetchRequest,
    is_over: bool,
) -> Option<Answer> {
    fetch::answer(state, call, request, is_over)
}

/// The partitions that a request names, for the matchers of faults.
pub(crate) fn targets(state: &ClusterState, body: &RequestBody) -> Vec<Target> {
    match body {
        RequestBody::CreateTopics(request) => {
            request.topics.iter().map(|topic| (topic.name.to_string(), None)).collect()
        }
        RequestBody::DeleteTopics(request) => delete_topics::targets(state, request),
        RequestBody::Fetch(request) => fetch::targets(state, request),
        RequestBody::ListOffsets(request) => list_offsets::targets(request),
        RequestBody::Metadata(request) => metadata::targets(state, request),
        RequestBody::Produce(request) => produce::targets(state, &request.request),
        _ => Vec::new(),
    }
}
