//! `cargo xtask coverage-table`: holds `docs/coverage.md` to the code. Every row names a test of ours that
//! exists, or says why there is none to have; no class is short of rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::tidy::rust_files;

const TABLE: &str = "docs/coverage.md";

/// The classes of Kafka's tests that have to be there, each with its number of tests.
const CLASSES: [(&str, usize); 25] = [
    ("SenderTest", 76),
    ("TransactionManagerTest", 148),
    ("NetworkClientTest", 46),
    ("MetadataTest", 29),
    ("ProducerMetadataTest", 10),
    ("ClusterConnectionStatesTest", 15),
    ("ExponentialBackoffTest", 3),
    ("InFlightRequestsTest", 6),
    ("ProduceRequestTest", 14),
    ("ProduceResponseTest", 2),
    ("RecordAccumulatorTest", 37),
    ("ChunkedRecordAccumulatorTest", 23),
    ("ChunkedByteBufferOutputStreamTest", 12),
    ("ProducerBatchTest", 11),
    ("FutureRecordMetadataTest", 2),
    ("BufferPoolTest", 13),
    ("KafkaProducerTest", 95),
    ("ProducerConfigTest", 13),
    ("ProducerRecordTest", 2),
    ("RecordMetadataTest", 2),
    ("ProducerInterceptorsTest", 3),
    ("KafkaProducerMetricsTest", 8),
    ("MockProducerTest", 55),
    ("BuiltInPartitionerTest", 6),
    ("RoundRobinPartitionerTest", 2),
];

pub(crate) fn run(root: &Path) -> Result<()> {
    let text = fs::read_to_string(root.join(TABLE)).with_context(|| format!("no {TABLE}"))?;
    let tests = tests(root)?;
    let (findings, count) = check(&text, &tests);
    ensure!(findings.is_empty(), "{TABLE}: {} findings\n{}", findings.len(), findings.join("\n"));
    let Count { rows, answered } = count;
    println!(
        "{rows} behaviours: {answered} held by tests of ours, {} not applicable",
        rows - answered
    );
    Ok(())
}

/// Rows of the table.
#[derive(Debug, Default, PartialEq)]
struct Count {
    rows: usize,
    /// Those that name a test.
    answered: usize,
}

fn check(text: &str, tests: &BTreeSet<String>) -> (Vec<String>, Count) {
    let (mut findings, mut count) = (Vec::new(), Count::default());
    let mut class = String::new();
    let mut rows: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        if let Some(title) = line.strip_prefix("## ") {
            class = title.split(' ').next().unwrap_or_default().to_owned();
            rows.entry(class.clone()).or_default();
            continue;
        }
        let Some(row) = line.strip_prefix("| ").filter(|_| !class.is_empty()) else { continue };
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").map(str::trim).collect();
        let [name, _, ours] = cells[..] else {
            findings.push(format!("{number}: {} cells instead of 3", cells.len()));
            continue;
        };
        if name == "Kafka's test" {
            continue;
        }
        if !rows.entry(class.clone()).or_default().insert(name) {
            findings.push(format!("{number}: {name} is there twice"));
        }
        count.rows += 1;
        match answer(ours, tests) {
            Ok(is_answered) => count.answered += usize::from(is_answered),
            Err(what) => findings.push(format!("{number}: {name}: {what}")),
        }
    }
    for (class, wanted) in CLASSES {
        let found = rows.get(class).map_or(0, BTreeSet::len);
        if found != wanted {
            findings.push(format!("{class} has {found} rows, and Kafka {wanted} tests"));
        }
    }
    (findings, count)
}

/// Whether a cell names tests, all of which exist, or a reason.
fn answer(ours: &str, tests: &BTreeSet<String>) -> Result<bool, String> {
    if let Some((_, reason)) = ours.split_once("*not applicable*") {
        let reason = reason.trim_start_matches(':').trim();
        return if reason.is_empty() { Err("no reason".to_owned()) } else { Ok(false) };
    }
    // Every second piece is between backticks; what is no name is a property or a type.
    let names = ours.split('`').skip(1).step_by(2);
    let is_name = |name: &&str| name.contains('_') && !name.contains(['.', ' ', '(']);
    let names: Vec<_> = names.filter(is_name).collect();
    if names.is_empty() {
        return Err("neither a test nor a reason".to_owned());
    }
    let last = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
    match names.iter().find(|name| !tests.contains(&last(name))) {
        Some(missing) => Err(format!("there is no test `{missing}`")),
        None => Ok(true),
    }
}

/// The names of all tests of the workspace.
fn tests(root: &Path) -> Result<BTreeSet<String>> {
    let mut tests = BTreeSet::new();
    for file in rust_files(root)? {
        let text = fs::read_to_string(root.join(&file))?;
        collect(&text, &mut tests);
    }
    Ok(tests)
}

/// A function behind an attribute that makes it a test, whatever other attributes are in between, or
/// one inside a macro that makes tests of what is in it.
fn collect(text: &str, tests: &mut BTreeSet<String>) {
    let (mut is_test, mut is_in_macro) = (false, false);
    for line in text.lines() {
        is_in_macro = if is_in_macro { line != "}" } else { line == "weather! {" };
        let line = line.trim();
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let code = line.trim_start_matches("pub ").trim_start_matches("async ");
        if let Some(rest) = code.strip_prefix("fn ").filter(|_| is_test || is_in_macro) {
            tests.extend(rest.split('(').next().map(str::to_owned));
            is_test = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_behind_their_attributes() {
        let mut found = BTreeSet::new();
        let text = "#[test]\nfn one() {}\nfn helper() {}\n#[tokio::test(start_paused = true)]\n\
            #[should_panic]\nasync fn two() {}\nweather! {\n    async fn three() {\n    }\n}\nfn no() {}\n";
        collect(text, &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["one", "three", "two"]);
    }

    #[test]
    fn a_row_names_a_test_that_exists_or_a_reason() {
        let tests = BTreeSet::from(["it_works".to_owned()]);
        assert_eq!(answer("`linger.ms` does: `sim::it_works`", &tests), Ok(true));
        assert_eq!(answer("*not applicable*: there is no interrupt", &tests), Ok(false));
        for wrong in ["`it_fails`", "`it_works`, `it_fails`", "*not applicable*:", "later", ""] {
            assert!(answer(wrong, &tests).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_class_that_is_short_of_rows_is_found() {
        let text = "## BufferPoolTest (13)\n\n| Kafka's test | behaviour | ours |\n|---|---|---|\n\
            | testSimple | it counts | *not applicable*: no |\n| testSimple | again | later |\n";
        let (findings, count) = check(text, &BTreeSet::new());
        let text = findings.join("\n");
        assert!(text.contains("6: testSimple is there twice"), "{text}");
        assert!(text.contains("6: testSimple: neither a test nor a reason"), "{text}");
        assert!(text.contains("BufferPoolTest has 1 rows, and Kafka 13 tests"), "{text}");
        assert_eq!(count, Count { rows: 2, answered: 0 });
    }
}
