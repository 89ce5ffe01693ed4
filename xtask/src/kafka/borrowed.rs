//! A cluster for the time of a function.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long its steps take")]

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{Cluster, Layout};

/// A cluster that runs.
#[derive(Clone, Copy)]
pub(crate) struct Running<'n> {
    /// As `cargo xtask kafka` takes it.
    pub(crate) name: &'n str,
    pub(crate) layout: Layout,
}

/// Starts three brokers on free ports and lends them. They are gone in the end, whatever happens.
///
/// # Errors
/// If they do not start, or what the borrower says.
pub(crate) fn with_cluster(
    root: &Path,
    name: &str,
    borrower: impl FnOnce(Running<'_>) -> Result<()>,
) -> Result<()> {
    lend(&Cluster::new(root, name), 3, name, borrower)
}

/// The same with one broker, whose Java is the one of Kafka's own scripts: it is measured.
pub(crate) fn with_fast_broker(
    root: &Path,
    name: &str,
    borrower: impl FnOnce(Running<'_>) -> Result<()>,
) -> Result<()> {
    lend(&Cluster::new(root, name).with_shipped_java(), 1, name, borrower)
}

fn lend(
    cluster: &Cluster,
    brokers: u16,
    name: &str,
    borrower: impl FnOnce(Running<'_>) -> Result<()>,
) -> Result<()> {
    // Of a run that was killed.
    cluster.remove()?;
    let layout = Layout { brokers, port: free_ports(2 * brokers)? };
    let begin = Instant::now();
    let result = cluster.up(layout).and_then(|_| {
        let seconds = begin.elapsed().as_secs_f64();
        println!("Kafka is up after {seconds:.1} s, with brokers: {brokers}");
        borrower(Running { name, layout })
    });
    cluster.remove().and(result)
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

/// With what follows, below the ports that systems give to outgoing connections.
const FIRST_PORT: u16 = 20_000;
