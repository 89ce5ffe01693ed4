//! Which partitions keyless records go to: those whose leader takes what is sent to it (KIP-794), in
//! the client's rack if there are any (KIP-1123).

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kafka_net::BrokerId;
use kafka_protocol::messages::MetadataResponse;

use crate::accumulator::PartitionQueue;
use crate::cluster::TopicEntry;
use crate::sender::Sender;
use crate::sender::timers::Timer;
use crate::sync::Arc;

/// What makes one partition as good as another, or not.
#[derive(Debug, Clone, Default)]
pub(crate) struct AvailabilityConfig {
    /// `partitioner.availability.timeout.ms`; `None` if no partition is left out.
    pub(crate) timeout: Option<Duration>,
    /// `client.rack`, if partitions in it come first.
    pub(crate) rack: Option<String>,
}

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Availability {
    /// Brokers in the client's rack.
    near: BTreeSet<BrokerId>,
    /// Topics of which a partition is to be left out, or not any more.
    changed: BTreeSet<Arc<str>>,
}

impl Sender {
    /// Notes whether a partition has something that its leader could take now. Each time that it takes
    /// some, it begins anew.
    pub(super) fn note_due(&mut self, now: Instant, index: usize, is_due: bool) {
        let Some(timeout) = self.config.availability.timeout else { return };
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let since = is_due.then(|| partition.untaken_since.unwrap_or(now));
        partition.untaken_since = since;
        // A time that never comes is none.
        let at = since.and_then(|since| since.checked_add(timeout));
        let is_left_out = at.is_some_and(|at| at <= now);
        if partition.is_left_out != is_left_out {
            partition.is_left_out = is_left_out;
            self.availability.changed.insert(Arc::clone(partition.queue.topic()));
        }
        self.timers.set(Timer::Availability(index), at.filter(|at| *at > now));
    }

    /// Tells those who send which partitions are left out now.
    pub(super) fn publish_availability(&mut self) {
        let mut is_news = false;
        for name in std::mem::take(&mut self.availability.changed) {
            let Some(entry) = self.topics.get(&name) else { continue };
            let preferred = self.preferred(&entry.queues, &entry.available);
            let entry = Arc::new(TopicEntry { preferred, ..TopicEntry::clone(entry) });
            is_news |= self.metadata.replace(&name, &entry);
            self.topics.insert(name, entry);
        }
        if is_news {
            self.publish();
        }
    }

    /// Takes the racks of the brokers.
    pub(super) fn take_racks(&mut self, answer: &MetadataResponse) {
        let Some(rack) = &self.config.availability.rack else { return };
        let near = answer.brokers.iter().filter(|broker| {
            broker.rack.as_ref().is_some_and(|of_broker| of_broker.as_str() == rack)
        });
        self.availability.near = near.map(|broker| BrokerId(broker.node_id)).collect();
    }

    /// Of the partitions with a leader those that keyless records go to: as good ones as there are.
    pub(super) fn preferred(&self, queues: &[Arc<PartitionQueue>], available: &[i32]) -> Vec<i32> {
        let partition = |number: i32| {
            let queue = usize::try_from(number).ok().and_then(|number| queues.get(number))?;
            self.partitions.get(queue.id().index)?.as_ref()
        };
        let is_taking = |number: &i32| partition(*number).is_some_and(|p| !p.is_left_out);
        let is_near = |number: &i32| {
            let leader = partition(*number).and_then(|partition| partition.leader);
            leader.is_some_and(|leader| self.availability.near.contains(&leader))
        };
        let taking: Vec<_> = available.iter().copied().filter(is_taking).collect();
        let near: Vec<_> = taking.iter().copied().filter(is_near).collect();
        let best = [near, taking].into_iter().find(|best| !best.is_empty());
        best.unwrap_or_else(|| available.to_vec())
    }
}
