//! What the cluster has seen: the last requests, and how much of everything.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::{ApiKey, Request, RequestHeader};

use crate::{BrokerId, ConnectionId};

/// A request that came in, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// When it came.
    pub time: Instant,
    /// The broker that it came to.
    pub broker: BrokerId,
    /// The connection that it came on.
    pub connection: ConnectionId,
    /// The API that was called; 0 if the header could not be read.
    pub api: ApiKey,
    /// Version of the request.
    pub version: i16,
    /// Correlation id of the request.
    pub correlation_id: i32,
    /// What became of it, as far as that was known when it came.
    pub fate: RequestFate,
    /// The whole of it without its size field, if [`keep_requests`](crate::MockConfig::keep_requests)
    /// says so.
    pub frame: Option<Bytes>,
}

impl RequestRecord {
    /// The request, if it was [kept](crate::MockConfig::keep_requests), is one of type `R`, and can be
    /// read.
    pub fn request<R: Request>(&self) -> Option<R> {
        let mut frame = self.frame.clone().filter(|_| self.api == R::KEY)?;
        RequestHeader::decode(&mut frame).ok()?;
        R::decode(&mut frame, self.version).ok()
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestFate {
    /// It was handled and answered, or will be.
    Answered,
    /// It was handled, and needs no answer: Produce with `acks=0`.
    NoAnswer,
    /// A fault swallowed the answer.
    Swallowed,
    /// The connection was closed.
    Closed(CloseReason),
}

/// Why the cluster closed a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The frame was not a request that can be read, or of an API that is not there; the text says
    /// what was wrong.
    Malformed(String),
    /// The version of the request is not one that was announced.
    UnsupportedVersion,
    /// A partition of a Produce request with `acks=0` failed: it is the only way to say so.
    FailedWithoutAcks,
    /// More requests wait for their answer than
    /// [`requests_in_flight_max`](crate::MockConfig::requests_in_flight_max).
    TooManyInFlight,
    /// A fault said so.
    Fault,
    /// The answer could not be written in the version of the request; the text says why.
    Unanswerable(String),
}

/// How much the cluster has seen since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests of all kinds, malformed ones included.
    pub requests: u64,
    /// Batches that were appended.
    pub batches: u64,
    /// Records that were appended.
    pub records: u64,
    /// Bytes of batches that were appended, as they came.
    pub bytes: u64,
    /// Batches that were in the log already, and were acknowledged again.
    pub duplicates: u64,
    /// Batches that were refused.
    pub rejected: u64,
}

/// The last requests, oldest first.
#[derive(Debug)]
pub(crate) struct Journal {
    requests: VecDeque<RequestRecord>,
    len_max: usize,
}

impl Journal {
    pub(crate) fn new(len_max: usize) -> Self {
        Self { requests: VecDeque::new(), len_max }
    }

    pub(crate) fn push(&mut self, request: RequestRecord) {
        if self.len_max == 0 {
            return;
        }
        if self.requests.len() >= self.len_max {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &RequestRecord> {
        self.requests.iter()
    }

    pub(crate) fn clear(&mut self) {
        self.requests.clear();
    }
}
