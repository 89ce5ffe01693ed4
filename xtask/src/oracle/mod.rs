//! `cargo xtask oracle`: Java's own classes and our codec, held against each other.
//!
//! ```text
//!            values.rs, cases.rs                    target/oracle/
//! schemas ───────────────────────► every case as JSON ──► messages.txt
//!                                                            │
//!           xtask/java/golden: Kafka's converters and classes ▼
//!                                                         java.txt    each case as Java writes it
//!                                                            │
//!           xtask/oracle: structs by field name, our codec   ▼
//!                                                         every difference
//! ```
//!
//! Both sides make the value from the same JSON by the names of its fields, so that two fields that are
//! mixed up show. Java reads again what it wrote, and its JSON must be the one that it was given.
//! The crate in `xtask/oracle` includes a table of names that is generated first.

mod cases;
mod table;
mod values;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::cases::{FOREIGN, Matrix};
use self::values::Family;
use crate::golden;
use crate::java;
use crate::schema::Schema;
use crate::schemas::KAFKA_VERSION;

/// Compares all messages, then record batches.
pub(crate) fn run(root: &Path) -> Result<()> {
    let folder = Folder::new(root)?;
    let matrix = folder.ask_java()?;
    let binary = folder.build()?;
    folder.compare_messages(&binary, &matrix)?;
    folder.compare_batches(&binary)
}

/// Writes the golden messages: every case but those of [`Family::Lengths`], which would be most of the
/// bytes, and those that need a Rust value to begin with.
pub(crate) fn write_golden(root: &Path, output: &Path) -> Result<()> {
    let folder = Folder::new(root)?;
    folder.ask_java()?;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let (cases, java) = (folder.read("messages.txt")?, folder.read("java.txt")?);
    for (case, java) in cases.lines().zip(java.lines()) {
        let words: Vec<&str> = case.splitn(5, ' ').collect();
        let [message, version, _, family, _] = words[..] else { bail!("`{case}` is no case") };
        if family == Family::Lengths.name() || family.starts_with(FOREIGN) {
            continue;
        }
        let text = files.entry(message.to_owned()).or_insert_with(golden_head);
        writeln!(text, "v{version} {family} {java}")?;
    }
    java::recreate(output)?;
    for (message, text) in files {
        let path = output.join(message).with_extension("txt");
        fs::write(&path, text).with_context(|| format!("cannot write {path:?}"))?;
    }
    Ok(())
}

fn golden_head() -> String {
    format!(
        "# Made by `cargo xtask golden` with kafka-clients {KAFKA_VERSION}; see README.md. Do not edit.\n\
         # vVERSION FAMILY HEX, where - is no bytes at all\n"
    )
}

/// `target/oracle` of the workspace.
struct Folder<'r> {
    root: &'r Path,
    path: PathBuf,
    schemas: Vec<Schema>,
}

impl<'r> Folder<'r> {
    fn new(root: &'r Path) -> Result<Self> {
        let path = root.join("target/oracle");
        fs::create_dir_all(&path).with_context(|| format!("cannot create {path:?}"))?;
        Ok(Self { root, path, schemas: Schema::read_all(root)? })
    }

    /// Writes every case, and has Java write what it makes of them.
    fn ask_java(&self) -> Result<Matrix> {
        let matrix = Matrix::of(&self.schemas)?;
        let cases = cases::all(&self.schemas)?;
        cases::check(&cases, &matrix)?;
        let mut text = String::new();
        for case in &cases {
            let (message, version, read_as) = (case.message, case.version, case.read_as);
            writeln!(text, "{message} {version} {read_as} {} {}", case.family, case.value)?;
        }
        self.write("messages.txt", &text)?;
        golden::write_messages(
            self.root,
            &self.path.join("messages.txt"),
            &self.path.join("java.txt"),
        )?;
        Ok(matrix)
    }

    /// Builds the crate in `xtask/oracle`.
    fn build(&self) -> Result<PathBuf> {
        self.write("table.rs", &table::text(&self.schemas)?)?;
        let target = self.path.join("build");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--quiet", "--locked", "--target-dir"])
            .arg(&target)
            .current_dir(self.root.join("xtask/oracle"));
        java::run(&mut cargo, "build the oracle")?;
        Ok(target.join("debug/oracle"))
    }

    fn compare_messages(&self, binary: &Path, matrix: &Matrix) -> Result<()> {
        let mut oracle = Command::new(binary);
        oracle.arg("messages").arg(self.path.join("messages.txt")).arg(self.path.join("java.txt"));
        let output = oracle.output().context("cannot start the oracle")?;
        let text = String::from_utf8(output.stdout)?;
        print!("{text}");
        eprint!("{}", String::from_utf8(output.stderr)?);
        ensure!(output.status.success(), "our codec and Java disagree");
        let compared = text.lines().last().and_then(|line| line.strip_prefix("compared: "));
        let compared: usize = compared.context("the oracle gave no count")?.parse()?;
        ensure!(compared == matrix.cases(), "{compared} of {} cases compared", matrix.cases());
        println!(
            "{} messages, {} versions, {} cases of families and {} of fields that a version lacks: \
             {compared} agree, skipped {}",
            matrix.messages,
            matrix.versions,
            matrix.of_families,
            matrix.foreign,
            matrix.cases() - compared
        );
        Ok(())
    }

    fn compare_batches(&self, binary: &Path) -> Result<()> {
        let batches = self.path.join("batches");
        let [ours, by_java, java] = ["ours", "ours-by-java", "java"].map(|name| batches.join(name));
        for folder in [&ours, &by_java, &java] {
            java::recreate(folder)?;
        }
        let mut oracle = Command::new(binary);
        java::run(oracle.arg("write-batches").arg(&ours), "write our record batches")?;
        golden::exchange_batches(self.root, &ours, &by_java, &java)?;
        let mut oracle = Command::new(binary);
        java::run(oracle.arg("batches").arg(&batches), "compare record batches")
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.path.join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {path:?}"))
    }
}
