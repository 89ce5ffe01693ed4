//! From an open connection to one that takes requests.
//!
//! ```text
//!        Connected              answer: the versions of all APIs
//!  New ───────────► Asking(v) ───────────────────────────────────► Done
//!                     │  ▲ │
//!                     └──┘ │ any other error, a controller, garbage
//!   UNSUPPORTED_VERSION:   └──────────────────────────────────────► Done, with an error
//!   again with a lower v
//! ```
//!
//! A client does not know which versions of ApiVersions a broker has, so it asks in its highest; a
//! broker that does not know that one says so in the form of version 0, and names the versions that
//! it does know (KIP-511). Authentication will stand between the last answer and `Done`.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use kafka_protocol::{ApiKey, BrokerVersions, DecodeError, DecodeLimits, EncodeError, ErrorCode};
use kafka_protocol::{Frame, KafkaString, Message, Request, ResponseHeader};

use crate::HandshakeError;
use crate::core::CorrelationId;

/// What a client tells of itself, and what it expects of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandshakeConfig {
    software_name: KafkaString,
    software_version: KafkaString,
    cluster_id: Option<KafkaString>,
    node_id: i32,
    version_max: i16,
}

impl HandshakeConfig {
    /// This crate's name and version, any broker, the highest version of ApiVersions.
    pub fn new() -> Self {
        Self {
            software_name: KafkaString::from_static(CLIENT_SOFTWARE_NAME),
            software_version: sanitize(env!("CARGO_PKG_VERSION")),
            cluster_id: None,
            node_id: ANY_NODE,
            version_max: ApiVersionsRequest::STABLE_VERSIONS.max,
        }
    }

    /// The name and version of the software above this crate, for the broker's metrics (KIP-511).
    /// Characters that Kafka does not allow there become `-`.
    #[must_use]
    pub fn client_software(self, name: &str, version: &str) -> Self {
        Self { software_name: sanitize(name), software_version: sanitize(version), ..self }
    }

    /// The broker that is expected there: one with another cluster or node id answers
    /// REBOOTSTRAP_REQUIRED (KIP-1242). Brokers that do not know this do not check it.
    #[must_use]
    pub fn expect_broker(self, cluster_id: Option<KafkaString>, node_id: Option<i32>) -> Self {
        Self { cluster_id, node_id: node_id.unwrap_or(ANY_NODE), ..self }
    }

    /// The version of ApiVersions to begin with, if not the highest; see
    /// [`BrokerConnection::api_versions_max`](crate::BrokerConnection::api_versions_max).
    #[must_use]
    pub fn api_versions_max(self, version: Option<i16>) -> Self {
        let known = ApiVersionsRequest::STABLE_VERSIONS;
        let version_max = version.unwrap_or(known.max).clamp(known.min, known.max);
        Self { version_max, ..self }
    }
}

impl Default for HandshakeConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// The handshake of one connection.
///
/// ```
/// # use kafka_net::*;
/// # use kafka_protocol::{ApiKey, messages::{ApiVersionsResponse, api_versions::ApiVersion}};
/// let mut handshake = Handshake::new(HandshakeConfig::new());
/// let HandshakeStep::Send(request) = handshake.handle_event(HandshakeEvent::Connected)? else {
///     panic!("a handshake begins with a request");
/// };
/// let frame = request.to_frame(CorrelationId(0), None);
/// // … write the frame, read the answer …
/// # let metadata = ApiVersion { api_key: ApiKey::METADATA, max_version: 13, ..Default::default() };
/// # let answer = ApiVersionsResponse { api_keys: vec![metadata], ..Default::default() };
/// # let HandshakeRequest::ApiVersions { version, .. } = &request else { panic!() };
/// # let answer = kafka_protocol::Frame::response::<kafka_protocol::messages::ApiVersionsRequest>(
/// #     &answer, *version, 0).unwrap().into_bytes().slice(4..);
/// let (correlation_id, event) = request.decode_response(answer).unwrap();
/// let HandshakeStep::Ready(broker) = handshake.handle_event(event)? else { panic!() };
/// assert!(broker.versions.range(ApiKey::METADATA).is_some());
/// # Ok::<(), kafka_net::HandshakeError>(())
/// ```
#[derive(Debug)]
pub struct Handshake {
    config: HandshakeConfig,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Asking { version: i16 },
    Done,
}

/// What happens to a handshake.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum HandshakeEvent {
    /// The transport is up.
    Connected,
    /// The answer to [`HandshakeRequest::ApiVersions`].
    ApiVersions(ApiVersionsResponse),
}

/// What a handshake wants next.
#[derive(Debug, Clone, PartialEq)]
pub enum HandshakeStep {
    /// Send this, and come back with the answer.
    Send(HandshakeRequest),
    /// The connection takes requests.
    Ready(BrokerCapabilities),
}

/// A request of the handshake, with the version to send it in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeRequest {
    /// Which versions of which APIs the broker has.
    ApiVersions {
        /// Version to send.
        version: i16,
        /// The request.
        request: ApiVersionsRequest,
    },
}

/// What a broker can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerCapabilities {
    /// The versions of its APIs.
    pub versions: BrokerVersions,
    /// The features that the cluster has agreed on (KIP-584), such as `transaction.version`.
    pub finalized_features: Vec<FinalizedFeature>,
    /// Grows when the finalized features change; `None` if the broker did not say.
    pub finalized_features_epoch: Option<i64>,
    /// How long the broker wants no requests (KIP-219).
    pub throttle: Duration,
}

impl BrokerCapabilities {
    /// The level that the cluster has agreed on for a feature, 0 if for none.
    pub fn feature_level(&self, name: &str) -> i16 {
        let feature = self.finalized_features.iter().find(|feature| feature.name == name);
        feature.map_or(0, |feature| feature.level)
    }
}

/// A feature that the cluster has agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalizedFeature {
    /// Its name.
    pub name: String,
    /// The level that is in use.
    pub level: i16,
}

impl Handshake {
    /// The handshake of a connection that is being opened.
    pub fn new(config: HandshakeConfig) -> Self {
        Self { config, state: State::New }
    }

    /// Takes what happened, and says what to do next.
    ///
    /// # Errors
    /// If the peer cannot be used; the connection has to be closed.
    pub fn handle_event(&mut self, event: HandshakeEvent) -> Result<HandshakeStep, HandshakeError> {
        let (next, step) = match (self.state, event) {
            (State::New, HandshakeEvent::Connected) => self.ask(self.config.version_max),
            (State::Asking { version }, HandshakeEvent::ApiVersions(answer)) => {
                match answer.error_code {
                    ErrorCode::NONE => (State::Done, capabilities(&answer)),
                    ErrorCode::UNSUPPORTED_VERSION if version > 0 => {
                        self.ask(lower_version(version, &answer))
                    }
                    error => (State::Done, Err(refusal(version, error))),
                }
            }
            (State::New | State::Done, HandshakeEvent::ApiVersions(_))
            | (State::Asking { .. } | State::Done, HandshakeEvent::Connected) => {
                (State::Done, Err(HandshakeError::OutOfTurn))
            }
        };
        self.state = next;
        step
    }

    fn ask(&self, version: i16) -> (State, Result<HandshakeStep, HandshakeError>) {
        let request = ApiVersionsRequest {
            client_software_name: self.config.software_name.clone(),
            client_software_version: self.config.software_version.clone(),
            cluster_id: self.config.cluster_id.clone(),
            node_id: self.config.node_id,
            ..ApiVersionsRequest::default()
        };
        let request = HandshakeRequest::ApiVersions { version, request };
        (State::Asking { version }, Ok(HandshakeStep::Send(request)))
    }
}

impl HandshakeRequest {
    /// The request as a frame.
    ///
    /// # Errors
    /// A client id of more than 32,767 bytes.
    pub fn to_frame(
        &self,
        correlation_id: CorrelationId,
        client_id: Option<KafkaString>,
    ) -> Result<Frame, EncodeError> {
        match self {
            Self::ApiVersions { version, request } => {
                Frame::request(request, *version, correlation_id.0, client_id)
            }
        }
    }

    /// Reads the answer from a frame (behind its size). Other than
    /// [`decode_response`](kafka_protocol::decode_response) this reads the answer of a broker that
    /// does not know the version, which is in the form of version 0.
    ///
    /// # Errors
    /// Bytes that are no answer to this request.
    pub fn decode_response(
        &self,
        mut frame: Bytes,
    ) -> Result<(CorrelationId, HandshakeEvent), DecodeError> {
        match self {
            Self::ApiVersions { version, .. } => {
                let header = ResponseHeader::decode(&mut frame, API_VERSIONS_HEADER)?;
                let answer = decode_api_versions(frame, *version)?;
                let id = CorrelationId(header.correlation_id);
                Ok((id, HandshakeEvent::ApiVersions(answer)))
            }
        }
    }
}

/// The error code comes first in every version.
fn decode_api_versions(mut body: Bytes, version: i16) -> Result<ApiVersionsResponse, DecodeError> {
    let is_refused = body.starts_with(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes());
    if !is_refused {
        return ApiVersionsResponse::decode_with(&mut body, version, &DecodeLimits::default());
    }
    let refusal = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION,
        ..ApiVersionsResponse::default()
    };
    // A broker that says no more than that it does not know the version has said enough.
    Ok(ApiVersionsResponse::decode_with(&mut body, 0, &DecodeLimits::default()).unwrap_or(refusal))
}

/// The highest version that the refusal allows; always below the one that was refused.
fn lower_version(refused: i16, answer: &ApiVersionsResponse) -> i16 {
    let theirs = answer.api_keys.iter().find(|api| api.api_key == ApiKey::API_VERSIONS);
    theirs.map_or(0, |api| api.max_version).clamp(0, refused - 1)
}

fn capabilities(answer: &ApiVersionsResponse) -> Result<HandshakeStep, HandshakeError> {
    let versions = BrokerVersions::from(answer);
    // A controller is the only one that takes registrations of brokers, and has no Metadata.
    let has = |key| versions.range(key).is_some();
    if has(ApiKey::BROKER_REGISTRATION) && !has(ApiKey::METADATA) {
        return Err(HandshakeError::Controller);
    }
    let features = answer.finalized_features.iter().map(|feature| FinalizedFeature {
        name: feature.name.as_str().to_owned(),
        level: feature.max_version_level,
    });
    let epoch = answer.finalized_features_epoch;
    Ok(HandshakeStep::Ready(BrokerCapabilities {
        finalized_features: features.collect(),
        finalized_features_epoch: (epoch >= 0).then_some(epoch),
        throttle: Duration::from_millis(answer.throttle_time_ms.max(0).unsigned_abs().into()),
        versions,
    }))
}

fn refusal(version: i16, error: ErrorCode) -> HandshakeError {
    match error {
        ErrorCode::UNSUPPORTED_VERSION => HandshakeError::NoCommonVersion,
        ErrorCode::REBOOTSTRAP_REQUIRED => HandshakeError::WrongBroker,
        error => HandshakeError::Refused { version, error },
    }
}

/// Letters, digits, dots and hyphens, with a letter or digit at both ends (KIP-511); brokers refuse
/// anything else.
fn sanitize(name: &str) -> KafkaString {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = name.chars().take(SOFTWARE_LEN_MAX).map(allowed).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { KafkaString::from_static("unknown") } else { name.into() }
}

/// The name that brokers see in their metrics, unless the software above has one of its own.
pub const CLIENT_SOFTWARE_NAME: &str = "kafka-net-rust";

/// Whatever the version of ApiVersions (KIP-511).
const API_VERSIONS_HEADER: i16 = 0;
const ANY_NODE: i32 = -1;
const SOFTWARE_LEN_MAX: usize = 100;

#[cfg(test)]
mod tests;
