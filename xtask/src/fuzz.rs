//! `cargo xtask fuzz`: builds the fuzz targets of `fuzz/` and runs each of them for some seconds.
//!
//! Needs neither cargo-fuzz nor nightly: coverage guidance takes nothing but compiler flags. There
//! is no address sanitizer, since our code has no `unsafe` and is several times faster without it;
//! `cargo fuzz run` brings it. What is found stays in `fuzz/corpus` and `fuzz/artifacts`, where
//! cargo-fuzz has it too; what is worth keeping is packed into `fuzz/minimised`.

mod minimised;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Writes the seeds and what is checked in beside them, and runs the targets, unless `--seeds-only`
/// or `--minimise` is among the arguments.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<()> {
    let options = Options::parse(args)?;
    let fuzz = root.join("fuzz");
    let mut targets = names(&fuzz.join("fuzz_targets"))?;
    if let Some(wanted) = options.target {
        let known = targets.join(", ");
        targets.retain(|target| target == wanted);
        ensure!(!targets.is_empty(), "there is no fuzz target `{wanted}`, only {known}");
    }
    for target in &targets {
        seeds::write(root, &fuzz.join("corpus").join(target), target)?;
        minimised::unpack(&fuzz, target)?;
    }
    if options.seeds_only {
        return Ok(());
    }
    let binaries = build(root, &fuzz, &targets)?;
    let len_max = minimised::ALL_LEN_MAX / names(&fuzz.join("fuzz_targets"))?.len();
    let columns = if options.minimise { minimised::COLUMNS } else { Stats::COLUMNS };
    println!("{:20}{columns}", "target");
    let mut failures = Vec::new();
    for target in &targets {
        let binary = binaries.join(target);
        let row = if options.minimise {
            minimised::pack(root, &binary, target, len_max)
        } else {
            smoke(&fuzz, &binary, target, options.seconds).map(|stats| stats.row())
        };
        match row {
            Ok(row) => println!("{target:20}{row}"),
            Err(failure) => {
                println!("{target:20}{:>12}", "FAILED");
                failures.push(format!("{target}: {failure:#}"));
            }
        }
    }
    ensure!(failures.is_empty(), "not all fuzz targets passed\n\n{}", failures.join("\n\n"));
    Ok(())
}

struct Options<'a> {
    seconds: u32,
    target: Option<&'a str>,
    seeds_only: bool,
    minimise: bool,
}

impl<'a> Options<'a> {
    fn parse(mut args: &[&'a str]) -> Result<Self> {
        let mut options = Self { seconds: 10, target: None, seeds_only: false, minimise: false };
        loop {
            args = match args {
                [] => return Ok(options),
                ["--seeds-only", rest @ ..] => {
                    options.seeds_only = true;
                    rest
                }
                ["--minimise", rest @ ..] => {
                    options.minimise = true;
                    rest
                }
                ["--target", target, rest @ ..] => {
                    options.target = Some(target);
                    rest
                }
                ["--seconds", seconds, rest @ ..] => {
                    options.seconds = seconds.parse().unwrap_or(0);
                    // To libFuzzer 0 means forever.
                    ensure!(options.seconds > 0, "`--seconds {seconds}` is not a number from 1 up");
                    rest
                }
                [other, ..] => {
                    bail!("`cargo xtask fuzz` has no option `{other}`, or it lacks a value")
                }
            };
        }
    }
}

/// Builds the targets, and gives the folder they are in.
fn build(root: &Path, fuzz: &Path, targets: &[String]) -> Result<PathBuf> {
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let program = compiler.split(' ').next().unwrap_or_default();
    if cfg!(unix) && output(Command::new(program).arg("--version")).is_err() {
        bail!(
            "libFuzzer needs a C++ compiler: install g++ or clang, or set CXX (tried `{program}`)"
        );
    }
    let host = host()?;
    let target_folder = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::env::current_dir()?.join(folder),
        None => root.join("target"),
    };
    let target_folder = target_folder.join("fuzz");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--manifest-path"]).arg(fuzz.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&target_folder);
    // With a target named, even the host's own, the flags do not go into build scripts.
    cargo.args(["--target", &host]);
    cargo.args(targets.iter().flat_map(|target| ["--bin", target]));
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    let status = cargo.status().context("cannot start cargo")?;
    ensure!(status.success(), "the fuzz targets could not be built ({status})");
    Ok(target_folder.join(host).join("release"))
}

/// The platform that the compiler runs on.
fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let version = String::from_utf8_lossy(&version.stdout);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Runs one target; an error if it found something, or is blind.
fn smoke(fuzz: &Path, binary: &Path, target: &str, seconds: u32) -> Result<Stats> {
    let artifacts = fuzz.join("artifacts").join(target);
    fs::create_dir_all(&artifacts).with_context(|| format!("cannot create {artifacts:?}"))?;
    let run = output(
        Command::new(binary)
            .arg(fuzz.join("corpus").join(target))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={seconds}"))
            .args(LIMITS)
            .env("RUST_BACKTRACE", "1"),
    )?;
    let log = String::from_utf8_lossy(&run.stderr);
    if !run.status.success() {
        bail!("{}\n{}", finding(&log, binary), run.status);
    }
    let stats = Stats::parse(&log)?;
    ensure!(
        stats.coverage_end >= COVERAGE_MIN,
        "coverage is {}, so the target is not instrumented or does nothing",
        stats.coverage_end
    );
    Ok(stats)
}

/// What a failed run says, without its statistics, and how to see it again.
fn finding(log: &str, binary: &Path) -> String {
    const NOISE: [&str; 4] = ["#", "\t", "INFO: ", "WARNING: Failed to find function"];
    let told = log.lines().filter(|line| !NOISE.iter().any(|noise| line.starts_with(noise)));
    // The longest lines are the input, over again.
    let mut text: String =
        told.flat_map(|line| line.chars().take(LINE_LEN_MAX).chain(['\n'])).collect();
    let artifact = log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1));
    if let Some(artifact) = artifact {
        text.push_str(&format!("reproduce with: {} {artifact}", binary.display()));
    }
    text
}

/// What libFuzzer counted.
#[derive(Debug, PartialEq)]
struct Stats {
    executions: u64,
    /// Edges reached by the corpus as it was at the start: the seeds, and what earlier runs found.
    coverage_start: u64,
    coverage_end: u64,
    /// Inputs in the corpus.
    corpus: u64,
    executions_per_second: u64,
}

impl Stats {
    const COLUMNS: &str = "  executions    exec/s  cov start    cov end    corpus";

    /// Reads lines like `#123  INITED cov: 45 ft: 67 corp: 5/1234b exec/s: 0 rss: 40Mb`.
    fn parse(log: &str) -> Result<Self> {
        let line = |event: &str| {
            let is_event = |line: &&str| {
                line.split_once('\t').is_some_and(|(_, rest)| rest.starts_with(event))
            };
            let line = log.lines().find(is_event);
            line.with_context(|| format!("libFuzzer did not print {event}:\n{log}"))
        };
        let (start, end) = (line("INITED")?, line("DONE")?);
        let executions = number(end, "#");
        Ok(Self {
            executions,
            coverage_start: number(start, "cov: "),
            coverage_end: number(end, "cov: "),
            corpus: number(end, "corp: "),
            executions_per_second: number(end, "exec/s: "),
        })
    }

    fn row(&self) -> String {
        format!(
            "{:12}{:10}{:11}{:11}{:10}",
            self.executions,
            self.executions_per_second,
            self.coverage_start,
            self.coverage_end,
            self.corpus
        )
    }
}

/// The number behind `label`; 0 if there is none, as libFuzzer leaves out what it does not know.
fn number(line: &str, label: &str) -> u64 {
    let rest = line.split_once(label).map_or("", |(_, rest)| rest);
    let digits = rest.find(|c: char| !c.is_ascii_digit()).map_or(rest, |end| &rest[..end]);
    digits.parse().unwrap_or(0)
}

/// The names of the files in a folder, without their endings.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {folder:?}"))? {
        names.extend(entry?.path().file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn output(command: &mut Command) -> Result<Output> {
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).output().with_context(|| format!("cannot run `{program}`"))
}

/// What makes the compiler count the edges that are reached, as cargo-fuzz asks for it.
const FLAGS: [&str; 8] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];

/// `-malloc_limit_mb` would need a sanitizer; the targets measure allocations themselves.
const LIMITS: [&str; 2] = ["-rss_limit_mb=1024", "-timeout=10"];

/// Longest line of a finding that is printed in full, in characters.
const LINE_LEN_MAX: usize = 500;

/// Edges that every target reaches with its seeds; one without instrumentation reaches none.
const COVERAGE_MIN: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libfuzzers_counts_are_read() {
        let log = "INFO: Seed: 1\n\
            #123\tINITED cov: 45 ft: 67 corp: 5/1234b exec/s: 0 rss: 40Mb\n\
            #200\tNEW    cov: 46 ft: 68 corp: 6/1235b lim: 4 exec/s: 0 rss: 40Mb L: 1/1 MS: 1 x-\n\
            #9000\tDONE   cov: 46 ft: 68 corp: 6/1235b lim: 4 exec/s: 900 rss: 40Mb\n";
        let expected = Stats {
            executions: 9000,
            coverage_start: 45,
            coverage_end: 46,
            corpus: 6,
            executions_per_second: 900,
        };
        assert_eq!(Stats::parse(log).unwrap(), expected);
        let blind = "#2\tINITED exec/s: 0 rss: 26Mb\n#9\tDONE   corp: 1/1b exec/s: 9\n";
        assert_eq!(Stats::parse(blind).unwrap().coverage_end, 0);
        assert!(Stats::parse("").is_err());
    }

    #[test]
    fn options_are_read() {
        let options = Options::parse(&["--target", "header", "--seconds", "3"]).unwrap();
        assert_eq!((options.target, options.seconds), (Some("header"), 3));
        for wrong in [&["--seconds", "0"][..], &["--seconds"], &["header"]] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
