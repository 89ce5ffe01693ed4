//! What the handles of a connection and its task share.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::{EncodeError, Frame, KafkaString};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};

use super::now;
use crate::core::{BrokerCapabilities, CorrelationId, HostPort, InFlight};
use crate::{CorrelationError, DisconnectReason, NetConfig, SendError, Transport};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) address: HostPort,
    pub(super) capabilities: BrokerCapabilities,
    pub(super) client_id: Option<KafkaString>,
    request_timeout: Duration,
    queue_bytes_max: usize,
    pub(super) ended: watch::Sender<Option<DisconnectReason>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    in_flight: InFlight<Pending>,
    /// Frames that the transport has no room for yet, in order.
    outbox: VecDeque<Frame>,
    outbox_bytes: usize,
    last_used: Instant,
    /// Whether the broker has answered anything.
    is_accepted: bool,
    /// Of the task.
    waker: Option<Waker>,
}

#[derive(Debug, Clone, PartialEq)]
enum Phase {
    Open,
    /// Takes nothing more, and ends when everything is answered.
    Closing,
    /// Somebody found that it is broken; the task will end it.
    Broken(DisconnectReason),
    Ended(DisconnectReason),
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) api: &'static str,
    pub(super) answer: oneshot::Sender<Result<Bytes, Lost>>,
}

/// What became of a request whose connection ended.
#[derive(Debug)]
pub(super) struct Lost {
    pub(super) reason: DisconnectReason,
    /// Whether some of it may have reached the broker.
    pub(super) written: bool,
}

/// What the task has to wait for.
pub(super) enum Next {
    /// Frames, and this time.
    Wait(Option<Instant>),
    /// Nothing: this is the end.
    End(DisconnectReason),
}

impl Shared {
    pub(super) fn new(
        address: HostPort,
        capabilities: BrokerCapabilities,
        config: &NetConfig,
    ) -> Self {
        let state = State {
            phase: Phase::Open,
            in_flight: InFlight::new(config.requests_max),
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            last_used: now(),
            is_accepted: false,
            waker: None,
        };
        Self {
            address,
            capabilities,
            client_id: config.client_id.clone(),
            request_timeout: config.request_timeout,
            queue_bytes_max: config.queue_bytes_max,
            ended: watch::Sender::new(None),
            state: Mutex::new(state),
        }
    }

    /// Fixes the place of a request in the order, and what it is on the wire.
    pub(super) fn queue(
        &self,
        encode: impl FnOnce(CorrelationId) -> Result<Frame, EncodeError>,
        pending: Pending,
    ) -> Result<(), SendError> {
        let mut state = self.lock();
        match &state.phase {
            Phase::Open => {}
            Phase::Closing => return Err(self.closed(DisconnectReason::Closed)),
            Phase::Broken(reason) | Phase::Ended(reason) => {
                return Err(self.closed(reason.clone()));
            }
        }
        if !state.in_flight.has_room() {
            return Err(state.queue_full());
        }
        let frame = encode(state.in_flight.next_correlation_id())?;
        let bytes = state.outbox_bytes.saturating_add(frame.len());
        if bytes > self.queue_bytes_max && !state.outbox.is_empty() {
            return Err(state.queue_full());
        }
        state.last_used = now();
        let sent_at = state.last_used;
        state.in_flight.push(sent_at, self.request_timeout, pending);
        state.outbox.push_back(frame);
        state.outbox_bytes = bytes;
        wake(state);
        Ok(())
    }

    pub(super) fn begin_close(&self) {
        let mut state = self.lock();
        if state.phase == Phase::Open {
            state.phase = Phase::Closing;
            wake(state);
        }
    }

    /// Has the task end the connection.
    pub(super) fn fail(&self, reason: DisconnectReason) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Open | Phase::Closing) {
            state.phase = Phase::Broken(reason);
            wake(state);
        }
    }

    /// The task's turn: gives the transport what it has room for, and says what to wait for.
    pub(super) fn advance<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        transport: &mut Transport<S>,
        cx: &Context<'_>,
    ) -> Next {
        let mut state = self.lock();
        while let Some(frame) = state.outbox.pop_front() {
            let len = frame.len();
            match transport.queue(frame, 0) {
                Ok(()) => state.outbox_bytes = state.outbox_bytes.saturating_sub(len),
                Err(frame) => {
                    state.outbox.push_front(frame);
                    break;
                }
            }
        }
        if let Some(pending) = state.in_flight.expired(now()) {
            let timeout = self.request_timeout;
            return Next::End(DisconnectReason::RequestTimeout { api: pending.api, timeout });
        }
        match &state.phase {
            Phase::Broken(reason) | Phase::Ended(reason) => return Next::End(reason.clone()),
            Phase::Closing if state.in_flight.is_empty() => {
                return Next::End(DisconnectReason::Closed);
            }
            Phase::Open | Phase::Closing => {}
        }
        state.waker = Some(cx.waker().clone());
        Next::Wait(state.in_flight.next_deadline())
    }

    /// Hands a frame to whoever waits for it.
    pub(super) fn answer(&self, frame: Bytes) -> Result<(), CorrelationError> {
        // The size of a frame is checked, its content is not: too short a frame answers nothing.
        let id = frame.first_chunk().map_or(-1, |id| i32::from_be_bytes(*id));
        let mut state = self.lock();
        let pending = state.in_flight.complete(CorrelationId(id))?;
        state.last_used = now();
        state.is_accepted = true;
        drop(state);
        // Nobody may be waiting any more.
        let _ = pending.answer.send(Ok(frame));
        Ok(())
    }

    /// The end: everybody who waits is told. `unwritten` frames of the transport are certainly not
    /// with the broker, and neither is what it never got.
    pub(super) fn end(&self, reason: DisconnectReason, unwritten: usize) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Ended(_)) {
            return;
        }
        let is_unanswered = !state.is_accepted && !state.in_flight.is_empty();
        let reason = match reason {
            DisconnectReason::ClosedByPeer if is_unanswered => DisconnectReason::ClosedBeforeAnswer,
            reason => reason,
        };
        state.phase = Phase::Ended(reason.clone());
        let unwritten = unwritten + state.outbox.len();
        let outbox = std::mem::take(&mut state.outbox);
        state.outbox_bytes = 0;
        let waiting: Vec<Pending> = state.in_flight.drain().collect();
        state.waker = None;
        drop(state);
        drop(outbox);
        let written = waiting.len().saturating_sub(unwritten);
        for (index, pending) in waiting.into_iter().enumerate() {
            let lost = Lost { reason: reason.clone(), written: index < written };
            let _ = pending.answer.send(Err(lost));
        }
        self.ended.send_replace(Some(reason));
    }

    pub(super) fn in_flight(&self) -> usize {
        self.lock().in_flight.len()
    }

    pub(super) fn last_used(&self) -> Instant {
        self.lock().last_used
    }

    fn closed(&self, reason: DisconnectReason) -> SendError {
        SendError::Closed { address: self.address.clone(), reason }
    }

    /// Nothing panics while the lock is held; if something did, the task would end the connection.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn queue_full(&self) -> SendError {
        SendError::QueueFull { requests: self.in_flight.len(), bytes: self.outbox_bytes }
    }
}

/// Wakes the task, with the lock given back.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
