//! InitProducerId: a producer id, and an epoch that fences older producers.

use kafka_protocol::ErrorCode;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Answer, Call};
use crate::coordinator::ProducerIdAndEpoch;
use crate::state::ClusterState;

/// First version that knows PRODUCER_FENCED; older ones get INVALID_PRODUCER_EPOCH (KIP-588).
const PRODUCER_FENCED_FROM: i16 = 4;

pub(super) fn handle(
    state: &mut ClusterState,
    call: &Call,
    request: &InitProducerIdRequest,
) -> Answer {
    let response = match init(state, call, request) {
        Ok(ProducerIdAndEpoch { producer_id, epoch: producer_epoch }) => {
            InitProducerIdResponse { producer_id, producer_epoch, ..Default::default() }
        }
        Err(error_code) => InitProducerIdResponse {
            error_code: match error_code {
                ErrorCode::PRODUCER_FENCED if call.version < PRODUCER_FENCED_FROM => {
                    ErrorCode::INVALID_PRODUCER_EPOCH
                }
                other => other,
            },
            producer_id: -1,
            producer_epoch: -1,
            ..Default::default()
        },
    };
    call.respond::<InitProducerIdRequest>(&response)
}

fn init(
    state: &mut ClusterState,
    call: &Call,
    request: &InitProducerIdRequest,
) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let fault = call.verdict.request_error();
    match fault {
        Some(fault) if !fault.is_applied => return Err(fault.code),
        _ => {}
    }
    if let Some(id) = request.transactional_id.as_deref().filter(|id| !id.is_empty()) {
        let coordinator = state.coordinator.broker_of(id, &state.broker_ids());
        if coordinator != Some(call.broker) {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
    }
    let given = state.coordinator.init_producer_id(request)?;
    match fault {
        Some(fault) => Err(fault.code),
        None => Ok(given),
    }
}
