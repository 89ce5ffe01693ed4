//! What each step of a record's way costs, in time: `cargo bench -p kafka-producer --bench steps`.
//! `cargo xtask counts` has the same in instructions.

#![expect(missing_docs, reason = "a macro makes a public function")]

mod rig;

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use crate::rig::encode::Bodies;
use crate::rig::{APPENDS, BATCHES, Bench, Kind, now, value};

criterion_main!(benches);
criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(20);
    targets = append, threads, drain, encode, read
}

/// A record into the open batch of its partition. Nothing is sent.
fn append(criterion: &mut Criterion) {
    for (name, kind, len) in APPENDS {
        let (mut bench, value) = (Bench::new(6), value(len));
        criterion.bench_function(name, |bencher| {
            bencher.iter_custom(|records| append_in_parts(&mut bench, records, kind, &value));
        });
    }
}

/// Two threads that append, to one partition or each to its own, and one that does so alone. The time is
/// that of a record of all of them together.
fn threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("threads");
    group.throughput(Throughput::Elements(1));
    for (name, partitions) in
        [("one", &[0][..]), ("two, own partitions", &[0, 1]), ("two, one partition", &[0, 0])]
    {
        let (mut bench, value) = (Bench::new(6), value(100));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|records| {
                let (mut time, mut left) = (Duration::ZERO, records);
                while left > 0 {
                    let part = left.min(PART * 8);
                    time += append_at_once(&bench, partitions, part, &value);
                    left -= part;
                    bench.settle();
                }
                time
            });
        });
    }
}

fn append_at_once(bench: &Bench, partitions: &[i32], records: u64, value: &[u8]) -> Duration {
    let each = records.div_ceil(partitions.len() as u64);
    let barrier = Barrier::new(partitions.len());
    thread::scope(|scope| {
        let threads: Vec<_> = partitions
            .iter()
            .map(|partition| {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let began = now();
                    (0..each).for_each(|_| drop(bench.append_to(*partition, value)));
                    (began, now())
                })
            })
            .collect();
        let times: Vec<_> =
            threads.into_iter().map(|thread| thread.join().expect("it only appends")).collect();
        let began = times.iter().map(|(began, _)| *began).min();
        let ended = times.iter().map(|(_, ended)| *ended).max();
        ended.zip(began).map_or(Duration::ZERO, |(ended, began)| ended - began)
    })
}

/// Batches are taken and requests made of them, checksums included. The time is that of a batch.
fn drain(criterion: &mut Criterion) {
    for (name, partitions, records) in BATCHES {
        let (mut bench, value) = (Bench::new(partitions), value(100));
        let mut group = criterion.benchmark_group("drain");
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let mut time = Duration::ZERO;
                for _ in 0..times {
                    bench.fill(partitions, records, &value);
                    let began = now();
                    black_box(bench.drain());
                    time += began.elapsed();
                    bench.settle();
                }
                time
            });
        });
    }
}

/// A request is made of bodies that are there.
fn encode(criterion: &mut Criterion) {
    for (name, partitions, records) in BATCHES {
        let bodies = Bodies::new(partitions, records, &value(100));
        let mut group = criterion.benchmark_group("encode");
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_function(name, |bencher| bencher.iter(|| bodies.encode()));
    }
}

/// An answer is read, and the deliveries of its records have their outcome.
fn read(criterion: &mut Criterion) {
    for (name, partitions, records) in BATCHES {
        let (mut bench, value) = (Bench::new(partitions), value(100));
        let mut group = criterion.benchmark_group("response");
        group.throughput(Throughput::Elements(partitions as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|times| {
                let mut time = Duration::ZERO;
                for _ in 0..times {
                    let deliveries = bench.fill(partitions, records, &value);
                    bench.drain();
                    let answered = bench.answers();
                    let began = now();
                    bench.read(&answered);
                    time += began.elapsed();
                    drop(deliveries);
                    bench.settle();
                }
                time
            });
        });
    }
}

/// Appends so many records. What was appended is sent from time to time, which does not count.
fn append_in_parts(bench: &mut Bench, records: u64, kind: Kind, value: &[u8]) -> Duration {
    let mut time = Duration::ZERO;
    let mut number = 0;
    while number < records {
        let end = records.min(number + PART);
        let began = now();
        (number..end).for_each(|number| bench.append(kind, value, number));
        time += began.elapsed();
        number = end;
        bench.settle();
    }
    time
}

/// Records that are appended before something is sent.
const PART: u64 = 2_000;
