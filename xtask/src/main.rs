//! The workspace's own tools, as `cargo xtask <task>`.

mod bench;
mod bounds;
mod cargo;
mod ci;
mod codegen;
mod conformance;
mod counts;
mod coverage;
mod fuzz;
mod golden;
mod interop;
mod java;
mod kafka;
mod oracle;
mod outside;
mod schema;
mod schemas;
mod simulate;
mod tidy;
mod versions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask <task>

  ci                 every check but the tests, with the time of each
  tidy               house rules: sizes, names, leftovers
  outside            a crate outside the workspace that depends on the codec alone
  coverage-table     every row of docs/coverage.md names a test that exists, or says why there is none
  bounds             the memory bound of every message, held against golden frames that are cut off
                     and changed at every byte (minutes); writes the worst into docs/memory-bounds.md
  fuzz [--seconds N] [--target NAME] [--seeds-only | --minimise]
                     every fuzz target for N seconds each (10), from seeds made of the golden files
                     and what is in fuzz/minimised; --minimise: pack what was found into that
  bench codec [--no-build] [--quick]
                     our codec beside the published ones of xtask/peers, in one run; writes
                     docs/benchmarks-codec.md. --no-build: without the time of clean builds;
                     --quick: only whether all agree
  bench peers [--only ROW] [--rounds N] [--seconds S] [--no-build]
                     our producer beside all others, against a broker that keeps nothing and against
                     Kafka, in N rounds (5) of S seconds (3) for each client; writes docs/benchmarks.md,
                     its chart and README's summary, or with less than all that, page and chart into
                     target/bench-peers (needs Rust 1.95; mvn, javac and go for Java's client, franz-go
                     and Kafka, which are left out without). ROW is small, keyed, tiny, large, lz4, far,
                     paced, kafka, alone
  counts [--write]   instructions of each step of a record's way, held against the figures of
                     kafka-producer/benches/counts.txt (needs valgrind); --write: these are the figures
                     from now on
  simulate [--seeds N] [--from SEED] [--seconds T]
                     random runs of the producer's core against a cluster, in virtual time (150 seeds
                     from 1 on)
  simulate --seed S [-v] | --scenario NAME [-v]
                     one run, or the scenarios of a name; -v tells what happens in it, line by line
  simulate --mutants [--seeds N]
                     rules of the core that are broken on purpose, one at a time: some seed of N (500)
                     must find out (minutes)
  schemas            write kafka-protocol/schemas/ from the published kafka-clients jar (needs mvn)
  codegen [--check]  write kafka-protocol/src/messages/ from the schemas; --check: fail if stale
  golden             write the golden files of the codec and the producer with Java's own classes
                     (needs mvn, javac)
  golden read DIR    let Java read the record batches in DIR/*.bin, and print what it sees
  oracle             every message in every version, and record batches of every codec and level: our
                     codec held against Java's own classes (needs mvn, javac)
  interop            what our producer writes, Kafka's own clients read: tests of kafka-producer
                     against a cluster of their own (needs mvn, javac)
  conformance [--write]
                     the mock and Kafka answer alike to the same requests, and Java's clients and
                     franz-go get along with the mock (needs mvn, javac; go if it is there); --write:
                     what Kafka answers now is what the tests of kafka-mock expect
  kafka up [--brokers 1|3] [--port P] [--name NAME]
                     a fresh Kafka cluster on this machine, unless it is up (needs mvn, java)
  kafka restart BROKER [--name NAME]
                     kill a broker hard, and start it again with its data
  kafka down [--name NAME]
                     stop the cluster
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let root = root();
    match args.as_slice() {
        ["ci"] => ci::run(&root),
        ["bounds"] => bounds::run(&root),
        ["coverage-table"] => coverage::run(&root),
        ["tidy"] => tidy::run(&root),
        ["outside"] => outside::run(&root),
        ["fuzz", options @ ..] => fuzz::run(&root, options),
        ["bench", "codec", options @ ..] => bench::codec(&root, options),
        ["bench", "peers", options @ ..] => bench::peers::run(&root, options),
        ["counts", options @ ..] => counts::run(&root, options),
        ["simulate", options @ ..] => simulate::run(&root, options),
        ["schemas"] => schemas::run(&root),
        ["codegen"] => codegen::run(&root),
        ["codegen", "--check"] => codegen::check(&root),
        ["golden"] => golden::run(&root),
        ["golden", "read", dir] => golden::read_batches(&root, Path::new(dir)),
        ["oracle"] => oracle::run(&root),
        ["conformance", options @ ..] => conformance::run(&root, options),
        ["interop"] => interop::run(&root),
        ["kafka", options @ ..] => kafka::run(&root, options),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        _ => bail!("unknown task or option `{}`\n\n{USAGE}", args.join(" ")),
    }
}

/// The workspace's top level.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}
