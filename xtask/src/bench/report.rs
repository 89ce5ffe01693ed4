//! What was measured, as a table and as a page of the documentation.

use std::process::Command;

use anyhow::{Context, Result};

/// One thing that was timed.
pub(super) struct Figure {
    goal: &'static Goal,
    /// Nanoseconds: ours, then the peers.
    times: [f64; 3],
}

pub(super) struct Report {
    pub(super) figures: Vec<Figure>,
}

/// What a figure is to reach.
struct Goal {
    /// As the peers' binary calls it.
    key: &'static str,
    name: &'static str,
    /// How many times faster than the better peer.
    target: f64,
    /// Why it is missed, where it is.
    cause: &'static str,
}

const GOALS: [Goal; TIMED + 1] = [
    Goal { key: "decode-metadata", name: "decode Metadata", target: 3.0, cause: "" },
    Goal { key: "encode-metadata", name: "encode Metadata", target: 1.5, cause: "" },
    Goal {
        key: "build-batch",
        name: "build a batch, CRC included",
        target: 1.5,
        cause: "the ratio comes out between 1.4 and 1.5. The checksum, by the same crate in all three, \
                and the copying of keys and values are half of our time; what is left is twice as fast.",
    },
    Goal { key: "read-batch", name: "read a batch, CRC checked", target: 3.0, cause: "" },
    Goal { key: "build", name: "clean release build", target: 3.0, cause: "" },
];

/// Figures that the peers' binary prints.
pub(super) const TIMED: usize = 4;

impl Figure {
    /// A line of the peers' binary: `decode-metadata`, and nanoseconds of each, between tabs. `None`
    /// for a remark.
    pub(super) fn parse(line: &str) -> Option<Result<Self>> {
        if line.starts_with('#') {
            return None;
        }
        let mut parts = line.split('\t');
        let key = parts.next().unwrap_or_default();
        let times: Vec<f64> = parts.filter_map(|part| part.parse().ok()).collect();
        let goal = GOALS.iter().find(|goal| goal.key == key);
        let figure = goal.zip(times.try_into().ok()).map(|(goal, times)| Self { goal, times });
        Some(figure.with_context(|| format!("cannot read `{line}`")))
    }

    /// The time of a clean build of each.
    pub(super) fn build(times: [f64; 3]) -> Self {
        Self { goal: &GOALS[TIMED], times }
    }

    /// How many times faster we are than the better peer.
    fn ratio(&self) -> f64 {
        let [ours, one, other] = self.times;
        one.min(other) / ours
    }

    fn is_met(&self) -> bool {
        self.ratio() >= self.goal.target
    }

    fn cells(&self) -> [String; 7] {
        let [ours, one, other] = self.times.map(spoken);
        let verdict = if self.is_met() { "met" } else { "missed" };
        // Never rounded up: what is said to be reached is reached.
        let ratio = format!("{:.2}×", (self.ratio() * 100.0).floor() / 100.0);
        let target = format!("≥ {}×", self.goal.target);
        [self.goal.name.to_owned(), ours, one, other, ratio, target, verdict.to_owned()]
    }
}

impl Report {
    /// For a terminal.
    pub(super) fn table(&self) -> String {
        self.rows().iter().map(|cells| row(cells, "  ") + "\n").collect()
    }

    fn rows(&self) -> Vec<[String; 7]> {
        let heads = HEADS.map(str::to_owned);
        [heads].into_iter().chain(self.figures.iter().map(Figure::cells)).collect()
    }

    /// For the documentation.
    pub(super) fn page(&self) -> Result<String> {
        let mut table = String::new();
        for (n, cells) in self.rows().iter().enumerate() {
            table += &format!("| {} |\n", cells.join(" | "));
            if n == 0 {
                table += "|---|---:|---:|---:|---:|---:|---|\n";
            }
        }
        let missed: String = self
            .figures
            .iter()
            .filter(|figure| !figure.is_met())
            .map(|figure| format!("- **{}**: {}\n", figure.goal.name, figure.goal.cause))
            .collect();
        let missed =
            if missed.is_empty() { String::new() } else { format!("\nMissed:\n\n{missed}") };
        let cores = std::thread::available_parallelism()?;
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        let compiler = compiler()?;
        Ok(format!(
            "{INTRODUCTION}\n{table}\nrustc {compiler}, {os} on {arch}, {cores} cores.\n{missed}{METHOD}"
        ))
    }
}

const HEADS: [&str; 7] =
    ["figure", "ours", "kafka-protocol 0.18", "kacrab-protocol 0.4", "ratio", "target", ""];

const INTRODUCTION: &str = "\
# The codec beside its peers

Written by `cargo xtask bench codec`. The ratio is to the better of the peers, from the same run.
";

const METHOD: &str = "
## What is measured

- **Metadata**: the response in version 12, of 1,000 topics with 6 partitions and 3 replicas each
  (294 KB). Decoding includes dropping the value; encoding goes into one buffer, large enough, that is
  used again.
- **Batch**: 1,000 records with a key of 10 and a value of 100 bytes, no headers, no compression.
  Building starts from borrowed keys and values, and ends with the bytes of a batch as they are sent.
  Each batch gets a buffer of its own, large enough from the start, since a batch is kept until it is
  answered. The peers' record types own their keys and values: making them is not counted.
- **Reading** looks at the timestamp, the ends of the key and the ends of the value of each record.
- **Clean release build**: the crate alone with its default features, and what it depends on; sources
  are there already.

All in one process, built with cargo's own release profile. First all codecs are held to the same values
and the same bytes. Then they take turns: 501 rounds, of about a millisecond for each, and a figure is
the median. Codecs of default features only; nothing of any of them is switched on for the occasion.
";

fn row(cells: &[String; 7], between: &str) -> String {
    let widths = [28, 10, 20, 20, 7, 7, 6];
    let padded = cells.iter().zip(widths).enumerate().map(|(n, (cell, width))| match n {
        0 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    padded.collect::<Vec<_>>().join(between)
}

/// A time as people say it.
fn spoken(nanoseconds: f64) -> String {
    if nanoseconds >= 1e9 {
        format!("{:.1} s", nanoseconds / 1e9)
    } else {
        format!("{:.1} µs", nanoseconds / 1e3)
    }
}

/// The compiler's version.
pub(super) fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("cannot run rustc")?;
    let output = String::from_utf8(output.stdout)?;
    Ok(output.split(' ').nth(1).context("rustc names no version")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_to_the_better_peer() {
        let figure = Figure::parse("decode-metadata\t100\t450\t310").unwrap().unwrap();
        assert_eq!(figure.ratio(), 3.1);
        assert!(figure.is_met());
        assert!(!Figure::build([10e9, 29e9, 60e9]).is_met());
        assert!(Figure::parse("# a remark").is_none());
        assert!(Figure::parse("unknown\t1\t2\t3").unwrap().is_err());
        assert!(Figure::parse("build-batch\t1\t2").unwrap().is_err());
    }
}
