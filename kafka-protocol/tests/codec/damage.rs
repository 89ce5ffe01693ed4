//! Every frame cut off at every byte, and with every byte changed: never a panic, and never more memory
//! than the message's bound.
//!
//! The frames are Java's golden ones and, of every message in every version, one with something at
//! every place. A plain `cargo test` takes a sample of them; `cargo xtask bounds` takes every byte.

use std::fs;

use bytes::Bytes;
use kafka_protocol::records::{CrcCheck, RecordBatch, RecordBatchHeader};
use kafka_protocol::{DecodeLimits, Message};

use crate::bound::{allocated, decode_within_bound};
use crate::places::Full;
use crate::support::{MessageVisitor, from_hex, golden_lines, path, schemas, visit_message};

/// A frame without header: the version it is in, and its bytes.
type Frame = (i16, Bytes);

/// Damages the frames of one message.
struct Damage<'f> {
    frames: &'f [Frame],
    sample: &'f mut Sample,
}

impl MessageVisitor for Damage<'_> {
    fn visit<M: Message>(self) {
        for (version, bytes) in self.frames {
            if let Err(error) = decode_within_bound::<M>(*version, bytes) {
                panic!("{error}");
            }
            for at in 0..bytes.len() {
                if self.sample.takes_next() {
                    damage::<M>(*version, bytes, at);
                }
            }
        }
    }
}

fn damage<M: Message>(version: i16, bytes: &Bytes, at: usize) {
    // Nothing that is cut off can be read.
    let cut = decode_within_bound::<M>(version, &bytes.slice(..at));
    assert!(cut.is_err(), "{} v{version}, {at} bytes of {bytes:?}: {cut:?}", M::NAME);
    let mut damaged = bytes.to_vec();
    for byte in [0x00, 0x01, 0x7f, 0x80, 0xff, bytes[at] ^ 1, bytes[at] ^ 0x80] {
        damaged[at] = byte;
        if let Ok(message) = decode_within_bound::<M>(version, &Bytes::copy_from_slice(&damaged)) {
            // What can be read can be written.
            let mut encoded = Vec::new();
            message.encode(&mut encoded, version).expect("it was decoded");
            assert_eq!(encoded.len(), message.encoded_len(version), "{message:?}");
        }
    }
}

/// Takes every so manieth byte, wherever frames begin and end.
struct Sample {
    every: usize,
    seen: usize,
}

impl Sample {
    /// Of so many bytes as many as a test has time for.
    fn of(bytes: usize) -> Self {
        let takes_all = std::env::var_os("DAMAGE_EVERY_BYTE").is_some();
        let every = if takes_all { 1 } else { bytes.div_ceil(BYTES_MAX) };
        println!("{bytes} bytes, of which one in {every} is damaged");
        Self { every, seen: 0 }
    }

    fn takes_next(&mut self) -> bool {
        self.seen += 1;
        self.seen % self.every == 0
    }
}

fn check(messages: &[(String, Vec<Frame>)]) {
    let frames = messages.iter().flat_map(|(_, frames)| frames);
    let mut sample = Sample::of(frames.map(|(_, bytes)| bytes.len()).sum());
    for (name, frames) in messages {
        visit_message(name, Damage { frames, sample: &mut sample });
    }
}

#[test]
fn golden_frames_survive_damage() {
    let mut messages = Vec::new();
    for file in fs::read_dir(path("tests/golden/messages")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".txt").filter(|name| !name.contains('.')) else {
            continue;
        };
        if !name.ends_with("Header") {
            let lines = golden_lines(&format!("messages/{file}"));
            messages.push((name.to_owned(), lines.iter().map(|line| frame(line)).collect()));
        }
    }
    messages.sort();
    assert!(messages.len() >= 8, "only {} messages have golden files", messages.len());
    check(&messages);
}

/// A line of a golden file: `vVERSION CASE HEX`.
fn frame(line: &str) -> Frame {
    let words: Vec<&str> = line.split(' ').collect();
    (words[0][1..].parse().expect(line), from_hex(words[2]))
}

#[test]
fn every_message_of_every_version_survives_damage_at_every_place() {
    let mut messages: Vec<(String, Vec<Frame>)> = Vec::new();
    for schema in &schemas() {
        let name = schema["name"].as_str().unwrap().to_owned();
        let text = schema["validVersions"].as_str().unwrap();
        let (min, max) = crate::random::versions(text).expect("schemas with versions only");
        let full = |version| (version, Bytes::from(Full::new(schema, version).bytes));
        messages.push((name, (min..=max).map(full).collect()));
    }
    check(&messages);
}

/// Batches, without a look at the CRC: the header at every byte, and the records here and there.
#[test]
fn golden_batches_survive_damage() {
    let mut batches = 0;
    for file in fs::read_dir(path("tests/golden/batches")).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let lines = golden_lines(&format!("batches/{file}"));
        let batch = lines.iter().find_map(|line| line.strip_prefix("hex: ")).map(from_hex);
        let batch = batch.expect(&file);
        let step = (batch.len() / 40).max(1);
        let records = (RecordBatchHeader::LEN..batch.len()).step_by(step);
        for at in (0..RecordBatchHeader::LEN.min(batch.len())).chain(records) {
            read_within_bound(&file, batch.slice(..at));
            for byte in [0x00, 0x7f, 0xff, batch[at] ^ 1] {
                let mut damaged = batch.to_vec();
                damaged[at] = byte;
                read_within_bound(&file, damaged.into());
            }
        }
        batches += 1;
    }
    assert!(batches >= 25, "only {batches} golden batches");
}

/// Reads a batch and its records. Compressed ones take a few times the limit, others nothing.
fn read_within_bound(file: &str, mut batch: Bytes) {
    const LIMIT: usize = 256 * 1024;
    let limits = DecodeLimits::default().with_decompressed(LIMIT);
    let (_, memory) = allocated(|| {
        let batch = RecordBatch::decode_with(&mut batch, CrcCheck::Skip, &limits).ok()?;
        Some(
            batch.iter().filter_map(Result::ok).map(|record| record.headers.count()).sum::<usize>(),
        )
    });
    assert!(memory <= 4 * LIMIT + (64 << 10), "{file}: {memory} bytes");
}

/// Most bytes that are damaged, eight times each, where a sample will do: some seconds' worth.
const BYTES_MAX: usize = 40_000;
