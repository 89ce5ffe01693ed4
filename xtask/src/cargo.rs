//! Cargo, run by a task.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Runs a cargo command that builds a program, with [`MESSAGES`] among its arguments, and gives where
/// that is.
pub(crate) fn build_program(cargo: &mut Command, root: &Path) -> Result<PathBuf> {
    let output = cargo.stderr(Stdio::inherit()).current_dir(root).output();
    let output = output.context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo could not build it");
    let messages = String::from_utf8(output.stdout)?;
    let mut programs = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    programs.next_back().context("cargo named no program")
}

pub(crate) const MESSAGES: [&str; 2] = ["--message-format", "json-render-diagnostics"];
