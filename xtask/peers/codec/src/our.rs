//! Ours.

use std::hint::black_box;

use anyhow::{Result, ensure};
use bytes::Bytes;
use ours::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ours::records::{RecordBatch, RecordBatchBuilder};
use ours::{KafkaString, Message, Uuid};

use crate::contest::Run;
use crate::sample::{Cluster, SampleRecord, digest};

pub(crate) const METADATA_VERSION: i16 = 12;

fn message(cluster: &Cluster) -> MetadataResponse {
    let brokers = cluster.brokers.iter().map(|(id, host)| MetadataResponseBroker {
        node_id: *id,
        host: KafkaString::from(host.as_str()),
        port: cluster.port,
        rack: Some(cluster.rack.into()),
        ..Default::default()
    });
    let topics = cluster.topics.iter().map(|topic| MetadataResponseTopic {
        name: Some(topic.name.as_str().into()),
        topic_id: Uuid::from_bytes(topic.id),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| MetadataResponsePartition {
                partition_index: partition.index,
                leader_id: partition.leader,
                leader_epoch: partition.epoch,
                replica_nodes: partition.replicas.into(),
                isr_nodes: partition.replicas.into(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    });
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(cluster.id.into()),
        controller_id: 1,
        topics: topics.collect(),
        ..Default::default()
    }
}

/// The bytes that all have to agree on.
pub(crate) fn encoded(cluster: &Cluster) -> Result<Bytes> {
    let mut bytes = Vec::new();
    message(cluster).encode(&mut bytes, METADATA_VERSION)?;
    Ok(bytes.into())
}

pub(crate) fn decode<'a>(cluster: &Cluster, frame: &'a Bytes) -> Result<Run<'a>> {
    let decode = |frame: &Bytes| MetadataResponse::decode(&mut frame.clone(), METADATA_VERSION);
    ensure!(decode(frame)? == message(cluster), "our value differs");
    Ok(Box::new(move || drop(black_box(decode(black_box(frame))))))
}

pub(crate) fn encode(cluster: &Cluster, frame: &Bytes) -> Result<Run<'static>> {
    let message = message(cluster);
    let mut buf = Vec::with_capacity(message.encoded_len(METADATA_VERSION));
    message.encode(&mut buf, METADATA_VERSION)?;
    ensure!(buf == *frame, "our Metadata response differs");
    Ok(Box::new(move || {
        buf.clear();
        black_box(black_box(&message).encode(&mut buf, METADATA_VERSION)).ok();
        black_box(&buf);
    }))
}

fn builder(records: &[SampleRecord], capacity: usize) -> Result<RecordBatchBuilder> {
    let mut builder = RecordBatchBuilder::with_capacity(capacity);
    for record in records {
        builder.append(record.timestamp, Some(&record.key), Some(&record.value), &[])?;
    }
    Ok(builder)
}

/// The bytes that all have to agree on.
pub(crate) fn batch(records: &[SampleRecord]) -> Result<Bytes> {
    let body = builder(records, 0)?.finish();
    Ok(body.to_bytes(&body.header()))
}

pub(crate) fn build<'a>(records: &'a [SampleRecord], batch: &Bytes) -> Result<Run<'a>> {
    let capacity = batch.len();
    let build = move |records: &[SampleRecord]| {
        let body = builder(records, capacity)?.finish();
        // The form in which a Produce request holds a batch.
        anyhow::Ok(body.to_records(&body.header()))
    };
    ensure!(build(records)?.to_bytes() == batch, "our batch differs");
    Ok(Box::new(move || drop(black_box(build(black_box(records))))))
}

pub(crate) fn read(batch: &Bytes, expected: u64) -> Result<Run<'_>> {
    let read = |batch: &Bytes| {
        let batch = RecordBatch::decode(&mut batch.clone())?;
        let fields = batch.iter().map_while(Result::ok).map(|record| {
            let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
            (record.timestamp, key, value)
        });
        anyhow::Ok(digest(fields))
    };
    ensure!(read(batch)? == expected, "our records differ");
    Ok(Box::new(move || drop(black_box(read(black_box(batch))))))
}
