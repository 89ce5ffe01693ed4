//! What came of it, as tables and as a page of the documentation.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::clients;
use super::contest::Extent;
use super::figures::{Entry, Figures, Outcome, Verdict};
use super::reasons::REASONS;
use super::rows::{ALONE, Alone, EXCEPTIONS, Measure, Row};
use super::{chart, machine, spoken};

pub(super) struct Page {
    pub(super) extent: Extent,
    pub(super) outcomes: Vec<Outcome>,
    /// As [`ALONE`] has them; nothing if they did not run.
    pub(super) alone: Vec<Vec<Entry>>,
    /// What could not take part.
    pub(super) skipped: Vec<String>,
}

impl Page {
    /// Targets, for a terminal.
    pub(super) fn table(&self) -> String {
        let rows = self.targets().chain(self.alone_rows());
        let mut out: String = rows.map(|cells| cells.join("  ") + "\n").collect();
        for key in self.unexplained() {
            out += &format!("MISSED WITHOUT A REASON: `{key}` needs a line in REASONS\n");
        }
        out
    }

    /// Writes page and chart, and the summary of the README; of less than everything, page and chart
    /// beside what is built.
    pub(super) fn write(&self, root: &Path, target: &Path, is_whole: bool) -> Result<()> {
        let folder = if is_whole { root.join("docs") } else { target.join("bench-peers") };
        fs::write(folder.join("benchmarks.svg"), chart::svg(&self.outcomes))?;
        let page = folder.join("benchmarks.md");
        fs::write(&page, self.text()?)?;
        println!("written to {}", page.display());
        if is_whole {
            let readme = root.join("README.md");
            let text = replaced(&fs::read_to_string(&readme)?, &self.summary())?;
            fs::write(&readme, text)?;
            println!("and its summary to README.md");
        }
        Ok(())
    }

    fn text(&self) -> Result<String> {
        let mut out = INTRODUCTION.to_owned();
        out += "\n## Targets\n\n";
        out += &table(&TARGET_HEADS, self.targets());
        out += &self.missed();
        out += "\n## All figures\n";
        for outcome in &self.outcomes {
            out += &format!("\n### {}\n\n", outcome.row.title);
            out += &table(&ENTRY_HEADS, outcome.entries.iter().map(entry_cells));
        }
        if !self.alone.is_empty() {
            out += ALONE_INTRODUCTION;
            out += &table(&ALONE_HEADS, self.alone_rows());
        }
        let Extent { rounds, seconds } = self.extent;
        out += &format!("\n## Where\n\n{}. {}.\n", machine::hardware()?, machine::tools()?);
        out += "Kafka 4.4.0, one broker with the Java options of its own scripts.\n\n";
        out += &table(&["client", "version", SETTINGS], self.clients());
        if !self.skipped.is_empty() {
            out += &format!("\nNot in this run: {}.\n", self.skipped.join(", "));
        }
        out += &exceptions();
        out += METHOD;
        out += &format!("\nRounds: {rounds}, of about {seconds} s of work for each client.\n");
        Ok(out)
    }

    fn targets(&self) -> impl Iterator<Item = Vec<String>> {
        self.outcomes.iter().flat_map(|outcome| {
            outcome.verdicts().into_iter().map(|verdict| verdict_cells(outcome.row, &verdict))
        })
    }

    /// Why targets are missed, as far as it is known.
    fn missed(&self) -> String {
        let line = |(title, key)| {
            let why = reason(key).unwrap_or("the reason is not found yet.");
            format!("- **{title}**: {why}\n")
        };
        let lines: String = self.misses().map(line).collect();
        if lines.is_empty() { lines } else { format!("\nMissed:\n\n{lines}") }
    }

    /// What is missed and has no reason yet.
    fn unexplained(&self) -> impl Iterator<Item = &'static str> {
        self.misses().map(|(_, key)| key).filter(|key| reason(key).is_none())
    }

    /// Title and key of what misses a target.
    fn misses(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let missed = self.outcomes.iter().filter(|outcome| is_missed(outcome));
        let beside_peers = missed.map(|outcome| (outcome.row.title, outcome.row.key));
        let missed =
            self.alone().filter(|(alone, to_first, _)| alone.is_met(*to_first) == Some(false));
        beside_peers.chain(missed.map(|(alone, ..)| (alone.title, alone.key)))
    }

    /// Ours alone, each with its CPU to that of the first of its group.
    fn alone(&self) -> impl Iterator<Item = (&'static Alone, f64, &Entry)> {
        ALONE.iter().zip(&self.alone).flat_map(|(group, entries)| {
            group
                .iter()
                .zip(entries)
                .map(|(alone, entry)| (alone, entry.ratio_to(&entries[0], Measure::Cpu), entry))
        })
    }

    fn alone_rows(&self) -> impl Iterator<Item = Vec<String>> {
        self.alone().map(|(alone, to_first, entry)| {
            let mut cells = vec![alone.title.to_owned()];
            cells.extend(cells_of(entry).into_iter().take(3));
            cells.push(spoken::ratio(to_first, false));
            cells.push(alone.bound.map(|bound| format!("≤ {bound}×")).unwrap_or_default());
            cells.push(alone.is_met(to_first).map(said).unwrap_or_default().to_owned());
            cells
        })
    }

    /// Versions and settings, each client once.
    fn clients(&self) -> impl Iterator<Item = Vec<String>> {
        let mut seen = BTreeMap::new();
        for entry in self.outcomes.iter().flat_map(|outcome| &outcome.entries) {
            if entry.medians().is_some() {
                seen.entry(entry.client.clone()).or_insert(entry);
            }
        }
        seen.into_values().map(|entry| {
            let title = clients::title(&entry.client).to_owned();
            // Nobody publishes the floor.
            let is_floor = entry.client == clients::FLOOR;
            let version = if is_floor { String::new() } else { entry.version.clone() };
            vec![title, version, entry.settings.clone()]
        })
    }

    /// A line for each row: us and the best peer, by the row's first target.
    fn summary(&self) -> String {
        let lines = self.outcomes.iter().filter_map(|outcome| {
            let verdict = outcome.verdicts().into_iter().next()?;
            let measure = verdict.target.measure;
            let (best, figure) = verdict.best.as_ref()?;
            let ratio = spoken::ratio(verdict.reached, measure == Measure::Rate);
            let what = if measure == Measure::P50 { "p50 " } else { "" };
            let theirs = spoken_as(measure, *figure);
            let theirs = format!("{what}{theirs} ({})", clients::title(best));
            let ours = format!("{what}{}", spoken_as(measure, verdict.figure));
            Some(vec![outcome.row.title.to_owned(), ours, theirs, ratio])
        });
        let heads = ["work", "ours", BEST, "ratio"];
        format!(
            "{}\n[All figures, the machine, the settings, and what is missed](docs/benchmarks.md).\n",
            table(&heads, lines)
        )
    }
}

fn is_missed(outcome: &Outcome) -> bool {
    outcome.verdicts().iter().any(|verdict| !verdict.is_met)
}

fn reason(key: &str) -> Option<&'static str> {
    REASONS.iter().find(|reason| reason.row == key).map(|reason| reason.why)
}

fn said(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

fn verdict_cells(row: &Row, verdict: &Verdict) -> Vec<String> {
    let measure = verdict.target.measure;
    let is_more_better = measure == Measure::Rate;
    let (name, sign) = match measure {
        Measure::Rate => ("records/s", "≥"),
        Measure::Cpu => ("CPU a record", "≤"),
        Measure::P50 => ("p50", "≤"),
        Measure::P99 => ("p99", "≤"),
        Measure::PeakRss => ("peak RSS", "≤"),
    };
    let (best, ratio, bound) = match &verdict.best {
        Some((client, figure)) => (
            format!("{} ({})", spoken_as(measure, *figure), clients::title(client)),
            spoken::ratio(verdict.reached, is_more_better),
            format!("{sign} {}×", bound(verdict.target.bound)),
        ),
        None => (
            String::new(),
            String::new(),
            format!("{sign} {}", spoken::bytes(verdict.target.bound)),
        ),
    };
    let ours = spoken_as(measure, verdict.figure);
    let title = row.title.to_owned();
    vec![title, name.to_owned(), ours, best, ratio, bound, said(verdict.is_met).to_owned()]
}

/// `1/3` is no decimal fraction.
fn bound(bound: f64) -> String {
    match (1.0 / bound).round() {
        parts if bound < 1.0 && (1.0 / bound - parts).abs() < 1e-9 => format!("1/{parts}"),
        _ => bound.to_string(),
    }
}

fn spoken_as(measure: Measure, figure: f64) -> String {
    match measure {
        Measure::Rate => format!("{}/s", spoken::rate(figure)),
        Measure::PeakRss => spoken::bytes(figure),
        Measure::Cpu | Measure::P50 | Measure::P99 => spoken::micros(figure),
    }
}

fn entry_cells(entry: &Entry) -> Vec<String> {
    let mut cells = vec![clients::title(&entry.client).to_owned()];
    cells.extend(cells_of(entry));
    cells
}

fn cells_of(entry: &Entry) -> [String; 6] {
    let Some(Figures { rate, cpu_us, rss, p50, p99, p999 }) = entry.medians() else {
        let why = entry.failure.clone().unwrap_or_default();
        // A bar would begin a cell of its own.
        let why = format!("failed: {}", why.replace('|', "/"));
        return [why, String::new(), String::new(), String::new(), String::new(), String::new()];
    };
    [
        spoken::rate(rate),
        spoken::micros(cpu_us),
        spoken::bytes(rss),
        spoken::micros(p50),
        spoken::micros(p99),
        spoken::micros(p999),
    ]
}

/// A table of Markdown: figures to the right, words to the left.
fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let is_words = |head: &&str| WORDS.contains(head);
    let aligned = |head| if is_words(head) { "---|" } else { "---:|" };
    let rule: String = heads.iter().map(aligned).collect();
    let mut out = format!("| {} |\n|{rule}\n", heads.join(" | "));
    for cells in rows {
        out += &format!("| {} |\n", cells.join(" | "));
    }
    out
}

fn exceptions() -> String {
    let mut out = String::new();
    for exception in &EXCEPTIONS {
        let options = match exception.options {
            [] => "its own defaults".to_owned(),
            options => format!("`{}`", options.join(" ")),
        };
        out += &format!(
            "\n{} has {options} where the others are flat out: {}\n",
            clients::title(exception.client),
            exception.why
        );
    }
    out
}

/// The README with another summary between its marks.
fn replaced(readme: &str, summary: &str) -> Result<String> {
    let marks = || format!("README.md lacks `{BEGIN}` or `{END}` behind it");
    let (before, rest) = readme.split_once(BEGIN).with_context(marks)?;
    let (_, after) = rest.split_once(END).with_context(marks)?;
    Ok(format!("{before}{BEGIN}\n{summary}{END}{after}"))
}

const BEGIN: &str = "<!-- bench peers -->";
const END: &str = "<!-- end -->";

/// Heads of columns that hold words.
const WORDS: [&str; 7] = ["work", "figure", "client", "version", SETTINGS, BEST, ""];
const BEST: &str = "the best peer";
const SETTINGS: &str = "settings, in the first of these tables that it is in";
const TARGET_HEADS: [&str; 7] = ["work", "figure", "ours", BEST, "ratio", "target", ""];
const ENTRY_HEADS: [&str; 7] =
    ["client", "records/s", "CPU a record", "peak RSS", "p50", "p99", "p99.9"];
const ALONE_HEADS: [&str; 7] =
    ["work", "records/s", "CPU a record", "peak RSS", "CPU to the first", "target", ""];

const INTRODUCTION: &str = "\
# The producer beside its peers

Written by `cargo xtask bench peers`. The machine is small, and shared with others: figures of another
day are other ones, also against each other from row to row. What holds is the ratio of clients of one
row, which took turns. A ratio is the median of the rounds' ratios to the best peer, the one whose own
median is the best; its figures are medians too.

![records a second and CPU a record of each client](benchmarks.svg)
";

const ALONE_INTRODUCTION: &str = "
## Ours alone

100 B, flat out. The CPU of a record is held against the first line with the same keys. Ways to send, threads
and allocations are on [a page of their own](benchmarks-own.md).

";

const METHOD: &str = "
## How it is measured

- **One small program for each client**, in `xtask/peers`, with the same command line. The work is a pool
  of 1,024 values, each half random and half the same byte, sent in turn. `acks=all`, idempotent where
  the client can be. Every record's outcome is looked at, in the cheapest way that the client offers, which
  is a callback for each record with most, and with ours `flush` and the count of those that failed. One
  that fails ends the program.
- **The clocks** start when one record has been delivered: connection, metadata and producer id are there.
  They stop behind the last acknowledgement. CPU is user and system time of the program, all its threads.
  Peak RSS is of its whole life. Java sends for a second before its clocks start, so that its compiler
  has seen the code.
- **Flat out** each client is told a linger of 5 ms and batches of 1 MB, unless it says otherwise above. With
  default settings none is told anything. At 20,000 records a second the linger is 0, and what is due is
  sent every millisecond.
- **Latency** is from the call that sends to the moment when the program sees the acknowledgement: of every
  record at 20,000 a second, of one in 64 flat out, where it is mostly the time in the client's own buffer.
- **The null broker** is `kafka mock --discard`: it parses and counts records, acknowledges and forgets
  them. It shares the cores with the client, as a broker on another machine would not. A new one is
  started for each run, and its count must be that of the program. With real Kafka each run has a new
  topic of 6 partitions, whose end offsets are counted; that broker has been warmed up before.
- **The floor** is a program without an API that does what cannot be left out: one thread encodes records
  into a batch under a lock, another adds header and CRC, and writes.
- **Rounds**: the clients take turns, and each round begins with another one. How many records a client
  is given follows from its rate.
";

#[cfg(test)]
mod tests {
    use super::super::figures::tests::outcome;
    use super::*;

    fn page() -> Page {
        let extent = Extent { rounds: 3, seconds: 1.0 };
        Page {
            extent,
            outcomes: vec![outcome()],
            alone: Vec::new(),
            skipped: vec!["krafka (no)".to_owned()],
        }
    }

    #[test]
    fn targets_met_and_missed() {
        let targets: Vec<_> = page().targets().map(|cells| cells.join(" | ")).collect();
        assert_eq!(
            targets,
            [
                "100 B, keyless | records/s | 7.00 M/s | 2.00 M/s (librdkafka) | 3.50× | ≥ 3× | met",
                "100 B, keyless | CPU a record | 0.14 µs | 0.50 µs (librdkafka) | 0.29× | ≤ 1/4× | missed",
                "100 B, keyless | peak RSS | 50.0 MB |  |  | ≤ 48.0 MB | missed",
            ]
        );
        assert_eq!(bound(1.5), "1.5");
        assert_eq!(bound(1.0), "1");
    }

    #[test]
    fn the_page_has_everybody() {
        let page = page().text().unwrap();
        let java = "| Java | 1.00 M | 1.00 µs | 50.0 MB | 100 µs | 2.00 ms | 30.0 ms |\n";
        assert!(page.contains(java), "{page}");
        assert!(page.contains("| kacrab | failed: it <broke> |"), "{page}");
        assert!(page.contains("\nMissed:\n\n- **100 B, keyless**: "), "{page}");
        assert!(page.contains("\nNot in this run: krafka (no).\n"), "{page}");
        assert!(page.contains("| librdkafka | 1.2 | linger 5 ms |"), "{page}");
    }

    #[test]
    fn the_summary_goes_between_its_marks() {
        let summary = page().summary();
        assert!(summary.contains("| 100 B, keyless | 7.00 M/s | 2.00 M/s (librdkafka) | 3.50× |"));
        let readme = replaced(&format!("a\n{BEGIN}\nold\n{END}\nb\n"), "new\n").unwrap();
        assert_eq!(readme, format!("a\n{BEGIN}\nnew\n{END}\nb\n"));
        assert!(replaced("a", "new").is_err());
    }
}
