//! From a configuration to a running producer.

use std::num::NonZeroUsize;

use kafka_net::SocketOptions;

use super::start::Parts;
use crate::accumulator::AccumulatorConfig;
use crate::config::{MetadataRecovery, ProducerBuilder, ProducerConfig};
use crate::driver::Driver;
use crate::error::BuildError;
use crate::metrics::{MetricsConfig, Windows};
use crate::producer::Producer;
use crate::sender::{AvailabilityConfig, ConnectionsConfig, MetadataConfig, SenderConfig};
use crate::{Compression, ConfigError};

impl Producer {
    /// A builder with Kafka's defaults. `bootstrap.servers` is all that has to be set.
    pub fn builder() -> ProducerBuilder {
        ProducerBuilder::new()
    }
}

impl ProducerBuilder {
    /// Starts the producer, with an I/O thread of its own. Contacts nobody.
    ///
    /// # Errors
    /// A configuration that is not valid, or no thread from the system.
    pub fn build(&self) -> Result<Producer, BuildError> {
        self.parts()?.start().map_err(BuildError::Thread)
    }

    /// The producer, and the task behind it, to be run on a tokio runtime with I/O and time: for those
    /// who want no further thread. Nothing is sent unless it runs.
    ///
    /// # Errors
    /// A configuration that is not valid.
    pub fn build_with_task(
        &self,
    ) -> Result<(Producer, impl Future<Output = ()> + Send + use<>), BuildError> {
        let (producer, driver) = self.parts()?.assemble();
        Ok((producer, Driver::run(driver)))
    }

    pub(crate) fn parts(&self) -> Result<Parts, ConfigError> {
        let config = self.config()?;
        Ok(Parts {
            accumulator: accumulator_config(&config),
            socket: SocketOptions {
                send_buffer_bytes: config.send_buffer,
                receive_buffer_bytes: config.receive_buffer,
            },
            compression: config.compression,
            max_block: config.max_block,
            sender: sender_config(config),
            partitioner: self.plugins.partitioner.clone(),
            interceptors: self.plugins.interceptors(),
        })
    }
}

fn accumulator_config(config: &ProducerConfig) -> AccumulatorConfig {
    AccumulatorConfig {
        batch_size: config.batch_size,
        max_request_size: config.max_request_size,
        buffer_memory: config.buffer_memory,
        // A batch that lingers longer than that is not too old yet.
        batch_age_max: config.linger.max(config.delivery_timeout / BATCH_AGE_SHARE),
        is_adaptive: config.adaptive_partitioning,
        ignore_keys: config.partitioner_ignore_keys,
    }
}

fn sender_config(config: ProducerConfig) -> SenderConfig {
    SenderConfig {
        bootstrap_servers: config.bootstrap_servers,
        acks: config.acks.as_i16(),
        batch_size: config.batch_size,
        max_request_size: config.max_request_size,
        linger: config.linger,
        delivery_timeout: config.delivery_timeout,
        retries: config.retries,
        retry_backoff: config.retry_backoff,
        is_idempotent: config.enable_idempotence,
        is_compressed: config.compression.codec() != Compression::None,
        is_zstd: config.compression.codec() == Compression::Zstd,
        // One more than cores, so that none waits for the I/O thread to hand it the next.
        large_seals_max: std::thread::available_parallelism().map_or(1, NonZeroUsize::get) + 1,
        rebootstrap_after: match config.metadata_recovery {
            MetadataRecovery::Rebootstrap { trigger } => Some(trigger),
            MetadataRecovery::None => None,
        },
        connections: ConnectionsConfig {
            client_id: config.client_id.as_str().into(),
            policy: config.connection,
            request_timeout: config.request_timeout,
            in_flight_max: config.max_in_flight,
            cluster_check: config.cluster_check,
        },
        metadata: MetadataConfig {
            age_max: config.metadata_max_age,
            idle_max: config.metadata_max_idle,
            backoff: config.retry_backoff,
        },
        metrics: MetricsConfig {
            client_id: config.client_id.as_str().into(),
            windows: Windows::new(config.metrics_samples, config.metrics_sample_window),
        },
        availability: AvailabilityConfig {
            timeout: config.partitioner_availability_timeout,
            rack: config.partitioner_rack,
        },
        seed: config.seed.unwrap_or_else(|| fastrand::u64(..)),
    }
}

/// An open batch takes no more records at this part of the delivery timeout.
const BATCH_AGE_SHARE: u32 = 10;
