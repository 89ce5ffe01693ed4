//! What to send when, to whom, and what an answer means: decisions about batches, without I/O.
//!
//! ```text
//!   queues with news ─┐                                        ┌─► connect, disconnect
//!   frames, transports ─┼─► handle_event ─► Sender ─► poll_action ─┼─► send, seal
//!   commands ─────────┤   handle_timeout      └─► poll_timeout  └─► complete, command done
//! ```
//!
//! Time is an argument, chance comes from a seed: the same inputs give the same actions. It may be
//! fed any number of times before its actions are taken; that is what makes requests large.

mod answers;
mod availability;
mod broker;
mod connections;
mod drain;
mod event;
mod expire;
mod flush;
#[cfg(test)]
mod inspect;
#[cfg(any(test, fuzzing))]
mod leftovers;
mod lifecycle;
mod measure;
mod members;
mod metadata;
mod partitions;
mod pause;
mod producer_id;
mod requests;
mod retry;
mod sealing;
mod sequences;
#[cfg(test)]
mod states;
mod timers;
mod topics;

pub(crate) use availability::AvailabilityConfig;
pub(crate) use connections::ConnectionsConfig;
pub(crate) use event::{Action, Answer, BatchId, Command, CommandId, Event, RequestId};
pub(crate) use flush::FlushReport;
pub(crate) use metadata::MetadataConfig;
pub(crate) use sealing::SMALL_BODY;
#[cfg(test)]
pub(crate) use states::Machine;
pub(crate) use timers::Timer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;
use kafka_net::{DisconnectReason, ExponentialBackoff, HandshakeError, HostPort};

use crate::accumulator::{MemoryPermit, PartitionQueue, RecordAccumulator};
use crate::cluster::TopicEntry;
use crate::metrics::{MetricsConfig, Sensors};
use crate::sender::availability::Availability;
use crate::sender::connections::{Connections, Outcome, Output};
use crate::sender::flush::Flush;
use crate::sender::lifecycle::Lifecycle;
use crate::sender::metadata::Metadata;
use crate::sender::partitions::{OrderRules, Partition};
use crate::sender::pause::Question;
use crate::sender::producer_id::ProducerIds;
use crate::sender::requests::SentBatch;
use crate::sender::sealing::Seals;
use crate::sender::timers::Timers;
use crate::sync::Arc;

/// What a sender keeps to.
#[derive(Debug, Clone)]
pub(crate) struct SenderConfig {
    pub(crate) bootstrap_servers: Vec<HostPort>,
    /// 0, 1 or -1 for all.
    pub(crate) acks: i16,
    pub(crate) batch_size: usize,
    pub(crate) max_request_size: usize,
    pub(crate) linger: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) retry_backoff: ExponentialBackoff,
    pub(crate) is_idempotent: bool,
    /// Batches are sealed before they are sent.
    pub(crate) is_compressed: bool,
    /// Batches are compressed with zstd, which the oldest brokers cannot read (KIP-110).
    pub(crate) is_zstd: bool,
    /// Most batches above [`SMALL_BODY`] that are compressed at the same time.
    pub(crate) large_seals_max: usize,
    /// Go back to the bootstrap servers when no broker can be reached, or metadata was wanted in vain
    /// for that long (KIP-899, KIP-1102).
    pub(crate) rebootstrap_after: Option<Duration>,
    pub(crate) connections: ConnectionsConfig,
    pub(crate) metadata: MetadataConfig,
    pub(crate) metrics: MetricsConfig,
    pub(crate) availability: AvailabilityConfig,
    pub(crate) seed: u64,
}

/// The decisions of a producer. See the module's page.
///
/// # Contract
/// - Any number of `handle_*` in any order, then `poll_action` until `None`, then wait until
///   `poll_timeout` or the next event. After that drain `poll_timeout` lies in the future.
/// - Every record of every batch it takes gets exactly one [`Action::Complete`].
/// - Nothing a broker sends can make it panic. What contradicts the request ends the connection.
#[derive(Debug)]
pub(crate) struct Sender {
    config: SenderConfig,
    accumulator: Arc<RecordAccumulator>,
    connections: Connections,
    metadata: Metadata,
    producer_ids: ProducerIds,
    /// By the index of their queue.
    partitions: Vec<Option<Partition>>,
    /// The queues of every topic that was known once, until it is forgotten.
    topics: BTreeMap<Arc<str>, Arc<TopicEntry>>,
    /// Partitions whose queue has records, and those of them that wait for more.
    nonempty: BTreeSet<usize>,
    lingering: BTreeSet<usize>,
    /// Batches being compressed.
    seals: Seals,
    /// Taken, and without an outcome.
    incomplete: BTreeSet<BatchId>,
    /// Requests that have no answer (`acks=0`), until they are written.
    unanswered: BTreeMap<RequestId, (kafka_net::ConnectionId, Vec<SentBatch>)>,
    flushes: Vec<Flush>,
    questions: Vec<Question>,
    lifecycle: Lifecycle,
    availability: Availability,
    /// What a batch that is split may take beyond its own memory.
    split_reserve: MemoryPermit,
    timers: Timers,
    actions: VecDeque<Action>,
    sensors: Arc<Sensors>,
    rng: Rng,
    next_batch: u64,
    /// The latest time that was seen: it never goes back.
    now: Instant,
    /// Something happened since the last time that everything was looked at.
    has_news: bool,
    /// Records that closing gave up.
    abandoned: u64,
    /// Memory that is used again.
    listed: Vec<Arc<PartitionQueue>>,
}

impl Sender {
    pub(crate) fn new(
        config: SenderConfig,
        accumulator: Arc<RecordAccumulator>,
        now: Instant,
    ) -> Self {
        let mut connections = Connections::new(config.connections.clone());
        connections.add_bootstrap(now, &config.bootstrap_servers);
        let largest = largest_batch(&config, &accumulator);
        let budget = accumulator.budget();
        let total = budget.total();
        let result = if config.is_compressed { Seals::reserve_for(largest, total) } else { 0 };
        let reserve = |bytes| budget.try_acquire(bytes).unwrap_or_else(|| budget.nothing());
        let (split_reserve, seals) = (reserve(largest), Seals::new(reserve(result)));
        Self {
            metadata: Metadata::new(config.metadata.clone()),
            producer_ids: ProducerIds::new(config.is_idempotent),
            sensors: Arc::new(Sensors::new(config.metrics.clone())),
            rng: Rng::with_seed(config.seed),
            split_reserve,
            config,
            accumulator,
            connections,
            partitions: Vec::new(),
            topics: BTreeMap::new(),
            nonempty: BTreeSet::new(),
            lingering: BTreeSet::new(),
            seals,
            incomplete: BTreeSet::new(),
            unanswered: BTreeMap::new(),
            flushes: Vec::new(),
            questions: Vec::new(),
            lifecycle: Lifecycle::Running,
            availability: Availability::default(),
            timers: Timers::default(),
            actions: VecDeque::new(),
            next_batch: 0,
            now,
            has_news: false,
            abandoned: 0,
            listed: Vec::new(),
        }
    }

    /// Takes what happened. Never fails, whatever a broker sends.
    pub(crate) fn handle_event(&mut self, now: Instant, event: Event) {
        if self.lifecycle == Lifecycle::Closed {
            return;
        }
        let now = self.clamp(now);
        self.measure_event(now, &event);
        match event {
            Event::Command(command) => self.handle_command(now, command),
            Event::Sealed { batch, body } => self.handle_sealed(now, batch, body),
            Event::Written { connection, request } => self.handle_written(now, connection, request),
            Event::Resolved { connection, addresses }
                if self.connections.is_current(connection) =>
            {
                let (connections, mut out) = self.io();
                connections.handle_resolved(now, connection, addresses, &mut out);
                self.note_unreachable();
            }
            Event::Opened { connection } if self.connections.is_current(connection) => {
                let (connections, mut out) = self.io();
                let outcome = connections.handle_opened(now, connection, &mut out);
                self.on_connection(now, connection.broker, outcome);
            }
            Event::Disconnected { connection, reason }
                if self.connections.is_current(connection) =>
            {
                tracing::debug!(%connection, %reason, "disconnected");
                let (connections, mut out) = self.io();
                let outcome =
                    connections.handle_disconnected(now, connection.broker, reason, &mut out);
                self.on_connection(now, connection.broker, outcome);
            }
            Event::Frame { connection, frame } if self.connections.is_current(connection) => {
                let (connections, mut out) = self.io();
                let outcome = connections.handle_frame(now, connection, frame, &mut out);
                self.on_connection(now, connection.broker, outcome);
            }
            // There is nothing to it, or it is of a connection that is over.
            Event::RecordsReady
            | Event::Resolved { .. }
            | Event::Opened { .. }
            | Event::Disconnected { .. }
            | Event::Frame { .. } => {}
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let now = self.clamp(now);
        while let Some(timer) = self.timers.pop_due(now) {
            self.on_timer(now, timer);
        }
    }

    /// What is to be done next; `None` when there is nothing more to do now.
    pub(crate) fn poll_action(&mut self, now: Instant) -> Option<Action> {
        let now = now.max(self.now);
        let is_due = |timers: &Timers| timers.next().is_some_and(|(at, _)| at <= now);
        // One turn may leave work for another: what failed makes room for what is behind it, and what
        // it was told too late is due already.
        while self.actions.is_empty() && (self.has_news || is_due(&self.timers)) {
            self.handle_timeout(now);
            self.has_news = false;
            self.advance(now);
        }
        let action = self.actions.pop_front();
        self.measure_action(self.now, action.as_ref());
        action
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, and why.
    pub(crate) fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// Whether it was closed, and has nothing more to do.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.lifecycle, Lifecycle::Closed) && self.actions.is_empty()
    }

    /// What it measures.
    pub(crate) fn sensors(&self) -> &Arc<Sensors> {
        &self.sensors
    }

    /// How many records failed because the time to close in was over.
    pub(crate) fn abandoned(&self) -> u64 {
        self.abandoned
    }

    /// The duties of one turn, in Kafka's order.
    fn advance(&mut self, now: Instant) {
        // Its last turn may have left work for another.
        if self.lifecycle == Lifecycle::Closed {
            return;
        }
        self.lose_unanswered(now);
        self.look_at_queues(now);
        self.advance_metadata(now);
        self.advance_producer_id(now);
        self.drain(now);
        self.publish_availability();
        self.watch_memory(now);
        self.answer_questions(now);
        self.advance_lifecycle(now);
        self.measure_turn();
    }

    fn on_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Connection(id) => {
                let (connections, mut out) = self.io();
                let outcome = connections.handle_timeout(now, id, &mut out);
                self.on_connection(now, id, outcome);
                self.note_unreachable();
            }
            Timer::Request(id) => {
                let (connections, mut out) = self.io();
                let outcome = connections.handle_request_timeout(now, id, &mut out);
                self.on_connection(now, id, outcome);
            }
            // What they are for is looked at in every turn.
            Timer::Broker(_) | Timer::Metadata | Timer::ProducerId | Timer::Flush => {}
            Timer::Linger(index) | Timer::Backoff(index) | Timer::Availability(index) => {
                self.evaluate(now, index);
            }
            Timer::Delivery(index) => self.expire(now, index),
            Timer::Memory => self.accumulator.budget().revoke_stale_grants(),
            Timer::Close => self.force_close(now),
        }
    }

    fn on_connection(&mut self, now: Instant, broker: kafka_net::BrokerId, outcome: Outcome) {
        match outcome {
            Outcome::Nothing => {}
            Outcome::Ready { throttle_ms } => self.sensors.on_throttle(now, throttle_ms),
            Outcome::Lost { requests, reason } => {
                self.note_unreachable();
                let why = self.connections.why_lost(broker, &reason);
                self.on_lost(now, requests, &why);
                // Another one answers there than metadata say (KIP-1242).
                if let DisconnectReason::Handshake(HandshakeError::WrongBroker) = reason {
                    self.rebootstrap_as_told(now);
                }
            }
            Outcome::Answered { request, frame } => self.on_answer(now, broker, request, frame),
        }
    }

    fn clamp(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.has_news = true;
        self.now
    }

    fn order_rules(&self) -> OrderRules {
        let in_flight_max = self.config.connections.in_flight_max;
        OrderRules { is_ordered: self.config.is_idempotent || in_flight_max == 1, in_flight_max }
    }

    /// The connections, and what they write to.
    fn io(&mut self) -> (&mut Connections, Output<'_>) {
        let Self { connections, actions, timers, rng, .. } = self;
        (connections, Output { actions, timers, rng })
    }

    fn partition(&mut self, index: usize) -> Option<&mut Partition> {
        self.partitions.get_mut(index).and_then(Option::as_mut)
    }

    fn largest_batch(&self) -> usize {
        largest_batch(&self.config, &self.accumulator)
    }
}

/// Most bytes of a batch of several records, and what is kept to split it: with little memory no batch
/// grows so large that there would be none left for that.
fn largest_batch(config: &SenderConfig, accumulator: &RecordAccumulator) -> usize {
    config.max_request_size.min(accumulator.budget().total() / 4)
}
