//! Every property of Kafka's producer (`ProducerConfig` of Kafka 4.4.0), and what becomes of it here.
//!
//! Those of TLS and SASL are in [`security`](super::security).

use kafka_protocol::records::Compression;

use super::property::{Accepted, Property, Support, Valid, ValueType};
use super::security::SECURITY;
use Valid::{Any, AtLeast, Level, OneOf, Servers};
use ValueType::{AnyCase, Boolean, Class, Int, List, Long, String};

/// The property of that name.
pub(super) fn property(name: &str) -> Option<&'static Property> {
    all().find(|property| property.name == name)
}

/// All properties.
pub(super) fn all() -> impl Iterator<Item = &'static Property> {
    PRODUCER.iter().chain(SECURITY)
}

/// The property that somebody who wrote `name` may have meant.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    if name.len() > NAME_LEN_MAX {
        return None;
    }
    let name = name.to_ascii_lowercase().replace(['_', '-'], ".");
    let distance = |property: &Property| strsim::levenshtein(&name, property.name);
    let nearest = all().min_by_key(|property| distance(property))?;
    (distance(nearest) <= DISTANCE_MAX.min(name.len() / 2)).then_some(nearest.name)
}

/// A property that takes every valid value.
const fn built(
    name: &'static str,
    value_type: ValueType,
    kafka_default: Option<&'static str>,
    valid: Valid,
) -> Property {
    let support = Support::Built { valid, default: None };
    Property { name, value_type, kafka_default, support }
}

/// A property of which only the default is taken.
pub(super) const fn not_built(
    name: &'static str,
    value_type: ValueType,
    kafka_default: Option<&'static str>,
    instead: &'static str,
) -> Property {
    let support = Support::NotBuilt { accepted: Accepted::Default, instead };
    Property { name, value_type, kafka_default, support }
}

/// A property of Java of which only the default is taken.
pub(super) const fn java_only(
    name: &'static str,
    value_type: ValueType,
    kafka_default: Option<&'static str>,
    instead: &'static str,
) -> Property {
    let support = Support::JavaOnly { accepted: Accepted::Default, instead };
    Property { name, value_type, kafka_default, support }
}

impl Property {
    /// The same property with a default that is not Kafka's.
    const fn defaulting_to(self, default: &'static str) -> Self {
        let support = match self.support {
            Support::Built { valid, .. } => Support::Built { valid, default: Some(default) },
            other => other,
        };
        Self { support, ..self }
    }

    /// The same property, of which these values are taken instead of the default.
    const fn accepting(self, values: &'static [&'static str]) -> Self {
        let accepted = Accepted::These(values);
        let support = match self.support {
            Support::NotBuilt { instead, .. } => Support::NotBuilt { accepted, instead },
            Support::JavaOnly { instead, .. } => Support::JavaOnly { accepted, instead },
            other => other,
        };
        Self { support, ..self }
    }
}

static PRODUCER: &[Property] = &[
    built("acks", String, Some("all"), OneOf(&["all", "-1", "0", "1"])),
    built("batch.size", Int, Some("16384"), AtLeast(0)),
    not_built("bootstrap.resolve.timeout.ms", Long, Some("0"), NAMES).accepting(&[]),
    built("bootstrap.servers", List, None, Servers),
    built("buffer.memory", Long, Some("33554432"), AtLeast(0)),
    not_built("buffer.memory.allocation.strategy", AnyCase, Some("full"), MEMORY)
        .accepting(&["incremental"]),
    not_built("client.dns.lookup", String, Some("use_all_dns_ips"), LOOKUP),
    built("client.id", String, Some(""), Any),
    built("client.rack", String, Some(""), Any),
    built("compression.gzip.level", Int, Some("-1"), Level(Compression::Gzip)),
    built("compression.lz4.level", Int, Some("9"), Level(Compression::Lz4)),
    built(
        "compression.type",
        String,
        Some("none"),
        OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]),
    ),
    built("compression.zstd.level", Int, Some("3"), Level(Compression::Zstd)),
    java_only("config.providers", List, Some(""), PROVIDERS),
    built("connections.max.idle.ms", Long, Some("540000"), Any),
    built("delivery.timeout.ms", Int, Some("120000"), AtLeast(0)),
    built("enable.idempotence", Boolean, Some("true"), Any),
    not_built("enable.metrics.push", Boolean, Some("true"), PUSH).accepting(&["false"]),
    java_only("interceptor.classes", List, Some(""), INTERCEPTORS),
    java_only("key.serializer", Class, None, SERIALIZERS).accepting(&[BYTES]),
    built("linger.ms", Long, Some("5"), AtLeast(0)),
    built("max.block.ms", Long, Some("60000"), AtLeast(0)),
    built("max.in.flight.requests.per.connection", Int, Some("5"), AtLeast(1)),
    built("max.request.size", Int, Some("1048576"), AtLeast(0)),
    built("metadata.cluster.check.enable", Boolean, Some("true"), Any),
    built("metadata.max.age.ms", Long, Some("300000"), AtLeast(0)),
    built("metadata.max.idle.ms", Long, Some("300000"), AtLeast(5000)),
    built("metadata.recovery.rebootstrap.trigger.ms", Long, Some("300000"), AtLeast(0)),
    built(
        "metadata.recovery.strategy",
        AnyCase,
        Some("rebootstrap"),
        OneOf(&["rebootstrap", "none"]),
    ),
    java_only(
        "metric.reporters",
        List,
        Some("org.apache.kafka.common.metrics.JmxReporter"),
        REPORTERS,
    )
    .accepting(&["org.apache.kafka.common.metrics.JmxReporter", ""]),
    built("metrics.num.samples", Int, Some("2"), AtLeast(1)),
    not_built("metrics.recording.level", String, Some("INFO"), LEVELS),
    built("metrics.sample.window.ms", Long, Some("30000"), AtLeast(0)),
    built("partitioner.adaptive.partitioning.enable", Boolean, Some("true"), Any),
    built("partitioner.availability.timeout.ms", Long, Some("0"), AtLeast(0)),
    java_only("partitioner.class", Class, None, PARTITIONER).accepting(&[]),
    built("partitioner.ignore.keys", Boolean, Some("false"), Any),
    built("partitioner.rack.aware", Boolean, Some("false"), Any),
    // The system adapts a buffer to the path, unless it is told a size.
    built("receive.buffer.bytes", Int, Some("32768"), AtLeast(-1)).defaulting_to("-1"),
    built("reconnect.backoff.max.ms", Long, Some("1000"), AtLeast(0)),
    built("reconnect.backoff.ms", Long, Some("50"), AtLeast(0)),
    built("request.timeout.ms", Int, Some("30000"), AtLeast(0)),
    built("retries", Int, Some("2147483647"), AtLeast(0)),
    built("retry.backoff.max.ms", Long, Some("1000"), AtLeast(0)),
    built("retry.backoff.ms", Long, Some("100"), AtLeast(0)),
    // The system adapts a buffer to the path, unless it is told a size.
    built("send.buffer.bytes", Int, Some("131072"), AtLeast(-1)).defaulting_to("-1"),
    built("socket.connection.setup.timeout.max.ms", Long, Some("30000"), AtLeast(0)),
    built("socket.connection.setup.timeout.ms", Long, Some("10000"), AtLeast(0)),
    not_built("transaction.timeout.ms", Int, Some("60000"), TRANSACTIONS),
    not_built("transaction.two.phase.commit.enable", Boolean, Some("false"), TRANSACTIONS),
    not_built("transactional.id", String, None, TRANSACTIONS).accepting(&[]),
    java_only("value.serializer", Class, None, SERIALIZERS).accepting(&[BYTES]),
];

const NAMES: &str =
    "a host name is looked up when a connection to it is opened, and again after a failure";
const MEMORY: &str = "the memory of a batch grows with it, in chunks";
const LOOKUP: &str = "every address of a host name is tried";
const PROVIDERS: &str = "write the values themselves instead of references to a provider";
const PUSH: &str = "no metrics are sent to brokers";
const INTERCEPTORS: &str = "give an interceptor to ProducerBuilder::interceptor";
const SERIALIZERS: &str = "use Producer::typed for other types than bytes";
const REPORTERS: &str = "read the metrics from the producer";
const LEVELS: &str = "all metrics are recorded, and there are none of other levels";
const PARTITIONER: &str = "give a partitioner to ProducerBuilder::partitioner";
const TRANSACTIONS: &str = "there are no transactions yet";

/// Takes the bytes as they are, which is what a producer of records does.
const BYTES: &str = "org.apache.kafka.common.serialization.ByteArraySerializer";

/// The longest name that is compared with those of the table.
const NAME_LEN_MAX: usize = 100;

/// Characters that may be wrong in a name that is still recognised.
const DISTANCE_MAX: usize = 4;
