//! What a cluster is like when it starts.

use std::time::Duration;

use kafka_protocol::{ApiKey, VersionRange};

use crate::KafkaVersion;
use crate::versions::Wanted;

/// Settings of a [`MockCluster`](crate::MockCluster), with the defaults of a broker where it has one.
///
/// ```
/// use kafka_mock::{AutoCreate, MockCluster, MockConfig};
///
/// let config = MockConfig::new().brokers(1).auto_create(AutoCreate::Off).seed(7);
/// let cluster = MockCluster::new(config);
/// ```
#[derive(Debug, Clone)]
pub struct MockConfig {
    pub(crate) brokers: i32,
    pub(crate) default_partitions: i32,
    pub(crate) auto_create: AutoCreate,
    pub(crate) message_max_bytes: usize,
    pub(crate) request_max_bytes: usize,
    pub(crate) retention_bytes: usize,
    pub(crate) partitions_max: usize,
    pub(crate) producer_ids_max: usize,
    pub(crate) transactional_ids_max: usize,
    pub(crate) requests_in_flight_max: usize,
    pub(crate) request_log_max: usize,
    pub(crate) check_crc: bool,
    pub(crate) check_records: bool,
    pub(crate) discard: bool,
    pub(crate) seed: u64,
    pub(crate) producer_byte_rate: Option<u64>,
    pub(crate) producer_id_expiration: Duration,
    pub(crate) min_insync_replicas: usize,
    pub(crate) rtt: Duration,
    pub(crate) keep_requests: bool,
    pub(crate) versions: Wanted,
}

/// What a Metadata request does that names a topic which does not exist (`auto.create.topics.enable`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AutoCreate {
    /// Nothing: it is answered `UNKNOWN_TOPIC_OR_PARTITION`.
    Off,
    /// The topic is created and in the same answer.
    #[default]
    Immediately,
    /// The topic is created, but the first answer is `UNKNOWN_TOPIC_OR_PARTITION`, as of a broker in
    /// KRaft mode, which does not wait for the controller. The second one has it.
    AsKafka,
}

impl MockConfig {
    /// Three brokers, topics created on demand with three partitions each.
    pub fn new() -> Self {
        Self {
            brokers: 3,
            default_partitions: 3,
            auto_create: AutoCreate::default(),
            message_max_bytes: 1024 * 1024 + 12,
            request_max_bytes: 100 * 1024 * 1024,
            retention_bytes: 256 * 1024 * 1024,
            partitions_max: 100_000,
            producer_ids_max: 10_000,
            transactional_ids_max: 10_000,
            requests_in_flight_max: 1_000,
            request_log_max: 10_000,
            check_crc: true,
            check_records: true,
            discard: false,
            seed: 0,
            producer_byte_rate: None,
            producer_id_expiration: Duration::from_secs(24 * 3600),
            min_insync_replicas: 1,
            rtt: Duration::ZERO,
            keep_requests: false,
            versions: Wanted::new(),
        }
    }

    /// Number of brokers, at least 1 (default 3). Their ids are 1 to `n`.
    #[must_use]
    pub fn brokers(mut self, n: u16) -> Self {
        self.brokers = i32::from(n.max(1));
        self
    }

    /// Partitions of a topic whose creator does not say how many, at least 1 (`num.partitions`, here
    /// 3).
    #[must_use]
    pub fn default_partitions(mut self, n: u16) -> Self {
        self.default_partitions = i32::from(n.max(1));
        self
    }

    /// Whether Metadata creates topics (default: at once).
    #[must_use]
    pub fn auto_create(mut self, auto_create: AutoCreate) -> Self {
        self.auto_create = auto_create;
        self
    }

    /// Largest batch in bytes, header included (`message.max.bytes`, default 1,048,588).
    #[must_use]
    pub fn message_max_bytes(mut self, bytes: usize) -> Self {
        self.message_max_bytes = bytes;
        self
    }

    /// Largest frame in bytes; a larger one closes its connection (`socket.request.max.bytes`,
    /// default 100 MiB).
    #[must_use]
    pub fn request_max_bytes(mut self, bytes: usize) -> Self {
        self.request_max_bytes = bytes;
        self
    }

    /// Most bytes of batches that a partition keeps; beyond it the oldest go and the log start offset
    /// rises (`retention.bytes`, here 256 MiB). The newest batch always stays.
    #[must_use]
    pub fn retention_bytes(mut self, bytes: usize) -> Self {
        self.retention_bytes = bytes;
        self
    }

    /// Most partitions of all topics together (default 100,000). A request that would create more
    /// is refused with `POLICY_VIOLATION`.
    #[must_use]
    pub fn partitions_max(mut self, n: usize) -> Self {
        self.partitions_max = n;
        self
    }

    /// Most producer ids that a partition remembers (default 10,000). The lowest id, which is the
    /// oldest, is forgotten first.
    #[must_use]
    pub fn producer_ids_max(mut self, n: usize) -> Self {
        self.producer_ids_max = n.max(1);
        self
    }

    /// Most transactional ids (default 10,000). A new one beyond that is refused with
    /// `COORDINATOR_NOT_AVAILABLE`.
    #[must_use]
    pub fn transactional_ids_max(mut self, n: usize) -> Self {
        self.transactional_ids_max = n;
        self
    }

    /// Most unanswered requests of a connection (default 1,000). One more closes it.
    #[must_use]
    pub fn requests_in_flight_max(mut self, n: usize) -> Self {
        self.requests_in_flight_max = n.max(1);
        self
    }

    /// Most entries of the [request log](crate::MockCluster::requests) (default 10,000). The oldest
    /// go first.
    #[must_use]
    pub fn request_log_max(mut self, n: usize) -> Self {
        self.request_log_max = n;
        self
    }

    /// Whether a batch's CRC is checked (default yes).
    #[must_use]
    pub fn check_crc(mut self, check: bool) -> Self {
        self.check_crc = check;
        self
    }

    /// Whether each record of a batch is read and checked (default yes). Compressed batches are
    /// decompressed for it.
    #[must_use]
    pub fn check_records(mut self, check: bool) -> Self {
        self.check_records = check;
        self
    }

    /// Whether batches are acknowledged with growing offsets, counted, and forgotten (default no).
    ///
    /// To measure clients: nothing is stored, and records are not looked at one by one. The CRC is
    /// still checked, unless [`check_crc`](Self::check_crc) says otherwise.
    #[must_use]
    pub fn discard(mut self, discard: bool) -> Self {
        self.discard = discard;
        self
    }

    /// Throttles a client that produces more bytes a second than this to one broker
    /// (`producer_byte_rate`, default none); see
    /// [`set_producer_byte_rate`](crate::MockCluster::set_producer_byte_rate).
    #[must_use]
    pub fn producer_byte_rate(mut self, bytes_per_second: u64) -> Self {
        self.producer_byte_rate = Some(bytes_per_second);
        self
    }

    /// How long a partition remembers a producer id that writes nothing to it
    /// (`producer.id.expiration.ms`, default one day). What it sends then is taken, whatever its
    /// sequence.
    #[must_use]
    pub fn producer_id_expiration(mut self, time: Duration) -> Self {
        self.producer_id_expiration = time;
        self
    }

    /// In-sync replicas that a partition needs for a batch with `acks=all` (`min.insync.replicas`,
    /// default 1), unless its topic says otherwise; see
    /// [`set_in_sync_replicas`](crate::MockCluster::set_in_sync_replicas).
    #[must_use]
    pub fn min_insync_replicas(mut self, n: u16) -> Self {
        self.min_insync_replicas = usize::from(n);
        self
    }

    /// How long after a request its answer leaves at the earliest, of every broker (default zero); see
    /// [`set_rtt`](crate::MockCluster::set_rtt).
    #[must_use]
    pub fn rtt(mut self, rtt: Duration) -> Self {
        self.rtt = rtt;
        self
    }

    /// Whether the [request log](crate::MockCluster::requests) keeps each request whole, to be
    /// [read](crate::RequestRecord::request) later (default no). It takes as much memory as they do.
    #[must_use]
    pub fn keep_requests(mut self, keep: bool) -> Self {
        self.keep_requests = keep;
        self
    }

    /// Where the cluster id, topic ids and producer ids come from. The same seed and the same
    /// requests give the same cluster.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Announces what brokers of a release of Kafka do (default: of the newest one). Only the versions
    /// of requests are older: what is answered to them is what Kafka 4.4 does in these versions.
    #[must_use]
    pub fn kafka_version(mut self, version: KafkaVersion) -> Self {
        self.versions = version.wanted();
        self
    }

    /// Versions of an API to announce and to answer, instead of all stable ones: an older broker, or
    /// a version that is still in development. Versions that the codec does not know are left out.
    #[must_use]
    pub fn versions(mut self, api: ApiKey, versions: VersionRange) -> Self {
        self.versions.insert(api, Some(versions));
        self
    }

    /// Does not have this API: it is not announced, and a request of it closes the connection.
    #[must_use]
    pub fn without_api(mut self, api: ApiKey) -> Self {
        self.versions.insert(api, None);
        self
    }
}

impl Default for MockConfig {
    fn default() -> Self {
        Self::new()
    }
}
