//! Version expressions of the message schemas: `none`, `3`, `0-5`, `3+`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// A closed range of versions, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Versions {
    None,
    Range { min: i16, max: i16 },
}

impl Versions {
    pub(crate) fn range(min: i16, max: i16) -> Self {
        if min <= max { Self::Range { min, max } } else { Self::None }
    }

    pub(crate) fn contains(self, version: i16) -> bool {
        matches!(self, Self::Range { min, max } if min <= version && version <= max)
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::None
    }

    pub(crate) fn intersect(self, other: Self) -> Self {
        match (self, other) {
            (Self::Range { min: a, max: b }, Self::Range { min: c, max: d }) => {
                Self::range(a.max(c), b.min(d))
            }
            _ => Self::None,
        }
    }

    /// The smallest range that holds both.
    pub(crate) fn hull(self, other: Self) -> Self {
        match (self, other) {
            (Self::Range { min: a, max: b }, Self::Range { min: c, max: d }) => {
                Self::range(a.min(c), b.max(d))
            }
            (Self::None, other) => other,
            (this, Self::None) => this,
        }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = i16> {
        let range = match self {
            Self::None => None,
            Self::Range { min, max } => Some(min..=max),
        };
        range.into_iter().flatten()
    }
}

impl FromStr for Versions {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if text == "none" {
            return Ok(Self::None);
        }
        let number = |text: &str| text.parse().with_context(|| format!("bad version `{text}`"));
        let (min, max) = if let Some(min) = text.strip_suffix('+') {
            (number(min)?, i16::MAX)
        } else if let Some((min, max)) = text.split_once('-') {
            (number(min)?, number(max)?)
        } else {
            (number(text)?, number(text)?)
        };
        if min < 0 || min > max {
            bail!("bad version range `{text}`");
        }
        Ok(Self::Range { min, max })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::None => f.write_str("none"),
            Self::Range { min, max } if min == max => write!(f, "{min}"),
            Self::Range { min, max: i16::MAX } => write!(f, "{min}+"),
            Self::Range { min, max } => write!(f, "{min}-{max}"),
        }
    }
}

impl TryFrom<String> for Versions {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

impl From<Versions> for String {
    fn from(versions: Versions) -> Self {
        versions.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_round_trip() {
        for text in ["none", "0", "7", "0-5", "3+"] {
            assert_eq!(text.parse::<Versions>().unwrap().to_string(), text);
        }
        for text in ["", "+", "5-3", "-1", "a"] {
            assert!(text.parse::<Versions>().is_err(), "{text}");
        }
    }
}
