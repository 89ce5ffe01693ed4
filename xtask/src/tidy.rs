//! House rules that no compiler checks: sizes, names, leftovers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that may break the size rules, each with its reason.
const LARGE: &[(&str, &str)] = &[("kafka-protocol/src/error_code.rs", "a table of 138 codes")];

/// What is built by others, with Rust 1.85.
const LIBRARIES: [&str; 4] =
    ["kafka-mock/src/", "kafka-net/src/", "kafka-producer/src/", "kafka-protocol/src/"];

/// Module names that say nothing.
const EMPTY_NAMES: [&str; 5] = ["utils.rs", "util.rs", "common.rs", "helpers.rs", "types.rs"];

/// Words that mark work left undone. Split, so that this file does not find itself.
const LEFTOVERS: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ig", "nore"),
    concat!("db", "g!("),
];

/// How a test is left out that somebody else runs.
const LEFT_OUT: &str = concat!("#[ig", "nore = \"needs Kafka: cargo xtask ");

pub(crate) fn run(root: &Path) -> Result<()> {
    let mut findings = Vec::new();
    let files = rust_files(root)?;
    for file in &files {
        let text = fs::read_to_string(root.join(file))?;
        check(file, &text, &mut findings);
    }
    if !findings.is_empty() {
        bail!("{} findings\n{}", findings.len(), findings.join("\n"));
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// What git tracks or would track, as paths from the top.
pub(crate) fn rust_files(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root)
        .output()
        .context("cannot run git")?;
    let files = String::from_utf8(output.stdout)?;
    let exists = |file: &&str| root.join(file).exists();
    Ok(files.lines().filter(exists).map(str::to_owned).collect())
}

fn check(file: &str, text: &str, findings: &mut Vec<String>) {
    let is_generated = file.starts_with("kafka-protocol/src/messages/");
    let may_be_large = is_generated || LARGE.iter().any(|(large, _)| *large == file);
    let name = PathBuf::from(file).file_name().map(|name| name.to_string_lossy().into_owned());
    if name.is_some_and(|name| EMPTY_NAMES.contains(&name.as_str())) {
        findings.push(format!("{file}: name the module for what it holds"));
    }
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() > FILE_LINES_MAX && !may_be_large {
        let len = lines.len();
        findings.push(format!("{file}: {len} lines, look for the second machine inside"));
    }
    for (number, line) in (1..).zip(&lines) {
        let is_leftover = |word: &&&str| line.contains(**word) && !line.contains(LEFT_OUT);
        if let Some(word) = LEFTOVERS.iter().find(is_leftover) {
            findings.push(format!("{file}:{number}: {word}"));
        }
        // rust-version is 1.85 in the libraries; let chains came with 1.88, and clippy does not notice.
        let is_chain =
            line.contains("&& let ") || line.contains("if let ") && line.contains(" && ");
        let is_library = LIBRARIES.iter().any(|library| file.starts_with(library));
        if is_library && is_chain {
            findings.push(format!("{file}:{number}: a let chain needs a newer Rust than ours"));
        }
    }
    if !may_be_large {
        long_functions(file, &lines, findings);
    }
}

/// Formatted code closes a function with a brace at the indentation of its first line.
fn long_functions(file: &str, lines: &[&str], findings: &mut Vec<String>) {
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        let is_function = code
            .split_once("fn ")
            .is_some_and(|(before, _)| before.split(' ').all(is_function_qualifier));
        // Doubled braces are those of a template, not of our code.
        if !is_function || code.ends_with([';', '}']) || code.ends_with("{{") {
            continue;
        }
        let close = format!("{:indent$}}}", "");
        let rest = lines.get(start..).unwrap_or_default();
        let len = rest.iter().position(|line| **line == close).unwrap_or(0);
        if len > FUNCTION_LINES_MAX {
            findings.push(format!("{file}:{}: a function of {len} lines", start + 1));
        }
    }
}

fn is_function_qualifier(word: &str) -> bool {
    matches!(word, "" | "pub" | "pub(crate)" | "pub(super)" | "const" | "async")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(file, text, &mut findings);
        findings
    }

    #[test]
    fn each_rule_finds_what_it_is_for() {
        let long = format!("fn a() {{\n{}}}\n", "    b();\n".repeat(71));
        assert_eq!(findings("x/src/a.rs", &long), ["x/src/a.rs:1: a function of 72 lines"]);
        assert_eq!(findings("x/src/a.rs", &"\n".repeat(601)).len(), 1);
        assert_eq!(findings("x/src/utils.rs", "").len(), 1);
        let leftover = format!("// {}: later\n", LEFTOVERS[0]);
        assert_eq!(findings("x/src/a.rs", &leftover).len(), 1);
        assert_eq!(findings("x/src/a.rs", &LEFT_OUT.replace("Kafka", "time")).len(), 1);
        assert_eq!(findings("x/src/a.rs", LEFT_OUT).len(), 0);
        let chain = "if let Some(a) = b && c {\n";
        assert_eq!(findings("kafka-protocol/src/a.rs", chain).len(), 1);
        assert_eq!(findings("xtask/src/a.rs", chain).len(), 0);
    }
}
