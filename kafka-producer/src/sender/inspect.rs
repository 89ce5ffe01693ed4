//! What a test wants to know of a sender, and what it has it believe.

use std::sync::Arc;
use std::time::Instant;

use kafka_net::{ConnectionId, CorrelationError, CorrelationId};
use kafka_protocol::messages::produce::{
    NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use kafka_protocol::messages::{MetadataResponse, ProduceResponse};

use crate::sender::Sender;
use crate::sender::requests::{Answer, MetadataAsked, SentKind, SentRequest};
use crate::sender::sequences::Sequence;

impl Sender {
    /// Partitions that have something to send and no reason not to. There are none after everything that
    /// can be sent was sent.
    pub(crate) fn unexplained(&self, now: Instant) -> Vec<String> {
        let queues = self
            .topics
            .iter()
            .flat_map(|(topic, entry)| entry.queues.iter().map(move |queue| (topic, queue)));
        let has_some = |index: usize| {
            let partition = self.partitions.get(index).and_then(Option::as_ref);
            partition.is_some_and(|p| !p.waiting.is_empty() || p.queue.bytes() > 0)
        };
        let paused = queues.filter(|(_, queue)| has_some(queue.id().index));
        let unexplained = paused
            .filter(|(topic, queue)| self.pause_reason(now, topic, queue.partition()).is_none());
        unexplained.map(|(topic, queue)| format!("{topic}-{}", queue.partition())).collect()
    }

    /// Batches that are being compressed.
    pub(crate) fn sealing_count(&self) -> usize {
        self.seals.len()
    }

    /// An answer about all its topics, as if they had been asked for.
    pub(crate) fn hear_metadata(&mut self, now: Instant, answer: &MetadataResponse) {
        let now = self.clamp(now);
        let names = answer.topics.iter().filter_map(|topic| topic.name.as_ref());
        let topics: Vec<Arc<str>> = names.map(|name| name.as_str().into()).collect();
        let asked = MetadataAsked { topics, is_full: true };
        self.on_metadata(now, kafka_net::BrokerId(1), &asked, answer);
    }

    /// An answer to the oldest Produce request of some broker, or of the one that was asked for this
    /// partition: the same for each partition. The cluster must not give one as well.
    pub(crate) fn hear_produce(
        &mut self,
        now: Instant,
        partition: Option<i32>,
        answer: &PartitionProduceResponse,
        nodes: Vec<NodeEndpoint>,
        throttle_ms: i32,
    ) -> ConnectionId {
        let now = self.clamp(now);
        let is_it = |request: &SentRequest| match &request.kind {
            SentKind::Produce(sent) => {
                partition.is_none_or(|number| sent.iter().any(|batch| batch.partition == number))
            }
            _ => false,
        };
        let mut brokers = self.connections.brokers.iter_mut();
        let oldest = brokers.find(|(_, broker)| broker.in_flight.iter().next().is_some_and(is_it));
        let (id, broker) = oldest.expect("a request is in flight");
        let (id, connection) = (*id, broker.connection_id());
        let number = match broker.in_flight.complete(CorrelationId(-1)) {
            Err(CorrelationError::OutOfOrder { expected, .. }) => expected,
            other => panic!("{other:?}"),
        };
        let request = broker.in_flight.complete(number).expect("it is the oldest");
        let SentKind::Produce(batches) = request.kind else { panic!("it is Produce") };
        let responses = batches.iter().map(|sent| TopicProduceResponse {
            name: (&*sent.topic).into(),
            topic_id: sent.topic_id,
            partition_responses: vec![PartitionProduceResponse {
                index: sent.partition,
                ..answer.clone()
            }],
            ..Default::default()
        });
        let answer = ProduceResponse {
            responses: responses.collect(),
            node_endpoints: nodes,
            throttle_time_ms: throttle_ms,
            ..Default::default()
        };
        let answer = Answer::Produce(batches, answer, request.version);
        self.on_read(now, id, answer, now.saturating_duration_since(request.sent_at));
        connection
    }

    /// Back to the bootstrap servers.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.rebootstrap(now);
    }

    /// Whether it knows the bootstrap servers alone.
    pub(crate) fn is_bootstrapping(&self) -> bool {
        self.connections.has_bootstrap()
    }

    pub(crate) fn known_leader(&self, topic: &str, partition: usize) -> Option<i32> {
        let queue = self.topics.get(topic)?.queues.get(partition)?.id();
        let partition = self.partitions.get(queue.index)?.as_ref()?;
        partition.leader.map(|leader| leader.0)
    }

    pub(crate) fn broker_count(&self) -> usize {
        self.connections.count()
    }

    /// As if so many records had been sent to each partition.
    pub(crate) fn set_next_sequence(&mut self, next: i32) {
        for partition in self.partitions.iter_mut().flatten() {
            partition.sequences.set_next(Sequence(next));
        }
    }

    /// As if the producer id had been given another epoch.
    pub(crate) fn set_epoch(&mut self, epoch: i16) {
        self.producer_ids.set_epoch(epoch);
    }
}
