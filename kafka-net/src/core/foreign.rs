//! The size in front of a frame, and what it is instead when the peer does not speak Kafka.
//!
//! A client that was pointed at the wrong port reads the first bytes of another protocol as a size:
//! `HTTP` is 1,213,486,160 bytes. Naming that protocol is worth more than naming that number.

use std::fmt;

use crate::FrameError;

/// What a peer speaks that does not speak Kafka's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignProtocol {
    /// A web server.
    Http,
    /// A TLS listener that was reached without TLS.
    Tls,
    /// A shell server.
    Ssh,
    /// Some protocol whose answer begins with these printable characters.
    Text([u8; 4]),
}

impl ForeignProtocol {
    /// The protocol whose answer begins with these bytes, if they are known to be no Kafka frame's.
    pub fn detect(first: [u8; 4]) -> Option<Self> {
        match first {
            [b'H', b'T', b'T', b'P'] => Some(Self::Http),
            [b'S', b'S', b'H', b'-'] => Some(Self::Ssh),
            // An alert or a handshake record, of any version from SSL 3 to TLS 1.3.
            [0x15 | 0x16, 3, 0..=4, _] => Some(Self::Tls),
            text if text.iter().all(|byte| matches!(byte, b' '..=b'~')) => Some(Self::Text(text)),
            _ => None,
        }
    }
}

impl fmt::Display for ForeignProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http => f.write_str("this port speaks HTTP, not Kafka's protocol"),
            Self::Tls => f.write_str(
                "this port speaks TLS and was reached without: connect with TLS, or to a plaintext \
                 listener",
            ),
            Self::Ssh => f.write_str("this port speaks SSH, not Kafka's protocol"),
            Self::Text(first) => {
                let first = String::from_utf8_lossy(first);
                write!(f, "this port does not speak Kafka's protocol, its answer begins {first:?}")
            }
        }
    }
}

/// The size that a frame's first four bytes announce, counting what follows them.
///
/// Of the first frame of a connection (`is_first`) they may turn out to be another protocol's.
///
/// # Errors
/// A negative size, one above `limit`, or another protocol.
pub fn frame_len(size: [u8; 4], limit: usize, is_first: bool) -> Result<usize, FrameError> {
    if is_first {
        if let Some(protocol) = ForeignProtocol::detect(size) {
            return Err(FrameError::Foreign(protocol));
        }
    }
    let size = i32::from_be_bytes(size);
    match usize::try_from(size) {
        Ok(len) if len <= limit => Ok(len),
        Ok(len) => Err(FrameError::TooLarge { len, limit }),
        Err(_) => Err(FrameError::Negative { size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_what_answers() {
        let cases: [(&[u8; 4], &str); 8] = [
            (b"HTTP", "this port speaks HTTP, not Kafka's protocol"),
            (
                b"\x15\x03\x03\0",
                "this port speaks TLS and was reached without: connect with TLS, \
                                 or to a plaintext listener",
            ),
            (b"SSH-", "this port speaks SSH, not Kafka's protocol"),
            (b"220 ", "this port does not speak Kafka's protocol, its answer begins \"220 \""),
            (b"\0\0\0\x64", "100"),
            (b"\0\0\0\x65", "a frame of 101 bytes is announced, the limit is 100"),
            (b"\x7f\xff\xff\xff", "a frame of 2147483647 bytes is announced, the limit is 100"),
            (b"\xff\xff\xff\xff", "a frame of -1 bytes is announced"),
        ];
        for (first, expected) in cases {
            let told = match frame_len(*first, 100, true) {
                Ok(len) => len.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected);
        }
    }

    #[test]
    fn later_bytes_are_not_taken_for_a_protocol() {
        let error = FrameError::TooLarge { len: 0x4854_5450, limit: 100 };
        assert_eq!(frame_len(*b"HTTP", 100, false), Err(error));
    }
}
