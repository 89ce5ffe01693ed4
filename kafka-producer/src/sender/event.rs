//! Everything that can happen to a [`Sender`](super::Sender), and everything it can ask for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use kafka_net::{ConnectionId, DisconnectReason, HostPort};
use kafka_protocol::Frame;
use kafka_protocol::records::{CompressionError, RecordBatchBody};

use crate::PauseReason;
use crate::accumulator::Completion;
use crate::sender::flush::FlushReport;

/// What happened.
#[derive(Debug)]
pub(crate) enum Event {
    /// Some queue has news. It may as well have none.
    RecordsReady,
    /// The addresses of a broker's name, or what the system said instead.
    Resolved { connection: ConnectionId, addresses: Result<Vec<SocketAddr>, String> },
    /// The transport is up; the handshake follows.
    Opened { connection: ConnectionId },
    /// The transport is gone, or never came about.
    Disconnected { connection: ConnectionId, reason: DisconnectReason },
    /// The last byte of a request was handed to the transport.
    Written { connection: ConnectionId, request: RequestId },
    /// A frame came, without its size.
    Frame { connection: ConnectionId, frame: Bytes },
    /// A body was compressed, or could not be.
    Sealed { batch: BatchId, body: Result<RecordBatchBody, CompressionError> },
    /// A wish of the user.
    Command(Command),
}

/// What a user wants of the sender.
#[derive(Debug)]
pub(crate) enum Command {
    /// Somebody waits for the metadata of this topic.
    WantTopic(Arc<str>),
    /// Nobody waits for that command any more.
    Forget(CommandId),
    /// Send everything that was accepted so far without delay, and say when it has its outcome, or
    /// what has none at the deadline.
    Flush { id: CommandId, deadline: Option<Instant> },
    /// Say why a partition sends nothing now.
    WhyPaused { id: CommandId, topic: Arc<str>, partition: i32 },
    /// Send what was accepted, until the deadline, and stop. The accumulator is closed already.
    Close { deadline: Option<Instant> },
}

/// What is to be done. Nothing of it waits for anything.
#[derive(Debug)]
pub(crate) enum Action {
    /// Resolve the name, and come back with [`Event::Resolved`].
    Resolve { connection: ConnectionId, address: HostPort },
    /// Open a transport, and come back with [`Event::Opened`] or [`Event::Disconnected`].
    Open { connection: ConnectionId, to: SocketAddr },
    /// Close the transport, or give up opening it. No event is expected.
    Close { connection: ConnectionId },
    /// Write this frame after those before it.
    Send { connection: ConnectionId, request: RequestId, frame: Frame },
    /// Compress this body, and come back with [`Event::Sealed`].
    Seal { batch: BatchId, body: RecordBatchBody },
    /// Tell whoever waits.
    Complete(Completion),
    /// A command has come to its end.
    CommandDone(CommandId, Answer),
}

/// What came of a command.
#[derive(Debug)]
pub(crate) enum Answer {
    Flushed(FlushReport),
    /// Why a partition sends nothing; `None` if nothing keeps it from sending.
    Paused(Option<PauseReason>),
}

/// One request, over all connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestId(pub(crate) u64);

/// One batch that was taken from the accumulator: greater than those taken before. The parts of a
/// batch that was too large share its number, and are told by their first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BatchId {
    pub(crate) taken: u64,
    pub(crate) first_record: u32,
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{}", self.taken, self.first_record)
    }
}

/// One command that has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CommandId(pub(crate) u64);
