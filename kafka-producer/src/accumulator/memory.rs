//! `buffer.memory`: the hard limit on all bytes that a producer holds.
//!
//! ```text
//!           acquire             memory is free             polled
//! (caller) ─────────► waiting ─────────────────► granted ─────────► MemoryPermit
//!                        ▲                          │
//!                        └────── polled again ◄─────┘ two sweeps without a poll
//! ```
//! Bytes are taken in chunks, not for each record, so one short lock is enough. A grant counts as used
//! before its future takes it: nobody can take the bytes away in between.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock};

/// A number of bytes that is shared by all who hold a clone.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    shared: Arc<Shared>,
}

impl MemoryBudget {
    /// A budget of `total` bytes, all of them free.
    pub(crate) fn new(total: usize) -> Self {
        let shared = Shared {
            total,
            has_waiters: AtomicBool::new(false),
            has_grants: AtomicBool::new(false),
            line: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// All its bytes, free or not.
    pub(crate) fn total(&self) -> usize {
        self.shared.total
    }

    /// Bytes in permits and in grants.
    pub(crate) fn used(&self) -> usize {
        lock(&self.shared.line).used
    }

    /// A permit for no bytes, to be grown.
    pub(crate) fn nothing(&self) -> MemoryPermit {
        MemoryPermit { shared: self.shared.clone(), bytes: 0 }
    }

    /// Takes so many bytes, without waiting. `None` if they are not free, if others wait in line, or
    /// after [`close`](Self::close).
    pub(crate) fn try_acquire(&self, bytes: usize) -> Option<MemoryPermit> {
        let taken = lock(&self.shared.line).try_take(self.shared.total, bytes);
        taken.then(|| MemoryPermit { shared: self.shared.clone(), bytes })
    }

    /// Adds so many bytes to a permit, under the rules of [`try_acquire`](Self::try_acquire). Returns
    /// whether it did.
    pub(crate) fn try_grow(&self, permit: &mut MemoryPermit, bytes: usize) -> bool {
        debug_assert!(Arc::ptr_eq(&self.shared, &permit.shared), "a permit of another budget");
        let taken = lock(&self.shared.line).try_take(self.shared.total, bytes);
        if taken {
            permit.bytes += bytes;
        }
        taken
    }

    /// Takes so many bytes as soon as they are free: first come, first served. The place in line is
    /// taken now, not when the future is polled first: [`has_waiters`](Self::has_waiters) tells of it
    /// when this returns.
    ///
    /// # Errors
    /// After [`close`](Self::close), and at once for more than [`total`](Self::total), which will never
    /// be free: callers refuse that themselves.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the line, and gives back what was granted.
    pub(crate) fn acquire(&self, bytes: usize) -> Acquire {
        let possible = bytes <= self.shared.total;
        let ticket = self
            .shared
            .change(|line| (possible && !line.closed).then(|| line.join(Waiting::new(bytes))));
        Acquire { shared: self.shared.clone(), bytes, ticket }
    }

    /// Somebody found too few bytes and goes away, perhaps to ask again. Counts as a waiter until some
    /// bytes are given back.
    pub(crate) fn note_refused(&self) {
        self.shared.change(|line| line.has_refused = !line.closed);
    }

    /// Whether somebody is in line to whom nothing is granted yet, or was
    /// [refused](Self::note_refused) since bytes were given back last. Takes no lock.
    pub(crate) fn has_waiters(&self) -> bool {
        self.shared.has_waiters.load(Ordering::Acquire)
    }

    /// How many are in line to whom nothing is granted yet.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.shared.line).waiting.len()
    }

    /// Whether something is granted that its future has not taken yet. Takes no lock.
    pub(crate) fn has_grants(&self) -> bool {
        self.shared.has_grants.load(Ordering::Acquire)
    }

    /// Takes back what was granted before the last call of this and is still not taken. Its future is
    /// out of line until it is polled, and is the last in line then.
    ///
    /// To be called some milliseconds apart while there are [grants](Self::has_grants): a future that
    /// nobody polls must not keep the bytes from those behind it.
    pub(crate) fn revoke_stale_grants(&self) {
        self.shared.change(Line::revoke_stale_grants);
    }

    /// Fails all who wait, and whoever asks from now on. Permits stay what they are.
    pub(crate) fn close(&self) {
        let waiting = self.shared.change(Line::close);
        for waker in waiting.into_values().filter_map(|waiting| waiting.waker) {
            waker.wake();
        }
    }
}

/// Bytes of a [`MemoryBudget`] that are taken; given back when dropped.
#[derive(Debug)]
#[must_use = "dropping it gives the bytes back"]
pub(crate) struct MemoryPermit {
    shared: Arc<Shared>,
    bytes: usize,
}

impl MemoryPermit {
    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Moves so many of its bytes, at most all, into a permit of their own.
    pub(crate) fn split(&mut self, bytes: usize) -> Self {
        debug_assert!(bytes <= self.bytes, "split {bytes} bytes off {}", self.bytes);
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        Self { shared: self.shared.clone(), bytes }
    }

    /// Takes over the bytes of another permit of the same budget.
    pub(crate) fn merge(&mut self, mut other: Self) {
        debug_assert!(Arc::ptr_eq(&self.shared, &other.shared), "a permit of another budget");
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Gives back so many of its bytes, at most all.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        drop(self.split(bytes));
    }
}

impl Drop for MemoryPermit {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shared.change(|line| line.give_back(self.bytes));
        }
    }
}

/// A place in line for memory; made by [`MemoryBudget::acquire`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is polled"]
pub(crate) struct Acquire {
    shared: Arc<Shared>,
    bytes: usize,
    /// None if it was refused, or is done.
    ticket: Option<Ticket>,
}

impl Future for Acquire {
    type Output = Result<MemoryPermit, BudgetClosed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut ticket) = self.ticket else {
            return Poll::Ready(Err(BudgetClosed));
        };
        let (total, bytes) = (self.shared.total, self.bytes);
        // Whichever waker is left over is dropped at the end, outside the lock.
        let mut waker = Some(cx.waker().clone());
        let taken = self.shared.change(|line| {
            if line.closed {
                return Poll::Ready(false);
            }
            if line.granted.remove(&ticket).is_some() {
                return Poll::Ready(true);
            }
            if let Some(waiting) = line.waiting.get_mut(&ticket) {
                std::mem::swap(&mut waiting.waker, &mut waker);
                return Poll::Pending;
            }
            // Its grant was taken back.
            if line.try_take(total, bytes) {
                return Poll::Ready(true);
            }
            ticket = line.join(Waiting { bytes, waker: waker.take() });
            Poll::Pending
        });
        self.ticket = taken.is_pending().then_some(ticket);
        taken.map(|taken| {
            if !taken {
                return Err(BudgetClosed);
            }
            Ok(MemoryPermit { shared: self.shared.clone(), bytes })
        })
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            // Whoever is behind it may fit now: `change` serves them, grant or no grant.
            let _left = self.shared.change(|line| line.leave(ticket));
        }
    }
}

/// Nothing is granted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BudgetClosed;

#[derive(Debug)]
struct Shared {
    total: usize,
    /// Copies of what the line says, to be read without its lock.
    has_waiters: AtomicBool,
    has_grants: AtomicBool,
    line: Mutex<Line>,
}

impl Shared {
    /// Changes the line, serves whoever can be served then, and wakes them without the lock.
    ///
    /// Everything that frees bytes or shortens the line comes through here: no release can miss a
    /// waiter.
    fn change<R>(&self, change: impl FnOnce(&mut Line) -> R) -> R {
        let mut served = Vec::new();
        let result = {
            let mut line = lock(&self.line);
            let result = change(&mut line);
            line.serve(self.total, &mut served);
            debug_assert!(line.used <= self.total, "{} bytes of {}", line.used, self.total);
            let has_waiters = line.has_refused || !line.waiting.is_empty();
            self.has_waiters.store(has_waiters, Ordering::Release);
            self.has_grants.store(!line.granted.is_empty(), Ordering::Release);
            result
        };
        served.into_iter().for_each(Waker::wake);
        result
    }
}

/// Place in line: the lower, the earlier.
type Ticket = u64;

#[derive(Debug, Default)]
struct Line {
    /// Bytes in permits and in grants.
    used: usize,
    closed: bool,
    /// Somebody was refused since bytes were given back last.
    has_refused: bool,
    next_ticket: Ticket,
    waiting: BTreeMap<Ticket, Waiting>,
    granted: BTreeMap<Ticket, Grant>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    /// None before the first poll.
    waker: Option<Waker>,
}

impl Waiting {
    fn new(bytes: usize) -> Self {
        Self { bytes, waker: None }
    }
}

#[derive(Debug)]
struct Grant {
    bytes: usize,
    /// One sweep has seen it already.
    seen: bool,
}

impl Line {
    fn fits(&self, total: usize, bytes: usize) -> bool {
        bytes <= total - self.used
    }

    fn try_take(&mut self, total: usize, bytes: usize) -> bool {
        let free = !self.closed && self.waiting.is_empty() && self.fits(total, bytes);
        let free = free || is_broken!("memory_without_limit");
        if free {
            self.used += bytes;
        }
        free
    }

    fn give_back(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.used, "more given back than was taken");
        self.used -= bytes;
        self.has_refused &= bytes == 0;
    }

    fn join(&mut self, waiting: Waiting) -> Ticket {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, waiting);
        ticket
    }

    fn leave(&mut self, ticket: Ticket) -> Option<Waiting> {
        if let Some(grant) = self.granted.remove(&ticket) {
            self.give_back(grant.bytes);
        }
        self.waiting.remove(&ticket)
    }

    /// Grants from the front of the line, as far as the bytes reach. Who does not fit holds up those
    /// behind: large requests would starve otherwise.
    fn serve(&mut self, total: usize, served: &mut Vec<Waker>) {
        while let Some(first) = self.waiting.first_entry() {
            let bytes = first.get().bytes;
            if bytes > total - self.used {
                return;
            }
            let (ticket, waiting) = first.remove_entry();
            self.used += bytes;
            self.granted.insert(ticket, Grant { bytes, seen: false });
            served.extend(waiting.waker);
        }
    }

    fn revoke_stale_grants(&mut self) {
        let mut revoked = 0;
        self.granted.retain(|_, grant| {
            if grant.seen {
                revoked += grant.bytes;
            }
            !std::mem::replace(&mut grant.seen, true)
        });
        self.give_back(revoked);
    }

    fn close(&mut self) -> BTreeMap<Ticket, Waiting> {
        self.closed = true;
        let granted = std::mem::take(&mut self.granted);
        self.give_back(granted.values().map(|grant| grant.bytes).sum());
        std::mem::take(&mut self.waiting)
    }
}

#[cfg(all(test, kafka_loom))]
mod loom_tests;
#[cfg(all(test, not(kafka_loom)))]
mod tests;
