//! How a producer is configured.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::resolve::resolve;
use super::settings::Settings;
use super::{ConfigError, ProducerConfig};
use crate::interceptor::{Interceptor, Interceptors};
use crate::partitioner::Partitioner;

/// Configures a producer by Kafka's properties, as text or by typed methods.
///
/// Both do the same: a typed method is named after its property, without the unit, and writes its
/// value as text. The last setting of a name wins. Nothing is checked before
/// [`config`](Self::config). Every property of Kafka's producer is known; one that is not built takes
/// only a value that asks for what this client does anyway.
///
/// ```
/// # use std::time::Duration;
/// use kafka_producer::{Compression, ProducerBuilder};
///
/// let builder = ProducerBuilder::new()
///     .set("bootstrap.servers", "broker1:9092,broker2:9092")
///     .set("linger.ms", "20")
///     .compression(Compression::None)
///     .delivery_timeout(Duration::from_secs(60));
/// assert!(builder.config().is_ok());
///
/// let error = builder.set("linger.mss", "5").config().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "unknown property \"linger.mss\"; did you mean \"linger.ms\"?"
/// );
/// ```
#[derive(Debug, Clone, Default)]
pub struct ProducerBuilder {
    pub(super) settings: Settings,
    seed: Option<u64>,
    pub(crate) plugins: Plugins,
}

impl ProducerBuilder {
    /// Kafka's defaults, except that socket buffers are left to the system.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the property of that name. Spaces around the value mean nothing.
    #[must_use]
    pub fn set(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.settings.set(name.as_ref(), value.as_ref());
        self
    }

    /// Sets all these properties, in order.
    #[must_use]
    pub fn properties<N: AsRef<str>, V: AsRef<str>>(
        self,
        properties: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        properties.into_iter().fold(self, |builder, (name, value)| builder.set(name, value))
    }

    /// Sets all properties of a file in the format of Java's `.properties` files, in UTF-8, of at most
    /// 1 MiB. Reads it at once, and blocks for that; errors come from [`config`](Self::config), with
    /// the line.
    #[must_use]
    pub fn properties_file(mut self, path: impl AsRef<Path>) -> Self {
        self.settings.read_file(path.as_ref());
        self
    }

    /// Chooses the partition of every record that does not name one, whether or not it has a key
    /// (`partitioner.class`).
    #[must_use]
    pub fn partitioner(mut self, partitioner: impl Partitioner + 'static) -> Self {
        self.plugins.partitioner = Some(Arc::new(partitioner));
        self
    }

    /// Adds an interceptor behind those that were added before (`interceptor.classes`).
    #[must_use]
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.plugins.interceptors.push(Arc::new(interceptor));
        self
    }

    /// Makes all random choices follow from this number, for simulations. Not a property of Kafka.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// What the settings come to. Each call counts as a producer: where `client.id` is not set, it is
    /// `producer-` and the number of the call in this process.
    ///
    /// Where Kafka adapts a value that was not set, so does this, and says so in the log: idempotence
    /// is off with `retries=0` or `acks` other than `all`, and `delivery.timeout.ms` has room for
    /// `linger.ms` and `request.timeout.ms`.
    ///
    /// # Errors
    /// All wrong settings and files; if there are none, the first pair of settings that contradict each
    /// other.
    pub fn config(&self) -> Result<ProducerConfig, ConfigError> {
        resolve(&self.settings, self.seed)
    }
}

/// Code of the user's.
#[derive(Clone, Default)]
pub(crate) struct Plugins {
    pub(crate) partitioner: Option<Arc<dyn Partitioner>>,
    interceptors: Vec<Arc<dyn Interceptor>>,
}

impl Plugins {
    pub(crate) fn interceptors(&self) -> Interceptors {
        Interceptors::new(self.interceptors.clone())
    }
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugins")
            .field("partitioner", &self.partitioner)
            .field("interceptors", &self.interceptors.len())
            .finish()
    }
}
