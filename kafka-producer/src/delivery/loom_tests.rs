use std::time::Duration;

use loom::future::block_on;
use loom::thread;

use super::*;
use crate::ProduceErrorKind;
use crate::error::ProduceFailure;

fn cell() -> Arc<OutcomeCell> {
    OutcomeCell::new("orders".into(), 0)
}

fn written(first_offset: i64) -> Outcome {
    Outcome::Written { first_offset: Some(first_offset), log_append_time: None }
}

fn failed() -> Outcome {
    Outcome::Failed(ProduceError::new(ProduceFailure {
        topic: "orders".into(),
        partition: 0,
        attempts: 1,
        may_have_been_written: false,
        kind: ProduceErrorKind::Timeout { waited: Duration::from_secs(1), cause: None },
    }))
}

/// Whoever waits is woken (loom reports a deadlock if not); whoever gives up meanwhile leaves no waker
/// behind, though its record is not resolved.
#[test]
fn a_resolution_finds_who_waits_whatever_others_do() {
    loom::model(|| {
        let cell = cell();
        let waits = cell.delivery(0, 0, None, None);
        let mut leaves = cell.delivery(1, 0, None, None);
        let wait = thread::spawn(move || block_on(waits).unwrap().offset);
        let leave = thread::spawn(move || {
            // A waker that loom counts.
            block_on(std::future::poll_fn(|cx| {
                let _ = Pin::new(&mut leaves).poll(cx);
                Poll::Ready(())
            }));
            drop(leaves);
        });
        assert!(cell.resolve(0..1, &written(5)).is_empty());
        assert_eq!(wait.join().unwrap(), Some(5));
        leave.join().unwrap();
        assert_eq!(lock(&cell.state).waiters.capacity(), 0);
    });
}

/// Two threads resolve records 0..2 and 1..3. Record 1 has one outcome, the same for all who look, and
/// its callback is due once.
#[test]
fn of_two_outcomes_one_holds() {
    loom::model(|| {
        let cell = cell();
        for index in 0..3 {
            cell.add_callback(index, 0, None, None, Callback::new(|_| {}));
        }
        let deliveries = [0, 1, 2].map(|index| cell.delivery(index, 0, None, None));
        let other = {
            let cell = cell.clone();
            thread::spawn(move || cell.resolve(0..2, &written(10)).len())
        };
        let early = deliveries[1].try_result().map(|result| result.ok());
        let due = cell.resolve(1..3, &failed()).len();
        let middle = deliveries[1].try_result().map(|result| result.ok());
        assert_eq!(due + other.join().unwrap(), 3);
        assert!(cell.is_resolved(0..3));
        let [first, second, third] = deliveries.map(|delivery| block_on(delivery).ok());
        assert_eq!((first.unwrap().offset, third), (Some(10), None));
        assert!(second.as_ref().is_none_or(|metadata| metadata.offset == Some(11)));
        assert!(early.is_none_or(|early| early == second));
        assert_eq!(middle, Some(second));
    });
}

/// The wait ends although the first call resolves only the other record.
#[test]
fn a_later_part_finds_who_waits_too() {
    loom::model(|| {
        let cell = cell();
        let delivery = cell.delivery(1, 0, None, None);
        let wait = thread::spawn(move || block_on(delivery).is_err());
        assert!(cell.resolve(0..1, &written(5)).is_empty());
        assert!(cell.resolve(1..2, &failed()).is_empty());
        assert!(wait.join().unwrap());
    });
}
