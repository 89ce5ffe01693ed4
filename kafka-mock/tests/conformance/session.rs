//! A script at work: it asks brokers, and what they answer becomes lines.
#![expect(clippy::disallowed_methods, reason = "a real cluster takes its time")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::Duration;

use kafka_mock::{BrokerId, MockServer};
use kafka_protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use kafka_protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use kafka_protocol::messages::elect_leaders::{ElectLeadersRequest, TopicPartitions};
use kafka_protocol::messages::find_coordinator::FindCoordinatorRequest;
use kafka_protocol::messages::init_producer_id::InitProducerIdRequest;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::{ApiKey, ErrorCode, Int32Array, Request, Uuid};

use crate::client::{Client, Reply};
use crate::names::Names;
use crate::show::Show;

/// The cluster that a script runs against: brokers 1, 2, 3.
pub(crate) struct Cluster {
    pub(crate) addresses: Vec<SocketAddr>,
    /// `None`: it is real.
    pub(crate) mock: Option<MockServer>,
}

/// A topic of a script, by both its names.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
}

pub(crate) struct Session<'c> {
    cluster: &'c Cluster,
    clients: BTreeMap<i32, Client>,
    pub(crate) names: Names,
    pub(crate) lines: Vec<String>,
    /// Which versions were asked in.
    pub(crate) covered: BTreeSet<(ApiKey, i16)>,
    pub(crate) steps: usize,
}

const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Ten seconds of polls and more: a cluster that does not settle by then never will.
const POLLS_MAX: usize = 500;

impl<'c> Session<'c> {
    pub(crate) fn new(cluster: &'c Cluster, prefix: String) -> Self {
        let ports = cluster.addresses.iter().map(SocketAddr::port).collect();
        Self {
            cluster,
            clients: BTreeMap::new(),
            names: Names::new(prefix, ports),
            lines: Vec::new(),
            covered: BTreeSet::new(),
            steps: 0,
        }
    }

    /// A step: a request to a broker, and a line with what it answers.
    pub(crate) fn step<R: Request>(
        &mut self,
        broker: i32,
        version: i16,
        label: &str,
        request: &R,
    ) -> Option<R::Response>
    where
        R::Response: Show,
    {
        let reply = self.client(broker).ask(request, version);
        self.record::<R>(broker, version, label, reply)
    }

    /// A step with a request that has no answer.
    pub(crate) fn step_without_answer<R: Request>(
        &mut self,
        broker: i32,
        version: i16,
        label: &str,
        request: &R,
    ) where
        R::Response: Show,
    {
        let reply = self.client(broker).tell(request, version);
        self.record::<R>(broker, version, label, reply);
    }

    /// A step with a request that a broker may never answer, on a connection of its own.
    pub(crate) fn step_into_silence<R: Request>(&mut self, version: i16, label: &str, request: &R)
    where
        R::Response: Show,
    {
        self.clients.remove(&1);
        let reply = self.client(1).try_asking(request, version);
        self.record::<R>(1, version, label, reply);
        self.clients.remove(&1);
    }

    /// A step with the bytes of a frame: `correlation_id` is theirs, the answer has `version`.
    pub(crate) fn step_of_bytes<R: Request>(
        &mut self,
        label: &str,
        frame: &[u8],
        correlation_id: i32,
        version: i16,
    ) where
        R::Response: Show,
    {
        // A connection of its own: the frame may leave anything behind.
        self.clients.remove(&1);
        let reply = self.client(1).ask_bytes::<R>(frame, correlation_id, version);
        self.clients.remove(&1);
        self.push(label, reply);
    }

    /// Asks without a line.
    pub(crate) fn ask<R: Request>(
        &mut self,
        broker: i32,
        version: i16,
        request: &R,
    ) -> R::Response {
        match self.client(broker).ask(request, version) {
            Reply::Answer(response) => response,
            _ => panic!("{} v{version} was not answered", R::NAME),
        }
    }

    /// A topic with a partition on each of these brokers, without copies.
    pub(crate) fn topic(&mut self, name: &str, leaders: &[i32]) -> Topic {
        self.topic_with(name, leaders, &[])
    }

    pub(crate) fn topic_with(
        &mut self,
        name: &str,
        leaders: &[i32],
        configs: &[(&str, &str)],
    ) -> Topic {
        let replicas: Vec<Vec<i32>> = leaders.iter().map(|leader| vec![*leader]).collect();
        self.create(name, &replicas, configs)
    }

    /// A topic with one partition on these brokers, led by the first.
    pub(crate) fn replicated_topic(&mut self, name: &str, replicas: &[i32]) -> Topic {
        self.create(name, &[replicas.to_vec()], &[])
    }

    fn create(&mut self, name: &str, replicas: &[Vec<i32>], configs: &[(&str, &str)]) -> Topic {
        let name = self.names.full(name);
        let assignments = (0..).zip(replicas).map(|(partition_index, replicas)| {
            let broker_ids = Int32Array::from(replicas.clone());
            CreatableReplicaAssignment { partition_index, broker_ids, ..Default::default() }
        });
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).into(),
            value: Some((*value).into()),
            ..Default::default()
        });
        let topic = CreatableTopic {
            name: name.as_str().into(),
            num_partitions: -1,
            replication_factor: -1,
            assignments: assignments.collect(),
            configs: configs.collect(),
            ..Default::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
        let created = self.ask(1, 7, &request);
        assert_eq!(created.topics[0].error_code, ErrorCode::NONE, "{name}");
        let id = created.topics[0].topic_id;
        self.names.learn_topic(id, &name);
        for (partition, replicas) in (0..).zip(replicas) {
            self.wait_until_led(&name, partition, replicas[0]);
        }
        Topic { name, id }
    }

    /// Makes another broker of a partition its leader. The lines call the epochs 0, 1, … then.
    pub(crate) fn move_leader(&mut self, topic: &Topic, partition: i32, replicas: &[i32]) {
        let before = self.leader(1, &topic.name, partition).map_or(-1, |(_, epoch)| epoch);
        match &self.cluster.mock {
            Some(server) => {
                let to = Some(BrokerId(replicas[0]));
                server.with_cluster(|mock| mock.move_leader(&topic.name, partition, to));
            }
            None => self.elect(topic, partition, replicas),
        }
        self.wait_until_led(&topic.name, partition, replicas[0]);
        let after = self.leader(1, &topic.name, partition).map_or(-1, |(_, epoch)| epoch);
        assert!(after > before, "no new epoch");
        let mut epochs = self.names.epochs(&topic.name, partition).to_vec();
        if epochs.is_empty() {
            epochs.push(before);
        }
        epochs.push(after);
        self.names.learn_epochs(&topic.name, partition, epochs);
    }

    /// A new order of replicas, and an election of the first.
    fn elect(&mut self, topic: &Topic, partition: i32, replicas: &[i32]) {
        let name = || topic.name.as_str().into();
        let to = ReassignablePartition {
            partition_index: partition,
            replicas: Some(Int32Array::from(replicas.to_vec())),
            ..Default::default()
        };
        let topics =
            vec![ReassignableTopic { name: name(), partitions: vec![to], ..Default::default() }];
        let reassign =
            AlterPartitionReassignmentsRequest { topics, timeout_ms: 10_000, ..Default::default() };
        assert_eq!(self.ask(1, 0, &reassign).error_code, ErrorCode::NONE);
        let partitions = Int32Array::from(vec![partition]);
        let of_topic = TopicPartitions { topic: name(), partitions, ..Default::default() };
        let elect = ElectLeadersRequest {
            topic_partitions: Some(vec![of_topic]),
            timeout_ms: 10_000,
            ..Default::default()
        };
        assert_eq!(self.ask(1, 2, &elect).error_code, ErrorCode::NONE);
    }

    /// Waits until every broker knows the leader, and it knows itself.
    fn wait_until_led(&mut self, topic: &str, partition: i32, leader: i32) {
        for broker in [1, 2, 3] {
            self.wait_until(|session| {
                session.leader(broker, topic, partition).is_some_and(|(id, _)| id == leader)
            });
        }
        self.wait_until(|session| {
            let code = session.offsets(topic, partition, leader).map(|_| ());
            code != Err(ErrorCode::NOT_LEADER_OR_FOLLOWER)
                && code != Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        });
    }

    pub(crate) fn wait_until(&mut self, mut is_done: impl FnMut(&mut Self) -> bool) {
        for _ in 0..POLLS_MAX {
            if is_done(self) {
                return;
            }
            sleep(POLL_INTERVAL);
        }
        panic!("the cluster does not settle");
    }

    /// Leader and epoch of a partition, as this broker knows them.
    pub(crate) fn leader(
        &mut self,
        broker: i32,
        topic: &str,
        partition: i32,
    ) -> Option<(i32, i32)> {
        let asked = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![asked]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let answer = self.ask(broker, 12, &request).topics.remove(0);
        let found = answer.partitions.into_iter().find(|other| other.partition_index == partition);
        found.filter(|found| found.leader_id > 0).map(|found| (found.leader_id, found.leader_epoch))
    }

    /// A new producer id; its lines call it by the order in which they came.
    pub(crate) fn producer_id(&mut self) -> i64 {
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        let mut id = -1;
        self.wait_until(|session| {
            let answer = session.ask(1, 4, &request);
            id = answer.producer_id;
            answer.error_code.is_none()
        });
        self.names.producer(id);
        id
    }

    /// The broker that looks after a transactional id, once it has done so for another one: a new
    /// coordinator first has to load what it looks after.
    pub(crate) fn coordinator(&mut self, transactional_id: &str) -> i32 {
        let other = format!("{transactional_id}-first");
        let broker = self.find_coordinator(&other);
        let request = InitProducerIdRequest {
            transactional_id: Some(other.as_str().into()),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        self.wait_until(|session| session.ask(broker, 4, &request).error_code.is_none());
        self.find_coordinator(transactional_id)
    }

    fn find_coordinator(&mut self, transactional_id: &str) -> i32 {
        let request = FindCoordinatorRequest {
            key: transactional_id.into(),
            key_type: 1,
            ..Default::default()
        };
        let mut broker = -1;
        self.wait_until(|session| {
            let answer = session.ask(1, 3, &request);
            broker = answer.node_id;
            answer.error_code.is_none()
        });
        broker
    }

    fn client(&mut self, broker: i32) -> &mut Client {
        let address = self.cluster.addresses[broker as usize - 1];
        self.clients.entry(broker).or_insert_with(|| Client::connect(address))
    }

    fn record<R: Request>(
        &mut self,
        broker: i32,
        version: i16,
        label: &str,
        reply: Reply<R::Response>,
    ) -> Option<R::Response>
    where
        R::Response: Show,
    {
        self.covered.insert((R::KEY, version));
        if matches!(reply, Reply::Closed) {
            self.clients.remove(&broker);
        }
        let api = R::NAME.trim_end_matches("Request");
        self.push(&format!("{api} v{version}, {label}"), reply)
    }

    fn push<T: Show>(&mut self, label: &str, reply: Reply<T>) -> Option<T> {
        self.steps += 1;
        let (text, answer) = match reply {
            Reply::Answer(answer) => (answer.show(&mut self.names), Some(answer)),
            Reply::Closed => ("closed".to_owned(), None),
            Reply::Silence => ("no answer".to_owned(), None),
        };
        self.lines.push(format!("{label}: {text}"));
        answer
    }
}
