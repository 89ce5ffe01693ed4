//! The published crate `kacrab-protocol`.

use std::hint::black_box;

use anyhow::{Result, ensure};
use bytes::{Bytes, BytesMut};
use kacrab_protocol::generated::metadata_response::{
    MetadataResponseBroker, MetadataResponseData, MetadataResponsePartition, MetadataResponseTopic,
};
use kacrab_protocol::record::{Record, RecordBatch};
use kacrab_protocol::{KafkaString, KafkaUuid};
use uuid::Uuid;

use crate::contest::Run;
use crate::our::METADATA_VERSION;
use crate::sample::{Cluster, FIRST_TIMESTAMP, SampleRecord, digest};

fn string(text: &str) -> KafkaString {
    KafkaString::from(text.to_owned())
}

fn message(cluster: &Cluster) -> MetadataResponseData {
    let brokers = cluster.brokers.iter().map(|(id, host)| MetadataResponseBroker {
        node_id: *id,
        host: string(host),
        port: cluster.port,
        rack: Some(string(cluster.rack)),
        ..Default::default()
    });
    let topics = cluster.topics.iter().map(|topic| MetadataResponseTopic {
        name: Some(string(&topic.name)),
        topic_id: KafkaUuid::from(Uuid::from_bytes(topic.id)),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| MetadataResponsePartition {
                partition_index: partition.index,
                leader_id: partition.leader,
                leader_epoch: partition.epoch,
                replica_nodes: partition.replicas.to_vec(),
                isr_nodes: partition.replicas.to_vec(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    MetadataResponseData {
        brokers: brokers.collect(),
        cluster_id: Some(string(cluster.id)),
        controller_id: 1,
        topics: topics.collect(),
        ..Default::default()
    }
}

pub(crate) fn decode<'a>(cluster: &Cluster, frame: &'a Bytes) -> Result<Run<'a>> {
    let decode = |frame: &Bytes| MetadataResponseData::read(&mut frame.clone(), METADATA_VERSION);
    ensure!(decode(frame)? == message(cluster), "kacrab-protocol: the value differs");
    Ok(Box::new(move || drop(black_box(decode(black_box(frame))))))
}

pub(crate) fn encode(cluster: &Cluster, frame: &Bytes) -> Result<Run<'static>> {
    let message = message(cluster);
    let mut buf = BytesMut::with_capacity(message.encoded_len(METADATA_VERSION)?);
    message.write(&mut buf, METADATA_VERSION)?;
    ensure!(buf == frame, "kacrab-protocol: the Metadata response differs");
    Ok(Box::new(move || {
        buf.clear();
        black_box(black_box(&message).write(&mut buf, METADATA_VERSION)).ok();
        black_box(&buf);
    }))
}

/// A record owns its key and value, so that a caller who borrows them copies them first: not counted.
fn record((n, record): (usize, &SampleRecord)) -> Record {
    Record {
        attributes: 0,
        timestamp_delta: record.timestamp - FIRST_TIMESTAMP,
        offset_delta: n as i32,
        key: Some(record.key.clone().into()),
        value: Some(record.value.clone().into()),
        headers: Vec::new(),
    }
}

pub(crate) fn build(records: &[SampleRecord], batch: &Bytes) -> Result<Run<'static>> {
    let made = RecordBatch {
        base_offset: 0,
        partition_leader_epoch: -1,
        magic: 2,
        attributes: 0,
        last_offset_delta: records.len() as i32 - 1,
        first_timestamp: FIRST_TIMESTAMP,
        max_timestamp: records.last().map_or(-1, |record| record.timestamp),
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records: records.iter().enumerate().map(record).collect(),
    };
    let mut buf = BytesMut::with_capacity(batch.len());
    made.encode(&mut buf)?;
    ensure!(buf == batch, "kacrab-protocol: the batch differs");
    let capacity = buf.len();
    Ok(Box::new(move || {
        let mut buf = BytesMut::with_capacity(capacity);
        black_box(black_box(&made).encode(&mut buf)).ok();
        black_box(&buf);
    }))
}

pub(crate) fn read(batch: &Bytes, expected: u64) -> Result<Run<'_>> {
    let read = |batch: &Bytes| {
        let batch = RecordBatch::decode(&mut batch.clone())?;
        let fields = batch.records.iter().map(|record| {
            let timestamp = batch.first_timestamp + record.timestamp_delta;
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            (timestamp, key.unwrap_or_default(), value.unwrap_or_default())
        });
        anyhow::Ok(digest(fields))
    };
    ensure!(read(batch)? == expected, "kacrab-protocol: the records differ");
    Ok(Box::new(move || drop(black_box(read(black_box(batch))))))
}
