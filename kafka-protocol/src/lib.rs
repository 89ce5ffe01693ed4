//! Kafka's wire format: every message and record batch, from bytes and to bytes, and nothing else.
//!
//! This crate never does I/O. It has no async code, no clock, no randomness and no `unsafe`, and no
//! input can make it panic or allocate more than a small multiple of its size. Start with
//! [`Message`], which all [`messages`] implement, and with [`records`].
//!
//! A frame on the wire is a size, a header and a message:
//!
//! ```text
//! ┌──────────┬─────────────────────────────────────────────┬──────────────────┐
//! │ size     │ RequestHeader  api key, version,            │ message          │
//! │ int32    │                correlation id, client id    │ (as its version  │
//! │          ├─────────────────────────────────────────────┤  lays it out)    │
//! │          │ ResponseHeader correlation id               │                  │
//! └──────────┴─────────────────────────────────────────────┴──────────────────┘
//! ```
//!
//! Asking a broker for its metadata, and reading the answer:
//!
//! ```
//! use bytes::Bytes;
//! use kafka_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
//! use kafka_protocol::{DecodeLimits, Frame, decode_response};
//!
//! let request = MetadataRequest { topics: None, ..Default::default() };
//! let frame = Frame::request(&request, 12, 1, Some("me".into()))?;
//! // … write the frame; read an int32, then as many bytes as it says …
//! # let answer = Frame::response::<MetadataRequest>(&MetadataResponse::default(), 12, 1)?;
//! # let answer: Bytes = answer.into_bytes().slice(4..);
//! let (header, metadata) =
//!     decode_response::<MetadataRequest>(answer, 12, &DecodeLimits::default())?;
//! assert_eq!(header.correlation_id, 1);
//! for broker in &metadata.brokers {
//!     println!("{} is at {}:{}", broker.node_id, broker.host, broker.port);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Building a batch of records is shown in [`records`].
//!
//! | Cargo feature | what it adds |
//! |---|---|
//! | `producer` (default), `consumer`, `admin`, `broker` | a group of [`messages`], both directions |
//! | `all` | all four groups |
//! | `gzip`, `snappy`, `lz4`, `zstd` | a codec for [`records`] |
//! | `lz4-hc` | levels of lz4 other than Java's default, with the C library |

#![cfg_attr(
    not(feature = "all"),
    allow(dead_code, reason = "a group of messages need not use every type of the wire")
)]
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod api;
mod error;
mod error_code;
mod frame;
mod header;
mod int32_array;
mod limits;
mod message;
pub mod messages;
mod primitives;
pub mod records;
mod string;
mod tagged;
mod uuid;

pub use api::{ApiKey, BrokerVersions, VersionMismatch, VersionRange};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use error_code::{ErrorCode, TransactionEffect};
pub use frame::{Frame, decode_response};
pub use header::{RequestHeader, ResponseHeader};
pub use int32_array::Int32Array;
pub use limits::DecodeLimits;
pub use message::{Message, Request};
pub use primitives::encoder::Encoder;
pub use string::KafkaString;
pub use tagged::UnknownTaggedFields;
pub use uuid::{ParseUuidError, Uuid};

/// The examples of the README, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
