//! `cargo xtask golden`: the golden files, made by Kafka's own Java classes.
//!
//! The Java program in `xtask/java/golden` writes those of kafka-protocol, its messages from the cases
//! of `oracle`, and those of kafka-producer. What they hold is in the README beside them. The same
//! program reads record batches that we wrote, which makes it an oracle.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::java::{self, ClassPath, Java};
use crate::oracle;

/// Writes all golden files anew, from nothing but the schemas.
pub(crate) fn run(root: &Path) -> Result<()> {
    let golden = root.join("kafka-protocol/tests/golden");
    let output = root.join("target/java/golden-files");
    java::recreate(&output)?;
    let mut command = program(root)?.command(&[], MAIN_CLASS)?;
    command.arg("write").arg(&output);
    java::run(&mut command, "make the golden files")?;
    oracle::write_golden(root, &output.join("messages"))?;

    // Only now, when all are made, the old ones go: a case that is no more leaves no file behind.
    for name in MADE_FOLDERS {
        java::recreate(&golden.join(name))?;
        copy_files(&output.join(name), &golden.join(name))?;
    }
    copy_files(&output, &golden)?;
    copy_files(&output.join("producer"), &root.join("kafka-producer/tests/golden"))
}

/// Has Java read every `*.bin` of `input`, each one or more record batches, and writes what it
/// sees to standard output, in the form of the golden batches. An error if it refuses one.
pub(crate) fn read_batches(root: &Path, input: &Path) -> Result<()> {
    let mut command = program(root)?.command(&[], MAIN_CLASS)?;
    command.arg("read-batches").arg(input);
    java::run(&mut command, "read record batches")
}

/// Has Java write every message of `cases`, one a line, and puts what it wrote into `output`.
pub(crate) fn write_messages(root: &Path, cases: &Path, output: &Path) -> Result<()> {
    let mut command = program(root)?.command(&[], MAIN_CLASS)?;
    command.arg("write-messages").arg(cases).arg(output);
    java::run(&mut command, "write messages")
}

/// Has Java read the batches of `input` as [`read_batches`] does, into files in `output`, and write its
/// own of every codec and level into `java`.
pub(crate) fn exchange_batches(
    root: &Path,
    input: &Path,
    output: &Path,
    java: &Path,
) -> Result<()> {
    let program = program(root)?;
    let mut command = program.command(&[], MAIN_CLASS)?;
    command.arg("read-batches").arg(input).arg(output);
    java::run(&mut command, "read our record batches")?;
    let mut command = program.command(&[], MAIN_CLASS)?;
    command.arg("write-batches").arg(java);
    java::run(&mut command, "write record batches")
}

fn program(root: &Path) -> Result<ClassPath> {
    let java = Java::new(root);
    let kafka = java.clients()?;
    java.compile("golden", &root.join("xtask/java/golden"), &kafka)
}

/// Copies the files, not the folders, of one folder to another.
fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {from:?}"))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let target = to.join(entry.file_name());
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {target:?}"))?;
        }
    }
    Ok(())
}

const MAIN_CLASS: &str = "Golden";

/// Folders of golden files that hold nothing written by hand.
const MADE_FOLDERS: [&str; 2] = ["batches", "messages"];
