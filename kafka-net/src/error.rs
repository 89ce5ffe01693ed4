//! What can go wrong between a client and its brokers; one enum for each question a caller asks.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use kafka_protocol::{DecodeError, EncodeError, ErrorCode, VersionMismatch};
use thiserror::Error;

use crate::core::{CorrelationId, ForeignProtocol, HostPort};

/// Why a text is not the address of a broker. Always a mistake of who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A list without a single entry.
    #[error("no address is given")]
    Empty,
    /// No port.
    #[error("{entry:?} has no port: write host:port")]
    NoPort {
        /// The entry as it was written.
        entry: String,
    },
    /// A port that is not 1 to 65535.
    #[error("{entry:?} has no valid port: 1 to 65535")]
    Port {
        /// The entry as it was written.
        entry: String,
    },
    /// A host that is no name and no address.
    #[error("{entry:?} has no valid host")]
    Host {
        /// The entry as it was written.
        entry: String,
    },
    /// An IPv6 address without brackets: nobody can tell its last part from a port.
    #[error("{entry:?} is ambiguous: write an IPv6 address in brackets, [::1]:9092")]
    BareIpv6 {
        /// The entry as it was written.
        entry: String,
    },
    /// The same address again.
    #[error("{entry:?} is given twice")]
    Duplicate {
        /// The entry as it was written.
        entry: String,
    },
}

impl AddressError {
    /// The same error of the entry that a person wrote, where only its parts were looked at.
    pub(crate) fn of(self, whole: &str) -> Self {
        let entry = whole.to_owned();
        match self {
            Self::Port { .. } => Self::Port { entry },
            Self::Host { .. } => Self::Host { entry },
            other => other,
        }
    }
}

/// Why bytes from a peer are no frame. The peer is to blame, or the address that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame above the limit.
    #[error("a frame of {len} bytes is announced, the limit is {limit}")]
    TooLarge {
        /// Announced size.
        len: usize,
        /// Largest size that is taken.
        limit: usize,
    },
    /// A size below 0.
    #[error("a frame of {size} bytes is announced")]
    Negative {
        /// Announced size.
        size: i32,
    },
    /// The peer speaks another protocol.
    #[error("{0}")]
    Foreign(ForeignProtocol),
}

/// An answer that does not belong to the request that is due. The broker (or something between) is
/// to blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CorrelationError {
    /// An answer to another request than the oldest one.
    #[error("an answer has correlation id {received}, the one that is due has {expected}")]
    OutOfOrder {
        /// The oldest unanswered request.
        expected: CorrelationId,
        /// What the answer says.
        received: CorrelationId,
    },
    /// An answer that nobody asked for.
    #[error("an answer has correlation id {received}, and none is due")]
    NothingInFlight {
        /// What the answer says.
        received: CorrelationId,
    },
}

/// Why a peer that took the connection cannot be used as a broker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The address is that of a KRaft controller, which has no clients' APIs.
    #[error(
        "this is a KRaft controller's listener: use a broker's address, as in its \
         advertised.listeners"
    )]
    Controller,
    /// The broker belongs to another cluster, or is another one than it used to be (KIP-1242).
    #[error("this is not the broker that was expected there: its cluster id or node id differs")]
    WrongBroker,
    /// Even version 0 of ApiVersions is refused.
    #[error("the broker and this client have no version of ApiVersions in common")]
    NoCommonVersion,
    /// The broker refused ApiVersions.
    #[error("the broker refused ApiVersions v{version}: {error}")]
    Refused {
        /// The version that was asked with.
        version: i16,
        /// What it answered.
        error: ErrorCode,
    },
    /// The answer is not one to ApiVersions.
    #[error("the answer to ApiVersions is garbled: {0}")]
    Garbled(DecodeError),
    /// The caller gave an event that cannot come now.
    #[error("an event of the handshake came out of turn")]
    OutOfTurn,
}

impl HandshakeError {
    /// Whether the same peer may well accept a later attempt.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { error, .. } => error.is_retriable(),
            Self::Garbled(_) => true,
            Self::Controller | Self::WrongBroker | Self::NoCommonVersion | Self::OutOfTurn => false,
        }
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The peer closed it between two frames.
    #[error("the broker closed the connection")]
    ClosedByPeer,
    /// The peer closed it inside a frame.
    #[error("the broker closed the connection inside a frame")]
    ClosedInsideFrame,
    /// The peer closed it after the handshake, before it answered anything: what a broker does that
    /// expects authentication (SASL) and gets another request.
    #[error(
        "the broker closed the connection before its first answer; does this listener expect \
         authentication?"
    )]
    ClosedBeforeAnswer,
    /// Reading or writing failed.
    #[error("{0}")]
    Io(io::ErrorKind),
    /// What came was no frame.
    #[error("{0}")]
    Frame(FrameError),
    /// An answer came out of order.
    #[error("{0}")]
    Correlation(CorrelationError),
    /// An answer could not be read.
    #[error("garbled answer: {0}")]
    Garbled(DecodeError),
    /// The peer is no broker for us.
    #[error("{0}")]
    Handshake(HandshakeError),
    /// A request was not answered in time.
    #[error("{api} was not answered within {timeout:?}")]
    RequestTimeout {
        /// Name of the request.
        api: &'static str,
        /// The time it had.
        timeout: Duration,
    },
    /// It was not ready in time.
    #[error("it was not ready in time")]
    SetupTimeout,
    /// It was closed on our side, because nobody needs it.
    #[error("it was closed")]
    Closed,
}

/// Why there is no connection to a broker.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The name has no address.
    #[error("cannot resolve {address}: {cause}")]
    Resolve {
        /// What was to be resolved.
        address: HostPort,
        /// What the system said.
        cause: String,
    },
    /// Nothing answers at any of the addresses.
    #[error("cannot connect to {address}: {}", list(tried, timeout))]
    Unreachable {
        /// Where the broker should be.
        address: HostPort,
        /// Each IP address that was tried, with what happened.
        tried: Vec<(SocketAddr, io::ErrorKind)>,
        /// The time that each had.
        timeout: Duration,
    },
    /// The name servers or the broker took too long.
    #[error("cannot connect to {address}: no {stage} within {timeout:?}")]
    Timeout {
        /// Where the broker should be.
        address: HostPort,
        /// What was not done in time.
        stage: ConnectStage,
        /// The time it had.
        timeout: Duration,
    },
    /// Something answers, and it cannot be used.
    #[error("cannot use {address}: {reason}{}", hint(reason))]
    Handshake {
        /// Where the broker should be.
        address: HostPort,
        /// What happened.
        reason: DisconnectReason,
    },
}

impl ConnectError {
    /// Whether a later attempt may succeed without anybody changing the configuration.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Handshake { reason: DisconnectReason::Handshake(error), .. } => {
                error.is_retriable()
            }
            Self::Handshake { reason: DisconnectReason::Frame(_), .. } => false,
            _ => true,
        }
    }
}

/// What a connection was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectStage {
    /// The name to be resolved.
    Resolve,
    /// The connection to be accepted.
    Open,
    /// An answer to ApiVersions.
    Handshake,
}

impl std::fmt::Display for ConnectStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "answer of a name server",
            Self::Open => "connection",
            Self::Handshake => "answer to ApiVersions",
        })
    }
}

/// Why a request was not queued. It was not written, not even in part.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The broker has no version of the request that we have.
    #[error(transparent)]
    Version(#[from] VersionMismatch),
    /// The request has no form in the version that the broker speaks.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// As many requests are queued or unanswered as the configuration allows.
    #[error("the connection's queue is full: {requests} requests, {bytes} bytes are waiting")]
    QueueFull {
        /// Requests that are queued or unanswered.
        requests: usize,
        /// Bytes that are queued.
        bytes: usize,
    },
    /// The connection has ended.
    #[error("the connection to {address} has ended: {reason}")]
    Closed {
        /// The broker.
        address: HostPort,
        /// Why it ended.
        reason: DisconnectReason,
    },
}

impl SendError {
    /// Whether the same request may be taken later, on this or another connection.
    pub fn is_retriable(&self) -> bool {
        matches!(self, Self::QueueFull { .. } | Self::Closed { .. })
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no connection to the broker.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is no connection to any broker.
    #[error("no broker is reachable: {}", join(causes))]
    NoBroker {
        /// Why, one for each broker that was tried.
        causes: Vec<ConnectError>,
    },
    /// The request was not queued.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The connection ended before an answer came.
    #[error("{api} has no answer from {address}: {reason}")]
    Disconnected {
        /// Name of the request.
        api: &'static str,
        /// The broker.
        address: HostPort,
        /// Why it ended.
        reason: DisconnectReason,
        /// Whether some of the request may have reached the broker.
        written: bool,
    },
    /// The answer could not be read. The connection was closed.
    #[error("garbled answer from {address}: {error}")]
    Garbled {
        /// The broker.
        address: HostPort,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// No such broker is known.
    #[error("no broker with id {0} is known")]
    UnknownBroker(i32),
    /// As many calls are waiting for a connection as are allowed.
    #[error("{0} calls are waiting for a connection already")]
    Busy(usize),
    /// The pool was closed.
    #[error("the pool is closed")]
    Closed,
}

impl RequestError {
    /// Whether the broker may have acted on the request.
    pub fn may_have_been_written(&self) -> bool {
        match self {
            Self::Disconnected { written, .. } => *written,
            Self::Garbled { .. } => true,
            _ => false,
        }
    }

    /// Whether the same request may succeed later. If it
    /// [may have been written](Self::may_have_been_written), asking again may do it twice.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_retriable(),
            Self::NoBroker { causes } => causes.iter().any(ConnectError::is_retriable),
            Self::Send(error) => error.is_retriable(),
            Self::Disconnected { .. } | Self::Busy(_) => true,
            Self::Garbled { .. } | Self::UnknownBroker(_) | Self::Closed => false,
        }
    }
}

fn list(tried: &[(SocketAddr, io::ErrorKind)], timeout: &Duration) -> String {
    let each = tried.iter().map(|(to, kind)| match kind {
        io::ErrorKind::TimedOut => format!("{to}: no answer within {timeout:?}"),
        kind => format!("{to}: {kind}"),
    });
    each.collect::<Vec<_>>().join(", ")
}

fn join(causes: &[ConnectError]) -> String {
    causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A listener that expects TLS or SASL hangs up on those who do not speak it, without a word.
fn hint(reason: &DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::ClosedByPeer
        | DisconnectReason::Io(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
            " before it answered; is this a Kafka listener, and one without TLS?"
        }
        _ => "",
    }
}
