//! `cargo xtask interop`: our producer and real Kafka, in the tests `kafka-producer/tests/interop`.
//!
//! They get a cluster of three brokers of their own, which does not outlive them, and the class path
//! of the Java program in `xtask/java/interop` that uses Kafka's own clients.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo::cargo;
use crate::java::{ClassPath, Java};
use crate::kafka::{self, Running};

/// # Errors
/// If a test fails. The cluster is gone in any case.
pub(crate) fn run(root: &Path) -> Result<()> {
    let tests = Tests::prepare(root)?;
    kafka::with_cluster(root, "interop", |cluster| tests.run(root, cluster))
}

/// What is made before there is a cluster: no broker waits for a compiler.
pub(crate) struct Tests {
    program: ClassPath,
}

impl Tests {
    pub(crate) fn prepare(root: &Path) -> Result<Self> {
        let java = Java::new(root);
        let program =
            java.compile("interop", &root.join("xtask/java/interop"), &java.clients()?)?;
        cargo(root, ".", &[&TESTS[..], &["--quiet", "--no-run"]].concat())?;
        Ok(Self { program })
    }

    pub(crate) fn run(&self, root: &Path, cluster: Running<'_>) -> Result<()> {
        let status = Command::new(env!("CARGO"))
            .args(TESTS)
            // One at a time, and what they print is what they have shown.
            .args(["--", "--ignored", "--test-threads=1", "--nocapture"])
            .env("KAFKA_INTEROP_BOOTSTRAP_SERVERS", cluster.layout.bootstrap_servers())
            .env("KAFKA_INTEROP_CLASS_PATH", self.program.argument()?)
            .env("KAFKA_INTEROP_XTASK", std::env::current_exe()?)
            .env("KAFKA_INTEROP_CLUSTER", cluster.name)
            .current_dir(root)
            .status()
            .context("cannot run cargo test")?;
        ensure!(status.success(), "our producer and real Kafka do not agree");
        Ok(())
    }
}

const TESTS: [&str; 5] = ["test", "--package", "kafka-producer", "--test", "interop"];
