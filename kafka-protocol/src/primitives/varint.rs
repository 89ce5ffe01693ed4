//! Variable-length integers: 7 bits a byte, least significant first; signed ones in zigzag form.

use super::parsed::{Parsed, fail};
use crate::error::DecodeErrorKind;

/// Unsigned varint of at most 32 bits (5 bytes): lengths, counts and tags of flexible versions.
#[inline(always)]
pub(crate) fn unsigned_varint(i: &[u8]) -> Parsed<'_, u32> {
    match i {
        [byte, rest @ ..] if *byte < 0x80 => Ok((rest, u32::from(*byte))),
        [low, high, rest @ ..] if *high < 0x80 => Ok((rest, two_bytes(*low, *high))),
        _ => {
            let (i, value) = long_varint(i, 5)?;
            match u32::try_from(value) {
                Ok(value) => Ok((i, value)),
                Err(_) => fail(i, DecodeErrorKind::InvalidVarint),
            }
        }
    }
}

/// Signed 32-bit varint in zigzag form: lengths and offsets inside a record.
#[inline(always)]
pub(crate) fn varint(i: &[u8]) -> Parsed<'_, i32> {
    let (i, value) = unsigned_varint(i)?;
    Ok((i, (value >> 1) as i32 ^ -((value & 1) as i32)))
}

/// Signed 64-bit varint in zigzag form: the timestamp delta of a record.
#[inline(always)]
pub(crate) fn varlong(i: &[u8]) -> Parsed<'_, i64> {
    let (i, value) = match i {
        [byte, rest @ ..] if *byte < 0x80 => (rest, u64::from(*byte)),
        [low, high, rest @ ..] if *high < 0x80 => (rest, u64::from(two_bytes(*low, *high))),
        _ => long_varint(i, 10)?,
    };
    Ok((i, (value >> 1) as i64 ^ -((value & 1) as i64)))
}

#[inline(always)]
fn two_bytes(low: u8, high: u8) -> u32 {
    u32::from(low & 0x7f) | u32::from(high) << 7
}

#[inline(never)]
fn long_varint(i: &[u8], bytes_max: usize) -> Parsed<'_, u64> {
    let mut value = 0_u64;
    for (n, &byte) in i.iter().take(bytes_max).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * n as u32;
        if (bits << shift) >> shift != bits {
            return fail(i, DecodeErrorKind::InvalidVarint);
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Ok((i.get(n + 1..).unwrap_or_default(), value));
        }
    }
    if i.len() < bytes_max {
        fail(i, DecodeErrorKind::Truncated { needed: i.len() + 1, remaining: i.len() })
    } else {
        fail(i, DecodeErrorKind::InvalidVarint)
    }
}

pub(crate) const fn zigzag_64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Bytes of `value` as an unsigned varint: 1 to 5.
#[inline(always)]
pub(crate) const fn unsigned_varint_len(value: u32) -> usize {
    unsigned_varlong_len(value as u64)
}

/// One byte for each seven significant bits, and one for zero. Nearly all values take one or two.
#[inline(always)]
pub(crate) const fn unsigned_varlong_len(value: u64) -> usize {
    if value < 1 << 14 {
        1 + (value >= 1 << 7) as usize
    } else {
        ((70 - value.leading_zeros()) / 7) as usize
    }
}

/// Writes `value` and gives the number of bytes used, at most 10.
#[inline(always)]
pub(crate) fn write_varint_64(into: &mut [u8; 10], mut value: u64) -> usize {
    let mut len = 0;
    for byte in into.iter_mut() {
        len += 1;
        if value < 0x80 {
            *byte = value as u8;
            break;
        }
        *byte = value as u8 | 0x80;
        value >>= 7;
    }
    len
}

#[inline(always)]
pub(crate) fn put_unsigned_varint(buf: &mut Vec<u8>, value: u32) {
    if value < 1 << 7 {
        buf.push(value as u8);
    } else if value < 1 << 14 {
        // Bytes gathered in a buffer of their own would be slow to copy out of it at once.
        buf.extend_from_slice(&[value as u8 | 0x80, (value >> 7) as u8]);
    } else {
        let mut bytes = [0; 10];
        let len = write_varint_64(&mut bytes, u64::from(value));
        buf.extend_from_slice(bytes.get(..len).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: u64) -> Vec<u8> {
        let mut bytes = [0; 10];
        let len = write_varint_64(&mut bytes, value);
        bytes[..len].to_vec()
    }

    #[test]
    fn signed_values_round_trip_at_every_length() {
        for shift in 0..64 {
            for value in
                [1_i64 << shift, (1_i64 << shift).wrapping_sub(1), -(1_i64 << (shift % 63))]
            {
                let buf = written(zigzag_64(value));
                assert_eq!(buf.len(), unsigned_varlong_len(zigzag_64(value)), "{value}");
                assert_eq!(varlong(&buf).unwrap(), (&[][..], value));
                if let Ok(value) = i32::try_from(value) {
                    let buf = written(zigzag_64(i64::from(value)));
                    assert_eq!(varint(&buf).unwrap(), (&[][..], value));
                }
            }
        }
    }

    #[test]
    fn zigzag_is_not_a_division_by_two() {
        for (byte, value) in [(0, 0), (1, -1), (2, 1), (3, -2), (4, 2), (127, -64)] {
            assert_eq!(varint(&[byte]).unwrap().1, value);
        }
    }

    #[test]
    fn padded_varints_are_read_and_overlong_ones_refused() {
        assert_eq!(unsigned_varint(&[0x81, 0x80, 0x00, 9]).unwrap(), (&[9][..], 1));
        assert!(unsigned_varint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]).is_err());
        assert!(unsigned_varint(&[0xff, 0xff, 0xff, 0xff, 0x1f]).is_err());
        assert_eq!(unsigned_varint(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap().1, u32::MAX);
        assert!(varlong(&[0xff; 10]).is_err());
        assert!(unsigned_varint(&[0x80]).is_err());
        assert!(unsigned_varint(&[]).is_err());
    }

    /// Java's own vectors, see tests/golden/README.md.
    #[test]
    fn vectors_of_java_are_read_as_java_reads_them() {
        let read = |form: &str, hex: &str| {
            let digits: Vec<u8> =
                hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
            let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] * 16 + pair[1]).collect();
            match form {
                "varint" => varint(&bytes).ok().map(|(_, value)| i64::from(value)),
                "uvarint" => unsigned_varint(&bytes).ok().map(|(_, value)| i64::from(value)),
                _ => varlong(&bytes).ok().map(|(_, value)| value),
            }
        };
        let mut compared = 0;
        for line in include_str!("../../tests/golden/primitives.txt").lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["write", form, value, hex] => assert_eq!(read(form, hex), value.parse().ok()),
                ["refuse", form, hex, ..] => assert_eq!(read(form, hex), None, "{line}"),
                // Java drops bits that do not fit; we refuse them, and read padding as Java does.
                ["read", form, hex, value] => {
                    let ours = read(form, hex);
                    assert!(ours.is_none() || ours == value.parse().ok(), "{line}");
                }
                _ => continue,
            }
            compared += 1;
        }
        assert!(compared > 50, "{compared} vectors");
    }
}
