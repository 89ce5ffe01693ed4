//! Records of other types than bytes, end to end.

use kafka_producer::{
    BoxError, LongSerializer, Serialized, Serializer, SerializerContext, StringSerializer,
    TypedRecord,
};

use crate::harness::*;

/// Takes no odd numbers.
struct EvenSerializer;

impl Serializer<i64> for EvenSerializer {
    fn serialize(
        &self,
        number: &i64,
        context: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        if number % 2 != 0 {
            return Err(format!("{number} is odd").into());
        }
        buffer.extend_from_slice(number.to_string().as_bytes());
        context.add_header("parity", Some(b"even"));
        Ok(Serialized::Bytes)
    }
}

weather! {
    async fn typed_records_arrive_as_their_serializers_make_them() {
        let server = server();
        let producer = ready(&server, builder(&server)).await.typed(StringSerializer, EvenSerializer);
        let record = TypedRecord::new("orders", &42).key("key");
        producer.send(record).await.unwrap().await.unwrap();
        producer.try_send(record).unwrap().await.unwrap();
        let records = server.with_cluster(|cluster| cluster.records("orders", 0)).unwrap();
        assert_eq!(records.len(), 2);
        for record in records {
            assert_eq!(record.key.as_deref(), Some(&b"key"[..]));
            assert_eq!(record.value.as_deref(), Some(&b"42"[..]));
            assert_eq!(record.headers, [("parity".to_owned(), Some("even".into()))]);
        }
    }

    async fn a_serializer_that_fails_is_named_with_the_part_and_the_topic() {
        let server = server();
        let producer = ready(&server, builder(&server)).await;
        let values_fail = producer.typed(StringSerializer, EvenSerializer);
        let error = values_fail.send(TypedRecord::new("orders", &7).key("key")).await.unwrap_err();
        assert_says!(
            error,
            "cannot serialize the value of a record for topic \"orders\" with ",
            "EvenSerializer: 7 is odd",
        );
        let keys_fail = producer.typed(EvenSerializer, LongSerializer);
        let error = keys_fail.try_send(TypedRecord::new("orders", &7).key(&9)).unwrap_err();
        assert_says!(
            error,
            "cannot serialize the key of a record for topic \"orders\" with ",
            "EvenSerializer: 9 is odd",
        );
        assert!(!error.is_retriable());
        deliver(&producer, "bytes").await;
        assert_eq!(values(&server), ["bytes"]);
    }
}
