//! The published crate `kafka-protocol`.

use std::hint::black_box;

use anyhow::{Result, ensure};
use bytes::{Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Record,
    RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};
use uuid::Uuid;

use crate::contest::Run;
use crate::our::METADATA_VERSION;
use crate::sample::{Cluster, SampleRecord, digest};

fn string(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn message(cluster: &Cluster) -> MetadataResponse {
    let brokers = cluster.brokers.iter().map(|(id, host)| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(*id))
            .with_host(string(host))
            .with_port(cluster.port)
            .with_rack(Some(string(cluster.rack)))
    });
    let topics = cluster.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            let replicas: Vec<BrokerId> = partition.replicas.map(BrokerId).to_vec();
            MetadataResponsePartition::default()
                .with_partition_index(partition.index)
                .with_leader_id(BrokerId(partition.leader))
                .with_leader_epoch(partition.epoch)
                .with_replica_nodes(replicas.clone())
                .with_isr_nodes(replicas)
        });
        MetadataResponseTopic::default()
            .with_name(Some(TopicName(string(&topic.name))))
            .with_topic_id(Uuid::from_bytes(topic.id))
            .with_partitions(partitions.collect())
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(string(cluster.id)))
        .with_controller_id(BrokerId(1))
        .with_topics(topics.collect())
}

pub(crate) fn decode<'a>(cluster: &Cluster, frame: &'a Bytes) -> Result<Run<'a>> {
    let decode = |frame: &Bytes| MetadataResponse::decode(&mut frame.clone(), METADATA_VERSION);
    ensure!(decode(frame)? == message(cluster), "kafka-protocol: the value differs");
    Ok(Box::new(move || drop(black_box(decode(black_box(frame))))))
}

pub(crate) fn encode(cluster: &Cluster, frame: &Bytes) -> Result<Run<'static>> {
    let message = message(cluster);
    let mut buf = BytesMut::with_capacity(message.compute_size(METADATA_VERSION)?);
    message.encode(&mut buf, METADATA_VERSION)?;
    ensure!(buf == frame, "kafka-protocol: the Metadata response differs");
    Ok(Box::new(move || {
        buf.clear();
        black_box(black_box(&message).encode(&mut buf, METADATA_VERSION)).ok();
        black_box(&buf);
    }))
}

/// A record owns its key and value, so that a caller who borrows them copies them first: not counted.
fn record((n, record): (usize, &SampleRecord)) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: NO_PRODUCER_ID,
        producer_epoch: NO_PRODUCER_EPOCH,
        timestamp_type: TimestampType::Creation,
        offset: n as i64,
        // Offset and sequence go together within a batch; the first one is -1, as in the others.
        sequence: n as i32 - 1,
        timestamp: record.timestamp,
        key: Some(record.key.clone().into()),
        value: Some(record.value.clone().into()),
        headers: IndexMap::new(),
    }
}

pub(crate) fn build(records: &[SampleRecord], batch: &Bytes) -> Result<Run<'static>> {
    let records: Vec<Record> = records.iter().enumerate().map(record).collect();
    let options = RecordEncodeOptions { version: 2, compression: Compression::None };
    let mut buf = BytesMut::with_capacity(batch.len());
    RecordBatchEncoder::encode(&mut buf, &records, &options)?;
    ensure!(buf == batch, "kafka-protocol: the batch differs");
    let capacity = buf.len();
    Ok(Box::new(move || {
        let mut buf = BytesMut::with_capacity(capacity);
        black_box(RecordBatchEncoder::encode(&mut buf, black_box(&records), &options)).ok();
        black_box(&buf);
    }))
}

pub(crate) fn read(batch: &Bytes, expected: u64) -> Result<Run<'_>> {
    let read = |batch: &Bytes| {
        let set = RecordBatchDecoder::decode(&mut batch.clone())?;
        let fields = set.records.iter().map(|record| {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            (record.timestamp, key.unwrap_or_default(), value.unwrap_or_default())
        });
        anyhow::Ok(digest(fields))
    };
    ensure!(read(batch)? == expected, "kafka-protocol: the records differ");
    Ok(Box::new(move || drop(black_box(read(black_box(batch))))))
}
