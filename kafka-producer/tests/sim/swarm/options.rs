//! What one run is made of, drawn from its seed: which troubles there are at all, how many, and how the
//! producer is set up.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use kafka_mock::{AutoCreate, MockConfig};
use kafka_protocol::records::Compression;
use kafka_protocol::{ApiKey, VersionRange};

use super::troubles::Trouble;
use crate::sender::AvailabilityConfig;
use crate::sim::Settings;

/// One run.
pub(super) struct Options {
    pub(super) settings: Settings,
    pub(super) codec: Compression,
    pub(super) brokers: u16,
    pub(super) topics: Vec<String>,
    pub(super) partitions: i32,
    pub(super) records: usize,
    /// Records without a partition, in percent.
    pub(super) keyless: u32,
    pub(super) latency_max: Duration,
    /// The troubles that this run knows, and how often one comes, in percent.
    pub(super) troubles: Vec<Trouble>,
    pub(super) hardship: u32,
    /// Highest version of Produce that brokers know.
    pub(super) produce_version: i16,
    /// It is closed in the midst of everything.
    pub(super) closes_early: bool,
}

impl Options {
    pub(super) fn draw(seed: u64, rng: &mut Rng) -> Self {
        let brokers = rng.u16(1..4);
        let produce_version = if rng.bool() { 13 } else { rng.i16(3..14) };
        // Brokers that know zstd know version 7.
        let codec = Compression::from_id(rng.u8(0..5)).unwrap();
        let is_known = codec != Compression::Zstd || produce_version >= 7;
        let codec = if is_known { codec } else { Compression::Gzip };
        let partitions = if rng.u32(0..8) == 0 { rng.i32(5..65) } else { rng.i32(1..5) };
        let troubles = Trouble::ALL.iter().copied().filter(|_| rng.bool());
        let troubles = troubles.filter(|trouble| trouble.is_for(produce_version)).collect();
        let cluster = MockConfig::new()
            .brokers(brokers)
            .default_partitions(u16::try_from(partitions).unwrap())
            .versions(ApiKey::PRODUCE, VersionRange::new(0, produce_version))
            .message_max_bytes(rng.usize(1500..10_000))
            .auto_create(if rng.bool() { AutoCreate::Immediately } else { AutoCreate::AsKafka })
            .seed(seed);
        Self {
            settings: settings(seed, rng, codec, cluster),
            codec,
            brokers,
            topics: (0..rng.u32(1..4)).map(|number| format!("topic-{number}")).collect(),
            partitions,
            records: rng.usize(50..400),
            keyless: if rng.bool() { 0 } else { rng.u32(1..101) },
            latency_max: Duration::from_micros(rng.u64(300..20_000)),
            troubles,
            hardship: rng.u32(0..30),
            produce_version,
            closes_early: rng.u32(0..4) == 0,
        }
    }
}

fn settings(seed: u64, rng: &mut Rng, codec: Compression, cluster: MockConfig) -> Settings {
    let is_idempotent = rng.u32(0..4) > 0;
    let is_hasty = rng.u32(0..4) == 0;
    let request_timeout = if rng.bool() { 30_000 } else { rng.u64(100..5_000) };
    let delivery_timeout = if is_hasty { rng.u64(500..8_000) } else { rng.u64(40_000..120_000) };
    let linger = if rng.u32(0..8) == 0 { rng.u64(0..2_000) } else { rng.u64(0..20) };
    Settings {
        seed,
        acks: if is_idempotent { -1 } else { rng.i16(-1..2) },
        is_idempotent,
        in_flight_max: if rng.bool() { 5 } else { rng.usize(1..6) },
        // What lingers longer than it may take is not sent at all.
        linger: Duration::from_millis(linger.min(delivery_timeout / 2)),
        retries: if rng.u32(0..4) == 0 { rng.u32(0..4) } else { u32::MAX },
        request_timeout: Duration::from_millis(request_timeout),
        delivery_timeout: Duration::from_millis(delivery_timeout),
        buffer_memory: if rng.bool() { 1 << 20 } else { rng.usize(16_000..100_000) },
        batch_size: rng.usize(1..3000),
        max_request_size: if rng.bool() { 64 * 1024 } else { rng.usize(2_000..10_000) },
        compression: codec.into(),
        availability: AvailabilityConfig {
            timeout: rng.bool().then(|| Duration::from_millis(rng.u64(1..2000))),
            rack: None,
        },
        rebootstrap_after: Some(Duration::from_secs(300)),
        bootstrap_host: "127.0.0.1",
        cluster,
    }
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { seed, acks, in_flight_max, retries, .. } = self.settings;
        let Settings { linger, delivery_timeout, request_timeout, .. } = self.settings;
        let Settings { buffer_memory, batch_size, max_request_size, .. } = self.settings;
        let idempotent = if self.settings.is_idempotent { "idempotent" } else { "not idempotent" };
        let retries =
            if retries == u32::MAX { "any number of".to_owned() } else { retries.to_string() };
        writeln!(f, "seed {seed:#x}")?;
        writeln!(
            f,
            "  producer  {idempotent}, acks {acks}, {in_flight_max} in flight, {retries} retries, \
             {}",
            self.codec
        )?;
        writeln!(
            f,
            "            linger {linger:?}, request {request_timeout:?}, delivery {delivery_timeout:?}"
        )?;
        writeln!(
            f,
            "            batch {batch_size}, request {max_request_size}, memory {buffer_memory} bytes"
        )?;
        writeln!(
            f,
            "  cluster   {} brokers, Produce v{}, {} topics of {} partitions, up to {:?} away",
            self.brokers,
            self.produce_version,
            self.topics.len(),
            self.partitions,
            self.latency_max
        )?;
        writeln!(
            f,
            "  load      {} records, {} % without a partition",
            self.records, self.keyless
        )?;
        let troubles: Vec<_> = self.troubles.iter().map(ToString::to_string).collect();
        writeln!(f, "  troubles  {} % of: {}", self.hardship, troubles.join(", "))
    }
}
