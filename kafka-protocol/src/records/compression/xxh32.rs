//! XXH32 with seed 0, the checksum of the LZ4 frame format.
//!
//! <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>

/// The XXH32 of `input` with seed 0.
pub(super) fn xxh32(input: &[u8]) -> u32 {
    let mut rest = input;
    let mut hash = if input.len() < 16 {
        PRIME_5
    } else {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, 0u32.wrapping_sub(PRIME_1)];
        while let Some((stripe, tail)) = rest.split_first_chunk::<16>() {
            rest = tail;
            for (lane, word) in lanes.iter_mut().zip(stripe.chunks_exact(4)) {
                let word = word.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
                *lane = lane
                    .wrapping_add(word.wrapping_mul(PRIME_2))
                    .rotate_left(13)
                    .wrapping_mul(PRIME_1);
            }
        }
        let [a, b, c, d] = lanes;
        a.rotate_left(1)
            .wrapping_add(b.rotate_left(7))
            .wrapping_add(c.rotate_left(12))
            .wrapping_add(d.rotate_left(18))
    };

    // The specification adds the length modulo 2³².
    hash = hash.wrapping_add(input.len() as u32);
    while let Some((word, tail)) = rest.split_first_chunk() {
        rest = tail;
        hash = hash
            .wrapping_add(u32::from_le_bytes(*word).wrapping_mul(PRIME_3))
            .rotate_left(17)
            .wrapping_mul(PRIME_4);
    }
    for byte in rest {
        hash = hash
            .wrapping_add(u32::from(*byte).wrapping_mul(PRIME_5))
            .rotate_left(11)
            .wrapping_mul(PRIME_1);
    }

    hash = (hash ^ (hash >> 15)).wrapping_mul(PRIME_2);
    hash = (hash ^ (hash >> 13)).wrapping_mul(PRIME_3);
    hash ^ (hash >> 16)
}

const PRIME_1: u32 = 0x9E37_79B1;
const PRIME_2: u32 = 0x85EB_CA77;
const PRIME_3: u32 = 0xC2B2_AE3D;
const PRIME_4: u32 = 0x27D4_EB2F;
const PRIME_5: u32 = 0x1656_67B1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        for (input, hash) in [
            (&b""[..], 0x02CC_5D05),
            (b"a", 0x550D_7456),
            (b"abc", 0x32D1_53FF),
            (b"message digest", 0x7C94_8494),
            (b"abcdefghijklmnopqrstuvwxyz", 0x63A1_4D5F),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0x9C28_5E64),
        ] {
            assert_eq!(xxh32(input), hash, "{input:?}");
        }
    }
}
