//! Topics, partitions and leaders that are not, or not any more.

use kafka_protocol::messages::{FetchRequest, ListOffsetsRequest, ProduceRequest};
use kafka_protocol::{ErrorCode, Request, Uuid};

use super::{Script, TOPIC_ID_FROM, USUAL, produce_to};
use crate::batches::batch;
use crate::reading::{fetch_request, list_request};
use crate::session::{Session, Topic};

pub(super) const SCRIPTS: [Script; 5] = [
    ("unknown-places", unknown_places),
    ("wrong-leader", wrong_leader),
    ("moved-leader", moved_leader),
    ("stale-epochs", stale_epochs),
    ("deleted-topic", deleted_topic),
];

fn unknown_places(session: &mut Session<'_>) {
    let known = session.topic("t", &[1]);
    let nowhere = Topic { name: session.names.full("nowhere"), id: Uuid::from_u128(77) };
    for version in ProduceRequest::STABLE_VERSIONS.iter() {
        let records = || batch(&["a"]).records();
        let unknown = produce_to(&nowhere, 0, records(), version);
        session.step(1, version, "an unknown topic", &unknown);
        let partition = produce_to(&known, 1, records(), version);
        session.step(1, version, "an unknown partition", &partition);
        let partition = produce_to(&known, -1, records(), version);
        session.step(1, version, "partition -1", &partition);
        if version >= TOPIC_ID_FROM {
            let zero = Topic { name: String::new(), id: Uuid::ZERO };
            session.step(1, version, "no topic id", &produce_to(&zero, 0, records(), version));
        } else {
            for name in ["", "a/b"] {
                let topic = Topic { name: name.to_owned(), id: Uuid::ZERO };
                let request = produce_to(&topic, 0, records(), version);
                session.step(1, version, &format!("topic {name:?}"), &request);
            }
        }
    }
    session.log(&known);
}

fn wrong_leader(session: &mut Session<'_>) {
    let alone = session.topic("alone", &[1]);
    let replicated = session.replicated_topic("replicated", &[1, 2]);
    for version in ProduceRequest::STABLE_VERSIONS.iter() {
        let request = produce_to(&alone, 0, batch(&["a"]).records(), version);
        session.step(2, version, "the broker has no replica", &request);
        let request = produce_to(&replicated, 0, batch(&["a"]).records(), version);
        session.step(2, version, "the broker follows", &request);
    }
    for version in FetchRequest::STABLE_VERSIONS.iter() {
        for topic in [&alone, &replicated] {
            let request = fetch_of(topic, version, -1);
            session.step(3, version, "the broker has no replica", &request);
        }
    }
    for version in ListOffsetsRequest::STABLE_VERSIONS.iter() {
        let request = list_request(&alone.name, 0, -1, -1);
        session.step(3, version, "the broker has no replica", &request);
    }
    session.log(&alone);
}

fn moved_leader(session: &mut Session<'_>) {
    let topic = session.replicated_topic("t", &[1, 2, 3]);
    let id = session.producer_id();
    let send = |sequence: i32, version| {
        let value = sequence.to_string();
        let records = batch(&[&value]).producer(id, 0, sequence).records();
        produce_to(&topic, 0, records, version)
    };
    session.step(1, USUAL, "the first leader", &send(0, USUAL));
    session.move_leader(&topic, 0, &[2, 1, 3]);
    for version in [9, 10, 12, 13] {
        session.step(1, version, "the leader before", &send(1, version));
    }
    session.step(2, USUAL, "the new leader", &send(1, USUAL));
    session.step(2, USUAL, "a duplicate of before", &send(0, USUAL));
    session.step(2, USUAL, "a gap", &send(3, USUAL));
    session.move_leader(&topic, 0, &[1, 2, 3]);
    session.step(2, USUAL, "the leader before", &send(2, USUAL));
    session.step(1, USUAL, "back again", &send(2, USUAL));
    session.step(1, USUAL, "a duplicate of the other leader's", &send(1, USUAL));
    session.log(&topic);
}

fn stale_epochs(session: &mut Session<'_>) {
    let topic = session.replicated_topic("t", &[1, 2]);
    let request = produce_to(&topic, 0, batch(&["a", "b"]).records(), USUAL);
    session.step(1, USUAL, "two records", &request);
    session.move_leader(&topic, 0, &[2, 1]);
    let request = produce_to(&topic, 0, batch(&["c"]).records(), USUAL);
    session.step(2, USUAL, "one more", &request);
    let epochs = session.names.epochs(&topic.name, 0).to_vec();
    let named = [
        ("its epoch", epochs[1]),
        ("an older epoch", epochs[0]),
        ("a newer epoch", epochs[1] + 1),
        ("no epoch", -1),
        ("epoch -2", -2),
    ];
    for version in FetchRequest::STABLE_VERSIONS.iter() {
        for (label, epoch) in named {
            session.step(2, version, label, &fetch_of(&topic, version, epoch));
        }
        session.step(1, version, "an older leader", &fetch_of(&topic, version, epochs[0]));
    }
    for version in ListOffsetsRequest::STABLE_VERSIONS.iter() {
        for (label, epoch) in named {
            let request = list_request(&topic.name, 0, -1, epoch);
            session.step(2, version, label, &request);
        }
    }
    let request = list_request(&topic.name, 0, -2, -1);
    session.step(2, 4, "the earliest, of an older epoch", &request);
    session.log_of(&topic, 0, 2);
}

fn fetch_of(topic: &Topic, version: i16, epoch: i32) -> FetchRequest {
    let mut request = fetch_request(&topic.name, 0, 0);
    if version >= TOPIC_ID_FROM {
        request.topics[0].topic_id = topic.id;
        request.topics[0].topic = Default::default();
    }
    // Older versions have no such field, and no value but this fits.
    if version >= 9 {
        request.topics[0].partitions[0].current_leader_epoch = epoch;
    }
    request
}

fn deleted_topic(session: &mut Session<'_>) {
    use kafka_protocol::messages::delete_topics::{DeleteTopicState, DeleteTopicsRequest};

    let topic = session.topic("t", &[1]);
    for version in [12, 13] {
        let request = produce_to(&topic, 0, batch(&["a"]).records(), version);
        session.step(1, version, "before", &request);
    }
    let name = Some(topic.name.as_str().into());
    let topics = vec![DeleteTopicState { name, ..Default::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    session.step(1, 6, "the topic", &request);
    session.wait_until(|session| {
        session.offsets(&topic.name, 0, 1) == Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    });
    for version in [12, 13] {
        let request = produce_to(&topic, 0, batch(&["a"]).records(), version);
        session.step(1, version, "after", &request);
    }
    let again = session.topic("t", &[1]);
    let request = produce_to(&topic, 0, batch(&["a"]).records(), 13);
    session.step(1, 13, "the old id", &request);
    let request = produce_to(&again, 0, batch(&["a"]).records(), 13);
    session.step(1, 13, "the new id", &request);
    session.step(1, 13, "fetch by the old id", &fetch_of(&topic, 13, -1));
    session.log(&again);
}
