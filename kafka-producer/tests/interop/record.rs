//! Records to send, what became of them, and what Java read; as lines for Java too.

use std::fmt::Write as _;

use fastrand::Rng;
use kafka_producer::{Delivery, Producer, Record, RecordHeader};

pub(crate) type Headers = Vec<(String, Option<Vec<u8>>)>;

/// A record that owns its bytes. It has neither key nor value unless told.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnedRecord {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Headers,
}

/// A record, and where its producer says it is.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) record: OwnedRecord,
    pub(crate) partition: i32,
    pub(crate) offset: Option<i64>,
    pub(crate) timestamp: i64,
}

/// A record as Java's consumer reads it.
#[derive(Debug)]
pub(crate) struct LogRecord {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) timestamp_type: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Headers,
}

impl OwnedRecord {
    /// Hands the record to the producer.
    pub(crate) async fn send(&self, producer: &Producer) -> Delivery {
        let headers: Vec<RecordHeader<'_>> = self
            .headers
            .iter()
            .map(|(key, value)| RecordHeader { key, value: value.as_deref() })
            .collect();
        let record = Record {
            topic: &self.topic,
            partition: self.partition,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
        };
        producer.send(record).await.expect("a record that can be sent")
    }

    /// `TOPIC PARTITION TIMESTAMP KEY VALUE HEADERS`
    pub(crate) fn line(&self) -> String {
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |n| n.to_string());
        let headers = self.headers.iter().map(|(key, value)| {
            format!("{}={}", bytes_text(Some(key.as_bytes())), bytes_text(value.as_deref()))
        });
        let headers = headers.collect::<Vec<_>>().join(",");
        format!(
            "{} {} {} {} {} {}",
            self.topic,
            number(self.partition.map(i64::from)),
            number(self.timestamp),
            bytes_text(self.key.as_deref()),
            bytes_text(self.value.as_deref()),
            if headers.is_empty() { "-" } else { &headers }
        )
    }

    /// One of everything that a record can be, for a topic with so many partitions.
    pub(crate) fn varied(topic: &str, partitions: i32, rng: &mut Rng) -> Self {
        let some_bytes = |rng: &mut Rng, len_max: usize| match rng.u8(..8) {
            0 => None,
            1 => Some(Vec::new()),
            // What repeats is compressed, what does not is not.
            2..5 => Some(vec![rng.u8(..); rng.usize(1..=len_max)]),
            _ => {
                let len = rng.usize(1..=len_max);
                Some(std::iter::repeat_with(|| rng.u8(..)).take(len).collect())
            }
        };
        let timestamps = [0, 1, 999, 1_234_567_890_123, 1_700_000_000_000];
        let keys = ["", "a", "trace-id", "schlüssel", "鍵"];
        let headers = (0..rng.usize(..5).saturating_sub(1))
            .map(|_| (keys[rng.usize(..keys.len())].to_owned(), some_bytes(rng, 20)))
            .collect();
        Self {
            topic: topic.to_owned(),
            partition: rng.bool().then(|| rng.i32(0..partitions)),
            timestamp: rng.bool().then(|| timestamps[rng.usize(..timestamps.len())]),
            key: some_bytes(rng, 30),
            value: some_bytes(rng, 1000),
            headers,
        }
    }
}

/// Sends the records one after the other, and waits until each has its outcome.
pub(crate) async fn send(producer: &Producer, records: Vec<OwnedRecord>) -> Vec<Sent> {
    let mut deliveries = Vec::new();
    for record in records {
        deliveries.push((record.send(producer).await, record));
    }
    producer.flush().await.expect("a producer that lives");
    let mut sent = Vec::new();
    for (delivery, record) in deliveries {
        sent.push(Sent::new(record, delivery).await);
    }
    sent
}

impl Sent {
    /// Waits for what becomes of the record.
    pub(crate) async fn new(record: OwnedRecord, delivery: Delivery) -> Self {
        let metadata = delivery.await.expect("a delivery");
        assert_eq!(*metadata.topic, *record.topic);
        assert_eq!(metadata.serialized_key_size, record.key.as_ref().map(Vec::len));
        assert_eq!(metadata.serialized_value_size, record.value.as_ref().map(Vec::len));
        let (partition, offset, timestamp) =
            (metadata.partition, metadata.offset, metadata.timestamp);
        Self { record, partition, offset, timestamp }
    }

    /// From `PARTITION OFFSET TIMESTAMP`.
    pub(crate) fn parse(record: OwnedRecord, line: &str) -> Self {
        let mut words = line.split(' ');
        let mut number = || words.next()?.parse::<i64>().ok();
        let (Some(partition), Some(offset), Some(timestamp)) = (number(), number(), number())
        else {
            panic!("not a line of Java's producer: {line}");
        };
        let partition = partition.try_into().expect("a partition");
        Self { record, partition, offset: Some(offset), timestamp }
    }
}

impl LogRecord {
    /// From `TOPIC PARTITION OFFSET TIMESTAMP TIMESTAMP_TYPE KEY VALUE HEADERS`.
    pub(crate) fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let [topic, partition, offset, timestamp, timestamp_type, key, value, headers] = words[..]
        else {
            panic!("not a line of Java's consumer: {line:.200}");
        };
        let header = |text: &str| {
            let (key, value) = text.split_once('=').expect("a header");
            let key = String::from_utf8(bytes(key).expect("a key")).expect("UTF-8");
            (key, bytes(value))
        };
        Self {
            topic: topic.to_owned(),
            partition: partition.parse().expect("a partition"),
            offset: offset.parse().expect("an offset"),
            timestamp: timestamp.parse().expect("a timestamp"),
            timestamp_type: timestamp_type.to_owned(),
            key: bytes(key),
            value: bytes(value),
            headers: headers.split(',').filter(|text| *text != "-").map(header).collect(),
        }
    }
}

/// `LENGTH:HEX`, or `null`.
fn bytes_text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else {
        return "null".to_owned();
    };
    let mut text = format!("{}:", bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a string takes all");
    }
    text
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    if text == "null" {
        return None;
    }
    let (len, hex) = text.split_once(':').expect("LENGTH:HEX");
    let digit = |c: u8| char::from(c).to_digit(16).expect("a digit") as u8;
    let bytes: Vec<u8> =
        hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    assert_eq!(len.parse(), Ok(bytes.len()));
    Some(bytes)
}
