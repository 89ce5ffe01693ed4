//! The cluster behind the handlers: brokers, topics, coordinators. Connections and faults are not
//! here, so no handler can touch them.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::{ApiKey, ErrorCode, Int32Array, KafkaString, Uuid};

use crate::coordinator::Coordinator;
use crate::journal::Counters;
use crate::log::PartitionLog;
use crate::producers::ProducerStates;
use crate::seed::Seed;
use crate::topics::{Partition, TopicConfigs, Topics, is_valid_name};
use crate::versions::{Announced, Wanted};
use crate::{BrokerId, MockConfig};

#[derive(Debug)]
pub(crate) struct ClusterState {
    pub(crate) config: MockConfig,
    pub(crate) cluster_id: KafkaString,
    pub(crate) brokers: BTreeMap<BrokerId, BrokerAddress>,
    /// Brokers whose disk has failed.
    pub(crate) failed_disks: BTreeSet<BrokerId>,
    pub(crate) topics: Topics,
    pub(crate) coordinator: Coordinator,
    pub(crate) counters: Counters,
    pub(crate) requests_by_api: BTreeMap<ApiKey, u64>,
    /// Whether a Fetch that waits may have something to read, or an error to tell.
    pub(crate) may_wake_fetches: bool,
    /// What brokers announce, unless it was changed for one of them.
    announced: Announced,
    announced_by: BTreeMap<BrokerId, Announced>,
    seed: Seed,
}

/// Where clients are told to find a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokerAddress {
    pub(crate) host: KafkaString,
    pub(crate) port: i32,
}

/// Port below that of the first broker, until it is told another.
const PORT_BELOW_FIRST: i32 = 9091;
/// Replicas of a topic whose creator does not say how many, if there are as many brokers.
const DEFAULT_REPLICAS: i32 = 3;
/// Producer ids begin below this number, so that they are short to read.
const FIRST_PRODUCER_ID_MAX: u64 = 10_000;

impl BrokerAddress {
    /// Where a broker is until it is told.
    pub(crate) fn of(broker: BrokerId) -> Self {
        let port = PORT_BELOW_FIRST.saturating_add(broker.0).min(i32::from(u16::MAX));
        Self { host: KafkaString::from_static("127.0.0.1"), port }
    }
}

impl ClusterState {
    pub(crate) fn new(config: MockConfig) -> Self {
        let mut seed = Seed::new(config.seed);
        let cluster_id = seed.uuid().to_string().into();
        let first_producer_id = (seed.number() % FIRST_PRODUCER_ID_MAX) as i64;
        let brokers = (1..=config.brokers).map(BrokerId).map(|id| (id, BrokerAddress::of(id)));
        let brokers = brokers.collect();
        Self {
            cluster_id,
            brokers,
            failed_disks: BTreeSet::new(),
            topics: Topics::default(),
            coordinator: Coordinator::new(first_producer_id, config.transactional_ids_max),
            counters: Counters::default(),
            requests_by_api: BTreeMap::new(),
            may_wake_fetches: false,
            announced: Announced::new(config.versions.clone()),
            announced_by: BTreeMap::new(),
            seed,
            config,
        }
    }

    /// What a broker announces.
    pub(crate) fn announced(&self, broker: BrokerId) -> &Announced {
        self.announced_by.get(&broker).unwrap_or(&self.announced)
    }

    /// Makes a broker announce something else.
    pub(crate) fn announce(&mut self, broker: BrokerId, wanted: Wanted) {
        let announced = self.announced(broker).with(wanted);
        self.announced_by.insert(broker, announced);
    }

    /// Makes a broker announce this and nothing of what it announced before.
    pub(crate) fn announce_only(&mut self, broker: BrokerId, wanted: Wanted) {
        self.announced_by.insert(broker, Announced::new(wanted));
    }

    pub(crate) fn broker_ids(&self) -> Vec<BrokerId> {
        self.brokers.keys().copied().collect()
    }

    /// Any broker passes requests on to the controller, so any will do (KIP-590).
    pub(crate) fn controller_id(&self) -> i32 {
        self.brokers.keys().next().map_or(-1, |broker| broker.0)
    }

    /// Creates a topic. Partitions are led by one broker after the other.
    ///
    /// # Errors
    /// What Kafka answers to a wrong wish.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        replication_factor: i32,
    ) -> Result<(), ErrorCode> {
        let replicas = self.new_topic(name, partitions, replication_factor)?;
        let id = self.new_topic_id();
        self.insert_topic(name, id, replicas, TopicConfigs::default());
        Ok(())
    }

    /// The replicas of a topic that may be created.
    pub(crate) fn new_topic(
        &self,
        name: &str,
        partitions: i32,
        replication_factor: i32,
    ) -> Result<Vec<Int32Array>, ErrorCode> {
        self.check_new_topic(name, partitions, replication_factor)?;
        Ok((0..partitions).map(|index| self.replicas(index, replication_factor)).collect())
    }

    /// An id that no topic has had.
    pub(crate) fn new_topic_id(&mut self) -> Uuid {
        self.seed.uuid()
    }

    /// Whether a topic of that shape may be created.
    pub(crate) fn check_new_topic(
        &self,
        name: &str,
        partitions: i32,
        replication_factor: i32,
    ) -> Result<(), ErrorCode> {
        if !is_valid_name(name) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        if self.topics.get(name).is_some() {
            return Err(ErrorCode::TOPIC_ALREADY_EXISTS);
        }
        if replication_factor <= 0 {
            return Err(ErrorCode::INVALID_REPLICATION_FACTOR);
        }
        let Some(partitions) = usize::try_from(partitions).ok().filter(|count| *count > 0) else {
            return Err(ErrorCode::INVALID_PARTITIONS);
        };
        if usize::try_from(replication_factor).unwrap_or(0) > self.brokers.len() {
            return Err(ErrorCode::INVALID_REPLICATION_FACTOR);
        }
        self.check_partition_count(partitions)
    }

    pub(crate) fn check_partition_count(&self, more: usize) -> Result<(), ErrorCode> {
        if self.topics.partition_count().saturating_add(more) > self.config.partitions_max {
            return Err(ErrorCode::POLICY_VIOLATION);
        }
        Ok(())
    }

    /// Creates a topic with these replicas, the first of each partition leading.
    pub(crate) fn insert_topic(
        &mut self,
        name: &str,
        id: Uuid,
        replicas: Vec<Int32Array>,
        configs: TopicConfigs,
    ) {
        let partitions =
            replicas.into_iter().map(|replicas| self.new_partition(replicas)).collect();
        self.topics.insert(name, id, partitions, configs);
    }

    /// Adds partitions to a topic, up to `count`.
    pub(crate) fn add_partitions(&mut self, name: &str, count: i32) -> Result<(), ErrorCode> {
        let topic = self.topics.get(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
        let present = topic.partitions.len() as i32;
        if count <= present {
            return Err(ErrorCode::INVALID_PARTITIONS);
        }
        self.check_partition_count((count - present) as usize)?;
        let factor = self.default_replication_factor();
        let replicas = (present..count).map(|index| self.replicas(index, factor));
        let more = replicas.map(|replicas| self.new_partition(replicas)).collect();
        self.topics.extend(name, more).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    }

    pub(crate) fn default_replication_factor(&self) -> i32 {
        DEFAULT_REPLICAS.min(self.brokers.len() as i32)
    }

    /// Brokers for a partition, one after the other round the cluster.
    fn replicas(&self, partition: i32, replication_factor: i32) -> Int32Array {
        let skip = usize::try_from(partition).unwrap_or(0) % self.brokers.len().max(1);
        let take = usize::try_from(replication_factor).unwrap_or(0);
        let brokers: Vec<i32> =
            self.brokers.keys().cycle().skip(skip).take(take).map(|broker| broker.0).collect();
        Int32Array::from(brokers)
    }

    /// A partition that is led by the first of its replicas that is there.
    fn new_partition(&self, replicas: Int32Array) -> Partition {
        let mut leaders = replicas.iter().copied().map(BrokerId);
        Partition {
            leader: leaders.find(|id| self.brokers.contains_key(id)),
            leader_epoch: 0,
            announced: None,
            in_sync_max: None,
            replicas,
            log: PartitionLog::default(),
            producers: ProducerStates::default(),
        }
    }
}
