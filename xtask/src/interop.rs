//! `cargo xtask interop`: our producer and real Kafka, in the tests `kafka-producer/tests/interop`.
//!
//! They get a cluster of three brokers of their own, which does not outlive them, and the class path
//! of the Java program in `xtask/java/interop` that uses Kafka's own clients.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long its steps take")]

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::cargo::cargo;
use crate::java::{ClassPath, Java};
use crate::kafka::{Cluster, Layout};

/// # Errors
/// If a test fails. The cluster is gone in any case.
pub(crate) fn run(root: &Path) -> Result<()> {
    let java = Java::new(root);
    let program = java.compile("interop", &root.join("xtask/java/interop"), &java.clients()?)?;
    // No broker waits for the compiler.
    cargo(root, ".", &[&TESTS[..], &["--quiet", "--no-run"]].concat())?;

    let cluster = Cluster::new(root, CLUSTER);
    // Of a run that was killed.
    cluster.remove()?;
    let layout = Layout { brokers: 3, port: free_ports(6)? };
    let begin = Instant::now();
    let result = cluster.up(layout).and_then(|_| {
        println!("3 brokers are up after {:.1} s", begin.elapsed().as_secs_f64());
        test(root, &program, layout)
    });
    cluster.remove().and(result)
}

fn test(root: &Path, program: &ClassPath, layout: Layout) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(TESTS)
        // One at a time, and what they print is what they have shown.
        .args(["--", "--ignored", "--test-threads=1", "--nocapture"])
        .env("KAFKA_INTEROP_BOOTSTRAP_SERVERS", layout.bootstrap_servers())
        .env("KAFKA_INTEROP_CLASS_PATH", program.argument()?)
        .env("KAFKA_INTEROP_XTASK", std::env::current_exe()?)
        .env("KAFKA_INTEROP_CLUSTER", CLUSTER)
        .current_dir(root)
        .status()
        .context("cannot run cargo test")?;
    ensure!(status.success(), "our producer and real Kafka do not agree");
    Ok(())
}

/// The first of so many ports in a row at which nobody listens. The search begins elsewhere in each
/// process, so that two at the same time find different ones.
fn free_ports(count: u16) -> Result<u16> {
    let begin = (std::process::id() % 500) as u16;
    (0..500)
        .map(|step| FIRST_PORT + (begin + step) % 500 * 16)
        .find(|first| {
            let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            (*first..first + count).all(is_free)
        })
        .with_context(|| format!("no {count} free ports in a row from {FIRST_PORT} on"))
}

const TESTS: [&str; 5] = ["test", "--package", "kafka-producer", "--test", "interop"];

const CLUSTER: &str = "interop";

/// With what follows, below the ports that systems give to outgoing connections.
const FIRST_PORT: u16 = 20_000;
