//! The programs of `xtask/peers`: built, and ready to be started.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::bench::{can_build_peers, target_folder};
use crate::java::{self, ClassPath, Java};

/// A client, by the name that its program gives itself.
pub(super) struct Client {
    pub(super) name: &'static str,
    /// Where its program comes from.
    language: Language,
    /// As it is spoken of.
    pub(super) title: &'static str,
}

enum Language {
    Rust,
    Go,
    Java,
}

pub(super) const OURS: &str = "ours";
pub(super) const FLOOR: &str = "floor";

pub(super) const CLIENTS: [Client; 9] = [
    Client { name: OURS, language: Language::Rust, title: "ours" },
    Client { name: FLOOR, language: Language::Rust, title: "the floor" },
    Client { name: "librdkafka", language: Language::Rust, title: "librdkafka" },
    Client { name: "franz-go", language: Language::Go, title: "franz-go" },
    Client { name: "java", language: Language::Java, title: "Java" },
    Client { name: "kacrab", language: Language::Rust, title: "kacrab" },
    Client { name: "krafka", language: Language::Rust, title: "krafka" },
    Client { name: "rust-rdkafka", language: Language::Rust, title: "rust-rdkafka" },
    Client { name: "rskafka", language: Language::Rust, title: "rskafka" },
];

/// How it is spoken of.
pub(super) fn title(name: &str) -> &str {
    CLIENTS.iter().find(|client| client.name == name).map_or(name, |client| client.title)
}

/// A client's program, built.
pub(super) struct Program {
    pub(super) name: &'static str,
    start: Start,
}

enum Start {
    Binary(PathBuf),
    Java(ClassPath),
}

impl Program {
    /// To be given arguments.
    pub(super) fn command(&self) -> Result<Command> {
        match &self.start {
            Start::Binary(path) => Ok(Command::new(path)),
            Start::Java(class_path) => class_path.command(&[], "Contestant"),
        }
    }
}

/// Programs, and who has none.
pub(super) struct Built {
    pub(super) programs: Vec<Program>,
    /// Clients that are left out, each with the reason.
    pub(super) skipped: Vec<String>,
}

/// Builds the programs of these clients, or takes what was built before. One that cannot be built is
/// left out with a word, unless it is ours.
pub(super) fn build(root: &Path, names: &[&str], with_build: bool) -> Result<Built> {
    let mut built = Built { programs: Vec::new(), skipped: Vec::new() };
    for client in CLIENTS.iter().filter(|client| names.contains(&client.name)) {
        match client.build(root, with_build) {
            Ok(start) => built.programs.push(Program { name: client.name, start }),
            Err(error) if client.name == OURS => return Err(error),
            Err(error) => {
                println!("{}: skipped, {error:#}", client.title);
                built.skipped.push(format!("{} ({error:#})", client.title));
            }
        }
    }
    Ok(built)
}

impl Client {
    fn build(&self, root: &Path, with_build: bool) -> Result<Start> {
        let target = target_folder(root)?;
        if with_build {
            println!("building the program of {}", self.title);
        }
        let binary = match self.language {
            Language::Java => return build_java(root).map(Start::Java),
            Language::Rust => {
                let package = format!("peers-{}", self.name);
                let target = target.join("peers");
                if with_build {
                    build_rust(root, &package, &target)?;
                }
                target.join("release").join(format!("{package}{}", std::env::consts::EXE_SUFFIX))
            }
            Language::Go => {
                let binary = target.join("go/peer");
                if with_build {
                    build_go(root, &binary)?;
                }
                binary
            }
        };
        ensure!(binary.is_file(), "its program is not built");
        Ok(Start::Binary(binary))
    }
}

fn build_rust(root: &Path, package: &str, target: &Path) -> Result<()> {
    ensure!(can_build_peers()?, "the peers need Rust 1.95");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "--locked", "--package", package]);
    cargo.arg("--target-dir").arg(target).current_dir(root.join("xtask/peers"));
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "its program does not build");
    Ok(())
}

fn build_go(root: &Path, binary: &Path) -> Result<()> {
    if !java::is_on_path("go") {
        bail!("Go (go) is not installed");
    }
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-o"]).arg(binary).arg(".");
    go.current_dir(root.join("xtask/peers/go"));
    java::run(&mut go, "compile our Go program")
}

/// Always, since it takes but a second or two.
fn build_java(root: &Path) -> Result<ClassPath> {
    if !java::is_installed() {
        bail!("Java (java, javac) or Maven (mvn) is not installed");
    }
    let java = Java::new(root);
    let jars = java.resolve("peers", &JARS)?;
    java.compile("peers", &root.join("xtask/peers/java"), &jars)
}

/// `kafka`, for its `mock`.
pub(super) fn null_broker(root: &Path, with_build: bool) -> Result<PathBuf> {
    if with_build {
        println!("building the null broker");
        let build = ["build", "--release", "--quiet", "--package", "kafka-cli"];
        crate::cargo::cargo(root, ".", &build)?;
    }
    let name = format!("release/kafka{}", std::env::consts::EXE_SUFFIX);
    let binary = target_folder(root)?.join(name);
    binary.is_file().then_some(binary).context("`kafka` is not built: leave out --no-build")
}

/// The producer, a histogram as all programs have one, and a logger that is silent.
const JARS: [&str; 3] = [
    "org.apache.kafka:kafka-clients:4.4.0",
    "org.hdrhistogram:HdrHistogram:2.2.2",
    "org.slf4j:slf4j-nop:1.7.36",
];
