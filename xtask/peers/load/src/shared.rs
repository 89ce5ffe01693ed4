//! Values and keys for clients that take shared bytes: made once, so that no record costs an allocation
//! that the client does not ask for.

use bytes::Bytes;

use crate::Load;
use crate::records::{Keys, VALUES, key_at};

/// All values and keys, each with a count of its own references.
#[derive(Debug)]
pub struct SharedRecords {
    values: Vec<Bytes>,
    keys: Vec<Bytes>,
}

impl SharedRecords {
    /// Those of the load.
    pub fn new(load: &Load) -> Self {
        let values = (0..VALUES as u64).map(|number| Bytes::copy_from_slice(load.value(number)));
        let keys = load.keys.iter().flat_map(Keys::iter).map(Bytes::copy_from_slice);
        Self { values: values.collect(), keys: keys.collect() }
    }

    /// As [`Load::value`].
    pub fn value(&self, number: u64) -> Bytes {
        self.values[number as usize % VALUES].clone()
    }

    /// As [`Load::key`].
    pub fn key(&self, number: u64) -> Option<Bytes> {
        let index = (!self.keys.is_empty()).then(|| key_at(number, self.keys.len()));
        index.map(|index| self.keys[index].clone())
    }
}
