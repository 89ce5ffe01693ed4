//! Connections to Kafka brokers.
#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod core;
mod error;

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
