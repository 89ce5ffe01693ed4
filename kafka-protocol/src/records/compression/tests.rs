//! What holds for every codec. The bytes of each format are tested beside the codec.

use super::*;

/// A limit that no sample reaches.
const NO_LIMIT: usize = 64 * 1024 * 1024;

fn enabled() -> impl Iterator<Item = Compression> {
    Compression::ALL.into_iter().filter(|codec| codec.is_enabled())
}

/// Every codec at its default and at its extreme levels.
fn enabled_options() -> Vec<CompressionOptions> {
    let mut all = Vec::new();
    for codec in enabled() {
        all.push(CompressionOptions::from(codec));
        let Some(levels) = codec.levels() else {
            continue;
        };
        // Level 19 stands for 22 of zstd, which takes as long as all other tests together.
        for level in [*levels.start(), 1, 5, 12, 19, *levels.end()] {
            if level < 20 {
                all.extend(codec.with_level(level));
            }
        }
    }
    all
}

/// Numbered lines, which every codec compresses several times.
pub(super) fn text(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 32);
    let mut noise = Noise(1);
    while text.len() < length {
        let line = format!("user {:>6} paid {:>4} at shop 17\n", text.len(), noise.byte());
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(length);
    text
}

/// Bytes that no codec can compress.
pub(super) fn noise(length: usize) -> Vec<u8> {
    let mut noise = Noise(2);
    (0..length).map(|_| noise.byte()).collect()
}

/// A linear congruential generator: the tests need no better randomness, and the same each time.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as u8
    }
}

/// Compresses with a compressor that is used only once.
fn compress(
    options: CompressionOptions,
    chunks: &[Bytes],
    out: &mut Vec<u8>,
) -> Result<(), CompressionError> {
    Compressor::new(options).compress(chunks, out)
}

pub(super) fn compressed(options: impl Into<CompressionOptions>, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compress(options.into(), &[Bytes::copy_from_slice(content)], &mut out).expect("compresses");
    out
}

#[test]
fn names_and_ids_are_those_of_kafka() {
    for (id, name) in ["none", "gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let id = u8::try_from(id).expect("small");
        let codec = Compression::from_id(id).expect("assigned");
        assert_eq!((codec.id(), codec.name()), (id, name));
        assert_eq!(name.parse(), Ok(codec));
        assert_eq!(codec.to_string(), name);
    }
    assert_eq!(Compression::from_id(5), None);
    assert_eq!(Compression::default(), Compression::None);
    for name in ["", "GZIP", "producer", "uncompressed", "lz4 "] {
        let error = name.parse::<Compression>().expect_err("not a name");
        let message = error.to_string();
        assert!(message.contains("none, gzip, snappy, lz4, zstd"), "{message}");
    }
}

#[test]
fn everything_round_trips() {
    let contents = [
        Vec::new(),
        vec![7],
        text(100),
        text(32 * 1024),
        text(64 * 1024),
        text(100_000),
        noise(100_000),
        vec![0; 300_000],
    ];
    for options in enabled_options() {
        for content in &contents {
            let length = content.len();
            let out = compressed(options, content);
            assert!(
                out.len() < length + length / 500 + 100,
                "{options:?}: {length} became {}",
                out.len()
            );
            let back = decompress(options.codec(), &out, NO_LIMIT);
            assert_eq!(back.as_ref(), Ok(content), "{options:?} {length}");
        }
    }
}

#[test]
fn chunks_are_compressed_as_one_piece_and_appended() {
    let content = text(140_000);
    for options in enabled_options() {
        let mut compressor = Compressor::new(options);
        for chunk_length in [1_000, 65_537, 140_000] {
            let mut chunks: Vec<Bytes> =
                content.chunks(chunk_length).map(Bytes::copy_from_slice).collect();
            chunks.insert(1, Bytes::new());
            let mut out = b"header".to_vec();
            compressor.compress(&chunks, &mut out).expect("compresses");
            assert_eq!(out.get(..6), Some(&b"header"[..]));

            let body = out.split_off(6);
            assert_eq!(decompress(options.codec(), &body, NO_LIMIT).as_ref(), Ok(&content));

            let mut again = Vec::new();
            compress(options, &chunks, &mut again).expect("compresses");
            assert_eq!(body, again, "{options:?} is not deterministic");
        }
        let mut out = Vec::new();
        compressor.compress(&[], &mut out).expect("compresses");
        assert_eq!(decompress(options.codec(), &out, 0), Ok(Vec::new()));
    }
}

#[test]
fn the_limit_is_exact() {
    for codec in enabled() {
        for content in [text(50_000), noise(50_000), vec![0; 50_000]] {
            let out = compressed(codec, &content);
            assert_eq!(decompress(codec, &out, 50_000).as_ref(), Ok(&content));
            for limit in [0, 1, 1_000, 49_999] {
                assert_eq!(
                    decompress(codec, &out, limit),
                    Err(CompressionError::TooLarge { codec, limit })
                );
            }
        }
    }
}

#[test]
fn a_truncated_input_is_an_error_or_a_prefix() {
    let content = text(3_000);
    for codec in enabled() {
        let out = compressed(codec, &content);
        for length in 0..out.len() {
            let cut = out.get(..length).expect("in range");
            match decompress(codec, cut, NO_LIMIT) {
                Err(error) => assert!(matches!(error, CompressionError::Corrupt { .. }), "{error}"),
                // No compression, the xerial stream and the empty zstd stream have no end mark.
                Ok(back) => assert!(content.starts_with(&back) && back.len() < content.len()),
            }
        }
    }
}

#[test]
fn damaged_input_never_panics_and_never_exceeds_the_limit() {
    let limit = 30_000;
    for codec in enabled() {
        for content in [text(2_000), noise(300), vec![0; 20_000]] {
            let out = compressed(codec, &content);
            for position in 0..out.len().min(1_500) {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut damaged = out.clone();
                    damaged[position] ^= flip;
                    if let Ok(back) = decompress(codec, &damaged, limit) {
                        assert!(back.len() <= limit);
                        assert!(back.capacity() <= 2 * back.len() + 1);
                    }
                }
            }
        }
        for seed in 0..200 {
            let garbage: Vec<u8> = noise(seed + 200).split_off(seed);
            drop(decompress(codec, &garbage, limit));
        }
    }
}

/// In a release build 1 GiB of zeros, which is 32 KiB of zstd, 1 MiB of gzip, 4 of lz4 and 48 of
/// snappy. A debug build takes too long to make it.
#[test]
fn a_bomb_stops_at_the_limit() {
    let limit = 1024 * 1024;
    let chunk = Bytes::from(vec![0; 1024 * 1024]);
    for codec in enabled().filter(|codec| *codec != Compression::None) {
        let chunks = vec![chunk.clone(); if cfg!(debug_assertions) { 8 } else { 1024 }];
        let mut bomb = Vec::new();
        compress(codec.into(), &chunks, &mut bomb).expect("compresses");
        assert_eq!(
            decompress(codec, &bomb, limit),
            Err(CompressionError::TooLarge { codec, limit })
        );
    }
}

#[test]
fn a_missing_codec_names_its_feature() {
    for codec in Compression::ALL {
        let mut out = b"kept".to_vec();
        let result = compress(codec.into(), &[Bytes::from("abc")], &mut out);
        if codec.is_enabled() {
            assert_eq!(result, Ok(()));
        } else {
            let error = CompressionError::MissingFeature { codec };
            assert_eq!(result, Err(error));
            assert_eq!(out, b"kept");
            assert_eq!(decompress(codec, b"abc", NO_LIMIT), Err(error));
            assert!(error.to_string().contains(codec.name()));
        }
    }
}

#[test]
fn results_in_chunks_of_a_pool_are_the_same_and_give_them_back() {
    let pool = ChunkPool::new(1 << 20);
    let content = [text(150_000), noise(150_000)].concat();
    for options in enabled().map(CompressionOptions::from) {
        let mut compressor = Compressor::with_pool(options, pool.clone());
        // The second time in room that was used before.
        for content in [&content[..], &content[..70_000]] {
            let chunks = compressor.compress_into_chunks(&[content.to_vec().into()]).unwrap();
            assert!(chunks.iter().rev().skip(1).all(|chunk| chunk.len() == ChunkPool::LARGEST));
            assert_eq!(chunks.concat(), compressed(options, content));
        }
    }
    assert!(pool.kept() >= 2 * ChunkPool::LARGEST);
}
