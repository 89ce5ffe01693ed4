//! `cargo xtask bounds`: what decoding may cost, and that it never costs more.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// Prints the memory bound of every message, writes the worst into `docs/memory-bounds.md`, and damages
/// every byte of every golden frame.
pub(crate) fn run(root: &Path) -> Result<()> {
    let args = ["test", "--quiet", "-p", "kafka-protocol", "--test", "codec"];
    let status = Command::new(env!("CARGO"))
        .args(args)
        .args(["--", "--nocapture", "--test-threads=1", "bounds::", "damage::", "counts::"])
        .env("WRITE_BOUNDS", "1")
        .env("DAMAGE_EVERY_BYTE", "1")
        .current_dir(root)
        .status()?;
    ensure!(status.success(), "decoding takes more than its bound, or panics");
    Ok(())
}
