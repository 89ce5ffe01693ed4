//! How long a user of each codec waits for it: a clean release build, with default features.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use super::report::Figure;
use super::target_folder;

/// Builds each codec alone, with what it depends on, in an empty folder.
pub(super) fn figure(root: &Path) -> Result<Figure> {
    let ours = format!("{{ path = {:?} }}", root.join("kafka-protocol"));
    let codecs = [
        ("ours", "kafka-protocol", ours.as_str()),
        ("kafka-protocol", "kafka-protocol", "\"0.18.0\""),
        ("kacrab-protocol", "kacrab-protocol", "\"0.4.0\""),
    ];
    let folder = target_folder(root)?.join("bench-builds");
    let mut times = [0.0; 3];
    for ((name, package, source), time) in codecs.into_iter().zip(&mut times) {
        println!("building {name} alone");
        let dir = folder.join(name);
        fs::create_dir_all(dir.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"alone\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [workspace]\n\n[dependencies]\n{package} = {source}\n"
        );
        fs::write(dir.join("Cargo.toml"), manifest)?;
        fs::write(dir.join("src/lib.rs"), "")?;
        // The versions that are timed as well; cargo takes from it what it needs.
        fs::copy(root.join("xtask/peers/Cargo.lock"), dir.join("Cargo.lock"))?;
        run(&dir, &["fetch", "--quiet"])?;
        let target = dir.join("target");
        if target.exists() {
            fs::remove_dir_all(&target)?;
        }
        let start = Instant::now();
        run(&dir, &["build", "--release", "--quiet", "--offline", "--target-dir", "target"])?;
        *time = start.elapsed().as_nanos() as f64;
        fs::remove_dir_all(&target)?;
    }
    Ok(Figure::build(times))
}

fn run(dir: &Path, args: &[&str]) -> Result<()> {
    let status = Command::new(env!("CARGO")).args(args).current_dir(dir).status()?;
    ensure!(status.success(), "cargo {} failed in {}", args.join(" "), dir.display());
    Ok(())
}
