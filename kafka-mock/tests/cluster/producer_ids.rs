//! InitProducerId and FindCoordinator.

use kafka_mock::{BrokerId, MockConfig};
use kafka_protocol::messages::{
    FindCoordinatorRequest, InitProducerIdRequest, InitProducerIdResponse,
};
use kafka_protocol::{ApiKey, ErrorCode, Message};

use crate::support::{Rig, batch_with, only, produce_request};

/// A cluster in which broker 1 coordinates everything.
fn rig() -> Rig {
    Rig::new(MockConfig::new().brokers(1))
}

/// What a producer asks that is idempotent and no more.
pub(crate) fn idempotent() -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        ..Default::default()
    }
}

fn transactional(id: &str) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: Some(id.into()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    }
}

fn given(response: &InitProducerIdResponse) -> (ErrorCode, i64, i16) {
    (response.error_code, response.producer_id, response.producer_epoch)
}

#[test]
fn every_version_gives_an_id_of_its_own() {
    let versions = InitProducerIdRequest::VERSIONS;
    let config = MockConfig::new().versions(ApiKey::INIT_PRODUCER_ID, versions);
    let mut rig = Rig::new(config);
    let mut seen = Vec::new();
    for version in versions.iter() {
        let (code, id, epoch) = given(&rig.ask(1, &idempotent(), version));
        assert_eq!((code, epoch), (ErrorCode::NONE, 0), "v{version}");
        assert!(id >= 0 && !seen.contains(&id));
        seen.push(id);
    }
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let ids = |seed| {
        let mut rig = Rig::new(MockConfig::new().seed(seed));
        let id = rig.ask(1, &idempotent(), 4).producer_id;
        (rig.cluster.cluster_id().to_owned(), rig.cluster.topic_id("t"), id)
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}

#[test]
fn an_unstable_version_must_be_asked_for() {
    let mut rig = rig();
    rig.ask_and_be_closed(1, &idempotent(), 6);
}

#[test]
fn a_transactional_id_keeps_its_producer_id_and_bumps_its_epoch() {
    let mut rig = rig();
    let (code, id, epoch) = given(&rig.ask(1, &transactional("x"), 5));
    assert_eq!((code, epoch), (ErrorCode::NONE, 0));
    assert_eq!(given(&rig.ask(1, &transactional("x"), 5)), (ErrorCode::NONE, id, 1));
    assert_ne!(rig.ask(1, &transactional("y"), 5).producer_id, id);
}

#[test]
fn a_bump_asked_for_twice_is_done_once_and_an_older_producer_is_fenced() {
    let mut rig = rig();
    let (_, id, _) = given(&rig.ask(1, &transactional("x"), 5));
    let at = |producer_epoch| InitProducerIdRequest {
        producer_id: id,
        producer_epoch,
        ..transactional("x")
    };
    assert_eq!(given(&rig.ask(1, &at(0), 5)), (ErrorCode::NONE, id, 1));
    assert_eq!(given(&rig.ask(1, &at(0), 5)), (ErrorCode::NONE, id, 1));
    assert_eq!(given(&rig.ask(1, &at(1), 5)), (ErrorCode::NONE, id, 2));
    assert_eq!(given(&rig.ask(1, &at(0), 5)), (ErrorCode::PRODUCER_FENCED, -1, -1));
    assert_eq!(given(&rig.ask(1, &at(0), 3)), (ErrorCode::INVALID_PRODUCER_EPOCH, -1, -1));
}

#[test]
fn a_used_up_epoch_gives_a_new_id() {
    let mut rig = rig();
    let first = rig.ask(1, &transactional("x"), 5).producer_id;
    let mut epochs = 0;
    let last = loop {
        let (_, id, epoch) = given(&rig.ask(1, &transactional("x"), 5));
        if id != first {
            break epoch;
        }
        epochs = epoch;
    };
    assert_eq!((epochs, last), (i16::MAX - 1, 0));
}

#[test]
fn wrong_wishes_are_refused() {
    let mut rig = rig();
    for (request, expected) in [
        (transactional(""), ErrorCode::INVALID_REQUEST),
        (
            InitProducerIdRequest { transaction_timeout_ms: 0, ..transactional("x") },
            ErrorCode::INVALID_TRANSACTION_TIMEOUT,
        ),
        (
            InitProducerIdRequest { transaction_timeout_ms: 900_001, ..transactional("x") },
            ErrorCode::INVALID_TRANSACTION_TIMEOUT,
        ),
        (
            InitProducerIdRequest { producer_id: 5, ..transactional("x") },
            ErrorCode::INVALID_REQUEST,
        ),
        (InitProducerIdRequest { producer_epoch: 5, ..idempotent() }, ErrorCode::INVALID_REQUEST),
    ] {
        assert_eq!(rig.ask(1, &request, 5).error_code, expected);
    }
}

#[test]
fn transactional_ids_are_bounded() {
    let mut rig = Rig::new(MockConfig::new().brokers(1).transactional_ids_max(1));
    assert_eq!(rig.ask(1, &transactional("x"), 5).error_code, ErrorCode::NONE);
    let code = rig.ask(1, &transactional("y"), 5).error_code;
    assert_eq!(code, ErrorCode::COORDINATOR_NOT_AVAILABLE);
}

#[test]
fn a_transactional_batch_is_judged_by_its_id() {
    let mut rig = rig();
    let (_, id, _) = given(&rig.ask(1, &transactional("x"), 5));
    rig.ask(1, &transactional("x"), 5);
    for (id, epoch, version, expected) in [
        (-1, -1, 12, ErrorCode::NONE),
        (id, 1, 12, ErrorCode::TRANSACTION_ABORTABLE),
        (id, 1, 10, ErrorCode::INVALID_TXN_STATE),
        (id, 0, 12, ErrorCode::INVALID_PRODUCER_EPOCH),
    ] {
        let records = batch_with(&["a"], |header| {
            header.attributes = header.attributes.with_transactional(true);
            (header.producer_id, header.producer_epoch, header.base_sequence) = (id, epoch, 0);
        });
        let mut request = produce_request("t", 0, records);
        request.transactional_id = Some("x".into());
        assert_eq!(only(rig.ask(1, &request, version)).error_code, expected);
    }
}

fn find(version: i16, key: &str, key_type: i8) -> FindCoordinatorRequest {
    let mut request = FindCoordinatorRequest { key_type, ..Default::default() };
    if version >= 4 {
        request.coordinator_keys = vec![key.into()];
    } else {
        request.key = key.into();
    }
    request
}

/// Code and broker, in either form of the answer.
fn found(rig: &mut Rig, version: i16, key: &str, key_type: i8) -> (ErrorCode, i32) {
    let response = rig.ask(1, &find(version, key, key_type), version);
    match &response.coordinators[..] {
        [] => (response.error_code, response.node_id),
        [one] => (one.error_code, one.node_id),
        _ => panic!("{response:?}"),
    }
}

#[test]
fn every_version_finds_the_same_coordinator_which_is_the_one_that_answers() {
    let mut rig = Rig::new(MockConfig::new());
    for version in FindCoordinatorRequest::VERSIONS.iter() {
        let key_type = i8::from(version > 0);
        for key in ["a", "b", "c", "d"] {
            let (code, node) = found(&mut rig, version, key, key_type);
            assert_eq!((code, node), (ErrorCode::NONE, found(&mut rig, 6, key, 1).1));
            for broker in 1..=3 {
                let code = rig.ask(broker, &transactional(key), 5).error_code;
                assert_eq!(code == ErrorCode::NOT_COORDINATOR, broker != node);
            }
        }
    }
}

#[test]
fn coordinators_move() {
    let mut rig = Rig::new(MockConfig::new());
    rig.cluster.move_coordinator("x", Some(BrokerId(3)));
    assert_eq!(found(&mut rig, 4, "x", 1), (ErrorCode::NONE, 3));
    rig.cluster.move_coordinator("x", None);
    assert_eq!(found(&mut rig, 4, "x", 1), (ErrorCode::COORDINATOR_NOT_AVAILABLE, -1));
    assert_eq!(found(&mut rig, 2, "x", 1), (ErrorCode::COORDINATOR_NOT_AVAILABLE, -1));
    assert_eq!(rig.ask(3, &transactional("x"), 5).error_code, ErrorCode::NOT_COORDINATOR);
}

#[test]
fn keys_that_make_no_sense_are_refused() {
    let mut rig = Rig::new(MockConfig::new());
    assert_eq!(found(&mut rig, 4, "x", 9).0, ErrorCode::INVALID_REQUEST);
}
