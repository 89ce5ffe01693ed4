//! What a simulation varies, and what that means for the sender.

use std::time::Duration;

use kafka_mock::{AutoCreate, MockCluster, MockConfig};
use kafka_net::{ConnectionPolicy, ExponentialBackoff, HostPort};
use kafka_protocol::records::{Compression, CompressionOptions};

use crate::accumulator::AccumulatorConfig;
use crate::metrics::{MetricsConfig, Windows};
use crate::sender::{AvailabilityConfig, ConnectionsConfig, MetadataConfig, SenderConfig};
use crate::sim::network;

/// What a simulation varies.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) seed: u64,
    pub(super) acks: i16,
    pub(super) is_idempotent: bool,
    pub(super) in_flight_max: usize,
    pub(super) linger: Duration,
    pub(super) retries: u32,
    pub(super) delivery_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) buffer_memory: usize,
    pub(super) batch_size: usize,
    pub(super) max_request_size: usize,
    pub(super) compression: CompressionOptions,
    pub(super) availability: AvailabilityConfig,
    pub(super) rebootstrap_after: Option<Duration>,
    pub(super) bootstrap_host: &'static str,
    pub(super) cluster: MockConfig,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            acks: -1,
            is_idempotent: true,
            in_flight_max: 5,
            linger: Duration::from_millis(5),
            retries: u32::MAX,
            delivery_timeout: Duration::from_secs(120),
            request_timeout: Duration::from_secs(30),
            buffer_memory: 1 << 20,
            batch_size: 1000,
            max_request_size: 64 * 1024,
            compression: CompressionOptions::default(),
            availability: AvailabilityConfig::default(),
            rebootstrap_after: Some(Duration::from_secs(300)),
            bootstrap_host: "127.0.0.1",
            cluster: MockConfig::new().brokers(3).auto_create(AutoCreate::Immediately),
        }
    }
}

impl Settings {
    /// Whether records of a partition may not overtake each other.
    pub(super) fn is_ordered(&self) -> bool {
        self.is_idempotent || self.in_flight_max == 1
    }

    pub(super) fn accumulator(&self) -> AccumulatorConfig {
        AccumulatorConfig {
            batch_size: self.batch_size,
            max_request_size: self.max_request_size,
            buffer_memory: self.buffer_memory,
            batch_age_max: self.delivery_timeout / 10,
            is_adaptive: true,
            ignore_keys: false,
        }
    }

    pub(super) fn sender(&self, cluster: &MockCluster) -> SenderConfig {
        let backoff = ExponentialBackoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let servers = cluster.brokers().into_iter().take(2);
        let servers = servers
            .map(|b| HostPort::new(self.bootstrap_host, network::port_of(b).into()).unwrap());
        SenderConfig {
            bootstrap_servers: servers.collect(),
            acks: self.acks,
            batch_size: self.batch_size,
            max_request_size: self.max_request_size,
            linger: self.linger,
            delivery_timeout: self.delivery_timeout,
            retries: self.retries,
            retry_backoff: backoff,
            is_idempotent: self.is_idempotent,
            is_compressed: self.compression != CompressionOptions::default(),
            is_zstd: self.compression.codec() == Compression::Zstd,
            rebootstrap_after: self.rebootstrap_after,
            large_seals_max: 2,
            connections: ConnectionsConfig {
                client_id: "simulation".into(),
                policy: ConnectionPolicy::default(),
                request_timeout: self.request_timeout,
                in_flight_max: self.in_flight_max,
                cluster_check: true,
            },
            metadata: MetadataConfig {
                age_max: Duration::from_secs(300),
                idle_max: Duration::from_secs(300),
                backoff,
            },
            metrics: MetricsConfig { client_id: "simulation".into(), windows: Windows::default() },
            availability: self.availability.clone(),
            seed: self.seed,
        }
    }
}
