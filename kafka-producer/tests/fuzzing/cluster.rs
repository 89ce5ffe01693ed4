//! What the brokers say of themselves: three brokers, a few topics. It only has to be plausible.

use kafka_protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::{ErrorCode, Uuid};

use crate::fuzzing::input::Input;

/// The state that answers are made of.
pub(super) struct Cluster {
    /// Ids and the last part of their addresses.
    pub(super) brokers: Vec<(i32, u8)>,
    pub(super) topics: Vec<Topic>,
    next_topic_id: u8,
    pub(super) next_producer_id: i64,
    pub(super) next_offset: i64,
}

pub(super) struct Topic {
    pub(super) name: &'static str,
    pub(super) id: Uuid,
    /// Leader and its epoch, for each partition.
    pub(super) leaders: Vec<(i32, i32)>,
    pub(super) error: ErrorCode,
}

impl Cluster {
    pub(super) fn new() -> Self {
        let mut cluster = Self {
            brokers: vec![(1, 1), (2, 2), (3, 3)],
            topics: Vec::new(),
            next_topic_id: 1,
            next_producer_id: 1,
            next_offset: 0,
        };
        for (name, partitions) in TOPICS.into_iter().zip([2, 1, 4]) {
            let leaders = (0..partitions).map(|number| (1 + number % 3, 0)).collect();
            let id = cluster.new_topic_id();
            cluster.topics.push(Topic { name, id, leaders, error: ErrorCode::NONE });
        }
        cluster
    }

    /// Something happens to the brokers or a topic.
    pub(super) fn change(&mut self, input: &mut Input<'_>) {
        let kind = input.nibble();
        let at = input.index(self.topics.len());
        let broker = input.choice(&[1, 2, 3, -1, 9]);
        let id = self.new_topic_id();
        let topic = &mut self.topics[at];
        match kind {
            0..=4 => {
                let partition = usize::from(kind) % topic.leaders.len();
                let (_, epoch) = topic.leaders[partition];
                topic.leaders[partition] = (broker, epoch + 1);
            }
            5 => topic.leaders.push((broker, 0)),
            6 if topic.leaders.len() > 1 => drop(topic.leaders.pop()),
            // Deleted and created again.
            7 | 8 => topic.id = id,
            9 => topic.id = Uuid::default(),
            10 => topic.error = ErrorCode(input.number()),
            11 => topic.error = ErrorCode::NONE,
            12 => self.brokers = vec![(1, 1), (2, 2), (3, 3)],
            13 => self.brokers.retain(|(id, _)| *id != broker),
            14 => self.brokers.push((broker, 40 + input.nibble())),
            _ => self.brokers.clear(),
        }
    }

    /// Everything is as it should be.
    pub(super) fn heal(&mut self) {
        self.brokers = vec![(1, 1), (2, 2), (3, 3)];
        for topic in &mut self.topics {
            topic.error = ErrorCode::NONE;
            if topic.id.is_zero() {
                topic.id = Uuid::from_bytes([0xee; 16]);
            }
            for (leader, epoch) in &mut topic.leaders {
                // Above whatever was told before.
                (*leader, *epoch) = (1, i32::MAX);
            }
        }
    }

    pub(super) fn brokers(&self) -> Vec<MetadataResponseBroker> {
        let broker = |&(node_id, last)| MetadataResponseBroker {
            node_id,
            host: address_of(last).into(),
            port: 9092,
            ..MetadataResponseBroker::default()
        };
        self.brokers.iter().map(broker).collect()
    }

    pub(super) fn topic(&self, name: &str) -> MetadataResponseTopic {
        let answer =
            MetadataResponseTopic { name: Some(name.into()), ..MetadataResponseTopic::default() };
        let Some(topic) = self.topics.iter().find(|topic| topic.name == name) else {
            return MetadataResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                ..answer
            };
        };
        let partition = |(index, &(leader_id, leader_epoch))| MetadataResponsePartition {
            error_code: if leader_id < 0 {
                ErrorCode::LEADER_NOT_AVAILABLE
            } else {
                ErrorCode::NONE
            },
            partition_index: index,
            leader_id,
            leader_epoch,
            ..MetadataResponsePartition::default()
        };
        MetadataResponseTopic {
            error_code: topic.error,
            topic_id: topic.id,
            partitions: (0..).zip(&topic.leaders).map(partition).collect(),
            ..answer
        }
    }

    fn new_topic_id(&mut self) -> Uuid {
        self.next_topic_id = self.next_topic_id.wrapping_add(1).max(1);
        Uuid::from_bytes([self.next_topic_id; 16])
    }
}

pub(super) fn address_of(last: u8) -> String {
    format!("10.0.0.{last}")
}

/// Those that there are, and one more that there is not.
pub(super) const TOPICS: [&str; 3] = ["orders", "bills", "clicks"];
pub(super) const UNKNOWN_TOPIC: &str = "nowhere";
