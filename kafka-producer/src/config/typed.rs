//! The typed methods of [`ProducerBuilder`], one for each property that is built.
//!
//! A [`Duration`] is rounded up to whole milliseconds, the unit of Kafka: a short time never becomes
//! none.

use std::fmt::Display;
use std::time::Duration;

use kafka_protocol::records::CompressionOptions;

use super::{Acks, MetadataRecovery, ProducerBuilder};

/// The properties. After each comes its default. Times are rounded up to whole milliseconds.
impl ProducerBuilder {
    /// `bootstrap.servers`: brokers to begin with, as `host:port` with commas between them.
    /// Required.
    #[must_use]
    pub fn bootstrap_servers(self, servers: &str) -> Self {
        self.with("bootstrap.servers", servers)
    }

    /// `client.id`: what brokers write in their logs, and hold quotas by. `producer-` and a number.
    #[must_use]
    pub fn client_id(self, id: &str) -> Self {
        self.with("client.id", id)
    }

    /// `acks`: whose acknowledgement makes a record sent. All replicas in sync.
    #[must_use]
    pub fn acks(self, acks: Acks) -> Self {
        self.with("acks", acks.as_i16())
    }

    /// `enable.idempotence`: whether brokers drop duplicates and keep the order (KIP-98). True.
    #[must_use]
    pub fn enable_idempotence(self, is_enabled: bool) -> Self {
        self.with("enable.idempotence", is_enabled)
    }

    /// `retries`: attempts after the first, at most `i32::MAX`, the default: the delivery timeout
    /// ends them.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.with("retries", retries)
    }

    /// `max.in.flight.requests.per.connection`: unanswered requests on a connection, at least 1,
    /// and at most 5 with idempotence. 5.
    #[must_use]
    pub fn max_in_flight_requests_per_connection(self, requests: usize) -> Self {
        self.with("max.in.flight.requests.per.connection", requests)
    }

    /// `delivery.timeout.ms`: time from the first record of a batch to success or failure. 2 min.
    #[must_use]
    pub fn delivery_timeout(self, timeout: Duration) -> Self {
        self.with("delivery.timeout.ms", millis(timeout))
    }

    /// `request.timeout.ms`: time for the answer to a request, and for a broker to wait for
    /// replicas. 30 s.
    #[must_use]
    pub fn request_timeout(self, timeout: Duration) -> Self {
        self.with("request.timeout.ms", millis(timeout))
    }

    /// `retry.backoff.ms`: wait before the first retry; it doubles with each (KIP-580). 100 ms.
    #[must_use]
    pub fn retry_backoff(self, first: Duration) -> Self {
        self.with("retry.backoff.ms", millis(first))
    }

    /// `retry.backoff.max.ms`: longest wait before a retry. 1 s.
    #[must_use]
    pub fn retry_backoff_max(self, max: Duration) -> Self {
        self.with("retry.backoff.max.ms", millis(max))
    }

    /// `batch.size`: bytes at which a batch is sent without lingering. 0 never
    /// lingers. 16 KiB.
    #[must_use]
    pub fn batch_size(self, bytes: usize) -> Self {
        self.with("batch.size", bytes)
    }

    /// `linger.ms`: how long a batch that is not full may wait for more records. 5 ms.
    #[must_use]
    pub fn linger(self, linger: Duration) -> Self {
        self.with("linger.ms", millis(linger))
    }

    /// `buffer.memory`: bytes of memory for records that are not acknowledged. 32 MiB.
    #[must_use]
    pub fn buffer_memory(self, bytes: usize) -> Self {
        self.with("buffer.memory", bytes)
    }

    /// `max.request.size`: most bytes of a request, and of a record before compression. 1 MiB.
    #[must_use]
    pub fn max_request_size(self, bytes: usize) -> Self {
        self.with("max.request.size", bytes)
    }

    /// `max.block.ms`: how long a send may wait for metadata and memory together. 1 min.
    #[must_use]
    pub fn max_block(self, max: Duration) -> Self {
        self.with("max.block.ms", millis(max))
    }

    /// `metadata.max.age.ms`: age at which metadata is fetched anew. 5 min.
    #[must_use]
    pub fn metadata_max_age(self, max: Duration) -> Self {
        self.with("metadata.max.age.ms", millis(max))
    }

    /// `metadata.max.idle.ms`: time after which a topic that is not used is forgotten, at least 5
    /// s. 5 min.
    #[must_use]
    pub fn metadata_max_idle(self, max: Duration) -> Self {
        self.with("metadata.max.idle.ms", millis(max))
    }

    /// `metadata.cluster.check.enable`: whether a broker of another cluster is told by the
    /// handshake (KIP-1242). True.
    #[must_use]
    pub fn metadata_cluster_check_enable(self, is_enabled: bool) -> Self {
        self.with("metadata.cluster.check.enable", is_enabled)
    }

    /// `metrics.num.samples`: windows that averages, maxima and rates are over, at least 1. 2.
    #[must_use]
    pub fn metrics_num_samples(self, samples: u32) -> Self {
        self.with("metrics.num.samples", samples)
    }

    /// `metrics.sample.window.ms`: length of such a window. 30 s.
    #[must_use]
    pub fn metrics_sample_window(self, window: Duration) -> Self {
        self.with("metrics.sample.window.ms", millis(window))
    }

    /// `reconnect.backoff.ms`: wait before connecting again to a broker. It grows with each
    /// failure, but set without its maximum it does not (KIP-144). 50 ms.
    #[must_use]
    pub fn reconnect_backoff(self, first: Duration) -> Self {
        self.with("reconnect.backoff.ms", millis(first))
    }

    /// `reconnect.backoff.max.ms`: longest wait before connecting again. 1 s.
    #[must_use]
    pub fn reconnect_backoff_max(self, max: Duration) -> Self {
        self.with("reconnect.backoff.max.ms", millis(max))
    }

    /// `socket.connection.setup.timeout.ms`: time to connect, handshake included; it grows with
    /// each failure (KIP-601). 10 s.
    #[must_use]
    pub fn socket_connection_setup_timeout(self, first: Duration) -> Self {
        self.with("socket.connection.setup.timeout.ms", millis(first))
    }

    /// `socket.connection.setup.timeout.max.ms`: longest time to connect. 30 s.
    #[must_use]
    pub fn socket_connection_setup_timeout_max(self, max: Duration) -> Self {
        self.with("socket.connection.setup.timeout.max.ms", millis(max))
    }

    /// `partitioner.adaptive.partitioning.enable`: whether records without a key go to the
    /// partitions that take them fastest (KIP-794). True.
    #[must_use]
    pub fn partitioner_adaptive_partitioning_enable(self, is_enabled: bool) -> Self {
        self.with("partitioner.adaptive.partitioning.enable", is_enabled)
    }

    /// `partitioner.availability.timeout.ms`: a partition whose leader takes nothing for that long gets no
    /// records without a key until it does; part of adaptive partitioning (KIP-794). 0, which is off.
    #[must_use]
    pub fn partitioner_availability_timeout(self, timeout: Duration) -> Self {
        self.with("partitioner.availability.timeout.ms", millis(timeout))
    }

    /// `partitioner.rack.aware` and `client.rack`: records without a key go to partitions whose leader is
    /// in that rack, if there are any (KIP-1123). `None` is off, the default.
    #[must_use]
    pub fn partitioner_rack(self, rack: Option<&str>) -> Self {
        let builder = self.with("partitioner.rack.aware", rack.is_some());
        match rack {
            Some(rack) => builder.set("client.rack", rack),
            None => builder,
        }
    }

    /// `partitioner.ignore.keys`: whether a record with a key is placed like one without (KIP-794).
    /// False.
    #[must_use]
    pub fn partitioner_ignore_keys(self, ignores: bool) -> Self {
        self.with("partitioner.ignore.keys", ignores)
    }

    /// `connections.max.idle.ms`: time after which a connection that is not used is closed; `None`
    /// keeps it. 9 min.
    #[must_use]
    pub fn connections_max_idle(self, max: Option<Duration>) -> Self {
        match max {
            Some(max) => self.with("connections.max.idle.ms", millis(max)),
            None => self.with("connections.max.idle.ms", -1),
        }
    }

    /// `send.buffer.bytes`: size of a socket's send buffer; `None` leaves it to the system, which adapts
    /// it to the path. None, where Kafka has 128 KiB.
    #[must_use]
    pub fn send_buffer_bytes(self, bytes: Option<u32>) -> Self {
        self.with("send.buffer.bytes", bytes.map_or(-1, i64::from))
    }

    /// `receive.buffer.bytes`: size of a socket's receive buffer; `None` leaves it to the system, which
    /// adapts it to the path. None, where Kafka has 32 KiB.
    #[must_use]
    pub fn receive_buffer_bytes(self, bytes: Option<u32>) -> Self {
        self.with("receive.buffer.bytes", bytes.map_or(-1, i64::from))
    }

    /// `compression.type` and the level of that codec (`compression.gzip.level`, `.lz4.level`,
    /// `.zstd.level`). None.
    #[must_use]
    pub fn compression(self, compression: impl Into<CompressionOptions>) -> Self {
        let compression: CompressionOptions = compression.into();
        let codec = compression.codec().name();
        let builder = self.with("compression.type", codec);
        match compression.level() {
            Some(level) => builder.set(format!("compression.{codec}.level"), level.to_string()),
            None => builder,
        }
    }

    /// `metadata.recovery.strategy` and `metadata.recovery.rebootstrap.trigger.ms`: what to do when no
    /// known broker can be reached. Rebootstrap, after 5 min without metadata.
    #[must_use]
    pub fn metadata_recovery(self, recovery: MetadataRecovery) -> Self {
        match recovery {
            MetadataRecovery::Rebootstrap { trigger } => self
                .with("metadata.recovery.strategy", "rebootstrap")
                .with("metadata.recovery.rebootstrap.trigger.ms", millis(trigger)),
            MetadataRecovery::None => self.with("metadata.recovery.strategy", "none"),
        }
    }

    fn with(self, name: &'static str, value: impl Display) -> Self {
        self.set(name, value.to_string())
    }
}

fn millis(duration: Duration) -> u128 {
    duration.as_nanos().div_ceil(NANOS_PER_MILLI)
}

const NANOS_PER_MILLI: u128 = 1_000_000;
