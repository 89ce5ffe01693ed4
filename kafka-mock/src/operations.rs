//! What a test does to a cluster, and what it sees of it.

use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::records::RecordBatch;
use kafka_protocol::{ApiKey, ErrorCode, Uuid};

use crate::connections::ConnectionRecord;
use crate::journal::{Counters, RequestRecord};
use crate::producers::ProducerStates;
use crate::{BrokerId, FaultId, FaultRule, MockCluster};

/// A record of a partition's log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in ms.
    pub timestamp: i64,
    /// Its key; `None` is null.
    pub key: Option<Bytes>,
    /// Its value; `None` is null.
    pub value: Option<Bytes>,
    /// Its headers, in order; a value of `None` is null.
    pub headers: Vec<(String, Option<Bytes>)>,
    /// Producer id of its batch, -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch of its batch, -1 without idempotence.
    pub producer_epoch: i16,
    /// Its sequence, -1 without idempotence.
    pub sequence: i32,
}

/// Changes by hand.
impl MockCluster {
    /// Creates a topic, led by one broker after the other.
    ///
    /// # Errors
    /// The code that CreateTopics would answer: a name that is not valid or is taken, no partitions,
    /// too many of them.
    pub fn create_topic(&mut self, topic: &str, partitions: i32) -> Result<(), ErrorCode> {
        let replicas = self.state.default_replication_factor();
        self.state.create_topic(topic, partitions, replicas)
    }

    /// Deletes a topic with all its records. Whether there was one.
    pub fn delete_topic(&mut self, topic: &str) -> bool {
        self.state.may_wake_fetches = true;
        self.state.topics.remove(topic).is_some()
    }

    /// Deletes a topic and creates it again: empty, with as many partitions, and another id.
    ///
    /// # Errors
    /// If there is no such topic.
    pub fn recreate_topic(&mut self, topic: &str) -> Result<(), ErrorCode> {
        let old = self.state.topics.remove(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        self.state.may_wake_fetches = true;
        let configs = old.configs;
        let replicas = old.partitions.into_iter().map(|partition| partition.replicas).collect();
        let id = self.state.new_topic_id();
        self.state.insert_topic(topic, id, replicas, configs);
        Ok(())
    }

    /// Adds partitions to a topic, until it has `count`.
    ///
    /// # Errors
    /// The code that CreatePartitions would answer: no such topic, not more than there are, too many.
    pub fn add_partitions(&mut self, topic: &str, count: i32) -> Result<(), ErrorCode> {
        self.state.add_partitions(topic, count)
    }

    /// Makes a broker the leader of a partition, in a new leader epoch; `None` leaves it without one.
    /// Whether there is such a partition.
    pub fn move_leader(&mut self, topic: &str, partition: i32, to: Option<BrokerId>) -> bool {
        let Some(partition) = self.state.topics.partition_mut(topic, partition) else {
            return false;
        };
        partition.lead(to);
        self.state.may_wake_fetches = true;
        true
    }

    /// Makes Metadata tell this leader and epoch, whoever leads: brokers whose metadata is stale.
    /// `None` makes it tell the truth again. Whether there is such a partition.
    pub fn announce_leader(
        &mut self,
        topic: &str,
        partition: i32,
        announced: Option<(BrokerId, i32)>,
    ) -> bool {
        let Some(partition) = self.state.topics.partition_mut(topic, partition) else {
            return false;
        };
        partition.announced = announced;
        true
    }

    /// Makes a broker the coordinator of a group or transactional id; `None` leaves it without one.
    pub fn move_coordinator(&mut self, key: &str, to: Option<BrokerId>) {
        self.state.coordinator.move_to(key, to);
    }

    /// Sets how many replicas of a partition are in sync, its leader first, or all that are in the
    /// cluster. While they are fewer than `min.insync.replicas`, Produce with `acks=all` is answered
    /// `NOT_ENOUGH_REPLICAS`. Whether there is such a partition.
    pub fn set_in_sync_replicas(
        &mut self,
        topic: &str,
        partition: i32,
        count: Option<usize>,
    ) -> bool {
        let Some(partition) = self.state.topics.partition_mut(topic, partition) else {
            return false;
        };
        partition.in_sync_max = count;
        true
    }

    /// Deletes the records of a partition before `offset`, as retention does; batches that hold later
    /// records as well stay. Whether there is such a partition.
    pub fn delete_records(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let Some(partition) = self.state.topics.partition_mut(topic, partition) else {
            return false;
        };
        partition.log.delete_before(offset);
        self.state.may_wake_fetches = true;
        true
    }

    /// Loses the batches of a partition with a record at `offset` or later, and what is known of their
    /// producers: as if a leader was elected that did not have them. Whether there is such a partition.
    pub fn truncate(&mut self, topic: &str, partition: i32, offset: i64) -> bool {
        let ids_max = self.state.config.producer_ids_max;
        let Some(partition) = self.state.topics.partition_mut(topic, partition) else {
            return false;
        };
        partition.log.truncate(offset);
        partition.producers = ProducerStates::default();
        for (header, base_offset, appended) in partition.log.headers() {
            partition.producers.update(header, base_offset, appended, ids_max);
        }
        self.state.may_wake_fetches = true;
        true
    }

    /// Forgets a producer id in a partition, as after `producer.id.expiration.ms`: what it sends next
    /// is taken, whatever its sequence. Whether there is such a partition.
    pub fn forget_producer(&mut self, topic: &str, partition: i32, producer_id: i64) -> bool {
        let Some(partition) = self.state.topics.partition_mut(topic, partition) else {
            return false;
        };
        partition.producers.forget(producer_id);
        true
    }

    /// Adds a fault; see [`FaultRule`] for which of several a request gets.
    pub fn add_fault(&mut self, rule: FaultRule) -> FaultId {
        self.faults.add(rule)
    }

    /// Removes a fault. Whether it was still there: one that is used up is not. Answers that it
    /// [holds](crate::FaultAction::Hold) stay held.
    pub fn remove_fault(&mut self, fault: FaultId) -> bool {
        self.faults.remove(fault)
    }

    /// Removes all faults. Answers that are held stay held.
    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// Number of faults that are not used up.
    pub fn fault_count(&self) -> usize {
        self.faults.len()
    }

    /// Lets go the answers that a fault [holds](crate::FaultAction::Hold), or all that are held. How
    /// many they were.
    pub fn release(&mut self, now: Instant, fault: Option<FaultId>) -> usize {
        self.connections.release(now, fault)
    }

    /// Empties the request log.
    pub fn clear_requests(&mut self) {
        self.journal.clear();
    }
}

/// What can be seen.
impl MockCluster {
    /// The cluster's id.
    pub fn cluster_id(&self) -> &str {
        &self.state.cluster_id
    }

    /// The brokers, ascending.
    pub fn brokers(&self) -> Vec<BrokerId> {
        self.state.broker_ids()
    }

    /// The topics' names, ascending.
    pub fn topics(&self) -> Vec<&str> {
        self.state.topics.iter().map(|topic| topic.name.as_str()).collect()
    }

    /// The id of a topic.
    pub fn topic_id(&self, topic: &str) -> Option<Uuid> {
        self.state.topics.get(topic).map(|topic| topic.id)
    }

    /// Number of partitions of a topic.
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.state.topics.get(topic).map(|topic| topic.partitions.len())
    }

    /// The leader of a partition, if it has one.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<BrokerId> {
        self.state.topics.partition(topic, partition)?.leader
    }

    /// From the first offset of a partition to the one that the next record gets.
    pub fn offsets(&self, topic: &str, partition: i32) -> Option<Range<i64>> {
        let log = &self.state.topics.partition(topic, partition)?.log;
        Some(log.start_offset()..log.end_offset())
    }

    /// The batches of a partition with their offsets, in order. `None` if there is no such partition.
    pub fn batches(&self, topic: &str, partition: i32) -> Option<Vec<RecordBatch>> {
        Some(self.state.topics.partition(topic, partition)?.log.batches().collect())
    }

    /// The records of a partition, in order. `None` if there is no such partition.
    pub fn records(&self, topic: &str, partition: i32) -> Option<Vec<LogRecord>> {
        let batches = self.batches(topic, partition)?;
        Some(batches.iter().flat_map(records_of).collect())
    }

    /// The last requests, oldest first; see
    /// [`request_log_max`](crate::MockConfig::request_log_max).
    pub fn requests(&self) -> impl Iterator<Item = &RequestRecord> {
        self.journal.iter()
    }

    /// How many requests of an API have come, however they were answered.
    pub fn request_count(&self, api: ApiKey) -> u64 {
        self.state.requests_by_api.get(&api).copied().unwrap_or(0)
    }

    /// The connections that are known, ascending: from their first frame until
    /// [`handle_disconnect`](Self::handle_disconnect).
    pub fn connections(&self) -> impl Iterator<Item = ConnectionRecord> {
        self.connections.iter()
    }

    /// How much the cluster has seen.
    pub fn counters(&self) -> Counters {
        self.state.counters
    }
}

fn records_of(batch: &RecordBatch) -> Vec<LogRecord> {
    let header = batch.header();
    let owned = |bytes: Option<&[u8]>| bytes.map(|bytes| batch.records().slice_ref(bytes));
    let records = (0..).zip(batch.iter().flatten()).map(|(index, record)| LogRecord {
        offset: record.offset,
        timestamp: record.timestamp,
        key: owned(record.key),
        value: owned(record.value),
        headers: record
            .headers
            .map(|header| (header.key.to_owned(), owned(header.value)))
            .collect(),
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        sequence: sequence_at(header.base_sequence, index),
    });
    records.collect()
}

/// Sequences wrap from `i32::MAX` to 0.
fn sequence_at(base: i32, index: i64) -> i32 {
    if base < 0 {
        return -1;
    }
    ((i64::from(base) + index) % (i64::from(i32::MAX) + 1)) as i32
}
