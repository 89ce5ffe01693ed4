//! Producer ids, transactional ids, and who looks after them.

use kafka_protocol::Request;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::find_coordinator::FindCoordinatorRequest;
use kafka_protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::{Script, produce_to};
use crate::batches::batch;
use crate::session::Session;

pub(super) const SCRIPTS: [Script; 6] = [
    ("producer-ids", producer_ids),
    ("transactional-ids", transactional_ids),
    ("fencing", fencing),
    ("no-open-transaction", no_open_transaction),
    ("implicit-transaction", implicit_transaction),
    ("coordinators", coordinators),
];

fn init(transactional_id: Option<&str>) -> InitProducerIdRequest {
    InitProducerIdRequest {
        transactional_id: transactional_id.map(Into::into),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    }
}

fn producer_ids(session: &mut Session<'_>) {
    // Brokers fetch ids in blocks, the first one on demand.
    session.producer_id();
    for version in InitProducerIdRequest::STABLE_VERSIONS.iter() {
        session.step(1, version, "no transactional id", &init(None));
        let request = InitProducerIdRequest { transaction_timeout_ms: 0, ..init(None) };
        session.step(1, version, "a timeout of 0", &request);
        let request = InitProducerIdRequest { transaction_timeout_ms: i32::MAX, ..init(None) };
        session.step(1, version, "the largest timeout", &request);
        if version >= EXPECTED_FROM {
            let request = |producer_id, producer_epoch| InitProducerIdRequest {
                producer_id,
                producer_epoch,
                ..init(None)
            };
            session.step(1, version, "an id and an epoch", &request(5, 3));
            session.step(1, version, "an id alone", &request(5, -1));
            session.step(1, version, "an epoch alone", &request(-1, 3));
        }
        session.step(1, version, "an empty transactional id", &init(Some("")));
    }
}

fn transactional_ids(session: &mut Session<'_>) {
    for version in InitProducerIdRequest::STABLE_VERSIONS.iter() {
        let name = session.names.full(&format!("id{version}"));
        let broker = session.coordinator(&name);
        let init = init(Some(&name));
        session.step(broker, version, "a new transactional id", &init);
        session.step(broker, version, "the same again", &init);
        for (label, transaction_timeout_ms) in
            [("0", 0), ("-1", -1), ("15 minutes", 900_000), ("longer", 900_001)]
        {
            let request = InitProducerIdRequest { transaction_timeout_ms, ..init.clone() };
            session.step(broker, version, &format!("a timeout of {label}"), &request);
        }
        let other = broker % 3 + 1;
        session.step(other, version, "not its coordinator", &init);
    }
}

/// Who names the id and the epoch that it has is told whether it still has them.
fn fencing(session: &mut Session<'_>) {
    for version in EXPECTED_FROM..=InitProducerIdRequest::STABLE_VERSIONS.max {
        let name = session.names.full(&format!("id{version}"));
        let broker = session.coordinator(&name);
        let expecting = |given: &InitProducerIdResponse| InitProducerIdRequest {
            producer_id: given.producer_id,
            producer_epoch: given.producer_epoch,
            ..init(Some(&name))
        };
        let mut ask = |label, request: &InitProducerIdRequest| {
            session.step(broker, version, label, request).unwrap()
        };
        let first = ask("a new transactional id", &init(Some(&name)));
        let second = ask("by who has it", &expecting(&first));
        ask("the same, the answer was lost", &expecting(&first));
        let third = ask("by who has it", &expecting(&second));
        ask("by who had it twice ago", &expecting(&first));
        let newer = InitProducerIdResponse { producer_epoch: 9, ..third.clone() };
        ask("by a newer epoch", &expecting(&newer));
        let other = InitProducerIdResponse { producer_id: third.producer_id + 1, ..third.clone() };
        ask("by another id", &expecting(&other));
        ask("by who has it", &expecting(&third));
        let name = session.names.full(&format!("unknown{version}"));
        let broker = session.coordinator(&name);
        let request =
            InitProducerIdRequest { producer_id: 5, producer_epoch: 3, ..init(Some(&name)) };
        session.step(broker, version, "a new one that expects something", &request);
    }
}

/// Batches of a transaction that nobody began, of every version that cannot begin one itself.
fn no_open_transaction(session: &mut Session<'_>) {
    without_transaction(session, ProduceRequest::STABLE_VERSIONS.min..IMPLICIT_FROM);
}

/// From version 12 on a batch begins a transaction (KIP-890).
fn implicit_transaction(session: &mut Session<'_>) {
    without_transaction(session, IMPLICIT_FROM..ProduceRequest::STABLE_VERSIONS.max + 1);
}

fn without_transaction(session: &mut Session<'_>, versions: std::ops::Range<i16>) {
    for version in versions {
        let topic = session.topic(&format!("t{version}"), &[1]);
        let name = session.names.full(&format!("id{version}"));
        let broker = session.coordinator(&name);
        let given = session.step(broker, 4, "a transactional id", &init(Some(&name))).unwrap();
        let (id, epoch) = (given.producer_id, given.producer_epoch);
        let send = |transactional_id: Option<&str>, records| ProduceRequest {
            transactional_id: transactional_id.map(Into::into),
            ..produce_to(&topic, 0, records, version)
        };
        let own = || batch(&["a"]).producer(id, epoch, 0).transactional().records();
        session.step(1, version, "without a transaction", &send(Some(&name), own()));
        session.step(1, version, "without its id", &send(None, own()));
        let nobody = session.names.full("nobody");
        session.step(1, version, "with an unknown id", &send(Some(&nobody), own()));
        let fenced = batch(&["a"]).producer(id, epoch + 1, 0).transactional().records();
        session.step(1, version, "of another epoch", &send(Some(&name), fenced));
        let other = batch(&["a"]).producer(id + 1000, epoch, 0).transactional().records();
        session.step(1, version, "of another producer", &send(Some(&name), other));
        let none = batch(&["a"]).transactional().records();
        session.step(1, version, "without a producer", &send(Some(&name), none));
        let plain = batch(&["plain"]).records();
        session.step(1, version, "an id, but not transactional", &send(Some(&name), plain));
        session.log(&topic);
    }
}

fn coordinators(session: &mut Session<'_>) {
    let name = session.names.full("some-id");
    session.coordinator(&name);
    for version in FindCoordinatorRequest::STABLE_VERSIONS.iter() {
        let keys = if version >= 4 { vec![name.as_str().into()] } else { Vec::new() };
        let key = if version >= 4 { Default::default() } else { name.as_str().into() };
        let request = |key_type| FindCoordinatorRequest {
            key: kafka_protocol::KafkaString::clone(&key),
            key_type,
            coordinator_keys: keys.clone(),
            ..Default::default()
        };
        if version == 0 {
            session.wait_until(|session| session.ask(1, 0, &request(0)).error_code.is_none());
        }
        session.step(1, version, "a group", &request(0));
        if version >= 1 {
            session.step(1, version, "a transactional id", &request(1));
            session.step(1, version, "a type that is not there", &request(9));
            session.step(1, version, "a negative type", &request(-1));
        }
    }
    let request = FindCoordinatorRequest {
        key_type: 1,
        coordinator_keys: vec![session.names.full("a").as_str().into(), name.as_str().into()],
        ..Default::default()
    };
    session.step(1, 4, "two ids", &request);
    let request = FindCoordinatorRequest { key_type: 1, ..Default::default() };
    session.step(1, 3, "an empty id", &request);
    session.step(1, 4, "no ids", &request);
    let request = FindCoordinatorRequest { key_type: 0, ..Default::default() };
    session.step(1, 3, "an empty group", &request);
}

/// First version whose request says what the producer has (KIP-360).
const EXPECTED_FROM: i16 = 3;
/// First Produce version that adds its partitions to the transaction (KIP-890).
const IMPLICIT_FROM: i16 = 12;
