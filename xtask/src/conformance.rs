//! `cargo xtask conformance`: the mock and Kafka itself by the same scripts, and other clients against
//! the mock.
//!
//! The scripts, what Kafka answered to them, and where the mock differs are in
//! `kafka-mock/tests/conformance/`, which `cargo test` runs against the mock alone.

mod clients;
mod peer;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::cargo;
use crate::kafka::{self, Running};

pub(crate) use peer::Peer;

/// Everything; with `--write`, what Kafka answers becomes what the tests expect.
pub(crate) fn run(root: &Path, options: &[&str]) -> Result<()> {
    let mode = match options {
        [] => Mode::Compare,
        ["--write"] => Mode::Write,
        _ => bail!("`cargo xtask conformance` has no options `{}`", options.join(" ")),
    };
    prepare(root)?;
    kafka::with_cluster(root, "conformance", |cluster| against_kafka(root, cluster, mode))?;
    without_kafka(root)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Compare,
    Write,
}

/// Builds the tests: no broker waits for the compiler.
pub(crate) fn prepare(root: &Path) -> Result<()> {
    cargo(root, ".", &[&TESTS[..], &["--quiet", "--no-run"]].concat())
}

/// Kafka answers as it is written down, or is written down now.
pub(crate) fn against_kafka(root: &Path, cluster: Running<'_>, mode: Mode) -> Result<()> {
    let mut test = Command::new(env!("CARGO"));
    test.args(TESTS)
        .args(["--quiet", "kafka_answers_as_it_did", "--", "--ignored", "--nocapture"])
        .env("KAFKA_CONFORMANCE_BOOTSTRAP_SERVERS", cluster.layout.bootstrap_servers())
        .current_dir(root);
    if mode == Mode::Write {
        test.env("KAFKA_CONFORMANCE_WRITE", root.join(TRANSCRIPT));
    }
    let status = test.status().context("cannot run cargo test")?;
    ensure!(status.success(), "Kafka does not answer as it is written down in {TRANSCRIPT}");
    Ok(())
}

/// The mock answers as it is written down, and other clients get along with it.
pub(crate) fn without_kafka(root: &Path) -> Result<()> {
    let args = ["--quiet", "the_mock_answers_as_kafka_did", "--", "--nocapture"];
    cargo(root, ".", &[&TESTS[..], &args[..]].concat())?;
    clients::run(root)
}

const TESTS: [&str; 5] = ["test", "--package", "kafka-mock", "--test", "conformance"];
const TRANSCRIPT: &str = "kafka-mock/tests/conformance/kafka-4.4.0.txt";
