//! Records of the user's own types, serialized on their way to the producer.

use std::any::type_name;
use std::fmt;
use std::sync::Arc;

use crate::{
    Delivery, ProduceError, Producer, RecordHeader, RecordMetadata, SendError, Serializer,
};
use serialized::SerializedRecord;

mod serialized;

/// A record whose key and value are yet to be serialized, borrowed from its owner.
///
/// The types of key and value follow from what is in it; where there is no key, and the serializer has
/// keys of several types, say one of them: `TypedRecord::<str, _>::new("orders", &order)`.
///
/// ```
/// use kafka_producer::TypedRecord;
///
/// let record = TypedRecord::new("orders", &42_i64).key("alice");
/// assert_eq!((record.key, record.value), (Some("alice"), Some(&42)));
/// ```
#[derive(Debug)]
pub struct TypedRecord<'a, K: ?Sized, V: ?Sized> {
    /// Topic.
    pub topic: &'a str,
    /// Partition, if not the partitioner's choice.
    pub partition: Option<i32>,
    /// Timestamp in ms since 1970; `None` is the time of the send.
    pub timestamp: Option<i64>,
    /// Key. `None` is null, without asking the serializer.
    pub key: Option<&'a K>,
    /// Value. `None` is null, without asking the serializer: a tombstone in a compacted topic.
    pub value: Option<&'a V>,
    /// Headers, in this order; those that serializers add come behind them.
    pub headers: &'a [RecordHeader<'a>],
}

impl<'a, K: ?Sized, V: ?Sized> TypedRecord<'a, K, V> {
    /// A record without a key.
    pub const fn new(topic: &'a str, value: &'a V) -> Self {
        Self { value: Some(value), ..Self::empty(topic) }
    }

    /// A record with a null value: in a compacted topic it deletes the key.
    pub const fn tombstone(topic: &'a str, key: &'a K) -> Self {
        Self { key: Some(key), ..Self::empty(topic) }
    }

    /// A record of which only the topic is known; key and value are null.
    pub const fn empty(topic: &'a str) -> Self {
        Self { topic, partition: None, timestamp: None, key: None, value: None, headers: &[] }
    }

    /// The same record with a key: records of one key go to one partition.
    #[must_use]
    pub const fn key(self, key: &'a K) -> Self {
        Self { key: Some(key), ..self }
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

// Derived, these two would ask for keys and values that are `Clone` and `Copy` themselves.
impl<K: ?Sized, V: ?Sized> Clone for TypedRecord<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: ?Sized, V: ?Sized> Copy for TypedRecord<'_, K, V> {}

/// A [`Producer`] with a serializer for keys and one for values. Cheap to clone, like the producer.
///
/// It is the same producer underneath: typed and untyped records share batches, memory and order, and
/// several typed producers may be made of one.
///
/// ```no_run
/// # async fn example(producer: kafka_producer::Producer) -> Result<(), kafka_producer::SendError> {
/// use kafka_producer::{LongSerializer, StringSerializer, TypedRecord};
///
/// let counts = producer.typed(StringSerializer, LongSerializer);
/// let delivery = counts.send(TypedRecord::new("counts", &42).key("apples")).await?;
/// let deleted = counts.send(TypedRecord::tombstone("counts", "pears")).await?;
/// # Ok(()) }
/// ```
pub struct TypedProducer<KS, VS> {
    producer: Producer,
    key_serializer: Arc<KS>,
    value_serializer: Arc<VS>,
}

impl Producer {
    /// This producer with a serializer for keys and one for values.
    pub fn typed<KS, VS>(&self, key_serializer: KS, value_serializer: VS) -> TypedProducer<KS, VS> {
        TypedProducer {
            producer: self.clone(),
            key_serializer: Arc::new(key_serializer),
            value_serializer: Arc::new(value_serializer),
        }
    }
}

impl<KS, VS> TypedProducer<KS, VS> {
    /// Serializes the record and sends it: [`Producer::send`] in all else. Serializers too are called when
    /// the future is first polled, not before.
    ///
    /// # Errors
    /// [`SendError::Serialization`] if a serializer fails, then without a call to any
    /// [`Interceptor`](crate::Interceptor); else those of [`Producer::send`].
    ///
    /// # Cancel safety
    /// That of [`Producer::send`].
    pub async fn send<K: ?Sized, V: ?Sized>(
        &self,
        record: TypedRecord<'_, K, V>,
    ) -> Result<Delivery, SendError>
    where
        KS: Serializer<K>,
        VS: Serializer<V>,
    {
        let record = self.serialize(&record)?;
        let mut headers = Vec::new();
        self.producer.send(record.as_record(&mut headers)).await
    }

    /// Serializes the record and sends it if that needs no waiting: [`Producer::try_send`] in all else.
    ///
    /// # Errors
    /// [`SendError::Serialization`] if a serializer fails, else those of [`Producer::try_send`].
    pub fn try_send<K: ?Sized, V: ?Sized>(
        &self,
        record: TypedRecord<'_, K, V>,
    ) -> Result<Delivery, SendError>
    where
        KS: Serializer<K>,
        VS: Serializer<V>,
    {
        let record = self.serialize(&record)?;
        let mut headers = Vec::new();
        self.producer.try_send(record.as_record(&mut headers))
    }

    /// Serializes the record and sends it, with a callback for its outcome: [`Producer::send_with`] in
    /// all else.
    ///
    /// # Errors
    /// [`SendError::Serialization`] if a serializer fails, else those of [`Producer::send_with`]. The
    /// callback is not called then.
    ///
    /// # Cancel safety
    /// That of [`Producer::send_with`].
    pub async fn send_with<K: ?Sized, V: ?Sized>(
        &self,
        record: TypedRecord<'_, K, V>,
        callback: impl FnOnce(Result<RecordMetadata, ProduceError>) + Send + 'static,
    ) -> Result<(), SendError>
    where
        KS: Serializer<K>,
        VS: Serializer<V>,
    {
        let record = self.serialize(&record)?;
        let mut headers = Vec::new();
        self.producer.send_with(record.as_record(&mut headers), callback).await
    }

    /// The producer underneath, for flush, close, and records that are bytes already.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    fn serialize<'a, K: ?Sized, V: ?Sized>(
        &self,
        record: &TypedRecord<'a, K, V>,
    ) -> Result<SerializedRecord<'a>, SendError>
    where
        KS: Serializer<K>,
        VS: Serializer<V>,
    {
        let serialized =
            SerializedRecord::new(record, &*self.key_serializer, &*self.value_serializer);
        serialized.inspect_err(|error| self.producer.count_refused(error))
    }
}

impl<KS, VS> Clone for TypedProducer<KS, VS> {
    fn clone(&self) -> Self {
        Self {
            producer: self.producer.clone(),
            key_serializer: Arc::clone(&self.key_serializer),
            value_serializer: Arc::clone(&self.value_serializer),
        }
    }
}

impl<KS, VS> fmt::Debug for TypedProducer<KS, VS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedProducer")
            .field("key_serializer", &type_name::<KS>())
            .field("value_serializer", &type_name::<VS>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StringSerializer;

    #[test]
    fn a_send_can_be_spawned() {
        fn is_send(_: impl Send) {}
        // Held by the compiler; there is nothing to run.
        let _ = |producer: &TypedProducer<StringSerializer, StringSerializer>| {
            is_send(producer.send(TypedRecord::new("topic", "value").key("key")));
            is_send(producer.send_with(TypedRecord::new("topic", "value").key("key"), |_| ()));
        };
    }
}
