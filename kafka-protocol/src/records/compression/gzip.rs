//! gzip, as `java.util.zip` reads it and much as it writes it.

use std::io::{ErrorKind, Read, Write};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

use super::blocks::for_each_block;
use super::{Compression, CompressionError, CompressionOptions, first_capacity};

/// Appends one gzip member. Its header has no name and no time, so equal input gives equal output.
pub(super) fn compress(
    options: CompressionOptions,
    chunks: &[Bytes],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    let mut encoder = GzEncoder::new(out, deflate_level(options));
    // deflate takes half as long again for writes of 200 bytes as for these.
    for_each_block(chunks, WRITE_SIZE, |block| encoder.write_all(block).map_err(|_| FAILED))?;
    encoder.finish().map_err(|_| FAILED)?;
    Ok(())
}

/// The level of zlib-rs that stands for the one asked for.
///
/// Level 1 becomes 2: the level 1 of zlib-rs writes a third more than zlib's, and 5 % more than it
/// was given if that cannot be compressed; its level 2 writes as much as zlib's level 1.
fn deflate_level(options: CompressionOptions) -> flate2::Compression {
    match options.level().map(u32::try_from) {
        Some(Ok(level)) => flate2::Compression::new(level.max(2)),
        // -1, the default of Java and zlib.
        Some(Err(_)) | None => flate2::Compression::new(6),
    }
}

/// Decompresses one gzip member and those that follow it.
///
/// As in Java's `GZIPInputStream`, whatever follows a member without being the header of another
/// one is ignored, and so is a rest too short for a member.
pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out =
        Vec::with_capacity(first_capacity(input, claimed_size(input), USUAL_RATIO, limit));
    let mut decoder = GzDecoder::new(input);
    if decoder.header().is_none() {
        return Err(corrupt("no gzip header"));
    }
    loop {
        // One byte beyond the limit tells "too large" from "exactly the limit".
        let room = (limit - out.len()).saturating_add(1);
        let room = u64::try_from(room).unwrap_or(u64::MAX);
        (&mut decoder).take(room).read_to_end(&mut out).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => corrupt("truncated"),
            _ => corrupt("damaged deflate stream or wrong checksum"),
        })?;
        if out.len() > limit {
            let codec = Compression::Gzip;
            return Err(CompressionError::TooLarge { codec, limit });
        }

        let rest = *decoder.get_ref();
        if rest.len() <= MEMBER_OVERHEAD {
            return Ok(out);
        }
        // A new decoder for each member would cost 47 KB for every 20 bytes of input.
        decoder.reset(rest);
        // Reads the header and nothing else.
        if decoder.read(&mut []).is_err() {
            return Ok(out);
        }
    }
}

/// The size modulo 2³² in the last four bytes, if `input` is a single member and nothing else.
fn claimed_size(input: &[u8]) -> Option<u64> {
    let size = input.last_chunk()?;
    Some(u32::from_le_bytes(*size).into())
}

fn corrupt(reason: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: Compression::Gzip, reason }
}

/// Writing to memory does not fail, so this is never seen.
const FAILED: CompressionError =
    CompressionError::Failed { codec: Compression::Gzip, reason: "cannot write to memory" };

/// What the encoder is given at a time, as Java buffers in front of its own.
const WRITE_SIZE: usize = 16 * 1024;

/// See [`first_capacity`].
const USUAL_RATIO: usize = 4;

/// Header (10 bytes) and trailer (8 bytes) of the shortest member.
const MEMBER_OVERHEAD: usize = 18;

#[cfg(test)]
mod tests {
    use super::super::tests::{compressed, text};
    use super::*;

    /// What Java 17 writes for no bytes.
    const EMPTY_MEMBER: [u8; 20] =
        [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn the_header_is_that_of_java() {
        assert_eq!(compressed(Compression::Gzip, b""), EMPTY_MEMBER);
        let out = compressed(Compression::Gzip, b"abc");
        assert_eq!(out.get(..10), EMPTY_MEMBER.get(..10));
    }

    #[test]
    fn several_members_are_one_stream() {
        let mut input = compressed(Compression::Gzip, &text(1_000));
        input.extend_from_slice(&EMPTY_MEMBER);
        input.extend(compressed(Compression::Gzip, b"abc"));
        let expected = [text(1_000), b"abc".to_vec()].concat();
        assert_eq!(decompress(&input, 1_003), Ok(expected));
        assert_eq!(
            decompress(&input, 1_002),
            Err(CompressionError::TooLarge { codec: Compression::Gzip, limit: 1_002 })
        );

        // The second member has begun, so this is no longer garbage to be ignored.
        input.pop();
        assert_eq!(decompress(&input, 2_000), Err(corrupt("truncated")));
    }

    #[test]
    fn what_is_no_member_is_ignored_at_the_end() {
        for garbage in [&b"x"[..], &EMPTY_MEMBER[..18], &[0x55; 100], &[0; 4096]] {
            let mut input = compressed(Compression::Gzip, b"abc");
            input.extend_from_slice(garbage);
            assert_eq!(decompress(&input, 10), Ok(b"abc".to_vec()));
        }
    }

    #[test]
    fn checksum_and_size_are_verified() {
        let input = compressed(Compression::Gzip, b"abc");
        for from_end in [1, 5] {
            let mut damaged = input.clone();
            let position = damaged.len() - from_end;
            damaged[position] ^= 1;
            assert!(decompress(&damaged, 10).is_err());
        }
    }

    #[test]
    fn optional_header_fields_are_read() {
        let mut encoder = flate2::GzBuilder::new()
            .filename("records")
            .comment("none")
            .extra(vec![1, 2, 3])
            .mtime(1)
            .write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"abc").expect("writes");
        let input = encoder.finish().expect("writes");
        assert_eq!(decompress(&input, 10), Ok(b"abc".to_vec()));
    }
}
