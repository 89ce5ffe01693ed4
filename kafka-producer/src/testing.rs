//! What the unit tests of several modules need.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// A waker that counts how often it was woken, and tells how many clones of it are alive.
pub(crate) struct CountingWaker(Arc<Count>);

struct Count(AtomicUsize);

impl CountingWaker {
    pub(crate) fn new() -> (Self, Waker) {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        (Self(count.clone()), Waker::from(count))
    }

    pub(crate) fn wakes(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn clones(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A time to begin with.
#[expect(clippy::disallowed_methods, reason = "there is no other way to an `Instant`")]
pub(crate) fn start() -> std::time::Instant {
    std::time::Instant::now()
}
