//! From queues to requests: which partitions have something to send, and one request a broker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use kafka_net::BrokerId;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use kafka_protocol::{VersionMismatch, VersionRange};

use crate::ProduceErrorKind;
use crate::accumulator::{BATCH_HEADER, ProducerBatch};
use crate::metrics::Drained;
use crate::sender::Sender;
use crate::sender::broker::Broker;
use crate::sender::event::BatchId;
use crate::sender::partitions::{Partition, Seal, Taken};
use crate::sender::pause::Block;
use crate::sender::requests::{SentBatch, SentKind};
use crate::sender::sequences::ProducerIdState;
use crate::sender::timers::Timer;

/// Batches that were chosen for one request.
struct Chosen {
    request: ProduceRequest,
    batches: Vec<SentBatch>,
    version: i16,
}

impl Sender {
    /// Looks at the queues that have news, and at those that linger while others wait for memory.
    pub(super) fn look_at_queues(&mut self, now: Instant) {
        let mut listed = std::mem::take(&mut self.listed);
        self.accumulator.take_ready(&mut listed);
        for queue in listed.drain(..) {
            self.evaluate(now, queue.id().index);
        }
        self.listed = listed;
        if self.is_hurried() {
            for index in std::mem::take(&mut self.lingering) {
                self.evaluate(now, index);
            }
        }
    }

    /// Sends what can be sent, to each broker in turn.
    pub(super) fn drain(&mut self, now: Instant) {
        let brokers = self.connections.with_work();
        if !brokers.is_empty() {
            tracing::trace!("Nodes with data ready to send: {brokers:?}");
        }
        for broker in brokers {
            self.unlist_idle(broker);
            if self.connections.get(broker).is_none_or(|broker| broker.ready.is_empty()) {
                continue;
            }
            loop {
                let (connections, mut out) = self.io();
                if !connections.want(now, broker, &mut out) {
                    connections.schedule(now, broker, &mut out);
                    break;
                }
                if !self.send_to(now, broker) {
                    break;
                }
            }
        }
    }

    /// Decides whether a partition has something to send now, and when to look again if not.
    pub(super) fn evaluate(&mut self, now: Instant, index: usize) {
        let rules = self.send_rules();
        let timeout = self.config.delivery_timeout;
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let status = partition.queue.status(rules.batch_size);
        let oldest = partition.oldest_taken().into_iter().chain(status.map(|s| s.oldest)).min();
        let oldest = oldest.filter(|_| !is_broken!("delivery_never_times_out"));
        self.timers.set(Timer::Delivery(index), oldest.map(|at| at + timeout));
        let lingers_until = status.and_then(|status| rules.lingers_until(now, status));
        set_member(&mut self.nonempty, index, status.is_some());
        set_member(&mut self.lingering, index, lingers_until.is_some());
        self.timers.set(Timer::Linger(index), lingers_until);
        let queue_is_due = status.is_some() && lingers_until.is_none();
        let is_due = queue_is_due || !partition.waiting.is_empty();
        self.note_due(now, index, is_due);
        if rules.is_compressed {
            self.seal_ahead(index, queue_is_due);
        }
        let mut block = self.block(now, index);
        if block == Some(Block::Renumber) {
            self.renumber(index);
            block = self.block(now, index);
        }
        let backoff = match block {
            Some(Block::BackingOff(until)) => Some(until),
            _ => None,
        };
        self.timers.set(Timer::Backoff(index), backoff);
        match block {
            None => self.list(now, index),
            Some(Block::NoLeader) => self.metadata.make_stale(now),
            Some(_) => {}
        }
    }

    /// Puts a partition on its leader's list of those that have something to send.
    fn list(&mut self, now: Instant, index: usize) {
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let Some(leader) = partition.leader.filter(|leader| partition.listed_at != Some(*leader))
        else {
            return;
        };
        match self.connections.get_mut(leader) {
            Some(broker) => {
                partition.listed_at = Some(leader);
                broker.ready.push_back(index);
            }
            // An answer that names a leader, but does not say where it is.
            None => self.metadata.make_stale(now),
        }
    }

    fn block(&self, now: Instant, index: usize) -> Option<Block> {
        let partition = self.partitions.get(index).and_then(Option::as_ref);
        partition.map_or(Some(Block::Nothing), |p| p.block(now, &self.send_rules()))
    }

    /// Nothing lingers: somebody waits for memory, or the producer is being closed.
    pub(super) fn is_hurried(&self) -> bool {
        !self.lifecycle.is_running() || self.accumulator.budget().has_waiters()
    }

    /// Moves the oldest batch of a queue behind those that wait.
    pub(super) fn take_from_queue(&mut self, index: usize) -> bool {
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return false;
        };
        let Some(batch) = partition.queue.pop() else { return false };
        let id = BatchId { taken: self.next_batch, first_record: 0 };
        self.next_batch += 1;
        self.incomplete.insert(id);
        partition.waiting.push_back(Taken::new(id, batch));
        true
    }

    /// Sends one request to a broker that takes one. `false` if there was nothing to send.
    fn send_to(&mut self, now: Instant, broker: BrokerId) -> bool {
        let Some(chosen) = self.choose(now, broker) else { return false };
        let Chosen { request, batches, version } = chosen;
        let topics = request.topic_data.len();
        tracing::trace!(
            "Sent produce request to {broker}: {} batches of {topics} topics, v{version}",
            batches.len()
        );
        // With acks=0 nothing comes back: being written is the end of it.
        let (kind, unanswered) = match self.config.acks {
            0 => (None, batches),
            _ => (Some(SentKind::Produce(batches)), Vec::new()),
        };
        let connection = self.connections.get(broker).map(Broker::connection_id);
        let (connections, mut out) = self.io();
        match connections.send(now, broker, (&request, version), kind, &mut out) {
            Ok(request) => {
                let connection = connection.filter(|_| !unanswered.is_empty());
                if let Some(connection) = connection {
                    self.unanswered.insert(request, (connection, unanswered));
                }
                true
            }
            Err(refused) => {
                let (kind, error) = *refused;
                let batches = match kind {
                    Some(SentKind::Produce(batches)) => batches,
                    _ => unanswered,
                };
                let kind = ProduceErrorKind::BrokerMisbehaved(error.to_string());
                batches.iter().for_each(|batch| self.fail_sent(now, batch, &kind));
                false
            }
        }
    }

    /// Chooses batches for one request: at most one of each partition, in turn.
    fn choose(&mut self, now: Instant, broker: BrokerId) -> Option<Chosen> {
        let count = self.connections.get(broker)?.ready.len();
        let mut topics: BTreeMap<Arc<str>, TopicProduceData> = BTreeMap::new();
        let (mut batches, mut size, mut ids_known) = (Vec::new(), 0, true);
        let mut records = 0;
        for _ in 0..count {
            let Some(index) = self.connections.get_mut(broker).and_then(|b| b.ready.pop_front())
            else {
                break;
            };
            let Some(taken) = self.take_to_send(now, broker, index) else { continue };
            let len = BATCH_HEADER + taken.batch.body.len();
            let max = self.config.max_request_size;
            if size > 0 && size + len > max && !is_broken!("request_without_limit") {
                self.give_back(broker, index, taken);
                break;
            }
            size += len;
            let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
                continue;
            };
            ids_known &= !partition.topic_id.is_zero();
            let drained = taken.measured(now);
            records += drained.records;
            self.sensors.on_batch_drained(now, taken.batch.topic(), drained);
            let (data, sent) = partition.send(taken, self.producer_ids.state());
            let topic = topics.entry(Arc::clone(&sent.topic)).or_insert_with(|| TopicProduceData {
                name: (&*sent.topic).into(),
                topic_id: sent.topic_id,
                ..TopicProduceData::default()
            });
            topic.partition_data.push(data);
            batches.push(sent);
        }
        // Only now: a partition that is on the list twice, after its leader came back, must not be
        // listed again before its second place is passed. A request has one batch of each.
        for sent in &batches {
            self.evaluate(now, sent.queue.index);
        }
        if batches.is_empty() {
            return None;
        }
        self.sensors.on_request_drained(now, records);
        let version = match self.produce_version(broker, ids_known) {
            Ok(version) => version,
            Err(error) => {
                let mut what = format!("{}: {error}", self.connections.place(broker));
                if self.config.is_zstd {
                    what.push_str(ZSTD);
                }
                let kind = ProduceErrorKind::UnsupportedVersion(what);
                batches.iter().for_each(|batch| self.fail_sent(now, batch, &kind));
                return None;
            }
        };
        let timeout = self.config.connections.request_timeout;
        let request = ProduceRequest {
            acks: self.config.acks,
            timeout_ms: i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX),
            topic_data: topics.into_values().collect(),
            ..ProduceRequest::default()
        };
        Some(Chosen { request, batches, version })
    }

    /// The next batch of a partition that is on a broker's list, if it may still be sent there.
    fn take_to_send(&mut self, now: Instant, broker: BrokerId, index: usize) -> Option<Taken> {
        let partition = self.partition(index)?;
        if partition.listed_at != Some(broker) {
            return None;
        }
        partition.listed_at = None;
        let is_here = partition.leader == Some(broker);
        // Much may have happened since it was listed: an older batch may have failed, for one.
        if !is_here || self.block(now, index).is_some() {
            self.evaluate(now, index);
            // It may be on a list again that was looked at already.
            self.has_news = true;
            return None;
        }
        if self.partition(index)?.waiting.is_empty() {
            self.take_from_queue(index);
        }
        self.partition(index)?.waiting.pop_front()
    }

    /// Takes partitions off the front of a broker's list that have nothing for it any more: it must not
    /// be connected to for their sake. One that is still there may hide others behind it.
    fn unlist_idle(&mut self, broker: BrokerId) {
        while let Some(index) = self.connections.get(broker).and_then(|b| b.ready.front().copied())
        {
            if let Some(partition) = self.partition(index).filter(|p| p.listed_at == Some(broker)) {
                let has_some = !partition.waiting.is_empty() || partition.queue.bytes() > 0;
                if has_some && partition.leader == Some(broker) {
                    return;
                }
                partition.listed_at = None;
            }
            if let Some(broker) = self.connections.get_mut(broker) {
                broker.ready.pop_front();
            }
        }
    }

    fn give_back(&mut self, broker: BrokerId, index: usize, taken: Taken) {
        let Some(partition) = self.partition(index) else { return };
        partition.put_back(taken);
        partition.listed_at = Some(broker);
        if let Some(broker) = self.connections.get_mut(broker) {
            broker.ready.push_front(index);
        }
    }

    /// Topic ids only where all are known (KIP-516).
    fn produce_version(&self, broker: BrokerId, ids_known: bool) -> Result<i16, VersionMismatch> {
        use kafka_protocol::Request;
        let versions = self.connections.versions(broker).cloned().unwrap_or_default();
        let ours = ProduceRequest::STABLE_VERSIONS;
        let min = if self.config.is_zstd { ours.min.max(FIRST_WITH_ZSTD) } else { ours.min };
        let max = if ids_known { ours.max } else { ours.max.min(LAST_WITH_NAMES) };
        versions.negotiate_within::<ProduceRequest>(VersionRange::new(min, max))
    }
}

impl Taken {
    pub(super) fn new(id: BatchId, batch: ProducerBatch) -> Self {
        Self { id, batch, sequence: None, seal: Seal::Raw }
    }

    /// What there is to say of it when it is put into a request.
    fn measured(&self, now: Instant) -> Drained {
        Drained {
            records: self.batch.record_count(),
            bytes: BATCH_HEADER + self.batch.body.len(),
            uncompressed: self.batch.uncompressed_len,
            record_size_max: self.batch.record_size_max,
            queue_time: now.saturating_duration_since(self.batch.created),
        }
    }
}

impl Partition {
    /// Whether the next batch has a sequence, or may get one.
    pub(super) fn has_sequence(&self, state: ProducerIdState) -> bool {
        let Some(current) = state.ready() else { return false };
        if self.waiting.front().is_some_and(|front| front.sequence.is_some()) {
            self.sequences.may_repeat()
        } else {
            self.sequences.may_assign(current, self.in_flight.is_empty())
        }
    }

    /// Puts a batch in flight: its place in the request, and what has to be remembered of it.
    fn send(
        &mut self,
        mut taken: Taken,
        state: ProducerIdState,
    ) -> (PartitionProduceData, SentBatch) {
        taken.batch.attempts += 1;
        self.untaken_since = None;
        let mut header = taken.batch.body.header();
        if let Some(current) = state.ready() {
            let count = taken.batch.record_count();
            self.is_probing |= taken.sequence.is_none()
                && self.sequences.is_new(current)
                && !is_broken!("no_probing");
            let assigned =
                *taken.sequence.get_or_insert_with(|| self.sequences.assign(current, count));
            header.producer_id = assigned.producer.id;
            header.producer_epoch = assigned.producer.epoch;
            header.base_sequence = assigned.base.0;
        }
        tracing::trace!(
            "{}-{}: batch {} of {} records, attempt {}, {:?}",
            self.queue.topic(),
            self.queue.partition(),
            taken.id,
            taken.batch.record_count(),
            taken.batch.attempts,
            taken.sequence
        );
        let data = PartitionProduceData {
            index: self.queue.partition(),
            records: Some(taken.batch.body.to_records(&header)),
            ..PartitionProduceData::default()
        };
        let sent = SentBatch {
            queue: self.queue.id(),
            batch: taken.id,
            topic: Arc::clone(self.queue.topic()),
            topic_id: self.topic_id,
            partition: self.queue.partition(),
            leader: self.leader,
            leader_epoch: self.leader_epoch,
        };
        self.in_flight.push_back(taken);
        (data, sent)
    }
}

fn set_member(set: &mut std::collections::BTreeSet<usize>, index: usize, is_member: bool) {
    if is_member {
        set.insert(index);
    } else {
        set.remove(&index);
    }
}

/// The first version of Produce whose batches may be compressed with zstd (KIP-110).
const FIRST_WITH_ZSTD: i16 = 7;
const ZSTD: &str = " (compression.type=zstd is read by brokers of Kafka 2.1 and newer)";
/// The last version of Produce with topic names; then ids (KIP-516).
const LAST_WITH_NAMES: i16 = 12;
