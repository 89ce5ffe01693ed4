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
    HandshakeRequest, HandshakeStep, InFlight,
};
use kafka_protocol::{BrokerVersions, EncodeError, Frame, KafkaString, Request};
use thiserror::Error;

use crate::sender::broker::{Broker, Refusal};
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
    /// It takes requests now; the broker wanted none for that long before.
    Ready {
        throttle_ms: i32,
    },
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
    pub(super) config: ConnectionsConfig,
    pub(super) brokers: BTreeMap<BrokerId, Broker>,
    pub(super) next_request: u64,
    pub(super) next_bootstrap: i32,
    /// The latest connection to a broker that was forgotten: should it come back, its connections must
    /// not be taken for those of before.
    pub(super) generations: u32,
    pub(super) cluster_id: Option<KafkaString>,
}

impl Connections {
    pub(super) fn new(config: ConnectionsConfig) -> Self {
        Self {
            config,
            brokers: BTreeMap::new(),
            next_request: 0,
            next_bootstrap: -1,
            generations: 0,
            cluster_id: None,
        }
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
        self.refusal(now, id).is_none()
    }

    /// Why a broker takes no request now; `None` if it does.
    pub(super) fn refusal(&self, now: Instant, id: BrokerId) -> Option<Refusal> {
        match self.brokers.get(&id) {
            Some(broker) => broker.refusal(now, self.config.in_flight_max),
            None => Some(Refusal::NotConnected),
        }
    }

    /// A request without an answer was handed to the transport.
    pub(super) fn handle_written(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        out: &mut Output<'_>,
    ) {
        let broker = self.brokers.get_mut(&connection.broker);
        if let Some(broker) = broker.filter(|broker| broker.connection.is_current(connection)) {
            broker.unwritten.pop_front();
            self.set_timers(now, connection.broker, out);
        }
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
                let sent = SentRequest { version, kind, sent_at: now };
                broker.in_flight.push(now, timeout, sent);
            }
            None => {
                broker.in_flight.push_without_response();
                // As far away as a time can be, if it is too long for one.
                broker.unwritten.push_back(now.checked_add(timeout).unwrap_or(now + FAR));
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
            broker.unwritten.clear();
        }
        let mut config =
            HandshakeConfig::new().client_software(SOFTWARE, env!("CARGO_PKG_VERSION"));
        let Some(broker) = self.brokers.get_mut(&id) else { return Outcome::Nothing };
        // Brokers refuse one without the other.
        if let Some(cluster_id) = self.cluster_id.clone().filter(|_| self.config.cluster_check) {
            if id.0 >= 0 {
                config = config.expect_broker(Some(cluster_id), Some(id.0));
            }
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
            broker.unwritten.clear();
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
        let Some(api) = broker.and_then(|broker| broker.expired(now)) else {
            return Outcome::Nothing;
        };
        let timeout = self.config.request_timeout;
        self.fail(now, id, DisconnectReason::RequestTimeout { api, timeout }, out)
    }

    /// The broker wants no requests for a while (KIP-219).
    pub(super) fn throttle(&mut self, now: Instant, id: BrokerId, ms: i32, out: &mut Output<'_>) {
        let duration = Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(THROTTLE_MAX);
        if let Some(broker) = self.brokers.get_mut(&id).filter(|_| !duration.is_zero()) {
            broker.connection.throttle(now, duration);
            // It held its answers back that long already: that is none of their time.
            broker.in_flight.extend(duration);
            self.set_timers(now, id, out);
        }
    }

    /// Ends every connection.
    pub(super) fn close_all(&mut self, now: Instant, out: &mut Output<'_>) -> Vec<SentRequest> {
        let ids: Vec<_> = self.brokers.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.close(now, id, out)).collect()
    }

    pub(super) fn get(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: BrokerId) -> Option<&mut Broker> {
        self.brokers.get_mut(&id)
    }

    /// Requests that are on their way, of all kinds.
    pub(super) fn requests_in_flight(&self) -> usize {
        let all = self.brokers.values();
        all.map(|broker| broker.in_flight.len() + broker.unwritten.len()).sum()
    }

    /// Brokers that have something to be sent to.
    pub(super) fn with_work(&self) -> Vec<BrokerId> {
        let busy = self.brokers.iter().filter(|(_, broker)| !broker.ready.is_empty());
        busy.map(|(id, _)| *id).collect()
    }

    pub(super) fn close(
        &mut self,
        now: Instant,
        id: BrokerId,
        out: &mut Output<'_>,
    ) -> Vec<SentRequest> {
        self.apply(now, id, ConnectionEvent::Close, out);
        let Some(broker) = self.brokers.get_mut(&id) else { return Vec::new() };
        broker.handshake = None;
        broker.unwritten.clear();
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
        broker.unwritten.clear();
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
                let throttle_ms = i32::try_from(capabilities.throttle.as_millis());
                let throttle_ms = throttle_ms.unwrap_or(i32::MAX);
                if let Some(broker) = self.brokers.get_mut(&id) {
                    broker.versions = capabilities.versions;
                    broker.handshake = None;
                    broker.error = None;
                    broker.connection.throttle(now, capabilities.throttle.min(THROTTLE_MAX));
                }
                self.apply(now, id, ConnectionEvent::Ready, out);
                self.set_timers(now, id, out);
                Outcome::Ready { throttle_ms }
            }
            Err(error) => self.fail(now, id, DisconnectReason::Handshake(error), out),
        }
    }

    pub(super) fn apply(
        &mut self,
        now: Instant,
        id: BrokerId,
        event: ConnectionEvent,
        out: &mut Output<'_>,
    ) {
        let Some(broker) = self.brokers.get_mut(&id) else { return };
        let action = broker.connection.handle_event(now, event, &self.config.policy, out.rng);
        out.actions.extend(action.map(Action::from));
    }

    pub(super) fn set_timers(&self, now: Instant, id: BrokerId, out: &mut Output<'_>) {
        let Some(broker) = self.brokers.get(&id) else { return };
        let connection = &broker.connection;
        out.timers.set(Timer::Connection(id), connection.poll_timeout());
        out.timers.set(Timer::Request(id), broker.next_deadline());
        let later = connection.retry_at().or_else(|| connection.throttled_until(now));
        let later = later.filter(|at| *at > now && !broker.ready.is_empty());
        out.timers.set(Timer::Broker(id), later);
    }

    /// Sets the timer of a broker that cannot be sent to now, after its list of partitions changed.
    pub(super) fn schedule(&self, now: Instant, id: BrokerId, out: &mut Output<'_>) {
        self.set_timers(now, id, out);
    }

    pub(super) fn clear_timers(&self, id: BrokerId, out: &mut Output<'_>) {
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
/// Longer than anybody waits.
const FAR: Duration = Duration::from_secs(365 * 86_400);
