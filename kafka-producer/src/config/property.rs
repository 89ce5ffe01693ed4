//! What is known of a property, and what a value of it has to be.

use std::ops::RangeInclusive;
use std::str::FromStr;

use kafka_net::{HostPort, parse_bootstrap_servers};
use kafka_protocol::records::Compression;

use super::ConfigError;

/// A property of Kafka's producer.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) value_type: ValueType,
    /// Kafka's default; `None` where that is null, or where there is none.
    pub(super) kafka_default: Option<&'static str>,
    pub(super) support: Support,
}

/// The types of Kafka's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    Boolean,
    Class,
    Double,
    Int,
    List,
    Long,
    /// A secret: not shown anywhere.
    Password,
    Short,
    String,
    /// A string for Kafka too, but upper and lower case are the same.
    AnyCase,
}

/// What this client does with a property.
#[derive(Debug)]
pub(super) enum Support {
    /// Takes every valid value. The default is ours where it is not Kafka's.
    Built { valid: Valid, default: Option<&'static str> },
    /// Not built. Only values that ask for what we do anyway are taken.
    NotBuilt { accepted: Accepted, instead: &'static str },
    /// Names something inside a Java process. Only values that ask for nothing are taken.
    JavaOnly { accepted: Accepted, instead: &'static str },
}

/// The values that a property which is not built can have.
#[derive(Debug, Clone, Copy)]
pub(super) enum Accepted {
    /// Kafka's default; where that is null, empty text, which templates of files write for it.
    Default,
    These(&'static [&'static str]),
}

/// What is demanded of a value besides its type.
#[derive(Debug)]
pub(super) enum Valid {
    Any,
    AtLeast(i64),
    /// A level of this codec. Whether the build has the codec matters only where it is used.
    Level(Compression),
    OneOf(&'static [&'static str]),
    /// Addresses with commas between them.
    Servers,
}

impl Property {
    /// Whether `value`, which has no space around it, is one that this client can have.
    pub(super) fn check(&self, value: &str) -> Result<(), ConfigError> {
        match &self.support {
            Support::Built { valid: Valid::Servers, .. } => self.servers(value).map(drop),
            Support::Built { valid: Valid::OneOf(_), .. } => self.choice(value).map(drop),
            Support::Built { .. } => match self.value_type {
                ValueType::Boolean => self.flag(value).map(drop),
                ValueType::Int | ValueType::Long => self.number(value).map(drop),
                _ => self.text(value).map(drop),
            },
            Support::NotBuilt { accepted, instead } => {
                self.accepts(*accepted, value).map_err(|accepted| ConfigError::NotBuilt {
                    property: self.name,
                    instead,
                    accepted,
                })
            }
            Support::JavaOnly { accepted, instead } => {
                self.accepts(*accepted, value).map_err(|accepted| ConfigError::JavaOnly {
                    property: self.name,
                    instead,
                    accepted,
                })
            }
        }
    }

    /// The default of this client, for a property that is built.
    pub(super) fn default(&self) -> Option<&'static str> {
        match self.support {
            Support::Built { default: Some(default), .. } => Some(default),
            _ => self.kafka_default,
        }
    }

    pub(super) fn is_secret(&self) -> bool {
        self.value_type == ValueType::Password
    }

    pub(super) fn flag(&self, value: &str) -> Result<bool, ConfigError> {
        match value {
            _ if value.eq_ignore_ascii_case("true") => Ok(true),
            _ if value.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self.bad(value, "it must be true or false".to_owned())),
        }
    }

    pub(super) fn number(&self, value: &str) -> Result<i64, ConfigError> {
        let (range, also) = self.range();
        let is_allowed = |number: &i64| range.contains(number) || also == Some(*number);
        value.parse().ok().filter(is_allowed).ok_or_else(|| {
            let (min, max) = range.clone().into_inner();
            let also = also.map(|also| format!(", or {also}")).unwrap_or_default();
            let reason = match (min, max) {
                (i64::MIN, i64::MAX) => "it must be an integer".to_owned(),
                (_, i64::MAX) => format!("it must be an integer of at least {min}"),
                _ => format!("it must be an integer from {min} to {max}{also}"),
            };
            self.bad(value, reason)
        })
    }

    /// The one that it is, of those that are allowed.
    pub(super) fn choice(&self, value: &str) -> Result<&'static str, ConfigError> {
        let choices = match self.support {
            Support::Built { valid: Valid::OneOf(choices), .. } => choices,
            _ => &[],
        };
        choices
            .iter()
            .find(|choice| self.is_same(choice, value))
            .copied()
            .ok_or_else(|| self.bad(value, format!("it must be one of {}", choices.join(", "))))
    }

    pub(super) fn servers(&self, value: &str) -> Result<Vec<HostPort>, ConfigError> {
        parse_bootstrap_servers(value).map_err(|error| self.bad(value, error.to_string()))
    }

    pub(super) fn text(&self, value: &str) -> Result<String, ConfigError> {
        if value.len() > TEXT_LEN_MAX {
            return Err(self.bad(value, format!("it must be of at most {TEXT_LEN_MAX} bytes")));
        }
        Ok(value.to_owned())
    }

    /// Or the values that are accepted.
    fn accepts(&self, accepted: Accepted, value: &str) -> Result<(), Vec<&'static str>> {
        let accepted = match accepted {
            Accepted::Default => vec![self.kafka_default.unwrap_or("")],
            Accepted::These(values) => values.to_vec(),
        };
        let is_accepted = accepted.iter().any(|accepted| self.is_same(accepted, value));
        if is_accepted { Ok(()) } else { Err(accepted) }
    }

    /// Whether both texts are the same value.
    fn is_same(&self, known: &str, value: &str) -> bool {
        match self.value_type {
            ValueType::Boolean | ValueType::AnyCase => known.eq_ignore_ascii_case(value),
            ValueType::Int | ValueType::Long | ValueType::Short => {
                is_parsed_same::<i64>(known, value)
            }
            ValueType::Double => is_parsed_same::<f64>(known, value),
            ValueType::List => known.split(',').eq(value.split(',').map(str::trim)),
            ValueType::Class | ValueType::Password | ValueType::String => known == value,
        }
    }

    /// The integers that are allowed, and one more.
    fn range(&self) -> (RangeInclusive<i64>, Option<i64>) {
        let max = match self.value_type {
            ValueType::Int => i64::from(i32::MAX),
            _ => i64::MAX,
        };
        match &self.support {
            Support::Built { valid: Valid::AtLeast(min), .. } => (*min..=max, None),
            Support::Built { valid: Valid::Level(codec), .. } => {
                let levels = codec.levels().unwrap_or(0..=0);
                let outside = codec.default_level().filter(|level| !levels.contains(level));
                let (first, last) = levels.into_inner();
                (i64::from(first)..=i64::from(last), outside.map(i64::from))
            }
            _ => (i64::MIN..=max, None),
        }
    }

    fn bad(&self, value: &str, reason: String) -> ConfigError {
        ConfigError::BadValue { property: self.name, value: shown(value), reason }
    }
}

/// What an error shows of a text.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

fn is_parsed_same<T: FromStr + PartialEq>(known: &str, value: &str) -> bool {
    match (known.parse::<T>(), value.parse::<T>()) {
        (Ok(known), Ok(value)) => known == value,
        // Null is no number.
        _ => known == value,
    }
}

/// Longest string of the protocol.
const TEXT_LEN_MAX: usize = i16::MAX as usize;

/// Characters of a text that an error shows.
const SHOWN_MAX: usize = 100;
