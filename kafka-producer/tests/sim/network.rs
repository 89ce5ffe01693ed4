//! Links with latency between one client and the brokers: in order, until they are cut.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use kafka_mock::{BrokerId, MockCluster, ReplyAction};
use kafka_net::{ConnectionId, DisconnectReason, FrameError, HostPort};
use kafka_protocol::Frame;

use crate::sender::{Event, RequestId};
use crate::sim::settings::Settings;
use crate::sim::story::{Story, Who};
use crate::sim::wire::Wire;

pub(super) struct Network {
    rng: Rng,
    links: BTreeMap<ConnectionId, Link>,
    /// What is under way, by the time of its arrival and then by its number.
    under_way: BTreeMap<(Instant, u64), Parcel>,
    next_number: u64,
    next_link: u64,
    /// Brokers that refuse connections.
    pub(super) down: Vec<BrokerId>,
    pub(super) latency_max: Duration,
    /// Nothing that is sent leaves the client.
    pub(super) is_stalled: bool,
    held: Vec<(ConnectionId, RequestId, Bytes)>,
    /// Whether `localhost` resolves.
    pub(super) has_names: bool,
    /// How often a name was looked up.
    pub(super) lookups: u64,
    /// How often somebody tried to connect.
    pub(super) attempts: u64,
    /// Those that listen.
    pub(super) brokers: Vec<BrokerId>,
    pub(super) wire: Wire,
    pub(super) story: Story,
}

pub(super) enum Parcel {
    Event(Event),
    /// A request, on its way to the broker.
    Request(ConnectionId, u64, Bytes),
    /// Bytes of an answer, on their way to the client.
    Answer(ConnectionId, u64, Bytes),
    /// The broker closed.
    Closed(ConnectionId, u64),
}

/// One connection.
struct Link {
    broker: BrokerId,
    /// As the cluster knows it; a new attempt has another one.
    number: u64,
    is_open: bool,
    to_broker_at: Instant,
    to_client_at: Instant,
    received: BytesMut,
    unanswered: usize,
}

/// Where a broker listens.
pub(super) fn port_of(broker: BrokerId) -> u16 {
    9000 + u16::try_from(broker.0).unwrap()
}

impl Network {
    pub(super) fn new(settings: &Settings, brokers: Vec<BrokerId>, start: Instant) -> Self {
        Self {
            rng: Rng::with_seed(settings.seed ^ 0xc0ffee),
            links: BTreeMap::new(),
            under_way: BTreeMap::new(),
            next_number: 0,
            next_link: 1,
            down: Vec::new(),
            latency_max: Duration::from_millis(4),
            is_stalled: false,
            held: Vec::new(),
            has_names: true,
            lookups: 0,
            attempts: 0,
            brokers,
            wire: Wire::new(settings),
            story: Story::new(start),
        }
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// Most requests that are unanswered on one connection.
    pub(super) fn in_flight_max(&self) -> usize {
        self.links.values().map(|link| link.unanswered).max().unwrap_or(0)
    }

    pub(super) fn schedule(&mut self, now: Instant, parcel: Parcel) {
        let at = now + self.latency();
        self.schedule_at(at, parcel);
    }

    pub(super) fn resolve(&mut self, now: Instant, connection: ConnectionId, address: &HostPort) {
        self.lookups += 1;
        let is_known = self.has_names && address.host() == "localhost";
        let to = is_known.then(|| vec![SocketAddr::from(([127, 0, 0, 1], address.port()))]);
        let addresses = to.ok_or_else(|| "no such host".to_owned());
        self.schedule(now, Parcel::Event(Event::Resolved { connection, addresses }));
    }

    pub(super) fn open(&mut self, now: Instant, connection: ConnectionId, to: SocketAddr) {
        let broker = BrokerId(i32::from(to.port()) - 9000);
        self.attempts += 1;
        if self.down.contains(&broker) || !self.brokers.contains(&broker) {
            let reason = DisconnectReason::Io(std::io::ErrorKind::ConnectionRefused);
            return self.schedule(now, Parcel::Event(Event::Disconnected { connection, reason }));
        }
        let number = self.next_link;
        self.next_link += 1;
        let link = Link {
            broker,
            number,
            is_open: true,
            to_broker_at: now,
            to_client_at: now,
            received: BytesMut::new(),
            unanswered: 0,
        };
        self.links.insert(connection, link);
        self.schedule(now, Parcel::Event(Event::Opened { connection }));
    }

    pub(super) fn close(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        cluster: &mut MockCluster,
    ) {
        self.wire.ended(connection);
        if let Some(link) = self.links.remove(&connection) {
            cluster.handle_disconnect(now, kafka_mock::ConnectionId(link.number));
        }
    }

    /// Takes a request from the client.
    pub(super) fn send(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: RequestId,
        frame: Frame,
    ) {
        let bytes = frame.into_bytes();
        let asked = self.wire.asked(connection, request, &bytes);
        self.story.tell(now, Who::Producer, || format!("→ {connection}: {asked}"));
        if !self.links.get(&connection).is_some_and(|link| link.is_open) {
            // Cut already, and nobody has noticed.
            return self.wire.ended(connection);
        }
        if self.is_stalled {
            self.held.push((connection, request, bytes));
        } else {
            self.transmit(now, connection, request, &bytes);
        }
    }

    /// A request was answered otherwise.
    pub(super) fn note_answer(&mut self, connection: ConnectionId) {
        self.wire.answered_otherwise(connection);
        if let Some(link) = self.links.get_mut(&connection) {
            link.unanswered -= 1;
        }
    }

    /// Sends what could not leave.
    pub(super) fn release(&mut self, now: Instant) {
        self.is_stalled = false;
        for (connection, request, bytes) in std::mem::take(&mut self.held) {
            self.transmit(now, connection, request, &bytes);
        }
    }

    fn transmit(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: RequestId,
        bytes: &Bytes,
    ) {
        let latency = self.latency();
        let Some(link) = self.links.get_mut(&connection) else { return };
        link.unanswered += 1;
        link.to_broker_at = link.to_broker_at.max(now + latency);
        let (at, number) = (link.to_broker_at, link.number);
        self.schedule_at(at, Parcel::Request(connection, number, bytes.slice(4..)));
        self.schedule_at(now, Parcel::Event(Event::Written { connection, request }));
    }

    /// Cuts every connection to a broker: what is on its way in either direction may be lost.
    pub(super) fn cut(&mut self, now: Instant, broker: BrokerId, cluster: &mut MockCluster) {
        let cut: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.broker == broker)
            .map(|(id, _)| *id)
            .collect();
        for connection in cut {
            self.close(now, connection, cluster);
            let reason = DisconnectReason::Io(std::io::ErrorKind::ConnectionReset);
            self.schedule(now, Parcel::Event(Event::Disconnected { connection, reason }));
        }
    }

    /// Takes the cluster's answers.
    pub(super) fn collect(&mut self, now: Instant, cluster: &mut MockCluster) {
        while let Some(reply) = cluster.poll_reply(now) {
            let latency = self.latency();
            let link = self.links.iter_mut().find(|(_, link)| link.number == reply.connection.0);
            let Some((connection, link)) = link else { continue };
            link.to_client_at = link.to_client_at.max(now + latency);
            let (connection, number, at) = (*connection, link.number, link.to_client_at);
            match reply.action {
                ReplyAction::Send(pieces) => {
                    for piece in pieces {
                        self.schedule_at(at, Parcel::Answer(connection, number, piece));
                    }
                }
                ReplyAction::Close => self.schedule_at(at, Parcel::Closed(connection, number)),
            }
        }
    }

    /// What arrives now: requests at the cluster, the rest as events.
    pub(super) fn deliver(&mut self, now: Instant, cluster: &mut MockCluster) -> Vec<Event> {
        let mut events = Vec::new();
        while self.next_at().is_some_and(|at| at <= now) {
            let Some((_, parcel)) = self.under_way.pop_first() else { break };
            match parcel {
                Parcel::Event(event) => {
                    if let Event::Written { connection, request } = event {
                        self.wire.written(connection, request);
                    }
                    events.push(event);
                }
                Parcel::Request(connection, number, frame) => {
                    if let Some(link) = self.link(connection, number) {
                        let id = kafka_mock::ConnectionId(link.number);
                        cluster.handle_frame(now, link.broker, id, frame);
                        self.collect(now, cluster);
                    }
                }
                Parcel::Answer(connection, number, piece) => {
                    if let Some(link) = self.link(connection, number) {
                        link.received.extend_from_slice(&piece);
                        self.read(now, connection, cluster, &mut events);
                    }
                }
                Parcel::Closed(connection, number) => {
                    if self.link(connection, number).is_some() {
                        self.close(now, connection, cluster);
                        self.story.tell(now, Who::Broker, || format!("{connection} hangs up"));
                        let reason = DisconnectReason::ClosedByPeer;
                        events.push(Event::Disconnected { connection, reason });
                    }
                }
            }
        }
        events
    }

    /// Frames of what has arrived on a connection, or its end if there is none to come.
    fn read(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        cluster: &mut MockCluster,
        events: &mut Vec<Event>,
    ) {
        loop {
            let Some(link) = self.links.get_mut(&connection) else { return };
            match link.take_frame() {
                Ok(None) => return,
                Ok(Some(frame)) => {
                    let text = self.wire.answered(connection, &frame);
                    self.story.tell(now, Who::Broker, || {
                        let text = text.unwrap_or_else(|| "what cannot be read".to_owned());
                        format!("← {connection}: {text}")
                    });
                    events.push(Event::Frame { connection, frame });
                }
                Err(error) => {
                    self.close(now, connection, cluster);
                    let reason = DisconnectReason::Frame(error);
                    events.push(Event::Disconnected { connection, reason });
                }
            }
        }
    }

    fn link(&mut self, connection: ConnectionId, number: u64) -> Option<&mut Link> {
        self.links.get_mut(&connection).filter(|link| link.number == number)
    }

    fn latency(&mut self) -> Duration {
        let max = u64::try_from(self.latency_max.as_micros()).unwrap();
        Duration::from_micros(self.rng.u64(200..=max.max(200)))
    }

    fn schedule_at(&mut self, at: Instant, parcel: Parcel) {
        self.next_number += 1;
        self.under_way.insert((at, self.next_number), parcel);
    }
}

impl Link {
    /// As the codec does it, which has tests of its own.
    fn take_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(size) = self.received.first_chunk::<4>() else { return Ok(None) };
        let size = i32::from_be_bytes(*size);
        let len = usize::try_from(size).map_err(|_| FrameError::Negative { size })?;
        if len > FRAME_MAX {
            return Err(FrameError::TooLarge { len, limit: FRAME_MAX });
        }
        if self.received.len() < 4 + len {
            return Ok(None);
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        Ok(Some(self.received.split_to(4 + len).freeze().slice(4..)))
    }
}

/// Largest frame that is taken.
const FRAME_MAX: usize = 100 << 20;
