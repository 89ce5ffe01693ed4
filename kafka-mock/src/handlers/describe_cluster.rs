//! DescribeCluster: the brokers, for admin clients.

use kafka_protocol::ErrorCode;
use kafka_protocol::messages::DescribeClusterRequest;
use kafka_protocol::messages::describe_cluster::{DescribeClusterBroker, DescribeClusterResponse};

use super::{Answer, CLUSTER_OPERATIONS, Call};
use crate::state::ClusterState;

/// Endpoint types of the request (KIP-919).
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(super) fn handle(
    state: &ClusterState,
    call: &Call,
    request: &DescribeClusterRequest,
) -> Answer {
    let error_code = match (call.verdict.request_error(), request.endpoint_type) {
        (Some(fault), _) => fault.code,
        (None, BROKERS) => ErrorCode::NONE,
        (None, CONTROLLERS) => ErrorCode::MISMATCHED_ENDPOINT_TYPE,
        (None, _) => ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
    };
    if !error_code.is_none() {
        let response = DescribeClusterResponse { error_code, ..Default::default() };
        return call.respond::<DescribeClusterRequest>(&response);
    }
    let brokers = state.brokers.iter().map(|(id, address)| DescribeClusterBroker {
        broker_id: id.0,
        host: address.host.clone(),
        port: address.port,
        ..Default::default()
    });
    let response = DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: state.cluster_id.clone(),
        controller_id: state.controller_id(),
        brokers: brokers.collect(),
        cluster_authorized_operations: match request.include_cluster_authorized_operations {
            true => CLUSTER_OPERATIONS,
            false => i32::MIN,
        },
        ..Default::default()
    };
    call.respond::<DescribeClusterRequest>(&response)
}
