//! Compressed records that mean harm: decompression stops at its limit, whatever they hold or claim.
//!
//! What is allocated over the whole time stands for the time as well, which no test can hold to
//! account: work for nothing (attempts, states of decoders) allocates.

use bytes::Bytes;
use kafka_protocol::records::{
    Compression, CompressionError, CompressionOptions, Compressor, CrcCheck, RecordBatch,
    RecordBatchBuilder,
};
use kafka_protocol::{DecodeError, DecodeErrorKind, DecodeLimits};

use crate::bound::allocated;

/// Most bytes of decompressed records.
const LIMIT: usize = 1 << 20;

/// Most that may be allocated until the limit is reached: the output as it grows, and a decoder.
const ALLOCATED_MAX: usize = 4 * LIMIT + (64 << 10);

enum Outcome {
    TooLarge,
    Corrupt,
    /// So many bytes of records.
    Read(usize),
}

use Outcome::{Corrupt, Read, TooLarge};

/// Decompresses the records of a batch, and holds what happens against the limit.
fn check(codec: Compression, name: &str, records: &[u8], expected: &Outcome) {
    let batch = batch(codec, records);
    let limits = DecodeLimits::default().with_decompressed(LIMIT);
    let (result, memory) =
        allocated(|| RecordBatch::decode_with(&mut batch.clone(), CrcCheck::Skip, &limits));
    assert!(memory <= ALLOCATED_MAX, "{codec}, {name}: {memory} bytes were allocated");
    let read = result.as_ref().map(|batch| batch.records().len());
    let is_expected = match (read.map_err(DecodeError::kind), expected) {
        (Ok(read), Read(len)) => read == *len,
        (Err(DecodeErrorKind::Compression(error)), TooLarge) => {
            *error == CompressionError::TooLarge { codec, limit: LIMIT }
        }
        (Err(DecodeErrorKind::Compression(error)), Corrupt) => {
            matches!(error, CompressionError::Corrupt { .. })
        }
        _ => false,
    };
    assert!(is_expected, "{codec}, {name}: {read:?}");
}

/// A batch whose records are these bytes. Its CRC is wrong.
fn batch(codec: Compression, records: &[u8]) -> Bytes {
    let body = RecordBatchBuilder::new().finish();
    let mut header = body.header();
    header.attributes = header.attributes.with_compression(codec);
    let mut batch = [&header.encode(&body)[..], records].concat();
    let length = i32::try_from(batch.len() - LENGTH_END).expect("small");
    batch[LENGTH_END - 4..LENGTH_END].copy_from_slice(&length.to_be_bytes());
    batch.into()
}

/// A record with so many zeros, and the records as this codec compresses them.
fn zeros(codec: Compression, len: usize) -> (usize, Vec<u8>) {
    let mut builder = RecordBatchBuilder::new();
    builder.append(0, None, Some(&vec![0; len]), &[]).expect("below 2 GiB");
    let plain = builder.finish();
    let mut compressor = Compressor::new(CompressionOptions::from(codec));
    let body = plain.compress(&mut compressor).expect("every codec is built in");
    (
        plain.chunks().iter().map(Bytes::len).sum(),
        body.to_bytes(&body.header()).slice(HEADER_LEN..).to_vec(),
    )
}

#[test]
fn what_our_own_compressor_writes_stops_at_the_limit() {
    for codec in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let (_, bomb) = zeros(codec, 32 << 20);
        assert!(bomb.len() < 2 << 20, "{codec}: {} bytes", bomb.len());
        check(codec, "one large value", &bomb, &TooLarge);
        let (len, fits) = zeros(codec, LIMIT - 20);
        check(codec, "just below the limit", &fits, &Read(len));
    }
}

#[test]
fn gzip_members() {
    let (len, member) = zeros(Compression::Gzip, LIMIT / 2);
    let many = member.repeat(1000);
    let mut false_size = member.clone();
    let size_at = false_size.len() - 4;
    false_size[size_at..].fill(0xff);
    for (name, records, expected) in [
        ("members that add up", many, TooLarge),
        ("20,000 empty members", EMPTY_MEMBER.repeat(20_000), Read(0)),
        ("empty members, then a large one", [EMPTY_MEMBER.repeat(100), member].concat(), Read(len)),
        ("a stated size of 4 GiB", false_size, Corrupt),
    ] {
        check(Compression::Gzip, name, &records, &expected);
    }
}

/// A raw block of so many bytes, 64 of them for 3.
fn snappy_block(len: usize) -> Vec<u8> {
    let mut block = Vec::new();
    let mut rest = len;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.extend([rest as u8, 0, 0]);
    block.extend([0xfe, 1, 0].repeat((len - 1) / 64));
    if (len - 1) % 64 > 0 {
        block.extend([((((len - 1) % 64) - 1) << 2) as u8 | 2, 1, 0]);
    }
    block
}

fn xerial(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = XERIAL_HEADER.to_vec();
    for block in blocks {
        stream.extend((block.len() as u32).to_be_bytes());
        stream.extend(block);
    }
    stream
}

#[test]
fn snappy_blocks() {
    let claim = |last| vec![0xff, 0xff, 0xff, 0xff, last, 0, b'a'];
    for (name, records, expected) in [
        ("a raw block at the limit", snappy_block(LIMIT), Read(LIMIT)),
        ("a raw block beyond it", snappy_block(LIMIT + 1), TooLarge),
        ("a raw block far beyond it", snappy_block(32 << 20), TooLarge),
        ("a raw block that claims 4 GiB", claim(0x0f), Corrupt),
        ("a length of more than 32 bits", claim(0x7f), Corrupt),
        ("a block of a stream beyond it", xerial(&[snappy_block(32 << 20)]), TooLarge),
        ("blocks that add up", xerial(&vec![snappy_block(1 << 15); 1000]), TooLarge),
        ("a block that claims 4 GiB", xerial(&[claim(0x0f)]), Corrupt),
        ("streams that add up", xerial(&[snappy_block(LIMIT / 4)]).repeat(100), TooLarge),
        ("100,000 empty streams", XERIAL_HEADER.repeat(100_000), Read(0)),
        ("100,000 blocks of nothing", xerial(&vec![vec![0]; 100_000]), Read(0)),
        ("a block of 4 GiB", [&XERIAL_HEADER[..], &[0xff; 4]].concat(), Corrupt),
    ] {
        check(Compression::Snappy, name, &records, &expected);
    }
}

/// A frame of blocks; the checksum of its header is found by trying.
fn lz4_frame(flags: u8, block_size: u8, content_size: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for block in blocks {
        body.extend((block.len() as u32).to_le_bytes());
        body.extend(block);
    }
    let frame = |checksum| {
        let header = [&[0x04, 0x22, 0x4d, 0x18, flags, block_size], content_size].concat();
        [&header[..], &[checksum], &body, &[0; 4]].concat()
    };
    let is_right = |checksum: &u8| {
        let mut batch = batch(Compression::Lz4, &frame(*checksum));
        let limits = DecodeLimits::default().with_decompressed(0);
        let result = RecordBatch::decode_with(&mut batch, CrcCheck::Skip, &limits);
        !result.is_err_and(|error| error.to_string().contains("checksum of the frame header"))
    };
    frame((0..=u8::MAX).find(is_right).expect("one of them is right"))
}

/// A block of so many zeros, 255 of them for one byte.
fn lz4_block(len: usize) -> Vec<u8> {
    let repeated = len - 1 - 5 - 19;
    let mut block = vec![0x1f, 0, 1, 0];
    block.extend([0xff].repeat(repeated / 255));
    block.extend([(repeated % 255) as u8, 0x50, 0, 0, 0, 0, 0]);
    block
}

#[test]
fn lz4_blocks() {
    // Flags: independent blocks 0x20, version 0x40, content size 0x08. Block size: 4 is 64 KiB, 7 is 4 MiB.
    let frame = |flags, blocks: &[Vec<u8>]| lz4_frame(flags, 0x70, &[], blocks);
    let quarter = lz4_block(LIMIT / 4);
    for (name, records, expected) in [
        ("a block at the limit", frame(0x60, &[lz4_block(LIMIT)]), Read(LIMIT)),
        ("a block beyond it", frame(0x60, &[lz4_block(LIMIT + 1)]), TooLarge),
        ("the largest block", frame(0x60, &[lz4_block(4 << 20)]), TooLarge),
        ("blocks that add up", frame(0x60, &vec![quarter.clone(); 1000]), TooLarge),
        ("blocks with a window", frame(0x40, &vec![quarter.clone(); 1000]), TooLarge),
        (
            "a block larger than stated",
            lz4_frame(0x60, 0x40, &[], std::slice::from_ref(&quarter)),
            Corrupt,
        ),
        ("a stated size of 16 EiB", lz4_frame(0x68, 0x70, &[0xff; 8], &[quarter]), Corrupt),
        ("100,000 blocks of nothing", frame(0x60, &vec![vec![0]; 100_000]), Read(0)),
        ("a frame behind the frame", frame(0x60, &[lz4_block(LIMIT)]).repeat(9), Read(LIMIT)),
    ] {
        check(Compression::Lz4, name, &records, &expected);
    }
}

/// A frame of blocks of one repeated byte, 128 KiB for 4 bytes each. It has a window of
/// `2^(10 + window)` bytes.
fn zstd_frame(window: u8, blocks: usize) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, window << 3];
    for left in (0..blocks).rev() {
        let header = u32::from(left == 0) | 1 << 1 | (128 << 10) << 3;
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(7);
    }
    frame
}

#[test]
fn zstd_frames() {
    // A single segment with a content size of 8 bytes, and a stored block of one byte.
    let claim = |size: u64| {
        [&[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..], &size.to_le_bytes(), &[0b1001, 0, 0, b'a']].concat()
    };
    let empty = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0];
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
    let full = LIMIT >> 17;
    for (name, records, expected) in [
        ("blocks up to the limit", zstd_frame(17, full), Read(LIMIT)),
        ("one block more", zstd_frame(17, full + 1), TooLarge),
        ("4 GiB of blocks", zstd_frame(17, 1 << 15), TooLarge),
        ("a window of 2 GiB", zstd_frame(21, full), Read(LIMIT)),
        ("a window of 2 GiB, 4 GiB", zstd_frame(21, 1 << 15), TooLarge),
        ("a window of 2 TiB", zstd_frame(31, 1), Corrupt),
        ("frames that add up", zstd_frame(17, 2).repeat(1000), TooLarge),
        ("a stated size of 2 GiB", claim(1 << 31), Corrupt),
        ("a stated size of 16 EiB", claim(u64::MAX - 2), Corrupt),
        ("100,000 empty frames", empty.repeat(100_000), Read(0)),
        ("100,000 frames to be skipped", skippable.repeat(100_000), Read(0)),
        ("a frame to be skipped, of 4 GiB", [&skippable[..4], &[0xff; 4]].concat(), Corrupt),
    ] {
        check(Compression::Zstd, name, &records, &expected);
    }
}

/// What Java 17 writes for no bytes.
const EMPTY_MEMBER: [u8; 20] =
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

const XERIAL_HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// Bytes of a batch in front of its records.
const HEADER_LEN: usize = 61;

/// Where the length field of a batch ends, and what it counts begins.
const LENGTH_END: usize = 12;
