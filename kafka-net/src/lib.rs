//! Connections to Kafka brokers: frames, correlation, versions, handshake, timeouts, backoff, a pool.
//!
//! This crate turns messages into answers of brokers, and never knows what they are about: no topics,
//! no batches, no offsets. It has two halves.
//!
//! The **pure half** decides and does no I/O: [`BrokerConnection`] (when to connect, where to, when to
//! give up), [`Handshake`], [`InFlight`] (which answer belongs to which request), [`least_loaded()`],
//! [`ExponentialBackoff`], [`HostPort`]. Time and randomness are arguments, so that a simulation can
//! drive it.
//!
//! The **async half** does, with tokio: [`KafkaCodec`] and [`Transport`] move frames, a [`Connection`]
//! is a handle for requests, a [`ConnectionPool`] keeps the pure half's policy for a whole cluster.
//! Start with that one.
//!
//! ```no_run
//! use kafka_net::{ConnectionPool, NetConfig, Target, parse_bootstrap_servers};
//! use kafka_protocol::messages::MetadataRequest;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let servers = parse_bootstrap_servers("localhost:9092, localhost:9093")?;
//! let pool = ConnectionPool::new(servers, NetConfig::new().client_id("demo"));
//! let every_topic = MetadataRequest { topics: None, ..Default::default() };
//! let metadata = pool.call(Target::Any, &every_topic).await?;
//! for broker in &metadata.brokers {
//!     println!("broker {} is at {}:{}", broker.node_id, broker.host, broker.port);
//! }
//! # Ok(()) }
//! ```
//!
//! | Cargo feature | what it adds |
//! |---|---|
//! | `tokio` (default) | the async half; without it there is no tokio in the tree |

// The words of the async half, which is not always built.
#![cfg_attr(not(feature = "tokio"), allow(rustdoc::broken_intra_doc_links))]
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

#[cfg(feature = "tokio")]
mod codec;
#[cfg(feature = "tokio")]
mod config;
#[cfg(feature = "tokio")]
mod connection;
mod core;
mod error;
#[cfg(feature = "tokio")]
mod pool;
#[cfg(feature = "tokio")]
mod transport;

pub use crate::core::{
    BrokerCapabilities, BrokerConnection, BrokerId, CLIENT_SOFTWARE_NAME, CloseReason,
    ConnectionAction, ConnectionEvent, ConnectionId, ConnectionPolicy, ConnectionState,
    CorrelationId, ExponentialBackoff, FinalizedFeature, ForeignProtocol, Handshake,
    HandshakeConfig, HandshakeEvent, HandshakeRequest, HandshakeStep, HostPort, InFlight, Load,
    frame_len, least_loaded, parse_bootstrap_servers,
};
pub use error::{
    AddressError, ConnectError, ConnectStage, CorrelationError, DisconnectReason, FrameError,
    HandshakeError, RequestError, SendError,
};

#[cfg(feature = "tokio")]
pub use codec::{CodecError, KafkaCodec};
#[cfg(feature = "tokio")]
pub use config::{NetConfig, SocketOptions};
#[cfg(feature = "tokio")]
pub use connection::{Connection, ResponseFuture, resolve};
#[cfg(feature = "tokio")]
pub use pool::{ConnectionPool, Target};
#[cfg(feature = "tokio")]
pub use transport::{QueueLimits, Transport, TransportEvent, connect};

/// The examples of the README, as tests.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
