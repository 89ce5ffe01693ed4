//! Arrays of int32, kept inline while they are short.

use std::fmt;
use std::ops::Deref;

/// An array of int32: partition indexes, or the brokers of a replica set. Reads as a slice.
///
/// Up to three elements (a replication factor of 3) need no allocation, which is what makes a large
/// Metadata response cheap to decode.
///
/// ```
/// # use kafka_protocol::Int32Array;
/// let replicas: Int32Array = [1, 2, 3].into();
/// assert_eq!(replicas[0], 1);
/// assert!(replicas.contains(&3));
/// ```
#[derive(Clone)]
pub struct Int32Array(Repr);

#[derive(Clone)]
#[expect(
    clippy::box_collection,
    reason = "16 bytes instead of 24, several times in each partition"
)]
enum Repr {
    Inline { len: u8, elements: [i32; INLINE_MAX] },
    Heap(Box<Vec<i32>>),
}

const INLINE_MAX: usize = 3;

impl Int32Array {
    /// An array without elements.
    pub const fn new() -> Self {
        Self(Repr::Inline { len: 0, elements: [0; INLINE_MAX] })
    }

    /// The elements.
    pub fn as_slice(&self) -> &[i32] {
        match &self.0 {
            Repr::Inline { len, elements } => elements.get(..usize::from(*len)).unwrap_or_default(),
            Repr::Heap(elements) => elements,
        }
    }

    /// Most elements that need no allocation.
    pub(crate) const INLINE_MAX: usize = INLINE_MAX;

    /// Most memory for a byte on the wire: one element more than are kept inline.
    pub(crate) const MEMORY_PER_BYTE: usize =
        Self::memory_of(INLINE_MAX + 1).div_ceil(4 * (INLINE_MAX + 1));

    /// What `len` elements allocate.
    pub(crate) const fn memory_of(len: usize) -> usize {
        if len <= INLINE_MAX { 0 } else { size_of::<Vec<i32>>() + 4 * len }
    }

    /// Becomes the first `len` of these elements, big endian.
    #[inline(always)]
    pub(crate) fn set_inline(&mut self, wire: &[u8; 4 * INLINE_MAX], len: u8) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *wire;
        let elements = [[a, b, c, d], [e, f, g, h], [i, j, k, l]].map(i32::from_be_bytes);
        self.0 = Repr::Inline { len, elements };
    }

    /// From big-endian bytes, four an element.
    pub(crate) fn from_wire(wire: &[u8]) -> Self {
        let value = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| i32::from_be_bytes(*b));
        wire.chunks_exact(4).map(value).collect()
    }
}

impl Default for Int32Array {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Int32Array {
    type Target = [i32];

    fn deref(&self) -> &[i32] {
        self.as_slice()
    }
}

impl fmt::Debug for Int32Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

impl PartialEq for Int32Array {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Int32Array {}

impl From<&[i32]> for Int32Array {
    fn from(values: &[i32]) -> Self {
        values.iter().copied().collect()
    }
}

impl From<Vec<i32>> for Int32Array {
    fn from(values: Vec<i32>) -> Self {
        Self(Repr::Heap(Box::new(values)))
    }
}

impl<const N: usize> From<[i32; N]> for Int32Array {
    fn from(values: [i32; N]) -> Self {
        values.as_slice().into()
    }
}

impl FromIterator<i32> for Int32Array {
    fn from_iter<I: IntoIterator<Item = i32>>(values: I) -> Self {
        let mut values = values.into_iter();
        let mut elements = [0; INLINE_MAX];
        for (len, element) in elements.iter_mut().enumerate() {
            let Some(value) = values.next() else {
                return Self(Repr::Inline { len: len as u8, elements });
            };
            *element = value;
        }
        let Some(next) = values.next() else {
            return Self(Repr::Inline { len: INLINE_MAX as u8, elements });
        };
        let mut heap = elements.to_vec();
        heap.push(next);
        heap.extend(values);
        Self(Repr::Heap(Box::new(heap)))
    }
}

impl Extend<i32> for Int32Array {
    fn extend<I: IntoIterator<Item = i32>>(&mut self, values: I) {
        *self = self.iter().copied().chain(values).collect();
    }
}

impl<'a> IntoIterator for &'a Int32Array {
    type Item = &'a i32;
    type IntoIter = std::slice::Iter<'a, i32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_large_as_a_slice() {
        assert_eq!(size_of::<Int32Array>(), size_of::<&[i32]>());
        assert_eq!(size_of::<Option<Int32Array>>(), size_of::<&[i32]>());
    }

    #[test]
    fn what_is_added_comes_last() {
        let mut array = Int32Array::from([1, 2]);
        array.extend([3]);
        array.extend([4, 5]);
        assert_eq!(*array, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn inline_and_heap_read_the_same() {
        for len in 0..6 {
            let values: Vec<i32> = (0..len).map(|n| n - 2).collect();
            let wire: Vec<u8> = values.iter().flat_map(|n| n.to_be_bytes()).collect();
            let mut set = Int32Array::from([7; 9]);
            if let (Some(wire), true) = ([&wire[..], &[9; 12]].concat().first_chunk(), len <= 3) {
                set.set_inline(wire, len as u8);
            } else {
                set = values.as_slice().into();
            }
            for array in [
                set,
                Int32Array::from_wire(&wire),
                values.iter().copied().collect(),
                values.clone().into(),
                values.as_slice().into(),
            ] {
                assert_eq!(array.as_slice(), values);
                assert_eq!(format!("{array:?}"), format!("{values:?}"));
                assert_eq!(array, Int32Array::from_wire(&wire));
            }
        }
    }
}
