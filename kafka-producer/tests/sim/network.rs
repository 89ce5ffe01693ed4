//! Links with latency between one client and the brokers: in order, until they are cut.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastrand::Rng;
use kafka_mock::{BrokerId, MockCluster, ReplyAction};
use kafka_net::{ConnectionId, DisconnectReason, HostPort};
use kafka_protocol::Frame;

use crate::sender::{Event, RequestId};

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
    held: Vec<(ConnectionId, RequestId, Frame)>,
    /// Whether `localhost` resolves.
    pub(super) has_names: bool,
    /// How often a name was looked up.
    pub(super) lookups: u64,
    /// How often somebody tried to connect.
    pub(super) attempts: u64,
    brokers: Vec<BrokerId>,
}

pub(super) enum Parcel {
    Event(Event),
    /// A request, on its way to the broker.
    Request(ConnectionId, u64, Bytes),
    /// Bytes of answers, on their way to the client.
    Answer(ConnectionId, u64, Vec<Bytes>),
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
    pub(super) fn new(seed: u64, brokers: Vec<BrokerId>) -> Self {
        Self {
            rng: Rng::with_seed(seed ^ 0xc0ffee),
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
        if let Some(link) = self.links.remove(&connection) {
            cluster.handle_disconnect(now, kafka_mock::ConnectionId(link.number));
        }
    }

    pub(super) fn send(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: RequestId,
        frame: Frame,
    ) {
        let latency = self.latency();
        let Some(link) = self.links.get_mut(&connection).filter(|link| link.is_open) else {
            return;
        };
        if self.is_stalled {
            self.held.push((connection, request, frame));
            return;
        }
        link.unanswered += 1;
        link.to_broker_at = link.to_broker_at.max(now + latency);
        let (at, number) = (link.to_broker_at, link.number);
        let bytes = frame.into_bytes();
        self.schedule_at(at, Parcel::Request(connection, number, bytes.slice(4..)));
        self.schedule_at(now, Parcel::Event(Event::Written { connection, request }));
    }

    /// A request was answered otherwise.
    pub(super) fn note_answer(&mut self, connection: ConnectionId) {
        if let Some(link) = self.links.get_mut(&connection) {
            link.unanswered -= 1;
        }
    }

    /// Sends what could not leave.
    pub(super) fn release(&mut self, now: Instant) {
        self.is_stalled = false;
        for (connection, request, frame) in std::mem::take(&mut self.held) {
            self.send(now, connection, request, frame);
        }
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
            self.schedule_at(
                at,
                match reply.action {
                    ReplyAction::Send(pieces) => Parcel::Answer(connection, number, pieces),
                    ReplyAction::Close => Parcel::Closed(connection, number),
                },
            );
        }
    }

    /// What arrives now: requests at the cluster, the rest as events.
    pub(super) fn deliver(&mut self, now: Instant, cluster: &mut MockCluster) -> Vec<Event> {
        let mut events = Vec::new();
        while self.next_at().is_some_and(|at| at <= now) {
            let Some((_, parcel)) = self.under_way.pop_first() else { break };
            match parcel {
                Parcel::Event(event) => events.push(event),
                Parcel::Request(connection, number, frame) => {
                    if let Some(link) = self.link(connection, number) {
                        let id = kafka_mock::ConnectionId(link.number);
                        cluster.handle_frame(now, link.broker, id, frame);
                        self.collect(now, cluster);
                    }
                }
                Parcel::Answer(connection, number, pieces) => {
                    if let Some(link) = self.link(connection, number) {
                        pieces.iter().for_each(|piece| link.received.extend_from_slice(piece));
                        while let Some(frame) = link.take_frame() {
                            events.push(Event::Frame { connection, frame });
                        }
                    }
                }
                Parcel::Closed(connection, number) => {
                    if self.link(connection, number).is_some() {
                        self.links.remove(&connection);
                        let reason = DisconnectReason::ClosedByPeer;
                        events.push(Event::Disconnected { connection, reason });
                    }
                }
            }
        }
        events
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
    fn take_frame(&mut self) -> Option<Bytes> {
        let len = i32::from_be_bytes(*self.received.first_chunk::<4>()?);
        let len = usize::try_from(len).unwrap();
        if self.received.len() < 4 + len {
            return None;
        }
        self.unanswered = self.unanswered.saturating_sub(1);
        Some(self.received.split_to(4 + len).freeze().slice(4..))
    }
}
