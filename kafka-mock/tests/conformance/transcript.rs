//! What a cluster answered to all scripts, and how two clusters are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use kafka_protocol::ApiKey;

use crate::differences::DIFFERENCES;
use crate::scripts;
use crate::session::{Cluster, Session};

/// The lines of each script.
pub(crate) struct Transcript {
    scripts: Vec<(String, Vec<String>)>,
    steps: usize,
    covered: BTreeSet<(ApiKey, i16)>,
}

/// Runs every script; `run` is a word that tells this run from others on the same cluster.
pub(crate) fn run(cluster: &Cluster, run: &str) -> Transcript {
    let mut transcript = Transcript { scripts: Vec::new(), steps: 0, covered: BTreeSet::new() };
    let only = std::env::var("KAFKA_CONFORMANCE_ONLY").ok();
    for (name, script) in scripts::all() {
        if only.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let mut session = Session::new(cluster, format!("{run}-{name}-"));
        script(&mut session);
        transcript.steps += session.steps;
        transcript.covered.extend(session.covered);
        transcript.scripts.push((name.to_owned(), session.lines));
    }
    transcript
}

const HEAD: &str = "\
# What Kafka 4.4.0 answers to the scripts beside this file, and what its logs hold then.
# Written by `cargo xtask conformance --write`; throttle times and messages of errors are left out.
";

impl Transcript {
    /// The form that [`parse`](Self::parse) reads.
    pub(crate) fn to_text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, lines) in &self.scripts {
            let _ = writeln!(text, "\n== {name}");
            for line in lines {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    pub(crate) fn parse(text: &str) -> Self {
        let mut scripts: Vec<(String, Vec<String>)> = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("== ") {
                scripts.push((name.to_owned(), Vec::new()));
            } else if let Some((_, lines)) = scripts.last_mut() {
                lines.push(line.to_owned());
            }
        }
        // The line before the next name is empty.
        for (_, lines) in &mut scripts {
            while lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
        }
        Self { scripts, steps: 0, covered: BTreeSet::new() }
    }

    /// This is what came now, `before` what came when it was written down.
    pub(crate) fn check_same(&self, before: &Self) {
        let faults: Vec<String> = pairs(before, self)
            .filter(|pair| pair.first != pair.second)
            .map(|pair| pair.to_text("written down", "now"))
            .collect();
        println!("Kafka itself: {}", self.counts());
        println!(
            "{} steps are answered as before, {} are not",
            self.steps - faults.len(),
            faults.len()
        );
        fail_if_any(&faults, "Kafka does not answer as it is written down");
    }

    /// Scripts, steps and versions, for people to read.
    pub(crate) fn counts(&self) -> String {
        let mut versions: BTreeMap<ApiKey, Vec<i16>> = BTreeMap::new();
        for (key, version) in &self.covered {
            versions.entry(*key).or_default().push(*version);
        }
        let versions = versions.into_iter().map(|(key, versions)| {
            let (first, last) = (versions.first(), versions.last());
            let is_row = first.zip(last).is_some_and(|(first, last)| {
                usize::from((last - first).unsigned_abs()) + 1 == versions.len()
            });
            let name = key.name().unwrap_or_default();
            match (first, last) {
                (Some(first), Some(last)) if is_row => format!("{name} {first}-{last}"),
                _ => format!("{name} {versions:?}"),
            }
        });
        let versions: Vec<String> = versions.collect();
        format!(
            "{} scripts, {} steps, {} versions of {} APIs ({})",
            self.scripts.len(),
            self.steps,
            self.covered.len(),
            versions.len(),
            versions.join(", "),
        )
    }
}

/// Every line of the mock is Kafka's, but for the differences that are listed, each of which must show.
pub(crate) fn check_against_kafka(kafka: &Transcript, mock: &Transcript) {
    let mut shown = vec![0; DIFFERENCES.len()];
    let mut faults = Vec::new();
    for pair in pairs(kafka, mock).filter(|pair| pair.first != pair.second) {
        let listed = DIFFERENCES.iter().position(|difference| {
            difference.script == pair.script
                && difference.explains(pair.first.as_deref(), pair.second.as_deref())
        });
        match listed {
            Some(index) => shown[index] += 1,
            None => faults.push(pair.to_text("Kafka", "the mock")),
        }
    }
    println!("the mock: {}", mock.counts());
    println!(
        "{} differences with a reason, {} steps:",
        DIFFERENCES.len(),
        shown.iter().sum::<usize>()
    );
    for (difference, steps) in DIFFERENCES.iter().zip(&shown) {
        println!("  {} ({steps}): {}", difference.script, difference.reason);
        if *steps == 0 {
            let (script, reason) = (difference.script, difference.reason);
            faults.push(format!("{script}: a listed difference does not show: {reason}"));
        }
    }
    println!("{} unexplained", faults.len());
    fail_if_any(&faults, "the mock does not answer as Kafka does");
}

fn fail_if_any(faults: &[String], what: &str) {
    assert!(faults.is_empty(), "{what}, {} times\n{}", faults.len(), faults.join("\n"));
}

/// A step of both, at the same place of the same script: its line, and the lines of a log under it.
struct Pair<'t> {
    script: &'t str,
    first: Option<String>,
    second: Option<String>,
}

impl Pair<'_> {
    fn to_text(&self, first: &str, second: &str) -> String {
        let text = |step: &Option<String>| step.clone().unwrap_or_else(|| "(nothing)".to_owned());
        let (one, other) = (text(&self.first), text(&self.second));
        format!("{}\n  {first}: {one}\n  {second}: {other}", self.script)
    }
}

fn pairs<'t>(first: &'t Transcript, second: &'t Transcript) -> impl Iterator<Item = Pair<'t>> {
    let steps_of = |transcript: &'t Transcript, name: &str| {
        let found = transcript.scripts.iter().find(|(other, _)| other == name);
        found.map_or(Vec::new(), |(_, lines)| steps(lines))
    };
    let only_first = first
        .scripts
        .iter()
        .filter(|(name, _)| second.scripts.iter().all(|(other, _)| other != name));
    second.scripts.iter().chain(only_first).flat_map(move |(script, _)| {
        let (one, other) = (steps_of(first, script), steps_of(second, script));
        (0..one.len().max(other.len())).map(move |index| Pair {
            script,
            first: one.get(index).cloned(),
            second: other.get(index).cloned(),
        })
    })
}

/// What belongs to the line above it begins with a space.
fn steps(lines: &[String]) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for line in lines {
        match steps.last_mut() {
            Some(step) if line.starts_with(' ') => *step += &format!("\n{line}"),
            _ => steps.push(line.clone()),
        }
    }
    steps
}
