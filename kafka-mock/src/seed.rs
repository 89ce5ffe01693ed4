//! Ids that look random and are the same in every run.

use kafka_protocol::Uuid;

/// A stream of numbers that follows from the seed alone (SplitMix64).
#[derive(Debug, Clone)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A UUID of version 4 that is not zero.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let bits = u128::from(self.number()) << 64 | u128::from(self.number());
        let version = bits & !(0xf << 76) | 4 << 76;
        Uuid::from_u128(version & !(3 << 62) | 2 << 62)
    }
}
