use std::time::Duration;

use kafka_protocol::records::ChunkPool;

use super::*;
use crate::accumulator::ready::ReadyList;
use crate::accumulator::{
    Attempt, BatchLimits, Memory, MemoryBudget, Now, PartitionQueue, QueueId, TransactionGate,
};
use crate::cluster::TopicShared;
use crate::record::Record;
use crate::sync::Arc;
use crate::testing::start;

const RULES: StickyRules = StickyRules { batch_size: 1000, is_adaptive: true };

/// A topic in whose partitions so many batches wait, and of which the available ones have a leader.
fn topic(waiting: &[usize], available: &[i32]) -> TopicEntry {
    let name: Arc<str> = "orders".into();
    let queue = |(index, batches): (usize, &usize)| {
        let (id, gate) = (QueueId { index, generation: 0 }, TransactionGate::Open(0));
        let partition = i32::try_from(index).unwrap();
        let queue = Arc::new(PartitionQueue::new(id, Arc::clone(&name), partition, gate));
        fill(&queue, *batches);
        queue
    };
    TopicEntry {
        shared: Arc::new(TopicShared::new(Arc::clone(&name), 10_000, 7)),
        id: kafka_protocol::Uuid::ZERO,
        queues: waiting.iter().enumerate().map(queue).collect(),
        available: available.to_vec(),
        preferred: available.to_vec(),
        leaders: vec![1; waiting.len()],
    }
}

fn fill(queue: &Arc<PartitionQueue>, batches: usize) {
    let now = Now { monotonic: start(), timestamp_ms: 0 };
    let limits = BatchLimits { ready_size: 1000, size_max: 1000, age_max: Duration::MAX };
    let (budget, list) = (MemoryBudget::new(1 << 20), ReadyList::default());
    for _ in 0..batches {
        let record = Record::new("orders", &[0; 1000]);
        let memory = Memory { budget: &budget, chunks: &ChunkPool::new(0) };
        queue.append(&now, &record, &mut Attempt::default(), &limits, memory, &list).unwrap();
    }
}

/// How often each partition is chosen.
fn counts(topic: &TopicEntry, rules: &StickyRules, times: usize) -> Vec<usize> {
    let sticky = Sticky::new(42);
    let mut counts = vec![0; topic.queues.len()];
    for _ in 0..times {
        counts[usize::try_from(sticky.choose(topic, rules)).unwrap()] += 1;
    }
    counts
}

/// Within three standard deviations, and a little.
fn assert_about(count: usize, expected: usize) {
    let tolerance = 4 * expected.isqrt() + 1;
    assert!(count.abs_diff(expected) <= tolerance, "{count}, and not about {expected}");
}

#[test]
fn partitions_are_chosen_uniformly_while_nothing_waits() {
    for partitions in [1, 2, 5, 64, 100] {
        let available: Vec<_> = (0..partitions).collect();
        let topic = topic(&vec![0; available.len()], &available);
        for count in counts(&topic, &RULES, 1000 * available.len()) {
            assert_about(count, 1000);
        }
    }
}

#[test]
fn a_partition_is_chosen_the_less_often_the_more_batches_wait_there() {
    let topic = topic(&[0, 1, 2, 3, 3, 0], &[0, 1, 2, 3, 4, 5]);
    // One more than the most, less what waits: 4, 3, 2, 1, 1, 4.
    for (count, weight) in counts(&topic, &RULES, 15_000).into_iter().zip([4, 3, 2, 1, 1, 4]) {
        assert_about(count, weight * 1000);
    }
    let is_adaptive = false;
    for count in counts(&topic, &StickyRules { is_adaptive, ..RULES }, 6000) {
        assert_about(count, 1000);
    }
}

#[test]
fn partitions_without_a_leader_are_passed_over_unless_none_has_one() {
    let some = topic(&[0; 4], &[1, 3]);
    let [zero, one, two, three] = counts(&some, &RULES, 2000)[..] else { panic!() };
    assert_eq!((zero, two), (0, 0));
    assert_about(one, 1000);
    assert_about(three, 1000);
    for count in counts(&topic(&[0; 4], &[]), &RULES, 4000) {
        assert_about(count, 1000);
    }
}

#[test]
fn a_partition_is_kept_until_it_had_a_batch_and_that_is_complete_or_two() {
    let topic = topic(&[1; 50], &(0..50).collect::<Vec<_>>());
    let sticky = Sticky::new(1);
    let first = sticky.partition(&topic, &RULES);
    sticky.produced(first, 999, true, &topic, &RULES);
    assert_eq!(sticky.partition(&topic, &RULES), first, "less than a batch");
    sticky.produced(first, 1000, false, &topic, &RULES);
    assert_eq!(sticky.partition(&topic, &RULES), first, "a batch, and one that is not complete");
    sticky.produced(first, 1, false, &topic, &RULES);
    let second = sticky.partition(&topic, &RULES);
    assert_ne!(second, first, "twice a batch");
    sticky.produced(second, 1000, true, &topic, &RULES);
    assert_ne!(sticky.partition(&topic, &RULES), second, "a batch that is complete");
}

#[test]
fn a_partition_that_lost_its_place_in_the_topic_is_left() {
    let large = topic(&[1; 50], &(0..50).collect::<Vec<_>>());
    let sticky = Sticky::new(1);
    while sticky.partition(&large, &RULES) < 2 {
        sticky.produced(sticky.partition(&large, &RULES), 2000, true, &large, &RULES);
    }
    let small = topic(&[1; 2], &[0, 1]);
    assert!((0..2).contains(&sticky.partition(&small, &RULES)));
}
