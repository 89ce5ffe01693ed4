//! `cargo xtask bench peers`: our producer beside all others, in one run.
//!
//! One small program for each client, with the same command line and the same work, is in `xtask/peers`.
//! Here they are built, started in turn, each with a broker of its own whose count is held against theirs,
//! and what they say becomes tables, a page and a chart.

mod broker;
mod chart;
mod clients;
mod contest;
mod figures;
mod machine;
mod page;
mod process;
mod reasons;
mod rows;
mod spoken;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use self::broker::{Kafka, Places};
use self::clients::{Built, OURS, Program};
use self::contest::{Contest, Extent, Lane, Progress, clock};
use self::figures::{Entry, Outcome};
use self::page::Page;
use self::rows::{ALONE, Place, ROWS, Row};
use crate::java::{self, Java};
use crate::kafka;

/// Runs the rows, prints the tables, and writes the page if all was run at its full extent.
pub(crate) fn run(root: &Path, args: &[&str]) -> Result<()> {
    let options = Options::parse(args)?;
    let rows: Vec<&'static Row> = ROWS.iter().filter(|row| options.takes(row.key)).collect();
    let mut names: Vec<&str> = rows.iter().flat_map(|row| row.contestants()).collect();
    names.push(OURS);
    let target = super::target_folder(root)?;
    let null_broker = clients::null_broker(root, options.with_build)?;
    let Built { programs, skipped } = clients::build(root, &names, options.with_build)?;

    let (near, real): (Vec<&'static Row>, Vec<&'static Row>) =
        rows.iter().copied().partition(|row| !matches!(row.place, Place::Kafka));
    let with_alone = options.takes(ALONE_KEY);
    let mut runs: usize = rows.iter().map(|row| lanes(row, &programs).len()).sum();
    if with_alone {
        runs += ALONE.iter().map(|group| group.len()).sum::<usize>();
    }
    let all = u32::try_from(runs)? * options.extent.rounds;
    let places = Places { folder: broker::folder(&target)?, null_broker, kafka: None };
    let mut contest =
        Contest { places, extent: options.extent, progress: Progress::new(all, options.extent) };
    machine::warn_if_busy();
    println!("{all} runs take about {}", contest.progress.left());

    let mut page =
        Page { extent: options.extent, outcomes: Vec::new(), alone: Vec::new(), skipped };
    for row in near {
        let entries = contest.run(row.title, &lanes(row, &programs))?;
        page.outcomes.push(Outcome { row, entries });
    }
    if with_alone {
        page.alone = alone(&mut contest, &programs)?;
    }
    if !real.is_empty() {
        on_kafka(root, &mut contest, &real, &programs, &mut page)?;
    }
    println!("\n{}", page.table());
    println!("took {}", clock(contest.progress.elapsed()));
    let is_whole = options.only.is_none() && options.extent == FULL;
    page.write(root, &target, is_whole)
}

/// Who takes part in a row, as far as they are built.
fn lanes<'p>(row: &Row, programs: &'p [Program]) -> Vec<Lane<'p>> {
    let named = row.contestants().filter_map(|name| programs.iter().find(|it| it.name == name));
    named.map(|program| Lane { program, work: row.work, place: row.place }).collect()
}

/// Our own rows, a group at a time.
fn alone(contest: &mut Contest, programs: &[Program]) -> Result<Vec<Vec<Entry>>> {
    let program = programs.iter().find(|program| program.name == OURS).context("not built")?;
    let group = |group: &&'static [rows::Alone]| {
        let lane = |alone: &rows::Alone| Lane { program, work: alone.work, place: alone.place };
        let lanes: Vec<Lane<'_>> = group.iter().map(lane).collect();
        let titles: Vec<&str> = group.iter().map(|alone| alone.title).collect();
        contest.run(&format!("ours alone: {}", titles.join("; ")), &lanes)
    };
    ALONE.iter().map(group).collect()
}

/// The rows with a real broker, which is there for them only.
fn on_kafka(
    root: &Path,
    contest: &mut Contest,
    rows: &[&'static Row],
    programs: &[Program],
    page: &mut Page,
) -> Result<()> {
    if !java::is_installed() {
        println!("real Kafka: skipped, Java (java, javac) or Maven (mvn) is not installed");
        page.skipped.push("real Kafka".to_owned());
        return Ok(());
    }
    let java = Java::new(root);
    let admin = java.compile("interop", &root.join("xtask/java/interop"), &java.clients()?)?;
    kafka::with_fast_broker(root, "bench", |cluster| {
        let servers = cluster.layout.bootstrap_servers();
        let mut command = admin.command(&["-Xmx64m", "-XX:+UseSerialGC"], "Peer")?;
        command.arg(&servers);
        contest.places.kafka = Some(Kafka::new(servers, command)?);
        for row in rows {
            let lanes = lanes(row, programs);
            // It is ours, and there in any case.
            contest.warm_up(lanes.first().context("not built")?)?;
            let entries = contest.run(row.title, &lanes)?;
            page.outcomes.push(Outcome { row, entries });
        }
        contest.places.kafka = None;
        Ok(())
    })
}

struct Options<'a> {
    only: Option<&'a str>,
    extent: Extent,
    with_build: bool,
}

impl<'a> Options<'a> {
    fn parse(args: &[&'a str]) -> Result<Self> {
        let mut options = Self { only: None, extent: FULL, with_build: true };
        let mut args = args.iter();
        while let Some(option) = args.next() {
            let mut value = || args.next().with_context(|| format!("{option} lacks a value"));
            match *option {
                "--no-build" => options.with_build = false,
                "--only" => options.only = Some(value()?),
                "--rounds" => options.extent.rounds = value()?.parse().context("--rounds")?,
                "--seconds" => options.extent.seconds = value()?.parse().context("--seconds")?,
                _ => bail!("`cargo xtask bench peers` has no option `{option}`"),
            }
        }
        let Extent { rounds, seconds } = options.extent;
        ensure!((1..=100).contains(&rounds), "--rounds is 1 to 100");
        ensure!((0.1..=60.0).contains(&seconds), "--seconds is 0.1 to 60");
        if let Some(only) = options.only {
            let mut keys: Vec<&str> = ROWS.iter().map(|row| row.key).collect();
            keys.push(ALONE_KEY);
            ensure!(keys.contains(&only), "the rows are {}", keys.join(", "));
        }
        Ok(options)
    }

    fn takes(&self, key: &str) -> bool {
        self.only.is_none_or(|only| only == key)
    }
}

/// What the page is made of.
const FULL: Extent = Extent { rounds: 5, seconds: 3.0 };
/// As `--only` takes our own rows.
const ALONE_KEY: &str = "alone";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let options = Options::parse(&["--only", "lz4", "--seconds", "1", "--no-build"]).unwrap();
        assert!(options.takes("lz4") && !options.takes("small") && !options.with_build);
        assert_eq!(options.extent, Extent { rounds: 5, seconds: 1.0 });
        for bad in [&["--only"][..], &["--only", "x"], &["--rounds", "0"], &["--seconds", "NaN"]] {
            assert!(Options::parse(bad).is_err(), "{bad:?}");
        }
    }
}
