//! What a test does to the brokers of a cluster.

use std::time::{Duration, Instant};

use kafka_protocol::{ApiKey, VersionRange};

use crate::state::BrokerAddress;
use crate::versions::Wanted;
use crate::{BrokerId, KafkaVersion, MockCluster};

/// Changes of brokers by hand. What is set of a broker that is not there counts once it is added.
impl MockCluster {
    /// Adds a broker, which leads nothing yet. It is announced at `127.0.0.1`, port 9091 and its
    /// number, unless it is [told another address](Self::set_address). Whether it was not there.
    ///
    /// Coordinators are spread anew over all brokers.
    pub fn add_broker(&mut self, broker: BrokerId) -> bool {
        if broker.0 < 0 || self.state.brokers.contains_key(&broker) {
            return false;
        }
        self.state.brokers.insert(broker, BrokerAddress::of(broker));
        true
    }

    /// Takes a broker out of the cluster. Whether it was there.
    ///
    /// Metadata does not tell of it any more, the partitions that it led have no leader, and what it
    /// coordinated is coordinated elsewhere. To move its partitions first, call
    /// [`elect_leaders`](Self::elect_leaders). Its connections stay: what is under way is answered, and
    /// what comes is answered by a broker that leads nothing; to end them,
    /// call [`close_connections`](Self::close_connections).
    pub fn remove_broker(&mut self, broker: BrokerId) -> bool {
        if self.state.brokers.remove(&broker).is_none() {
            return false;
        }
        for partition in self.state.topics.partitions_mut() {
            if partition.leader == Some(broker) {
                partition.lead(None);
            }
        }
        self.state.coordinator.forget_broker(broker);
        self.state.may_wake_fetches = true;
        true
    }

    /// Moves each partition that a broker leads to the next of its replicas that is in the cluster, or
    /// away if there is none: as when a broker fails or is shut down. How many it led.
    pub fn elect_leaders(&mut self, from: BrokerId) -> usize {
        let mut moved = 0;
        let brokers = &self.state.brokers;
        let led = |partition: &&mut crate::topics::Partition| partition.leader == Some(from);
        for partition in self.state.topics.partitions_mut().filter(led) {
            let mut replicas = partition.replicas.iter().copied().map(BrokerId);
            let next = replicas.find(|id| *id != from && brokers.contains_key(id));
            partition.lead(next);
            moved += 1;
        }
        self.state.may_wake_fetches |= moved > 0;
        moved
    }

    /// Closes the connections of a broker that a frame has come on; answers that have not left are
    /// lost. How many they were. It takes new ones at once.
    pub fn close_connections(&mut self, now: Instant, broker: BrokerId) -> usize {
        self.connections.close(now, broker)
    }

    /// Announces a broker at this address. Whether there is such a broker.
    pub fn set_address(&mut self, broker: BrokerId, host: &str, port: u16) -> bool {
        let Some(address) = self.state.brokers.get_mut(&broker) else { return false };
        *address = BrokerAddress { host: host.into(), port: i32::from(port) };
        true
    }

    /// Makes a broker announce and take these versions of an API, or none: one that is upgraded while
    /// others are not. Connections do not end by it.
    pub fn set_versions(&mut self, broker: BrokerId, api: ApiKey, versions: Option<VersionRange>) {
        self.state.announce(broker, Wanted::from([(api, versions)]));
    }

    /// Makes a broker announce what brokers of a release do, whatever it announced before.
    pub fn set_kafka_version(&mut self, broker: BrokerId, version: KafkaVersion) {
        self.state.announce_only(broker, version.wanted());
    }

    /// Sets how long after a request its answer leaves at the earliest: a broker that is far away.
    /// Several requests may be on their way at once.
    pub fn set_rtt(&mut self, broker: BrokerId, rtt: Duration) {
        self.links.set_rtt(broker, rtt);
    }

    /// Sets how many bytes a second a broker reads from each connection, or as many as come: a request
    /// is answered no earlier than it would have been read, and a
    /// [`MockServer`](crate::MockServer) leaves what is behind it in the socket for so long.
    pub fn set_read_rate(&mut self, broker: BrokerId, bytes_per_second: Option<u64>) {
        self.links.set_read_rate(broker, bytes_per_second);
    }

    /// Makes the disk of a broker fail, or work again. While it fails, each partition that the broker
    /// leads or follows answers `KAFKA_STORAGE_ERROR` to Produce, Fetch and ListOffsets there. Leaders
    /// stay until they are moved, as by [`elect_leaders`](Self::elect_leaders).
    pub fn set_disk_failed(&mut self, broker: BrokerId, has_failed: bool) {
        if has_failed {
            self.state.failed_disks.insert(broker);
        } else {
            self.state.failed_disks.remove(&broker);
        }
        self.state.may_wake_fetches = true;
    }

    /// Sets how many bytes a second a client may produce to each broker, or as many as it likes;
    /// without a client id, what holds for all that have no rate of their own.
    ///
    /// A client that writes more is answered at once, with the time for which it is throttled, and for
    /// so long nothing is read from its connection (KIP-219). A second's worth of bytes is free of
    /// waiting. What was written before is forgotten.
    pub fn set_producer_byte_rate(&mut self, client_id: Option<&str>, rate: Option<u64>) {
        self.quotas.set(client_id, rate);
    }

    /// Forgets every producer id in the partitions that a broker leads, or in all, as after
    /// `producer.id.expiration.ms`. How many there were, in all partitions together.
    pub fn expire_producer_ids(&mut self, broker: Option<BrokerId>) -> usize {
        let partitions = self.state.topics.partitions_mut();
        let led = partitions.filter(|partition| broker.is_none() || partition.leader == broker);
        led.map(|partition| partition.producers.forget_all()).sum()
    }
}
