//! The life of the connection to one broker: when it is opened, where to, and when it is given up.
//!
//! ```text
//!                 Connect (name known)
//!            ┌─────────────────────────────────┐
//!            │ Connect             Resolved    ▼  Opened               Ready
//!  Disconnected ────────► Resolving ───► Connecting ───► Handshaking ───────► Ready
//!   ▲ retry_at                │               │               │                │
//!   └─────────────────────────┴───────────────┴───────────────┴────────────────┘
//!                  Closed, Failed, Close, Timeout (of setup; idle)
//! ```
//!
//! - Each attempt has a generation of its own; what comes late from an older one is recognised.
//! - Every address of a name is tried, one an attempt and without a pause between them; then the name
//!   is resolved again, after a backoff (KIP-144) that only `Ready` resets. After an established
//!   connection was lost the name is resolved again too, and the address just used is not the first
//!   one to be tried. (Java pauses between addresses; a name with a dead IPv6 address is common.)
//! - Setup has one deadline, from opening to `Ready`. It grows while attempts run into it (KIP-601).
//!   (Java gives the handshake the request timeout instead.)
//! - Closing an idle connection (`connections.max.idle.ms`) is no failure: no backoff.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::core::{ExponentialBackoff, HostPort, after};

/// The id of a broker, `node.id` in its configuration. Bootstrap servers have negative ones, until
/// metadata tells their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub i32);

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One attempt at a connection, and the connection that comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    /// The broker.
    pub broker: BrokerId,
    /// Grows with each attempt.
    pub generation: u32,
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.broker, self.generation)
    }
}

/// The times that all connections of a client keep to. The default is Kafka's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConnectionPolicy {
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub reconnect_backoff: ExponentialBackoff,
    /// `socket.connection.setup.timeout.ms` and `socket.connection.setup.timeout.max.ms`.
    pub setup_timeout: ExponentialBackoff,
    /// `connections.max.idle.ms`; `None` keeps idle connections open.
    pub idle_max: Option<Duration>,
}

impl Default for ConnectionPolicy {
    fn default() -> Self {
        let (millis, seconds) = (Duration::from_millis, Duration::from_secs);
        Self {
            reconnect_backoff: ExponentialBackoff::new(millis(50), seconds(1)),
            setup_timeout: ExponentialBackoff::new(seconds(10), seconds(30)),
            idle_max: Some(seconds(540)),
        }
    }
}

/// The connection to one broker, as far as decisions go: its owner does what it says.
///
/// An event of the transport is given only if [`is_current`](Self::is_current) says that it belongs to
/// the current attempt.
#[derive(Debug)]
pub struct BrokerConnection {
    broker: BrokerId,
    address: HostPort,
    generation: u32,
    state: State,
    /// Resolved, and not tried since.
    untried: VecDeque<SocketAddr>,
    /// Tried last: not the first one to be tried when the name is resolved again.
    tried: Option<SocketAddr>,
    last_attempt: Option<Instant>,
    /// Rounds over all addresses, and lost connections, since the last `Ready`.
    failures: u32,
    /// Setups that ran out of time since the last `Ready`.
    slow_setups: u32,
    throttled_until: Option<Instant>,
    /// The broker hung up on our highest ApiVersions, as some do that are not Kafka's own.
    is_wary: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Disconnected { retry_at: Instant },
    Resolving { deadline: Instant },
    Connecting { to: SocketAddr, deadline: Instant },
    Handshaking { to: SocketAddr, deadline: Instant },
    Ready { to: SocketAddr, idle_at: Option<Instant> },
}

/// Where a [`BrokerConnection`] is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// No connection, and no attempt at one.
    Disconnected,
    /// The name is being resolved.
    Resolving,
    /// The transport is being opened.
    Connecting,
    /// The transport is up, the handshake is not done.
    Handshaking,
    /// Takes requests, unless throttled.
    Ready,
}

/// What happens to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The owner wants it. Has no effect before [`retry_at`](BrokerConnection::retry_at).
    Connect,
    /// The addresses of the name; none means that it could not be resolved.
    Resolved(Vec<SocketAddr>),
    /// The transport is up.
    Opened,
    /// The handshake is done.
    Ready,
    /// The peer or the network ended it, or it never came about.
    Closed,
    /// We ended it: the handshake refused the peer, it sent nonsense, or left a request unanswered.
    Failed,
    /// The time of [`poll_timeout`](BrokerConnection::poll_timeout) has come.
    Timeout,
    /// The owner has no use for it any more.
    Close,
}

/// What the owner of a connection has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectionAction {
    /// Resolve the name, and come back with [`ConnectionEvent::Resolved`].
    Resolve {
        /// This attempt.
        connection: ConnectionId,
        /// What to resolve.
        address: HostPort,
    },
    /// Open a transport, and come back with [`ConnectionEvent::Opened`] or
    /// [`ConnectionEvent::Closed`]. Then comes the handshake.
    Open {
        /// This attempt.
        connection: ConnectionId,
        /// Where to.
        to: SocketAddr,
    },
    /// Close the transport, or give up opening it. No event is expected.
    Close {
        /// The attempt that ends.
        connection: ConnectionId,
        /// Why.
        reason: CloseReason,
    },
}

/// Why a connection is closed on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// It was not ready in time (KIP-601).
    SetupTimeout,
    /// It was not used for `connections.max.idle.ms`.
    Idle,
    /// The owner said so.
    Requested,
}

impl BrokerConnection {
    /// A connection that may be opened at once.
    pub fn new(broker: BrokerId, address: HostPort, now: Instant) -> Self {
        Self {
            broker,
            address,
            generation: 0,
            state: State::Disconnected { retry_at: now },
            untried: VecDeque::new(),
            tried: None,
            last_attempt: None,
            failures: 0,
            slow_setups: 0,
            throttled_until: None,
            is_wary: false,
        }
    }

    /// Lets generations begin above this one, of an earlier connection to the same broker whose events
    /// may still come. Before the first attempt.
    pub fn begin_above(&mut self, generation: u32) {
        self.generation = self.generation.max(generation);
    }

    /// Takes what happened, and says what to do. An event that means nothing in the current state has
    /// no effect.
    pub fn handle_event(
        &mut self,
        now: Instant,
        event: ConnectionEvent,
        policy: &ConnectionPolicy,
        rng: &mut Rng,
    ) -> Option<ConnectionAction> {
        use {ConnectionEvent as Event, State as S};
        match (self.state, event) {
            (S::Disconnected { retry_at }, Event::Connect) if retry_at <= now => {
                Some(self.begin(now, policy, rng))
            }
            (S::Resolving { .. }, Event::Resolved(found)) if !found.is_empty() => {
                self.learn(found);
                Some(self.begin(now, policy, rng))
            }
            (S::Resolving { .. }, Event::Resolved(_) | Event::Closed | Event::Failed)
            | (S::Connecting { .. }, Event::Closed | Event::Failed) => {
                self.disconnect(now, policy, rng);
                None
            }
            (S::Connecting { to, deadline }, Event::Opened) => {
                self.state = S::Handshaking { to, deadline };
                None
            }
            (S::Handshaking { to, .. }, Event::Ready) => {
                (self.failures, self.slow_setups) = (0, 0);
                self.state = S::Ready { to, idle_at: idle_at(now, policy) };
                None
            }
            (S::Handshaking { .. }, Event::Closed) => {
                self.is_wary = !self.is_wary;
                self.lose(now, policy, rng);
                None
            }
            (S::Handshaking { .. }, Event::Failed)
            | (S::Ready { .. }, Event::Closed | Event::Failed) => {
                self.lose(now, policy, rng);
                None
            }
            (
                S::Resolving { deadline }
                | S::Connecting { deadline, .. }
                | S::Handshaking { deadline, .. },
                Event::Timeout,
            ) if deadline <= now => {
                self.slow_setups = self.slow_setups.saturating_add(1);
                self.disconnect(now, policy, rng);
                Some(self.close(CloseReason::SetupTimeout))
            }
            (S::Ready { idle_at: Some(idle_at), .. }, Event::Timeout) if idle_at <= now => {
                self.forget(now);
                Some(self.close(CloseReason::Idle))
            }
            (
                S::Resolving { .. }
                | S::Connecting { .. }
                | S::Handshaking { .. }
                | S::Ready { .. },
                Event::Close,
            ) => {
                self.forget(now);
                Some(self.close(CloseReason::Requested))
            }
            _ => None,
        }
    }

    /// Takes another address of the same broker, as new metadata may have it. What was known of the
    /// old one is forgotten, and a connection to it has to be closed.
    pub fn set_address(&mut self, now: Instant, address: HostPort) -> Option<ConnectionAction> {
        if self.address == address {
            return None;
        }
        let is_open = !matches!(self.state, State::Disconnected { .. });
        self.address = address;
        self.forget(now);
        (self.failures, self.slow_setups, self.is_wary) = (0, 0, false);
        is_open.then(|| self.close(CloseReason::Requested))
    }

    /// Notes that the broker wants no requests for that long (KIP-219). Never shortens what it wanted
    /// before.
    pub fn throttle(&mut self, now: Instant, duration: Duration) {
        let until = after(now, duration);
        if until > now && self.throttled_until.is_none_or(|before| before < until) {
            self.throttled_until = Some(until);
        }
    }

    /// Notes that the connection was used: a request was sent, or an answer came.
    pub fn touch(&mut self, now: Instant, policy: &ConnectionPolicy) {
        if let State::Ready { idle_at: at, .. } = &mut self.state {
            *at = idle_at(now, policy);
        }
    }

    /// The current attempt or connection, or the last one.
    pub fn id(&self) -> ConnectionId {
        ConnectionId { broker: self.broker, generation: self.generation }
    }

    /// Whether an event of this connection still matters.
    pub fn is_current(&self, connection: ConnectionId) -> bool {
        self.id() == connection && self.state() != ConnectionState::Disconnected
    }

    /// Where the broker is, by name.
    pub fn address(&self) -> &HostPort {
        &self.address
    }

    /// The IP address in use or being tried.
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.state {
            State::Connecting { to, .. }
            | State::Handshaking { to, .. }
            | State::Ready { to, .. } => Some(to),
            State::Disconnected { .. } | State::Resolving { .. } => None,
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> ConnectionState {
        match self.state {
            State::Disconnected { .. } => ConnectionState::Disconnected,
            State::Resolving { .. } => ConnectionState::Resolving,
            State::Connecting { .. } => ConnectionState::Connecting,
            State::Handshaking { .. } => ConnectionState::Handshaking,
            State::Ready { .. } => ConnectionState::Ready,
        }
    }

    /// Whether a request may be sent, as far as the connection goes.
    pub fn is_ready(&self, now: Instant) -> bool {
        self.state() == ConnectionState::Ready && self.throttled_until(now).is_none()
    }

    /// Until when the broker wants no requests, if it still does not.
    pub fn throttled_until(&self, now: Instant) -> Option<Instant> {
        self.throttled_until.filter(|until| *until > now)
    }

    /// When [`ConnectionEvent::Connect`] has an effect; `None` unless disconnected.
    pub fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Disconnected { retry_at } => Some(retry_at),
            _ => None,
        }
    }

    /// Whether [`ConnectionEvent::Connect`] has an effect now.
    pub fn may_connect(&self, now: Instant) -> bool {
        self.retry_at().is_some_and(|at| at <= now)
    }

    /// When [`ConnectionEvent::Timeout`] is due: the end of the setup, or of the patience with an
    /// idle connection.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Disconnected { .. } => None,
            State::Resolving { deadline }
            | State::Connecting { deadline, .. }
            | State::Handshaking { deadline, .. } => Some(deadline),
            State::Ready { idle_at, .. } => idle_at,
        }
    }

    /// When an attempt began the last time.
    pub fn last_attempt(&self) -> Option<Instant> {
        self.last_attempt
    }

    /// The version of ApiVersions to begin the handshake with, if not the highest. A broker that hung
    /// up on the highest one is asked with version 3 the next time, and with the highest again if
    /// that was not the reason: some that are not Kafka's own reset instead of refusing.
    pub fn api_versions_max(&self) -> Option<i16> {
        self.is_wary.then_some(API_VERSIONS_WARY)
    }

    /// The next attempt: at the next address, or at resolving the name first.
    fn begin(
        &mut self,
        now: Instant,
        policy: &ConnectionPolicy,
        rng: &mut Rng,
    ) -> ConnectionAction {
        self.last_attempt = Some(now);
        self.generation = self.generation.wrapping_add(1);
        let deadline = after(now, policy.setup_timeout.delay(self.slow_setups, rng));
        let connection = self.id();
        let literal = self.address.ip().map(|ip| SocketAddr::new(ip, self.address.port()));
        if let Some(to) = self.untried.pop_front().or(literal) {
            self.tried = Some(to);
            self.state = State::Connecting { to, deadline };
            return ConnectionAction::Open { connection, to };
        }
        self.state = State::Resolving { deadline };
        ConnectionAction::Resolve { connection, address: self.address.clone() }
    }

    fn learn(&mut self, found: Vec<SocketAddr>) {
        self.untried.clear();
        for address in found {
            if self.untried.len() < ADDRESSES_MAX && !self.untried.contains(&address) {
                self.untried.push_back(address);
            }
        }
        if self.untried.len() > 1 && self.untried.front().copied() == self.tried {
            self.untried.rotate_left(1);
        }
    }

    /// An established connection ended: the broker may have moved to another address.
    fn lose(&mut self, now: Instant, policy: &ConnectionPolicy, rng: &mut Rng) {
        self.untried.clear();
        self.disconnect(now, policy, rng);
    }

    /// A failure: the next address at once if there is one, else a pause.
    fn disconnect(&mut self, now: Instant, policy: &ConnectionPolicy, rng: &mut Rng) {
        let retry_at = if self.untried.is_empty() {
            let delay = policy.reconnect_backoff.delay(self.failures, rng);
            self.failures = self.failures.saturating_add(1);
            after(now, delay)
        } else {
            now
        };
        self.state = State::Disconnected { retry_at };
    }

    /// An end that is no failure.
    fn forget(&mut self, now: Instant) {
        self.untried.clear();
        self.tried = None;
        let retry_at = self.retry_at().unwrap_or(now);
        self.state = State::Disconnected { retry_at };
    }

    fn close(&self, reason: CloseReason) -> ConnectionAction {
        ConnectionAction::Close { connection: self.id(), reason }
    }
}

fn idle_at(now: Instant, policy: &ConnectionPolicy) -> Option<Instant> {
    policy.idle_max.map(|idle_max| after(now, idle_max))
}

/// More addresses of one name are not tried.
const ADDRESSES_MAX: usize = 64;

/// The first version with the client's name and finalized features; known everywhere.
const API_VERSIONS_WARY: i16 = 3;

#[cfg(test)]
mod tests;
