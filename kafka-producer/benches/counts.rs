//! The steps once more, for a tool that counts instructions: `cargo xtask counts` runs this under
//! callgrind, which counts in [`measured`] alone.
//!
//! Without an argument it prints the names of the steps; with one of them it does that step, and prints
//! how many records, or batches, were in what was counted; with `machine`, what the processor can do
//! as far as this program was told.

mod rig;

use std::hint::black_box;

use crate::rig::encode::Bodies;
use crate::rig::{APPENDS, BATCHES, Bench, Kind, value};

fn main() {
    let wanted = std::env::args().nth(1).filter(|arg| !arg.starts_with('-'));
    if wanted.as_deref() == Some("machine") {
        println!("{}", machine());
    }
    for step in steps() {
        match &wanted {
            None => println!("{}", step.name()),
            Some(wanted) if *wanted == step.name() => println!("{}", step.run()),
            Some(_) => {}
        }
    }
}

enum Step {
    Append(&'static str, Kind, usize),
    Drain(&'static str, i32, usize),
    Encode(&'static str, i32, usize),
    Response(&'static str, i32, usize),
    /// From the send of a record to the outcome of its delivery, and nothing but the socket left out.
    Life,
}

fn steps() -> impl Iterator<Item = Step> {
    let appends = APPENDS.into_iter().map(|(name, kind, len)| Step::Append(name, kind, len));
    let batches = BATCHES.into_iter();
    let drains = batches.clone().map(|(name, count, records)| Step::Drain(name, count, records));
    let encodes = batches.clone().map(|(name, count, records)| Step::Encode(name, count, records));
    let answers = batches.map(|(name, count, records)| Step::Response(name, count, records));
    appends.chain(drains).chain(encodes).chain(answers).chain([Step::Life])
}

impl Step {
    fn name(&self) -> String {
        match self {
            Self::Append(name, ..) => (*name).to_owned(),
            Self::Drain(name, ..) => format!("drain/{name}"),
            Self::Encode(name, ..) => format!("encode/{name}"),
            Self::Response(name, ..) => format!("response/{name}"),
            Self::Life => "life/100 B".to_owned(),
        }
    }

    /// How many records, or batches, were measured. Everything is done once before: what is only done
    /// in the beginning does not count.
    fn run(&self) -> u64 {
        match *self {
            Self::Append(_, kind, len) => append(kind, &value(len)),
            Self::Drain(_, partitions, records) => drain(partitions, records),
            Self::Encode(_, partitions, records) => encode(partitions, records),
            Self::Response(_, partitions, records) => response(partitions, records),
            Self::Life => life(),
        }
    }
}

/// What callgrind counts: it finds this function by its name.
#[inline(never)]
fn measured<T>(work: impl FnOnce() -> T) -> T {
    // So that this is no jump into another function, but a call.
    black_box(work())
}

fn append(kind: Kind, value: &[u8]) -> u64 {
    let mut bench = Bench::new(6);
    (0..RECORDS).for_each(|number| bench.append(kind, value, number));
    bench.settle();
    measured(|| (0..RECORDS).for_each(|number| bench.append(kind, value, number)));
    RECORDS
}

fn drain(partitions: i32, records: usize) -> u64 {
    let (mut bench, value, mut batches) = (Bench::new(partitions), value(100), 0);
    for turn in 0..=turns(partitions) {
        bench.fill(partitions, records, &value);
        match turn {
            0 => bench.drain(),
            _ => measured(|| bench.drain()),
        };
        bench.settle();
        batches += if turn == 0 { 0 } else { partitions as u64 };
    }
    batches
}

fn encode(partitions: i32, records: usize) -> u64 {
    let bodies = Bodies::new(partitions, records, &value(100));
    black_box(bodies.encode());
    for _ in 0..turns(partitions) {
        measured(|| bodies.encode());
    }
    turns(partitions) * partitions as u64
}

fn response(partitions: i32, records: usize) -> u64 {
    let (mut bench, value, mut batches) = (Bench::new(partitions), value(100), 0);
    for turn in 0..=turns(partitions) {
        let deliveries = bench.fill(partitions, records, &value);
        bench.drain();
        let answered = bench.answers();
        match turn {
            0 => bench.read(&answered),
            _ => measured(|| bench.read(&answered)),
        }
        drop(deliveries);
        bench.settle();
        batches += if turn == 0 { 0 } else { partitions as u64 };
    }
    batches
}

fn life() -> u64 {
    const PARTITIONS: i32 = 6;
    const EACH: usize = 150;
    let (mut bench, value) = (Bench::new(PARTITIONS), value(100));
    for turn in 0..=20 {
        let send = |bench: &mut Bench| {
            let deliveries = bench.fill(PARTITIONS, EACH, &value);
            bench.drain();
            deliveries
        };
        let deliveries = if turn == 0 { send(&mut bench) } else { measured(|| send(&mut bench)) };
        let answered = bench.answers();
        let read = |bench: &mut Bench| {
            bench.read(&answered);
            drop(deliveries);
        };
        if turn == 0 {
            read(&mut bench)
        } else {
            measured(|| read(&mut bench))
        }
        bench.settle();
    }
    20 * PARTITIONS as u64 * EACH as u64
}

/// Instructions by which the C library and the checksum choose their code. Valgrind does not tell of all
/// that the processor has.
fn machine() -> String {
    let mut machine = std::env::consts::ARCH.to_owned();
    #[cfg(target_arch = "x86_64")]
    for (name, is_there) in [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("pclmulqdq", is_x86_feature_detected!("pclmulqdq")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("ermsb", is_x86_feature_detected!("ermsb")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ] {
        if is_there {
            machine = format!("{machine} {name}");
        }
    }
    machine
}

/// How often a step is done, so that it is some thousand batches in any case.
fn turns(partitions: i32) -> u64 {
    if partitions > 1000 { 2 } else { 200 }
}

const RECORDS: u64 = 2_000;
