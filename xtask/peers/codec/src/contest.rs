//! Times several ways to do the same, in turn, so that what disturbs the machine disturbs all.
#![expect(clippy::disallowed_methods, reason = "a tool that tells how long something takes")]

use std::time::{Duration, Instant};

/// Does the work once.
pub(crate) type Run<'a> = Box<dyn FnMut() + 'a>;

/// One figure, of ours and of each peer.
pub(crate) struct Contest<'a> {
    pub(crate) figure: &'static str,
    pub(crate) runs: [Run<'a>; 3],
}

/// How long to measure.
pub(crate) struct Rounds {
    count: usize,
    /// What one contestant has of a round, about.
    slice: Duration,
}

impl Rounds {
    pub(crate) const FULL: Self = Self { count: 501, slice: Duration::from_millis(1) };
    pub(crate) const QUICK: Self = Self { count: 3, slice: Duration::from_micros(100) };
}

impl Contest<'_> {
    /// Prints the median time of each contestant, over all rounds.
    pub(crate) fn print(mut self, rounds: &Rounds) {
        let repeats: Vec<u32> = self.runs.iter_mut().map(|run| repeats(run, rounds)).collect();
        let mut times = [const { Vec::new() }; 3];
        for round in 0..rounds.count {
            // Whoever comes first meets the caches that the last one left: each is first in its turn.
            for turn in 0..self.runs.len() {
                let at = (round + turn) % self.runs.len();
                times[at].push(time(&mut self.runs[at], repeats[at]) / f64::from(repeats[at]));
            }
        }
        let medians = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            format!("{:.0}", times[times.len() / 2])
        });
        println!("{}\t{}", self.figure, medians.join("\t"));
    }
}

/// How often a run fits into its slice of a round. Warms up on the way.
fn repeats(run: &mut Run<'_>, rounds: &Rounds) -> u32 {
    let mut repeats = 1;
    loop {
        let taken = time(run, repeats);
        let slice = rounds.slice.as_nanos() as f64;
        if taken >= slice / 2.0 {
            return ((f64::from(repeats) * slice / taken) as u32).max(1);
        }
        repeats *= 2;
    }
}

/// Nanoseconds of `repeats` runs.
fn time(run: &mut Run<'_>, repeats: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..repeats {
        run();
    }
    start.elapsed().as_nanos() as f64
}
