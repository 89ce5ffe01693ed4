//! A typed record's key and value as bytes, in buffers that are used again.

use std::any::type_name;
use std::cell::Cell;
use std::mem;

use super::TypedRecord;
use crate::serializer::AddedHeaders;
use crate::{
    Record, RecordHeader, RecordPart, SendError, Serialized, Serializer, SerializerContext,
};

/// A record whose key and value are bytes, in buffers that go back to the thread in the end.
pub(super) struct SerializedRecord<'a> {
    /// All but key and value, which the buffers have.
    rest: Record<'a>,
    has_key: bool,
    has_value: bool,
    buffers: Buffers,
}

impl<'a> SerializedRecord<'a> {
    pub(super) fn new<K: ?Sized, V: ?Sized>(
        record: &TypedRecord<'a, K, V>,
        key_serializer: &impl Serializer<K>,
        value_serializer: &impl Serializer<V>,
    ) -> Result<Self, SendError> {
        let TypedRecord { topic, partition, timestamp, key, value, headers } = *record;
        let mut buffers = Buffers::take();
        let mut context = SerializerContext::new(topic, RecordPart::Key, headers)
            .with_added(mem::take(&mut buffers.headers));
        let has_key = serialize_part(key, key_serializer, &mut context, &mut buffers.key)?;
        context.set_part(RecordPart::Value);
        let has_value = serialize_part(value, value_serializer, &mut context, &mut buffers.value)?;
        buffers.headers = context.into_added();
        let rest = Record { partition, timestamp, headers, ..Record::empty(topic) };
        Ok(Self { rest, has_key, has_value, buffers })
    }

    /// The record for the producer; `headers` is for the case that serializers added some.
    pub(super) fn as_record<'s>(&'s self, headers: &'s mut Vec<RecordHeader<'s>>) -> Record<'s> {
        let mut record = self.rest;
        record.key = self.has_key.then_some(&*self.buffers.key);
        record.value = self.has_value.then_some(&*self.buffers.value);
        if !self.buffers.headers.is_empty() {
            headers.extend(self.rest.headers.iter().copied().chain(self.buffers.headers.iter()));
            record.headers = headers;
        }
        record
    }
}

impl Drop for SerializedRecord<'_> {
    fn drop(&mut self) {
        mem::take(&mut self.buffers).keep();
    }
}

/// Whether the part is other than null; if so, its bytes are in the buffer.
fn serialize_part<T: ?Sized, S: Serializer<T>>(
    data: Option<&T>,
    serializer: &S,
    context: &mut SerializerContext<'_>,
    buffer: &mut Vec<u8>,
) -> Result<bool, SendError> {
    let Some(data) = data else { return Ok(false) };
    match serializer.serialize(data, context, buffer) {
        Ok(serialized) => Ok(serialized == Serialized::Bytes),
        Err(cause) => Err(SendError::Serialization {
            topic: context.topic().to_owned(),
            part: context.part(),
            serializer: type_name::<S>(),
            cause: cause.into(),
        }),
    }
}

/// What serializers write into. Taken from the thread, and kept there for the next record when this one
/// is sent, so that a record costs no allocation. A send that starts while another one waits makes its
/// own; that of a serializer that sends does, too.
#[derive(Default)]
struct Buffers {
    key: Vec<u8>,
    value: Vec<u8>,
    headers: AddedHeaders,
}

thread_local! {
    static KEPT: Cell<Buffers> = Cell::default();
}

impl Buffers {
    /// Empty ones.
    fn take() -> Self {
        // An error means that the thread is about to end.
        KEPT.try_with(Cell::take).unwrap_or_default()
    }

    /// Keeps the memory for the next record of this thread, but not that of a huge one.
    fn keep(mut self) {
        for buffer in [&mut self.key, &mut self.value] {
            buffer.clear();
            if buffer.capacity() > BUFFER_KEPT_MAX {
                *buffer = Vec::new();
            }
        }
        self.headers.clear();
        if self.headers.capacity() > BUFFER_KEPT_MAX {
            self.headers = AddedHeaders::default();
        }
        // An error as above: then they are dropped.
        let _ = KEPT.try_with(|kept| kept.set(self));
    }
}

/// Bytes that each buffer of a thread may keep from one record to the next.
const BUFFER_KEPT_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        BytesSerializer, IntegerSerializer, StringSerializer, VoidSerializer, serializer_fn,
    };

    /// A record that serializes must become this one.
    fn check<K: ?Sized, V: ?Sized>(
        record: TypedRecord<'_, K, V>,
        key_serializer: &impl Serializer<K>,
        value_serializer: &impl Serializer<V>,
        expected: Record<'_>,
    ) {
        let serialized = SerializedRecord::new(&record, key_serializer, value_serializer).unwrap();
        let mut headers = Vec::new();
        assert_eq!(serialized.as_record(&mut headers), expected);
    }

    fn kept() -> [usize; 3] {
        let buffers = Buffers::take();
        let capacities =
            [buffers.key.capacity(), buffers.value.capacity(), buffers.headers.capacity()];
        buffers.keep();
        capacities
    }

    #[test]
    fn a_record_keeps_what_needs_no_serializer() {
        let headers = [RecordHeader { key: "given", value: None }];
        let typed = TypedRecord::new("topic", &7).key("key").partition(3).timestamp(42);
        let bytes = Record::new("topic", b"\0\0\0\x07").key("key").partition(3).timestamp(42);
        check(typed, &StringSerializer, &IntegerSerializer, bytes);
        let (typed, bytes) = (typed.headers(&headers), bytes.headers(&headers));
        check(typed, &StringSerializer, &IntegerSerializer, bytes);
    }

    #[test]
    fn null_is_what_is_not_there_and_what_a_serializer_calls_null() {
        let tombstone = Record::tombstone("topic", "key");
        let never = serializer_fn(|(): &(), _, _| panic!("asked for nothing"));
        check(TypedRecord::tombstone("topic", "key"), &BytesSerializer, &never, tombstone);
        let void = TypedRecord::new("topic", &()).key("key");
        check(void, &StringSerializer, &VoidSerializer, tombstone);
        let half_written = serializer_fn(|(): &(), _, buffer| {
            buffer.push(1);
            Ok(Serialized::Null)
        });
        check(void, &StringSerializer, &half_written, tombstone);
        check(TypedRecord::empty("topic"), &never, &never, Record::empty("topic"));
        let empty = Record::new("topic", "").key("");
        check(TypedRecord::new("topic", "").key(""), &BytesSerializer, &StringSerializer, empty);
    }

    #[test]
    fn headers_of_serializers_come_behind_the_records_own() {
        let naming = serializer_fn(|data: &str, context, buffer| {
            buffer.extend_from_slice(data.as_bytes());
            let seen = context.headers().count().to_string();
            let name = format!("{} of {}", context.part(), context.topic());
            context.add_header(&name, Some(seen.as_bytes()));
            Ok(Serialized::Bytes)
        });
        let given = [RecordHeader { key: "given", value: None }];
        let by_key = RecordHeader { key: "key of topic", value: Some(b"1") };
        let by_value = RecordHeader { key: "value of topic", value: Some(b"2") };
        let typed = TypedRecord::new("topic", "value").key("key").headers(&given);
        let expected = Record::new("topic", "value").key("key");
        // The second time with the buffers of the first.
        for _ in 0..2 {
            check(typed, &naming, &naming, expected.headers(&[given[0], by_key, by_value]));
        }
        check(typed, &StringSerializer, &StringSerializer, expected.headers(&given));
    }

    #[test]
    fn a_failure_names_part_topic_and_serializer() {
        struct Picky;
        impl Serializer<i32> for Picky {
            fn serialize(
                &self,
                data: &i32,
                context: &mut SerializerContext<'_>,
                buffer: &mut Vec<u8>,
            ) -> Result<Serialized, crate::BoxError> {
                context.add_header("left over", None);
                buffer.push(1);
                if *data < 0 {
                    Err(format!("{data} is negative").into())
                } else {
                    Ok(Serialized::Bytes)
                }
            }
        }
        for (part, key, value) in [("key", -1, -2), ("value", 1, -1)] {
            let record = TypedRecord::new("topic", &value).key(&key);
            let error = SerializedRecord::new(&record, &Picky, &Picky).err().unwrap();
            let begin =
                format!("cannot serialize the {part} of a record for topic \"topic\" with ");
            let text = error.to_string();
            assert!(
                text.starts_with(&begin) && text.ends_with("::Picky: -1 is negative"),
                "{text}"
            );
        }
        let after = TypedRecord::new("topic", "value").key("key");
        let clean = Record::new("topic", "value").key("key");
        check(after, &StringSerializer, &StringSerializer, clean);
    }

    #[test]
    fn the_second_record_of_a_thread_allocates_nothing() {
        let record = TypedRecord::new("topic", "a value").key(&7);
        let serialize = || {
            let serialized =
                SerializedRecord::new(&record, &IntegerSerializer, &StringSerializer).unwrap();
            assert_eq!(serialized.as_record(&mut Vec::new()).value, Some(&b"a value"[..]));
        };
        serialize();
        assert_eq!(allocation_counter::measure(serialize).count_total, 0);
    }

    #[test]
    fn buffers_are_kept_unless_a_record_was_huge() {
        let with_header = serializer_fn(|data: &[u8], context, buffer| {
            buffer.extend_from_slice(data);
            context.add_header("copy", Some(data));
            Ok(Serialized::Bytes)
        });
        let send = |key: &[u8], value: &[u8]| {
            let record = TypedRecord::new("topic", value).key(key);
            let headers = [RecordHeader { key: "copy", value: Some(key) }];
            let expected = Record::new("topic", value).key(key).headers(&headers);
            check(record, &with_header, &BytesSerializer, expected);
        };
        let (small, huge) = ([1; 100], vec![2; BUFFER_KEPT_MAX + 1]);
        send(&small, &small);
        assert!(kept().iter().all(|bytes| (100..1000).contains(bytes)), "{:?}", kept());
        send(&small, &huge);
        assert!(kept()[0] >= 100 && kept()[1] == 0 && kept()[2] >= 100, "{:?}", kept());
        send(&huge, &small);
        assert!(kept()[0] == 0 && kept()[1] >= 100 && kept()[2] == 0, "{:?}", kept());
    }
}
