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
    accumulator.try_append(now(), record, &mut Attempt::default())
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
    accumulator.try_append(first, &record, &mut Attempt::default()).unwrap();
    let later = Now { monotonic: first.monotonic + Duration::from_secs(1), ..first };
    accumulator.try_append(later, &record, &mut Attempt::default()).unwrap();
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
    accumulator.try_append(now(), &record, &mut attempt).unwrap();
    assert!(attempt.permit.is_none());
    drop(queue.pop());
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
