//! What a serializer knows about its record, and the headers that it adds.

use std::ops::Range;

use crate::{RecordHeader, RecordPart};

/// What a [`Serializer`](crate::Serializer) is told of the record whose key or value it serializes, and
/// where it adds headers.
#[derive(Debug)]
pub struct SerializerContext<'r> {
    topic: &'r str,
    part: RecordPart,
    given: &'r [RecordHeader<'r>],
    added: AddedHeaders,
}

impl<'r> SerializerContext<'r> {
    /// For a record of this topic that comes with these headers. Producers make it; you do, to try a
    /// serializer of your own.
    pub fn new(topic: &'r str, part: RecordPart, headers: &'r [RecordHeader<'r>]) -> Self {
        Self { topic, part, given: headers, added: AddedHeaders::default() }
    }

    /// The same record with these added headers in place of its own.
    pub(crate) fn with_added(self, added: AddedHeaders) -> Self {
        Self { added, ..self }
    }

    /// The added headers, after the last serializer.
    pub(crate) fn into_added(self) -> AddedHeaders {
        self.added
    }

    /// Goes on to another part of the same record.
    pub(crate) fn set_part(&mut self, part: RecordPart) {
        self.part = part;
    }

    /// Adds a header to the record, behind those that it has; `None` is a null value. Both are copied.
    pub fn add_header(&mut self, key: &str, value: Option<&[u8]>) {
        self.added.push(key, value);
    }

    /// Topic of the record.
    pub fn topic(&self) -> &'r str {
        self.topic
    }

    /// Whether this is for the key or for the value. The key comes first.
    pub fn part(&self) -> RecordPart {
        self.part
    }

    /// The record's headers in their order: those it came with, and those added since.
    pub fn headers(&self) -> impl Iterator<Item = RecordHeader<'_>> {
        self.given.iter().copied().chain(self.added.iter())
    }
}

/// Headers that serializers added to a record. Cleared and kept from one record to the next, it
/// allocates nothing; while empty, neither.
#[derive(Debug, Default)]
pub(crate) struct AddedHeaders {
    /// All keys, one behind the other.
    keys: String,
    /// All values, likewise.
    values: Vec<u8>,
    headers: Vec<AddedHeader>,
}

/// Where in the two buffers a header is.
#[derive(Debug)]
struct AddedHeader {
    key: Range<usize>,
    value: Option<Range<usize>>,
}

impl AddedHeaders {
    pub(crate) fn push(&mut self, key: &str, value: Option<&[u8]>) {
        let key_start = self.keys.len();
        self.keys.push_str(key);
        let value = value.map(|value| {
            let start = self.values.len();
            self.values.extend_from_slice(value);
            start..self.values.len()
        });
        self.headers.push(AddedHeader { key: key_start..self.keys.len(), value });
    }

    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
        self.headers.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// Bytes of memory that it keeps when cleared.
    pub(crate) fn capacity(&self) -> usize {
        let headers = self.headers.capacity() * size_of::<AddedHeader>();
        self.keys.capacity() + self.values.capacity() + headers
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = RecordHeader<'_>> {
        self.headers.iter().map(|header| RecordHeader {
            key: self.keys.get(header.key.clone()).unwrap_or_default(),
            value: header.value.clone().and_then(|value| self.values.get(value)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_in_the_order_in_which_they_came() {
        let given = [RecordHeader { key: "given", value: Some(b"1") }];
        let mut context = SerializerContext::new("topic", RecordPart::Key, &given);
        let added = [("ключ", Some(&b"22"[..])), ("", None), ("given", Some(b""))];
        for (key, value) in added {
            context.add_header(key, value);
        }
        let expected = added.map(|(key, value)| RecordHeader { key, value });
        let headers: Vec<_> = context.headers().collect();
        assert_eq!(headers, [&given[..], &expected].concat());

        let mut added = context.into_added();
        assert_eq!(added.iter().collect::<Vec<_>>(), expected);
        assert!(!added.is_empty() && added.capacity() >= 8 + 5 + 2);
        added.clear();
        assert!(added.is_empty() && added.iter().next().is_none());
    }
}
