use std::time::Duration;

use super::*;
use crate::cluster::TopicShared;
use crate::record::Record;
use crate::testing::start;

fn config() -> AccumulatorConfig {
    AccumulatorConfig {
        batch_size: 1000,
        max_request_size: 10_000,
        buffer_memory: 100_000,
        batch_age_max: Duration::from_secs(1),
        is_adaptive: true,
        ignore_keys: false,
    }
}

fn now() -> Now {
    Now { monotonic: start(), timestamp_ms: 1_700_000_000_000 }
}

/// An accumulator that knows the topic "orders".
fn accumulator(config: AccumulatorConfig, partitions: i32) -> RecordAccumulator {
    let accumulator = RecordAccumulator::new(config, Arc::new(WakeFlag::new()));
    publish(&accumulator, partitions);
    accumulator
}

fn publish(accumulator: &RecordAccumulator, partitions: i32) -> Vec<Arc<PartitionQueue>> {
    let name: Arc<str> = "orders".into();
    let queues: Vec<_> = (0..partitions).map(|p| accumulator.create_queue(&name, p)).collect();
    let entry = TopicEntry {
        shared: Arc::new(TopicShared::new(Arc::clone(&name), 10_000, 7)),
        id: kafka_protocol::Uuid::ZERO,
        queues: queues.clone(),
        available: (0..partitions).collect(),
        preferred: (0..partitions).collect(),
        leaders: vec![1; queues.len()],
    };
    let topics = [(name, TopicState::Known(Arc::new(entry)))];
    accumulator.update_cluster(ClusterSnapshot::new(1, topics, None));
    queues
}

fn listed(accumulator: &RecordAccumulator) -> Vec<Arc<PartitionQueue>> {
    let mut queues = Vec::new();
    accumulator.take_ready(&mut queues);
    queues
}

fn append(accumulator: &RecordAccumulator, record: &Record<'_>) -> Result<Delivery, AppendError> {
    accumulator.try_append(&now(), record, &mut Attempt::default())
}

#[test]
fn the_sender_hears_of_a_batch_when_it_is_opened_and_when_it_is_ready() {
    let accumulator = accumulator(config(), 1);
    let record = Record::new("orders", &[0; 400]);
    append(&accumulator, &record).unwrap();
    assert_eq!(listed(&accumulator).len(), 1, "opened");
    append(&accumulator, &record).unwrap();
    assert_eq!(listed(&accumulator).len(), 0, "neither");
    append(&accumulator, &record).unwrap();
    let ready = listed(&accumulator);
    assert_eq!(ready.len(), 1, "ready");
    assert!(ready[0].status(1000).unwrap().is_full);
    append(&accumulator, &record).unwrap();
    assert_eq!(listed(&accumulator).len(), 0, "growing");
    let batch = ready[0].pop().unwrap();
    assert_eq!((batch.record_count(), ready[0].bytes()), (4, 0));
}

#[test]
fn popping_closes_a_batch() {
    let accumulator = accumulator(config(), 1);
    let record = Record::new("orders", "a");
    append(&accumulator, &record).unwrap();
    let queue = listed(&accumulator).remove(0);
    assert_eq!(queue.pop().unwrap().record_count(), 1);
    append(&accumulator, &record).unwrap();
    assert_eq!(queue.pop().unwrap().record_count(), 1);
    assert!(queue.pop().is_none());
}

#[test]
fn a_batch_grows_to_the_largest_request_and_then_another_one_is_opened() {
    let accumulator = accumulator(config(), 1);
    for _ in 0..30 {
        append(&accumulator, &Record::new("orders", &[0; 400])).unwrap();
    }
    let queue = listed(&accumulator).remove(0);
    let first = queue.pop().unwrap();
    assert!(first.uncompressed_len <= 10_000 && first.uncompressed_len > 9_500);
    assert_eq!(first.record_count() + queue.pop().unwrap().record_count(), 30);
}

#[test]
fn an_old_batch_takes_no_more_records() {
    let accumulator = accumulator(config(), 1);
    let record = Record::new("orders", "a");
    let first = now();
    accumulator.try_append(&first, &record, &mut Attempt::default()).unwrap();
    let later = Now { monotonic: first.monotonic + Duration::from_secs(1), ..first };
    accumulator.try_append(&later, &record, &mut Attempt::default()).unwrap();
    let queue = listed(&accumulator).remove(0);
    assert_eq!(queue.pop().unwrap().record_count(), 1);
    assert_eq!(queue.pop().unwrap().record_count(), 1);
}

#[test]
fn memory_is_asked_for_and_a_granted_permit_is_enough() {
    let accumulator = accumulator(AccumulatorConfig { buffer_memory: 6_000, ..config() }, 1);
    let record = Record::new("orders", &[0; 700]);
    let needed = loop {
        match append(&accumulator, &record) {
            Ok(_) => {}
            Err(AppendError::MemoryFull { needed }) => break needed,
            Err(error) => panic!("{error:?}"),
        }
        assert!(accumulator.budget().used() <= 6_000);
    };
    let queue = listed(&accumulator).remove(0);
    let batch = queue.pop().unwrap();
    assert!(accumulator.budget().try_acquire(needed).is_none());
    drop(batch);
    let permit = accumulator.budget().try_acquire(needed);
    let mut attempt = Attempt::default();
    attempt.permit = permit;
    accumulator.try_append(&now(), &record, &mut attempt).unwrap();
    assert!(attempt.permit.is_none());
    std::iter::from_fn(|| queue.pop()).for_each(drop);
    assert_eq!(accumulator.budget().used(), 0);
}

#[test]
fn what_cannot_be_appended_says_why_and_leaves_nothing_behind() {
    let accumulator = accumulator(config(), 2);
    let large = [0; 10_000];
    let error = append(&accumulator, &Record::new("orders", &large)).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { property: "max.request.size", .. }));
    let error = append(&accumulator, &Record::new("orders", "a").partition(2)).unwrap_err();
    assert!(matches!(error, AppendError::UnknownPartition { partition: 2, count: 2 }));
    let error = append(&accumulator, &Record::new("others", "a")).unwrap_err();
    assert!(matches!(error, AppendError::UnknownTopic));
    accumulator.close(&QueueClosed::ProducerClosed);
    let error = append(&accumulator, &Record::new("orders", "a")).unwrap_err();
    assert!(matches!(error, AppendError::Closed(QueueClosed::ProducerClosed)));
    assert_eq!((accumulator.budget().used(), listed(&accumulator).len()), (0, 0));
}

#[test]
fn a_record_of_an_old_snapshot_never_gets_into_a_queue_that_was_replaced() {
    let accumulator = RecordAccumulator::new(config(), Arc::new(WakeFlag::new()));
    let old = publish(&accumulator, 1);
    accumulator.remove_queue(&old[0]);
    let error = append(&accumulator, &Record::new("orders", "a")).unwrap_err();
    assert!(matches!(error, AppendError::UnknownTopic));
    let new = publish(&accumulator, 1);
    assert_eq!(new[0].id().index, old[0].id().index);
    assert_ne!(new[0].id(), old[0].id());
    append(&accumulator, &Record::new("orders", "a")).unwrap();
    assert!(old[0].pop().is_none() && new[0].pop().is_some());
}

#[test]
fn keys_stay_on_their_partition_and_keyless_records_fill_one_batch_after_the_other() {
    let accumulator = accumulator(config(), 8);
    let partition = |record: &Record<'_>| append(&accumulator, record).unwrap().partition();
    let keyed = Record::new("orders", "a").key("alice");
    assert_eq!(partition(&keyed), partition_for_key(b"alice", 8));
    assert_eq!(partition(&keyed), partition(&keyed));
    let mut changes = 0;
    let mut before = partition(&Record::new("orders", &[0; 92]));
    for _ in 0..400 {
        let next = partition(&Record::new("orders", &[0; 92]));
        changes += usize::from(next != before);
        before = next;
    }
    // Some ten records to a batch; the same partition may be drawn twice.
    assert!((20..=40).contains(&changes), "{changes} changes");
}

#[test]
fn partitions_with_less_in_their_queue_are_chosen_more_often() {
    let accumulator = accumulator(AccumulatorConfig { buffer_memory: 1 << 24, ..config() }, 2);
    for _ in 0..90 {
        append(&accumulator, &Record::new("orders", &[0; 92]).partition(0)).unwrap();
    }
    let mut chosen = [0; 2];
    for _ in 0..2_000 {
        let delivery = append(&accumulator, &Record::new("orders", &[0; 92])).unwrap();
        chosen[usize::try_from(delivery.partition()).unwrap()] += 1;
        if delivery.partition() == 1 {
            // The second one is sent at once.
            listed(&accumulator).iter().filter(|q| q.partition() == 1).for_each(|q| {
                drop(q.pop());
            });
        }
    }
    assert!(chosen[1] > chosen[0] * 4, "{chosen:?}");
}

/// Three quarters of a batch linger out at a time: each is a batch of its own, none is cut in two.
#[test]
fn a_partition_that_had_its_share_is_left_between_batches_and_not_within_one() {
    let accumulator = accumulator(AccumulatorConfig { batch_size: 10_000, ..config() }, 16);
    let mut partitions = Vec::new();
    for _ in 0..40 {
        for _ in 0..15 {
            append(&accumulator, &Record::new("orders", &[0; 500])).unwrap();
        }
        let queues = listed(&accumulator);
        assert_eq!(queues.len(), 1, "cut after {partitions:?}");
        assert_eq!(queues[0].pop().unwrap().record_count(), 15);
        partitions.push(queues[0].partition());
    }
    let pairs = partitions.chunks(2).filter(|pair| pair[0] == pair[1]).count();
    assert_eq!(pairs, 20, "two lingering batches are a share: {partitions:?}");
    partitions.dedup();
    assert!(partitions.len() > 15, "{partitions:?}");
}

#[test]
fn keys_may_be_ignored() {
    let config = AccumulatorConfig { ignore_keys: true, ..config() };
    let accumulator = accumulator(config, 50);
    let mut partitions = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let record = Record::new("orders", &[0; 1000]).key("alice");
        partitions.insert(append(&accumulator, &record).unwrap().partition());
        listed(&accumulator).iter().for_each(|queue| drop(queue.pop()));
    }
    assert!(partitions.len() > 20, "{partitions:?}");
    let named = Record::new("orders", "a").key("alice").partition(7);
    assert_eq!(append(&accumulator, &named).unwrap().partition(), 7);
}

/// Neither needs to know the topic.
#[test]
fn what_is_too_large_for_every_topic_is_refused_before_the_topic_is_known() {
    let config = AccumulatorConfig { max_request_size: 1 << 20, ..config() };
    let accumulator = RecordAccumulator::new(config, Arc::new(WakeFlag::new()));
    for (size, property) in [(2 << 20, "max.request.size"), (100_000, "buffer.memory")] {
        let value = vec![0; size];
        match append(&accumulator, &Record::new("unknown", &value)).unwrap_err() {
            AppendError::TooLarge { property: told, .. } => assert_eq!(told, property),
            error => panic!("{error:?}"),
        }
    }
}

#[test]
fn the_first_record_of_a_batch_may_be_larger_than_the_topics_limit_and_no_other_joins_it() {
    let accumulator = accumulator(config(), 1);
    let snapshot = accumulator.cluster();
    let Some(TopicState::Known(topic)) = snapshot.topic("orders") else { panic!() };
    topic.shared.learn_refused_size(4_000, 1);
    let (large, small) = (Record::new("orders", &[0; 5_000]), Record::new("orders", "a"));
    for record in [large, small, large] {
        append(&accumulator, &record).unwrap();
    }
    let queue = listed(&accumulator).remove(0);
    for len in [5_000, 1, 5_000] {
        let batch = queue.pop().unwrap();
        assert_eq!(batch.record_count(), 1);
        assert!(batch.uncompressed_len >= len && batch.uncompressed_len < len + 100);
    }
}

#[test]
fn a_batch_that_is_closed_for_a_record_without_memory_is_news() {
    let config = AccumulatorConfig { buffer_memory: 16_000, ..config() };
    let accumulator = accumulator(config, 1);
    append(&accumulator, &Record::new("orders", &[0; 500])).unwrap();
    assert_eq!(listed(&accumulator).len(), 1);
    let budget = accumulator.budget();
    let _all = budget.try_acquire(budget.total() - budget.used()).unwrap();
    let error = append(&accumulator, &Record::new("orders", &[0; 9_800])).unwrap_err();
    assert!(matches!(error, AppendError::MemoryFull { .. }), "{error:?}");
    let news = listed(&accumulator);
    assert!(news.len() == 1 && news[0].status(1000).unwrap().is_full);
}

#[test]
fn who_was_refused_memory_counts_as_waiting_until_some_is_given_back() {
    let accumulator = accumulator(config(), 1);
    append(&accumulator, &Record::new("orders", "first")).unwrap();
    assert!(!accumulator.budget().has_waiters());
    accumulator.ask_for_memory();
    assert!(accumulator.budget().has_waiters());
    drop(accumulator.budget().try_acquire(10));
    assert!(!accumulator.budget().has_waiters());
    accumulator.close(&QueueClosed::ProducerClosed);
    accumulator.ask_for_memory();
    assert!(!accumulator.budget().has_waiters());
}

/// It would take the next chunk, which is as large as all that it has; a new one begins with 1 KiB.
#[test]
fn a_batch_that_finds_no_memory_to_grow_is_closed_and_another_one_is_begun() {
    let config = AccumulatorConfig { buffer_memory: 40_000, batch_size: 9_000, ..config() };
    let accumulator = accumulator(config, 1);
    let record = Record::new("orders", &[0; 900]);
    for _ in 0..5 {
        append(&accumulator, &record).unwrap();
    }
    let budget = accumulator.budget();
    let _most = budget.try_acquire(budget.total() - budget.used() - 2_000).unwrap();
    for _ in 0..3 {
        append(&accumulator, &record).unwrap();
    }
    assert!(matches!(append(&accumulator, &record), Err(AppendError::MemoryFull { .. })));
    let queue = listed(&accumulator).remove(0);
    let counts = std::iter::from_fn(|| queue.pop()).map(|batch| batch.record_count());
    assert_eq!(counts.collect::<Vec<_>>(), [7, 1]);
}

#[test]
fn a_record_waits_for_the_memory_that_its_batch_needs_to_grow() {
    let config = AccumulatorConfig { buffer_memory: 1 << 20, batch_size: 9_000, ..config() };
    let accumulator = accumulator(config, 1);
    let record = Record::new("orders", &[0; 900]);
    for _ in 0..7 {
        append(&accumulator, &record).unwrap();
    }
    let budget = accumulator.budget();
    let all = budget.try_acquire(budget.total() - budget.used()).unwrap();
    let Err(AppendError::MemoryFull { needed }) = append(&accumulator, &record) else {
        panic!("it had memory");
    };
    assert_eq!(needed, 8 * 1024);
    drop(all);
    let mut attempt = Attempt::default();
    attempt.permit = budget.try_acquire(needed);
    accumulator.try_append(&now(), &record, &mut attempt).unwrap();
    let queue = listed(&accumulator).remove(0);
    assert_eq!(queue.pop().unwrap().record_count(), 8);
    assert!(queue.pop().is_none());
}

#[test]
fn a_queue_with_records_is_not_closed_for_being_idle() {
    let accumulator = RecordAccumulator::new(config(), Arc::new(WakeFlag::new()));
    let queues = publish(&accumulator, 2);
    let record = |partition| Record::new("orders", "a").partition(partition);
    append(&accumulator, &record(1)).unwrap();
    assert!(queues[0].close_if_empty(QueueClosed::Replaced));
    assert!(!queues[1].close_if_empty(QueueClosed::Replaced));
    assert!(matches!(append(&accumulator, &record(0)), Err(AppendError::UnknownTopic)));
    append(&accumulator, &record(1)).unwrap();
    queues[0].reopen();
    append(&accumulator, &record(0)).unwrap();
    accumulator.close(&QueueClosed::ProducerClosed);
    queues[0].reopen();
    assert!(matches!(append(&accumulator, &record(0)), Err(AppendError::Closed(_))));
    let batch = queues[1].pop().unwrap();
    assert!(queues[1].close_if_empty(QueueClosed::Replaced));
    assert_eq!(batch.record_count(), 2);
}

/// Many threads, partitions and keys, and one that takes batches away meanwhile.
#[test]
fn what_several_threads_append_is_taken_once_and_in_the_order_of_each() {
    const THREADS: u32 = 4;
    const RECORDS: u32 = 2_000;
    // Enough for a batch a record: nothing is given back before the end.
    let config = AccumulatorConfig { buffer_memory: 1 << 26, ..config() };
    let accumulator = accumulator(config, 5);
    let (mut batches, mut queues) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let send = |thread: u32| {
            for number in 0..RECORDS {
                let value = [thread.to_be_bytes(), number.to_be_bytes()].concat();
                let partition = i32::try_from(number % 5).unwrap();
                let record = Record::new("orders", &value).partition(partition);
                while append(&accumulator, &record).is_err() {
                    std::thread::yield_now();
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || send(t))).collect();
        loop {
            let is_over = threads.iter().all(std::thread::ScopedJoinHandle::is_finished);
            accumulator.take_ready(&mut queues);
            batches.extend(queues.drain(..).flat_map(|q| std::iter::from_fn(move || q.pop())));
            if is_over {
                break;
            }
        }
    });
    let mut next = std::collections::BTreeMap::new();
    let mut count = 0;
    for batch in &batches {
        let mut wire = batch.body.to_bytes(&batch.body.header());
        let records = kafka_protocol::records::RecordBatch::decode(&mut wire).unwrap();
        for record in &records {
            let value = record.unwrap().value.unwrap();
            let number = u32::from_be_bytes(*value.last_chunk().unwrap());
            let last = next.insert((batch.partition(), value[..4].to_vec()), number);
            assert!(last.is_none_or(|last| last < number));
            count += 1;
        }
    }
    assert_eq!(count, THREADS * RECORDS);
    drop(batches);
    assert_eq!(accumulator.budget().used(), 0);
}

#[test]
fn memory_is_taken_in_chunks_as_a_batch_grows() {
    let accumulator = accumulator(config(), 1);
    let used = |record: &Record<'_>| {
        append(&accumulator, record).unwrap();
        accumulator.budget().used()
    };
    let overhead = batch::BATCH_OVERHEAD;
    assert_eq!(used(&Record::new("orders", &[0; 100])), overhead + 1024);
    assert_eq!(used(&Record::new("orders", &[0; 100])), overhead + 1024, "there is room");
    assert_eq!(used(&Record::new("orders", &[0; 1000])), overhead + 1024 + 2048);
    assert_eq!(used(&Record::new("orders", &[0; 100])), overhead + 1024 + 2048);
    let queue = listed(&accumulator).remove(0);
    let bytes = queue.bytes();
    let batch = queue.pop().unwrap();
    assert_eq!((bytes, batch.uncompressed_len), (BATCH_HEADER + batch.body.len(), bytes));
    assert_eq!(accumulator.budget().used(), overhead + 1024 + 2048, "until its answer");
    drop(batch);
    assert_eq!(accumulator.budget().used(), 0);
}

/// The batch found room meanwhile, or another one took the record.
#[test]
fn memory_that_was_granted_and_not_needed_is_given_back() {
    let accumulator = accumulator(config(), 1);
    append(&accumulator, &Record::new("orders", "first")).unwrap();
    let before = accumulator.budget().used();
    let mut attempt = Attempt::default();
    attempt.permit = accumulator.budget().try_acquire(5000);
    accumulator.try_append(&now(), &Record::new("orders", "second"), &mut attempt).unwrap();
    assert!(accumulator.budget().used() > before);
    drop(attempt);
    assert_eq!(accumulator.budget().used(), before);
}

#[test]
fn with_batches_of_one_record_each_record_may_go_elsewhere() {
    let accumulator =
        accumulator(AccumulatorConfig { batch_size: 1, buffer_memory: 1 << 20, ..config() }, 100);
    let mut partitions = std::collections::BTreeSet::new();
    for _ in 0..100 {
        partitions.insert(append(&accumulator, &Record::new("orders", "a")).unwrap().partition());
    }
    assert!(partitions.len() > 40, "{}", partitions.len());
}
