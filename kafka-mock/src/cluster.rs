//! The cluster as a state machine: frames in, replies out, time as an argument.

use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::messages::FetchRequest;

use crate::batch::BatchChecks;
use crate::connections::{Connections, Reply, ReplyAction, SlotId};
use crate::faults::{Faults, Subject, Verdict, damage};
use crate::handlers::{self, Answer, Call};
use crate::journal::{CloseReason, Journal, RequestFate, RequestRecord};
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
        let in_flight = self.connections.in_flight(connection);
        let slot = self.connections.open(connection);
        let DecodedFrame { header, body } = frame;
        let call = Call {
            broker,
            version: header.api_version,
            correlation_id: header.correlation_id,
            verdict: self.verdict(broker, connection, header.api_key, &body),
        };
        let answer = if in_flight >= self.state.config.requests_in_flight_max {
            Answer::Close(CloseReason::TooManyInFlight)
        } else if let RequestBody::Malformed(reason) = body {
            Answer::Close(CloseReason::Malformed(reason))
        } else if call.verdict.close_before {
            Answer::Close(CloseReason::Fault)
        } else if self.state.is_announced(header.api_key, header.api_version) {
            handlers::handle(&mut self.state, &call, body)
        } else {
            handlers::handle_unsupported(&self.state, &call, header.api_key)
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
        });
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
        api: kafka_protocol::ApiKey,
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
        let pieces = match answer {
            Answer::Wait(request, wait) => {
                let deadline = now + wait;
                self.waiting.push(WaitingFetch { connection, slot, deadline, call, request });
                return RequestFate::Answered;
            }
            Answer::Close(reason) => {
                self.connections.fill(connection, slot, now, ReplyAction::Close.into());
                return RequestFate::Closed(reason);
            }
            _ if verdict.close_after => {
                let due = now + verdict.delay;
                self.connections.fill(connection, slot, due, ReplyAction::Close.into());
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
        let actions = damage(pieces, &verdict.damage);
        match verdict.hold {
            Some(rule) => self.connections.hold(connection, slot, rule, actions),
            None => self.connections.fill(connection, slot, now + verdict.delay, actions),
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
