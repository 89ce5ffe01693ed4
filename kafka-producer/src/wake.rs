//! How threads that append wake the one task that sends.

use std::task::{Context, Poll, Waker};

use crate::sync::{AtomicBool, Mutex, Ordering, lock};

/// Tells one task that there is something to do; cheap while it knows already.
///
/// Who has work adds it to a list *first* and calls [`notify`](Self::notify) then. The task awaits
/// [`poll`](Self::poll), which clears the flag, and takes the list *then*. In this order no work is left
/// without a wake-up: what comes too late for the list finds the flag clear.
#[derive(Debug)]
pub(crate) struct WakeFlag {
    set: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl WakeFlag {
    /// A flag that is not set.
    pub(crate) fn new() -> Self {
        Self { set: AtomicBool::new(false), waker: Mutex::new(None) }
    }

    /// Sets the flag, and wakes the task if it was not set.
    pub(crate) fn notify(&self) {
        if self.set.swap(true, Ordering::AcqRel) {
            return;
        }
        // In a statement of its own: the lock is free before the waker runs.
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ready if the flag is set, and clears it; otherwise the waker is kept for the next
    /// [`notify`](Self::notify). For one task: a second one takes the first one's place.
    ///
    /// # Cancel safety
    /// A flag that was not seen here stays set.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        // The one before is dropped at the end, outside the lock.
        let _replaced = lock(&self.waker).replace(waker);
        // A `notify` that came before the waker was there has set the flag; a later one finds the
        // waker.
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn take(&self) -> bool {
        self.set.swap(false, Ordering::AcqRel)
    }
}

#[cfg(all(test, not(kafka_loom)))]
mod tests {
    use super::*;
    use crate::testing::CountingWaker;

    #[test]
    fn one_wake_up_until_the_flag_is_seen() {
        let flag = WakeFlag::new();
        let (counter, waker) = CountingWaker::new();
        let cx = Context::from_waker(&waker);
        assert_eq!(flag.poll(&cx), Poll::Pending);
        flag.notify();
        flag.notify();
        assert_eq!(counter.wakes(), 1);
        assert_eq!(flag.poll(&cx), Poll::Ready(()));
        assert_eq!(flag.poll(&cx), Poll::Pending);
        flag.notify();
        assert_eq!(counter.wakes(), 2);
    }

    #[test]
    fn a_flag_that_is_set_before_the_first_poll_is_seen() {
        let flag = WakeFlag::new();
        flag.notify();
        assert_eq!(flag.poll(&Context::from_waker(Waker::noop())), Poll::Ready(()));
    }

    #[test]
    fn the_last_waker_is_woken_and_the_one_before_is_dropped() {
        let flag = WakeFlag::new();
        let (first, waker) = CountingWaker::new();
        assert_eq!(flag.poll(&Context::from_waker(&waker)), Poll::Pending);
        drop(waker);
        assert_eq!(first.clones(), 1);
        let (second, waker) = CountingWaker::new();
        assert_eq!(flag.poll(&Context::from_waker(&waker)), Poll::Pending);
        assert_eq!(first.clones(), 0);
        flag.notify();
        assert_eq!((first.wakes(), second.wakes()), (0, 1));
    }
}

#[cfg(all(test, kafka_loom))]
mod loom_tests {
    use std::future::poll_fn;

    use loom::future::block_on;
    use loom::thread;

    use super::*;
    use crate::sync::Arc;

    /// Threads add to a list and notify; the task waits until it has seen every entry. A lost wake-up is
    /// a deadlock, which loom reports.
    fn every_entry_is_seen(model: &loom::model::Builder, appends: &'static [&'static [u32]]) {
        model.check(move || {
            let shared = Arc::new((WakeFlag::new(), Mutex::new(0)));
            for entries in appends {
                let shared = shared.clone();
                thread::spawn(move || {
                    for entry in *entries {
                        *lock(&shared.1) += entry;
                        shared.0.notify();
                    }
                });
            }
            let mut missing = appends.iter().copied().flatten().sum::<u32>();
            while missing > 0 {
                block_on(poll_fn(|cx| shared.0.poll(cx)));
                missing -= std::mem::take(&mut *lock(&shared.1));
            }
        });
    }

    #[test]
    fn no_entry_of_one_thread_is_left_without_a_wake_up() {
        every_entry_is_seen(&loom::model::Builder::new(), &[&[1, 1]]);
    }

    #[test]
    fn no_entry_of_two_threads_is_left_without_a_wake_up() {
        // All orders of three threads take minutes; nearly all errors need two or three switches.
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(2);
        every_entry_is_seen(&model, &[&[1], &[1]]);
    }
}
