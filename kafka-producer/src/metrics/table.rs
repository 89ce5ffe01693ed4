//! Every metric by its name: the order of a snapshot, and how each value is read.

use std::time::Duration;

use crate::metrics::sensor::Moment;
use crate::metrics::sensors::{NodeSensors, State, TopicSensors};
use crate::metrics::{MetricName, Metrics};
use crate::sync::Arc;

/// The name of a metric, and its value.
type Row<T> = (&'static str, fn(&T, Moment) -> f64);

/// Reads all of them.
pub(super) fn read(client_id: &Arc<str>, at: Moment, state: &State) -> Metrics {
    let mut metrics = Vec::new();
    let mut put = |group, of: Option<(&'static str, Arc<str>)>, name, value| {
        let client_id = Arc::clone(client_id);
        metrics.push((MetricName { group, name, client_id, of }, value));
    };
    for (name, value) in PRODUCER {
        put(super::PRODUCER, None, *name, value(state, at));
    }
    for (id, node) in &state.nodes {
        let tag: Arc<str> = format!("node-{}", id.0).into();
        for (name, value) in NODE {
            put(super::NODE, Some(("node-id", Arc::clone(&tag))), *name, value(node, at));
        }
    }
    for (topic, sensors) in &state.topics {
        for (name, value) in TOPIC {
            put(super::TOPIC, Some(("topic", Arc::clone(topic))), *name, value(sensors, at));
        }
    }
    let count = metrics.len() as f64 + 1.0;
    let name =
        MetricName { group: COUNT, name: "count", client_id: Arc::clone(client_id), of: None };
    metrics.push((name, count));
    Metrics { metrics }
}

/// `producer-metrics`: those of sender, memory and connections.
pub(super) static PRODUCER: &[Row<State>] = &[
    ("batch-size-avg", |all, at| all.sender.batch_size.avg(at)),
    ("batch-size-max", |all, at| all.sender.batch_size.max(at)),
    ("batch-split-rate", |all, at| all.sender.splits.rate(at)),
    ("batch-split-total", |all, _| all.sender.splits.total()),
    ("buffer-available-bytes", |all, _| (all.memory.total - all.memory.used) as f64),
    ("buffer-exhausted-rate", |all, at| all.callers.exhausted.rate(at)),
    ("buffer-exhausted-total", |all, _| all.callers.exhausted.total()),
    ("buffer-total-bytes", |all, _| all.memory.total as f64),
    ("bufferpool-wait-ratio", |all, at| all.callers.memory_wait.rate(at) / NANOS),
    ("bufferpool-wait-time-ns-total", |all, _| all.callers.memory_wait.total()),
    ("compression-rate-avg", |all, at| all.sender.compression.avg(at)),
    ("connection-close-rate", |all, at| all.network.closed.rate(at)),
    ("connection-close-total", |all, _| all.network.closed.total()),
    ("connection-count", |all, _| all.open.len() as f64),
    ("connection-creation-rate", |all, at| all.network.opened.rate(at)),
    ("connection-creation-total", |all, _| all.network.opened.total()),
    ("flush-time-ns-total", |all, _| all.callers.flush.total()),
    ("incoming-byte-rate", |all, at| all.network.responses.rate(at)),
    ("incoming-byte-total", |all, _| all.network.responses.total()),
    ("io-ratio", |all, at| all.network.io.rate(at) / NANOS),
    ("io-time-ns-avg", |all, at| all.network.io.avg(at)),
    ("io-time-ns-total", |all, _| all.network.io.total()),
    ("io-wait-ratio", |all, at| all.network.waits.rate(at) / NANOS),
    ("io-wait-time-ns-avg", |all, at| all.network.waits.avg(at)),
    ("io-wait-time-ns-total", |all, _| all.network.waits.total()),
    ("metadata-age", |all, at| metadata_age(all, at)),
    ("metadata-wait-time-ns-total", |all, _| all.callers.metadata_wait.total()),
    ("network-io-rate", |all, at| all.network.transfers.count_rate(at)),
    ("network-io-total", |all, _| all.network.transfers.count()),
    ("outgoing-byte-rate", |all, at| all.network.requests.rate(at)),
    ("outgoing-byte-total", |all, _| all.network.requests.total()),
    ("produce-throttle-time-avg", |all, at| all.sender.throttle.avg(at)),
    ("produce-throttle-time-max", |all, at| all.sender.throttle.max(at)),
    ("record-error-rate", |all, at| all.sender.errors.rate(at)),
    ("record-error-total", |all, _| all.sender.errors.total()),
    ("record-queue-time-avg", |all, at| all.sender.queue_time.avg(at)),
    ("record-queue-time-max", |all, at| all.sender.queue_time.max(at)),
    ("record-retry-rate", |all, at| all.sender.retries.rate(at)),
    ("record-retry-total", |all, _| all.sender.retries.total()),
    ("record-send-rate", |all, at| all.sender.records_per_request.rate(at)),
    ("record-send-total", |all, _| all.sender.records_per_request.total()),
    ("record-size-avg", |all, at| all.sender.record_size.avg(at)),
    ("record-size-max", |all, at| all.sender.record_size.max(at)),
    ("records-per-request-avg", |all, at| all.sender.records_per_request.avg(at)),
    ("request-latency-avg", |all, at| all.sender.latency.avg(at)),
    ("request-latency-max", |all, at| all.sender.latency.max(at)),
    ("request-rate", |all, at| all.network.requests.count_rate(at)),
    ("request-size-avg", |all, at| all.network.requests.avg(at)),
    ("request-size-max", |all, at| all.network.requests.max(at)),
    ("request-total", |all, _| all.network.requests.count()),
    ("requests-in-flight", |all, _| all.requests_in_flight as f64),
    ("response-rate", |all, at| all.network.responses.count_rate(at)),
    ("response-total", |all, _| all.network.responses.count()),
    ("select-rate", |all, at| all.network.waits.count_rate(at)),
    ("select-total", |all, _| all.network.waits.count()),
    ("waiting-threads", |all, _| all.memory.waiting as f64),
];

/// `producer-node-metrics`: those of one broker.
pub(super) static NODE: &[Row<NodeSensors>] = &[
    ("incoming-byte-rate", |node, at| node.responses.rate(at)),
    ("incoming-byte-total", |node, _| node.responses.total()),
    ("outgoing-byte-rate", |node, at| node.requests.rate(at)),
    ("outgoing-byte-total", |node, _| node.requests.total()),
    ("request-latency-avg", |node, at| node.latency.avg(at)),
    ("request-latency-max", |node, at| node.latency.max(at)),
    ("request-rate", |node, at| node.requests.count_rate(at)),
    ("request-size-avg", |node, at| node.requests.avg(at)),
    ("request-size-max", |node, at| node.requests.max(at)),
    ("request-total", |node, _| node.requests.count()),
    ("response-rate", |node, at| node.responses.count_rate(at)),
    ("response-total", |node, _| node.responses.count()),
];

/// `producer-topic-metrics`: those of one topic.
pub(super) static TOPIC: &[Row<TopicSensors>] = &[
    ("byte-rate", |topic, at| topic.bytes.rate(at)),
    ("byte-total", |topic, _| topic.bytes.total()),
    ("compression-rate", |topic, at| topic.compression.avg(at)),
    ("record-error-rate", |topic, at| topic.errors.rate(at)),
    ("record-error-total", |topic, _| topic.errors.total()),
    ("record-retry-rate", |topic, at| topic.retries.rate(at)),
    ("record-retry-total", |topic, _| topic.retries.total()),
    ("record-send-rate", |topic, at| topic.records.rate(at)),
    ("record-send-total", |topic, _| topic.records.total()),
];

/// In seconds; there is none before the first answer.
fn metadata_age(state: &State, at: Moment) -> f64 {
    let age = |updated| at.now.saturating_duration_since(updated);
    state.metadata_updated.map(age).map_or(f64::NAN, |age: Duration| age.as_secs_f64())
}

const COUNT: &str = "kafka-metrics-count";
/// In a second.
const NANOS: f64 = 1e9;
