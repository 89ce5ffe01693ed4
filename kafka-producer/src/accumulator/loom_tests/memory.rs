//! Memory is full: who appends waits, and the sender makes room.

use super::*;

/// Memory for one batch of one record, and not for two.
fn one_batch() -> usize {
    let accumulator = accumulator(1);
    let _delivery = append(&accumulator, 0).unwrap();
    accumulator.budget().used()
}

/// Appends as `Producer::send` does: waits in line for memory, and has the sender woken to make room.
fn send(accumulator: &RecordAccumulator, partition: i32) -> Result<Delivery, AppendError> {
    let mut attempt = Attempt::default();
    loop {
        let needed = match append_with(accumulator, partition, &mut attempt) {
            Err(AppendError::MemoryFull { needed }) => needed,
            result => return result,
        };
        drop(attempt.permit.take());
        let mut acquire = std::pin::pin!(accumulator.budget().acquire(needed));
        let granted = block_on(poll_fn(|cx| {
            let poll = acquire.as_mut().poll(cx);
            if poll.is_pending() {
                accumulator.wake().notify();
            }
            poll
        }));
        match granted {
            Ok(permit) => attempt.permit = Some(permit),
            Err(_) => {
                let why = accumulator.closed().expect("it was closed");
                return Err(AppendError::Closed(why));
            }
        }
    }
}

/// The sender lingers for ever, unless somebody waits for memory. Who waits gets what the batch gives
/// back; if the sender was not woken, or did not see that somebody waits, nobody would move.
#[test]
fn who_waits_for_memory_has_the_sender_make_room() {
    check_bounded(3, || {
        let accumulator = accumulator_of(one_batch() * 3 / 2, 2);
        let first = append(&accumulator, 0).unwrap();
        let waits = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || send(&accumulator, 1).unwrap())
        };
        let (mut log, mut nonempty) = (0, Vec::new());
        while log == 0 {
            block_on(poll_fn(|cx| accumulator.wake().poll(cx)));
            nonempty.extend(take_ready(&accumulator));
            if accumulator.budget().has_waiters() {
                for queue in &nonempty {
                    write_all(queue, &mut log);
                }
            }
        }
        let second = waits.join().unwrap();
        assert_eq!(offset(&first), 0);
        assert!(!second.is_done());
        assert_eq!(write_all(&queue(&accumulator, 1), &mut 0), 1);
        let budget = accumulator.budget();
        assert_eq!((budget.used(), budget.has_waiters(), budget.has_grants()), (0, false, false));
    });
}

/// The broker's answer frees the memory while somebody appends: the release finds who waits, or who
/// appends finds the memory.
#[test]
fn a_batch_that_is_dropped_serves_who_waits() {
    check_bounded(3, || {
        let accumulator = accumulator_of(one_batch() * 3 / 2, 2);
        append(&accumulator, 0).unwrap();
        let batch = queue(&accumulator, 0).pop().unwrap();
        let waits = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || drop(send(&accumulator, 1).unwrap()))
        };
        write(batch, &mut 0);
        waits.join().unwrap();
        drop(queue(&accumulator, 1).pop().unwrap());
        assert_eq!(accumulator.budget().used(), 0);
    });
}

/// Nothing is freed: only the close ends the wait.
#[test]
fn closing_ends_the_wait_for_memory() {
    check_bounded(3, || {
        let accumulator = accumulator_of(one_batch() * 3 / 2, 2);
        append(&accumulator, 0).unwrap();
        let waits = {
            let accumulator = Arc::clone(&accumulator);
            thread::spawn(move || send(&accumulator, 1).map(drop))
        };
        accumulator.close(&QueueClosed::ProducerClosed);
        let error = waits.join().unwrap().unwrap_err();
        assert!(matches!(error, AppendError::Closed(QueueClosed::ProducerClosed)), "{error:?}");
        drop(accumulator.take_all());
        assert_eq!(accumulator.budget().used(), 0);
    });
}
