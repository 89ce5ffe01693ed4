//! Every case as our codec writes and reads it, beside what Java wrote.

use std::fmt::Debug;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use kafka_protocol::{DecodeError, EncodeError, Encoder, Message, RequestHeader, ResponseHeader};
use serde_json::Value;

use crate::hex::{from_hex, to_hex};
use crate::json::{FromJson, Object};

/// A line of the case file, and the line that Java wrote for it.
struct Case<'l> {
    message: &'l str,
    version: i16,
    /// The version whose fields the value has.
    read_as: i16,
    family: &'l str,
    value: Value,
    /// `None` where Java refused.
    java: Option<Bytes>,
}

/// Compares all cases, and prints what differs and how many were compared.
pub(crate) fn compare(cases: &Path, java: &Path) -> Result<()> {
    let open = |path: &Path| {
        let file = File::open(path).with_context(|| format!("cannot open {path:?}"))?;
        anyhow::Ok(BufReader::new(file).lines())
    };
    let (mut cases, mut answers) = (open(cases)?, open(java)?);
    let (mut compared, mut failures) = (0, 0);
    loop {
        let (line, answer) = match (cases.next(), answers.next()) {
            (Some(line), Some(answer)) => (line?, answer?),
            (None, None) => break,
            _ => bail!("Java wrote more or fewer lines than there are cases"),
        };
        let case = parse(&line, &answer)?;
        compared += 1;
        if let Err(error) = check_by_name(&case) {
            failures += 1;
            if failures <= FAILURES_MAX {
                println!("{} v{} {}: {error:#}\n", case.message, case.version, case.family);
            }
        }
    }
    println!("compared: {compared}");
    ensure!(failures == 0, "{failures} of {compared} cases differ");
    Ok(())
}

fn parse<'l>(line: &'l str, answer: &str) -> Result<Case<'l>> {
    let words: Vec<&str> = line.splitn(5, ' ').collect();
    let [message, version, read_as, family, value] = words[..] else {
        bail!("`{line}` is no case")
    };
    Ok(Case {
        message,
        version: version.parse()?,
        read_as: read_as.parse()?,
        family,
        value: serde_json::from_str(value)?,
        java: if answer == "refused" { None } else { Some(from_hex(answer)?) },
    })
}

/// How a type is written and read.
struct Codec<T> {
    encode: fn(&T, i16) -> Result<Vec<u8>, EncodeError>,
    encoded_len: fn(&T, i16) -> usize,
    decode: fn(&mut Bytes, i16) -> Result<T, DecodeError>,
}

impl<M: Message> Codec<M> {
    fn of_message() -> Self {
        Self {
            encode: |message, version| {
                let mut bytes = Vec::new();
                message.encode(&mut bytes, version).map(|()| bytes)
            },
            encoded_len: M::encoded_len,
            decode: M::decode,
        }
    }
}

fn written(
    write: impl FnOnce(&mut Encoder) -> Result<(), EncodeError>,
) -> Result<Vec<u8>, EncodeError> {
    let mut out = Encoder::contiguous(Vec::new());
    write(&mut out).map(|()| out.into_segments().concat())
}

fn check_header(case: &Case<'_>) -> Result<()> {
    match case.message {
        "RequestHeader" => check(
            case,
            &Codec {
                encode: |header: &RequestHeader, version| written(|out| header.write(out, version)),
                encoded_len: RequestHeader::encoded_len,
                decode: RequestHeader::decode_version,
            },
        ),
        "ResponseHeader" => check(
            case,
            &Codec {
                encode: |header: &ResponseHeader, version| {
                    written(|out| header.write(out, version))
                },
                encoded_len: ResponseHeader::encoded_len,
                decode: ResponseHeader::decode,
            },
        ),
        _ => bail!("no such message"),
    }
}

fn check<T: FromJson + PartialEq + Debug>(case: &Case<'_>, codec: &Codec<T>) -> Result<()> {
    let value = T::from_json(&case.value).context("the value does not fit the struct")?;
    let ours = (codec.encode)(&value, case.version);
    let (ours, java) = match (ours, &case.java) {
        (Err(_), None) => return Ok(()),
        (Ok(bytes), None) => bail!("Java refuses it, we write {}", to_hex(&bytes)),
        (Err(error), Some(java)) => bail!("we refuse it ({error}), Java writes {}", to_hex(java)),
        (Ok(ours), Some(java)) => (ours, java),
    };
    if let Some(at) = difference(&ours, java) {
        bail!("byte {at} differs\n  ours {}\n  Java {}", to_hex(&ours), to_hex(java));
    }
    let len = (codec.encoded_len)(&value, case.version);
    ensure!(len == ours.len(), "{len} bytes were foretold, {} were written", ours.len());

    let mut rest = java.clone();
    let read = (codec.decode)(&mut rest, case.version).context("we refuse what Java wrote")?;
    ensure!(rest.is_empty(), "{} bytes are left", rest.len());
    if case.version == case.read_as {
        ensure!(read == value, "{read:#?} was read, expected was {value:#?}");
    }
    let again = (codec.encode)(&read, case.version).context("we refuse what we read")?;
    ensure!(again == *java, "read and written again it is {}", to_hex(&again));
    Ok(())
}

/// The first place at which two byte strings are not the same.
fn difference(ours: &[u8], java: &[u8]) -> Option<usize> {
    let shorter = ours.len().min(java.len());
    let at = ours.iter().zip(java).position(|(ours, java)| ours != java).unwrap_or(shorter);
    (at < ours.len().max(java.len())).then_some(at)
}

macro_rules! structs {
    ($($path:ty { $($field:ident $name:literal)* } $($tags:ident)?;)*) => {
        $(impl FromJson for $path {
            fn from_json(json: &Value) -> Result<Self> {
                let mut object = Object::new(json)?;
                let mut this = Self::default();
                $(object.read($name, &mut this.$field)?;)*
                $(object.read("unknownTaggedFields", &mut this.$tags)?;)?
                object.end()?;
                Ok(this)
            }
        })*
    };
}

/// Headers have shorter names here than in the schema.
mod headers {
    use super::{FromJson, Object, RequestHeader, ResponseHeader, Result, Value};

    structs! {
        RequestHeader {
            api_key "requestApiKey" api_version "requestApiVersion" correlation_id "correlationId"
            client_id "clientId"
        } unknown_tagged_fields;
        ResponseHeader { correlation_id "correlationId" } unknown_tagged_fields;
    }
}

macro_rules! messages {
    ($($name:literal $path:ty;)*) => {
        /// Checks a case of the message whose name it has.
        fn check_by_name(case: &Case<'_>) -> Result<()> {
            match case.message {
                $($name => check(case, &Codec::<$path>::of_message()),)*
                _ => check_header(case),
            }
        }
    };
}

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/oracle/table.rs"));

/// How many differences are told in full.
const FAILURES_MAX: usize = 20;
