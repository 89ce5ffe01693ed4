//! Sends records to Apache Kafka: nothing lost, doubled or reordered.
//!
//! A [`Producer`] accepts [`Record`]s and says through a [`Delivery`] what became of each. Between the
//! two, records are encoded once, straight into the batch of their partition, on the caller's thread
//! (the *accumulator*); one I/O thread sends whole batches, tries again, keeps the order and finds the
//! brokers (the *sender*). What it decides is a state machine without I/O, tested in virtual time.
//!
//! ```
//! use std::time::Duration;
//!
//! use kafka_producer::{Producer, Record};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let cluster = kafka_mock::MockCluster::new(
//! #     kafka_mock::MockConfig::new().auto_create(kafka_mock::AutoCreate::Immediately));
//! # let server = kafka_mock::MockServer::start(cluster)?;
//! # let servers = server.bootstrap_servers();
//! let producer = Producer::builder().bootstrap_servers(&servers).set("linger.ms", "5").build()?;
//! let delivery = producer.send(Record::new("orders", "42 apples").key("alice")).await?;
//! println!("written at {}", delivery.await?);
//! producer.close(Duration::from_secs(10)).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What can go wrong has two places: [`SendError`] is about a record that was not accepted,
//! [`ProduceError`] about one that was, and the latter says whether the record
//! [may have been written](ProduceError::may_have_been_written) all the same. Every accepted record
//! has its outcome within `delivery.timeout.ms`, whatever happens.
//!
//! Records are bytes; [`TypedProducer`] sends other types through [`Serializer`]s. A [`Partitioner`]
//! may choose partitions, [`Interceptor`]s may see every record. All of Kafka's configuration
//! properties are known by name; see [`ProducerBuilder`].
//!
//! | Cargo feature | what it adds |
//! |---|---|
//! | `tokio` (default) | the producer itself; without it only the pure core is built |
//! | `gzip`, `snappy`, `lz4`, `zstd` (default) | `compression.type` |
//! | `lz4-hc` | levels of lz4 other than Java's default; needs the C library |
//! | `uuid` | `UuidSerializer` |
//! | `json` | `JsonSerializer` |

#![cfg_attr(not(feature = "tokio"), allow(rustdoc::broken_intra_doc_links))]
// The core without its driver is there to be checked, not to be used.
#![cfg_attr(any(not(feature = "tokio"), kafka_loom), allow(dead_code, unused_imports))]
#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

#[macro_use]
mod mutant;

mod accumulator;
/// For our own benches and tests of cost, which are other crates.
#[cfg(all(feature = "__bench", feature = "tokio", not(kafka_loom)))]
#[doc(hidden)]
pub mod bench;
mod callbacks;
#[cfg(feature = "tokio")]
mod clock;
mod cluster;
mod config;
mod delivery;
#[cfg(feature = "tokio")]
mod driver;
mod error;
/// For the fuzzer, which is another crate.
#[cfg(any(fuzzing, all(test, not(kafka_loom))))]
#[doc(hidden)]
#[path = "../tests/fuzzing/mod.rs"]
pub mod fuzzing;
mod interceptor;
mod mailbox;
mod metrics;
mod partitioner;
mod pause;
#[cfg(feature = "tokio")]
mod producer;
mod record;
mod sender;
mod serializer;
#[cfg(all(test, not(kafka_loom)))]
#[path = "../tests/sim/mod.rs"]
mod sim;
mod sync;
#[cfg(all(test, not(kafka_loom)))]
mod testing;
#[cfg(feature = "tokio")]
mod typed;
mod wake;

pub use config::{
    Acks, Compression, CompressionOptions, ConfigError, MetadataRecovery, ProducerBuilder,
    ProducerConfig,
};
pub use delivery::Delivery;
pub use error::{
    BlockedOn, BuildError, CloseError, FlushError, ProduceError, ProduceErrorKind, RecordPart,
    SendAllError, SendError,
};
pub use interceptor::{Interceptor, RecordBuf, RecordHeaderBuf};
pub use metrics::{MetricName, Metrics};
pub use partitioner::{
    Partitioner, RoundRobinPartitioner, TopicPartitions, murmur2, partition_for_key,
};
pub use pause::PauseReason;
#[cfg(feature = "tokio")]
pub use producer::{Flushed, PartitionInfo, Producer, Sending};
pub use record::{Record, RecordHeader, RecordMetadata};
#[cfg(feature = "json")]
pub use serializer::JsonSerializer;
#[cfg(feature = "uuid")]
pub use serializer::UuidSerializer;
pub use serializer::{
    BooleanSerializer, BoxError, BytesSerializer, DoubleSerializer, FloatSerializer,
    IntegerSerializer, LongSerializer, Serialized, Serializer, SerializerContext, SerializerFn,
    ShortSerializer, StringSerializer, VoidSerializer, serializer_fn,
};
#[cfg(feature = "tokio")]
pub use typed::{TypedProducer, TypedRecord};

/// The examples of the README files, as tests.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../README.md")]
pub struct Readme;
