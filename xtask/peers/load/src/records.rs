//! Values and keys. The recipe is the same in every language.

/// Different values, of which each is sent in turn.
pub(crate) const VALUES: usize = 1024;

/// Where the generator of the values starts.
const SEED: u64 = 42;

/// The second half of each value.
const FILL: u8 = b'x';

/// A key is "key-" and up to ten digits.
const KEY_MAX: usize = 15;

/// What a number in the sequence of the keys is multiplied with: 2⁶⁴ divided by the golden ratio.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// All values behind each other. The first half of each is little-endian SplitMix64, one generator for
/// all of them, the last number of a value cut off where its half ends; the rest is filled up.
#[derive(Debug)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    size: usize,
}

impl Values {
    pub(crate) fn new(size: usize) -> Self {
        let mut bytes = vec![FILL; VALUES * size];
        let mut state = SEED;
        for value in 0..VALUES {
            let start = value * size;
            for chunk in bytes[start..start + size / 2].chunks_mut(8) {
                chunk.copy_from_slice(&split_mix(&mut state).to_le_bytes()[..chunk.len()]);
            }
        }
        Self { bytes, size }
    }

    pub(crate) fn get(&self, number: u64) -> &[u8] {
        let start = number as usize % VALUES * self.size;
        &self.bytes[start..start + self.size]
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(SPREAD);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// All keys, made before anything is timed.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    len: u8,
    bytes: [u8; KEY_MAX],
}

impl Keys {
    pub(crate) fn new(count: u32) -> Self {
        Self((0..count).map(Key::new).collect())
    }

    pub(crate) fn get(&self, number: u64) -> &[u8] {
        self.0[key_at(number, self.0.len())].bytes()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Key::bytes)
    }
}

/// Which key the record with this number has: the upper half of number × 2⁶⁴/φ, modulo the count.
pub(crate) fn key_at(number: u64, count: usize) -> usize {
    ((number.wrapping_mul(SPREAD) >> 32) % count as u64) as usize
}

impl Key {
    fn new(number: u32) -> Self {
        let text = format!("key-{number}");
        let mut bytes = [0; KEY_MAX];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Self { len: text.len() as u8, bytes }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_in_their_first_half() {
        let values = Values::new(100);
        assert_eq!(values.get(0).len(), 100);
        // The first number of SplitMix64 from 42.
        assert_eq!(values.get(0)[..8], 0xbdd7_3226_2feb_6e95_u64.to_le_bytes());
        assert_ne!(values.get(0), values.get(1));
        assert_eq!(values.get(1), values.get(1025));
        assert_eq!(values.get(7)[50..], [FILL; 50]);
    }

    #[test]
    fn all_keys_come_up() {
        let keys = Keys::new(10);
        let mut seen: Vec<_> = (0..100).map(|number| keys.get(number)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 10);
        assert_eq!(seen[3], b"key-3");
    }
}
