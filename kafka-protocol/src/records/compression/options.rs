//! A codec together with its level, checked when it is made.

use std::ops::RangeInclusive;

use super::{Compression, CompressionLevelError};

/// A codec and the level it compresses at.
///
/// Made by [`Compression::with_level`], or from a [`Compression`] alone, which then uses Java's
/// default level. The level matters to the writer only; every reader reads every level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CompressionOptions {
    codec: Compression,
    /// `Some` exactly for the codecs that have levels.
    level: Option<i32>,
}

impl CompressionOptions {
    /// The codec.
    pub const fn codec(self) -> Compression {
        self.codec
    }

    /// The level, `None` for the codecs without levels (`none`, `snappy`).
    pub const fn level(self) -> Option<i32> {
        self.level
    }
}

impl From<Compression> for CompressionOptions {
    fn from(codec: Compression) -> Self {
        Self { codec, level: codec.default_level() }
    }
}

impl Compression {
    /// This codec at `level` (`compression.gzip.level`, `.lz4.level`, `.zstd.level`).
    ///
    /// Ranges and defaults are those of Java's `CompressionType` (KIP-390):
    ///
    /// | codec  | levels         | default | |
    /// |--------|----------------|---------|-|
    /// | `gzip` | 1 to 9, and -1 | -1      | -1 stands for 6; 1 is the same as 2 here |
    /// | `lz4`  | 1 to 17        | 9       | 9 is the fast compressor, all others are LZ4 HC; above 12 nothing changes |
    /// | `zstd` | -131072 to 22  | 3       | 0 stands for 3; negative levels are faster |
    ///
    /// # Errors
    /// If the codec has no levels or not this one, or if the level of `lz4` needs the cargo
    /// feature `lz4-hc` (all but 9) and this build lacks it.
    pub fn with_level(self, level: i32) -> Result<CompressionOptions, CompressionLevelError> {
        let Some(levels) = self.levels() else {
            return Err(CompressionLevelError::NoLevels { codec: self });
        };
        let is_default = self.default_level() == Some(level);
        if !levels.contains(&level) && !is_default {
            return Err(CompressionLevelError::OutOfRange { codec: self, level });
        }
        if self == Self::Lz4 && !is_default && !cfg!(feature = "lz4-hc") {
            return Err(CompressionLevelError::MissingFeature {
                codec: self,
                level,
                feature: "lz4-hc",
            });
        }
        Ok(CompressionOptions { codec: self, level: Some(level) })
    }

    /// The level used when none is chosen, `None` for the codecs without levels.
    pub const fn default_level(self) -> Option<i32> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(-1),
            Self::Lz4 => Some(9),
            Self::Zstd => Some(3),
        }
    }

    /// The levels one can choose, `None` for the codecs without levels.
    ///
    /// The default level of `gzip`, -1, is allowed as well.
    pub const fn levels(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::None | Self::Snappy => None,
            Self::Gzip => Some(1..=9),
            Self::Lz4 => Some(1..=17),
            Self::Zstd => Some(-131_072..=22),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_java() {
        for (codec, allowed, refused) in [
            (Compression::Gzip, vec![-1, 1, 6, 9], vec![-2, 0, 10]),
            (Compression::Zstd, vec![-131_072, 0, 3, 22], vec![-131_073, 23]),
            (Compression::Lz4, vec![9], vec![-1, 0, 18]),
        ] {
            for level in allowed {
                let options = codec.with_level(level).expect("allowed level");
                assert_eq!((options.codec(), options.level()), (codec, Some(level)));
            }
            for level in refused {
                assert_eq!(
                    codec.with_level(level),
                    Err(CompressionLevelError::OutOfRange { codec, level })
                );
            }
        }
        for codec in [Compression::None, Compression::Snappy] {
            assert_eq!(codec.with_level(1), Err(CompressionLevelError::NoLevels { codec }));
        }
    }

    #[test]
    fn other_levels_of_lz4_need_the_c_library() {
        for level in [1, 8, 10, 17] {
            let result = Compression::Lz4.with_level(level);
            if cfg!(feature = "lz4-hc") {
                assert_eq!(result.map(CompressionOptions::level), Ok(Some(level)));
            } else {
                let error = result.expect_err("no lz4-hc");
                assert!(error.to_string().contains("`lz4-hc`"), "{error}");
            }
        }
    }

    #[test]
    fn a_codec_alone_has_its_default_level() {
        for codec in Compression::ALL {
            let options = CompressionOptions::from(codec);
            assert_eq!(options.codec(), codec);
            assert_eq!(options.level(), codec.default_level());
            if let Some(level) = codec.default_level() {
                assert_eq!(codec.with_level(level), Ok(options));
            }
        }
        assert_eq!(CompressionOptions::default(), CompressionOptions::from(Compression::None));
    }
}
