//! Rounds: each program in turn, each with a broker of its own, the work as large as it is fast.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long something takes")]

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::broker::Places;
use super::clients::{self, OURS, Program};
use super::figures::{Entry, Figures, Run};
use super::process::Process;
use super::rows::{Place, Work};

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    pub(super) rounds: u32,
    /// Of work, in one run.
    pub(super) seconds: f64,
}

/// One program with its work.
pub(super) struct Lane<'p> {
    pub(super) program: &'p Program,
    pub(super) work: Work,
    pub(super) place: Place,
}

/// All that takes part, over all rows.
pub(super) struct Contest {
    pub(super) places: Places,
    pub(super) extent: Extent,
    pub(super) progress: Progress,
}

impl Contest {
    /// An entry for each lane. One that fails is out of it from there on.
    ///
    /// # Errors
    /// If our own program fails.
    pub(super) fn run(&mut self, title: &str, lanes: &[Lane<'_>]) -> Result<Vec<Entry>> {
        println!("\n{title}");
        let mut entries: Vec<Entry> = lanes.iter().map(Lane::entry).collect();
        let mut counts = Vec::new();
        for (lane, entry) in lanes.iter().zip(&mut entries) {
            let count = self.calibrate(lane);
            counts.push(entry.take(count, 0.0)?);
        }
        for round in 0..self.extent.rounds {
            for step in 0..lanes.len() {
                let index = (round as usize + step) % lanes.len();
                let (lane, entry) = (&lanes[index], &mut entries[index]);
                if entry.failure.is_some() {
                    self.progress.skip();
                    continue;
                }
                let Some(run) =
                    entry.take(self.once(lane, counts[index] as u64).map(Some), None)?
                else {
                    continue;
                };
                let figures = run.figures();
                entry.version.clone_from(&run.version);
                entry.settings.clone_from(&run.settings);
                entry.rounds.push(figures);
                // The next run shall be the more as long as it is meant to be.
                counts[index] = lane.count(figures, self.extent.seconds);
                let who = clients::title(lane.program.name);
                self.progress.tell(round + 1, who, figures);
            }
        }
        Ok(entries)
    }

    /// Work that nobody measures, for a broker whose code is compiled while it runs.
    pub(super) fn warm_up(&mut self, lane: &Lane<'_>) -> Result<()> {
        let count = self.calibrate(lane)?;
        self.once(lane, (count * WARM_UP) as u64).map(drop)
    }

    /// How many records this lane is given: short runs, until one is long enough to tell.
    fn calibrate(&mut self, lane: &Lane<'_>) -> Result<f64> {
        let mut count = FIRST_COUNT;
        for _ in 0..CALIBRATIONS {
            if lane.work.rate().is_some() {
                break;
            }
            let run = self.once(lane, count as u64)?;
            if run.seconds >= LONG_ENOUGH {
                return Ok(lane.count(run.figures(), self.extent.seconds));
            }
            count *= (2.0 * LONG_ENOUGH / run.seconds).clamp(2.0, 20.0);
        }
        Ok(lane.work.rate().map_or(count, |rate| f64::from(rate) * self.extent.seconds))
    }

    /// One run with a broker of its own, in which every record is to be found again.
    fn once(&mut self, lane: &Lane<'_>, records: u64) -> Result<Run> {
        let open = self.places.open(lane.place)?;
        let mut command = lane.program.command()?;
        command.args(open.arguments()).args(["--records", &records.to_string()]);
        command.args(lane.work.options(lane.program.name));
        let time = PATIENCE + Duration::from_secs_f64(self.extent.seconds * 10.0);
        let output = Process::start(command, &self.places.folder, lane.program.name)
            .and_then(|process| process.output(time));
        // The broker ends first, whatever became of the program.
        let counted = self.places.close(open);
        let run = Run::parse(&output?)?;
        let (sent, counted) = (run.sent(), counted?);
        ensure!(run.client == lane.program.name, "the program calls itself {}", run.client);
        ensure!(sent == counted, "it sent {sent} records, {counted} arrived");
        Ok(run)
    }
}

impl Lane<'_> {
    fn entry(&self) -> Entry {
        Entry {
            client: self.program.name.to_owned(),
            version: String::new(),
            settings: String::new(),
            rounds: Vec::new(),
            failure: None,
        }
    }

    /// So many records are so many seconds of work.
    fn count(&self, figures: Figures, seconds: f64) -> f64 {
        let rate = self.work.rate().map_or(figures.rate, f64::from);
        (rate * seconds).max(1.0).round()
    }
}

impl Entry {
    /// What came of a run; a failure is remembered, `otherwise` is what there is then.
    fn take<T>(&mut self, result: Result<T>, otherwise: T) -> Result<T> {
        match result {
            Err(error) if self.client != OURS => {
                println!("  {} FAILED: {error:#}", clients::title(&self.client));
                self.failure = Some(format!("{error:#}"));
                Ok(otherwise)
            }
            result => result,
        }
    }
}

/// How far it is.
pub(super) struct Progress {
    begin: Instant,
    done: u32,
    /// Runs that are measured.
    all: u32,
    guess: Duration,
}

impl Progress {
    pub(super) fn new(all: u32, extent: Extent) -> Self {
        let guess = Duration::from_secs_f64(extent.seconds + 1.5);
        Self { begin: Instant::now(), done: 0, all, guess }
    }

    /// What is left, before anything is done.
    pub(super) fn left(&self) -> String {
        clock(self.each() * self.all)
    }

    /// The time of a run, with its part of what is not measured.
    fn each(&self) -> Duration {
        if self.done < KNOWN { self.guess } else { self.begin.elapsed() / self.done }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begin.elapsed()
    }

    fn skip(&mut self) {
        self.done += 1;
    }

    fn tell(&mut self, round: u32, who: &str, figures: Figures) {
        self.done += 1;
        let elapsed = self.begin.elapsed();
        let left = self.each() * self.all.saturating_sub(self.done);
        println!(
            "  [{}, {} left] round {round}: {who:<12} {:>10.0} records/s, {:.3} µs CPU each, p50 {:.0} µs, p99 {:.0} µs",
            clock(elapsed),
            clock(left),
            figures.rate,
            figures.cpu_us,
            figures.p50,
            figures.p99
        );
    }
}

/// `3:07`.
pub(super) fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

const FIRST_COUNT: f64 = 20_000.0;
/// Seconds of a run whose rate says how fast the client is.
const LONG_ENOUGH: f64 = 0.25;
const CALIBRATIONS: u32 = 4;
/// So many times as much as is measured.
const WARM_UP: f64 = 4.0;
/// After so many runs their mean says more than the guess.
const KNOWN: u32 = 30;
/// Beside the work: start, warm-up, and a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
