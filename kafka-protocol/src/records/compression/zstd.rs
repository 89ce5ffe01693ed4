//! Zstandard, by the C library.

use std::fmt;

use bytes::Bytes;
use zstd::zstd_safe::zstd_sys::{ZSTD_EndDirective, ZSTD_ErrorCode};
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, ErrorCode, InBuffer, OutBuffer, compress_bound, get_error_name,
    get_frame_content_size, is_error_kind,
};

use super::{Compression, CompressionError, CompressionOptions, first_capacity};

/// A compression context, set to one level.
///
/// Its memory depends on the level and the largest batch so far: 0.3 MiB for batches of 16 KiB,
/// for those of 1 MiB 2.5 MiB at level 3 and 19 MiB at level 22.
pub(super) struct Encoder {
    context: CCtx<'static>,
}

impl Encoder {
    pub(super) fn new(options: CompressionOptions) -> Result<Self, CompressionError> {
        let mut context = CCtx::try_create().ok_or(OUT_OF_MEMORY)?;
        if let Some(level) = options.level() {
            context.set_parameter(CParameter::CompressionLevel(level)).map_err(failed)?;
        }
        Ok(Self { context })
    }

    /// Appends one frame.
    ///
    /// Unlike Java's, the frame tells the size of its content. The library then needs a window no
    /// larger than the content, here and at the reader, and readers can allocate once.
    pub(super) fn compress(
        &mut self,
        chunks: &[Bytes],
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let size: usize = chunks.iter().map(Bytes::len).sum();
        out.reserve(compress_bound(size));
        self.context.set_pledged_src_size(u64::try_from(size).ok()).map_err(failed)?;

        let (last, others): (&[u8], &[Bytes]) = match chunks {
            [others @ .., last] => (last, others),
            [] => (&[], &[]),
        };
        for chunk in others {
            self.append(chunk, ZSTD_EndDirective::ZSTD_e_continue, out)?;
        }
        self.append(last, ZSTD_EndDirective::ZSTD_e_end, out)
    }

    fn append(
        &mut self,
        chunk: &[u8],
        directive: ZSTD_EndDirective,
        out: &mut Vec<u8>,
    ) -> Result<(), CompressionError> {
        let mut input = InBuffer::around(chunk);
        loop {
            if out.len() == out.capacity() {
                out.reserve(compress_bound(chunk.len()));
            }
            let end = out.len();
            let mut output = OutBuffer::around_pos(out, end);
            let pending = self
                .context
                .compress_stream2(&mut output, &mut input, directive)
                .map_err(failed)?;
            let is_done = match directive {
                ZSTD_EndDirective::ZSTD_e_end => pending == 0,
                _ => input.pos() == chunk.len(),
            };
            if is_done {
                return Ok(());
            }
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

/// Decompresses one frame and those that follow it. Like Java, refuses anything else after it.
///
/// Not with the streaming interface: that would allocate the window a frame declares, 128 MiB for
/// Java's highest level, whatever the frame holds. The one-shot interface uses the output as its
/// window, so there is no limit to the window either, but the output has to fit. Hence the output
/// grows until it does, and frames that tell the size of their content, within reason, are
/// decompressed at the first attempt.
pub(super) fn decompress(input: &[u8], limit: usize) -> Result<Vec<u8>, CompressionError> {
    let claimed = get_frame_content_size(input).ok().flatten();
    let mut capacity = first_capacity(input, claimed, USUAL_RATIO, limit);
    let mut context = DCtx::try_create().ok_or(OUT_OF_MEMORY)?;
    loop {
        let mut out = Vec::with_capacity(capacity);
        match context.decompress(&mut out, input) {
            // The allocator may have given more than it was asked for.
            Ok(_) if out.len() > limit => return Err(too_large(limit)),
            Ok(_) => return Ok(out),
            Err(code) if !is_too_small(code) => {
                let codec = Compression::Zstd;
                let reason = get_error_name(code);
                return Err(CompressionError::Corrupt { codec, reason });
            }
            Err(_) if capacity >= limit => return Err(too_large(limit)),
            // An empty frame in front of others claims a size of 0.
            Err(_) => {
                capacity = capacity.saturating_mul(CAPACITY_GROWTH).max(1024).min(limit);
            }
        }
    }
}

fn is_too_small(code: ErrorCode) -> bool {
    is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall)
}

const fn too_large(limit: usize) -> CompressionError {
    CompressionError::TooLarge { codec: Compression::Zstd, limit }
}

fn failed(code: ErrorCode) -> CompressionError {
    CompressionError::Failed { codec: Compression::Zstd, reason: get_error_name(code) }
}

const OUT_OF_MEMORY: CompressionError =
    CompressionError::Failed { codec: Compression::Zstd, reason: "cannot allocate a context" };

/// See [`first_capacity`]. Twice that of the other codecs, because a failed attempt is work for
/// nothing here, and frames from Java do not tell their size.
const USUAL_RATIO: usize = 8;

/// All failed attempts together cost at most a third of what the last one can.
const CAPACITY_GROWTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::tests::{compressed, text};
    use super::*;

    const EMPTY_FRAME: [u8; 9] = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0, 1, 0, 0];

    fn corrupt(reason: &'static str) -> CompressionError {
        let codec = Compression::Zstd;
        CompressionError::Corrupt { codec, reason }
    }

    /// As Java writes: without content size, with the window of the level.
    fn streamed(level: i32, content: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(content, level).expect("compresses")
    }

    #[test]
    fn the_frame_tells_the_size() {
        assert_eq!(compressed(Compression::Zstd, b""), EMPTY_FRAME);
        let out = compressed(Compression::Zstd, &text(100_000));
        assert_eq!(get_frame_content_size(&out).ok(), Some(Some(100_000)));
    }

    #[test]
    fn frames_without_size_are_read() {
        for length in [0, 1, 1_000, 100_000, 1_000_000] {
            let content = text(length);
            let input = streamed(3, &content);
            assert_eq!(decompress(&input, length), Ok(content));
        }
    }

    #[test]
    fn the_largest_window_of_java_costs_nothing() {
        // No content size, a window of 2^27 bytes, one stored block.
        let header = [0x28, 0xB5, 0x2F, 0xFD, 0, (27 - 10) << 3];
        let input = [&header[..], &[0b1_1001, 0, 0], b"abc"].concat();
        let back = decompress(&input, usize::MAX);
        assert!(back.as_ref().is_ok_and(|back| back.capacity() <= 1024));
        assert_eq!(back, Ok(b"abc".to_vec()));
    }

    #[test]
    fn a_claimed_size_is_not_believed() {
        // Single segment, 8-byte content size of 2 GiB, one stored block of one byte.
        let mut input = vec![0x28, 0xB5, 0x2F, 0xFD, 0xE0, 0, 0, 0, 0x80, 0, 0, 0, 0];
        input.extend_from_slice(&[0b1001, 0, 0, b'a']);
        assert_eq!(get_frame_content_size(&input).ok(), Some(Some(1 << 31)));
        assert_eq!(first_capacity(&input, Some(1 << 31), USUAL_RATIO, usize::MAX), 1024);
        assert!(matches!(
            decompress(&input, 1024 * 1024),
            Err(CompressionError::Corrupt { .. } | CompressionError::TooLarge { .. })
        ));
    }

    #[test]
    fn frames_can_follow_each_other_and_nothing_else_can() {
        let skippable = [0x50, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 1, 2];
        let frame = compressed(Compression::Zstd, b"abc");
        let input = [&EMPTY_FRAME, &frame[..], &skippable, &streamed(1, b"def")].concat();
        for limit in [6, 100_000] {
            assert_eq!(decompress(&input, limit), Ok(b"abcdef".to_vec()));
        }
        assert_eq!(decompress(&input, 5), Err(too_large(5)));
        assert_eq!(decompress(b"", 6), Ok(Vec::new()));

        let input = [&frame[..], b"garbage"].concat();
        assert!(
            matches!(decompress(&input, 10), Err(error) if error == corrupt("Src size is incorrect"))
        );
    }

    #[test]
    fn an_encoder_is_reused() {
        let mut encoder = Encoder::new(Compression::Zstd.into()).expect("allocates");
        for length in [10, 100_000, 10] {
            let content = text(length);
            let mut out = Vec::new();
            encoder.compress(&[Bytes::from(content.clone())], &mut out).expect("compresses");
            assert_eq!(out, compressed(Compression::Zstd, &content));
        }
    }
}
