//! Which partition a record goes to.
//!
//! A record that names its partition goes there. Else a [`Partitioner`] of the configuration decides;
//! without one, the key does ([`partition_for_key`]), and where there is no key the accumulator, which
//! fills a batch before it moves on to another partition (KIP-794).

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use hashbrown::HashMap;

use crate::Record;

/// Chooses the partition of each record that names none, instead of Kafka's own rules.
///
/// Called on the thread of the send, for keyed and keyless records: it should be quick, and never wait.
/// Records of one key stay in order only if they all get the same partition.
///
/// ```
/// use kafka_producer::{Partitioner, Record, TopicPartitions, partition_for_key};
///
/// /// Keys have the form `tenant/id`; a tenant has all its records in one partition.
/// #[derive(Debug)]
/// struct ByTenant;
///
/// impl Partitioner for ByTenant {
///     fn partition(&self, record: &Record<'_>, topic: &TopicPartitions<'_>) -> i32 {
///         let key = record.key.unwrap_or_default();
///         let tenant = key.split(|byte| *byte == b'/').next().unwrap_or_default();
///         partition_for_key(tenant, topic.count())
///     }
/// }
///
/// let topic = TopicPartitions::new("orders", 6, &[0, 1, 2, 3, 4, 5]);
/// let partition = |key| ByTenant.partition(&Record::tombstone("orders", key), &topic);
/// assert_eq!(partition("acme/17"), partition("acme/18"));
/// ```
pub trait Partitioner: Send + Sync + Debug {
    /// The partition of a record: 0 or more, below [`topic.count()`](TopicPartitions::count). Any other
    /// number refuses the record ([`SendError::InvalidRecord`](crate::SendError::InvalidRecord)).
    ///
    /// The key and the value are serialized already.
    fn partition(&self, record: &Record<'_>, topic: &TopicPartitions<'_>) -> i32;
}

/// The partitions of a topic, as the producer knows them when a record is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicPartitions<'a> {
    name: &'a str,
    count: usize,
    available: &'a [i32],
}

impl<'a> TopicPartitions<'a> {
    /// A topic with this many partitions, of which the `available` ones have a leader.
    pub const fn new(name: &'a str, count: usize, available: &'a [i32]) -> Self {
        Self { name, count, available }
    }

    /// Name of the topic.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// How many partitions the topic has: they are numbered from 0. At least one whenever a
    /// [`Partitioner`] is asked.
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The partitions that have a leader, ascending. Records for the others wait until they have one.
    pub const fn available(&self) -> &'a [i32] {
        self.available
    }
}

/// Every partition in turn, whatever the key; those without a leader are passed over as long as
/// there is one with. As Java's `RoundRobinPartitioner`.
///
/// Each record goes elsewhere, so a batch fills slowly: without a reason for an even spread over short
/// times, the default makes larger batches and spreads as evenly over long ones. Holds a counter for
/// each topic that it was ever asked for.
///
/// ```
/// use kafka_producer::{Partitioner, Record, RoundRobinPartitioner, TopicPartitions};
///
/// let partitioner = RoundRobinPartitioner::new();
/// let record = Record::new("orders", "42 apples");
/// let topic = TopicPartitions::new("orders", 3, &[0, 2]);
/// let partitions = [0; 4].map(|_| partitioner.partition(&record, &topic));
/// assert_eq!(partitions, [0, 2, 0, 2]);
/// ```
#[derive(Debug, Default)]
pub struct RoundRobinPartitioner {
    /// The lock is written to once a topic; counting needs no more than to read it.
    next: RwLock<HashMap<Box<str>, AtomicUsize>>,
}

impl RoundRobinPartitioner {
    /// One that begins with the first partition of each topic.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records of the topic were counted before this one.
    fn count(&self, topic: &str) -> usize {
        let counters = self.next.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = counters.get(topic) {
            return counter.fetch_add(1, Ordering::Relaxed);
        }
        drop(counters);
        let mut counters = self.next.write().unwrap_or_else(PoisonError::into_inner);
        counters.entry(topic.into()).or_default().fetch_add(1, Ordering::Relaxed)
    }
}

impl Partitioner for RoundRobinPartitioner {
    fn partition(&self, _: &Record<'_>, topic: &TopicPartitions<'_>) -> i32 {
        let count = self.count(topic.name);
        let turn_of = |partitions: usize| count.checked_rem(partitions);
        match turn_of(topic.available.len()).and_then(|turn| topic.available.get(turn)) {
            Some(partition) => *partition,
            None => as_partition(turn_of(topic.count)),
        }
    }
}

/// The partition to which Kafka's clients send a key if the topic has this many partitions:
/// [`murmur2`] of the key without its sign, modulo their number. `-1`, no partition, if there are none.
///
/// As Java's `BuiltInPartitioner.partitionForKey`. Any number of partitions other than before gives
/// most keys another partition.
///
/// ```
/// assert_eq!(kafka_producer::partition_for_key(b"alice", 12), 9);
/// ```
pub fn partition_for_key(key: &[u8], partitions: usize) -> i32 {
    let positive = murmur2(key) & i32::MAX;
    as_partition((positive as usize).checked_rem(partitions))
}

/// A number below that of partitions, if there are any. More than Kafka can count are not there.
fn as_partition(number: Option<usize>) -> i32 {
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or(-1)
}

/// The hash by which Kafka's clients choose a key's partition: 32-bit MurmurHash2 with a seed of
/// Kafka's, as Java's `Utils.murmur2`. Of no use against keys made to collide.
///
/// ```
/// assert_eq!(kafka_producer::murmur2(b"foobar"), -790332482);
/// ```
pub fn murmur2(bytes: &[u8]) -> i32 {
    // Java's lengths are of 32 bits, and so is what they do to the hash.
    let mut hash = MURMUR2_SEED ^ bytes.len() as u32;
    let words = bytes.chunks_exact(4);
    let rest = words.remainder();
    for word in words {
        // Always four bytes; a pattern that says so costs nothing once it is compiled.
        if let [a, b, c, d] = *word {
            let mixed = u32::from_le_bytes([a, b, c, d]).wrapping_mul(MURMUR2_FACTOR);
            let mixed = (mixed ^ (mixed >> 24)).wrapping_mul(MURMUR2_FACTOR);
            hash = hash.wrapping_mul(MURMUR2_FACTOR) ^ mixed;
        }
    }
    let last = match *rest {
        [a] => u32::from_le_bytes([a, 0, 0, 0]),
        [a, b] => u32::from_le_bytes([a, b, 0, 0]),
        [a, b, c] => u32::from_le_bytes([a, b, c, 0]),
        _ => 0,
    };
    if !rest.is_empty() {
        hash = (hash ^ last).wrapping_mul(MURMUR2_FACTOR);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MURMUR2_FACTOR);
    (hash ^ (hash >> 15)) as i32
}

const MURMUR2_SEED: u32 = 0x9747_b28c;
const MURMUR2_FACTOR: u32 = 0x5bd1_e995;

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions<const N: usize>(
        partitioner: &RoundRobinPartitioner,
        topic: &TopicPartitions<'_>,
    ) -> [i32; N] {
        let record = Record::new(topic.name, "value").key("key");
        [0; N].map(|_| partitioner.partition(&record, topic))
    }

    #[test]
    fn no_partitions_give_no_partition() {
        assert_eq!(partition_for_key(b"key", 0), -1);
        let none = TopicPartitions::new("none", 0, &[]);
        assert_eq!(partitions(&RoundRobinPartitioner::new(), &none), [-1]);
    }

    #[test]
    fn round_robin_takes_all_partitions_if_none_has_a_leader() {
        let topic = TopicPartitions::new("topic", 3, &[]);
        assert_eq!(partitions(&RoundRobinPartitioner::new(), &topic), [0, 1, 2, 0]);
    }

    #[test]
    fn round_robin_passes_over_partitions_without_a_leader() {
        let partitioner = RoundRobinPartitioner::new();
        let topic = TopicPartitions::new("topic", 4, &[1, 3]);
        assert_eq!(partitions(&partitioner, &topic), [1, 3, 1]);
        let healed = TopicPartitions::new("topic", 4, &[0, 1, 2, 3]);
        assert_eq!(partitions(&partitioner, &healed), [3, 0, 1]);
    }

    #[test]
    fn round_robin_counts_each_topic_alone() {
        let partitioner = RoundRobinPartitioner::new();
        let [one, other] = ["one", "other"].map(|name| TopicPartitions::new(name, 2, &[0, 1]));
        for turn in [0, 1, 0, 1] {
            assert_eq!(partitions(&partitioner, &one), [turn]);
            assert_eq!(partitions(&partitioner, &other), [turn]);
        }
    }

    #[test]
    fn round_robin_starts_over_when_its_counter_does() {
        let partitioner = RoundRobinPartitioner::new();
        let counter = AtomicUsize::new(usize::MAX);
        partitioner.next.write().unwrap().insert("topic".into(), counter);
        let topic = TopicPartitions::new("topic", 2, &[0, 1]);
        assert_eq!(partitions(&partitioner, &topic), [1, 0, 1]);
    }

    #[test]
    fn round_robin_gives_every_partition_as_often_from_many_threads() {
        let partitioner = RoundRobinPartitioner::new();
        let topic = TopicPartitions::new("topic", 4, &[0, 1, 2, 3]);
        let counts = [(); 4].map(|()| AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for partition in partitions::<100>(&partitioner, &topic) {
                        counts[partition as usize].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(counts.map(AtomicUsize::into_inner), [100; 4]);
    }
}
