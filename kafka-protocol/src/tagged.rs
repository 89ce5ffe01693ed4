//! Tagged fields that this version of the schema does not know (KIP-482).

use bytes::Bytes;

/// Tagged fields that the schema does not know, in ascending order of their tags.
///
/// A newer peer may send them; they are kept as raw bytes and written back, so that a proxy loses
/// nothing. Costs 8 bytes when there are none, which is nearly always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::box_collection, reason = "a third of the size in every struct of every message")]
pub struct UnknownTaggedFields(Option<Box<Vec<(u32, Bytes)>>>);

impl UnknownTaggedFields {
    /// No fields; allocates nothing.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Adds a field, or replaces the one with this tag.
    ///
    /// Encoding fails with [`EncodeErrorKind::TagInUse`](crate::EncodeErrorKind::TagInUse) if the
    /// schema knows the tag.
    pub fn insert(&mut self, tag: u32, value: Bytes) {
        let fields = self.0.get_or_insert_default();
        match fields.binary_search_by_key(&tag, |(tag, _)| *tag) {
            Ok(at) => {
                fields.remove(at);
                fields.insert(at, (tag, value));
            }
            Err(at) => fields.insert(at, (tag, value)),
        }
    }

    /// The fields in ascending order of their tags, each with its raw value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, &Bytes)> {
        self.as_slice().iter().map(|(tag, value)| (*tag, value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub(crate) fn as_slice(&self) -> &[(u32, Bytes)] {
        self.0.as_ref().map_or(&[], |fields| fields.as_slice())
    }

    pub(crate) fn with_capacity(fields: usize) -> Self {
        Self(Some(Box::new(Vec::with_capacity(fields))))
    }

    /// Adds a field whose tag is greater than all there are.
    pub(crate) fn push_ascending(&mut self, tag: u32, value: Bytes) {
        self.0.get_or_insert_default().push((tag, value));
    }

    /// What `with_capacity(fields)` allocates.
    pub(crate) const fn memory_of(fields: usize) -> usize {
        size_of::<Vec<(u32, Bytes)>>() + fields.saturating_mul(size_of::<(u32, Bytes)>())
    }

    /// Most memory for a byte on the wire: one field, of two bytes.
    pub(crate) const MEMORY_PER_BYTE: usize = Self::memory_of(1).div_ceil(2);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_ascend_and_the_last_of_a_tag_holds() {
        let mut fields = UnknownTaggedFields::default();
        assert!(fields.is_empty());
        for (tag, value) in [(7, "a"), (300, "b"), (2, "c"), (7, "d")] {
            fields.insert(tag, value.into());
        }
        let read: Vec<(u32, &[u8])> = fields.iter().map(|(tag, value)| (tag, &**value)).collect();
        assert_eq!(read, [(2, &b"c"[..]), (7, b"d"), (300, b"b")]);
        assert_eq!((fields.len(), fields.is_empty()), (3, false));
    }
}
