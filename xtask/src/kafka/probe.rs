//! Whether a broker answers, and which brokers it knows: one Metadata request over plain TCP.
//!
//! Written by hand, since xtask is what writes the codec and must build when that does not.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// The ids of the brokers that the one at this address knows to be alive.
pub(super) fn live_brokers(address: SocketAddr) -> Result<Vec<i32>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(&REQUEST)?;
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let len = usize::try_from(i32::from_be_bytes(len))?;
    ensure!(len <= RESPONSE_LEN_MAX, "a response of {len} bytes");
    let mut response = vec![0; len];
    stream.read_exact(&mut response)?;
    parse(&response).context("not a Metadata response")
}

/// A Metadata response of version 1, as far as the brokers go.
fn parse(response: &[u8]) -> Option<Vec<i32>> {
    let rest = &mut &response[..];
    take::<4>(rest).filter(|id| *id == CORRELATION_ID)?;
    let count = i32::from_be_bytes(take(rest)?);
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(i32::from_be_bytes(take(rest)?));
        skip_string(rest)?; // host
        take::<4>(rest)?; // port
        skip_string(rest)?; // rack
    }
    Some(ids)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

/// A null string has the length -1.
fn skip_string(rest: &mut &[u8]) -> Option<()> {
    let len = usize::try_from(i16::from_be_bytes(take(rest)?)).unwrap_or(0);
    *rest = rest.get(len..)?;
    Some(())
}

const CORRELATION_ID: [u8; 4] = *b"wait";

/// Length; Metadata, version 1; correlation id; null client id; no topics.
const REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, b'w', b'a', b'i', b't', 0xff, 0xff, 0, 0, 0, 0];

const RESPONSE_LEN_MAX: usize = 1 << 16;
const TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_of_a_response() {
        let mut response = b"wait\0\0\0\x02".to_vec();
        response.extend(b"\0\0\0\x01\0\x04host\0\0\x23\x84\xff\xff");
        response.extend(b"\0\0\0\x07\0\x01h\0\0\x23\x85\0\x02r1");
        assert_eq!(parse(&response), Some(vec![1, 7]));
        for len in 0..response.len() {
            assert_eq!(parse(&response[..len]), None, "{len}");
        }
        response[0] = 0;
        assert_eq!(parse(&response), None);
    }
}
