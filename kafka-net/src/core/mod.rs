//! The pure half: what a client of brokers decides, without sockets, clocks or tasks.
//!
//! Nothing here does I/O, reads a clock or has randomness of its own: `now` and a seeded generator are
//! arguments, so that a simulation sees every timeout and every backoff. Of one connection
//! [`BrokerConnection`] says when it is opened, where to, and when it is given up; a [`Handshake`]
//! makes it ready; [`InFlight`] matches answers to requests. [`least_loaded()`] chooses among several.

mod address;
mod backoff;
mod foreign;
mod handshake;
mod in_flight;
mod least_loaded;
mod states;

pub use address::{HostPort, parse_bootstrap_servers};
pub use backoff::ExponentialBackoff;
pub(crate) use backoff::after;
pub use foreign::{ForeignProtocol, frame_len};
pub use handshake::{
    BrokerCapabilities, CLIENT_SOFTWARE_NAME, FinalizedFeature, Handshake, HandshakeConfig,
    HandshakeEvent, HandshakeRequest, HandshakeStep,
};
pub use in_flight::{CorrelationId, InFlight};
pub use least_loaded::{Load, least_loaded};
pub use states::{
    BrokerConnection, BrokerId, CloseReason, ConnectionAction, ConnectionEvent, ConnectionId,
    ConnectionPolicy, ConnectionState,
};

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    /// A moment to count from; tests never look at the clock again.
    #[expect(clippy::disallowed_methods, reason = "there is no other way to make an Instant")]
    pub(crate) fn start() -> Instant {
        Instant::now()
    }
}
