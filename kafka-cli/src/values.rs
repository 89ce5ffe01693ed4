//! Values of options: each is read once, when the command line is, and is right from then on.

use std::fmt;
use std::str::FromStr;

use kafka_net::{AddressError, HostPort, parse_bootstrap_servers};
use kafka_protocol::records::Compression;

/// Brokers to begin with.
#[derive(Debug, Clone)]
pub(crate) struct Servers(pub(crate) Vec<HostPort>);

impl FromStr for Servers {
    type Err = AddressError;

    fn from_str(list: &str) -> Result<Self, AddressError> {
        parse_bootstrap_servers(list).map(Self)
    }
}

impl fmt::Display for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&servers.join(","))
    }
}

/// A cluster to send to.
#[derive(Debug, Clone)]
pub(crate) enum Bootstrap {
    /// One inside this command.
    Embedded,
    Servers(Servers),
}

impl FromStr for Bootstrap {
    type Err = AddressError;

    fn from_str(value: &str) -> Result<Self, AddressError> {
        match value {
            "embedded" => Ok(Self::Embedded),
            list => list.parse().map(Self::Servers),
        }
    }
}

/// Bytes, in which `\n`, `\t`, `\0` and `\\` stand for what they usually do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) Vec<u8>);

impl FromStr for Text {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        unescape(text).map(|text| Self(text.into_bytes()))
    }
}

impl Text {
    pub(crate) fn parse_not_empty(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("it must not be empty".to_owned()) } else { text.parse() }
    }
}

/// The byte that ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delimiter(pub(crate) u8);

impl FromStr for Delimiter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match unescape(text)?.as_bytes() {
            [byte] => Ok(Self(*byte)),
            _ => Err("write one ASCII character, or \\n, \\t, \\0".to_owned()),
        }
    }
}

/// A header of every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err("a header needs a name: write name=value".to_owned());
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

/// A setting of the producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Property {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err("write name=value, such as linger.ms=5".to_owned()),
        }
    }
}

/// A codec, and its level if one was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Codec {
    pub(crate) codec: Compression,
    pub(crate) level: Option<i32>,
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level)),
            None => (text, None),
        };
        let codec: Compression = name.parse().map_err(|_| {
            format!("unknown compression {name:?}: none, gzip, snappy, lz4 or zstd")
        })?;
        let Some(level) = level else { return Ok(Self { codec, level: None }) };
        let level =
            level.parse().map_err(|_| format!("{level:?} is not a level: write a number"))?;
        codec.with_level(level).map_err(|error| error.to_string())?;
        Ok(Self { codec, level: Some(level) })
    }
}

/// A value of `acks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Acks(pub(crate) &'static str);

impl FromStr for Acks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "0" => Ok(Self("0")),
            "1" => Ok(Self("1")),
            "all" | "-1" => Ok(Self("all")),
            _ => Err("write 0, 1 or all".to_owned()),
        }
    }
}

/// Where to begin to read a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Beginning,
    End,
    At(i64),
    /// So many offsets before the end.
    BeforeEnd(i64),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            number => match number.parse::<i64>() {
                Ok(offset) if offset >= 0 => Ok(Self::At(offset)),
                Ok(back) if back > i64::MIN => Ok(Self::BeforeEnd(-back)),
                _ => Err("write an offset, beginning, end, or -N for the last N".to_owned()),
            },
        }
    }
}

/// How to print a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) Vec<Piece>);

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Value,
    Key,
    Topic,
    Partition,
    Offset,
    Timestamp,
    Headers,
    ValueSize,
    KeySize,
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((plain, behind)) = rest.split_once('%') {
            pieces.push(Piece::Text(unescape(plain)?));
            let mut behind = behind.chars();
            pieces.push(match behind.next() {
                Some('s') => Piece::Value,
                Some('k') => Piece::Key,
                Some('t') => Piece::Topic,
                Some('p') => Piece::Partition,
                Some('o') => Piece::Offset,
                Some('T') => Piece::Timestamp,
                Some('h') => Piece::Headers,
                Some('S') => Piece::ValueSize,
                Some('K') => Piece::KeySize,
                Some('%') => Piece::Text("%".to_owned()),
                Some(other) => {
                    return Err(format!("%{other} means nothing: %s %k %t %p %o %T %h %S %K %%"));
                }
                None => return Err("it ends with %: a percent sign is %%".to_owned()),
            });
            rest = behind.as_str();
        }
        pieces.push(Piece::Text(unescape(rest)?));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        Ok(Self(pieces))
    }
}

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewTopic {
    pub(crate) name: String,
    pub(crate) partitions: u16,
}

impl FromStr for NewTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, partitions) = match text.split_once(':') {
            Some((name, partitions)) => (name, partitions.parse::<AutoCreate>()?.partitions),
            None => (text, AutoCreate::DEFAULT.partitions),
        };
        if name.is_empty() {
            return Err("a topic needs a name: write name:partitions".to_owned());
        }
        Ok(Self { name: name.to_owned(), partitions })
    }
}

/// Topics are created on demand, with so many partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AutoCreate {
    pub(crate) partitions: u16,
}

impl AutoCreate {
    const DEFAULT: Self = Self { partitions: 3 };
}

impl FromStr for AutoCreate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(partitions) if partitions > 0 => Ok(Self { partitions }),
            _ => Err(format!("{text:?} is not a number of partitions: 1 to 65535")),
        }
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        out.push(match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('0') => '\0',
            Some('\\') => '\\',
            Some(other) => return Err(format!("\\{other} means nothing: \\n \\t \\r \\0 \\\\")),
            None => return Err("it ends with \\: a backslash is \\\\".to_owned()),
        });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_text_and_parts_of_a_record() {
        let template: Template = "%p@%o\\t%k=%s%%\\n".parse().unwrap();
        let text = |text: &str| Piece::Text(text.to_owned());
        let expected = vec![
            Piece::Partition,
            text("@"),
            Piece::Offset,
            text("\t"),
            Piece::Key,
            text("="),
            Piece::Value,
            text("%"),
            text("\n"),
        ];
        assert_eq!(template.0, expected);
        let error = |template: &str| template.parse::<Template>().unwrap_err();
        assert_eq!(error("100%"), "it ends with %: a percent sign is %%");
        assert_eq!(error("\\q"), "\\q means nothing: \\n \\t \\r \\0 \\\\");
    }

    #[test]
    fn a_codec_has_the_levels_that_it_has() {
        let zstd = Codec { codec: Compression::Zstd, level: Some(-5) };
        assert_eq!("zstd:-5".parse(), Ok(zstd));
        assert!("zstd:99".parse::<Codec>().is_err());
        assert!("snappy:1".parse::<Codec>().is_err());
        assert!("zstd:".parse::<Codec>().is_err());
    }

    #[test]
    fn a_start_counts_from_either_end() {
        for (text, start) in [
            ("beginning", Start::Beginning),
            ("end", Start::End),
            ("0", Start::At(0)),
            ("-3", Start::BeforeEnd(3)),
        ] {
            assert_eq!(text.parse(), Ok(start));
        }
        assert!("-9223372036854775808".parse::<Start>().is_err());
    }

    #[test]
    fn headers_and_topics_need_a_name() {
        let header = |name: &str, value: Option<&str>| Header {
            name: name.to_owned(),
            value: value.map(str::to_owned),
        };
        assert_eq!("a=b=c".parse(), Ok(header("a", Some("b=c"))));
        assert_eq!("a=".parse(), Ok(header("a", Some(""))));
        assert_eq!("a".parse(), Ok(header("a", None)));
        assert!("=b".parse::<Header>().is_err());
        assert_eq!("a:7".parse(), Ok(NewTopic { name: "a".to_owned(), partitions: 7 }));
        assert_eq!("a".parse(), Ok(NewTopic { name: "a".to_owned(), partitions: 3 }));
        assert!(":7".parse::<NewTopic>().is_err());
    }

    #[test]
    fn a_delimiter_is_one_byte() {
        assert_eq!("\\0".parse(), Ok(Delimiter(0)));
        assert_eq!(",".parse(), Ok(Delimiter(b',')));
        assert!("ä".parse::<Delimiter>().is_err());
        assert!("ab".parse::<Delimiter>().is_err());
    }
}
