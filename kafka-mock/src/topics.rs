//! Topics and their partitions: who leads, and what is in the log.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::{ErrorCode, Int32Array, KafkaString, Uuid};

use crate::BrokerId;
use crate::log::PartitionLog;
use crate::producers::ProducerStates;

/// All topics, by name and by id.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<String, Topic>,
    names: BTreeMap<Uuid, String>,
    partitions: usize,
}

#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: KafkaString,
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) configs: TopicConfigs,
}

/// What its creator wished for, as far as it matters here.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct TopicConfigs {
    /// Largest batch in bytes (`max.message.bytes`), if not the cluster's `message.max.bytes`.
    pub(crate) max_message_bytes: Option<usize>,
    /// In-sync replicas that `acks=all` needs, if not as many as the cluster says.
    pub(crate) min_insync_replicas: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) leader: Option<BrokerId>,
    pub(crate) leader_epoch: i32,
    /// Leader and epoch that Metadata tells instead of the real ones.
    pub(crate) announced: Option<(BrokerId, i32)>,
    pub(crate) replicas: Int32Array,
    /// Most replicas that are in sync.
    pub(crate) in_sync_max: Option<usize>,
    pub(crate) log: PartitionLog,
    pub(crate) producers: ProducerStates,
}

impl Topics {
    pub(crate) fn insert(
        &mut self,
        name: &str,
        id: Uuid,
        partitions: Vec<Partition>,
        configs: TopicConfigs,
    ) {
        self.remove(name);
        self.partitions += partitions.len();
        self.names.insert(id, name.to_owned());
        let topic = Topic { name: name.into(), id, partitions, configs };
        self.by_name.insert(name.to_owned(), topic);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Topic> {
        let topic = self.by_name.remove(name)?;
        self.names.remove(&topic.id);
        self.partitions -= topic.partitions.len();
        Some(topic)
    }

    /// Adds partitions behind those that are there; `None` if there is no such topic.
    pub(crate) fn extend(&mut self, name: &str, more: Vec<Partition>) -> Option<()> {
        let topic = self.by_name.get_mut(name)?;
        self.partitions += more.len();
        topic.partitions.extend(more);
        Some(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.by_name.get(name)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// Number of partitions of all topics.
    pub(crate) fn partition_count(&self) -> usize {
        self.partitions
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.by_name.values()
    }

    pub(crate) fn partition(&self, name: &str, index: i32) -> Option<&Partition> {
        self.by_name.get(name)?.partitions.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn partition_mut(&mut self, name: &str, index: i32) -> Option<&mut Partition> {
        self.by_name.get_mut(name)?.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// Every partition of every topic.
    pub(crate) fn partitions_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        self.by_name.values_mut().flat_map(|topic| &mut topic.partitions)
    }

    /// The topic that a request names: by id where it has one, else by name.
    ///
    /// # Errors
    /// What Kafka answers if there is none.
    pub(crate) fn resolve(&self, id: Uuid, name: &str) -> Result<&Topic, ErrorCode> {
        if id.is_zero() {
            return self.get(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        }
        self.name_of(id).and_then(|name| self.get(name)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
    }
}

impl Partition {
    /// Gives it another leader, in a new leader epoch.
    pub(crate) fn lead(&mut self, leader: Option<BrokerId>) {
        self.leader = leader;
        self.leader_epoch = self.leader_epoch.saturating_add(1);
    }

    /// Whether `broker` may answer for it; `epoch` is what the client knows, if it says so.
    ///
    /// # Errors
    /// What Kafka answers if not (KIP-320). A replica tells of its disk first, then of the epoch.
    pub(crate) fn check_leader(
        &self,
        broker: BrokerId,
        epoch: Option<i32>,
        failed_disks: &BTreeSet<BrokerId>,
    ) -> Result<(), ErrorCode> {
        let is_leader = self.leader == Some(broker);
        if is_leader || self.replicas.as_slice().contains(&broker.0) {
            if failed_disks.contains(&broker) {
                return Err(ErrorCode::KAFKA_STORAGE_ERROR);
            }
            match epoch.map(|epoch| epoch.cmp(&self.leader_epoch)) {
                Some(Ordering::Less) => return Err(ErrorCode::FENCED_LEADER_EPOCH),
                Some(Ordering::Greater) => return Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
                Some(Ordering::Equal) | None => {}
            }
        }
        if is_leader { Ok(()) } else { Err(ErrorCode::NOT_LEADER_OR_FOLLOWER) }
    }

    /// The replicas that are in sync, the leader first if some are not, of the brokers in the cluster.
    pub(crate) fn in_sync<T>(&self, brokers: &BTreeMap<BrokerId, T>) -> Vec<i32> {
        let is_there = |id: &i32| brokers.contains_key(&BrokerId(*id));
        let mut in_sync: Vec<i32> = self.replicas.iter().copied().filter(is_there).collect();
        if let Some(max) = self.in_sync_max {
            in_sync.sort_by_key(|id| *id != self.leader_id());
            in_sync.truncate(max);
        }
        in_sync
    }

    /// How many replicas are in sync.
    pub(crate) fn in_sync_count<T>(&self, brokers: &BTreeMap<BrokerId, T>) -> usize {
        let is_there = |id: &&i32| brokers.contains_key(&BrokerId(**id));
        self.replicas.iter().filter(is_there).count().min(self.in_sync_max.unwrap_or(usize::MAX))
    }

    /// The leader's id as responses give it, -1 for none.
    pub(crate) fn leader_id(&self) -> i32 {
        self.leader.map_or(-1, |leader| leader.0)
    }
}

/// Whether Kafka takes this name for a topic: 1 to 249 letters, digits, `.`, `_` and `-`, and not
/// `.` or `..`.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !name.is_empty()
        && name.len() <= NAME_LEN_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(is_legal)
}

const NAME_LEN_MAX: usize = 249;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_kafka_judges_them() {
        for name in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
            assert!(is_valid_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
