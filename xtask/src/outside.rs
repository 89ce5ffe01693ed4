//! A crate outside the workspace that depends on the codec alone: it builds, decodes a Metadata
//! response, and pulls in no more than the codec says it needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo::cargo;

/// Everything that a user of the codec compiles, with default features.
const TREE: [&str; 7] =
    ["bytes", "crc32c", "kafka-protocol", "memchr", "nom", "outside", "rustc_version"];
/// What only build scripts need.
const BUILD_TREE: [&str; 1] = ["semver"];

const MAIN: &str = r#"
use bytes::Bytes;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataResponse};
use kafka_protocol::{DecodeLimits, Frame, decode_response};

fn main() {
    let mut response = MetadataResponse::default();
    response.cluster_id = Some("outside".into());
    let frame = Frame::response::<MetadataRequest>(&response, 12, 7).expect("a valid response");
    let frame: Bytes = frame.into_bytes().slice(4..);
    let (header, decoded) =
        decode_response::<MetadataRequest>(frame, 12, &DecodeLimits::default()).expect("our bytes");
    assert_eq!(header.correlation_id, 7);
    assert_eq!(decoded, response);
    println!("decoded {decoded:?}");
}
"#;

pub(crate) fn run(root: &Path) -> Result<()> {
    let dir = root.join("target/outside");
    fs::create_dir_all(dir.join("src"))?;
    let codec = root.join("kafka-protocol");
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [workspace]\n\n[dependencies]\nbytes = \"1\"\nkafka-protocol = {{ path = {codec:?} }}\n"
    );
    fs::write(dir.join("Cargo.toml"), manifest)?;
    fs::write(dir.join("src/main.rs"), MAIN)?;
    cargo(root, "target/outside", &["run", "--quiet"])?;

    let output = Command::new(env!("CARGO"))
        .args(["tree", "--quiet", "--prefix", "none", "--edges", "normal,build"])
        .current_dir(&dir)
        .output()
        .context("cannot run cargo tree")?;
    ensure!(output.status.success(), "cargo tree failed");
    let output = String::from_utf8(output.stdout)?;
    let tree: BTreeSet<&str> = output.lines().filter_map(|line| line.split(' ').next()).collect();
    let allowed: BTreeSet<&str> = TREE.into_iter().chain(BUILD_TREE).collect();
    let more: Vec<&str> = tree.difference(&allowed).copied().collect();
    ensure!(
        more.is_empty(),
        "the codec pulls in {}: say why in xtask/src/outside.rs",
        more.join(", ")
    );
    println!("its dependencies: {}", tree.into_iter().collect::<Vec<_>>().join(", "));
    Ok(())
}
