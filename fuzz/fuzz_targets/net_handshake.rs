//! Input: what a client wants of a broker, and what the peer answers: real answers, damaged ones and
//! arbitrary bytes, made by the `arbitrary` crate.
//!
//! The handshake ends after a few requests, each in a lower version than the one before, with a ready
//! connection or an error that says why. Reading an answer takes no more memory than its length
//! allows.

#![no_main]

use bytes::{Buf, Bytes};
use kafka_net::{
    BrokerCapabilities, CorrelationId, Handshake, HandshakeConfig, HandshakeError, HandshakeEvent,
    HandshakeRequest, HandshakeStep,
};
use kafka_protocol::messages::api_versions::{ApiVersion, FinalizedFeatureKey};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, ProduceRequest,
};
use kafka_protocol::{
    ApiKey, DecodeLimits, ErrorCode, Frame, KafkaString, Message, Request, RequestHeader,
};
use kafka_protocol_fuzz::allocating_at_most;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    software: Option<(&'a str, &'a str)>,
    cluster_id: Option<&'a str>,
    node_id: Option<i32>,
    version_max: Option<i16>,
    client_id: Option<&'a str>,
    steps: Vec<Step<'a>>,
}

#[derive(Debug, Arbitrary)]
enum Step<'a> {
    Answer(Answer, Damage),
    Bytes(&'a [u8]),
    /// Out of turn.
    Connected,
}

#[derive(Debug, Arbitrary)]
struct Answer {
    correlation_id: i32,
    error: AnswerError,
    /// The version to write it in, if not the one that was asked for.
    version: Option<u8>,
    /// API key, lowest and highest version.
    apis: Vec<(u8, i16, i16)>,
    features: Vec<(char, i16)>,
    epoch: i64,
    throttle_ms: i32,
}

#[derive(Debug, Arbitrary)]
enum AnswerError {
    None,
    UnsupportedVersion,
    Other(i16),
}

#[derive(Debug, Arbitrary)]
struct Damage {
    /// Where, and which bits.
    flips: Vec<(u16, u8)>,
    length: Option<u16>,
}

fuzz_target!(|input: Input<'_>| {
    let mut handshake = Handshake::new(config(&input));
    let step = handshake.handle_event(HandshakeEvent::Connected);
    let Ok(HandshakeStep::Send(mut request)) = step else { panic!("{step:?}") };
    let mut asked = check_request(&request, &input);
    for step in &input.steps {
        let Some(event) = event(step, &request, asked) else { continue };
        match handshake.handle_event(event) {
            Ok(HandshakeStep::Send(next)) => {
                let version = check_request(&next, &input);
                assert!(version < asked, "v{version} after v{asked}");
                (request, asked) = (next, version);
            }
            Ok(HandshakeStep::Ready(broker)) => return check_end(&mut handshake, Ok(broker)),
            Err(error) => return check_end(&mut handshake, Err(error)),
        }
    }
});

fn config(input: &Input<'_>) -> HandshakeConfig {
    let cluster_id = input.cluster_id.map(KafkaString::from);
    let config = HandshakeConfig::new()
        .expect_broker(cluster_id, input.node_id)
        .api_versions_max(input.version_max);
    match input.software {
        Some((name, version)) => config.client_software(name, version),
        None => config,
    }
}

/// What a broker reads of a request, and the version that it is in.
fn check_request(request: &HandshakeRequest, input: &Input<'_>) -> i16 {
    let HandshakeRequest::ApiVersions { version, request: sent } = request else {
        panic!("a request of another kind: {request:?}")
    };
    assert!(ApiVersionsRequest::STABLE_VERSIONS.contains(*version));
    let client_id = input.client_id.map(KafkaString::from);
    let frame = request.to_frame(CorrelationId(7), client_id.clone()).expect("a short client id");
    let mut frame = frame.into_bytes();
    assert_eq!(frame.get_i32() as usize, frame.len(), "the frame's size");
    let header = RequestHeader::decode(&mut frame).expect("every frame has a header");
    assert_eq!((header.api_key, header.api_version), (ApiKey::API_VERSIONS, *version));
    assert_eq!((header.correlation_id, header.client_id), (7, client_id));
    let read = ApiVersionsRequest::decode(&mut frame, *version).expect("we have written it");
    assert!(frame.is_empty());
    if *version >= 3 {
        for name in [&read.client_software_name, &read.client_software_version] {
            assert!(is_software(name), "brokers refuse {name:?} (KIP-511)");
        }
        assert_eq!(read.client_software_name, sent.client_software_name);
    }
    *version
}

/// What Kafka allows: letters, digits, dots and hyphens, the last two not at the ends.
fn is_software(name: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    is_end(name.chars().next())
        && is_end(name.chars().next_back())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
}

/// What the handshake is told, unless the answer cannot be read.
fn event(step: &Step<'_>, request: &HandshakeRequest, asked: i16) -> Option<HandshakeEvent> {
    let frame = match step {
        Step::Answer(answer, damage) => damage.apply(answer.frame(asked)?.to_vec()),
        Step::Bytes(bytes) => Bytes::copy_from_slice(bytes),
        Step::Connected => return Some(HandshakeEvent::Connected),
    };
    // An answer that refuses the version is looked at twice.
    let limit = 2 * (ApiVersionsResponse::MEMORY_PER_BYTE * frame.len() + DecodeLimits::SLACK);
    let decoded = allocating_at_most(limit, || request.decode_response(frame.clone()));
    match decoded {
        Ok((id, event)) => {
            assert!(frame.starts_with(&id.0.to_be_bytes()), "another correlation id");
            Some(event)
        }
        Err(error) => {
            assert!(error.offset() <= frame.len(), "{error}");
            None
        }
    }
}

impl Answer {
    /// Without the size, as codecs give it; `None` where the version cannot carry the answer.
    fn frame(&self, asked: i16) -> Option<Bytes> {
        let (error_code, version) = match self.error {
            AnswerError::None => (ErrorCode::NONE, asked),
            AnswerError::UnsupportedVersion => (ErrorCode::UNSUPPORTED_VERSION, 0),
            AnswerError::Other(code) => (ErrorCode(code), asked),
        };
        let version = self.version.map_or(version, |version| i16::from(version % 6));
        let apis = self.apis.iter().map(|&(key, min_version, max_version)| ApiVersion {
            api_key: ApiKey(key.into()),
            min_version,
            max_version,
            ..ApiVersion::default()
        });
        let features = self.features.iter().map(|&(name, level)| FinalizedFeatureKey {
            name: name.to_string().into(),
            max_version_level: level,
            ..FinalizedFeatureKey::default()
        });
        let answer = ApiVersionsResponse {
            error_code,
            api_keys: apis.collect(),
            throttle_time_ms: self.throttle_ms,
            finalized_features: features.collect(),
            finalized_features_epoch: self.epoch,
            ..ApiVersionsResponse::default()
        };
        let id = self.correlation_id;
        let frame = Frame::response::<ApiVersionsRequest>(&answer, version, id).ok()?;
        Some(frame.into_bytes().slice(4..))
    }
}

impl Damage {
    fn apply(&self, mut frame: Vec<u8>) -> Bytes {
        for (at, bits) in &self.flips {
            let at = usize::from(*at) % frame.len();
            frame[at] ^= bits;
        }
        frame.truncate(self.length.map_or(frame.len(), usize::from));
        frame.into()
    }
}

/// The end is the end: nothing that comes later counts.
fn check_end(handshake: &mut Handshake, end: Result<BrokerCapabilities, HandshakeError>) {
    match end {
        Ok(broker) => check_broker(&broker),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    let late = HandshakeEvent::ApiVersions(ApiVersionsResponse::default());
    for event in [late, HandshakeEvent::Connected] {
        assert_eq!(handshake.handle_event(event), Err(HandshakeError::OutOfTurn));
    }
}

/// A version is negotiated only where both sides have it.
fn check_broker(broker: &BrokerCapabilities) {
    fn check<R: Request>(broker: &BrokerCapabilities) {
        match broker.versions.negotiate::<R>() {
            Ok(version) => {
                assert!(R::STABLE_VERSIONS.contains(version));
                let announced = broker.versions.range(R::KEY);
                assert!(announced.is_some_and(|announced| announced.contains(version)));
            }
            Err(mismatch) => assert!(!mismatch.to_string().is_empty()),
        }
    }
    check::<MetadataRequest>(broker);
    check::<ProduceRequest>(broker);
    for feature in &broker.finalized_features {
        let level = broker.feature_level(&feature.name);
        assert!(
            broker.finalized_features.iter().any(|f| f.name == feature.name && f.level == level)
        );
    }
    assert!(broker.finalized_features_epoch.is_none_or(|epoch| epoch >= 0));
}
