//! `cargo xtask counts`: how many instructions each step of a record's way takes, held against the
//! figures that are checked in. Unlike times they are the same on a busy machine.
//!
//! Callgrind is driven from here, without gungraun: that would be a program more to build and install in
//! every run of the checks, in the version of its library, to do what is a page of code. `benches/counts.rs`
//! of the producer does one step in each run, and callgrind counts in its function `measured` alone.
//!
//! Counts depend on the compiler, on the C library, and on what processor valgrind pretends to be, by
//! which both choose how to copy. Figures of another machine are only compared, and nothing fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{MESSAGES, build_program};
use crate::ci::Done;

/// Compares, or with `--write` makes them the figures to compare with.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<()> {
    let is_writing = match args {
        [] => false,
        ["--write"] => true,
        _ => bail!("usage: cargo xtask counts [--write]"),
    };
    match check(root, is_writing)? {
        Done::Ran => {}
        Done::Skipped(why) => println!("skipped: {why}"),
    }
    Ok(())
}

/// Fails where a step takes more than it did, if that can be told.
pub(crate) fn check(root: &Path, is_writing: bool) -> Result<Done> {
    let Some(valgrind) = said("valgrind", &["--version"]) else {
        return Ok(Done::Skipped("valgrind is not installed"));
    };
    let program = build(root)?;
    let machine = machine(&program, &valgrind)?;
    let mut counts = Vec::new();
    for step in names(&program)? {
        let count = count(root, &program, &step)?;
        counts.push((step, count));
    }
    let file = root.join(FIGURES);
    if is_writing {
        fs::write(&file, page(&machine, &counts))?;
        println!("wrote {FIGURES}");
        return Ok(Done::Ran);
    }
    let before = Figures::parse(&fs::read_to_string(&file)?)?;
    let (table, worse) = compare(&before.counts, &counts);
    print!("{table}");
    if before.machine != machine {
        println!("The figures are of {}.\nHere it is {machine}: nothing fails.", before.machine);
        return Ok(Done::Ran);
    }
    ensure!(
        worse.is_empty(),
        "more instructions than before:\n{}\nWhere: callgrind_annotate target/counts/… If that is as it \
         should be: cargo xtask counts --write",
        worse.join("\n")
    );
    Ok(Done::Ran)
}

/// The figures that are checked in.
struct Figures {
    machine: String,
    counts: BTreeMap<String, f64>,
}

impl Figures {
    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let machine = lines.next().context("no machine in the figures")?.to_owned();
        let counts = lines.map(|line| {
            let (step, count) = line.rsplit_once("  ").context("a step and its count")?;
            Ok((step.trim().to_owned(), count.trim().parse()?))
        });
        Ok(Self { machine, counts: counts.collect::<Result<_>>()? })
    }
}

fn page(machine: &str, counts: &[(String, f64)]) -> String {
    let mut page = format!(
        "# Instructions of each step: of a record (append, life) or of a batch (the others).\n\
         # Written by `cargo xtask counts --write`.\n\n{machine}\n\n"
    );
    for (step, count) in counts {
        let _ = writeln!(page, "{step:<40}  {count:>9.1}");
    }
    page
}

/// A line for each step, and those of the ones that fail.
fn compare(before: &BTreeMap<String, f64>, now: &[(String, f64)]) -> (String, Vec<String>) {
    let (mut table, mut worse) = (String::new(), Vec::new());
    for (step, count) in now {
        let Some(before) = before.get(step) else {
            let _ = writeln!(table, "  {step:<40}          ? ► {count:>9.1}");
            worse.push(format!("  {step}: no figure to compare with"));
            continue;
        };
        let change = count / before - 1.0;
        let line = format!("  {step:<40}  {before:>9.1} ► {count:>9.1}  {:+.1} %", change * 100.0);
        let _ = writeln!(table, "{line}");
        if change > TOLERANCE {
            worse.push(line);
        }
    }
    (table, worse)
}

/// As it is published: with another optimisation other things would cost.
fn build(root: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--profile", "bench", "-p", "kafka-producer"]);
    cargo.args(["--bench", "counts"]).args(MESSAGES);
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    build_program(&mut cargo, root).context("the steps could not be built")
}

fn names(program: &Path) -> Result<Vec<String>> {
    let output = Command::new(program).output()?;
    ensure!(output.status.success(), "the steps cannot be listed");
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

/// Everything that counts depend on, in a line.
fn machine(program: &Path, valgrind: &str) -> Result<String> {
    let rustc = said("rustc", &["--version"]).context("rustc does not say its version")?;
    let libc = said("getconf", &["GNU_LIBC_VERSION"]);
    let libc = libc.unwrap_or_else(|| "another C library than glibc".to_owned());
    let program = program.to_str().context("a path in UTF-8")?;
    let seen = said("valgrind", &["--tool=none", "--quiet", program, "machine"]);
    let seen = seen.context("the program does not run under valgrind")?;
    Ok(format!("{rustc}, {valgrind}, {libc}, {seen}"))
}

/// Instructions of a record or a batch in one step.
fn count(root: &Path, program: &Path, step: &str) -> Result<f64> {
    let folder = root.join("target/counts");
    fs::create_dir_all(&folder)?;
    let name: String = step.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    let mut out = std::ffi::OsString::from("--callgrind-out-file=");
    out.push(folder.join(name));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured*"])
        .arg(out)
        .arg(program)
        .arg(step)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{step} failed:\n{said}");
    let total = said.lines().find_map(|line| line.split_once("Collected : "));
    let total: f64 = total.with_context(|| format!("no count in:\n{said}"))?.1.trim().parse()?;
    let times: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    ensure!(total > times, "{step}: callgrind did not find what it should count in");
    Ok(total / times)
}

/// The first line that a program prints, if it is there.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
    let output = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    output.lines().next().map(str::to_owned)
}

const FIGURES: &str = "kafka-producer/benches/counts.txt";

/// The part that a step may take more than it did.
const TOLERANCE: f64 = 0.03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let counts = [("append/10 B, keyed".to_owned(), 720.9), ("drain/6".to_owned(), 15986.8)];
        let figures = Figures::parse(&page("a machine, with more", &counts)).unwrap();
        assert_eq!(figures.machine, "a machine, with more");
        assert_eq!(figures.counts, BTreeMap::from(counts));
    }

    #[test]
    fn only_what_takes_clearly_more_fails() {
        let before = BTreeMap::from([("a".to_owned(), 100.0), ("b".to_owned(), 100.0)]);
        let now = |a, b| [("a".to_owned(), a), ("b".to_owned(), b)];
        assert!(compare(&before, &now(102.9, 50.0)).1.is_empty());
        let (table, worse) = compare(&before, &now(100.0, 104.0));
        assert_eq!(worse.len(), 1);
        assert!(worse[0].contains("100.0 ►     104.0  +4.0 %"), "{worse:?}");
        assert!(table.contains(&worse[0]));
        assert_eq!(compare(&before, &[("c".to_owned(), 1.0)]).1.len(), 1);
    }
}
