//! Appending, while the sender takes batches or metadata changes.

use super::*;

/// The sender waits until it has seen every record: a lost wake-up, or a queue with records that is on
/// no list, is a deadlock.
#[test]
fn records_of_two_threads_are_written_once_and_in_their_order() {
    check_bounded(2, || {
        let accumulator = accumulator(1);
        let other = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, 0).unwrap())
        };
        let two = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || [0, 0].map(|partition| append(&accumulator, partition).unwrap()))
        };
        let (mut log, mut missing) = (0, 3);
        while missing > 0 {
            block_on(poll_fn(|cx| accumulator.wake().poll(cx)));
            for queue in take_ready(&accumulator) {
                missing -= write_all(&queue, &mut log);
            }
        }
        let [first, second] = two.join().unwrap().map(|delivery| offset(&delivery));
        assert!(first < second, "{first}, {second}");
        let mut offsets = [first, second, offset(&other.join().unwrap())];
        offsets.sort_unstable();
        assert_eq!(offsets, [0, 1, 2]);
        assert_eq!((queue(&accumulator, 0).bytes(), accumulator.budget().used()), (0, 0));
    });
}

#[test]
fn no_partition_is_overlooked_while_another_one_is_taken() {
    check_bounded(2, || {
        let accumulator = accumulator(2);
        let appends = [0, 1].map(|partition| {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, partition).unwrap())
        });
        let (mut logs, mut missing) = ([0, 0], 2);
        while missing > 0 {
            block_on(poll_fn(|cx| accumulator.wake().poll(cx)));
            for queue in take_ready(&accumulator) {
                missing -= write_all(&queue, &mut logs[queue.id().index]);
            }
        }
        for append in appends {
            assert_eq!(offset(&append.join().unwrap()), 0);
        }
    });
}

/// The sender lingers: it looks at a queue and leaves it alone. A batch that gets ready is news.
#[test]
fn a_batch_that_was_looked_at_is_news_again_when_it_is_ready() {
    check_bounded(3, || {
        let accumulator = accumulator(1);
        let fill = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || {
                append(&accumulator, 0).unwrap();
                let large = Record::new("orders", &[0; 1000]).partition(0);
                accumulator.try_append(&now(), &large, &mut Attempt::default()).unwrap();
            })
        };
        let mut is_full = false;
        while !is_full {
            block_on(poll_fn(|cx| accumulator.wake().poll(cx)));
            for queue in take_ready(&accumulator) {
                is_full |= queue.status(1000).is_some_and(|status| status.is_full);
            }
        }
        fill.join().unwrap();
        assert_eq!(queue(&accumulator, 0).pop().unwrap().record_count(), 2);
    });
}

#[test]
fn a_batch_that_was_popped_takes_no_more_records() {
    loom::model(|| {
        let accumulator = accumulator(1);
        let queue = queue(&accumulator, 0);
        let early = append(&accumulator, 0).unwrap();
        let late = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, 0).unwrap())
        };
        let batch = queue.pop().unwrap();
        let count = batch.record_count();
        let late = late.join().unwrap();
        assert_eq!(batch.record_count(), count);
        let mut log = 0;
        assert_eq!(write(batch, &mut log), count);
        assert_eq!((offset(&early), late.is_done()), (0, count == 2));
        assert_eq!(write_all(&queue, &mut log), 2 - count);
        assert_eq!(offset(&late), 1);
        assert_eq!(queue.bytes(), 0);
    });
}

#[test]
fn the_older_batch_is_popped_first_even_if_it_is_closed_meanwhile() {
    loom::model(|| {
        let accumulator = accumulator(1);
        let queue = queue(&accumulator, 0);
        let send = thread::spawn(move || {
            let later = Now { monotonic: now().monotonic + Duration::from_secs(1), ..now() };
            [now(), later].map(|now| {
                let record = Record::new("orders", "a").partition(0);
                accumulator.try_append(&now, &record, &mut Attempt::default()).unwrap()
            })
        });
        let mut log = 0;
        write_all(&queue, &mut log);
        let deliveries = send.join().unwrap();
        write_all(&queue, &mut log);
        assert_eq!(deliveries.map(|delivery| offset(&delivery)), [0, 1]);
    });
}

/// The topic was created again: the sender closes the old queue, moves what is in it, and publishes the
/// new one then. Who is refused waits for that.
#[test]
fn a_record_goes_to_the_old_queue_and_is_moved_or_to_the_new_one() {
    check_bounded(3, || {
        let accumulator = accumulator(1);
        let old = queue(&accumulator, 0);
        // loom does not see that `Arc` keeps what is in the snapshot until nobody reads it.
        let before = accumulator.cluster();
        let send = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || {
                loop {
                    let version = accumulator.cluster().version;
                    match append(&accumulator, 0) {
                        Ok(delivery) => break delivery,
                        Err(AppendError::UnknownTopic) => {
                            block_on(accumulator.cluster_changed(version));
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
            })
        };
        let new = accumulator.create_queue(old.topic(), 0);
        old.close(QueueClosed::Replaced);
        let mut moved: Vec<_> = std::iter::from_fn(|| old.pop()).collect();
        accumulator.remove_queue(&old);
        accumulator.update_cluster(snapshot(2, vec![Arc::clone(&new)]));
        let delivery = send.join().unwrap();
        drop(before);
        moved.extend(new.pop());
        assert!(old.pop().is_none() && new.pop().is_none());
        assert_eq!(moved.len(), 1);
        assert_eq!(write(moved.remove(0), &mut 0), 1);
        assert_eq!(offset(&delivery), 0);
    });
}

/// The generation of the first attempt holds for the later ones, however they interleave with others'.
#[test]
fn a_later_attempt_is_of_the_transaction_of_the_first_one() {
    loom::model(|| {
        let queue = |gate| {
            let id = QueueId { index: 0, generation: 0 };
            Arc::new(PartitionQueue::new(id, "orders".into(), 0, TransactionGate::Open(gate)))
        };
        let queues = [queue(1), queue(2)];
        let ready = Arc::new(ReadyList::default());
        let budget = MemoryBudget::new(1 << 20);
        let limits =
            BatchLimits { ready_size: 1000, size_max: 1000, age_max: Duration::from_secs(1) };
        let attempts = [[0, 1], [1, 0]].map(|[first, second]| {
            let (queues, ready, budget) = (queues.clone(), Arc::clone(&ready), budget.clone());
            thread::spawn(move || {
                let (record, mut attempt) = (Record::new("orders", "a"), Attempt::default());
                let mut append = |at: usize| {
                    let memory = Memory { budget: &budget, chunks: &ChunkPool::new(0) };
                    queues[at].append(&now(), &record, &mut attempt, &limits, memory, &ready)
                };
                append(first).unwrap();
                assert!(matches!(append(second), Err(QueueRefusal::TransactionEnded)));
            })
        });
        attempts.into_iter().for_each(|attempt| attempt.join().unwrap());
        for (queue, generation) in queues.iter().zip([1, 2]) {
            let batch = queue.pop().unwrap();
            assert_eq!((batch.record_count(), batch.generation), (1, generation));
        }
    });
}
