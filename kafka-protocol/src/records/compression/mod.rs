//! Compression of the records inside a batch.
//!
//! The records of a batch are compressed as one piece; the batch header in front of them is not.
//! Bits 0–2 of the header's attributes name the codec. The formats are those of Java's
//! `org.apache.kafka.common.compress` for batches of version 2:
//!
//! ```text
//! gzip    one gzip member
//! snappy  xerial stream: 16-byte header, then blocks of at most 32 KiB, each behind its length
//! lz4     LZ4 frame: independent blocks of 64 KiB, no checksums, no content size
//! zstd    zstd frame
//! ```
//!
//! Compressed bytes come from the network, so decompression takes a limit and never allocates
//! what the input merely claims.

#[cfg(any(feature = "gzip", feature = "snappy", feature = "lz4"))]
mod blocks;
mod error;
#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
mod options;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(test)]
mod tests;
#[cfg(feature = "lz4")]
mod xxh32;
#[cfg(feature = "zstd")]
mod zstd;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;

use super::ChunkPool;

pub use error::{CompressionError, CompressionLevelError, ParseCompressionError};
pub use options::CompressionOptions;

/// How the records of a batch are compressed (`compression.type`).
///
/// Every codec can be named in every build. Using one needs the cargo feature of the same name;
/// without it, [`CompressionError::MissingFeature`] is returned. See [`is_enabled`].
///
/// [`is_enabled`]: Compression::is_enabled
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[non_exhaustive]
pub enum Compression {
    /// Records as they are.
    #[default]
    None,
    /// DEFLATE in a gzip member: small output, slow.
    Gzip,
    /// Snappy in the xerial stream format: fast, without levels.
    Snappy,
    /// LZ4 frame: fastest at its default level.
    Lz4,
    /// Zstandard frame: about as small as gzip, several times faster.
    Zstd,
}

impl Compression {
    /// Every codec, in the order of [`id`](Self::id).
    const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec whose [`id`](Self::id) this is, if there is one.
    ///
    /// `id` is bits 0–2 of a batch's attributes; 5, 6 and 7 are not assigned.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The number in bits 0–2 of a batch's attributes.
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The name Kafka uses in `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// Whether this build can use the codec: its cargo feature is on.
    pub const fn is_enabled(self) -> bool {
        match self {
            Self::None => true,
            Self::Gzip => cfg!(feature = "gzip"),
            Self::Snappy => cfg!(feature = "snappy"),
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Compression {
    type Err = ParseCompressionError;

    /// Reads a value of `compression.type`. Like Java, it takes lower case only.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name() == name)
            .ok_or_else(|| ParseCompressionError::new(name))
    }
}

/// Room for results that a compressor keeps.
const SCRATCH_MAX: usize = 2 * 1024 * 1024;

/// Compresses batches with one codec and level.
///
/// Its owner keeps it from batch to batch, because setting up zstd takes about 10 µs: over a
/// quarter of the time for a batch of 16 KiB. With a [pool](Self::with_pool) it keeps the room for
/// results as well, up to 2 MiB of it; otherwise the other codecs keep nothing.
#[derive(Debug)]
pub struct Compressor {
    options: CompressionOptions,
    /// Where results end up, if not in memory of their own.
    pool: Option<ChunkPool>,
    /// Where they are made then.
    scratch: Vec<u8>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::Encoder>,
}

impl Compressor {
    /// A compressor that has not allocated anything yet.
    pub const fn new(options: CompressionOptions) -> Self {
        Self {
            options,
            pool: None,
            scratch: Vec::new(),
            #[cfg(feature = "zstd")]
            zstd: None,
        }
    }

    /// A compressor whose results are in chunks of a pool: for whoever compresses many batches.
    pub fn with_pool(options: CompressionOptions, pool: ChunkPool) -> Self {
        Self { pool: Some(pool), ..Self::new(options) }
    }

    /// The compressed concatenation of `chunks`, in chunks that take no more memory than bytes.
    pub(crate) fn compress_into_chunks(
        &mut self,
        chunks: &[Bytes],
    ) -> Result<Vec<Bytes>, CompressionError> {
        let Some(pool) = self.pool.clone() else {
            let mut compressed = Vec::new();
            self.compress(chunks, &mut compressed)?;
            // It was sized for the worst case, and may wait for a broker for long.
            compressed.shrink_to_fit();
            return Ok(vec![compressed.into()]);
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        self.compress(chunks, &mut scratch)?;
        let pieces = scratch.chunks(ChunkPool::LARGEST);
        let compressed = pieces.map(|piece| pool.copy(piece)).collect();
        if scratch.capacity() <= SCRATCH_MAX {
            self.scratch = scratch;
        }
        Ok(compressed)
    }

    /// Appends the compressed concatenation of `chunks` to `out`.
    ///
    /// The same chunks always give the same bytes. After an error `out` is as it was.
    pub(crate) fn compress(
        &mut self,
        chunks: &[Bytes],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let start = out.len();
        let result = self.append(chunks, out);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn append(&mut self, chunks: &[Bytes], out: &mut Vec<u8>) -> Result<(), CompressionError> {
        match self.options.codec() {
            Compression::None => {
                out.reserve(chunks.iter().map(Bytes::len).sum());
                for chunk in chunks {
                    out.extend_from_slice(chunk);
                }
                Ok(())
            }
            #[cfg(feature = "gzip")]
            Compression::Gzip => gzip::compress(self.options, chunks, out),
            #[cfg(feature = "snappy")]
            Compression::Snappy => snappy::compress(chunks, out),
            #[cfg(feature = "lz4")]
            Compression::Lz4 => lz4::compress(self.options, chunks, out),
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                // Not put back after an error: the state of the context is then undefined.
                let mut encoder = match self.zstd.take() {
                    Some(encoder) => encoder,
                    None => zstd::Encoder::new(self.options)?,
                };
                encoder.compress(chunks, out)?;
                self.zstd = Some(encoder);
                Ok(())
            }
            #[cfg(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))]
            codec => Err(CompressionError::MissingFeature { codec }),
        }
    }

    /// The codec and level it was made with.
    pub const fn options(&self) -> CompressionOptions {
        self.options
    }
}

/// Returns the decompressed `input`, at most `limit` bytes.
///
/// Allocates in proportion to what `input` really holds, and never more than a few times `limit`;
/// the result has a capacity of at most twice its length. Bytes after the end of the data are
/// treated as Java does; each codec says how.
///
/// # Errors
/// [`CompressionError::TooLarge`] as soon as there is more than `limit`, `Corrupt` if `input` is
/// not what `codec` writes, `MissingFeature` if the codec is not in this build.
pub(crate) fn decompress(
    codec: Compression,
    input: &[u8],
    limit: usize,
) -> Result<Vec<u8>, CompressionError> {
    let mut out = match codec {
        Compression::None if input.len() > limit => {
            return Err(CompressionError::TooLarge { codec, limit });
        }
        Compression::None => input.to_vec(),
        #[cfg(feature = "gzip")]
        Compression::Gzip => gzip::decompress(input, limit)?,
        #[cfg(feature = "snappy")]
        Compression::Snappy => snappy::decompress(input, limit)?,
        #[cfg(feature = "lz4")]
        Compression::Lz4 => lz4::decompress(input, limit)?,
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstd::decompress(input, limit)?,
        #[cfg(not(all(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd")))]
        codec => return Err(CompressionError::MissingFeature { codec }),
    };
    // The records keep it alive for as long as the application likes.
    if out.capacity() / 2 > out.len() {
        out.shrink_to_fit();
    }
    Ok(out)
}

/// How much to allocate before the first byte is decompressed.
///
/// That is the size `claimed` by the input, if it is plausible for that much input: the worst a
/// lie can cost is [`CLAIM_RATIO_MAX`] bytes for each byte the peer had to send. Without such a
/// claim it is `usual_ratio` times the input, which should do for most batches.
#[cfg(any(feature = "gzip", feature = "lz4", feature = "zstd"))]
fn first_capacity(input: &[u8], claimed: Option<u64>, usual_ratio: usize, limit: usize) -> usize {
    let believable = input.len().saturating_mul(CLAIM_RATIO_MAX);
    claimed
        .and_then(|claimed| usize::try_from(claimed).ok())
        .filter(|claimed| *claimed <= believable)
        .unwrap_or_else(|| input.len().saturating_mul(usual_ratio).max(1024))
        .min(limit)
}

/// The largest ratio at which a claimed size is allocated at once.
#[cfg(any(feature = "gzip", feature = "lz4", feature = "zstd"))]
const CLAIM_RATIO_MAX: usize = 64;
