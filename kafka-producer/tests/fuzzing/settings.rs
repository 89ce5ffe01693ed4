//! Configurations: whatever a user may set, small sizes and short times most of all.

use std::time::Duration;

use kafka_net::{ConnectionPolicy, ExponentialBackoff, HostPort};
use kafka_protocol::records::CompressionOptions;

use crate::Compression;
use crate::accumulator::AccumulatorConfig;
use crate::fuzzing::input::Input;
use crate::metrics::{MetricsConfig, Windows};
use crate::sender::{AvailabilityConfig, ConnectionsConfig, MetadataConfig, SenderConfig};

/// A configuration, and how the run ends.
pub(super) struct Settings {
    pub(super) sender: SenderConfig,
    pub(super) accumulator: AccumulatorConfig,
    pub(super) compression: CompressionOptions,
    pub(super) ending: Ending,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All brokers are well again: what is sent then has to arrive.
    Healed,
    /// Nobody answers any more, and the producer is closed with so much time.
    Closed(Duration),
}

impl Settings {
    /// Ten bytes. `0` is what most producers have.
    pub(super) fn read(input: &mut Input<'_>) -> Self {
        let rules = input.nibble();
        let compression = if rules >= 8 { codec() } else { Compression::None };
        let acks = [-1, -1, -1, 1, 0, -1, 1, 0][usize::from(rules % 8)];
        let is_idempotent = matches!(rules % 8, 0 | 1 | 5);
        let in_flight_max = input.choice(&[5, 1, 2, 3, 4, 5, 5, if is_idempotent { 5 } else { 7 }]);
        let millis = |ms| Duration::from_millis(ms);
        let patience = input.nibble();
        let linger = millis([0, 5, 100, 3_000, 60_000][usize::from(patience % 5)]);
        let availability_timeout = (patience >= 8).then_some(linger / 2);
        let request_timeout = millis(input.choice(&[30_000, 5_000, 200, 1, 0]));
        let delivery_timeout = millis(input.choice(&[120_000, 30_000, 1_000, 0]));
        let delivery_timeout = delivery_timeout.max(linger + request_timeout);
        let retries = input.choice(&[u32::MAX, u32::MAX, 1, 3, 0]).max(is_idempotent.into());
        let (batch_size, max_request_size, buffer_memory) = input.choice(&SIZES);
        let (first, max) = input.choice(&[(100, 1_000), (100, 1_000), (0, 0), (10, 60_000)]);
        let backoff = ExponentialBackoff::new(millis(first), millis(max));
        let fetching = input.nibble();
        // To fetch it all the time takes too much of ours.
        let shortest_age = if max == 0 { 1_000 } else { 0 };
        let ages = [(300_000, 300_000), (1_000, 5_000), (shortest_age, 5_000)];
        let (age_max, idle_max) = ages[usize::from(fetching % 4).min(2)];
        let rebootstrap_after = [Some(300_000), None, Some(0), Some(10_000)];
        let last = input.byte();
        let server = |port| HostPort::new("kafka", port).expect("a name and a port");
        let sender = SenderConfig {
            bootstrap_servers: (9092..=9093).map(server).collect(),
            acks,
            batch_size,
            max_request_size,
            linger,
            delivery_timeout,
            retries,
            retry_backoff: backoff,
            is_idempotent,
            is_compressed: compression != Compression::None,
            is_zstd: false,
            large_seals_max: 2,
            rebootstrap_after: rebootstrap_after[usize::from(fetching / 4)].map(millis),
            connections: ConnectionsConfig {
                client_id: "fuzz".into(),
                policy: policy(fetching % 2 == 0, backoff),
                request_timeout,
                in_flight_max,
                cluster_check: last % 2 == 0,
            },
            metadata: MetadataConfig {
                age_max: millis(age_max),
                idle_max: millis(idle_max),
                backoff,
            },
            seed: last.into(),
            metrics: MetricsConfig { client_id: "fuzz".into(), windows: Windows::default() },
            availability: AvailabilityConfig { timeout: availability_timeout, rack: None },
        };
        let accumulator = AccumulatorConfig {
            batch_size,
            max_request_size,
            buffer_memory,
            batch_age_max: delivery_timeout / 10,
            is_adaptive: last % 4 < 2,
            ignore_keys: last % 8 == 7,
        };
        let ending = match last % 16 {
            ending if ending < 8 => Ending::Healed,
            ending => Ending::Closed(millis([0, 1, 1_000, 600_000][usize::from(ending % 4)])),
        };
        Self { sender, accumulator, compression: compression.into(), ending }
    }
}

fn policy(is_default: bool, reconnect_backoff: ExponentialBackoff) -> ConnectionPolicy {
    if is_default {
        return ConnectionPolicy::default();
    }
    let (first, max) = (Duration::from_millis(100), Duration::from_secs(2));
    ConnectionPolicy {
        reconnect_backoff,
        setup_timeout: ExponentialBackoff::new(first, max),
        idle_max: Some(Duration::from_secs(30)),
    }
}

/// One that is built in.
fn codec() -> Compression {
    let known = [Compression::Snappy, Compression::Lz4, Compression::Gzip];
    known.into_iter().find(|codec| codec.is_enabled()).unwrap_or(Compression::None)
}

/// Of a batch, a request, and all that is held.
const SIZES: [(usize, usize, usize); 8] = [
    (1_000, 64 * 1024, 1 << 20),
    (1_000, 64 * 1024, 1 << 20),
    (1, 1_000, 20_000),
    (400, 5_000, 10_000),
    (16_384, 1 << 20, 1 << 20),
    (200, 600, 3_000),
    (1_000, 0, 0),
    (100, 2_000, 6_000),
];
