//! The settings of connections, named as Kafka names them.

use std::time::Duration;

use kafka_protocol::KafkaString;

use crate::codec::FRAME_LEN_MAX;
use crate::core::{ConnectionPolicy, ExponentialBackoff, HandshakeConfig};
use crate::{KafkaCodec, QueueLimits};

/// Settings of [`Connection`](crate::Connection) and [`ConnectionPool`](crate::ConnectionPool), with
/// Kafka's defaults.
///
/// ```
/// # use kafka_net::NetConfig;
/// # use std::time::Duration;
/// let config = NetConfig::new().client_id("billing").request_timeout(Duration::from_secs(5));
/// ```
#[derive(Debug, Clone)]
pub struct NetConfig {
    pub(crate) client_id: Option<KafkaString>,
    pub(crate) handshake: HandshakeConfig,
    pub(crate) policy: ConnectionPolicy,
    pub(crate) request_timeout: Duration,
    pub(crate) wait_max: Duration,
    pub(crate) requests_max: usize,
    pub(crate) queue_bytes_max: usize,
    pub(crate) frame_len_max: usize,
    pub(crate) socket: SocketOptions,
}

/// Settings of a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// `send.buffer.bytes`; `None` leaves it to the system, which then adapts it to the path.
    pub send_buffer_bytes: Option<u32>,
    /// `receive.buffer.bytes`; `None` leaves it to the system, which then adapts it to the path.
    pub receive_buffer_bytes: Option<u32>,
}

impl NetConfig {
    /// Kafka's defaults.
    pub fn new() -> Self {
        Self {
            client_id: None,
            handshake: HandshakeConfig::new(),
            policy: ConnectionPolicy::default(),
            request_timeout: Duration::from_secs(30),
            wait_max: Duration::from_secs(10),
            requests_max: QueueLimits::default().frames,
            queue_bytes_max: QueueLimits::default().bytes,
            frame_len_max: FRAME_LEN_MAX,
            socket: SocketOptions::default(),
        }
    }

    /// `client.id`: what brokers write in their logs, and hold quotas by. None by default.
    #[must_use]
    pub fn client_id(self, client_id: &str) -> Self {
        Self { client_id: Some(client_id.into()), ..self }
    }

    /// What the client tells of itself in the handshake, and expects of the broker.
    #[must_use]
    pub fn handshake(self, handshake: HandshakeConfig) -> Self {
        Self { handshake, ..self }
    }

    /// `request.timeout.ms`: a request that is not answered in that time ends its connection. 30 s.
    #[must_use]
    pub fn request_timeout(self, request_timeout: Duration) -> Self {
        Self { request_timeout, ..self }
    }

    /// `socket.connection.setup.timeout.ms` and its `.max.ms` (KIP-601): the time that an attempt has
    /// from opening the socket to the end of the handshake. 10 s, 30 s.
    #[must_use]
    pub fn socket_connection_setup_timeout(mut self, first: Duration, max: Duration) -> Self {
        self.policy.setup_timeout = ExponentialBackoff::new(first, max);
        self
    }

    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms` (KIP-144). 50 ms, 1 s.
    #[must_use]
    pub fn reconnect_backoff(mut self, first: Duration, max: Duration) -> Self {
        self.policy.reconnect_backoff = ExponentialBackoff::new(first, max);
        self
    }

    /// `connections.max.idle.ms`: a pool closes a connection that is not used for that long. 9 min.
    #[must_use]
    pub fn connections_max_idle(mut self, idle_max: Option<Duration>) -> Self {
        self.policy.idle_max = idle_max;
        self
    }

    /// How long a call of a pool waits for a connection while brokers can be expected to come back.
    /// 10 s.
    #[must_use]
    pub fn max_wait(self, wait_max: Duration) -> Self {
        Self { wait_max, ..self }
    }

    /// Most requests that are queued or unanswered on one connection, and most bytes that are queued;
    /// a single request may be larger. 100, 16 MiB.
    #[must_use]
    pub fn queue_limits(self, requests_max: usize, queue_bytes_max: usize) -> Self {
        Self { requests_max: requests_max.max(1), queue_bytes_max, ..self }
    }

    /// Longest frame that is read. 100 MiB.
    #[must_use]
    pub fn max_frame_len(self, frame_len_max: usize) -> Self {
        Self { frame_len_max, ..self }
    }

    /// Settings of sockets.
    #[must_use]
    pub fn socket_options(self, socket: SocketOptions) -> Self {
        Self { socket, ..self }
    }

    /// The time for one address outside a pool, where no attempt follows a failed one.
    pub(crate) fn first_setup_timeout(&self) -> Duration {
        self.policy.setup_timeout.without_jitter().delay(0, &mut fastrand::Rng::with_seed(0))
    }

    pub(crate) fn codec(&self) -> KafkaCodec {
        KafkaCodec::with_frame_len_max(self.frame_len_max)
    }
}

impl Default for NetConfig {
    fn default() -> Self {
        Self::new()
    }
}
