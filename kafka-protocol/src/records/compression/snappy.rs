//! Snappy in the xerial stream format of snappy-java.
//!
//! ```text
//! 82 'S' 'N' 'A' 'P' 'P' 'Y' 00   magic
//! 00 00 00 01                     version
//! 00 00 00 01                     oldest version that can read it
//! then for each 32 KiB of input:
//!   length  u32, big-endian
//!   block   raw snappy, which begins with its decompressed length
//! ```
//!
//! Some clients write one raw snappy block instead; Java reads that too.

use bytes::Bytes;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

use super::blocks::for_each_block;
use super::{Compression, CompressionError};

/// Appends a xerial stream.
pub(super) fn compress(chunks: &[Bytes], out: &mut Vec<u8>) -> Result<(), CompressionError> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    let mut encoder = Encoder::new();
    for_each_block(chunks, BLOCK_SIZE, |block| {
        let start = out.len();
        out.resize(start + LENGTH_SIZE + max_compress_len(block.len()), 0);
        let (length_bytes, target) = out
            .get_mut(start..)
            .and_then(|end| end.split_first_chunk_mut::<LENGTH_SIZE>())
            .ok_or(FAILED)?;
        let length = encoder.compress(block, target).map_err(|_| FAILED)?;
        *length_bytes = u32::try_from(length).map_err(|_| FAILED)?.to_be_bytes();
        out.truncate(start + LENGTH_SIZE + length);
        Ok(())
    })
}

/// Decompresses a xerial stream, several of them in a row, or one raw block.
///
/// As in snappy-java's `SnappyInputStream`, a rest of less than 4 bytes is ignored. The format
/// has no end mark: a stream cut between two blocks is a shorter stream.
pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let mut out = Vec::new();
    let mut decoder = Decoder::new();
    let Some(mut rest) = skip_header(input) else {
        append_block(&mut decoder, input, limit, &mut out)?;
        return Ok(out);
    };
    while let Some((length_bytes, after_length)) = rest.split_first_chunk::<LENGTH_SIZE>() {
        if let Some(after_header) = skip_header(rest) {
            rest = after_header;
            continue;
        }
        let length = usize::try_from(u32::from_be_bytes(*length_bytes)).unwrap_or(usize::MAX);
        let (block, after_block) = after_length
            .split_at_checked(length)
            .ok_or(corrupt("block is longer than the rest of the stream"))?;
        append_block(&mut decoder, block, limit, &mut out)?;
        rest = after_block;
    }
    Ok(out)
}

/// What follows the stream header at the start of `input`, `None` if there is no header.
///
/// The version is not looked at: snappy-java reads every version from 1 on, and so far there is
/// only that one.
fn skip_header(input: &[u8]) -> Option<&[u8]> {
    let after_magic = input.strip_prefix(&MAGIC)?;
    after_magic.get(VERSIONS.len()..)
}

fn append_block(
    decoder: &mut Decoder,
    block: &[u8],
    limit: usize,
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    if block.is_empty() {
        return Err(corrupt("empty block"));
    }
    let length = decompress_len(block).map_err(|_| corrupt("invalid length of a block"))?;
    if length > block.len().saturating_mul(RATIO_MAX) {
        return Err(corrupt("block claims more than snappy can compress"));
    }
    let start = out.len();
    if length > limit - start {
        let codec = Compression::Snappy;
        return Err(CompressionError::TooLarge { codec, limit });
    }
    out.resize(start + length, 0);
    let target = out.get_mut(start..).unwrap_or_default();
    let written = decoder.decompress(block, target).map_err(|_| corrupt("damaged block"))?;
    out.truncate(start + written);
    Ok(())
}

const fn corrupt(reason: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: Compression::Snappy, reason }
}

/// The encoder refuses only blocks of 4 GiB and targets that are too short, so this is never seen.
const FAILED: CompressionError =
    CompressionError::Failed { codec: Compression::Snappy, reason: "cannot compress a block" };

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
const LENGTH_SIZE: usize = 4;

/// Default block size of snappy-java's `SnappyOutputStream`.
const BLOCK_SIZE: usize = 32 * 1024;

/// The best a snappy element does is to copy 64 bytes by 3.
const RATIO_MAX: usize = 22;

#[cfg(test)]
mod tests {
    use super::super::tests::{compressed, noise, text};
    use super::*;

    fn raw(content: &[u8]) -> Vec<u8> {
        Encoder::new().compress_vec(content).expect("compresses")
    }

    /// Length and raw block, as in a xerial stream.
    fn framed(block: &[u8]) -> Vec<u8> {
        let length = u32::try_from(block.len()).expect("small");
        [&length.to_be_bytes(), block].concat()
    }

    fn header() -> Vec<u8> {
        b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01".to_vec()
    }

    #[test]
    fn the_stream_is_the_xerial_one() {
        assert_eq!(compressed(Compression::Snappy, b""), header());

        let content = noise(70_000);
        let expected: Vec<u8> = content
            .chunks(32 * 1024)
            .fold(header(), |stream, block| [stream, framed(&raw(block))].concat());
        assert_eq!(compressed(Compression::Snappy, &content), expected);
    }

    #[test]
    fn a_raw_block_is_accepted() {
        for content in [b"a".to_vec(), b"0123456789".to_vec(), text(100_000)] {
            let length = content.len();
            let input = raw(&content);
            assert_eq!(decompress(&input, length), Ok(content));
            assert_eq!(
                decompress(&input, length - 1),
                Err(CompressionError::TooLarge { codec: Compression::Snappy, limit: length - 1 })
            );
        }
    }

    #[test]
    fn streams_can_follow_each_other() {
        let stream = compressed(Compression::Snappy, b"abc");
        let input = [stream.clone(), header(), stream].concat();
        assert_eq!(decompress(&input, 6), Ok(b"abcabc".to_vec()));
    }

    #[test]
    fn blocks_of_other_writers_may_be_larger() {
        let content = text(200_000);
        let input = [header(), framed(&raw(&content))].concat();
        assert_eq!(decompress(&input, 200_000), Ok(content));
    }

    #[test]
    fn a_rest_too_short_for_a_length_is_ignored() {
        let mut input = compressed(Compression::Snappy, b"abc");
        input.extend_from_slice(&[1, 2, 3]);
        assert_eq!(decompress(&input, 10), Ok(b"abc".to_vec()));
        input.push(4);
        assert!(decompress(&input, 10).is_err());
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        // 4 GiB - 1 from one literal byte.
        let block = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0x00, b'a'];
        for input in [block.to_vec(), [header(), framed(&block)].concat()] {
            assert_eq!(
                decompress(&input, usize::MAX),
                Err(corrupt("block claims more than snappy can compress"))
            );
        }
        assert_eq!(
            decompress(&[header(), vec![0xFF, 0xFF, 0xFF, 0xFF, 1]].concat(), 10),
            Err(corrupt("block is longer than the rest of the stream"))
        );
    }

    #[test]
    fn nothing_at_all_is_an_error() {
        assert_eq!(decompress(b"", 10), Err(corrupt("empty block")));
        let input = [header(), framed(b"")].concat();
        assert_eq!(decompress(&input, 10), Err(corrupt("empty block")));
    }
}
