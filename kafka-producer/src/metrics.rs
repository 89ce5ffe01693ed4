//! What a producer has measured of itself, under the names of Kafka's own producer.

use std::fmt;

use crate::sync::Arc;
pub(crate) use sensor::Windows;
pub(crate) use sensors::{Drained, MetricsConfig, Sensors};

mod sensor;
mod sensors;
mod table;

/// What a producer had measured of itself when [`Producer::metrics`](crate::Producer::metrics) was
/// called.
///
/// Groups, names and tags are those of Kafka's own producer (`SenderMetrics`, `BufferPool`, `Selector`,
/// `KafkaProducerMetrics`), and so are the values: dashboards fit. Averages, maxima and rates are over
/// `metrics.num.samples` windows of `metrics.sample.window.ms`, totals over the producer's life. An
/// average or a maximum of nothing is NaN; a rate of nothing is 0.
///
/// | group | further tag | metrics |
/// |---|---|---|
/// | `producer-metrics` | | of the whole producer: its batches, records and requests, `buffer.memory`, connections |
/// | `producer-node-metrics` | `node-id` | requests, responses and latency of a broker, from the first request on |
/// | `producer-topic-metrics` | `topic` | records, bytes, compression, retries and errors of a topic, from its first batch on |
/// | `kafka-metrics-count` | | `count`, of all these |
///
/// Brokers and topics that the producer has forgotten (`metadata.max.idle.ms`) have none any more.
///
/// # Where it differs from Kafka
/// - `record-size-avg` and `-max` are of the largest record of each batch, as with Kafka, but of its true
///   size; Kafka takes an estimate that includes a batch's header.
/// - `metadata-age` is NaN before there is any.
/// - Requests and bytes are counted when they are handed to the connection.
/// - Times in ms may have fractions.
/// - Left out, because they have no value yet: those of transactions (`txn-*`), of authentication and of
///   TLS (`*-authentication-*`, `reauthentication-latency-*`, `connections` by cipher); and `app-info`,
///   whose values are text.
///
/// ```
/// # async fn example(producer: kafka_producer::Producer) {
/// let metrics = producer.metrics();
/// let sent = metrics.value("producer-metrics", "record-send-total");
/// let of_orders = metrics.of_topic("orders", "record-error-total");
/// for (name, value) in metrics.iter().filter(|(name, _)| name.name.ends_with("-avg")) {
///     println!("{name} {value}");
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Metrics {
    metrics: Vec<(MetricName, f64)>,
}

/// The name of a metric: its group, its own name, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct MetricName {
    /// `producer-metrics`, `producer-node-metrics`, `producer-topic-metrics` or `kafka-metrics-count`.
    pub group: &'static str,
    /// As `record-send-total`.
    pub name: &'static str,
    client_id: Arc<str>,
    /// The further tag.
    of: Option<(&'static str, Arc<str>)>,
}

impl Metrics {
    /// Every metric with its value: always in the same order, the whole producer first, then each
    /// broker, then each topic.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&MetricName, f64)> {
        self.metrics.iter().map(|(name, value)| (name, *value))
    }

    /// The value of a metric that is about the whole producer. `None` if there is no such metric; NaN if
    /// nothing was measured. Searches, as the other look-ups do.
    pub fn value(&self, group: &str, name: &str) -> Option<f64> {
        self.find(|metric| metric.group == group && metric.name == name && metric.of.is_none())
    }

    /// The value of a metric of `producer-topic-metrics` for this topic. `None` if there is no such
    /// metric, or if no batch of the topic was sent.
    pub fn of_topic(&self, topic: &str, name: &str) -> Option<f64> {
        self.find(|metric| metric.name == name && metric.is_of("topic", topic))
    }

    /// The value of a metric of `producer-node-metrics` for the broker of that id. `None` if there is no
    /// such metric, or if nothing was sent to the broker. Bootstrap servers have ids from -1 downwards.
    pub fn of_node(&self, id: i32, name: &str) -> Option<f64> {
        let node = format!("node-{id}");
        self.find(|metric| metric.name == name && metric.is_of("node-id", &node))
    }

    fn find(&self, is_it: impl Fn(&MetricName) -> bool) -> Option<f64> {
        self.metrics.iter().find(|(name, _)| is_it(name)).map(|(_, value)| *value)
    }
}

impl MetricName {
    /// The tags: `client-id`, and `node-id` or `topic` where it is about one.
    pub fn tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let of = self.of.as_ref().map(|(tag, value)| (*tag, &**value));
        std::iter::once(("client-id", &*self.client_id)).chain(of)
    }

    fn is_of(&self, tag: &str, value: &str) -> bool {
        self.of.as_ref().is_some_and(|(own, of)| *own == tag && **of == *value)
    }
}

/// As `producer-topic-metrics:record-send-total{client-id=producer-1,topic=orders}`.
impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}{{", self.group, self.name)?;
        for (at, (tag, value)) in self.tags().enumerate() {
            let separator = if at == 0 { "" } else { "," };
            write!(f, "{separator}{tag}={value}")?;
        }
        f.write_str("}")
    }
}

/// A table for people: a line a metric, under a heading for the producer, each broker and each topic.
/// What was not measured is a dash.
impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.metrics.iter().map(|(name, _)| name.name.len()).max().unwrap_or(0);
        let mut heading = None;
        for (name, value) in &self.metrics {
            let own = (name.group, &name.of);
            if heading.replace(own) != Some(own) {
                match &name.of {
                    Some((tag, of)) => writeln!(f, "{} {tag}={of}", name.group)?,
                    None => writeln!(f, "{}", name.group)?,
                }
            }
            let value = match *value {
                value if value.is_nan() => "-".to_owned(),
                value if value.fract() == 0.0 => format!("{value:.0}"),
                value => format!("{value:.3}"),
            };
            writeln!(f, "  {:width$}  {value}", name.name)?;
        }
        Ok(())
    }
}

const PRODUCER: &str = "producer-metrics";
const NODE: &str = "producer-node-metrics";
const TOPIC: &str = "producer-topic-metrics";
