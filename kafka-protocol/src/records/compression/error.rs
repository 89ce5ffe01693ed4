//! What can go wrong with compression: at run time, and when it is configured.

use std::error::Error;
use std::fmt;

use super::Compression;

/// Why records could not be compressed or decompressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionError {
    /// This build lacks the codec: the cargo feature of the same name is off.
    MissingFeature {
        /// The codec, and the name of the feature.
        codec: Compression,
    },
    /// The input holds more than the caller allows.
    TooLarge {
        /// The codec of the input.
        codec: Compression,
        /// The most the caller allows, in bytes.
        limit: usize,
    },
    /// The input is truncated, damaged, or not of this codec at all.
    Corrupt {
        /// The codec the input should be of.
        codec: Compression,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The compressing library refused, for example because memory ran out.
    Failed {
        /// The codec that failed.
        codec: Compression,
        /// What the library says.
        reason: &'static str,
    },
}

impl CompressionError {
    /// The codec that was to be used.
    pub const fn codec(&self) -> Compression {
        match self {
            Self::MissingFeature { codec }
            | Self::TooLarge { codec, .. }
            | Self::Corrupt { codec, .. }
            | Self::Failed { codec, .. } => *codec,
        }
    }
}

impl fmt::Display for CompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingFeature { codec } => {
                write!(f, "{codec} needs the cargo feature `{codec}` of kafka-protocol")
            }
            Self::TooLarge { codec, limit } => {
                write!(f, "{codec} data is larger than {limit} bytes when decompressed")
            }
            Self::Corrupt { codec, reason } => write!(f, "corrupt {codec} data: {reason}"),
            Self::Failed { codec, reason } => write!(f, "{codec} failed: {reason}"),
        }
    }
}

impl Error for CompressionError {}

/// Why a codec cannot be used at a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionLevelError {
    /// The codec has no levels.
    NoLevels {
        /// `none` or `snappy`.
        codec: Compression,
    },
    /// The codec has no such level.
    OutOfRange {
        /// The codec.
        codec: Compression,
        /// The level asked for.
        level: i32,
    },
    /// Only a cargo feature that is off provides this level.
    MissingFeature {
        /// The codec.
        codec: Compression,
        /// The level asked for.
        level: i32,
        /// The name of the feature.
        feature: &'static str,
    },
}

impl fmt::Display for CompressionLevelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLevels { codec } => write!(f, "compression {codec} has no levels"),
            Self::OutOfRange { codec, level } => {
                write!(f, "compression {codec} has no level {level}")?;
                if let (Some(levels), Some(default)) = (codec.levels(), codec.default_level()) {
                    let (first, last) = levels.into_inner();
                    write!(f, ", only {first} to {last} (default {default})")?;
                }
                Ok(())
            }
            Self::MissingFeature { codec, level, feature } => write!(
                f,
                "compression {codec} at level {level} needs the cargo feature `{feature}` of kafka-protocol"
            ),
        }
    }
}

impl Error for CompressionLevelError {}

/// A text that is not the name of a [`Compression`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseCompressionError {
    name: String,
}

impl ParseCompressionError {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.into() }
    }
}

impl fmt::Display for ParseCompressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown compression {:?}, expected one of", self.name)?;
        for (index, codec) in Compression::ALL.iter().enumerate() {
            let separator = if index == 0 { "" } else { "," };
            write!(f, "{separator} {codec}")?;
        }
        Ok(())
    }
}

impl Error for ParseCompressionError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_codec_and_cause() {
        let codec = Compression::Lz4;
        for (error, text) in [
            (
                CompressionError::MissingFeature { codec },
                "lz4 needs the cargo feature `lz4` of kafka-protocol",
            ),
            (
                CompressionError::TooLarge { codec, limit: 10 },
                "lz4 data is larger than 10 bytes when decompressed",
            ),
            (
                CompressionError::Corrupt { codec, reason: "truncated" },
                "corrupt lz4 data: truncated",
            ),
        ] {
            assert_eq!(error.to_string(), text);
            assert_eq!(error.codec(), codec);
        }
        assert_eq!(
            CompressionLevelError::OutOfRange { codec, level: 18 }.to_string(),
            "compression lz4 has no level 18, only 1 to 17 (default 9)"
        );
        assert_eq!(
            ParseCompressionError::new("brotli").to_string(),
            "unknown compression \"brotli\", expected one of none, gzip, snappy, lz4, zstd"
        );
    }
}
