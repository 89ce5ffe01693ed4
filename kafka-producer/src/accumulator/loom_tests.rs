//! What callers, the sender and whoever closes the producer may do to each other.
//!
//! A test without a bound tries every order. The others are bounded to so many switches of a thread
//! that could have gone on: nearly all errors need two or three.

use std::future::poll_fn;
use std::time::Duration;

use loom::future::block_on;
use loom::thread;

use super::*;
use crate::callbacks::Callback;
use crate::cluster::TopicShared;
use crate::delivery::Outcome;
use crate::error::DRIVER_DIED;
use crate::mailbox::Mailbox;
use crate::sender::{Command, CommandId};
use crate::sync::{AtomicUsize, Ordering};

/// Tries orders with at most so many switches of threads that could have gone on.
fn check_bounded(switches: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(switches);
    builder.check(model);
}

/// An accumulator that knows the topic "orders".
fn accumulator(partitions: i32) -> Arc<RecordAccumulator> {
    accumulator_of(1 << 20, partitions)
}

fn accumulator_of(buffer_memory: usize, partitions: i32) -> Arc<RecordAccumulator> {
    let config = AccumulatorConfig {
        batch_size: 1000,
        max_request_size: 10_000,
        buffer_memory,
        batch_age_max: Duration::from_secs(1),
        is_adaptive: true,
        ignore_keys: false,
    };
    let accumulator = Arc::new(RecordAccumulator::new(config, Arc::new(WakeFlag::new())));
    let name: Arc<str> = "orders".into();
    let queues = (0..partitions).map(|p| accumulator.create_queue(&name, p)).collect();
    accumulator.update_cluster(snapshot(1, queues));
    accumulator
}

fn snapshot(version: u64, queues: Vec<Arc<PartitionQueue>>) -> ClusterSnapshot {
    let name: Arc<str> = "orders".into();
    let entry = TopicEntry {
        shared: Arc::new(TopicShared::new(Arc::clone(&name), 10_000, 7)),
        id: kafka_protocol::Uuid::ZERO,
        available: Vec::new(),
        preferred: Vec::new(),
        leaders: vec![1; queues.len()],
        queues,
    };
    let topics = [(name, TopicState::Known(Arc::new(entry)))];
    ClusterSnapshot::new(version, topics, None)
}

fn queue(accumulator: &RecordAccumulator, partition: usize) -> Arc<PartitionQueue> {
    match accumulator.cluster().topic("orders") {
        Some(TopicState::Known(entry)) => Arc::clone(&entry.queues[partition]),
        _ => panic!("the topic is known"),
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no other way to an `Instant`")]
fn now() -> Now {
    // As old as any other: no batch gets old here.
    thread_local!(static START: Instant = Instant::now());
    Now { monotonic: START.with(|start| *start), timestamp_ms: 0 }
}

fn append(accumulator: &RecordAccumulator, partition: i32) -> Result<Delivery, AppendError> {
    append_with(accumulator, partition, &mut Attempt::default())
}

fn append_with(
    accumulator: &RecordAccumulator,
    partition: i32,
    attempt: &mut Attempt,
) -> Result<Delivery, AppendError> {
    accumulator.try_append(&now(), &Record::new("orders", "a").partition(partition), attempt)
}

fn take_ready(accumulator: &RecordAccumulator) -> Vec<Arc<PartitionQueue>> {
    let mut queues = Vec::new();
    accumulator.take_ready(&mut queues);
    queues
}

/// Takes what is in a queue, and writes it at the end of this log. Gives the number of records.
fn write_all(queue: &PartitionQueue, log: &mut i64) -> u32 {
    std::iter::from_fn(|| queue.pop()).map(|batch| write(batch, log)).sum()
}

fn write(mut batch: ProducerBatch, log: &mut i64) -> u32 {
    let count = batch.record_count();
    let outcome = Outcome::Written { first_offset: Some(*log), log_append_time: None };
    *log += i64::from(count);
    drop(batch.complete(outcome));
    count
}

/// The place of a record in the log; it must have one by now.
fn offset(delivery: &Delivery) -> i64 {
    let result = delivery.try_result().expect("it has its outcome");
    result.expect("it is written").offset.expect("the offset is known")
}

/// Waits as the driver does, and gives the commands that it finds.
fn wait(accumulator: &RecordAccumulator, mailbox: &Mailbox) -> Vec<Command> {
    block_on(poll_fn(|cx| accumulator.wake().poll(cx)));
    mailbox.take().collect()
}

mod appending;
mod closing;
mod memory;
