//! The configuration: Kafka's properties as text or by typed methods, and what they come to.
//!
//! ```text
//! ProducerBuilder ──► Settings: a text for each name ──check──► resolve ──► ProducerConfig
//! set, file, typed            ▲                         │       what depends on each other
//!                             └── table: 120 properties ┘
//! ```
//!
//! There is one way in: a typed method writes its value as text. The table says of every property what
//! a value has to be, and refuses what this client has not built: nothing is accepted and ignored.
//!
//! Where it differs from Kafka's own client: an unknown name is an error and not a warning; all wrong
//! values are told at once; a socket buffer without a size is the system's; the times to connect cannot
//! be negative; a file is UTF-8.

mod builder;
mod error;
mod file;
mod property;
mod resolve;
mod security;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod typed;

use std::time::Duration;

pub use builder::ProducerBuilder;
pub use error::ConfigError;
use kafka_net::{ConnectionPolicy, ExponentialBackoff, HostPort};
pub use kafka_protocol::records::{Compression, CompressionOptions};

/// What a [`ProducerBuilder`] comes to: every value checked, alone and against the others.
///
/// `Debug` shows all of it; there is no secret in it.
#[derive(Debug, Clone)]
pub struct ProducerConfig {
    pub(crate) bootstrap_servers: Vec<HostPort>,
    pub(crate) client_id: String,
    pub(crate) acks: Acks,
    /// Not 0.
    pub(crate) batch_size: usize,
    pub(crate) linger: Duration,
    pub(crate) buffer_memory: usize,
    pub(crate) max_request_size: usize,
    pub(crate) max_block: Duration,
    /// At least `linger` and `request_timeout` together.
    pub(crate) delivery_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) retry_backoff: ExponentialBackoff,
    /// Not 0; at most 5 with idempotence.
    pub(crate) max_in_flight: usize,
    pub(crate) enable_idempotence: bool,
    pub(crate) compression: CompressionOptions,
    pub(crate) metadata_max_age: Duration,
    pub(crate) metadata_max_idle: Duration,
    pub(crate) metadata_recovery: MetadataRecovery,
    /// Off as well if there is no recovery: there is nothing that could follow from the check.
    pub(crate) cluster_check: bool,
    pub(crate) connection: ConnectionPolicy,
    /// Bytes; `None` leaves it to the system.
    pub(crate) send_buffer: Option<u32>,
    /// Bytes; `None` leaves it to the system.
    pub(crate) receive_buffer: Option<u32>,
    pub(crate) adaptive_partitioning: bool,
    pub(crate) partitioner_ignore_keys: bool,
    /// Not 0.
    pub(crate) metrics_samples: u32,
    pub(crate) metrics_sample_window: Duration,
    /// `None` if no partition is left out.
    pub(crate) partitioner_availability_timeout: Option<Duration>,
    /// The rack whose leaders come first.
    pub(crate) partitioner_rack: Option<String>,
    /// Of all random choices; `None` is another one each time.
    pub(crate) seed: Option<u64>,
}

/// Whose acknowledgement makes a record sent (`acks`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Acks {
    /// Nobody's: a record is sent when it is written to the socket. It has no offset then.
    None,
    /// The leader's: the record is lost if the leader is, before others have copied it.
    Leader,
    /// That of all replicas in sync.
    #[default]
    All,
}

impl Acks {
    /// As a Produce request has it.
    pub const fn as_i16(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// What to do when no known broker can be reached (`metadata.recovery.strategy`, KIP-899).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetadataRecovery {
    /// Begin anew with the bootstrap servers; also after that long without metadata
    /// (`metadata.recovery.rebootstrap.trigger.ms`, KIP-1102).
    Rebootstrap {
        /// Whole milliseconds; a part of one counts as one.
        trigger: Duration,
    },
    /// Keep trying the brokers that were known last.
    None,
}
