//! What metadata says: which topics there are, which partitions they have, who leads them.

use std::collections::BTreeMap;
use std::time::Instant;

use kafka_net::{BrokerId, HostPort};
use kafka_protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::produce::{NodeEndpoint, PartitionProduceResponse};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::{BrokerVersions, ErrorCode, Uuid};

use crate::ProduceErrorKind;
use crate::accumulator::{PartitionQueue, QueueClosed};
use crate::cluster::{ClusterSnapshot, TopicEntry, TopicShared, TopicState};
use crate::error::explained;
use crate::sender::Sender;
use crate::sender::broker::Broker;
use crate::sender::partitions::Partition;
use crate::sender::requests::{MetadataAsked, SentBatch, SentKind};
use crate::sender::timers::Timer;
use crate::sync::Arc;

impl Sender {
    /// Fetches metadata if that is due and somebody can be asked.
    pub(super) fn advance_metadata(&mut self, now: Instant) {
        let due = self.metadata.due_at(now);
        if due.is_none_or(|due| due > now) {
            return self.timers.set(Timer::Metadata, due);
        }
        self.expire_topics(now);
        self.timers.set(Timer::Metadata, None);
        self.rebootstrap_if_in_vain(now);
        let Some(broker) = self.connections.least_loaded(now, &mut self.rng) else {
            self.note_unreachable();
            let is_lost =
                !self.connections.has_bootstrap() && !self.connections.has_connected_member();
            if self.config.rebootstrap_after.is_some() && is_lost {
                self.rebootstrap(now);
            }
            let retry = self.connections.next_retry(now);
            return self.timers.set(Timer::Metadata, retry);
        };
        let (connections, mut out) = self.io();
        if !connections.want(now, broker, &mut out) {
            return self.note_asked(broker);
        }
        let versions = self.connections.versions(broker);
        let version = match versions.map(BrokerVersions::negotiate::<MetadataRequest>) {
            Some(Ok(version)) => version,
            Some(Err(error)) => {
                let why = format!("{}: {error}", self.connections.place(broker));
                return self.on_metadata_failed(now, &why);
            }
            None => return,
        };
        let (request, asked) = self.metadata.request(now);
        let kind = Some(SentKind::Metadata(asked));
        let (connections, mut out) = self.io();
        let sent = connections.send(now, broker, (&request, version), kind, &mut out);
        if let Err(refused) = sent {
            self.on_metadata_failed(now, &refused.1.to_string());
        }
        self.note_asked(broker);
    }

    pub(super) fn on_metadata_failed(&mut self, now: Instant, why: &str) {
        tracing::debug!("no metadata: {why}");
        self.metadata.fail(now, why, &mut self.rng);
        self.timers.set(Timer::Metadata, self.metadata.due_at(now));
        self.publish();
    }

    /// Tells those who wait why nobody can be asked.
    pub(super) fn note_unreachable(&mut self) {
        if let Some(error) = self.connections.errors() {
            if self.metadata.error.as_deref() != Some(&error) {
                self.metadata.cannot_ask(Some(error));
                self.publish();
            }
        }
    }

    /// Tells those who wait for a topic whose answer they wait for.
    fn note_asked(&mut self, broker: BrokerId) {
        if self.metadata.has_new() && self.metadata.asked != Some(broker) {
            self.metadata.asked = Some(broker);
            self.publish();
        }
    }

    pub(super) fn on_metadata(
        &mut self,
        now: Instant,
        broker: BrokerId,
        asked: &MetadataAsked,
        answer: &MetadataResponse,
    ) {
        if answer.error_code == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.on_metadata_failed(now, &explained(answer.error_code));
            return self.rebootstrap_as_told(now);
        }
        let members = members(answer);
        if members.is_empty() {
            let place = self.connections.place(broker);
            let why = if answer.error_code.is_none() {
                format!("{place} names no broker in its metadata")
            } else {
                format!("{place} answered {}", explained(answer.error_code))
            };
            return self.on_metadata_failed(now, &why);
        }
        let cluster_id = answer.cluster_id.clone();
        let (connections, mut out) = self.io();
        let lost = connections.set_members(now, cluster_id, &members, &mut out);
        self.on_lost_members(now, lost);
        self.sensors.retain_nodes(|id| self.connections.get(id).is_some_and(Broker::is_in_use));
        self.take_racks(answer);
        self.unlist_from_forgotten(now);
        let mut states = BTreeMap::new();
        let mut touched = Vec::new();
        for topic in &answer.topics {
            let Some(name) = topic.name.as_ref().and_then(|name| asked.find(name.as_str())) else {
                continue;
            };
            let state = if topic.error_code.is_none() && !topic.partitions.is_empty() {
                let entry = self.update_topic(now, &name, topic);
                TopicState::Known(entry)
            } else {
                self.lose_leaders(&name);
                let code = topic.error_code;
                let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
                TopicState::Failed(if code.is_none() { unknown } else { code })
            };
            touched.push(Arc::clone(&name));
            states.insert(name, state);
        }
        self.metadata.succeed(now, asked, states, &mut self.rng);
        self.publish();
        for name in touched {
            self.evaluate_topic(now, &name);
        }
    }

    /// A broker that no longer leads a partition may say who does (KIP-951).
    pub(super) fn take_leader_hint(
        &mut self,
        now: Instant,
        sent: &SentBatch,
        answer: &PartitionProduceResponse,
        nodes: &[NodeEndpoint],
    ) {
        let moved = [ErrorCode::NOT_LEADER_OR_FOLLOWER, ErrorCode::FENCED_LEADER_EPOCH];
        let hint = &answer.current_leader;
        if !moved.contains(&answer.error_code) {
            return;
        }
        if hint.leader_id < 0 || hint.leader_epoch < 0 {
            return;
        }
        let partition = self.partition(sent.queue.index).filter(|p| p.queue.id() == sent.queue);
        if partition.is_none_or(|partition| hint.leader_epoch <= partition.leader_epoch) {
            return;
        }
        let leader = BrokerId(hint.leader_id);
        let node = nodes.iter().find(|node| node.node_id == hint.leader_id);
        let address = node.and_then(|node| address(node.host.as_str(), node.port));
        if let Some(address) = address {
            let (connections, mut out) = self.io();
            let lost = connections.set_address(now, leader, &address, &mut out);
            self.on_lost_members(now, lost);
        }
        if !self.connections.is_member(leader) {
            return;
        }
        if let Some(partition) = self.partition(sent.queue.index) {
            partition.set_leader(Some(leader), hint.leader_epoch);
        }
    }

    /// Makes what is known visible to those who send.
    pub(super) fn publish(&mut self) {
        let topics: Vec<_> = self.metadata.known().collect();
        let silent = |id| format!("{} has not answered yet", self.connections.place(id)).into();
        let cause = self.metadata.error.clone().or_else(|| self.metadata.asked.map(silent));
        let snapshot = ClusterSnapshot::new(self.metadata.version, topics, cause);
        self.accumulator.update_cluster(snapshot);
    }

    /// Gives up a partition that is gone once nothing of it is on the wire.
    pub(super) fn free_if_gone(&mut self, index: usize) {
        let is_over = self.partition(index).is_some_and(|partition| {
            partition.is_gone && partition.in_flight.is_empty() && partition.waiting.is_empty()
        });
        if is_over {
            let timers = [Timer::Linger, Timer::Backoff, Timer::Availability, Timer::Delivery];
            for timer in timers {
                self.timers.set(timer(index), None);
            }
            self.nonempty.remove(&index);
            self.lingering.remove(&index);
            if let Some(gone) = self.partitions.get_mut(index).and_then(Option::take) {
                self.accumulator.remove_queue(&gone.queue);
            }
        }
    }

    fn on_lost_members(&mut self, now: Instant, lost: Vec<super::requests::SentRequest>) {
        if !lost.is_empty() {
            self.on_lost(now, lost, "the broker is no longer at this address");
        }
    }

    /// Partitions on the list of a broker that was forgotten have to be listed anew.
    fn unlist_from_forgotten(&mut self, now: Instant) {
        for index in 0..self.partitions.len() {
            let listed_at = self.partition(index).and_then(|partition| partition.listed_at);
            if listed_at.is_some_and(|broker| self.connections.get(broker).is_none()) {
                if let Some(partition) = self.partition(index) {
                    partition.listed_at = None;
                }
                self.evaluate(now, index);
            }
        }
    }

    /// Takes a topic's partitions, old and new ones, and their leaders.
    fn update_topic(
        &mut self,
        now: Instant,
        name: &Arc<str>,
        topic: &MetadataResponseTopic,
    ) -> Arc<TopicEntry> {
        let old = self.topics.get(name).cloned();
        let shared = match &old {
            Some(old) => Arc::clone(&old.shared),
            None => {
                let size_max = self.largest_batch();
                Arc::new(TopicShared::new(Arc::clone(name), size_max, self.rng.u64(..)))
            }
        };
        let is_recreated = old.as_ref().is_some_and(|old| {
            !old.id.is_zero() && !topic.topic_id.is_zero() && old.id != topic.topic_id
        });
        // Partitions never go while a topic lives: fewer of them are the answer of a broker that lags
        // behind. Without ids the topic may be another one.
        let is_same = old.as_ref().is_some_and(|old| !old.id.is_zero() && old.id == topic.topic_id);
        let old_queues = old.map_or(Vec::new(), |old| old.queues.clone());
        let count = topic.partitions.len().max(if is_same { old_queues.len() } else { 0 });
        let mut queues = Vec::with_capacity(count);
        for number in 0..count {
            let kept = old_queues.get(number).filter(|_| !is_recreated);
            let queue = match kept {
                Some(queue) => Arc::clone(queue),
                None => {
                    let number = i32::try_from(number).unwrap_or(i32::MAX);
                    let queue = self.accumulator.create_queue(name, number);
                    let partition =
                        Partition::new(Arc::clone(&queue), Arc::clone(&shared), topic.topic_id);
                    self.insert(queue.id().index, partition);
                    queue
                }
            };
            queues.push(queue);
        }
        for partition in &topic.partitions {
            self.update_leader(partition, topic.topic_id, &queues);
        }
        if is_recreated {
            self.move_to_new(now, &old_queues, &queues);
        } else {
            for queue in old_queues.iter().skip(count) {
                self.retire(queue.id().index, &ProduceErrorKind::PartitionGone);
            }
        }
        let leaders: Vec<_> = queues.iter().map(|queue| self.leader_of(queue.id().index)).collect();
        let available = (0..).zip(&leaders).filter(|(_, leader)| **leader >= 0);
        let available: Vec<_> = available.map(|(number, _)| number).collect();
        let preferred = self.preferred(&queues, &available);
        let id = topic.topic_id;
        let entry = TopicEntry { shared, id, queues, available, preferred, leaders };
        let entry = Arc::new(entry);
        self.topics.insert(Arc::clone(name), Arc::clone(&entry));
        entry
    }

    fn update_leader(
        &mut self,
        answer: &MetadataResponsePartition,
        topic_id: Uuid,
        queues: &[Arc<PartitionQueue>],
    ) {
        // A leader that the answer does not describe is none.
        let leader = Some(BrokerId(answer.leader_id)).filter(|id| self.connections.is_member(*id));
        let number = usize::try_from(answer.partition_index).ok();
        let index = number.and_then(|number| queues.get(number)).map(|queue| queue.id().index);
        let Some(partition) = index.and_then(|index| self.partition(index)) else { return };
        // Between one id and another there may have been an answer without: an id is believed.
        let is_another = !topic_id.is_zero() && topic_id != partition.topic_id;
        partition.topic_id = topic_id;
        let epoch = answer.leader_epoch;
        if is_another {
            partition.leader_epoch = epoch;
        } else if epoch >= 0 && epoch < partition.leader_epoch {
            return;
        }
        if partition.set_leader(leader, epoch) {
            self.metadata.note_news();
        }
    }

    /// A topic was deleted and created again: what is certainly not in the old one goes to the new one,
    /// the rest ends as it is.
    fn move_to_new(
        &mut self,
        now: Instant,
        old: &[Arc<PartitionQueue>],
        new: &[Arc<PartitionQueue>],
    ) {
        for (number, queue) in old.iter().enumerate() {
            queue.close(QueueClosed::Replaced);
            let from = queue.id().index;
            while self.take_from_queue(from) {}
            let unsent = self.partition(from).map_or(Vec::new(), |partition| {
                let waiting = std::mem::take(&mut partition.waiting);
                // What the old topic's leader refused for certain is as good as never sent.
                let (uncertain, mut unsent): (Vec<_>, Vec<_>) =
                    waiting.into_iter().partition(|taken| taken.batch.may_have_been_written);
                partition.waiting.extend(uncertain);
                // Sequences are of the old topic.
                unsent.iter_mut().for_each(|taken| taken.sequence = None);
                unsent
            });
            self.retire(from, &ProduceErrorKind::TopicRecreated);
            let Some(to) = new.get(number).map(|queue| queue.id().index) else {
                for taken in unsent {
                    self.fail_batch(taken, ProduceErrorKind::PartitionGone);
                }
                continue;
            };
            for taken in &unsent {
                self.seals.move_to(taken.id, to);
            }
            if let Some(partition) = self.partition(to) {
                partition.waiting.extend(unsent);
            }
            self.evaluate(now, to);
        }
    }

    /// Ends a partition: its records fail, and its queue takes no more.
    fn retire(&mut self, index: usize, kind: &ProduceErrorKind) {
        if !matches!(kind, ProduceErrorKind::TopicRecreated) {
            self.forget_sequences(index);
        }
        if let Some(partition) = self.partition(index) {
            partition.is_gone = true;
            partition.queue.close(QueueClosed::Replaced);
        }
        self.fail_partition(index, kind);
        self.free_if_gone(index);
    }

    fn lose_leaders(&mut self, name: &str) {
        let Some(entry) = self.topics.get(name).cloned() else { return };
        for queue in &entry.queues {
            if let Some(partition) = self.partition(queue.id().index) {
                let epoch = partition.leader_epoch;
                partition.set_leader(None, epoch);
            }
        }
    }

    fn evaluate_topic(&mut self, now: Instant, name: &str) {
        let Some(entry) = self.topics.get(name).cloned() else { return };
        for queue in &entry.queues {
            self.evaluate(now, queue.id().index);
        }
    }

    fn leader_of(&self, index: usize) -> i32 {
        let partition = self.partitions.get(index).and_then(Option::as_ref);
        partition.and_then(|partition| partition.leader).map_or(-1, |leader| leader.0)
    }

    fn insert(&mut self, index: usize, partition: Partition) {
        if self.partitions.len() <= index {
            self.partitions.resize_with(index + 1, || None);
        }
        if let Some(slot) = self.partitions.get_mut(index) {
            *slot = Some(partition);
        }
    }

    /// Forgets topics that nobody sends to any more (`metadata.max.idle.ms`).
    fn expire_topics(&mut self, now: Instant) {
        for name in self.metadata.idle(now) {
            let entry = self.topics.get(&name).cloned();
            let is_used = entry.as_ref().is_some_and(|entry| {
                let is_busy = entry.queues.iter().any(|queue| self.is_busy(queue.id().index));
                entry.shared.take_used() || is_busy
            });
            // Somebody may append this moment: what was accepted must not end with its queue.
            if is_used || !entry.as_ref().is_none_or(|entry| close_all_if_empty(&entry.queues)) {
                self.metadata.keep(now, &name);
                continue;
            }
            self.metadata.forget(&name);
            self.topics.remove(&name);
            self.sensors.forget_topic(&name);
            self.publish();
            for queue in entry.iter().flat_map(|entry| &entry.queues) {
                self.retire(queue.id().index, &ProduceErrorKind::PartitionGone);
            }
        }
    }

    /// Whether a partition has records that are not settled.
    fn is_busy(&self, index: usize) -> bool {
        let partition = self.partitions.get(index).and_then(Option::as_ref);
        partition.is_some_and(|partition| {
            partition.queue.bytes() > 0
                || !partition.waiting.is_empty()
                || !partition.in_flight.is_empty()
        })
    }

    fn rebootstrap_if_in_vain(&mut self, now: Instant) {
        let after = self.config.rebootstrap_after;
        let is_in_vain = after.is_some_and(|after| self.metadata.in_vain(now) > after);
        if is_in_vain && !self.connections.has_bootstrap() {
            self.rebootstrap(now);
        }
    }

    /// A broker says that what is known of the cluster is of no use (KIP-1102): it may be another
    /// cluster by now, so no connection and no leader is of any.
    pub(super) fn rebootstrap_as_told(&mut self, now: Instant) {
        if self.config.rebootstrap_after.is_none() {
            return;
        }
        let (connections, mut out) = self.io();
        let lost = connections.close_all(now, &mut out);
        self.on_lost(now, lost, "a broker asked for a rebootstrap");
        for partition in self.partitions.iter_mut().flatten() {
            partition.set_leader(None, partition.leader_epoch);
        }
        self.rebootstrap(now);
    }

    /// Begins again with the bootstrap servers (KIP-899).
    pub(super) fn rebootstrap(&mut self, now: Instant) {
        tracing::info!("back to the bootstrap servers");
        let (connections, mut out) = self.io();
        let lost = connections.forget_members(now, &mut out);
        self.on_lost_members(now, lost);
        self.connections.add_bootstrap(now, &self.config.bootstrap_servers);
        self.metadata.make_stale(now);
        // They can be asked at once: nothing that could be waited for says so.
        self.has_news = true;
    }
}

impl Partition {
    /// `true` if that is news.
    fn set_leader(&mut self, leader: Option<BrokerId>, epoch: i32) -> bool {
        if self.leader != leader && self.leader.is_some() {
            self.is_probing |= !self.in_flight.is_empty() || !self.waiting.is_empty();
        }
        // A newer leader than the one that failed need not be spared (KIP-951).
        if epoch > self.leader_epoch {
            self.backoff_until = None;
        }
        let before = (self.leader, self.leader_epoch);
        (self.leader, self.leader_epoch) = (leader, epoch.max(self.leader_epoch));
        before != (self.leader, self.leader_epoch)
    }
}

/// Closes these queues if there is nothing in any of them, or none.
fn close_all_if_empty(queues: &[Arc<PartitionQueue>]) -> bool {
    let is_closed = |queue: &&Arc<PartitionQueue>| queue.close_if_empty(QueueClosed::Replaced);
    let closed = queues.iter().take_while(is_closed).count();
    if closed == queues.len() {
        return true;
    }
    // Who was refused meanwhile asks for the topic, and finds it as it was.
    queues.iter().take(closed).for_each(|queue| queue.reopen());
    false
}

impl MetadataAsked {
    fn find(&self, name: &str) -> Option<Arc<str>> {
        let at = self.topics.binary_search_by(|topic| (**topic).cmp(name)).ok()?;
        self.topics.get(at).cloned()
    }
}

fn members(answer: &MetadataResponse) -> BTreeMap<BrokerId, HostPort> {
    let brokers = answer.brokers.iter().filter(|broker| broker.node_id >= 0);
    let members = brokers.filter_map(|broker| {
        Some((BrokerId(broker.node_id), address(broker.host.as_str(), broker.port)?))
    });
    members.collect()
}

fn address(host: &str, port: i32) -> Option<HostPort> {
    HostPort::new(host, port).ok()
}
