//! `cargo xtask simulate`: random runs of the producer's core against a cluster in virtual time. The runs
//! themselves are in `kafka-producer/tests/sim`; this builds them, says which, and holds them against
//! rules that were broken on purpose.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long its steps take")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{MESSAGES, build_program};

/// Rules of the producer's core, as they are when broken. Each is compiled in by
/// `--cfg kafka_mutant="name"`, one at a time.
const MUTANTS: [(&str, &str); 17] = [
    ("retries_out_of_order", "a batch that is sent again goes behind those that wait"),
    ("order_not_kept", "batches are sent although one before them is being repeated"),
    ("no_probing", "more than one batch before a broker has acknowledged the first"),
    ("epoch_not_bumped", "after a gap the sequences begin anew under the same epoch"),
    ("sequence_given_twice", "the last sequence of a batch is the first of the next"),
    ("parts_share_a_sequence", "the parts of a batch that was too large all have its sequence"),
    ("uncertain_is_renumbered", "a batch that may be in the log gets other sequences"),
    ("duplicate_is_failure", "a batch that the broker has already fails"),
    ("lost_is_certain", "a request without an answer counts as not written"),
    ("uncertainty_forgotten", "a later refusal makes a batch certain that may be there"),
    ("completion_dropped", "batches that expire on the wire are never told of"),
    ("delivery_never_times_out", "no batch is too old"),
    ("flush_waits_for_nothing", "a flush is done at once"),
    ("memory_returned_at_expiry", "a batch on the wire gives its memory back when it expires"),
    ("memory_without_limit", "memory is granted beyond buffer.memory"),
    ("request_without_limit", "a request grows beyond max.request.size"),
    ("window_without_limit", "more requests in flight than max.in.flight.requests"),
];

pub(crate) fn run(root: &Path, args: &[&str]) -> Result<()> {
    match Wish::parse(args)? {
        Wish::Runs(vars) => {
            let binary = build(root, None)?;
            let vars: Vec<_> = vars.iter().map(|(name, value)| (*name, value.as_str())).collect();
            ensure!(start(&binary, SWARM, &vars)?, "a seed failed: the lines above say which");
        }
        Wish::Story { seed, is_told } => {
            let binary = build(root, None)?;
            let name = if is_told { "SIM_STORY" } else { "SIM_SEED" };
            let vars = [(name, seed.as_str()), ("SIM_SEEDS", "1")];
            ensure!(start(&binary, SWARM, &vars)?, "seed {seed} failed");
        }
        Wish::Scenario { name, is_told } => {
            let binary = build(root, None)?;
            let vars = [("SIM_STORY", "")];
            let vars = if is_told { &vars[..] } else { &[] };
            ensure!(start(&binary, &name, vars)?, "the scenario failed");
        }
        Wish::Mutants { seeds } => mutants(root, &seeds)?,
    }
    Ok(())
}

/// What the arguments ask for.
enum Wish {
    Runs(Vec<(&'static str, String)>),
    Story { seed: String, is_told: bool },
    Scenario { name: String, is_told: bool },
    Mutants { seeds: String },
}

impl Wish {
    fn parse(args: &[&str]) -> Result<Self> {
        let (mut vars, mut seed, mut scenario) = (Vec::new(), None, None);
        let (mut is_told, mut is_mutants, mut rest) = (false, false, args);
        while let [option, tail @ ..] = rest {
            rest = tail;
            match *option {
                "-v" => is_told = true,
                "--mutants" => is_mutants = true,
                _ => {
                    let [value, tail @ ..] = tail else { bail!("`{option}` needs a value") };
                    rest = tail;
                    match *option {
                        "--seeds" => vars.push(("SIM_SEEDS", (*value).to_owned())),
                        "--from" => vars.push(("SIM_SEED", (*value).to_owned())),
                        "--seconds" => vars.push(("SIM_SECONDS", (*value).to_owned())),
                        "--seed" => seed = Some((*value).to_owned()),
                        "--scenario" => scenario = Some((*value).to_owned()),
                        other => bail!("`cargo xtask simulate` has no option `{other}`"),
                    }
                }
            }
        }
        for (name, number) in &vars {
            let is_number = number.trim_start_matches("0x").chars().all(|c| c.is_ascii_hexdigit());
            ensure!(is_number && !number.is_empty(), "`{number}` is not a number ({name})");
        }
        Ok(match (seed, scenario) {
            (Some(seed), None) => Self::Story { seed, is_told },
            (None, Some(name)) => Self::Scenario { name, is_told },
            (Some(_), Some(_)) => bail!("either a seed or a scenario"),
            (None, None) if is_mutants => {
                let seeds = vars.iter().find(|(name, _)| *name == "SIM_SEEDS");
                Self::Mutants { seeds: seeds.map_or("500".to_owned(), |(_, seeds)| seeds.clone()) }
            }
            (None, None) => Self::Runs(vars),
        })
    }
}

/// Builds the tests of the producer's core, optimised but with every assertion, and gives their program.
fn build(root: &Path, mutant: Option<&str>) -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["rustc", "--quiet", "-p", "kafka-producer", "--lib", "--profile", "test"]);
    cargo.args(MESSAGES).args(["--target-dir", "target/simulation"]);
    // The whole workspace's flags would build every dependency anew for each mutant.
    if let Some(mutant) = mutant {
        // Each is built once and runs for seconds.
        cargo.args(["--config", "profile.test.package.kafka-producer.opt-level=0"]);
        cargo.args(["--", "--cfg", &format!("kafka_mutant={mutant:?}")]);
    }
    for (name, value) in [("OPT_LEVEL", "2"), ("DEBUG", "line-tables-only")] {
        cargo.env(format!("CARGO_PROFILE_TEST_{name}"), value);
    }
    cargo.env("CARGO_INCREMENTAL", "0");
    build_program(&mut cargo, root).context("the simulation could not be built")
}

fn command(binary: &Path, test: &str, vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command.args([test, "--nocapture", "--test-threads", "1"]);
    command.envs(vars.iter().copied()).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
    command
}

fn start(binary: &Path, test: &str, vars: &[(&str, &str)]) -> Result<bool> {
    let status = command(binary, test, vars).status();
    Ok(status.with_context(|| format!("cannot run {binary:?}"))?.success())
}

/// Builds each mutant, and runs it until a seed finds it out.
fn mutants(root: &Path, seeds: &str) -> Result<()> {
    let mut missed = Vec::new();
    for (name, broken) in MUTANTS {
        let binary = build(root, Some(name))?;
        let begin = Instant::now();
        let output = command(&binary, SWARM, &[("SIM_SEEDS", seeds)]).output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let seconds = begin.elapsed().as_secs_f64();
        let seed = text.lines().find_map(|line| line.strip_prefix("cargo xtask simulate --seed "));
        match seed.and_then(|rest| rest.split(' ').next()).filter(|_| !output.status.success()) {
            Some(seed) => {
                println!(
                    "caught  {name}: {broken}\n        by seed {seed} in {seconds:.1} s: {}",
                    why(&text)
                );
            }
            None => {
                println!("MISSED  {name}: {broken}\n        by {seeds} seeds in {seconds:.1} s");
                missed.push(name);
            }
        }
    }
    ensure!(missed.is_empty(), "nobody noticed: {}", missed.join(", "));
    println!("{} mutants, and all were caught", MUTANTS.len());
    Ok(())
}

/// What the first failed assertion said.
fn why(text: &str) -> &str {
    let mut lines = text.lines().skip_while(|line| !line.contains(" panicked at "));
    lines.nth(1).unwrap_or("it does not say why").trim()
}

/// The test that is the swarm of random runs.
const SWARM: &str = "sim::swarm::run::whatever_happens";
