//! One broker, as far as requests go.

use std::collections::VecDeque;
use std::time::Instant;

use kafka_net::{
    BrokerConnection, BrokerId, ConnectionId, ConnectionState, DisconnectReason, Handshake,
    HostPort, InFlight, Load,
};
use kafka_protocol::BrokerVersions;

use crate::sender::requests::SentRequest;

/// One broker.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) connection: BrokerConnection,
    pub(super) handshake: Option<Handshake>,
    pub(super) versions: BrokerVersions,
    pub(super) in_flight: InFlight<SentRequest>,
    /// Until when each request without an answer must be written, oldest first.
    pub(super) unwritten: VecDeque<Instant>,
    /// Part of the cluster, or an address to begin with.
    pub(super) is_member: bool,
    /// Why there is no connection.
    pub(super) error: Option<String>,
    /// Partitions with something to send, in turn.
    pub(super) ready: VecDeque<usize>,
}

/// Why a broker takes no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    NotConnected,
    Throttled(Instant),
    /// So many are unanswered.
    Busy {
        in_flight: usize,
    },
}

impl Broker {
    pub(super) fn new(now: Instant, id: BrokerId, address: HostPort, in_flight_max: usize) -> Self {
        Self {
            connection: BrokerConnection::new(id, address, now),
            handshake: None,
            versions: BrokerVersions::default(),
            in_flight: InFlight::new(in_flight_max),
            unwritten: VecDeque::new(),
            is_member: true,
            error: None,
            ready: VecDeque::new(),
        }
    }

    /// Remembers why the connection ended, in words for a person.
    pub(super) fn note_end(&mut self, reason: &DisconnectReason) {
        let (address, was) = (self.connection.address(), self.connection.state());
        let what = match was {
            ConnectionState::Ready => "lost the connection to",
            ConnectionState::Handshaking => "cannot use",
            _ => "cannot connect to",
        };
        let peer = self.connection.peer().map(|peer| peer.to_string());
        let peer = peer.filter(|peer| *peer != address.to_string());
        let at = peer.map_or(String::new(), |peer| format!(" ({peer})"));
        self.error = Some(format!("{what} {address}{at}: {reason}{}", hint(was, reason)));
    }

    /// Why it takes no request now; `None` if it does.
    pub(super) fn refusal(&self, now: Instant, in_flight_max: usize) -> Option<Refusal> {
        if self.connection.state() != ConnectionState::Ready {
            return Some(Refusal::NotConnected);
        }
        if let Some(until) = self.connection.throttled_until(now) {
            return Some(Refusal::Throttled(until));
        }
        let has_room = self.in_flight.has_room() || is_broken!("window_without_limit");
        let is_busy = !has_room || self.unwritten.len() >= in_flight_max;
        let in_flight = self.in_flight.len() + self.unwritten.len();
        is_busy.then_some(Refusal::Busy { in_flight })
    }

    /// How it stands as one of those that can be asked.
    pub(super) fn load(&self, now: Instant) -> Load {
        let connection = &self.connection;
        match connection.state() {
            ConnectionState::Ready if connection.is_ready(now) && self.in_flight.has_room() => {
                Load::Ready { in_flight: self.in_flight.len() }
            }
            ConnectionState::Disconnected if connection.may_connect(now) => {
                Load::Disconnected { last_attempt: connection.last_attempt() }
            }
            ConnectionState::Ready | ConnectionState::Disconnected => Load::Unavailable,
            _ => Load::Connecting,
        }
    }

    /// When the first request runs out of time, for its answer or for being written.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let unwritten = self.unwritten.front().copied();
        self.in_flight.next_deadline().into_iter().chain(unwritten).min()
    }

    /// Name of a request whose time is up.
    pub(super) fn expired(&self, now: Instant) -> Option<&'static str> {
        let unwritten = self.unwritten.front().filter(|deadline| **deadline <= now);
        let unanswered = self.in_flight.expired(now).map(SentRequest::name);
        unanswered.or(unwritten.map(|_| "Produce"))
    }

    /// The connection, or the last one.
    pub(super) fn connection_id(&self) -> ConnectionId {
        self.connection.id()
    }

    /// Part of the cluster, or about to answer something still.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_member || !self.in_flight.is_empty()
    }

    /// Why there is no connection.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// A listener that expects TLS or SASL hangs up on those who do not speak it, without a word.
fn hint(was: ConnectionState, reason: &DisconnectReason) -> &'static str {
    let hung_up = matches!(
        reason,
        DisconnectReason::ClosedByPeer
            | DisconnectReason::Io(
                std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe
            )
    );
    if hung_up && was == ConnectionState::Handshaking {
        "; is this a Kafka listener, and one without TLS?"
    } else {
        ""
    }
}
