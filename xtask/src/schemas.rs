//! `cargo xtask schemas`: the facts of Kafka's message schemas, out of the published jar.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::java;
use crate::schema::{Schema, schemas_dir};

pub(crate) const KAFKA_VERSION: &str = "4.4.0";

pub(crate) fn run(root: &Path) -> Result<()> {
    let work = root.join("target/schemas");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(&work)?;
    unpack(&work)?;

    let dir = schemas_dir(root);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(&dir)?;
    let mut count = 0;
    for entry in fs::read_dir(work.join("common/message"))? {
        let path = entry?.path();
        let schema = Schema::parse(&fs::read_to_string(&path)?)
            .with_context(|| format!("bad schema {}", path.display()))?;
        fs::write(dir.join(format!("{}.json", schema.name)), schema.to_text()?)?;
        count += 1;
    }
    ensure!(count > 0, "the jar holds no message schemas");
    fs::write(dir.join("VERSION"), format!("{KAFKA_VERSION}\n"))?;
    println!("{count} schemas of Kafka {KAFKA_VERSION} in {}", dir.display());
    Ok(())
}

/// Fetches the jar by its Maven coordinates and unpacks the schemas in it.
fn unpack(work: &Path) -> Result<()> {
    let mut maven = Command::new("mvn");
    maven
        // Without a project the plugin keeps its marks where it is run.
        .current_dir(work)
        .args(["--quiet", "--batch-mode", "dependency:unpack"])
        .arg(format!("-Dartifact=org.apache.kafka:kafka-clients:{KAFKA_VERSION}"))
        .arg(format!("-DoutputDirectory={}", work.display()))
        .arg("-Dmdep.unpack.includes=common/message/*.json");
    java::run(&mut maven, "fetch Kafka's message schemas")
}
