//! What fuzzing begins with: the golden files, as inputs of our targets.
//!
//! Part of `cargo xtask fuzz`. It stands here because a target and the form of its seeds change
//! together.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::names;

/// Writes the seeds of a target into its corpus, beside what is there already.
pub(super) fn write(root: &Path, corpus: &Path, target: &str) -> Result<()> {
    fs::create_dir_all(corpus).with_context(|| format!("cannot create {corpus:?}"))?;
    let seeds = seeds(&root.join("kafka-protocol/tests/golden"), target)?;
    for (name, bytes) in seeds.iter().filter(|(_, bytes)| bytes.len() <= SEED_LEN_MAX) {
        let path = corpus.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}

/// An input and the name of its file.
type Seed = (String, Vec<u8>);

/// Inputs for a target out of the golden files, in the form that the target's source describes.
fn seeds(golden: &Path, target: &str) -> Result<Vec<Seed>> {
    match target {
        "request" => messages(golden, "Request"),
        "response" => messages(golden, "Response"),
        "header" => {
            let mut headers = cases(golden, "RequestHeader")?;
            headers.extend(cases(golden, "ResponseHeader")?);
            Ok(headers.into_iter().map(|case| (case.name, case.bytes)).collect())
        }
        // What is made of the bytes by the `arbitrary` crate needs no more than bytes that differ.
        "builder" | "record_batch" | "net_connection" | "net_handshake" | "net_in_flight" => {
            batches(golden, "")
        }
        "kafka_codec" => streams(golden),
        "sender_events" => {
            let seed = |&(name, steps): &(&str, &str)| (name.to_owned(), steps.as_bytes().to_vec());
            Ok(SENDER_EVENTS.iter().map(seed).collect())
        }
        "record_batches" => {
            let batches = batches(golden, "")?;
            let pair = |((first, one), (second, two)): (&Seed, &Seed)| {
                (format!("{first}-{second}"), [&one[..], two].concat())
            };
            Ok(batches.iter().zip(batches.iter().skip(1)).map(pair).collect())
        }
        _ => {
            let codec = target.strip_prefix("decompress_");
            let codec = codec.with_context(|| format!("fuzz target `{target}` has no seeds"))?;
            let batches = batches(golden, codec)?.into_iter();
            Ok(batches.map(|(name, batch)| (name, batch[BATCH_HEADER_LEN..].to_vec())).collect())
        }
    }
}

/// API key, version and message: every golden one of this direction.
fn messages(golden: &Path, direction: &str) -> Result<Vec<Seed>> {
    let mut seeds = Vec::new();
    for line in lines(&golden.join("apis.txt"))? {
        let words: Vec<&str> = line.split(' ').collect();
        // An API without the rest was removed.
        let [key, _, api, _, ..] = words[..] else { bail!("`{line}` is not an API") };
        if words.contains(&"none") {
            continue;
        }
        let key = key.parse::<i16>()?;
        for Case { name, version, bytes } in cases(golden, &format!("{api}{direction}"))? {
            seeds.push((name, [&key.to_be_bytes()[..], &version.to_be_bytes(), &bytes].concat()));
        }
    }
    Ok(seeds)
}

/// A line of a golden message file.
struct Case {
    name: String,
    version: i16,
    bytes: Vec<u8>,
}

/// All golden bytes of a message, at every version.
fn cases(golden: &Path, message: &str) -> Result<Vec<Case>> {
    let path = golden.join("messages").join(message).with_extension("txt");
    let lines = lines(&path)?;
    let case = |line: &String| {
        let words: Vec<&str> = line.split(' ').collect();
        let [version, case, hex] = words[..] else { return None };
        Some(Case {
            name: format!("{message}-{version}-{case}"),
            version: version.strip_prefix('v')?.parse().ok()?,
            bytes: bytes(hex)?,
        })
    };
    let cases = lines.iter().map(|line| case(line).with_context(|| format!("{path:?}: {line}")));
    cases.collect()
}

/// The largest frame, eight sizes of reads, and a stream of frames: every golden answer and batch.
fn streams(golden: &Path) -> Result<Vec<Seed>> {
    let mut frames = batches(golden, "")?;
    for message in ["ApiVersionsResponse", "MetadataResponse", "ProduceRequest"] {
        frames.extend(cases(golden, message)?.into_iter().map(|case| (case.name, case.bytes)));
    }
    let stream = |frames: &[Seed]| {
        let mut stream = vec![0x40, 0, 0, 2, 3, 5, 8, 16, 64, 255];
        for (_, frame) in frames {
            stream.extend_from_slice(&i32::try_from(frame.len())?.to_be_bytes());
            stream.extend_from_slice(frame);
        }
        Ok((frames[0].0.clone(), stream))
    };
    frames.retain(|(_, frame)| frame.len() <= 0x4000);
    frames.chunks(FRAMES_OF_A_STREAM).map(stream).collect()
}

/// The golden batches whose file name begins so.
fn batches(golden: &Path, prefix: &str) -> Result<Vec<Seed>> {
    let mut batches = Vec::new();
    let folder = golden.join("batches");
    for name in names(&folder)?.into_iter().filter(|name| name.starts_with(prefix)) {
        let path = folder.join(&name).with_extension("txt");
        let lines = lines(&path)?;
        let hex = lines.last().and_then(|line| bytes(line.strip_prefix("hex: ")?));
        batches.push((name, hex.with_context(|| format!("{path:?} does not end in hex"))?));
    }
    Ok(batches)
}

/// The lines of a golden file that are not comments.
fn lines(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path:?}"))?;
    Ok(text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let hex = if hex == "-" { "" } else { hex };
    hex.as_bytes()
        .chunks(2)
        .map(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
        .collect()
}

/// What may happen to a producer, as the page of `kafka-producer/tests/fuzzing/` says.
const SENDER_EVENTS: [(&str, &str); 14] = [
    ("written", "0000000000 x0g a40e g a50a40a42e g p6 a40e gf"),
    ("step-by-step", "0000000000 x0 r00 o0 w0 i00 i00 o0 i00 a42e i00 w0 i00 a40e i00 p6 n"),
    ("leader-moves", "0000000000 x2g a00a10a20e i0160 l02 ng a00e i05601123 ng"),
    ("other-brokers", "0000000000 x2g l<01 pg a00a10e g l=01 x3 g l?00 x3 g c00 ng"),
    ("retries", "0100000000 x0g a40e i01700 ng a40e i0130 ng a40e i01-0 ng"),
    ("sequences", "0000000000 x0g a40eg a40a42e i01]0 ng a40eg a40e i01k0 ng a40e i01^0 ng"),
    ("too-large", "0000000000 x0g a42a42a42a42e i01:0 ng a42a43a42e i01:0 i01:0 ng"),
    ("record-errors", "0000000000 x0g a40a40a40e i01W<210 g a40a40e i01W81011 g"),
    ("compressed", "8000000000 x2g a03e s00 gi00 a04a14e s01 s00 s10 ng f a00e gng"),
    ("unanswered", "4500000000 x0g a42e w0 a42a42e c00 ng a42e p7 p8 ng f a40e z1"),
    ("recreated", "0000000000 x0g a40e l700 x0g l500 l600 x0 i0830 g a40eg l:03 x0g l;00 x0g"),
    ("full-memory", "0000005000 x0g a43a43a43a43e y04 ng y04 y10 b3 b3 ng y04y04 p4 ng ng"),
    ("throttled", "0000000001 x0g a40e i02:0 a40e p6 ng i0380 ng d000a5 ng j00012ab ng r01 r03"),
    ("closing", "030200000? x2g a00a10f a20 z2 u00 u10 u20 u30 u40 u50 n g t6 a00"),
];

/// Longest seed in bytes: libFuzzer makes inputs as long as the longest, and long ones are slow.
const SEED_LEN_MAX: usize = 16 * 1024;

/// Frames that follow each other in the seed of a stream.
const FRAMES_OF_A_STREAM: usize = 4;

/// Bytes of a batch in front of its records.
const BATCH_HEADER_LEN: usize = 61;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds() {
        let root = crate::root();
        let golden = root.join("kafka-protocol/tests/golden");
        for target in names(&root.join("fuzz/fuzz_targets")).unwrap() {
            assert!(!seeds(&golden, &target).unwrap().is_empty(), "{target}");
        }
    }
}
