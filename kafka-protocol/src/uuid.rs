//! Kafka's UUIDs: topic ids and directory ids.

use std::fmt;
use std::str::FromStr;

/// A UUID as Kafka writes and prints it: 16 bytes, shown as 22 characters of URL-safe base64.
///
/// ```
/// # use kafka_protocol::Uuid;
/// let id: Uuid = "c2Kx-3nLTxSjrqb2rlhRXg".parse()?;
/// assert_eq!(id.to_string(), "c2Kx-3nLTxSjrqb2rlhRXg");
/// assert!(Uuid::ZERO.is_zero());
/// # Ok::<(), kafka_protocol::ParseUuidError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// All bits zero: "no id".
    pub const ZERO: Self = Self([0; 16]);

    /// From its bytes, most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From its bits.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits.to_be_bytes())
    }

    /// Its bytes, most significant first.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Its bits.
    pub const fn to_u128(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// Whether it is [`Uuid::ZERO`], which Kafka uses for "none".
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }
}

/// Digits of URL-safe base64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const TEXT_LEN: usize = 22;

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.to_u128();
        let mut text = String::with_capacity(TEXT_LEN);
        // 21 digits of 6 bits from the top; the last digit carries 2 bits and 4 zeros.
        for digit in 0..21 {
            text.push(digit_of(bits >> (122 - 6 * digit)));
        }
        text.push(digit_of(bits << 4));
        f.pad(&text)
    }
}

/// The digit of the lowest six bits.
fn digit_of(bits: u128) -> char {
    DIGITS.get(bits as usize & 63).map_or('A', |digit| char::from(*digit))
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, ParseUuidError> {
        if text.len() != TEXT_LEN {
            return Err(ParseUuidError);
        }
        let mut bits = 0_u128;
        for (n, byte) in text.bytes().enumerate() {
            let digit = DIGITS.iter().position(|&digit| digit == byte).ok_or(ParseUuidError)?;
            let digit = digit as u128;
            if n < TEXT_LEN - 1 {
                bits = bits << 6 | digit;
            } else if digit & 0xf == 0 {
                bits = bits << 2 | digit >> 4;
            } else {
                return Err(ParseUuidError);
            }
        }
        Ok(Self::from_u128(bits))
    }
}

/// The text is not 22 characters of URL-safe base64 for 128 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseUuidError;

impl fmt::Display for ParseUuidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a Kafka UUID: expected 22 characters of URL-safe base64")
    }
}

impl std::error::Error for ParseUuidError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_round_trip_and_wrong_ones_are_refused() {
        for bits in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0011_2233_4455_6677] {
            let id = Uuid::from_u128(bits);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(Uuid::ZERO.to_string(), "AAAAAAAAAAAAAAAAAAAAAA");
        // Kafka's Uuid.ONE_UUID, the reserved metadata topic id.
        assert_eq!(Uuid::from_u128(1).to_string(), "AAAAAAAAAAAAAAAAAAAAAQ");
        for wrong in
            ["", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA+", "AAAAAAAAAAAAAAAAAAAAAB"]
        {
            assert_eq!(wrong.parse::<Uuid>(), Err(ParseUuidError), "{wrong}");
        }
    }
}
