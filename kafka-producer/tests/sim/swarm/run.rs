//! Many runs, or one that is told. `cargo xtask simulate` says which, by the environment.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Swarm;
use crate::sim::reach::Reached;
use crate::sim::story::Telling;
use crate::testing::start;

/// What the runs have come to.
#[derive(Default)]
struct Total {
    runs: u64,
    written: usize,
    failed: usize,
    reached: Reached,
    broken: Vec<u64>,
}

/// Seeds to run, and when to begin no further one.
struct Plan {
    next: AtomicU64,
    end: u64,
    until: Option<Instant>,
    is_over: AtomicBool,
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_reordered() {
    if let Some(seed) = number_from("SIM_STORY") {
        let _telling = Telling::begin();
        return tell(seed);
    }
    let first = number_from("SIM_SEED").unwrap_or(1);
    let seconds = number_from("SIM_SECONDS").map(Duration::from_secs);
    let default = if seconds.is_some() { u64::MAX - first } else { 150 };
    let plan = Plan {
        next: AtomicU64::new(first),
        end: first + number_from("SIM_SEEDS").unwrap_or(default),
        until: seconds.map(|seconds| start() + seconds),
        is_over: AtomicBool::new(false),
    };
    let total = Mutex::new(Total::default());
    name_seeds();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&plan, &total));
        }
    });
    let total = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    report(first, &total);
    assert_eq!(total.broken, Vec::<u64>::new(), "these seeds failed");
    assert_eq!(
        total.reached.surprises(),
        Vec::<String>::new(),
        "changes of state that should not be"
    );
    assert!(total.written > 0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in [42, 43, 44, 45] {
        assert_eq!(Swarm::new(seed).run().trace, Swarm::new(seed).run().trace);
    }
}

fn work(plan: &Plan, total: &Mutex<Total>) {
    while !plan.is_over.load(Ordering::Relaxed) {
        let seed = plan.next.fetch_add(1, Ordering::Relaxed);
        if seed >= plan.end || plan.until.is_some_and(|until| start() >= until) {
            return;
        }
        SEED.set(Some(seed));
        let run = catch_unwind(AssertUnwindSafe(|| Swarm::new(seed).run()));
        SEED.set(None);
        let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
        total.runs += 1;
        match run {
            Ok(ledger) => {
                total.written += ledger.successes();
                total.failed += ledger.failures().len();
                total.reached.merge(&ledger.reached);
            }
            Err(_) => {
                total.broken.push(seed);
                plan.is_over.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// Names the seed of a run that panics at once: a panic while it unwinds would end everything.
fn name_seeds() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        before(info);
        if let Some(seed) = SEED.get() {
            eprintln!("cargo xtask simulate --seed {seed:#x} -v   tells what happened");
        }
    }));
}

thread_local! {
    /// The run of this thread.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

fn tell(seed: u64) {
    let swarm = Swarm::new(seed);
    print!("{}", swarm.options);
    let ledger = swarm.run();
    let (written, failed) = (ledger.successes(), ledger.failures().len());
    println!("the end: {written} records written, {failed} failed; trace {:016x}", ledger.trace);
}

fn report(first: u64, total: &Total) {
    let Total { runs, written, failed, reached, .. } = total;
    println!("{runs} runs from seed {first:#x}: {written} records written, {failed} failed");
    println!("reached: {reached}");
    for missing in reached.missing() {
        println!("  not reached: {missing}");
    }
}

fn number_from(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}
