//! ApiVersions: which requests the cluster takes.

use kafka_protocol::messages::api_versions::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::{ApiKey, ErrorCode, VersionRange};

use super::{Answer, Call};
use crate::state::ClusterState;

/// First version that names the client's software (KIP-511).
const SOFTWARE_NAME_FROM: i16 = 3;

pub(super) fn handle(state: &ClusterState, call: &Call, request: &ApiVersionsRequest) -> Answer {
    let error_code = check(state, call, request);
    let api_keys = match error_code {
        ErrorCode::NONE => state.announced(call.broker).ranges().iter().map(announce).collect(),
        _ => Vec::new(),
    };
    let response = ApiVersionsResponse { error_code, api_keys, ..Default::default() };
    call.respond::<ApiVersionsRequest>(&response)
}

/// The answer to a version that is not there: error 35, with the versions of this API alone, so that
/// the client can ask again. Brokers before 2.4 do not tell them, and the client asks with version 0.
pub(super) fn unsupported(state: &ClusterState, call: &Call) -> Answer {
    let own = state.announced(call.broker).range(ApiKey::API_VERSIONS);
    let told = own.filter(|range| range.max >= SOFTWARE_NAME_FROM);
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        api_keys: told.map(|range| announce(&(ApiKey::API_VERSIONS, range))).into_iter().collect(),
        ..Default::default()
    };
    call.respond::<ApiVersionsRequest>(&response)
}

fn check(state: &ClusterState, call: &Call, request: &ApiVersionsRequest) -> ErrorCode {
    if let Some(fault) = call.verdict.request_error() {
        return fault.code;
    }
    let names = [&request.client_software_name, &request.client_software_version];
    if call.version >= SOFTWARE_NAME_FROM && !names.into_iter().all(|name| is_software_name(name)) {
        return ErrorCode::INVALID_REQUEST;
    }
    // KIP-1242: the client may have reached another broker, or another cluster, than it believes.
    match (&request.cluster_id, request.node_id) {
        (None, -1) => ErrorCode::NONE,
        (None, _) | (_, -1) => ErrorCode::INVALID_REQUEST,
        (Some(cluster), node) if *cluster == state.cluster_id && node == call.broker.0 => {
            ErrorCode::NONE
        }
        _ => ErrorCode::REBOOTSTRAP_REQUIRED,
    }
}

/// Letters, digits, `-` and `.`, beginning and ending with a letter or digit.
fn is_software_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.bytes().all(is_legal)
        && ends.iter().all(|end| end.is_some_and(|b| b.is_ascii_alphanumeric()))
}

fn announce((api_key, range): &(ApiKey, VersionRange)) -> ApiVersion {
    ApiVersion {
        api_key: *api_key,
        min_version: range.min,
        max_version: range.max,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_judged_as_kafka_judges_them() {
        for name in ["a", "apache-kafka-java", "4.4.0", "x--9"] {
            assert!(is_software_name(name), "{name}");
        }
        for name in ["", "-a", "a-", "a b", "a_b", ".", "ä"] {
            assert!(!is_software_name(name), "{name}");
        }
    }
}
