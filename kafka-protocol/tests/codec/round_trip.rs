//! Every message in every version: random bytes are read and written again to the last byte.

use bytes::Bytes;
use kafka_protocol::{DecodeErrorKind, DecodeLimits, Message};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use crate::random::{Random, Writer, versions};
use crate::support::{MessageVisitor, schemas, visit_message};

/// Runs `check` on random bytes of a message in each of its versions.
struct EachVersion<'s> {
    schema: &'s Value,
    cases: u32,
    check: Check,
}

#[derive(Clone, Copy)]
enum Check {
    RoundTrip,
    Damage,
}

impl MessageVisitor for EachVersion<'_> {
    fn visit<M: Message>(self) {
        let (min, max) = versions(self.schema["validVersions"].as_str().unwrap()).unwrap();
        assert_eq!((M::VERSIONS.min, M::VERSIONS.max), (min, max), "{}", M::NAME);
        let flexible = versions(self.schema["flexibleVersions"].as_str().unwrap());
        let flexible_from = flexible.map(|(from, _)| from.max(min)).filter(|from| *from <= max);
        assert_eq!(M::FLEXIBLE_FROM, flexible_from, "{}", M::NAME);
        for version in min..=max {
            let mut runner = TestRunner::new(Config::with_cases(self.cases));
            let writer = Writer::new(self.schema, version);
            let result = runner.run(&(vec(any::<u8>(), 0..400), any::<u16>()), |(entropy, at)| {
                let bytes = Bytes::from(writer.message(&mut Random::new(&entropy)));
                match self.check {
                    Check::RoundTrip => round_trip::<M>(version, &bytes),
                    Check::Damage => damage::<M>(version, &bytes, usize::from(at)),
                }
            });
            if let Err(error) = result {
                panic!("{} v{version}: {error}", M::NAME);
            }
        }
    }
}

fn round_trip<M: Message>(version: i16, bytes: &Bytes) -> Result<(), TestCaseError> {
    let mut rest = bytes.clone();
    let message = M::decode(&mut rest, version)?;
    if !rest.is_empty() {
        return Err(TestCaseError::fail(format!("{} bytes are left", rest.len())));
    }
    let mut encoded = Vec::new();
    message.encode(&mut encoded, version)?;
    if encoded != *bytes {
        return Err(TestCaseError::fail(format!("{bytes:?}\nbecame {encoded:?}\nby {message:#?}")));
    }
    if message.encoded_len(version) != bytes.len() {
        return Err(TestCaseError::fail(format!("len {}", message.encoded_len(version))));
    }
    Ok(())
}

/// A message that is cut off is an error that says so, and a flipped byte is never a panic.
fn damage<M: Message>(version: i16, bytes: &Bytes, at: usize) -> Result<(), TestCaseError> {
    if bytes.is_empty() {
        return Ok(());
    }
    let at = at % bytes.len();
    let mut cut = bytes.slice(..at);
    match M::decode(&mut cut, version) {
        Ok(message) => return Err(TestCaseError::fail(format!("{at}: {message:?}"))),
        Err(error) => {
            let is_cut = matches!(
                error.kind(),
                DecodeErrorKind::Truncated { .. } | DecodeErrorKind::TooManyElements { .. }
            );
            if !is_cut || error.offset() > at || cut.len() != at {
                return Err(TestCaseError::fail(format!("{at}: {error}")));
            }
        }
    }
    for flip in [0x01, 0x80, 0xff] {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= flip;
        let limits = DecodeLimits::default().with_allocation(1 << 20);
        if let Ok(message) = M::decode_with(&mut damaged.into(), version, &limits) {
            // What can be read can be written.
            message.encode(&mut Vec::new(), version)?;
        }
    }
    Ok(())
}

#[test]
fn every_message_of_every_version_survives_the_round_trip() {
    let schemas = schemas();
    assert!(schemas.len() > 190, "{} schemas", schemas.len());
    for schema in &schemas {
        let name = schema["name"].as_str().unwrap();
        visit_message(name, EachVersion { schema, cases: 48, check: Check::RoundTrip });
    }
}

/// What one version can say is written in each other version: fields that it lacks are dropped if
/// the schema says so, else refused, and fields that are new to it have their defaults.
struct AcrossVersions<'s>(&'s Value);

impl MessageVisitor for AcrossVersions<'_> {
    fn visit<M: Message>(self) {
        let pairs = M::VERSIONS.iter().flat_map(|of| M::VERSIONS.iter().map(move |to| (of, to)));
        for (of, to) in pairs.filter(|(of, to)| of != to) {
            let mut runner = TestRunner::new(Config::with_cases(8));
            let (own, other) = (Writer::new(self.0, of), Writer::across(self.0, of, to));
            let result = runner.run(&vec(any::<u8>(), 0..400), |entropy| {
                let mut bytes = Bytes::from(own.message(&mut Random::new(&entropy)));
                let message = M::decode(&mut bytes, of)?;
                let expected = other.try_message(&mut Random::new(&entropy));
                across::<M>(&message, to, expected.as_deref())
            });
            if let Err(error) = result {
                panic!("{} v{of} as v{to}: {error}", M::NAME);
            }
        }
    }
}

fn across<M: Message>(
    message: &M,
    version: i16,
    expected: Option<&[u8]>,
) -> Result<(), TestCaseError> {
    let mut encoded = vec![7];
    let result = message.encode(&mut encoded, version);
    let is_expected = match (&result, expected) {
        (Ok(()), Some(bytes)) => {
            encoded[1..] == *bytes && message.encoded_len(version) == bytes.len()
        }
        (Err(error), None) => encoded == [7] && !error.field().is_empty(),
        _ => false,
    };
    if is_expected {
        return Ok(());
    }
    Err(TestCaseError::fail(format!("{message:#?}\n{result:?} {encoded:?}\n{expected:?}")))
}

#[test]
fn what_one_version_says_is_dropped_or_refused_by_others_as_the_schema_says() {
    for schema in &schemas() {
        visit_message(schema["name"].as_str().unwrap(), AcrossVersions(schema));
    }
}

#[test]
fn every_message_of_every_version_survives_damage() {
    for schema in &schemas() {
        let name = schema["name"].as_str().unwrap();
        visit_message(name, EachVersion { schema, cases: 24, check: Check::Damage });
    }
}
