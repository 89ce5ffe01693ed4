use super::*;
use kafka_protocol::VersionRange;
use kafka_protocol::messages::api_versions::{ApiVersion, FinalizedFeatureKey};
use proptest::prelude::*;

fn api(key: ApiKey, max: i16) -> ApiVersion {
    ApiVersion { api_key: key, min_version: 0, max_version: max, ..ApiVersion::default() }
}

fn answer(error_code: ErrorCode, api_keys: &[ApiVersion]) -> ApiVersionsResponse {
    ApiVersionsResponse { error_code, api_keys: api_keys.to_vec(), ..Default::default() }
}

fn version_of(step: Result<HandshakeStep, HandshakeError>) -> i16 {
    match step {
        Ok(HandshakeStep::Send(HandshakeRequest::ApiVersions { version, .. })) => version,
        other => panic!("not a request: {other:?}"),
    }
}

fn started(version_max: Option<i16>) -> Handshake {
    let config = HandshakeConfig::new().api_versions_max(version_max);
    let mut handshake = Handshake::new(config);
    let first = handshake.handle_event(HandshakeEvent::Connected);
    assert_eq!(version_of(first), version_max.unwrap_or(5));
    handshake
}

#[test]
fn a_refused_version_is_followed_by_the_highest_that_the_broker_names() {
    let versions = ApiKey::API_VERSIONS;
    let cases: [(&[ApiVersion], i16); 6] = [
        (&[api(versions, 3)], 3),
        (&[api(ApiKey::PRODUCE, 9), api(versions, 2)], 2),
        (&[], 0),
        (&[api(ApiKey::PRODUCE, 9)], 0),
        // Nonsense ends as well: the version falls with each refusal.
        (&[api(versions, 5)], 4),
        (&[api(versions, -7)], 0),
    ];
    for (named, expected) in cases {
        let refusal = answer(ErrorCode::UNSUPPORTED_VERSION, named);
        let next = started(None).handle_event(HandshakeEvent::ApiVersions(refusal));
        assert_eq!(version_of(next), expected, "{named:?}");
    }
}

#[test]
fn what_a_broker_can_do_comes_out() {
    let mut answer = answer(ErrorCode::NONE, &[api(ApiKey::METADATA, 13)]);
    answer.throttle_time_ms = 70;
    answer.finalized_features_epoch = 4;
    answer.finalized_features.push(FinalizedFeatureKey {
        name: "transaction.version".into(),
        max_version_level: 2,
        ..Default::default()
    });
    let step = started(None).handle_event(HandshakeEvent::ApiVersions(answer));
    let Ok(HandshakeStep::Ready(broker)) = step else { panic!("{step:?}") };
    assert_eq!(broker.versions.range(ApiKey::METADATA), Some(VersionRange::new(0, 13)));
    assert_eq!(broker.feature_level("transaction.version"), 2);
    assert_eq!(broker.feature_level("kraft.version"), 0);
    assert_eq!(broker.finalized_features_epoch, Some(4));
    assert_eq!(broker.throttle, Duration::from_millis(70));
}

#[test]
fn peers_that_cannot_be_used() {
    let controller = [api(ApiKey::FETCH, 17), api(ApiKey::BROKER_REGISTRATION, 4)];
    let cases = [
        (
            Some(0),
            answer(ErrorCode::UNSUPPORTED_VERSION, &[]),
            "the broker and this client have no version of ApiVersions in common",
        ),
        (
            None,
            answer(ErrorCode::NONE, &controller),
            "this is a KRaft controller's listener: use a broker's address, as in its \
             advertised.listeners",
        ),
        (
            None,
            answer(ErrorCode::REBOOTSTRAP_REQUIRED, &[]),
            "this is not the broker that was expected there: its cluster id or node id differs",
        ),
        (
            None,
            answer(ErrorCode(42), &[]),
            "the broker refused ApiVersions v5: INVALID_REQUEST (42)",
        ),
    ];
    for (version_max, answer, expected) in cases {
        let step = started(version_max).handle_event(HandshakeEvent::ApiVersions(answer));
        assert_eq!(step.unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_refusal_is_read_whatever_version_was_asked() {
    let named = answer(ErrorCode::UNSUPPORTED_VERSION, &[api(ApiKey::API_VERSIONS, 2)]);
    let frame = Frame::response::<ApiVersionsRequest>(&named, 0, 7).unwrap();
    let bare = Bytes::from_static(&[0, 0, 0, 7, 0, 35]);
    for (frame, names) in [(frame.into_bytes().slice(4..), 1), (bare, 0)] {
        for version in 0..=5 {
            let request = ApiVersionsRequest::default();
            let request = HandshakeRequest::ApiVersions { version, request };
            let (id, HandshakeEvent::ApiVersions(read)) =
                request.decode_response(frame.clone()).unwrap()
            else {
                panic!("an answer to ApiVersions is one");
            };
            assert_eq!(id, CorrelationId(7));
            assert_eq!(read.error_code, ErrorCode::UNSUPPORTED_VERSION);
            assert_eq!(read.api_keys.len(), names);
        }
    }
}

#[test]
fn a_client_says_who_it_is_in_characters_that_brokers_allow() {
    let cases =
        [("my client!", "my-client"), ("-.ä.-", "unknown"), ("", "unknown"), ("a.b-1", "a.b-1")];
    for (name, expected) in cases {
        let config = HandshakeConfig::new().client_software(name, "1.0.0+dirty");
        let config = config.expect_broker(Some("cluster".into()), Some(3));
        let step = Handshake::new(config).handle_event(HandshakeEvent::Connected);
        let Ok(HandshakeStep::Send(HandshakeRequest::ApiVersions { request, .. })) = step else {
            panic!("{step:?}");
        };
        assert_eq!(request.client_software_name, expected);
        assert_eq!(request.client_software_version, "1.0.0-dirty");
        assert_eq!((request.cluster_id, request.node_id), (Some("cluster".into()), 3));
    }
}

#[test]
fn events_out_of_turn_are_errors_and_end_it() {
    let mut handshake = Handshake::new(HandshakeConfig::new());
    let early = HandshakeEvent::ApiVersions(ApiVersionsResponse::default());
    assert_eq!(handshake.handle_event(early), Err(HandshakeError::OutOfTurn));
    let late = handshake.handle_event(HandshakeEvent::Connected);
    assert_eq!(late, Err(HandshakeError::OutOfTurn));
}

proptest! {
    #[test]
    fn any_answers_end_the_handshake(
        answers in prop::collection::vec((prop_oneof![Just(35_i16), any::<i16>()], any::<i16>()), 10),
    ) {
        let mut handshake = started(None);
        let mut asked = 6;
        for (code, max) in answers {
            let answer = answer(ErrorCode(code), &[api(ApiKey::API_VERSIONS, max)]);
            match handshake.handle_event(HandshakeEvent::ApiVersions(answer)) {
                Ok(HandshakeStep::Send(HandshakeRequest::ApiVersions { version, .. })) => {
                    prop_assert!(version < asked && version >= 0);
                    asked = version;
                }
                _ => return Ok(()),
            }
        }
        prop_assert!(false, "the handshake goes on for ever");
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let request = ApiVersionsRequest::default();
        let request = HandshakeRequest::ApiVersions { version: 5, request };
        let _ = request.decode_response(bytes.into());
    }
}
