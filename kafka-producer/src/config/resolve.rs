//! What settings come to, with the rules between properties, in the order of Kafka's own client.
//!
//! Its rules for SASL and for transactions have no place here yet: the table refuses what they are
//! about.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kafka_net::{ConnectionPolicy, ExponentialBackoff};
use kafka_protocol::records::{Compression, CompressionLevelError, CompressionOptions};

use super::settings::Settings;
use super::{Acks, ConfigError, MetadataRecovery, ProducerConfig};

/// Checks every setting alone, then against the others.
pub(super) fn resolve(
    settings: &Settings,
    seed: Option<u64>,
) -> Result<ProducerConfig, ConfigError> {
    settings.check()?;
    let bootstrap_servers = settings.servers("bootstrap.servers")?;
    let retry_backoff = backoff(settings, "retry.backoff.ms", "retry.backoff.max.ms")?;
    let connection = connection(settings)?;
    let acks = acks(settings)?;
    let enable_idempotence = idempotence(settings, acks)?;
    let client_id = client_id(settings)?;
    let metadata_recovery = metadata_recovery(settings)?;
    // KIP-1242: all that could follow from the check is recovery.
    let cluster_check = settings.flag("metadata.cluster.check.enable")?
        && metadata_recovery != MetadataRecovery::None;
    Ok(ProducerConfig {
        bootstrap_servers,
        client_id,
        acks,
        // Nothing waits for more.
        batch_size: settings.size("batch.size")?.max(1),
        linger: Duration::from_millis(linger_ms(settings)?),
        buffer_memory: settings.size("buffer.memory")?,
        max_request_size: settings.size("max.request.size")?,
        max_block: settings.duration("max.block.ms")?,
        delivery_timeout: delivery_timeout(settings)?,
        request_timeout: settings.duration("request.timeout.ms")?,
        retries: u32::try_from(settings.count("retries")?).unwrap_or(u32::MAX),
        retry_backoff,
        max_in_flight: settings.size("max.in.flight.requests.per.connection")?,
        enable_idempotence,
        compression: compression(settings)?,
        metadata_max_age: settings.duration("metadata.max.age.ms")?,
        metadata_max_idle: settings.duration("metadata.max.idle.ms")?,
        metadata_recovery,
        cluster_check,
        connection,
        send_buffer: u32::try_from(settings.number("send.buffer.bytes")?).ok(),
        receive_buffer: u32::try_from(settings.number("receive.buffer.bytes")?).ok(),
        adaptive_partitioning: settings.flag("partitioner.adaptive.partitioning.enable")?,
        partitioner_ignore_keys: settings.flag("partitioner.ignore.keys")?,
        metrics_samples: u32::try_from(settings.count("metrics.num.samples")?).unwrap_or(u32::MAX),
        metrics_sample_window: settings.duration("metrics.sample.window.ms")?,
        partitioner_availability_timeout: availability_timeout(settings)?,
        partitioner_rack: rack(settings)?,
        seed,
    })
}

/// A maximum below the first value makes it constant (KIP-580, KIP-601).
fn backoff(
    settings: &Settings,
    first: &'static str,
    max: &'static str,
) -> Result<ExponentialBackoff, ConfigError> {
    let (first_wait, max_wait) = (settings.duration(first)?, settings.duration(max)?);
    if first_wait > max_wait {
        tracing::warn!(
            "{first} is {} and {max} is {}: it is always {}",
            first_wait.as_millis(),
            max_wait.as_millis(),
            max_wait.as_millis(),
        );
    }
    Ok(ExponentialBackoff::new(first_wait, max_wait))
}

fn connection(settings: &Settings) -> Result<ConnectionPolicy, ConfigError> {
    let setup_timeout = backoff(
        settings,
        "socket.connection.setup.timeout.ms",
        "socket.connection.setup.timeout.max.ms",
    )?;
    let first = settings.duration("reconnect.backoff.ms")?;
    // Who sets the wait alone wants that wait, as before there was a maximum (KIP-144).
    let is_alone =
        settings.is_set("reconnect.backoff.ms") && !settings.is_set("reconnect.backoff.max.ms");
    let max = if is_alone { first } else { settings.duration("reconnect.backoff.max.ms")? };
    let idle_max = u64::try_from(settings.number("connections.max.idle.ms")?).ok();
    Ok(ConnectionPolicy {
        reconnect_backoff: ExponentialBackoff::new(first, max),
        setup_timeout,
        idle_max: idle_max.map(Duration::from_millis),
    })
}

fn acks(settings: &Settings) -> Result<Acks, ConfigError> {
    Ok(match settings.choice("acks")? {
        "0" => Acks::None,
        "1" => Acks::Leader,
        _ => Acks::All,
    })
}

/// Where idempotence is on by default only, retries and acks that rule it out turn it off. Too many
/// requests in flight never do: Kafka demands that idempotence is turned off in words then.
fn idempotence(settings: &Settings, acks: Acks) -> Result<bool, ConfigError> {
    let is_wanted = settings.is_set("enable.idempotence");
    if !settings.flag("enable.idempotence")? {
        return Ok(false);
    }
    let mut is_enabled = true;
    let mut rule_out = |property: &'static str, value: String, needed: &str| {
        if is_wanted {
            let reason = format!("\"enable.idempotence\" needs {needed}");
            return Err(
                settings.located(property, ConfigError::Conflict { property, value, reason })
            );
        }
        tracing::info!("idempotence is off, because {property} is {value} and not {needed}");
        is_enabled = false;
        Ok(())
    };
    if settings.count("retries")? == 0 {
        rule_out("retries", "0".to_owned(), "at least 1")?;
    }
    if acks != Acks::All {
        rule_out("acks", acks.as_i16().to_string(), "all")?;
    }
    let property = "max.in.flight.requests.per.connection";
    let in_flight = settings.count(property)?;
    if in_flight > IN_FLIGHT_MAX {
        let reason = format!(
            "\"enable.idempotence\" needs at most {IN_FLIGHT_MAX}; it is on unless set to false"
        );
        let conflict = ConfigError::Conflict { property, value: in_flight.to_string(), reason };
        return Err(settings.located(property, conflict));
    }
    Ok(is_enabled)
}

fn client_id(settings: &Settings) -> Result<String, ConfigError> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if settings.is_set("client.id") {
        return settings.text("client.id");
    }
    Ok(format!("producer-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// Part of adaptive partitioning; 0 is off (KIP-794).
fn availability_timeout(settings: &Settings) -> Result<Option<Duration>, ConfigError> {
    let timeout = settings.duration("partitioner.availability.timeout.ms")?;
    let is_adaptive = settings.flag("partitioner.adaptive.partitioning.enable")?;
    Ok(Some(timeout).filter(|timeout| is_adaptive && !timeout.is_zero()))
}

/// A client without a rack is near to nobody (KIP-1123).
fn rack(settings: &Settings) -> Result<Option<String>, ConfigError> {
    let is_aware = settings.flag("partitioner.rack.aware")?;
    let rack = settings.text("client.rack")?;
    Ok(Some(rack).filter(|rack| is_aware && !rack.is_empty()))
}

fn linger_ms(settings: &Settings) -> Result<u64, ConfigError> {
    Ok(settings.count("linger.ms")?.min(INT_MAX))
}

/// Time for one attempt at least; the default makes room, a value that was chosen is an error.
fn delivery_timeout(settings: &Settings) -> Result<Duration, ConfigError> {
    let property = "delivery.timeout.ms";
    let timeout_ms = settings.count(property)?;
    let (linger_ms, request_ms) = (linger_ms(settings)?, settings.count("request.timeout.ms")?);
    let needed_ms = linger_ms.saturating_add(request_ms).min(INT_MAX);
    if timeout_ms >= needed_ms {
        return Ok(Duration::from_millis(timeout_ms));
    }
    if settings.is_set(property) {
        let reason = format!(
            "\"linger.ms\" ({linger_ms}) and \"request.timeout.ms\" ({request_ms}) need at least \
             {needed_ms}"
        );
        let conflict = ConfigError::Conflict { property, value: timeout_ms.to_string(), reason };
        return Err(settings.located(property, conflict));
    }
    tracing::warn!("{property} is {needed_ms}, to have room for linger.ms and request.timeout.ms");
    Ok(Duration::from_millis(needed_ms))
}

fn compression(settings: &Settings) -> Result<CompressionOptions, ConfigError> {
    let property = "compression.type";
    let name = settings.choice(property)?;
    let codec: Compression = name.parse().unwrap_or_default();
    if !codec.is_enabled() {
        // Each codec's feature has the codec's name.
        let value = name.to_owned();
        let missing = ConfigError::MissingFeature { property, value, feature: name };
        return Err(settings.located(property, missing));
    }
    let property = match codec {
        Compression::Gzip => "compression.gzip.level",
        Compression::Lz4 => "compression.lz4.level",
        Compression::Zstd => "compression.zstd.level",
        _ => return Ok(codec.into()),
    };
    let level = settings.number(property)?;
    codec.with_level(i32::try_from(level).unwrap_or(i32::MAX)).map_err(|error| {
        let value = level.to_string();
        let refused = match error {
            CompressionLevelError::MissingFeature { feature, .. } => {
                ConfigError::MissingFeature { property, value, feature }
            }
            error => ConfigError::BadValue { property, value, reason: error.to_string() },
        };
        settings.located(property, refused)
    })
}

fn metadata_recovery(settings: &Settings) -> Result<MetadataRecovery, ConfigError> {
    let trigger = settings.duration("metadata.recovery.rebootstrap.trigger.ms")?;
    Ok(match settings.choice("metadata.recovery.strategy")? {
        "none" => MetadataRecovery::None,
        _ => MetadataRecovery::Rebootstrap { trigger },
    })
}

/// Batches of which a broker remembers the sequences, per producer and partition.
const IN_FLIGHT_MAX: u64 = 5;

/// Kafka adds the two times as such an integer.
const INT_MAX: u64 = i32::MAX as u64;
