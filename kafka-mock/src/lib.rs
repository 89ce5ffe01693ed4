//! An in-memory Kafka cluster: for tests, demos and learning.
//!
//! [`MockCluster`] is a whole cluster as a state machine: it takes the frames of clients and gives
//! the frames that answer them, through the real codec. It keeps logs, producer ids with the window
//! of five batches, epochs, topic ids and coordinators, checks what a strict broker checks, and fails
//! on demand, by rules that are data ([`FaultRule`]). [`MockServer`] puts one behind TCP listeners,
//! one a broker.
//!
//! It never reads a clock, rolls dice or does I/O (outside [`MockServer`]), and no input of a client
//! can make it panic. Logs are in memory and bounded; nothing survives a restart.
//!
//! ```
//! use std::time::Instant;
//!
//! use kafka_mock::{BrokerId, ConnectionId, MockCluster, MockConfig, ReplyAction};
//! use kafka_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
//! use kafka_protocol::{DecodeLimits, Frame, decode_response};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut cluster = MockCluster::new(MockConfig::new().default_partitions(4));
//! let topic = MetadataRequestTopic { name: Some("orders".into()), ..Default::default() };
//! let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
//! let frame = Frame::request(&request, 12, 1, None)?.into_bytes();
//!
//! let now = Instant::now();
//! // A frame comes without its size field, as a listener reads it.
//! cluster.handle_frame(now, BrokerId(1), ConnectionId(7), frame.slice(4..));
//! let reply = cluster.poll_reply(now).ok_or("no reply")?;
//! assert_eq!(reply.connection, ConnectionId(7));
//! if let ReplyAction::Send(pieces) = reply.action {
//!     let answer = pieces.concat();
//!     let limits = DecodeLimits::default();
//!     let (_, metadata) =
//!         decode_response::<MetadataRequest>(answer[4..].to_vec().into(), 12, &limits)?;
//!     assert_eq!(metadata.topics[0].partitions.len(), 4);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | Cargo feature | what it adds |
//! |---|---|
//! | `tcp` (default) | [`MockServer`], with tokio |

#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod batch;
mod brokers;
mod cluster;
mod config;
mod connections;
mod coordinator;
mod faults;
mod handlers;
mod ids;
mod journal;
mod links;
mod log;
mod operations;
mod producers;
mod quotas;
mod request;
mod seed;
#[cfg(feature = "tcp")]
mod serve;
mod state;
mod topics;
mod versions;

pub use cluster::MockCluster;
pub use config::{AutoCreate, MockConfig};
pub use connections::{ConnectionRecord, Reply, ReplyAction};
pub use faults::{FaultAction, FaultId, FaultRule, Rewrite};
pub use ids::{BrokerId, ConnectionId};
pub use journal::{CloseReason, Counters, RequestFate, RequestRecord};
pub use operations::LogRecord;
pub use request::{DecodedFrame, FrameDecoder};
#[cfg(feature = "tcp")]
pub use serve::MockServer;
pub use versions::KafkaVersion;

/// The example of the README, as a test.
#[cfg(all(doctest, feature = "tcp"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
