//! What can go wrong: before a record is accepted ([`SendError`]), and after ([`ProduceError`]).

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ErrorCode;
use kafka_protocol::records::CompressionError;
use thiserror::Error;

use crate::ConfigError;
use crate::delivery::Delivery;

/// Why a record was not accepted. It was not sent, and will not be.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The serializer refused the key or the value.
    #[error(
        "cannot serialize the {part} of a record for topic {} with {serializer}: {cause}",
        Name(topic)
    )]
    Serialization {
        /// Topic of the record.
        topic: String,
        /// Which part.
        part: RecordPart,
        /// Type name of the serializer.
        serializer: &'static str,
        /// What it said.
        cause: Arc<dyn Error + Send + Sync>,
    },
    /// The record is larger than the configuration allows.
    #[error(
        "a record for topic {topic:?} takes {size} bytes as a batch of its own, more than the \
         {limit} of {property}"
    )]
    TooLarge {
        /// Topic of the record.
        topic: String,
        /// Bytes that it takes uncompressed, with what a batch adds.
        size: usize,
        /// What is allowed.
        limit: usize,
        /// `max.request.size` or `buffer.memory`.
        property: &'static str,
    },
    /// The record is not one that Kafka can take.
    #[error("a record for topic {} is invalid: {reason}", Name(topic))]
    InvalidRecord {
        /// Topic of the record.
        topic: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The cluster's metadata does not have the topic or the partition, and the time is up.
    #[error("{}", missing_metadata(topic, *partition, *partitions, *waited, cause.as_deref()))]
    MetadataTimeout {
        /// Topic of the record.
        topic: String,
        /// The partition that the record asks for, where that is what is missing.
        partition: Option<i32>,
        /// How many partitions the topic has, if it is known.
        partitions: Option<usize>,
        /// How long the call waited, at most `max.block.ms`.
        waited: Duration,
        /// What went wrong with the last attempt to fetch it.
        cause: Option<String>,
    },
    /// The broker says that this topic cannot be written: not authorized, or not a valid name.
    #[error("topic {} cannot be used: {}", Name(topic), explained(*error))]
    Topic {
        /// Topic of the record.
        topic: String,
        /// What the broker answered.
        error: ErrorCode,
    },
    /// No memory became free in time.
    #[error(
        "no memory for a record of topic {topic:?} within {} ms: all {total} bytes of \
         buffer.memory hold records that are not acknowledged yet", waited.as_millis()
    )]
    MemoryTimeout {
        /// Topic of the record.
        topic: String,
        /// `buffer.memory`.
        total: usize,
        /// How long the call waited, at most `max.block.ms`.
        waited: Duration,
    },
    /// [`try_send`](crate::Producer::try_send) would have to wait.
    #[error("the record would have to wait for {0}")]
    WouldBlock(BlockedOn),
    /// The transaction in which the send began has ended.
    #[error("the transaction in which this send began has ended")]
    TransactionEnded,
    /// The producer is closed.
    #[error("the producer is closed")]
    Closed,
    /// The producer's I/O task is gone: its thread panicked, or its runtime was shut down.
    #[error("the producer's I/O task has ended: {0}")]
    DriverEnded(Arc<str>),
}

impl SendError {
    /// Whether the same send may succeed later, without anybody changing anything.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::MetadataTimeout { .. } | Self::MemoryTimeout { .. } | Self::WouldBlock(_) => true,
            Self::Topic { error, .. } => error.is_retriable(),
            _ => false,
        }
    }
}

/// Key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordPart {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl fmt::Display for RecordPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
        })
    }
}

/// What a send waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockedOn {
    /// The partitions of the topic are not known yet.
    Metadata,
    /// `buffer.memory` is used up.
    Memory,
}

impl fmt::Display for BlockedOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Metadata => "the metadata of its topic",
            Self::Memory => "memory",
        })
    }
}

/// Why an accepted record failed. Cheap to clone: the records of a batch share it.
///
/// Ask [`may_have_been_written`](Self::may_have_been_written) before sending the record again.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub struct ProduceError(Arc<ProduceFailure>);

/// What a [`ProduceError`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProduceFailure {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    /// Requests that carried the record.
    pub(crate) attempts: u32,
    /// Some attempt may have been written, or was.
    pub(crate) may_have_been_written: bool,
    pub(crate) kind: ProduceErrorKind,
}

/// What went wrong with an accepted record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProduceErrorKind {
    /// The broker refused the batch, and trying again cannot help or was not allowed.
    Broker {
        /// What it answered.
        error: ErrorCode,
        /// Its own words, if it sent any.
        message: Option<String>,
    },
    /// The broker refused another record of the same batch, and so all of it.
    OtherRecordRefused {
        /// What it answered.
        error: ErrorCode,
    },
    /// Neither success nor a final error within `delivery.timeout.ms`.
    Timeout {
        /// Time since the batch was opened.
        waited: Duration,
        /// What went wrong with the last attempt, or why there was none.
        cause: Option<String>,
    },
    /// The connection was lost, and trying again was not allowed (`retries`).
    Disconnected {
        /// How the connection ended.
        reason: String,
    },
    /// The batch could not be compressed.
    Compression(CompressionError),
    /// The topic was deleted, or has fewer partitions now, before the record was sent.
    PartitionGone,
    /// The topic was deleted and created again.
    TopicRecreated,
    /// The broker has no version of a request that this client needs.
    UnsupportedVersion(String),
    /// The broker answered in a way that no broker should.
    BrokerMisbehaved(String),
    /// The producer was closed before the record was delivered.
    Closed,
    /// The I/O task died: its thread panicked, or its runtime was shut down.
    DriverEnded(Arc<str>),
}

impl ProduceError {
    pub(crate) fn new(failure: ProduceFailure) -> Self {
        Self(Arc::new(failure))
    }

    /// Topic of the record.
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// Partition of the record.
    pub fn partition(&self) -> i32 {
        self.0.partition
    }

    /// How many requests carried the record.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// What went wrong.
    pub fn kind(&self) -> &ProduceErrorKind {
        &self.0.kind
    }

    /// Whether the record may be in the log all the same. If not, it certainly is not there.
    pub fn may_have_been_written(&self) -> bool {
        self.0.may_have_been_written
    }

    /// What the broker answered, if that is what failed the record.
    pub fn error_code(&self) -> Option<ErrorCode> {
        match self.0.kind {
            ProduceErrorKind::Broker { error, .. }
            | ProduceErrorKind::OtherRecordRefused { error } => Some(error),
            _ => None,
        }
    }

    /// Whether sending the record again may succeed. If it
    /// [may have been written](Self::may_have_been_written), that may write it twice.
    pub fn is_retriable(&self) -> bool {
        match &self.0.kind {
            ProduceErrorKind::Broker { error, .. } => error.is_retriable(),
            ProduceErrorKind::OtherRecordRefused { .. }
            | ProduceErrorKind::Timeout { .. }
            | ProduceErrorKind::Disconnected { .. }
            | ProduceErrorKind::TopicRecreated => true,
            _ => false,
        }
    }
}

impl fmt::Display for ProduceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record for {}-{} failed: {}", self.topic, self.partition, self.kind)?;
        match self.attempts {
            0 => f.write_str("; it was not sent"),
            attempts => {
                let times = if attempts == 1 { "once" } else { "times" };
                let written = if self.may_have_been_written { "may have been" } else { "was not" };
                if attempts == 1 {
                    write!(f, "; it was sent {times} and {written} written")
                } else {
                    write!(f, "; it was sent {attempts} {times} and {written} written")
                }
            }
        }
    }
}

impl fmt::Display for ProduceErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker { error, message: Some(message) } => write!(f, "{error}: {message}"),
            Self::Broker { error, message: None } => f.write_str(&explained(*error)),
            Self::OtherRecordRefused { error } => {
                write!(f, "the broker refused another record of its batch with {error}")
            }
            Self::Timeout { waited, cause } => {
                write!(f, "not delivered within {} ms", waited.as_millis())?;
                cause.as_ref().map_or(Ok(()), |cause| write!(f, ", because {cause}"))
            }
            Self::Disconnected { reason } => f.write_str(reason),
            Self::Compression(error) => write!(f, "{error}"),
            Self::PartitionGone => f.write_str("the partition no longer exists"),
            Self::TopicRecreated => f.write_str("the topic was deleted and created again"),
            Self::UnsupportedVersion(what) | Self::BrokerMisbehaved(what) => f.write_str(what),
            Self::Closed => f.write_str("the producer was closed before it was delivered"),
            Self::DriverEnded(why) => write!(f, "the producer's I/O task has ended: {why}"),
        }
    }
}

fn records_word(count: u64) -> &'static str {
    if count == 1 { "record" } else { "records" }
}

fn missing_metadata(
    topic: &str,
    partition: Option<i32>,
    partitions: Option<usize>,
    waited: Duration,
    cause: Option<&str>,
) -> String {
    let after = format!("not present in metadata after {} ms.", waited.as_millis());
    let what = match (partition, partitions) {
        (Some(partition), Some(count)) => {
            format!(
                "Partition {partition} of topic {topic} with partition count {count} is {after}"
            )
        }
        _ => format!("Topic {topic} {after}"),
    };
    match cause {
        Some(cause) => format!("{what} Cause: {cause}"),
        None => what,
    }
}

/// What a broker answered, and what that means where the name does not tell it.
pub(crate) fn explained(error: ErrorCode) -> String {
    let meaning = match error {
        ErrorCode::TOPIC_AUTHORIZATION_FAILED => "not authorized for this topic",
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED => "not authorized for idempotent writes",
        ErrorCode::INVALID_TOPIC_EXCEPTION => {
            "a name has 1 to 249 letters, digits, '.', '_' or '-'"
        }
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => "there is no such topic or partition",
        ErrorCode::MESSAGE_TOO_LARGE => "larger than the topic's max.message.bytes",
        ErrorCode::NOT_ENOUGH_REPLICAS => "fewer replicas are in sync than min.insync.replicas",
        error => return error.to_string(),
    };
    format!("{error}: {meaning}")
}

/// A topic's name in quotes. One that no topic can have is cut: somebody sent a whole file.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        if name.len() <= NAME_LEN_MAX {
            return write!(f, "{name:?}");
        }
        let start: String = name.chars().take(NAME_LEN_SHOWN).collect();
        write!(f, "{start:?}... ({} bytes)", name.len())
    }
}

/// Some more than a topic's name may have, so that it is seen whole what is nearly one.
const NAME_LEN_MAX: usize = 300;
const NAME_LEN_SHOWN: usize = 50;

/// What a person reads of a driver that ended without being asked to.
pub(crate) const DRIVER_DIED: &str = "its thread panicked, or its runtime was shut down";

/// Why a flush did not come to a good end.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum FlushError {
    /// All records that it waited for have their outcome, and some have failed.
    #[error("{failed} of {records} flushed {} failed, first: {first}", records_word(*records))]
    Failed {
        /// How many failed.
        failed: u64,
        /// How many it waited for.
        records: u64,
        /// Why, of the one that failed first.
        first: ProduceError,
    },
    /// The time was over first. What has no outcome yet is sent all the same.
    #[error(
        "{unfinished} flushed {} not delivered within {} ms yet{}",
        if *unfinished == 1 { "record is" } else { "records are" },
        waited.as_millis(),
        if *failed == 0 { String::new() } else { format!(", and {failed} failed") }
    )]
    TimedOut {
        /// How long the call waited.
        waited: Duration,
        /// Records that have no outcome yet.
        unfinished: u64,
        /// Records that have failed meanwhile.
        failed: u64,
    },
    /// It was called inside a callback that runs on the I/O task, because the system gave no thread for
    /// callbacks: it would wait for itself. On their own thread callbacks may flush.
    #[error("a flush in a callback that runs on the I/O task would wait for itself")]
    InCallback,
    /// The I/O task is gone; what was not acknowledged has failed.
    #[error("the producer's I/O task has ended: {0}")]
    DriverEnded(Arc<str>),
    /// The producer was closed, and records that were flushed have failed.
    #[error("the producer was closed before everything was flushed")]
    Closed,
}

/// Why closing failed records.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CloseError {
    /// The time was over before everything was delivered; what was left has failed.
    #[error(
        "not everything was delivered within {} ms: {records} {} given up",
        timeout.as_millis(), if *records == 1 { "record was" } else { "records were" }
    )]
    TimedOut {
        /// The time that it had.
        timeout: Duration,
        /// Records that failed because of it.
        records: u64,
    },
    /// The I/O task was gone already.
    #[error("the producer's I/O task has ended: {0}")]
    DriverEnded(Arc<str>),
}

/// Why a producer was not built.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The I/O thread could not be started.
    #[error("cannot start the producer's I/O thread: {0}")]
    Thread(std::io::Error),
}

/// A record of [`send_all`](crate::Producer::send_all) was not accepted; those after it were not tried.
#[derive(Debug, Error)]
#[error("record {} of a list was not accepted: {error}", accepted.len())]
pub struct SendAllError {
    /// Those before it.
    pub accepted: Vec<Delivery>,
    /// Why.
    #[source]
    pub error: SendError,
}
