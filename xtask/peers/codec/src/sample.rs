//! What is encoded and decoded, in nobody's types.

/// A cluster as a Metadata response tells of it.
pub(crate) struct Cluster {
    pub(crate) id: &'static str,
    pub(crate) brokers: Vec<(i32, String)>,
    pub(crate) port: i32,
    pub(crate) rack: &'static str,
    pub(crate) topics: Vec<Topic>,
}

pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) id: [u8; 16],
    pub(crate) partitions: Vec<Partition>,
}

pub(crate) struct Partition {
    pub(crate) index: i32,
    pub(crate) leader: i32,
    pub(crate) epoch: i32,
    pub(crate) replicas: [i32; 3],
}

impl Cluster {
    /// 1,000 topics of 6 partitions with 3 replicas each, all in sync, on 6 brokers.
    pub(crate) fn sample() -> Self {
        let brokers = (1..=6).map(|id| (id, format!("broker-{id}.kafka.example"))).collect();
        let topics = (0..1000).map(Topic::sample).collect();
        Self { id: "4L6g3nShT-eMCtK--X86sw", brokers, port: 9092, rack: "zone-a", topics }
    }
}

impl Topic {
    fn sample(n: i32) -> Self {
        let mut id = [0x5a; 16];
        id[12..].copy_from_slice(&n.to_be_bytes());
        let partitions = (0..6).map(|index| Partition {
            index,
            leader: 1 + (n + index) % 6,
            epoch: n % 50,
            replicas: [0, 1, 2].map(|next| 1 + (n + index + next) % 6),
        });
        Self { name: format!("orders-{n:04}-east"), id, partitions: partitions.collect() }
    }
}

/// A record with a key of 10 and a value of 100 bytes, as a caller of a producer has it.
pub(crate) struct SampleRecord {
    pub(crate) timestamp: i64,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl SampleRecord {
    pub(crate) fn fields(&self) -> (i64, &[u8], &[u8]) {
        (self.timestamp, &self.key, &self.value)
    }
}

pub(crate) const FIRST_TIMESTAMP: i64 = 1_700_000_000_000;

/// 1,000 records, three to a millisecond.
pub(crate) fn records() -> Vec<SampleRecord> {
    let record = |n: i64| SampleRecord {
        timestamp: FIRST_TIMESTAMP + n / 3,
        key: format!("key-{n:06}").into_bytes(),
        value: (0..100).map(|at| (n * 31 + at * 7) as u8).collect(),
    };
    (0..1000).map(record).collect()
}

/// Something that needs every timestamp, key and value, and costs next to nothing.
pub(crate) fn digest<'r>(records: impl Iterator<Item = (i64, &'r [u8], &'r [u8])>) -> u64 {
    let end = |bytes: &[u8]| bytes.last().map_or(0, |byte| u64::from(*byte));
    let mut digest = 0_u64;
    for (timestamp, key, value) in records {
        let ends = key.len() as u64 ^ end(key) << 8 ^ (value.len() as u64) << 16 ^ end(value) << 32;
        digest = digest.rotate_left(5) ^ ends ^ timestamp as u64;
    }
    digest
}
