//! Closing, and the driver's death, while somebody appends.

use super::*;

/// Whoever empties the queues after closing them finds every record that was accepted.
#[test]
fn a_record_is_refused_or_found_by_who_empties_the_queues_after_closing_them() {
    loom::model(|| {
        let accumulator = accumulator(1);
        let queue = queue(&accumulator, 0);
        let send = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, 0))
        };
        accumulator.close(&QueueClosed::ProducerClosed);
        drop(accumulator.take_all());
        match send.join().unwrap() {
            Ok(delivery) => assert!(block_on(delivery).is_err()),
            Err(error) => assert!(matches!(error, AppendError::Closed(_)), "{error:?}"),
        }
        assert!(queue.pop().is_none());
        assert_eq!((queue.bytes(), accumulator.budget().used()), (0, 0));
    });
}

/// Closing in the way that users do it: the sender is told after the queues are closed, and ends when
/// what it sees after that is written.
#[test]
fn a_record_is_refused_or_written_before_the_sender_ends() {
    check_bounded(2, || {
        let accumulator = accumulator(1);
        let mailbox = Arc::new(Mailbox::new(Arc::clone(accumulator.wake())));
        let send = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, 0).map(|delivery| block_on(delivery)))
        };
        let close = {
            let (accumulator, mailbox) = (Arc::clone(&accumulator), Arc::clone(&mailbox));
            thread::spawn(move || {
                accumulator.close(&QueueClosed::ProducerClosed);
                mailbox.close(None);
            })
        };
        let (mut log, mut is_closing) = (0, false);
        while !is_closing {
            let commands = wait(&accumulator, &mailbox);
            is_closing = commands.iter().any(|command| matches!(command, Command::Close { .. }));
            for queue in take_ready(&accumulator) {
                write_all(&queue, &mut log);
            }
        }
        close.join().unwrap();
        match send.join().unwrap() {
            Ok(result) => assert_eq!((result.unwrap().offset, log), (Some(0), 1)),
            Err(error) => assert!(matches!(error, AppendError::Closed(_)), "{error:?}"),
        }
        assert!(queue(&accumulator, 0).pop().is_none());
    });
}

/// The driver dies with a batch that it has taken, and with what came after that still queued. Both
/// records have one outcome, and the one that may be told a callback.
#[test]
fn the_end_of_the_driver_gives_every_record_one_outcome() {
    loom::model(|| {
        let accumulator = accumulator(1);
        let queue = queue(&accumulator, 0);
        let early = append(&accumulator, 0).unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let send = {
            let (accumulator, calls) = (Arc::clone(&accumulator), Arc::clone(&calls));
            thread::spawn(move || {
                let callback = Callback::new(move |_| {
                    calls.fetch_add(1, Ordering::Relaxed);
                });
                let mut attempt = Attempt::with_callback(Some(callback));
                append_with(&accumulator, 0, &mut attempt).map(|delivery| block_on(delivery))
            })
        };
        let taken = queue.pop();
        accumulator.close(&QueueClosed::DriverEnded(DRIVER_DIED.into()));
        drop(taken);
        drop(accumulator.take_all());
        let is_accepted = match send.join().unwrap() {
            Ok(result) => result.is_err(),
            Err(AppendError::Closed(QueueClosed::DriverEnded(_))) => false,
            Err(error) => panic!("{error:?}"),
        };
        assert!(early.try_result().unwrap().is_err());
        assert_eq!(calls.load(Ordering::Relaxed), usize::from(is_accepted));
        assert!(queue.pop().is_none());
        assert_eq!(accumulator.budget().used(), 0);
    });
}

/// A queue that is made while the producer is closed is closed too, and who waits for it is told.
#[test]
fn a_queue_that_is_made_during_the_close_is_closed() {
    loom::model(|| {
        let accumulator = accumulator(1);
        let close = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || accumulator.close(&QueueClosed::ProducerClosed))
        };
        let wait = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || block_on(accumulator.cluster_changed(1)))
        };
        let new = accumulator.create_queue(&"orders".into(), 1);
        close.join().unwrap();
        wait.join().unwrap();
        assert!(accumulator.closed().is_some());
        let limits = BatchLimits { ready_size: 1, size_max: 1000, age_max: Duration::from_secs(1) };
        let memory = Memory { budget: accumulator.budget(), chunks: &accumulator.chunks };
        let record = Record::new("orders", "a");
        let attempt = &mut Attempt::default();
        let refused = new.append(&now(), &record, attempt, &limits, memory, &accumulator.ready);
        assert!(matches!(refused, Err(QueueRefusal::Closed(QueueClosed::ProducerClosed))));
    });
}

/// The second record is no news: its batch is open already, and the sender may have looked. Who flushes
/// after sending it still has it sent.
#[test]
fn a_flush_sees_the_record_that_was_appended_before_it() {
    check_bounded(3, || {
        let accumulator = accumulator(1);
        let mailbox = Arc::new(Mailbox::new(Arc::clone(accumulator.wake())));
        let other = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, 0).unwrap())
        };
        let flush = {
            let (accumulator, mailbox) = (Arc::clone(&accumulator), Arc::clone(&mailbox));
            thread::spawn(move || {
                let delivery = append(&accumulator, 0).unwrap();
                mailbox.flush(CommandId(1), None);
                delivery
            })
        };
        // It lingers until somebody flushes.
        let (mut log, mut is_nonempty) = (0, false);
        loop {
            let commands = wait(&accumulator, &mailbox);
            let is_flush = commands.iter().any(|command| matches!(command, Command::Flush { .. }));
            for queue in take_ready(&accumulator) {
                is_nonempty |= queue.status(1000).is_some();
            }
            if is_flush {
                break;
            }
        }
        let queue = queue(&accumulator, 0);
        if is_nonempty {
            write_all(&queue, &mut log);
        }
        let delivery = flush.join().unwrap();
        assert!(delivery.is_done(), "the flush did not see it");
        drop(other.join().unwrap());
    });
}

/// A topic is forgotten because nobody sends to it, and somebody does just then.
#[test]
fn a_queue_is_closed_for_being_empty_or_keeps_the_record() {
    loom::model(|| {
        let accumulator = accumulator(1);
        let queue = queue(&accumulator, 0);
        let send = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || append(&accumulator, 0).is_ok())
        };
        let is_closed = queue.close_if_empty(QueueClosed::Replaced);
        assert_eq!(send.join().unwrap(), !is_closed);
        assert_eq!(queue.pop().is_some(), !is_closed);
    });
}
