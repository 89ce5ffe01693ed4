//! Cargo, run by a task.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Runs cargo at the workspace's top level, or in `dir` below it.
pub(crate) fn cargo(root: &Path, dir: &str, args: &[&str]) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(args)
        .current_dir(root.join(dir))
        .status()
        .with_context(|| format!("cannot run cargo {}", args.join(" ")))?;
    ensure!(status.success(), "cargo {} failed", args.join(" "));
    Ok(())
}
