//! What hostile input may cost.

/// Limits on the memory that decoding one buffer may allocate.
///
/// The defaults never refuse a valid message: each message has a bound, generated from its types,
/// of the memory that its bytes can honestly need
/// ([`Message::MEMORY_PER_BYTE`](crate::Message::MEMORY_PER_BYTE) times its length, plus
/// [`DecodeLimits::SLACK`]), and decoding stops there. Set less where less is expected.
///
/// Independent of these numbers, no array is allocated for more elements than the remaining bytes
/// could hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// Most bytes that decoding one message may allocate, for arrays and structs; the bytes of the
    /// frame itself are shared, not copied. The message's own bound applies as well.
    pub allocation: usize,
    /// Most bytes that the records of one batch may have after decompression.
    pub decompressed: usize,
}

impl DecodeLimits {
    /// Part of every message's bound that does not depend on its length: 64 KiB.
    pub const SLACK: usize = 64 * 1024;

    /// The defaults: each message's own bound, and 64 MiB for the decompressed records of a batch.
    pub const DEFAULT: Self = Self { allocation: usize::MAX, decompressed: 64 * 1024 * 1024 };

    /// These limits with at most `bytes` allocated for one message.
    #[must_use]
    pub const fn with_allocation(mut self, bytes: usize) -> Self {
        self.allocation = bytes;
        self
    }

    /// These limits with at most `bytes` of decompressed records in one batch.
    #[must_use]
    pub const fn with_decompressed(mut self, bytes: usize) -> Self {
        self.decompressed = bytes;
        self
    }

    /// Allocation budget for a message of `len` bytes that needs `per_byte` bytes of memory for a
    /// byte on the wire.
    pub(crate) fn budget(&self, per_byte: usize, len: usize) -> usize {
        per_byte.saturating_mul(len).saturating_add(Self::SLACK).min(self.allocation)
    }
}

impl Default for DecodeLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The largest ratio of bytes in memory to least bytes on the wire among the elements that a message
/// allocates, rounded up. Elements without any bytes are left out: the slack bounds them.
pub(crate) const fn memory_per_byte(elements: &[(usize, usize)]) -> usize {
    let mut most = 0;
    let mut rest = elements;
    while let [(memory, wire), others @ ..] = rest {
        if *wire > 0 && memory.div_ceil(*wire) > most {
            most = memory.div_ceil(*wire);
        }
        rest = others;
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_ratio_counts_and_no_bytes_do_not() {
        for (elements, most) in [
            (&[][..], 0),
            (&[(24, 3)], 8),
            (&[(25, 3), (16, 4)], 9),
            (&[(16, 4), (25, 3)], 9),
            (&[(8, 0), (4, 4)], 1),
        ] {
            assert_eq!(memory_per_byte(elements), most, "{elements:?}");
        }
    }

    #[test]
    fn a_budget_is_the_least_of_all_bounds() {
        let limits = DecodeLimits::DEFAULT;
        assert_eq!(limits.budget(30, 1000), 30_000 + 65_536);
        assert_eq!(limits.budget(usize::MAX, 2), usize::MAX);
        assert_eq!(limits.with_allocation(5).budget(30, 1000), 5);
    }
}
