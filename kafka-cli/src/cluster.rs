//! What a command asks a cluster before it begins: who leads a topic, and which offsets there are.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_net::{BrokerId, ConnectionPool, NetConfig, RequestError, Target};
use kafka_protocol::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata::{MetadataRequestTopic, MetadataResponseTopic};
use kafka_protocol::messages::{ListOffsetsRequest, MetadataRequest, MetadataResponse};
use kafka_protocol::{ErrorCode, KafkaString, Uuid};
use tokio::time::sleep;

use crate::failure::Failure;
use crate::numbers::counted;
use crate::values::Servers;

/// How often something is tried again that may pass by itself, such as an election.
pub(crate) const RETRIES_MAX: u32 = 50;
/// How long to wait before that.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Connections to a cluster. `timeout` is the time to wait for each.
pub(crate) fn connect(servers: &Servers, timeout: Duration) -> ConnectionPool {
    let config = NetConfig::new().client_id("kafka-cli").max_wait(timeout);
    ConnectionPool::new(servers.0.clone(), config)
}

/// The cluster's metadata, of these topics or of all of them if there are none. Creates no topic. The
/// pool knows the brokers from then on.
pub(crate) async fn metadata(
    pool: &ConnectionPool,
    topics: &[String],
) -> Result<MetadataResponse, RequestError> {
    let named = |name: &String| MetadataRequestTopic {
        name: Some(name.as_str().into()),
        ..Default::default()
    };
    let topics = (!topics.is_empty()).then(|| topics.iter().map(named).collect());
    let request =
        MetadataRequest { topics, allow_auto_topic_creation: false, ..Default::default() };
    let metadata = pool.call(Target::Any, &request).await?;
    pool.learn_brokers(&metadata).await?;
    Ok(metadata)
}

/// A topic, and who leads its partitions.
#[derive(Debug, Clone)]
pub(crate) struct Topic {
    pub(crate) name: KafkaString,
    /// Zero if the brokers are too old for ids.
    pub(crate) id: Uuid,
    pub(crate) leaders: BTreeMap<i32, BrokerId>,
}

/// Which end of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    First,
    Last,
}

impl Topic {
    /// Looks a topic up, with these partitions of it, or all if there are none. Waits a while for
    /// partitions without a leader.
    pub(crate) async fn find(
        pool: &ConnectionPool,
        name: &str,
        partitions: &[i32],
    ) -> Result<Self, Failure> {
        let names = [name.to_owned()];
        let mut retries = 0..RETRIES_MAX;
        loop {
            let found = metadata(pool, &names).await?.topics.pop().unwrap_or_default();
            if let Some(failure) = unusable(name, found.error_code) {
                return Err(failure);
            }
            match Self::with_leaders(name, &found, partitions)? {
                Ok(topic) => return Ok(topic),
                Err(trouble) if retries.next().is_none() => return Err(Failure::new(trouble)),
                Err(_) => sleep(RETRY_PAUSE).await,
            }
        }
    }

    /// The topic, or what may pass: partitions without a leader.
    fn with_leaders(
        name: &str,
        found: &MetadataResponseTopic,
        wanted: &[i32],
    ) -> Result<Result<Self, String>, Failure> {
        let count = found.partitions.len();
        let has = |index: &&i32| found.partitions.iter().any(|p| p.partition_index == **index);
        if count == 0 {
            return Ok(Err(format!("topic {name:?} has no partitions yet")));
        }
        if let Some(missing) = wanted.iter().find(|index| !has(index)) {
            let count = counted(count as u64, "partition");
            return Err(Failure::new(format_args!(
                "topic {name:?} has no partition {missing}: it has {count}, counted from 0"
            )));
        }
        let mut leaders = BTreeMap::new();
        for partition in &found.partitions {
            let index = partition.partition_index;
            if !wanted.is_empty() && !wanted.contains(&index) {
                continue;
            }
            if partition.leader_id < 0 {
                return Ok(Err(format!(
                    "partition {index} of topic {name:?} has no leader; are its brokers down?"
                )));
            }
            leaders.insert(index, BrokerId(partition.leader_id));
        }
        Ok(Ok(Self { name: name.into(), id: found.topic_id, leaders }))
    }

    /// Looks up again who leads the partitions.
    pub(crate) async fn refresh(&mut self, pool: &ConnectionPool) -> Result<(), Failure> {
        let partitions: Vec<i32> = self.leaders.keys().copied().collect();
        let found = Self::find(pool, &self.name, &partitions).await?;
        if found.id != self.id {
            return Err(Failure::new(format_args!(
                "topic {:?} was deleted and created again meanwhile",
                self.name.as_str()
            )));
        }
        self.leaders = found.leaders;
        Ok(())
    }

    /// The first or the next offset of each partition.
    pub(crate) async fn offsets(
        &mut self,
        pool: &ConnectionPool,
        end: End,
    ) -> Result<BTreeMap<i32, i64>, Failure> {
        let mut offsets = BTreeMap::new();
        let mut retries = 0..RETRIES_MAX;
        loop {
            let trouble = self.ask_offsets(pool, end, &mut offsets).await?;
            let Some((partition, error)) = trouble else { return Ok(offsets) };
            if !error.is_retriable() || retries.next().is_none() {
                return Err(Failure::new(format_args!(
                    "cannot ask for the offsets of {}-{partition}: {error}",
                    self.name.as_str()
                )));
            }
            sleep(RETRY_PAUSE).await;
            self.refresh(pool).await?;
        }
    }

    /// Asks each leader for what is missing, and tells of a partition that had an error.
    async fn ask_offsets(
        &self,
        pool: &ConnectionPool,
        end: End,
        offsets: &mut BTreeMap<i32, i64>,
    ) -> Result<Option<(i32, ErrorCode)>, RequestError> {
        let mut trouble = None;
        let mut by_leader: BTreeMap<BrokerId, Vec<ListOffsetsPartition>> = BTreeMap::new();
        for (partition, leader) in &self.leaders {
            if !offsets.contains_key(partition) {
                by_leader.entry(*leader).or_default().push(ListOffsetsPartition {
                    partition_index: *partition,
                    // The earliest and the latest one, as the protocol writes them.
                    timestamp: if end == End::First { -2 } else { -1 },
                    ..Default::default()
                });
            }
        }
        for (leader, partitions) in by_leader {
            let topic =
                ListOffsetsTopic { name: self.name.clone(), partitions, ..Default::default() };
            // Not a replica, but a client.
            let request =
                ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
            let answer = pool.call(leader, &request).await?;
            for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                if partition.error_code.is_none() {
                    offsets.insert(partition.partition_index, partition.offset);
                } else {
                    trouble = Some((partition.partition_index, partition.error_code));
                }
            }
        }
        Ok(trouble)
    }
}

/// What to say of a topic with an error that does not pass.
pub(crate) fn unusable(name: &str, error: ErrorCode) -> Option<Failure> {
    let why = match error {
        // As retriable as it is, since a new topic takes a while to spread; but a person wants to
        // know now.
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::UNKNOWN_TOPIC_ID => {
            "does not exist; `kafka metadata` lists those that do".to_owned()
        }
        ErrorCode::INVALID_TOPIC_EXCEPTION => {
            "has a name that Kafka does not allow: letters, digits, '.', '_' and '-', at most 249"
                .to_owned()
        }
        ErrorCode::TOPIC_AUTHORIZATION_FAILED => "is not for us to see: not authorized".to_owned(),
        error if error.is_none() || error.is_retriable() => return None,
        error => format!("cannot be used: {error}"),
    };
    Some(Failure::new(format_args!("topic {name:?} {why}")))
}
