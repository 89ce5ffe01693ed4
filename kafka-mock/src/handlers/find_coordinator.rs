//! FindCoordinator: which broker looks after a group or a transactional id.

use kafka_protocol::messages::FindCoordinatorRequest;
use kafka_protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use kafka_protocol::{ErrorCode, KafkaString};

use super::{Answer, Call};
use crate::state::ClusterState;

/// First version that asks for several keys at once (KIP-699).
const SEVERAL_FROM: i16 = 4;
/// Groups and transactional ids; share groups are not there.
const KEY_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

pub(super) fn handle(
    state: &ClusterState,
    call: &Call,
    request: &FindCoordinatorRequest,
) -> Answer {
    let find = |key: &KafkaString| find(state, call, key, request.key_type);
    let response = if call.version >= SEVERAL_FROM {
        let coordinators = request.coordinator_keys.iter().map(find).collect();
        FindCoordinatorResponse { coordinators, ..Default::default() }
    } else {
        let found = find(&request.key);
        FindCoordinatorResponse {
            error_code: found.error_code,
            error_message: found.error_message,
            node_id: found.node_id,
            host: found.host,
            port: found.port,
            ..Default::default()
        }
    };
    call.respond::<FindCoordinatorRequest>(&response)
}

fn find(state: &ClusterState, call: &Call, key: &KafkaString, key_type: i8) -> Coordinator {
    let failed = |error_code| Coordinator {
        key: key.clone(),
        node_id: -1,
        port: -1,
        error_code,
        ..Default::default()
    };
    if let Some(fault) = call.verdict.request_error() {
        return failed(fault.code);
    }
    if !KEY_TYPES.contains(&key_type) {
        return failed(ErrorCode::INVALID_REQUEST);
    }
    let broker = state.coordinator.broker_of(key, &state.broker_ids());
    let Some((id, address)) = broker.and_then(|broker| state.brokers.get_key_value(&broker)) else {
        return failed(ErrorCode::COORDINATOR_NOT_AVAILABLE);
    };
    Coordinator {
        key: key.clone(),
        node_id: id.0,
        host: address.host.clone(),
        port: address.port,
        ..Default::default()
    }
}
