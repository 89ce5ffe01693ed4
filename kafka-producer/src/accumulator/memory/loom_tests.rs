use std::pin::pin;

use loom::future::block_on;
use loom::thread;

use super::*;

fn poll_once(acquire: &mut Acquire) -> Option<MemoryPermit> {
    match pin!(acquire).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => Some(permit.unwrap()),
        Poll::Pending => None,
    }
}

/// One thread gives the only byte back, one waits for it, and one waits before it and gives up. A
/// release or a cancellation that misses the waiter is a deadlock, which loom reports.
#[test]
fn a_release_and_a_cancellation_never_miss_who_waits() {
    loom::model(|| {
        let budget = MemoryBudget::new(1);
        let permit = budget.try_acquire(1).unwrap();
        let mut impatient = budget.acquire(1);
        let release = thread::spawn(move || drop(permit));
        let wait = {
            let budget = budget.clone();
            thread::spawn(move || drop(block_on(budget.acquire(1)).unwrap()))
        };
        drop(poll_once(&mut impatient));
        drop(impatient);
        release.join().unwrap();
        wait.join().unwrap();
        assert_eq!((budget.used(), budget.has_waiters(), budget.has_grants()), (0, false, false));
    });
}

/// A grant is taken back while its future may just be taking it: the bytes have one owner, and go to
/// who is next.
#[test]
fn a_grant_is_taken_or_taken_back_and_never_both() {
    loom::model(|| {
        let budget = MemoryBudget::new(1);
        let mut slow = budget.acquire(1);
        budget.revoke_stale_grants();
        let take = {
            let budget = budget.clone();
            thread::spawn(move || {
                let permit = poll_once(&mut slow);
                if permit.is_some() {
                    assert_eq!((budget.used(), budget.has_grants()), (1, false), "two owners");
                }
            })
        };
        budget.revoke_stale_grants();
        drop(block_on(budget.acquire(1)).unwrap());
        take.join().unwrap();
        assert_eq!((budget.used(), budget.has_waiters(), budget.has_grants()), (0, false, false));
    });
}

/// Whoever is in line when the budget closes, or comes after that, is told.
#[test]
fn closing_reaches_everybody() {
    loom::model(|| {
        let budget = MemoryBudget::new(1);
        let permit = budget.try_acquire(1).unwrap();
        let wait = {
            let budget = budget.clone();
            thread::spawn(move || block_on(budget.acquire(1)).is_err())
        };
        budget.close();
        assert!(wait.join().unwrap());
        drop(permit);
        assert_eq!(budget.used(), 0);
    });
}
