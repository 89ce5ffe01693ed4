//! What may happen, one step after the other. The letters are those of the module's page.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_net::{ConnectionId, DisconnectReason};
use kafka_protocol::records::CompressionError;
use kafka_protocol::{ApiKey, BrokerVersions, Message, VersionRange};

use crate::Compression;
use crate::accumulator::{AppendError, Attempt};
use crate::fuzzing::answers::answer;
use crate::fuzzing::cluster::{TOPICS, UNKNOWN_TOPIC};
use crate::fuzzing::input::Input;
use crate::fuzzing::links::{Link, LinkState};
use crate::fuzzing::requests::Asked;
use crate::fuzzing::world::World;
use crate::record::Record;
use crate::sender::{BatchId, Command, Event, RequestId};

impl World {
    /// One step. Capital letters leave it to a later step to do what is asked for.
    pub(super) fn step(&mut self, input: &mut Input<'_>) {
        let letter = input.byte();
        match b'`' + letter % 32 {
            b'a' => self.append(input),
            b'b' => self.wait_for_memory(input),
            b'c' => self.disconnect(input),
            b'd' => self.answer_damaged(input),
            b'e' => drop(self.hear_news()),
            b'f' => self.flush(),
            b'g' => drop(self.go()),
            b'i' => self.answer(input),
            b'j' => self.junk(input),
            b'l' => self.cluster.change(input),
            b'n' => self.jump(),
            b'o' => self.open(input),
            b'p' => self.pass(input.duration()),
            b'r' => self.resolve(input),
            b's' => self.seal(input),
            b't' => self.now = (self.now - input.duration()).max(self.start),
            b'u' => self.stale(input),
            b'w' => self.write(input),
            b'x' => self.want(input.choice(&[TOPICS[0], TOPICS[1], TOPICS[2], UNKNOWN_TOPIC])),
            b'y' => self.take_memory(input),
            b'z' => self.close_sometime(input),
            _ => {}
        }
        if letter & 32 != 0 {
            self.drain();
        }
    }

    /// Appends a record, or asks for what is missing.
    fn append(&mut self, input: &mut Input<'_>) {
        let place = input.nibble();
        let size = input.choice(&SIZES);
        self.try_append(place, size, Attempt::default());
    }

    pub(super) fn try_append(&mut self, place: u8, size: usize, mut attempt: Attempt) {
        if self.ledger.len() >= RECORDS_MAX {
            return;
        }
        let (topic, partition, key) = match place {
            0..=3 => (TOPICS[2], Some(i32::from(place)), None),
            4 | 5 => (TOPICS[0], Some(i32::from(place) - 4), None),
            6 => (TOPICS[1], Some(0), None),
            7..=9 => (TOPICS[usize::from(place) - 7], None, None),
            10..=12 => (TOPICS[2], None, Some(&[place][..])),
            13 => (TOPICS[0], Some(1000), None),
            14 => (TOPICS[1], Some(-1), None),
            _ => (UNKNOWN_TOPIC, None, None),
        };
        let value = vec![u8::try_from(self.ledger.len() % 256).unwrap_or(0); size];
        let record = Record { partition, key, ..Record::new(topic, &value) };
        match self.accumulator.try_append(&self.both_clocks(), &record, &mut attempt) {
            Ok(delivery) => {
                let due = self.latest.max(self.now) + self.settings.sender.delivery_timeout;
                self.ledger.accept(delivery, due);
            }
            Err(AppendError::MemoryFull { needed }) => {
                drop(attempt);
                self.join_line(needed);
            }
            Err(AppendError::UnknownTopic | AppendError::UnknownPartition { .. }) => {
                self.want(topic);
            }
            Err(AppendError::TopicFailed(error)) if error.is_retriable() => self.want(topic),
            Err(_) => {}
        }
    }

    fn want(&mut self, topic: &str) {
        self.command(Command::WantTopic(topic.into()));
    }

    /// Somebody waits for memory.
    fn wait_for_memory(&mut self, input: &mut Input<'_>) {
        self.join_line(input.choice(&SIZES));
    }

    fn join_line(&mut self, needed: usize) {
        if self.waiters.len() < WAITERS_MAX {
            let acquire = self.accumulator.budget().acquire(needed);
            self.waiters.push_back((needed, Box::pin(async move { acquire.await.ok() })));
            self.accumulator.wake().notify();
        }
    }

    /// Somebody who waits for memory looks whether it is there, and uses it; or goes away.
    fn take_memory(&mut self, input: &mut Input<'_>) {
        let (what, place) = (input.nibble(), input.nibble());
        let Some((needed, mut waiter)) = self.waiters.pop_front() else { return };
        let mut cx = Context::from_waker(Waker::noop());
        match waiter.as_mut().poll(&mut cx) {
            _ if what == 1 => {}
            Poll::Pending => self.waiters.push_back((needed, waiter)),
            Poll::Ready(Some(permit)) => {
                let mut attempt = Attempt::default();
                attempt.permit = Some(permit);
                self.try_append(place, needed / 2, attempt);
            }
            Poll::Ready(None) => {}
        }
    }

    fn resolve(&mut self, input: &mut Input<'_>) {
        let nth = input.index(16);
        let is_it = |link: &Link| matches!(link.state, LinkState::Resolving(_));
        let Some(connection) = self.links.nth(nth, is_it) else { return };
        let addresses = match input.nibble() {
            1 => Err("no such host".to_owned()),
            2 => Ok(Vec::new()),
            3 => Ok((1..=3).map(|last| SocketAddr::from(([10, 0, 1, last], 9092))).collect()),
            _ => Ok(vec![SocketAddr::from(([10, 0, 0, 1], 9092))]),
        };
        self.links.lose(connection);
        self.tell(Event::Resolved { connection, addresses });
    }

    fn open(&mut self, input: &mut Input<'_>) {
        let nth = input.index(16);
        let is_it = |link: &Link| matches!(link.state, LinkState::Opening(_));
        if let Some(connection) = self.links.nth(nth, is_it) {
            self.links.get_mut(connection).state = LinkState::Open;
            self.tell(Event::Opened { connection });
        }
    }

    fn disconnect(&mut self, input: &mut Input<'_>) {
        let (nth, reason) = (input.index(16), reason(input));
        let is_it = |link: &Link| !matches!(link.state, LinkState::Resolving(_));
        if let Some(connection) = self.links.nth(nth, is_it) {
            self.links.lose(connection);
            self.tell(Event::Disconnected { connection, reason });
        }
    }

    fn write(&mut self, input: &mut Input<'_>) {
        let nth = input.index(16);
        let is_it = |link: &Link| link.is_open() && !link.unwritten.is_empty();
        if let Some(connection) = self.links.nth(nth, is_it) {
            self.write_one(connection);
        }
    }

    fn write_one(&mut self, connection: ConnectionId) {
        if let Some(request) = self.links.get_mut(connection).unwritten.pop_front() {
            self.tell(Event::Written { connection, request });
        }
    }

    /// The oldest request of a connection is answered.
    fn answer(&mut self, input: &mut Input<'_>) {
        let Some((connection, frame)) = self.next_answer(input) else { return };
        self.deliver(connection, frame);
    }

    /// It is answered, but some bytes are not what they should be.
    fn answer_damaged(&mut self, input: &mut Input<'_>) {
        let Some((connection, frame)) = self.next_answer(input) else { return };
        self.links.get_mut(connection).versions = None;
        let mut frame = BytesMut::from(&frame[..]);
        for _ in 0..=input.nibble() {
            let (at, byte) = (usize::from(input.byte()) % (frame.len() + 1), input.byte());
            match frame.get_mut(at) {
                Some(place) => *place ^= byte.max(1),
                None => frame.truncate(usize::from(byte)),
            }
        }
        self.deliver(connection, frame.freeze());
    }

    fn next_answer(&mut self, input: &mut Input<'_>) -> Option<(ConnectionId, Bytes)> {
        let is_it = |link: &Link| !link.unanswered.is_empty();
        let connection = self.links.nth(input.index(16), is_it)?;
        let link = self.links.get_mut(connection);
        let asked = link.unanswered.front()?;
        let frame = answer(asked, &mut self.cluster, input)?;
        link.versions = versions_told(asked, &frame).or(link.versions.take());
        Some((connection, frame))
    }

    /// Any bytes, behind the right correlation id or not.
    fn junk(&mut self, input: &mut Input<'_>) {
        let (nth, kind, count) = (input.index(16), input.nibble(), input.nibble());
        let Some(connection) = self.links.nth(nth, Link::is_open) else { return };
        let link = self.links.get_mut(connection);
        let due = link.unanswered.front().map_or(7, |asked| asked.correlation_id);
        let id = if kind == 0 { due } else { due + i32::from(kind) - 8 };
        let mut frame = BytesMut::new();
        if kind < 15 {
            frame.extend_from_slice(&id.to_be_bytes());
        }
        frame.extend_from_slice(input.bytes(usize::from(count) * 4));
        // It may say anything of the broker's versions.
        link.versions = None;
        self.deliver(connection, frame.freeze());
    }

    fn seal(&mut self, input: &mut Input<'_>) {
        let (nth, is_failed) = (input.index(16), input.nibble() == 1);
        if self.seals.is_empty() {
            return;
        }
        let at = nth % self.seals.len();
        if let Some((batch, body)) = self.seals.remove(at) {
            let error = CompressionError::MissingFeature { codec: Compression::Zstd };
            let body = if is_failed { Err(error) } else { body.compress(&mut self.compressor) };
            self.tell(Event::Sealed { batch, body });
        }
    }

    /// What comes too late, or was never asked for.
    fn stale(&mut self, input: &mut Input<'_>) {
        let (kind, nth, number) = (input.nibble(), input.index(16), input.byte());
        let request = RequestId(u64::from(number) + 1_000_000 * u64::from(kind));
        let batch = BatchId { taken: u64::from(number) + 1_000_000, first_record: 0 };
        let error = CompressionError::MissingFeature { codec: Compression::Zstd };
        let Some(connection) = self.links.over(nth) else { return };
        let frame = Bytes::from_static(&[0; 16]);
        self.tell(match kind % 6 {
            0 => Event::Opened { connection },
            1 => Event::Disconnected { connection, reason: reason(input) },
            2 => Event::Frame { connection, frame },
            3 => Event::Written { connection, request },
            4 => Event::Resolved { connection, addresses: Ok(Vec::new()) },
            _ => Event::Sealed { batch, body: Err(error) },
        });
    }

    fn jump(&mut self) {
        if let Some((at, _)) = self.sender.poll_timeout() {
            self.pass(at.saturating_duration_since(self.now));
        }
    }

    fn close_sometime(&mut self, input: &mut Input<'_>) {
        let deadline = match input.nibble() {
            15 => None,
            index => Some(Duration::from_millis([0, 10, 1_000, 60_000][usize::from(index % 4)])),
        };
        self.close(deadline);
    }

    /// Everything that is asked for comes about, and what is asked for because of that, until there is
    /// nothing left to do now. Whether there still is.
    pub(super) fn go(&mut self) -> bool {
        let mut well = Input::new(b"");
        for _ in 0..ROUNDS_MAX {
            let mut is_busy = self.hear_news();
            self.drain();
            for connection in self.links.ids() {
                let Some(link) = self.links.get(connection) else { continue };
                is_busy |= match link.state {
                    LinkState::Resolving(_) => {
                        let found = vec![SocketAddr::from(([10, 0, 0, 1], 9092))];
                        self.links.lose(connection);
                        self.tell(Event::Resolved { connection, addresses: Ok(found) });
                        true
                    }
                    LinkState::Opening(_) => {
                        self.links.get_mut(connection).state = LinkState::Open;
                        self.tell(Event::Opened { connection });
                        true
                    }
                    LinkState::Open => self.serve(connection, &mut well),
                };
                self.drain();
            }
            while !self.seals.is_empty() && !self.sender.is_closed() {
                is_busy = true;
                self.seal(&mut well);
                self.drain();
            }
            if !is_busy || self.sender.is_closed() {
                return false;
            }
        }
        true
    }

    /// Writes and answers what a connection has. Whether that was anything.
    fn serve(&mut self, connection: ConnectionId, well: &mut Input<'_>) -> bool {
        let mut is_busy = false;
        while self.links.get(connection).is_some_and(|link| !link.unwritten.is_empty()) {
            is_busy = true;
            self.write_one(connection);
        }
        while let Some(asked) = self.links.get(connection).and_then(|link| link.unanswered.front())
        {
            is_busy = true;
            let frame = answer(asked, &mut self.cluster, well).expect("a good answer");
            let told = versions_told(asked, &frame);
            let link = self.links.get_mut(connection);
            link.versions = told.or(link.versions.take());
            self.deliver(connection, frame);
        }
        is_busy
    }
}

/// Which versions the broker has, if that is what this answer says.
fn versions_told(asked: &Asked, frame: &Bytes) -> Option<BrokerVersions> {
    if asked.key() != ApiKey::API_VERSIONS {
        return None;
    }
    let mut frame = frame.slice(4..);
    let answer =
        kafka_protocol::messages::ApiVersionsResponse::decode(&mut frame, asked.version).ok()?;
    let ranges = answer.api_keys.iter();
    let ranges =
        ranges.map(|api| (api.api_key, VersionRange::new(api.min_version, api.max_version)));
    Some(BrokerVersions::new(ranges))
}

fn reason(input: &mut Input<'_>) -> DisconnectReason {
    match input.nibble() {
        0 => DisconnectReason::ClosedByPeer,
        1 => DisconnectReason::ClosedInsideFrame,
        2 => DisconnectReason::ClosedBeforeAnswer,
        3 => DisconnectReason::SetupTimeout,
        4 => DisconnectReason::Closed,
        _ => DisconnectReason::Io(std::io::ErrorKind::ConnectionReset),
    }
}

/// Of values, in bytes.
const SIZES: [usize; 8] = [8, 0, 100, 400, 1_000, 3_000, 20_000, 70_000];
const RECORDS_MAX: usize = 400;
const WAITERS_MAX: usize = 8;
/// Without backoffs what fails is tried again and again.
const ROUNDS_MAX: usize = 50;
