//! `cargo xtask ci`: every check, with its time. The tests themselves run before it.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long its steps take")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::cargo;
use crate::{
    bench, codegen, conformance, counts, coverage, fuzz, interop, java, kafka, oracle, outside,
    simulate, tidy,
};

/// What a step did: it ran, or the tool that it needs is not here.
pub(crate) enum Done {
    Ran,
    Skipped(&'static str),
}

const NO_JAVA: Done = Done::Skipped("Java (java, javac) or Maven (mvn) is not installed");

/// Random runs, other ones than the tests have, and at most a minute of them.
const SIMULATION: [&str; 6] = ["--from", "100000", "--seeds", "2000", "--seconds", "60"];

type Step = (&'static str, fn(&Path) -> Result<Done>);

const STEPS: &[Step] = &[
    ("format", format),
    ("tidy", |root| tidy::run(root).map(|()| Done::Ran)),
    ("coverage table", |root| coverage::run(root).map(|()| Done::Ran)),
    ("generated code", |root| codegen::check(root).map(|()| Done::Ran)),
    ("clippy", clippy),
    ("features", features),
    ("documentation", documentation),
    ("licences and sources", deny),
    ("a crate outside", |root| outside::run(root).map(|()| Done::Ran)),
    ("simulation smoke", |root| simulate::run(root, &SIMULATION).map(|()| Done::Ran)),
    ("loom", loom),
    ("instruction counts", |root| counts::check(root, false)),
    ("fuzz smoke", |root| fuzz::run(root, &["--seconds", "10"]).map(|()| Done::Ran)),
    ("oracle", oracle),
    ("peers agree", peers),
    ("real Kafka", real_kafka),
    ("other clients", other_clients),
];

/// Runs every step, the failed ones too, and ends with a table of what each one took.
pub(crate) fn run(root: &Path) -> Result<()> {
    let mut table = String::new();
    let mut failed = Vec::new();
    let begin = Instant::now();
    for (name, step) in STEPS {
        println!("\n── {name}");
        let start = Instant::now();
        let outcome = match step(root) {
            Ok(Done::Ran) => "ok".to_owned(),
            Ok(Done::Skipped(why)) => format!("skipped: {why}"),
            Err(error) => {
                eprintln!("error: {error:#}");
                failed.push(*name);
                "FAILED".to_owned()
            }
        };
        table += &format!("  {:<22} {:>7}  {outcome}\n", name, seconds(start.elapsed()));
    }
    println!("\n{table}  {:<22} {:>7}", "all", seconds(begin.elapsed()));
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn format(root: &Path) -> Result<Done> {
    cargo(root, ".", &["fmt", "--all", "--check"])?;
    cargo(root, "fuzz", &["fmt", "--check"])?;
    cargo(root, "xtask/oracle", &["fmt", "--check"])?;
    cargo(root, "xtask/peers", &["fmt", "--check"])?;
    Ok(Done::Ran)
}

fn clippy(root: &Path) -> Result<Done> {
    let deny = ["--quiet", "--all-targets", "--", "-D", "warnings"];
    cargo(root, ".", &[&["clippy", "--workspace"], &deny[..]].concat())?;
    cargo(root, "fuzz", &[&["clippy"], &deny[..]].concat())?;
    Ok(Done::Ran)
}

/// Each feature of the codec alone, and none at all; the other crates without their async halves.
fn features(root: &Path) -> Result<Done> {
    const FEATURES: [&str; 11] = [
        "", "producer", "consumer", "admin", "broker", "all", "gzip", "snappy", "lz4", "lz4-hc",
        "zstd",
    ];
    for feature in FEATURES {
        let check = ["clippy", "--quiet", "-p", "kafka-protocol", "--no-default-features"];
        let choice = ["--features", feature, "--", "-D", "warnings"];
        cargo(root, ".", &[&check[..], &choice[..]].concat())
            .with_context(|| format!("with the features `{feature}` alone"))?;
    }
    for pure in ["kafka-net", "kafka-mock", "kafka-producer"] {
        let check = ["clippy", "--quiet", "-p", pure, "--no-default-features", "--all-targets"];
        cargo(root, ".", &[&check[..], &["--", "-D", "warnings"]].concat())
            .with_context(|| format!("{pure} without tokio"))?;
    }
    Ok(Done::Ran)
}

/// Every order of events between the threads that share the producer's buffer.
fn loom(root: &Path) -> Result<Done> {
    let args = ["test", "--release", "--quiet", "-p", "kafka-producer", "--no-default-features"];
    let status = Command::new(env!("CARGO"))
        .args(args)
        .args(["--lib", "--target-dir", "target/loom", "loom_tests"])
        .env("RUSTFLAGS", "--cfg kafka_loom")
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "loom found an order of events that breaks something");
    Ok(Done::Ran)
}

fn documentation(root: &Path) -> Result<Done> {
    for private in [&[][..], &["--document-private-items"]] {
        let args = ["doc", "--quiet", "--workspace", "--all-features", "--no-deps"];
        let status = Command::new(env!("CARGO"))
            .args(args)
            .args(private)
            .env("RUSTDOCFLAGS", "-D warnings")
            .current_dir(root)
            .status()?;
        ensure!(status.success(), "cargo doc {} failed", private.join(" "));
    }
    Ok(Done::Ran)
}

/// The whole of it, which takes half a minute. Its crate builds only behind it, with the table it wrote.
fn oracle(root: &Path) -> Result<Done> {
    if !java::is_installed() {
        return Ok(NO_JAVA);
    }
    oracle::run(root)?;
    let lint = ["clippy", "--quiet", "--target-dir", "../../target/oracle/build"];
    cargo(root, "xtask/oracle", &[&lint[..], &["--", "-D", "warnings"]].concat())?;
    Ok(Done::Ran)
}

/// Our codec beside the published ones: whether they agree, not how fast they are.
fn peers(root: &Path) -> Result<Done> {
    if !bench::can_build_peers()? {
        return Ok(Done::Skipped("the published codecs need Rust 1.95"));
    }
    // The default members: clients of others, in C too, are only built to be measured.
    cargo(root, "xtask/peers", &["clippy", "--quiet", "--locked", "--", "-D", "warnings"])?;
    cargo(root, "xtask/peers", &["test", "--quiet", "--locked"])?;
    bench::codec(root, &["--quick"]).map(|()| Done::Ran)
}

/// Our producer, and the mock, beside one real cluster.
fn real_kafka(root: &Path) -> Result<Done> {
    if !java::is_installed() {
        return Ok(NO_JAVA);
    }
    let interop = interop::Tests::prepare(root)?;
    conformance::prepare(root)?;
    kafka::with_cluster(root, "ci", |cluster| {
        conformance::against_kafka(root, cluster, conformance::Mode::Compare)?;
        interop.run(root, cluster)
    })?;
    Ok(Done::Ran)
}

/// Others than ours, against the mock; and the mock against what Kafka answered.
fn other_clients(root: &Path) -> Result<Done> {
    if !java::is_installed() {
        return Ok(NO_JAVA);
    }
    conformance::without_kafka(root).map(|()| Done::Ran)
}

/// Without advisories: their database is not a registry package.
fn deny(root: &Path) -> Result<Done> {
    let version = Command::new(env!("CARGO")).args(["deny", "--version"]).output()?;
    if !version.status.success() {
        return Ok(Done::Skipped("cargo-deny is not installed"));
    }
    for dir in [".", "fuzz", "xtask/oracle"] {
        let config = root.join("deny.toml");
        let Some(config) = config.to_str() else { bail!("the path of deny.toml is not UTF-8") };
        let args =
            ["deny", "--config", config, "--all-features", "check", "bans", "licenses", "sources"];
        cargo(root, dir, &args)?;
    }
    Ok(Done::Ran)
}
