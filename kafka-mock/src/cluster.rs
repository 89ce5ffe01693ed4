//! The cluster as a state machine: frames in, replies out, time as an argument.

use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::ApiKey;
use kafka_protocol::messages::FetchRequest;

use crate::batch::BatchChecks;
use crate::connections::{Connections, Reply, ReplyAction, SlotId, after};
use crate::faults::{Faults, Subject, Verdict, damage};
use crate::handlers::{self, Answer, Call};
use crate::journal::{CloseReason, Journal, RequestFate, RequestRecord};
use crate::links::Links;
use crate::quotas::ProducerQuotas;
use crate::request::{DecodedFrame, FrameDecoder, RequestBody};
use crate::state::ClusterState;
use crate::{BrokerId, ConnectionId, MockConfig};

/// A whole Kafka cluster in memory.
///
/// Give it frames as they come from clients, and write what it replies. It has no sockets and no
/// clock: the same frames at the same instants always give the same replies. Frames may be given one
/// after the other before any reply is taken.
///
/// ```text
/// handle_frame, handle_disconnect, handle_timeout ──► cluster ──► poll_reply, poll_timeout
/// ```
///
/// Answers of a connection leave in the order of its requests, as a broker's do. A broker reads the
/// next request of a connection only when it has answered the one before; here a request is handled
/// at once and its answer waits in line.
///
/// Topics, leaders and addresses can be changed by hand at any time; wrong answers and none at all are
/// asked for with a [`FaultRule`](crate::FaultRule).
#[derive(Debug)]
pub struct MockCluster {
    pub(crate) state: ClusterState,
    pub(crate) connections: Connections,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) quotas: ProducerQuotas,
    pub(crate) links: Links,
    waiting: Vec<WaitingFetch>,
}

/// A Fetch that waits for more to read.
#[derive(Debug)]
struct WaitingFetch {
    connection: ConnectionId,
    slot: SlotId,
    deadline: Instant,
    call: Call,
    request: Box<FetchRequest>,
}

impl MockCluster {
    /// A cluster without topics.
    pub fn new(config: MockConfig) -> Self {
        Self {
            connections: Connections::default(),
            faults: Faults::default(),
            journal: Journal::new(config.request_log_max),
            quotas: ProducerQuotas::new(config.producer_byte_rate),
            links: Links::new(config.rtt),
            waiting: Vec::new(),
            state: ClusterState::new(config),
        }
    }

    /// Takes a frame, without its size field, that came to a broker on a connection.
    ///
    /// A connection is known from its first frame until
    /// [`handle_disconnect`](Self::handle_disconnect). Frames behind a close are ignored.
    pub fn handle_frame(
        &mut self,
        now: Instant,
        broker: BrokerId,
        connection: ConnectionId,
        frame: Bytes,
    ) {
        let frame = self.decoder().decode(frame);
        self.handle_decoded(now, broker, connection, frame);
    }

    /// [`handle_frame`](Self::handle_frame) for a frame that was read elsewhere by a
    /// [`decoder`](Self::decoder) of this cluster.
    pub fn handle_decoded(
        &mut self,
        now: Instant,
        broker: BrokerId,
        connection: ConnectionId,
        frame: DecodedFrame,
    ) {
        if self.connections.is_closing(connection) {
            return;
        }
        self.state.counters.requests += 1;
        let DecodedFrame { header, bytes, body } = frame;
        *self.state.requests_by_api.entry(header.api_key).or_insert(0) += 1;
        let in_flight = self.connections.in_flight(connection);
        let reading = self.links.reading(broker, bytes.len());
        let (slot, read_at) = self.connections.open(now, broker, connection, reading);
        let is_announced =
            self.state.announced(broker).contains(header.api_key, header.api_version);
        let mut call = Call {
            now,
            broker,
            api: header.api_key,
            // What nobody knows is answered in version 0 (KIP-511).
            version: if is_announced { header.api_version } else { 0 },
            correlation_id: header.correlation_id,
            answer_at: after(read_at, self.links.rtt(broker)),
            verdict: self.verdict(broker, connection, header.api_key, &body),
        };
        if header.api_key == ApiKey::PRODUCE && !self.quotas.is_empty() {
            let client_id = header.client_id.as_deref().unwrap_or_default();
            let throttle = self.quotas.charge(now, broker, client_id, bytes.len());
            call.verdict.throttle = call.verdict.throttle.max(throttle);
        }
        let throttle = call.verdict.throttle;
        let answer = if in_flight >= self.state.config.requests_in_flight_max {
            Answer::Close(CloseReason::TooManyInFlight)
        } else if let RequestBody::Malformed(reason) = body {
            Answer::Close(CloseReason::Malformed(reason))
        } else if call.verdict.close_before {
            Answer::Close(CloseReason::Fault)
        } else if is_announced {
            handlers::handle(&mut self.state, &call, body)
        } else {
            handlers::handle_unsupported(&self.state, &call)
        };
        let fate = self.settle(now, connection, slot, call, answer);
        self.journal.push(RequestRecord {
            time: now,
            broker,
            connection,
            api: header.api_key,
            version: header.api_version,
            correlation_id: header.correlation_id,
            fate,
            frame: self.state.config.keep_requests.then_some(bytes),
        });
        if !throttle.is_zero() {
            self.connections.mute(now, connection, throttle);
        }
        self.wake_fetches(now);
    }

    /// Forgets a connection that is gone, whoever closed it. Answers that it has not got are lost.
    pub fn handle_disconnect(&mut self, _now: Instant, connection: ConnectionId) {
        self.connections.remove(connection);
        self.waiting.retain(|fetch| fetch.connection != connection);
    }

    /// Does what is due at this time; see [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.wake_fetches(now);
    }

    /// The next thing to do to a connection, until there is none at this time.
    pub fn poll_reply(&mut self, now: Instant) -> Option<Reply> {
        self.wake_fetches(now);
        self.connections.poll(now)
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) and [`poll_reply`](Self::poll_reply)
    /// again. After the replies were taken it is later than that `now`.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = self.waiting.iter().map(|fetch| fetch.deadline);
        deadlines.chain(self.connections.next_due()).min()
    }

    /// When the broker reads the next request of a connection, if that is known: it reads slowly, or the
    /// client is throttled. A request that comes earlier is handled at once, and answered as if it had
    /// been read then.
    pub fn reads_at(&self, connection: ConnectionId) -> Option<Instant> {
        self.connections.reads_at(connection)
    }

    /// Reads frames for [`handle_decoded`](Self::handle_decoded), on another thread if wanted.
    pub fn decoder(&self) -> FrameDecoder {
        let config = &self.state.config;
        FrameDecoder {
            checks: BatchChecks {
                crc: config.check_crc,
                records: config.check_records && !config.discard,
            },
            frame_len_max: config.request_max_bytes,
        }
    }

    fn verdict(
        &mut self,
        broker: BrokerId,
        connection: ConnectionId,
        api: ApiKey,
        body: &RequestBody,
    ) -> Verdict {
        if self.faults.is_empty() || matches!(body, RequestBody::Malformed(_)) {
            return Verdict::default();
        }
        let targets = handlers::targets(&self.state, body);
        self.faults.judge(&Subject { api, broker, connection, targets })
    }

    /// Puts an answer in line, as far as the faults let it.
    fn settle(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        slot: SlotId,
        call: Call,
        answer: Answer,
    ) -> RequestFate {
        let verdict = &call.verdict;
        let due = after(now.max(call.answer_at), verdict.delay);
        let close = |connections: &mut Connections, at| {
            connections.fill(connection, slot, at, ReplyAction::Close.into());
        };
        let pieces = match answer {
            Answer::Wait(request, wait) => {
                let deadline = after(now, wait);
                self.waiting.push(WaitingFetch { connection, slot, deadline, call, request });
                return RequestFate::Answered;
            }
            Answer::Close(reason) => {
                close(&mut self.connections, now);
                return RequestFate::Closed(reason);
            }
            _ if verdict.close_after => {
                close(&mut self.connections, due);
                return RequestFate::Closed(CloseReason::Fault);
            }
            Answer::Nothing => {
                self.connections.abandon(connection, slot);
                return RequestFate::NoAnswer;
            }
            Answer::Send(_) if verdict.swallow => {
                self.connections.abandon(connection, slot);
                return RequestFate::Swallowed;
            }
            Answer::Send(pieces) => pieces,
        };
        let pieces = match verdict.change(call.api, call.version, pieces) {
            Ok(pieces) => pieces,
            Err(reason) => {
                close(&mut self.connections, due);
                return RequestFate::Closed(CloseReason::Unanswerable(reason));
            }
        };
        let actions = damage(pieces, &verdict.damage);
        match verdict.hold {
            Some(rule) => self.connections.hold(connection, slot, rule, actions),
            None => self.connections.fill(connection, slot, due, actions),
        }
        RequestFate::Answered
    }

    /// Answers the fetches that have enough to read by now, or have waited for as long as they want.
    fn wake_fetches(&mut self, now: Instant) {
        let may_wake = std::mem::take(&mut self.state.may_wake_fetches);
        if !may_wake && !self.waiting.iter().any(|fetch| fetch.deadline <= now) {
            return;
        }
        for fetch in std::mem::take(&mut self.waiting) {
            let is_over = fetch.deadline <= now;
            let answer = handlers::retry_fetch(&self.state, &fetch.call, &fetch.request, is_over);
            match answer {
                Some(answer) => {
                    self.settle(now, fetch.connection, fetch.slot, fetch.call, answer);
                }
                None => self.waiting.push(fetch),
            }
        }
    }
}
