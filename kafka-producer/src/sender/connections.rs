//! The brokers, and the connections to them: who may be asked what, and what was asked.
//!
//! The policy of one connection is `kafka-net`'s; here it is kept for all of them, and what they want
//! done goes into the sender's actions.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use kafka_net::{
    BrokerId, ConnectionAction, ConnectionEvent, ConnectionId, ConnectionPolicy, ConnectionState,
    CorrelationId, DisconnectReason, Handshake, HandshakeConfig, HandshakeError, HandshakeEvent,
    HandshakeRequest, HandshakeStep, HostPort, InFlight, least_loaded,
};
use kafka_protocol::{BrokerVersions, EncodeError, Frame, KafkaString, Request};
use thiserror::Error;

use crate::sender::broker::Broker;
use crate::sender::event::{Action, RequestId};
use crate::sender::requests::{SentKind, SentRequest};
use crate::sender::timers::{Timer, Timers};

/// What all connections have in common.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionsConfig {
    pub(crate) client_id: KafkaString,
    pub(crate) policy: ConnectionPolicy,
    pub(crate) request_timeout: Duration,
    pub(crate) in_flight_max: usize,
    /// Tell a broker which one it is expected to be (KIP-1242).
    pub(crate) cluster_check: bool,
}

/// What came of something that happened on a connection.
#[derive(Debug)]
pub(super) enum Outcome {
    Nothing,
    /// It takes requests now.
    Ready,
    /// It is gone, and these requests have no answer.
    Lost {
        requests: Vec<SentRequest>,
        reason: DisconnectReason,
    },
    Answered {
        request: SentRequest,
        frame: Bytes,
    },
}

/// Why a request was not sent.
#[derive(Debug, Error)]
pub(super) enum SendFailure {
    #[error("the request cannot be written: {0}")]
    Encode(#[from] EncodeError),
    #[error("the broker is not known any more")]
    NoBroker,
}

/// What the connections write to.
pub(super) struct Output<'a> {
    pub(super) actions: &'a mut VecDeque<Action>,
    pub(super) timers: &'a mut Timers,
    pub(super) rng: &'a mut Rng,
}

/// All brokers that are or were known.
#[derive(Debug)]
pub(super) struct Connections {
    config: ConnectionsConfig,
    brokers: BTreeMap<BrokerId, Broker>,
    next_request: u64,
    next_bootstrap: i32,
    cluster_id: Option<KafkaString>,
}

impl Connections {
    pub(super) fn new(config: ConnectionsConfig) -> Self {
        Self {
            config,
            brokers: BTreeMap::new(),
            next_request: 0,
            next_bootstrap: -1,
            cluster_id: None,
        }
    }

    /// Adds the addresses to begin with, under ids that no broker has.
    pub(super) fn add_bootstrap(&mut self, now: Instant, servers: &[HostPort]) {
        for address in servers {
            let id = BrokerId(self.next_bootstrap);
            self.next_bootstrap = self.next_bootstrap.checked_sub(1).unwrap_or(-1);
            self.brokers
                .insert(id, Broker::new(now, id, address.clone(), self.config.in_flight_max));
        }
    }

    /// Whether only addresses to begin with are known.
    pub(super) fn has_bootstrap(&self) -> bool {
        self.brokers.iter().any(|(id, broker)| broker.is_member && id.0 < 0)
    }

    /// Takes the brokers of the cluster. Connections to others end.
    pub(super) fn set_members(
        &mut self,
        now: Instant,
        cluster_id: Option<KafkaString>,
        members: &BTreeMap<BrokerId, HostPort>,
        out: &mut Output<'_>,
    ) -> Vec<SentRequest> {
        self.cluster_id = cluster_id;
        let mut lost = Vec::new();
        for (id, address) in members {
            lost.extend(self.set_address(now, *id, address, out));
        }
        let others: Vec<_> =
            self.brokers.keys().filter(|id| !members.contains_key(id)).copied().collect();
        for id in others {
            let Some(broker) = self.brokers.get_mut(&id) else { continue };
            broker.is_member = false;
            // Answers that are due are waited for.
            if broker.in_flight.is_empty() {
                lost.extend(self.close(now, id, out));
            }
            if id.0 < 0 && self.brokers.get(&id).is_some_and(|b| b.in_flight.is_empty()) {
                self.brokers.remove(&id);
                self.clear_timers(id, out);
            }
        }
        lost
    }

    /// Takes a broker's address, which an answer told in passing.
    pub(super) fn set_address(
        &mut self,
        now: Instant,
        id: BrokerId,
        address: &HostPort,
        out: &mut Output<'_>,
    ) -> Vec<SentRequest> {
        let mut lost = Vec::new();
        match self.brokers.get_mut(&id) {
            Some(broker) => {
                broker.is_member = true;
                if let Some(action) = broker.connection.set_address(now, address.clone()) {
                    lost.extend(broker.in_flight.drain());
                    broker.handshake = None;
                    out.actions.push_back(action.into());
                }
            }
            None => {
                self.brokers
                    .insert(id, Broker::new(now, id, address.clone(), self.config.in_flight_max));
            }
        }
        self.set_timers(now, id, out);
        lost
    }

    /// Sees to it that a broker is being connected to, if it is not connected. `true` if it takes a
    /// request now.
    pub(super) fn want(&mut self, now: Instant, id: BrokerId, out: &mut Output<'_>) -> bool {
        let Some(broker) = self.brokers.get(&id) else { return false };
        if broker.connection.may_connect(now) {
            self.apply(now, id, ConnectionEvent::Connect, out);
            self.set_timers(now, id, out);
        }
        self.is_ready(now, id)
    }

    /// Whether a broker takes a request now.
    pub(super) fn is_ready(&self, now: Instant, id: BrokerId) -> bool {
        let broker = self.brokers.get(&id);
        broker.is_some_and(|broker| {
            broker.connection.is_ready(now)
                && broker.in_flight.has_room()
                && broker.unwritten < self.config.in_flight_max
        })
    }

    /// A request without an answer was handed to the transport.
    pub(super) fn handle_written(&mut self, connection: ConnectionId) {
        let broker = self.brokers.get_mut(&connection.broker);
        if let Some(broker) = broker.filter(|broker| broker.connection.is_current(connection)) {
            broker.unwritten = broker.unwritten.saturating_sub(1);
        }
    }

    /// The broker to ask what every broker knows; it may have to be connected to first.
    pub(super) fn least_loaded(&self, now: Instant, rng: &mut Rng) -> Option<BrokerId> {
        let members = self.brokers.iter().filter(|(_, broker)| broker.is_member);
        let candidates: Vec<_> = members.map(|(id, broker)| (*id, broker.load(now))).collect();
        least_loaded(&candidates, rng)
    }

    /// When the first broker may be tried again that cannot be asked now.
    pub(super) fn next_retry(&self, now: Instant) -> Option<Instant> {
        let members = self.brokers.values().filter(|broker| broker.is_member);
        let retries = members.filter_map(|broker| {
            broker.connection.retry_at().or_else(|| broker.connection.throttled_until(now))
        });
        retries.filter(|at| *at > now).min()
    }

    /// Sends a request. The caller has asked whether the broker is ready. Without a kind no answer is
    /// expected.
    ///
    /// # Errors
    /// If it has no form in that version; the kind comes back.
    pub(super) fn send<R: Request>(
        &mut self,
        now: Instant,
        id: BrokerId,
        (request, version): (&R, i16),
        kind: Option<SentKind>,
        out: &mut Output<'_>,
    ) -> Result<RequestId, Box<(Option<SentKind>, SendFailure)>> {
        let (client_id, timeout) = (self.config.client_id.clone(), self.config.request_timeout);
        let Some(broker) = self.brokers.get_mut(&id) else {
            return Err(Box::new((kind, SendFailure::NoBroker)));
        };
        let correlation_id = broker.in_flight.next_correlation_id();
        let frame = match Frame::request(request, version, correlation_id.0, Some(client_id)) {
            Ok(frame) => frame,
            Err(error) => return Err(Box::new((kind, error.into()))),
        };
        let id_of_request = RequestId(self.next_request);
        self.next_request += 1;
        match kind {
            Some(kind) => {
                let sent = SentRequest { version, kind };
                broker.in_flight.push(now, timeout, sent);
            }
            None => {
                broker.in_flight.push_without_response();
                broker.unwritten += 1;
            }
        }
        broker.connection.touch(now, &self.config.policy);
        let connection = broker.connection.id();
        out.actions.push_back(Action::Send { connection, request: id_of_request, frame });
        self.set_timers(now, id, out);
        Ok(id_of_request)
    }

    /// The versions that a broker knows.
    pub(super) fn versions(&self, id: BrokerId) -> Option<&BrokerVersions> {
        self.brokers.get(&id).map(|broker| &broker.versions)
    }

    /// Whether an event of this connection still matters.
    pub(super) fn is_current(&self, connection: ConnectionId) -> bool {
        let broker = self.brokers.get(&connection.broker);
        broker.is_some_and(|broker| broker.connection.is_current(connection))
    }

    pub(super) fn handle_resolved(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        addresses: Result<Vec<std::net::SocketAddr>, String>,
        out: &mut Output<'_>,
    ) {
        let id = connection.broker;
        let addresses = addresses.unwrap_or_else(|cause| {
            if let Some(broker) = self.brokers.get_mut(&id) {
                let address = broker.connection.address();
                broker.error = Some(format!("cannot resolve {address}: {cause}"));
            }
            Vec::new()
        });
        self.apply(now, id, ConnectionEvent::Resolved(addresses), out);
        self.set_timers(now, id, out);
    }

    /// The transport is up: begins the handshake.
    pub(super) fn handle_opened(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        out: &mut Output<'_>,
    ) -> Outcome {
        let id = connection.broker;
        self.apply(now, id, ConnectionEvent::Opened, out);
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.in_flight = InFlight::new(self.config.in_flight_max);
            broker.unwritten = 0;
        }
        let mut config =
            HandshakeConfig::new().client_software(SOFTWARE, env!("CARGO_PKG_VERSION"));
        let Some(broker) = self.brokers.get_mut(&id) else { return Outcome::Nothing };
        if self.config.cluster_check {
            let node = (id.0 >= 0).then_some(id.0);
            config = config.expect_broker(node.and(self.cluster_id.clone()), node);
        }
        config = config.api_versions_max(broker.connection.api_versions_max());
        broker.handshake = Some(Handshake::new(config));
        self.advance_handshake(now, id, HandshakeEvent::Connected, out)
    }

    /// A frame came: an answer to the oldest request.
    pub(super) fn handle_frame(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        frame: Bytes,
        out: &mut Output<'_>,
    ) -> Outcome {
        let id = connection.broker;
        let Some(broker) = self.brokers.get_mut(&id) else { return Outcome::Nothing };
        let number = frame.first_chunk::<4>().map_or(-1, |bytes| i32::from_be_bytes(*bytes));
        let request = match broker.in_flight.complete(CorrelationId(number)) {
            Ok(request) => request,
            Err(error) => return self.fail(now, id, DisconnectReason::Correlation(error), out),
        };
        broker.connection.touch(now, &self.config.policy);
        self.set_timers(now, id, out);
        let SentKind::Handshake(asked) = &request.kind else {
            return Outcome::Answered { request, frame };
        };
        match asked.decode_response(frame) {
            Ok((_, event)) => self.advance_handshake(now, id, event, out),
            Err(error) => {
                let error = HandshakeError::Garbled(error);
                self.fail(now, id, DisconnectReason::Handshake(error), out)
            }
        }
    }

    /// The transport is gone.
    pub(super) fn handle_disconnected(
        &mut self,
        now: Instant,
        id: BrokerId,
        reason: DisconnectReason,
        out: &mut Output<'_>,
    ) -> Outcome {
        self.end(now, id, ConnectionEvent::Closed, reason, out)
    }

    /// Ends a connection whose broker did what it should not.
    pub(super) fn fail(
        &mut self,
        now: Instant,
        id: BrokerId,
        reason: DisconnectReason,
        out: &mut Output<'_>,
    ) -> Outcome {
        if let Some(broker) = self.brokers.get(&id) {
            let connection = broker.connection.id();
            out.actions.push_back(Action::Close { connection });
        }
        self.end(now, id, ConnectionEvent::Failed, reason, out)
    }

    /// The time of a connection's own timer has come: its setup took too long, or it is idle.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        id: BrokerId,
        out: &mut Output<'_>,
    ) -> Outcome {
        let Some(broker) = self.brokers.get_mut(&id) else { return Outcome::Nothing };
        if broker.connection.state() == ConnectionState::Ready {
            if !broker.in_flight.is_empty() {
                broker.connection.touch(now, &self.config.policy);
            }
        } else {
            let address = broker.connection.address();
            broker.error = Some(format!("{address} was not ready in time"));
        }
        let lost: Vec<_> = if broker.connection.poll_timeout().is_some_and(|at| at <= now) {
            broker.in_flight.drain().collect()
        } else {
            Vec::new()
        };
        self.apply(now, id, ConnectionEvent::Timeout, out);
        self.set_timers(now, id, out);
        if lost.is_empty() {
            Outcome::Nothing
        } else {
            Outcome::Lost { requests: lost, reason: DisconnectReason::SetupTimeout }
        }
    }

    /// The time of a connection's oldest request is over.
    pub(super) fn handle_request_timeout(
        &mut self,
        now: Instant,
        id: BrokerId,
        out: &mut Output<'_>,
    ) -> Outcome {
        let broker = self.brokers.get(&id);
        let expired = broker.and_then(|broker| broker.in_flight.expired(now));
        let Some(api) = expired.map(SentRequest::name) else { return Outcome::Nothing };
        let timeout = self.config.request_timeout;
        self.fail(now, id, DisconnectReason::RequestTimeout { api, timeout }, out)
    }

    /// The broker wants no requests for a while (KIP-219).
    pub(super) fn throttle(&mut self, now: Instant, id: BrokerId, ms: i32, out: &mut Output<'_>) {
        let duration = Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(THROTTLE_MAX);
        if let Some(broker) = self.brokers.get_mut(&id).filter(|_| !duration.is_zero()) {
            broker.connection.throttle(now, duration);
            self.set_timers(now, id, out);
        }
    }

    /// Ends every connection.
    pub(super) fn close_all(&mut self, now: Instant, out: &mut Output<'_>) -> Vec<SentRequest> {
        let ids: Vec<_> = self.brokers.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.close(now, id, out)).collect()
    }

    /// Forgets what was known of the cluster, for addresses to begin with (KIP-899).
    pub(super) fn forget_members(&mut self) {
        for broker in self.brokers.values_mut() {
            broker.is_member = false;
        }
    }

    pub(super) fn get(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: BrokerId) -> Option<&mut Broker> {
        self.brokers.get_mut(&id)
    }

    /// Brokers that have something to be sent to.
    pub(super) fn with_work(&self) -> Vec<BrokerId> {
        let busy = self.brokers.iter().filter(|(_, broker)| !broker.ready.is_empty());
        busy.map(|(id, _)| *id).collect()
    }

    /// Why the brokers that are known cannot be reached.
    pub(super) fn errors(&self) -> Option<String> {
        let members = self.brokers.values().filter(|broker| broker.is_member);
        let errors: Vec<_> = members.filter_map(|b| b.error.as_deref()).take(ERRORS_MAX).collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }

    /// How a connection that is lost has ended, with its address.
    pub(super) fn why_lost(&self, id: BrokerId, reason: &DisconnectReason) -> String {
        let error = self.brokers.get(&id).and_then(|broker| broker.error.clone());
        error.unwrap_or_else(|| reason.to_string())
    }

    /// Where a broker is, for a person.
    pub(super) fn place(&self, id: BrokerId) -> String {
        let broker = self.brokers.get(&id);
        broker.map_or(id.to_string(), |broker| broker.connection.address().to_string())
    }

    fn close(&mut self, now: Instant, id: BrokerId, out: &mut Output<'_>) -> Vec<SentRequest> {
        self.apply(now, id, ConnectionEvent::Close, out);
        let Some(broker) = self.brokers.get_mut(&id) else { return Vec::new() };
        broker.handshake = None;
        let lost = broker.in_flight.drain().collect();
        self.set_timers(now, id, out);
        lost
    }

    fn end(
        &mut self,
        now: Instant,
        id: BrokerId,
        event: ConnectionEvent,
        reason: DisconnectReason,
        out: &mut Output<'_>,
    ) -> Outcome {
        let Some(broker) = self.brokers.get_mut(&id) else { return Outcome::Nothing };
        broker.note_end(&reason);
        broker.handshake = None;
        let requests = broker.in_flight.drain().collect();
        self.apply(now, id, event, out);
        self.set_timers(now, id, out);
        Outcome::Lost { requests, reason }
    }

    fn advance_handshake(
        &mut self,
        now: Instant,
        id: BrokerId,
        event: HandshakeEvent,
        out: &mut Output<'_>,
    ) -> Outcome {
        let handshake = self.brokers.get_mut(&id).and_then(|broker| broker.handshake.as_mut());
        let Some(handshake) = handshake else { return Outcome::Nothing };
        match handshake.handle_event(event) {
            Ok(HandshakeStep::Send(asked)) => {
                let HandshakeRequest::ApiVersions { version, request } = &asked else {
                    return self.fail(
                        now,
                        id,
                        DisconnectReason::Handshake(HandshakeError::OutOfTurn),
                        out,
                    );
                };
                let (version, request) = (*version, request.clone());
                let kind = SentKind::Handshake(asked);
                match self.send(now, id, (&request, version), Some(kind), out) {
                    Ok(_) => Outcome::Nothing,
                    Err(_) => self.fail(now, id, DisconnectReason::Closed, out),
                }
            }
            Ok(HandshakeStep::Ready(capabilities)) => {
                if let Some(broker) = self.brokers.get_mut(&id) {
                    broker.versions = capabilities.versions;
                    broker.handshake = None;
                    broker.error = None;
                    broker.connection.throttle(now, capabilities.throttle.min(THROTTLE_MAX));
                }
                self.apply(now, id, ConnectionEvent::Ready, out);
                self.set_timers(now, id, out);
                Outcome::Ready
            }
            Err(error) => self.fail(now, id, DisconnectReason::Handshake(error), out),
        }
    }

    fn apply(&mut self, now: Instant, id: BrokerId, event: ConnectionEvent, out: &mut Output<'_>) {
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        let action = broker.connection.handle_event(now, event, &self.config.policy, out.rng);
        out.actions.extend(action.map(Action::from));
    }

    fn set_timers(&self, now: Instant, id: BrokerId, out: &mut Output<'_>) {
        let Some(broker) = self.brokers.get(&id) else { return };
        let connection = &broker.connection;
        out.timers.set(Timer::Connection(id), connection.poll_timeout());
        out.timers.set(Timer::Request(id), broker.in_flight.next_deadline());
        let later = connection.retry_at().or_else(|| connection.throttled_until(now));
        let later = later.filter(|at| *at > now && !broker.ready.is_empty());
        out.timers.set(Timer::Broker(id), later);
    }

    /// Sets the timer of a broker that cannot be sent to now, after its list of partitions changed.
    pub(super) fn schedule(&self, now: Instant, id: BrokerId, out: &mut Output<'_>) {
        self.set_timers(now, id, out);
    }

    fn clear_timers(&self, id: BrokerId, out: &mut Output<'_>) {
        for timer in [Timer::Connection(id), Timer::Request(id), Timer::Broker(id)] {
            out.timers.set(timer, None);
        }
    }
}

impl From<ConnectionAction> for Action {
    fn from(action: ConnectionAction) -> Self {
        match action {
            ConnectionAction::Resolve { connection, address } => {
                Self::Resolve { connection, address }
            }
            ConnectionAction::Open { connection, to } => Self::Open { connection, to },
            ConnectionAction::Close { connection, .. } => Self::Close { connection },
        }
    }
}

/// What brokers see in their metrics (KIP-511).
const SOFTWARE: &str = "kafka-producer-rust";
/// A broker that wants more than that is believed so far.
const THROTTLE_MAX: Duration = Duration::from_secs(300);
/// So many unreachable brokers are named in one message.
const ERRORS_MAX: usize = 3;
