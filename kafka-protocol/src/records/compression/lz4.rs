//! LZ4 in its frame format, as Java's `Lz4BlockOutputStream` writes it.
//!
//! ```text
//! 04 22 4D 18   magic
//! FLG           version 01, then bits: independent blocks, block checksums, content size,
//!               content checksum, reserved, dictionary
//! BD            maximum block size: 4 = 64 KiB, 5 = 256 KiB, 6 = 1 MiB, 7 = 4 MiB
//! size          u64, if FLG says so
//! HC            second byte of the xxh32 of FLG to here
//! then for each block:
//!   length      u32, high bit set if the block is stored as it is
//!   block
//!   checksum    u32, if FLG says so
//! 00 00 00 00   end mark
//! checksum      u32 of the content, if FLG says so
//! ```
//!
//! All numbers are little-endian. The wrong HC of message format v0 (KAFKA-3160) is not supported.

use bytes::Bytes;
use lz4_flex::block::{self, DecompressError};

use super::blocks::for_each_block;
use super::xxh32::xxh32;
use super::{Compression, CompressionError, CompressionOptions, first_capacity};

/// Appends one frame.
pub(super) fn compress(
    options: CompressionOptions,
    chunks: &[Bytes],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    out.extend_from_slice(&HEADER);
    for_each_block(chunks, BLOCK_SIZE, |block| {
        let start = out.len();
        out.resize(start + LENGTH_SIZE + block::get_maximum_output_size(block.len()), 0);
        let (length_bytes, target) = out
            .get_mut(start..)
            .and_then(|end| end.split_first_chunk_mut::<LENGTH_SIZE>())
            .ok_or(FAILED)?;
        let length = compress_block(options, block, target)?;
        if length < block.len() {
            *length_bytes = u32::try_from(length).map_err(|_| FAILED)?.to_le_bytes();
            out.truncate(start + LENGTH_SIZE + length);
        } else {
            let length = u32::try_from(block.len()).map_err(|_| FAILED)? | STORED;
            *length_bytes = length.to_le_bytes();
            out.truncate(start + LENGTH_SIZE);
            out.extend_from_slice(block);
        }
        Ok(())
    })?;
    out.extend_from_slice(&END_MARK);
    Ok(())
}

/// Compresses a block and returns the compressed length.
///
/// Like Java, the default level takes the fast compressor and every other level, even a lower
/// one, the high compressor.
fn compress_block(
    options: CompressionOptions,
    block: &[u8],
    target: &mut [u8],
) -> Result<usize, CompressionError> {
    if options.level() == Compression::Lz4.default_level() {
        return block::compress_into(block, target).map_err(|_| FAILED);
    }
    compress_block_high(options, block, target)
}

#[cfg(feature = "lz4-hc")]
fn compress_block_high(
    options: CompressionOptions,
    block: &[u8],
    target: &mut [u8],
) -> Result<usize, CompressionError> {
    use ::lz4::block::{CompressionMode, compress_to_buffer};
    let mode = options.level().map(CompressionMode::HIGHCOMPRESSION);
    compress_to_buffer(block, mode, false, target).map_err(|_| FAILED)
}

/// [`Compression::with_level`] does not let such a level through.
#[cfg(not(feature = "lz4-hc"))]
fn compress_block_high(
    _: CompressionOptions,
    _: &[u8],
    _: &mut [u8],
) -> Result<usize, CompressionError> {
    Err(CompressionError::Failed {
        codec: Compression::Lz4,
        reason: "this level needs the cargo feature `lz4-hc` of kafka-protocol",
    })
}

/// Decompresses one frame. Like Java, ignores what follows it.
///
/// Unlike Java, it also takes blocks that refer to earlier ones, and refuses a frame whose
/// content size or content checksum is wrong.
pub(super) fn decompress(mut input: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let frame = Frame::parse(&mut input)?;
    let mut out = Vec::with_capacity(first_capacity(input, frame.content_size, USUAL_RATIO, limit));
    loop {
        let length = u32::from_le_bytes(take(&mut input)?);
        let is_stored = length & STORED != 0;
        let length = usize::try_from(length & !STORED).unwrap_or(usize::MAX);
        if length == 0 {
            break;
        }
        if length > frame.block_size_max {
            return Err(corrupt("block is longer than the frame allows"));
        }
        let (block, rest) = input.split_at_checked(length).ok_or(TRUNCATED)?;
        input = rest;
        if frame.has_block_checksums && u32::from_le_bytes(take(&mut input)?) != xxh32(block) {
            return Err(corrupt("wrong checksum of a block"));
        }
        if !is_stored {
            frame.append_decompressed(block, limit, &mut out)?;
        } else if block.len() <= limit - out.len() {
            out.extend_from_slice(block);
        } else {
            return Err(too_large(limit));
        }
    }

    let length = u64::try_from(out.len()).unwrap_or(u64::MAX);
    if frame.content_size.is_some_and(|size| size != length) {
        return Err(corrupt("wrong content size"));
    }
    if frame.has_content_checksum && u32::from_le_bytes(take(&mut input)?) != xxh32(&out) {
        return Err(corrupt("wrong checksum of the content"));
    }
    Ok(out)
}

/// The frame header.
struct Frame {
    has_independent_blocks: bool,
    has_block_checksums: bool,
    has_content_checksum: bool,
    content_size: Option<u64>,
    /// Applies to a block both before and after decompression.
    block_size_max: usize,
}

impl Frame {
    fn parse(input: &mut &[u8]) -> Result<Self, CompressionError> {
        if take(input)? != MAGIC {
            return Err(corrupt("no LZ4 frame header"));
        }
        let descriptor = *input;
        let [flags, block_descriptor] = take(input)?;
        if flags >> 6 != VERSION {
            return Err(corrupt("unknown version of the frame format"));
        }
        if flags & 0b11 != 0 || block_descriptor & 0b1000_1111 != 0 {
            return Err(corrupt("frame has a dictionary or unknown flags"));
        }
        let block_size_max = match block_descriptor >> 4 {
            4 => BLOCK_SIZE,
            5 => 256 * 1024,
            6 => 1024 * 1024,
            7 => 4 * 1024 * 1024,
            _ => return Err(corrupt("unknown maximum block size")),
        };
        let content_size =
            if flags & 0b1000 != 0 { Some(u64::from_le_bytes(take(input)?)) } else { None };

        let hashed = descriptor.len() - input.len();
        let [_, expected, ..] = xxh32(descriptor.get(..hashed).unwrap_or_default()).to_le_bytes();
        let [checksum] = take(input)?;
        if checksum != expected {
            return Err(corrupt("wrong checksum of the frame header"));
        }
        Ok(Self {
            has_independent_blocks: flags & 0b10_0000 != 0,
            has_block_checksums: flags & 0b1_0000 != 0,
            has_content_checksum: flags & 0b100 != 0,
            content_size,
            block_size_max,
        })
    }

    /// Decompresses `block` onto the end of `out`.
    ///
    /// A block does not tell its decompressed length, and the maximum is a bad guess: many writers
    /// put small batches into frames of 4 MiB blocks. So the room for it grows until it fits.
    fn append_decompressed(
        &self,
        block: &[u8],
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let start = out.len();
        let room_left = limit - start;
        let room_max = room_left.min(self.block_size_max);
        let mut room = block.len().saturating_mul(USUAL_RATIO).min(room_max);
        loop {
            out.resize(start + room, 0);
            let (earlier, target) = out.split_at_mut(start);
            let result = if self.has_independent_blocks {
                block::decompress_into(block, target)
            } else {
                let window = earlier.get(start.saturating_sub(WINDOW_SIZE)..);
                block::decompress_into_with_dict(block, target, window.unwrap_or_default())
            };
            match result {
                Ok(length) => {
                    out.truncate(start + length);
                    return Ok(());
                }
                Err(DecompressError::OutputTooSmall { .. }) if room < room_max => {
                    room = room.saturating_mul(ROOM_GROWTH).min(room_max);
                }
                Err(DecompressError::OutputTooSmall { .. }) if room == room_left => {
                    return Err(too_large(limit));
                }
                Err(_) => return Err(corrupt("damaged block")),
            }
        }
    }
}

/// Takes the first `N` bytes off `input`.
fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], CompressionError> {
    let (first, rest) = input.split_first_chunk().ok_or(TRUNCATED)?;
    *input = rest;
    Ok(*first)
}

const fn too_large(limit: usize) -> CompressionError {
    CompressionError::TooLarge { codec: Compression::Lz4, limit }
}

const fn corrupt(reason: &'static str) -> CompressionError {
    CompressionError::Corrupt { codec: Compression::Lz4, reason }
}

const TRUNCATED: CompressionError = corrupt("truncated");

/// The compressors refuse only targets that are too short, so this is never seen.
const FAILED: CompressionError =
    CompressionError::Failed { codec: Compression::Lz4, reason: "cannot compress a block" };

const MAGIC: [u8; 4] = 0x184D_2204_u32.to_le_bytes();
const VERSION: u8 = 0b01;

/// Magic, independent blocks of 64 KiB without checksums, and the checksum of that.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82];
const END_MARK: [u8; 4] = [0; 4];
const LENGTH_SIZE: usize = 4;

/// Bit of a block's length that says it is not compressed.
const STORED: u32 = 1 << 31;
const BLOCK_SIZE: usize = 64 * 1024;

/// How far back a block can refer to earlier ones.
const WINDOW_SIZE: usize = 64 * 1024;

/// See [`first_capacity`]; also how much room a block gets at first.
const USUAL_RATIO: usize = 4;

/// All failed attempts together cost at most a third of what the last one can.
const ROOM_GROWTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::tests::{compressed, noise, text};
    use super::*;

    /// A frame with this flag byte, block descriptor and content size, and then `body`.
    fn frame(flags: u8, block_descriptor: u8, size: Option<u64>, body: &[u8]) -> Vec<u8> {
        let mut descriptor = vec![flags, block_descriptor];
        descriptor.extend(size.map(u64::to_le_bytes).into_iter().flatten());
        let [_, checksum, ..] = xxh32(&descriptor).to_le_bytes();
        [&MAGIC[..], &descriptor, &[checksum], body].concat()
    }

    /// Length and compressed block, as in a frame.
    fn block(content: &[u8]) -> Vec<u8> {
        let block = block::compress(content);
        let length = u32::try_from(block.len()).expect("small");
        [&length.to_le_bytes()[..], &block].concat()
    }

    #[test]
    fn the_header_is_that_of_java() {
        let header = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82];
        assert_eq!(frame(0x60, 0x40, None, b""), header);
        assert_eq!(compressed(Compression::Lz4, b""), [&header[..], &[0; 4]].concat());
        assert!(compressed(Compression::Lz4, &text(100)).starts_with(&header));
    }

    #[test]
    fn blocks_hold_64_kib_and_are_stored_if_they_do_not_shrink() {
        let content = noise(65_536 + 10);
        let out = compressed(Compression::Lz4, &content);
        let (first, second) = content.split_at(65_536);
        let expected =
            [&HEADER[..], &[0, 0, 1, 0x80], first, &[10, 0, 0, 0x80], second, &END_MARK].concat();
        assert_eq!(out, expected);
    }

    #[test]
    fn what_follows_the_frame_is_ignored() {
        let mut input = compressed(Compression::Lz4, b"abc");
        input.extend_from_slice(b"garbage");
        assert_eq!(decompress(&input, 10), Ok(b"abc".to_vec()));
    }

    #[test]
    fn a_frame_needs_its_end_mark() {
        let input = compressed(Compression::Lz4, &text(100_000));
        let cut = input.strip_suffix(&END_MARK).expect("end mark");
        assert_eq!(decompress(cut, 200_000), Err(TRUNCATED));
    }

    #[test]
    fn checksums_and_content_size_are_verified() {
        let content = text(1_000);
        let block = block(&content);
        let block_checksum = xxh32(&block[4..]).to_le_bytes();
        let content_checksum = xxh32(&content).to_le_bytes();
        let body = [&block[..], &block_checksum, &END_MARK, &content_checksum].concat();
        let input = frame(0x7C, 0x70, Some(1_000), &body);
        assert_eq!(decompress(&input, 1_000), Ok(content));

        let at_content_checksum = input.len() - 1;
        let at_block_checksum = input.len() - 9;
        for (position, reason) in [
            (at_content_checksum, "wrong checksum of the content"),
            (at_block_checksum, "wrong checksum of a block"),
            (14, "wrong checksum of the frame header"),
        ] {
            let mut damaged = input.clone();
            damaged[position] ^= 1;
            assert_eq!(decompress(&damaged, 1_000), Err(corrupt(reason)));
        }
        let wrong_size = frame(0x7C, 0x70, Some(999), &body);
        assert_eq!(decompress(&wrong_size, 1_000), Err(corrupt("wrong content size")));
    }

    #[test]
    fn dependent_blocks_are_read() {
        let content = text(250_000);
        let mut body = Vec::new();
        for (index, part) in content.chunks(65_536).enumerate() {
            let before = content.get(..index * 65_536).unwrap_or_default();
            let window = before.get(before.len().saturating_sub(65_536)..);
            let block = block::compress_with_dict(part, window.unwrap_or_default());
            body.extend_from_slice(&u32::try_from(block.len()).expect("small").to_le_bytes());
            body.extend_from_slice(&block);
        }
        body.extend_from_slice(&END_MARK);
        assert_eq!(decompress(&frame(0x40, 0x40, None, &body), 250_000), Ok(content));
        assert!(decompress(&frame(0x60, 0x40, None, &body), 250_000).is_err());
    }

    #[test]
    fn a_block_is_not_larger_than_the_frame_says() {
        let body = [block(&vec![0; 65_537]), END_MARK.to_vec()].concat();
        let input = frame(0x60, 0x40, None, &body);
        assert_eq!(decompress(&input, 100_000), Err(corrupt("damaged block")));
        let input = frame(0x60, 0x50, None, &body);
        assert_eq!(decompress(&input, 100_000), Ok(vec![0; 65_537]));
    }

    #[test]
    fn small_content_in_large_blocks_does_not_allocate_them() {
        let content = text(10_000);
        let body = [block(&content), END_MARK.to_vec()].concat();
        let back = decompress(&frame(0x60, 0x70, None, &body), usize::MAX);
        assert!(back.as_ref().is_ok_and(|back| back.capacity() < 50_000));
        assert_eq!(back, Ok(content));
    }

    #[test]
    fn unknown_frames_are_refused() {
        for (flags, block_descriptor) in [
            (0x20, 0x40),
            (0xA0, 0x40),
            (0x61, 0x40),
            (0x62, 0x40),
            (0x60, 0x41),
            (0x60, 0xC0),
            (0x60, 0x30),
        ] {
            let input = frame(flags, block_descriptor, None, &END_MARK);
            let result = decompress(&input, 10);
            assert!(matches!(result, Err(CompressionError::Corrupt { .. })), "{result:?}");
        }
        // The legacy format, and a skippable frame.
        for input in [&[2, 0x21, 0x4C, 0x18, 0, 0, 0][..], &[0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]] {
            assert_eq!(decompress(input, 10), Err(corrupt("no LZ4 frame header")));
        }
    }

    #[cfg(feature = "lz4-hc")]
    #[test]
    fn frames_of_the_c_library_are_read() {
        use ::lz4::liblz4::{BlockChecksum, BlockMode, BlockSize, ContentChecksum};
        use std::io::Write;

        let content = [text(300_000), noise(100_000)].concat();
        for block_size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
            for block_mode in [BlockMode::Linked, BlockMode::Independent] {
                let mut encoder = ::lz4::EncoderBuilder::new()
                    .block_size(block_size.clone())
                    .block_mode(block_mode)
                    .block_checksum(BlockChecksum::BlockChecksumEnabled)
                    .checksum(ContentChecksum::ChecksumEnabled)
                    .content_size(400_000)
                    .build(Vec::new())
                    .expect("allocates");
                encoder.write_all(&content).expect("compresses");
                let (input, result) = encoder.finish();
                result.expect("compresses");
                assert_eq!(decompress(&input, 400_000).as_ref(), Ok(&content));
            }
        }
    }

    #[cfg(feature = "lz4-hc")]
    #[test]
    fn high_compression_makes_it_smaller() {
        let content = text(100_000);
        let fast = compressed(Compression::Lz4, &content).len();
        let options = Compression::Lz4.with_level(12).expect("allowed");
        assert!(compressed(options, &content).len() < fast);
    }
}
