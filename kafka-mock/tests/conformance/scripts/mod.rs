//! The scripts: what is asked. What is answered is in `kafka-4.4.0.txt`.

mod admin;
mod broken_batches;
mod identities;
mod metadata;
mod places;
mod produce;
mod read;
mod sequences;
mod versions;

use kafka_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::records::Records;

use crate::session::{Session, Topic};

pub(crate) type Script = (&'static str, fn(&mut Session<'_>));

/// Every script, by name; each has topics of its own.
pub(crate) fn all() -> Vec<Script> {
    [
        &versions::SCRIPTS[..],
        &produce::SCRIPTS,
        &places::SCRIPTS,
        &broken_batches::SCRIPTS,
        &sequences::SCRIPTS,
        &identities::SCRIPTS,
        &metadata::SCRIPTS,
        &read::SCRIPTS,
        &admin::SCRIPTS,
    ]
    .concat()
}

/// First version that names topics by id (KIP-516).
const TOPIC_ID_FROM: i16 = 13;
/// What most steps are asked in: errors have all their fields.
const USUAL: i16 = 11;

/// Records for one partition, `acks=-1`; by name or by id, as the version wants.
fn produce_to(topic: &Topic, partition: i32, records: Records, version: i16) -> ProduceRequest {
    let data =
        PartitionProduceData { index: partition, records: Some(records), ..Default::default() };
    let mut topic_data = TopicProduceData { partition_data: vec![data], ..Default::default() };
    if version >= TOPIC_ID_FROM {
        topic_data.topic_id = topic.id;
    } else {
        topic_data.name = topic.name.as_str().into();
    }
    ProduceRequest {
        acks: -1,
        timeout_ms: 10_000,
        topic_data: vec![topic_data],
        ..Default::default()
    }
}

/// A step that sends records to partition 0 at broker 1.
fn send(session: &mut Session<'_>, label: &str, topic: &Topic, records: Records) {
    session.step(1, USUAL, label, &produce_to(topic, 0, records, USUAL));
}
