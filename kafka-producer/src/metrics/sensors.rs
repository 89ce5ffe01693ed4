//! Everything that is measured: where things happen one method is called, a batch or a request at a
//! time and never a record.
//!
//! The sender's thread records, a snapshot reads; both hold the lock for less than it takes to write a
//! batch's header. No clock is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kafka_net::{BrokerId, ConnectionId};

use crate::accumulator::MemoryBudget;
use crate::metrics::Metrics;
use crate::metrics::sensor::{Moment, Sensor, Windows};
use crate::metrics::table;
use crate::sync::{Arc, Mutex, lock};

/// What sensors keep to.
#[derive(Debug, Clone)]
pub(crate) struct MetricsConfig {
    /// The tag of every metric.
    pub(crate) client_id: Arc<str>,
    pub(crate) windows: Windows,
}

/// The sensors of a producer. Shared by sender, driver and facade.
#[derive(Debug)]
pub(crate) struct Sensors {
    config: MetricsConfig,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) sender: SenderSensors,
    pub(super) callers: CallerSensors,
    pub(super) network: NetworkSensors,
    /// Brokers that something was sent to, until they are forgotten.
    pub(super) nodes: BTreeMap<BrokerId, NodeSensors>,
    /// Topics of which a batch was sent, until they are forgotten.
    pub(super) topics: BTreeMap<Arc<str>, TopicSensors>,
    /// Connections that are open.
    pub(super) open: BTreeSet<ConnectionId>,
    pub(super) requests_in_flight: usize,
    pub(super) metadata_updated: Option<Instant>,
    /// As it was when it was read last.
    pub(super) memory: MemoryReading,
}

#[derive(Debug, Default)]
pub(super) struct MemoryReading {
    pub(super) total: usize,
    pub(super) used: usize,
    pub(super) waiting: usize,
}

/// As Kafka's `SenderMetrics`.
#[derive(Debug, Default)]
pub(super) struct SenderSensors {
    pub(super) batch_size: Sensor,
    pub(super) compression: Sensor,
    pub(super) queue_time: Sensor,
    pub(super) latency: Sensor,
    pub(super) records_per_request: Sensor,
    pub(super) retries: Sensor,
    pub(super) errors: Sensor,
    pub(super) record_size: Sensor,
    pub(super) splits: Sensor,
    pub(super) throttle: Sensor,
}

/// What those who send and flush wait for.
#[derive(Debug, Default)]
pub(super) struct CallerSensors {
    pub(super) memory_wait: Sensor,
    pub(super) exhausted: Sensor,
    pub(super) flush: Sensor,
    pub(super) metadata_wait: Sensor,
}

/// As Kafka's `Selector`.
#[derive(Debug, Default)]
pub(super) struct NetworkSensors {
    pub(super) opened: Sensor,
    pub(super) closed: Sensor,
    pub(super) requests: Sensor,
    pub(super) responses: Sensor,
    pub(super) transfers: Sensor,
    pub(super) waits: Sensor,
    pub(super) io: Sensor,
}

#[derive(Debug, Default)]
pub(super) struct NodeSensors {
    pub(super) requests: Sensor,
    pub(super) responses: Sensor,
    pub(super) latency: Sensor,
}

#[derive(Debug, Default)]
pub(super) struct TopicSensors {
    pub(super) records: Sensor,
    pub(super) bytes: Sensor,
    pub(super) compression: Sensor,
    pub(super) retries: Sensor,
    pub(super) errors: Sensor,
}

/// A batch that was put into a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    pub(crate) records: u32,
    /// On the wire.
    pub(crate) bytes: usize,
    pub(crate) uncompressed: usize,
    /// Of its largest record, uncompressed.
    pub(crate) record_size_max: usize,
    /// Since the batch was opened.
    pub(crate) queue_time: Duration,
}

impl Sensors {
    pub(crate) fn new(config: MetricsConfig) -> Self {
        Self { config, state: Mutex::default() }
    }

    /// Everything as it is now, together with what `memory` says.
    pub(crate) fn snapshot(&self, now: Instant, memory: &MemoryBudget) -> Metrics {
        let (total, used, waiting) = (memory.total(), memory.used(), memory.waiting());
        let mut state = lock(&self.state);
        state.memory = MemoryReading { total, used, waiting };
        table::read(&self.config.client_id, self.moment(now), &state)
    }

    pub(crate) fn on_batch_drained(&self, now: Instant, topic: &Arc<str>, batch: Drained) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        let State { sender, topics, .. } = &mut *state;
        if !topics.contains_key(topic) {
            topics.insert(Arc::clone(topic), TopicSensors::default());
        }
        let bytes = batch.bytes as f64;
        let compression = bytes / batch.uncompressed as f64;
        sender.batch_size.record(at, bytes);
        sender.compression.record(at, compression);
        sender.queue_time.record(at, millis(batch.queue_time));
        sender.record_size.record(at, batch.record_size_max as f64);
        if let Some(topic) = topics.get_mut(topic) {
            topic.records.record(at, batch.records.into());
            topic.bytes.record(at, bytes);
            topic.compression.record(at, compression);
        }
    }

    /// A request has batches of so many records in all.
    pub(crate) fn on_request_drained(&self, now: Instant, records: u32) {
        let at = self.moment(now);
        lock(&self.state).sender.records_per_request.record(at, records.into());
    }

    pub(crate) fn on_retry(&self, now: Instant, topic: &str, records: u32) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.sender.retries.record(at, records.into());
        if let Some(topic) = state.topics.get_mut(topic) {
            topic.retries.record(at, records.into());
        }
    }

    /// Records that were accepted have failed.
    pub(crate) fn on_error(&self, now: Instant, topic: &str, records: u32) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.sender.errors.record(at, records.into());
        if let Some(topic) = state.topics.get_mut(topic) {
            topic.errors.record(at, records.into());
        }
    }

    /// A record was not accepted.
    pub(crate) fn on_refused(&self, now: Instant) {
        let at = self.moment(now);
        lock(&self.state).sender.errors.record(at, 1.0);
    }

    pub(crate) fn on_split(&self, now: Instant) {
        let at = self.moment(now);
        lock(&self.state).sender.splits.record(at, 1.0);
    }

    /// An answer told how long its broker wants no requests, in ms; mostly 0.
    pub(crate) fn on_throttle(&self, now: Instant, ms: i32) {
        let at = self.moment(now);
        lock(&self.state).sender.throttle.record(at, ms.into());
    }

    /// A Produce request was answered.
    pub(crate) fn on_latency(&self, now: Instant, broker: BrokerId, latency: Duration) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.sender.latency.record(at, millis(latency));
        if let Some(node) = state.nodes.get_mut(&broker) {
            node.latency.record(at, millis(latency));
        }
    }

    pub(crate) fn on_opened(&self, now: Instant, connection: ConnectionId) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.open.insert(connection);
        state.network.opened.record(at, 1.0);
    }

    /// A connection is no more; it may never have been open.
    pub(crate) fn on_closed(&self, now: Instant, connection: ConnectionId) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        if state.open.remove(&connection) {
            state.network.closed.record(at, 1.0);
        }
    }

    /// A request was handed to a connection.
    pub(crate) fn on_request(&self, now: Instant, broker: BrokerId, bytes: usize) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.network.requests.record(at, bytes as f64);
        state.network.transfers.record(at, bytes as f64);
        state.nodes.entry(broker).or_default().requests.record(at, bytes as f64);
    }

    pub(crate) fn on_response(&self, now: Instant, broker: BrokerId, bytes: usize) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.network.responses.record(at, bytes as f64);
        state.network.transfers.record(at, bytes as f64);
        if let Some(node) = state.nodes.get_mut(&broker) {
            node.responses.record(at, bytes as f64);
        }
    }

    /// The driver waited that long for something to happen, and moved bytes for that long.
    pub(crate) fn on_select(&self, now: Instant, waited: Duration, io: Duration) {
        let (at, mut state) = (self.moment(now), lock(&self.state));
        state.network.waits.record(at, nanos(waited));
        state.network.io.record(at, nanos(io));
    }

    /// How things are at the end of a turn.
    pub(crate) fn on_turn(&self, requests_in_flight: usize, metadata_updated: Option<Instant>) {
        let mut state = lock(&self.state);
        state.requests_in_flight = requests_in_flight;
        state.metadata_updated = metadata_updated;
    }

    pub(crate) fn on_memory_wait(&self, now: Instant, waited: Duration) {
        let at = self.moment(now);
        lock(&self.state).callers.memory_wait.record(at, nanos(waited));
    }

    /// A record was not accepted because memory did not become free in time.
    pub(crate) fn on_memory_exhausted(&self, now: Instant) {
        let at = self.moment(now);
        lock(&self.state).callers.exhausted.record(at, 1.0);
    }

    pub(crate) fn on_metadata_wait(&self, now: Instant, waited: Duration) {
        let at = self.moment(now);
        lock(&self.state).callers.metadata_wait.record(at, nanos(waited));
    }

    pub(crate) fn on_flush(&self, now: Instant, took: Duration) {
        let at = self.moment(now);
        lock(&self.state).callers.flush.record(at, nanos(took));
    }

    pub(crate) fn forget_topic(&self, topic: &str) {
        lock(&self.state).topics.remove(topic);
    }

    /// Forgets brokers that are no longer part of the cluster.
    pub(crate) fn retain_nodes(&self, is_known: impl Fn(BrokerId) -> bool) {
        lock(&self.state).nodes.retain(|id, _| is_known(*id));
    }

    fn moment(&self, now: Instant) -> Moment {
        Moment { now, windows: self.config.windows }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn nanos(duration: Duration) -> f64 {
    duration.as_nanos() as f64
}
