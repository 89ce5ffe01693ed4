//! What became of accepted records: one [`OutcomeCell`] a batch, one [`Delivery`] a record.
//!
//! A batch is almost always resolved in one go. What the first call resolves is kept where it is read
//! without a lock; what later calls add, after a split or for single bad records, is in a list under the
//! lock. The cell has no reference to the batch: to keep a `Delivery` keeps no record bytes.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::callbacks::{Callback, DueCallbacks, PendingCallback};
use crate::sync::{Arc, Mutex, OnceLock, lock};
use crate::{ProduceError, RecordMetadata};
use outcome::Parts;
pub(crate) use outcome::{Outcome, Part, RecordFacts};
use waiters::{Slot, Waiters};

mod outcome;
mod waiters;

/// What becomes of one record: a future that gives its place in the log, or says why it failed.
///
/// Polled again after it is ready, it gives the same result. It may be dropped: the record is sent all
/// the same. It holds no record bytes.
///
/// # Cancel safety
/// Waiting may stop and go on at any time; nothing is lost.
pub struct Delivery {
    cell: Arc<OutcomeCell>,
    // The facts of the record one by one: as a struct they would take 8 bytes more.
    timestamp: i64,
    index: u32,
    key_size: i32,
    value_size: i32,
    /// Where its waker is, if it has one in the cell.
    slot: Option<Slot>,
}

impl Delivery {
    /// The delivery of record `index` of a batch. To be made once for each record.
    #[inline(always)]
    pub(crate) fn new(
        cell: Arc<OutcomeCell>,
        index: u32,
        timestamp: i64,
        key_size: Option<usize>,
        value_size: Option<usize>,
    ) -> Self {
        let record = RecordFacts::new(index, timestamp, key_size, value_size);
        let RecordFacts { timestamp, index, key_size, value_size } = record;
        Self { cell, timestamp, index, key_size, value_size, slot: None }
    }

    /// Topic of the record.
    pub fn topic(&self) -> &str {
        &self.cell.topic
    }

    /// Partition of the record.
    pub fn partition(&self) -> i32 {
        self.cell.partition
    }

    /// Whether the result is there.
    pub fn is_done(&self) -> bool {
        self.cell.with_part(self.index, |part| part.is_some())
    }

    /// The result, if it is there; does not wait.
    pub fn try_result(&self) -> Option<Result<RecordMetadata, ProduceError>> {
        self.cell.with_part(self.index, |part| Some(self.result(part?)))
    }

    fn result(&self, part: &Part) -> Result<RecordMetadata, ProduceError> {
        let &Self { timestamp, index, key_size, value_size, .. } = self;
        let record = RecordFacts { timestamp, index, key_size, value_size };
        part.result(&self.cell.topic, self.cell.partition, record)
    }
}

impl Future for Delivery {
    type Output = Result<RecordMetadata, ProduceError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(part) = this.cell.first_part(this.index) {
            // Whoever resolves a record takes its waker: the slot is not ours any more.
            this.slot = None;
            return Poll::Ready(this.result(part));
        }
        // Cloned before the lock, and the one that it replaces is dropped after it.
        let waker = cx.waker().clone();
        let replaced = {
            let mut state = lock(&this.cell.state);
            if let Some(part) = this.cell.parts(&state).find(this.index) {
                this.slot = None;
                return Poll::Ready(this.result(part));
            }
            let (slot, replaced) = state.waiters.register(this.slot, this.index, waker);
            this.slot = Some(slot);
            replaced
        };
        drop(replaced);
        Poll::Pending
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            // In a statement of its own: the waker is dropped without the lock.
            let _waker = lock(&self.cell.state).waiters.remove(slot, self.index);
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("topic", &self.topic())
            .field("partition", &self.partition())
            .field("result", &self.try_result())
            .finish_non_exhaustive()
    }
}

/// The outcomes of a batch's records, each given once.
pub(crate) struct OutcomeCell {
    topic: Arc<str>,
    partition: i32,
    /// What the first call resolved. Set under the lock of `state`, read without.
    first: OnceLock<Part>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What later calls resolved: sorted, no record twice, none that is in `first`.
    rest: Vec<Part>,
    waiters: Waiters,
    /// In the order of their records.
    callbacks: Vec<PendingCallback>,
}

impl OutcomeCell {
    /// A cell of a batch for this partition, none of whose records is resolved.
    pub(crate) fn new(topic: Arc<str>, partition: i32) -> Arc<Self> {
        let (first, state) = (OnceLock::new(), Mutex::new(State::default()));
        Arc::new(Self { topic, partition, first, state })
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn partition(&self) -> i32 {
        self.partition
    }

    #[cfg(test)]
    pub(crate) fn delivery(
        self: &Arc<Self>,
        index: u32,
        timestamp: i64,
        key_size: Option<usize>,
        value_size: Option<usize>,
    ) -> Delivery {
        Delivery::new(Arc::clone(self), index, timestamp, key_size, value_size)
    }

    /// Keeps a callback for record `index`. Only while the batch is open, and so not resolved.
    pub(crate) fn add_callback(
        &self,
        index: u32,
        timestamp: i64,
        key_size: Option<usize>,
        value_size: Option<usize>,
        callback: Callback,
    ) {
        let record = RecordFacts::new(index, timestamp, key_size, value_size);
        let pending = PendingCallback { record, callback };
        let mut state = lock(&self.state);
        debug_assert!(self.parts(&state).find(index).is_none(), "record {index} is resolved");
        // Nearly always the end: records are appended one after the other.
        let at = state.callbacks.partition_point(|other| other.record.index <= index);
        state.callbacks.insert(at, pending);
    }

    /// What the callbacks of these records take that nobody has taken yet.
    pub(crate) fn callback_memory(&self, records: &Range<u32>) -> usize {
        let state = lock(&self.state);
        let (start, end) = state.callbacks_of(records);
        let due = state.callbacks.get(start..end).unwrap_or_default();
        due.iter().map(|due| due.callback.memory()).sum()
    }

    /// Gives these records their outcome, except those that have one, and wakes who waits for them.
    /// `first_offset` of the outcome is the offset of record `records.start`.
    ///
    /// Returns the callbacks that are due now, to be run where they may take their time.
    pub(crate) fn resolve(&self, records: Range<u32>, outcome: &Outcome) -> DueCallbacks {
        let mut due = DueCallbacks::new(self.topic.clone(), self.partition);
        let mut wakers = Vec::new();
        let mut state = lock(&self.state);
        let mut from = records.start;
        while let Some(gap) = self.parts(&state).next_gap(from..records.end) {
            from = gap.end;
            let part = Part::new(gap.clone(), outcome.skip(gap.start - records.start));
            due.add(&part, state.take_callbacks(&gap));
            state.waiters.take(&gap, &mut wakers);
            if let Err(part) = self.first.set(part) {
                state.insert(part);
            }
        }
        drop(state);
        for waker in wakers {
            waker.wake();
        }
        due
    }

    /// Whether each of these records has its outcome.
    #[cfg(test)]
    pub(crate) fn is_resolved(&self, records: Range<u32>) -> bool {
        self.parts(&lock(&self.state)).next_gap(records).is_none()
    }

    /// What resolved this record, if the first call did. Takes no lock.
    fn first_part(&self, index: u32) -> Option<&Part> {
        self.first.get().filter(|part| part.records.contains(&index))
    }

    /// Looks at what resolved this record. Takes the lock only if the first call did not, but another
    /// may have.
    fn with_part<R>(&self, index: u32, look: impl FnOnce(Option<&Part>) -> R) -> R {
        let first = self.first.get();
        if first.is_none_or(|part| part.records.contains(&index)) {
            return look(first);
        }
        let state = lock(&self.state);
        look(self.parts(&state).find(index))
    }

    fn parts<'a>(&'a self, state: &'a State) -> Parts<'a> {
        Parts { first: self.first.get(), rest: &state.rest }
    }
}

impl State {
    fn take_callbacks(&mut self, records: &Range<u32>) -> Vec<PendingCallback> {
        let (start, end) = self.callbacks_of(records);
        if end - start == self.callbacks.len() {
            return std::mem::take(&mut self.callbacks);
        }
        self.callbacks.drain(start..end).collect()
    }

    /// Where the callbacks of these records are in the list.
    fn callbacks_of(&self, records: &Range<u32>) -> (usize, usize) {
        let position = |index| self.callbacks.partition_point(|due| due.record.index < index);
        (position(records.start), position(records.end))
    }

    fn insert(&mut self, part: Part) {
        let at = self.rest.partition_point(|other| other.records.start < part.records.start);
        self.rest.insert(at, part);
    }
}

impl fmt::Debug for OutcomeCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutcomeCell")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("first", &self.first.get())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, kafka_loom))]
mod loom_tests;
#[cfg(all(test, not(kafka_loom)))]
mod tests;
