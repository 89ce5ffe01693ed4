//! What a user sends, and what comes back when it is written.

use std::fmt;
use std::sync::Arc;

pub use kafka_protocol::records::RecordHeader;

/// A record to send, borrowed from its owner: a send copies its bytes once, into the batch.
///
/// ```
/// use kafka_producer::{Record, RecordHeader};
///
/// let headers = [RecordHeader { key: "source", value: Some(b"shop") }];
/// let record = Record::new("orders", "42 apples").key("alice").headers(&headers);
/// assert_eq!(record.topic, "orders");
/// assert_eq!(record.partition, None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition, if not the partitioner's choice.
    pub partition: Option<i32>,
    /// Timestamp in ms since 1970; `None` is the time of the send, right to some milliseconds.
    pub timestamp: Option<i64>,
    /// Key. `None` is null, which is not the same as an empty key.
    pub key: Option<&'a [u8]>,
    /// Value. `None` is null: a tombstone in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Headers, in this order; keys may repeat.
    pub headers: &'a [RecordHeader<'a>],
}

impl<'a> Record<'a> {
    /// A record without a key.
    pub fn new<V: AsRef<[u8]> + ?Sized>(topic: &'a str, value: &'a V) -> Self {
        Self { value: Some(value.as_ref()), ..Self::empty(topic) }
    }

    /// A record with a null value: in a compacted topic it deletes the key.
    pub fn tombstone<K: AsRef<[u8]> + ?Sized>(topic: &'a str, key: &'a K) -> Self {
        Self { key: Some(key.as_ref()), ..Self::empty(topic) }
    }

    /// A record of which only the topic is known; key and value are null.
    pub const fn empty(topic: &'a str) -> Self {
        Self { topic, partition: None, timestamp: None, key: None, value: None, headers: &[] }
    }

    /// The same record with a key: records of one key go to one partition.
    #[must_use]
    pub fn key<K: AsRef<[u8]> + ?Sized>(self, key: &'a K) -> Self {
        Self { key: Some(key.as_ref()), ..self }
    }

    /// The same record for this partition.
    #[must_use]
    pub const fn partition(self, partition: i32) -> Self {
        Self { partition: Some(partition), ..self }
    }

    /// The same record with a timestamp, in ms since 1970.
    #[must_use]
    pub const fn timestamp(self, timestamp: i64) -> Self {
        Self { timestamp: Some(timestamp), ..self }
    }

    /// The same record with these headers.
    #[must_use]
    pub const fn headers(self, headers: &'a [RecordHeader<'a>]) -> Self {
        Self { headers, ..self }
    }
}

/// Where a record was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordMetadata {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset in the partition. `None` if the broker did not say: with `acks=0`, and where an earlier
    /// attempt whose answer was lost had written the record already.
    pub offset: Option<i64>,
    /// Timestamp in ms since 1970: the record's, or the broker's where the topic has
    /// `message.timestamp.type=LogAppendTime`.
    pub timestamp: i64,
    /// Bytes of the key; `None` if it is null.
    pub serialized_key_size: Option<usize>,
    /// Bytes of the value; `None` if it is null.
    pub serialized_value_size: Option<usize>,
}

impl fmt::Display for RecordMetadata {
    /// As Kafka writes it: `orders-3@42`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}@", self.topic, self.partition)?;
        match self.offset {
            Some(offset) => write!(f, "{offset}"),
            None => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_equal_if_all_that_is_in_them_is() {
        let headers = [RecordHeader { key: "a", value: Some(b"1") }];
        let other = [RecordHeader { key: "a", value: None }];
        let record =
            Record::new("orders", "value").key("k").partition(1).timestamp(2).headers(&headers);
        assert_eq!(record, record.partition(1));
        for different in [
            Record { topic: "others", ..record },
            Record { partition: None, ..record },
            Record { timestamp: None, ..record },
            Record { key: None, ..record },
            Record { value: Some(b""), ..record },
            record.headers(&other),
        ] {
            assert_ne!(record, different);
        }
        assert_ne!(Record::new("orders", ""), Record::empty("orders"), "empty is not null");
    }
}
