//! `cargo xtask bench codec`: our codec beside the published ones, in one run. `bench peers`, the same for
//! the producer, is in `peers`.
//!
//! What we are compared with is in `xtask/peers`, a workspace of its own. Its binary of codecs holds all to
//! the same values and bytes before it times them; here its figures become a table and a page.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long something takes")]

mod builds;
pub(crate) mod peers;
mod report;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use self::report::{Figure, Report};

/// Times the codecs, and writes the page unless something was left out.
pub(crate) fn codec(root: &Path, args: &[&str]) -> Result<()> {
    let (is_quick, with_builds) = match args {
        [] => (false, true),
        ["--no-build"] => (false, false),
        ["--quick"] => (true, false),
        _ => bail!("the options are --quick, or --no-build"),
    };
    let output = run_peers(root, is_quick)?;
    let mut figures = output.lines().filter_map(Figure::parse).collect::<Result<Vec<_>>>()?;
    ensure!(figures.len() == report::TIMED, "{} figures in\n{output}", figures.len());
    if with_builds {
        figures.push(builds::figure(root)?);
    }
    let report = Report { figures };
    if is_quick {
        println!("all codecs agree; how fast they are takes a longer run");
        return Ok(());
    }
    print!("{}", report.table());
    if with_builds {
        let page = root.join("docs/benchmarks-codec.md");
        std::fs::write(&page, report.page()?)?;
        println!("written to docs/benchmarks-codec.md");
    }
    Ok(())
}

/// Whether the compiler can build the peers; the youngest of them asks for more than we do.
pub(crate) fn can_build_peers() -> Result<bool> {
    let version = report::compiler()?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    Ok(version >= (1, 95))
}

/// Builds the peers and runs them. For a quick run without optimising: that takes a third of the time.
fn run_peers(root: &Path, is_quick: bool) -> Result<String> {
    let mut run = Command::new(env!("CARGO"));
    run.args(["run", "--quiet", "--locked", "--package", "peers-codec"]);
    run.arg("--target-dir").arg(target_folder(root)?.join("peers"));
    run.args(if is_quick { &["--", "--quick"][..] } else { &["--profile", "codec"] });
    run.current_dir(root.join("xtask/peers")).stderr(std::process::Stdio::inherit());
    let output = run.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "the peers could not be built, or do not agree");
    Ok(String::from_utf8(output.stdout)?)
}

fn target_folder(root: &Path) -> Result<std::path::PathBuf> {
    Ok(match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::env::current_dir()?.join(folder),
        None => root.join("target"),
    })
}
