//! The records of one partition that are not the sender's yet.
//!
//! ```text
//!   append ─► open batch ──(cannot grow any more)──► closed batches ─► pop ─► the sender
//!                  └──────────────── pop closes it ──────────────────► pop ─► the sender
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::records::{ChunkPool, RecordBatchBuilder};

use crate::accumulator::batch::{Accepted, BATCH_OVERHEAD, OpenBatch, ProducerBatch};
use crate::accumulator::ready::ReadyList;
use crate::accumulator::{MemoryBudget, MemoryPermit, Now, Time};
use crate::callbacks::Callback;
use crate::delivery::OutcomeCell;
use crate::record::Record;
use crate::sync::{AtomicBool, AtomicUsize, Mutex, MutexGuard, Ordering, lock};

/// Which queue: a dense number, and how often it was given before. A number is used again when its
/// topic is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct QueueId {
    pub(crate) index: usize,
    pub(crate) generation: u32,
}

/// Whether records may be added, and to which transaction they belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionGate {
    /// To this one; without transactions it is 0 for ever.
    Open(u64),
}

/// Why a queue takes no more records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueueClosed {
    /// The topic is gone or was created again: a newer snapshot says where records go.
    Replaced,
    /// The producer was closed.
    ProducerClosed,
    /// Nobody is there to send them.
    DriverEnded(Arc<str>),
}

/// What appending keeps to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// A batch of that many bytes is ready to be sent (`batch.size`).
    pub(crate) ready_size: usize,
    /// Most bytes of a batch, uncompressed.
    pub(crate) size_max: usize,
    /// An older batch takes no more records.
    pub(crate) age_max: Duration,
}

/// Where a batch gets its memory: what it may take, and the chunks themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory<'a> {
    pub(crate) budget: &'a MemoryBudget,
    pub(crate) chunks: &'a ChunkPool,
}

/// What [`PartitionQueue::append`] did.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) accepted: Accepted,
    /// Bytes that the queue grew by, a batch header included.
    pub(crate) bytes: usize,
    /// The open batch is large enough to be sent.
    pub(crate) is_ready: bool,
    /// A batch was opened.
    pub(crate) is_new: bool,
    /// The queue is on the list since now: the sender is to be woken.
    pub(crate) is_listed: bool,
}

/// Why [`PartitionQueue::append`] did nothing.
#[derive(Debug)]
pub(crate) enum QueueRefusal {
    Closed(QueueClosed),
    TransactionEnded,
    /// So many bytes have to be granted first.
    Memory(usize),
    /// The record can be in no batch.
    Record(kafka_protocol::records::AppendError),
}

/// What the sender sees of a queue without taking anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueStatus {
    /// When the oldest batch was opened.
    pub(crate) oldest: Instant,
    /// The oldest batch is as large as it should be, or cannot grow.
    pub(crate) is_full: bool,
}

/// The queue of one partition.
pub(crate) struct PartitionQueue {
    id: QueueId,
    topic: Arc<str>,
    partition: i32,
    /// On the list of queues that the sender has to look at.
    is_listed: AtomicBool,
    /// Bytes of all batches, for those who choose a partition.
    bytes: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    closed: Option<QueueClosed>,
    gate: TransactionGate,
    /// Closed batches, oldest first; all older than the open one.
    full: VecDeque<ProducerBatch>,
    open: Option<OpenBatch>,
    /// Bytes of the last batch, and so perhaps of the next one.
    expected: usize,
}

impl PartitionQueue {
    pub(crate) fn new(id: QueueId, topic: Arc<str>, partition: i32, gate: TransactionGate) -> Self {
        let state = State { closed: None, gate, full: VecDeque::new(), open: None, expected: 0 };
        Self {
            id,
            topic,
            partition,
            is_listed: AtomicBool::new(false),
            bytes: AtomicUsize::new(0),
            state: Mutex::new(state),
        }
    }

    /// Adds a record if the open batch takes it and has memory for it already. Otherwise nothing happens.
    #[inline(always)]
    pub(crate) fn append_in_place(
        self: &Arc<Self>,
        now: Now,
        record: &Record<'_>,
        limits: &BatchLimits,
        ready: &ReadyList,
    ) -> Option<Queued> {
        let mut state = lock(&self.state);
        let TransactionGate::Open(generation) = state.gate;
        let is_closed = state.closed.is_some();
        let batch = state.open.as_mut().filter(|batch| batch.is_open_to(generation, now.monotonic));
        let batch = batch.filter(|_| !is_closed)?;
        let before = batch.len();
        let timestamp = record.timestamp.unwrap_or(now.timestamp_ms);
        let accepted = batch.append_in_place(timestamp, record, limits.size_max)?;
        let after = batch.len();
        let is_listed =
            after >= limits.ready_size && before < limits.ready_size && ready.push(self);
        Some(self.queued(&state, accepted, before, after, limits, is_listed))
    }

    /// Adds a record.
    ///
    /// `permit` is memory that was granted to this record; it is used up or left as it was. If there is
    /// news for the sender the queue is on the `ready` list before its lock is free: whoever appends or
    /// closes after that, and wants the sender to see it, can rely on it.
    pub(crate) fn append(
        self: &Arc<Self>,
        time: &impl Time,
        record: &Record<'_>,
        attempt: &mut Attempt,
        limits: &BatchLimits,
        memory: Memory<'_>,
        ready: &ReadyList,
    ) -> Result<Queued, QueueRefusal> {
        let now = time.about();
        let timestamp = record.timestamp.unwrap_or(now.timestamp_ms);
        let mut state = lock(&self.state);
        if let Some(closed) = &state.closed {
            return Err(QueueRefusal::Closed(closed.clone()));
        }
        let TransactionGate::Open(generation) = state.gate;
        if *attempt.generation.get_or_insert(generation) != generation {
            return Err(QueueRefusal::TransactionEnded);
        }
        let place = Place { timestamp, now: now.monotonic, generation, limits, memory };
        let is_closed = state.close_unfit(&place, record, attempt).map_err(QueueRefusal::Memory)?;
        // Whatever becomes of the record: the batch before it is complete.
        let was_listed = is_closed && ready.push(self);
        let opened = match &state.open {
            Some(_) => None,
            None => Some(self.open(&place, record, attempt, state.expected, time.exactly())?),
        };
        let is_new = opened.is_some();
        // Kept only if the record gets in: a batch is never empty.
        let batch = match opened {
            Some(batch) => state.open.insert(batch),
            None => state.open.as_mut().ok_or(QueueRefusal::Memory(0))?,
        };
        let before = if is_new { 0 } else { batch.len() };
        let appended = batch.append(timestamp, record, &mut attempt.callback);
        let after = batch.len();
        if appended.is_err() && is_new {
            state.open = None;
        }
        let accepted = appended.map_err(QueueRefusal::Record)?;
        let is_news = is_new || (after >= limits.ready_size && before < limits.ready_size);
        let is_listed = is_news && ready.push(self) || was_listed;
        Ok(self.queued(&state, accepted, before, after, limits, is_listed))
    }

    /// Takes the oldest batch, which closes it. It never comes back.
    pub(crate) fn pop(&self) -> Option<ProducerBatch> {
        let mut state = lock(&self.state);
        let batch = state.full.pop_front();
        let batch = batch.or_else(|| state.close_open())?;
        let bytes = self.bytes().saturating_sub(batch.uncompressed_len);
        self.set_bytes(&state, bytes);
        Some(batch)
    }

    /// What is there, if there is a batch.
    pub(crate) fn status(&self, ready_size: usize) -> Option<QueueStatus> {
        let state = lock(&self.state);
        if let Some(batch) = state.full.front() {
            return Some(QueueStatus { oldest: batch.created, is_full: true });
        }
        let batch = state.open.as_ref()?;
        let is_full = batch.len() >= ready_size;
        Some(QueueStatus { oldest: batch.created(), is_full })
    }

    /// Refuses records from now on. What is there can still be taken.
    pub(crate) fn close(&self, why: QueueClosed) {
        lock(&self.state).closed = Some(why);
    }

    /// Refuses records from now on, if nothing is there. Says whether it does.
    pub(crate) fn close_if_empty(&self, why: QueueClosed) -> bool {
        let mut state = lock(&self.state);
        let is_empty = state.open.is_none() && state.full.is_empty();
        if is_empty && state.closed.is_none() {
            state.closed = Some(why);
        }
        is_empty
    }

    /// Takes records again after [`close_if_empty`](Self::close_if_empty).
    pub(crate) fn reopen(&self) {
        lock(&self.state).closed.take_if(|why| *why == QueueClosed::Replaced);
    }

    /// Bytes that wait here. May be a little out of date.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn id(&self) -> QueueId {
        self.id
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    pub(crate) fn partition(&self) -> i32 {
        self.partition
    }

    /// Whether somebody holds its lock.
    #[cfg(all(test, not(kafka_loom)))]
    pub(super) fn is_locked(&self) -> bool {
        self.state.try_lock().is_err()
    }

    #[cfg(all(test, not(kafka_loom)))]
    pub(super) fn is_listed(&self) -> bool {
        self.is_listed.load(Ordering::Acquire)
    }

    /// `true` if it was not on the list before.
    pub(super) fn mark_listed(&self) -> bool {
        !self.is_listed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn unmark_listed(&self) {
        self.is_listed.store(false, Ordering::Release);
    }
}

impl PartitionQueue {
    /// Opens a batch; with less memory than the last one took, if there is no more.
    fn open(
        &self,
        place: &Place<'_>,
        record: &Record<'_>,
        attempt: &mut Attempt,
        expected: usize,
        created: Instant,
    ) -> Result<OpenBatch, QueueRefusal> {
        let Memory { budget, chunks } = place.memory;
        let mut builder = RecordBatchBuilder::with_pool(chunks.clone(), expected);
        let mut permit = attempt.take_permit(record, &builder, budget);
        if permit.is_err() {
            builder = RecordBatchBuilder::with_pool(chunks.clone(), 0);
            permit = attempt.take_permit(record, &builder, budget);
        }
        let permit = permit.map_err(QueueRefusal::Memory)?;
        let cell = OutcomeCell::new(Arc::clone(&self.topic), self.partition);
        let closes_at = created.checked_add(place.limits.age_max);
        Ok(OpenBatch::new(builder, permit, cell, created, closes_at, place.generation))
    }

    /// What an append did that took the open batch from `before` bytes to `after`.
    #[inline(always)]
    fn queued(
        &self,
        state: &MutexGuard<'_, State>,
        accepted: Accepted,
        before: usize,
        after: usize,
        limits: &BatchLimits,
        is_listed: bool,
    ) -> Queued {
        let (bytes, is_ready) = (after - before, after >= limits.ready_size);
        self.set_bytes(state, self.bytes() + bytes);
        Queued { accepted, bytes, is_ready, is_new: before == 0, is_listed }
    }

    /// Others only read it: whoever changes it has the lock.
    #[inline(always)]
    fn set_bytes(&self, _state: &MutexGuard<'_, State>, bytes: usize) {
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

/// What does not change while one record is appended.
struct Place<'a> {
    timestamp: i64,
    now: Instant,
    generation: u64,
    limits: &'a BatchLimits,
    memory: Memory<'a>,
}

impl State {
    /// Closes the open batch, if there is one.
    fn close_open(&mut self) -> Option<ProducerBatch> {
        let batch = self.open.take()?;
        self.expected = batch.len();
        Some(batch.close())
    }

    /// Closes the open batch if this record cannot be added to it. Says whether it did.
    ///
    /// Without memory for it to grow it stays open, and how much the record needs is the error: where
    /// memory is always full, batches would otherwise stay as small as the first one that found none.
    /// The batch is closed, since a new one may do with less, if the record has waited already or if
    /// that is much of all memory.
    fn close_unfit(
        &mut self,
        place: &Place<'_>,
        record: &Record<'_>,
        attempt: &mut Attempt,
    ) -> Result<bool, usize> {
        let Some(batch) = &mut self.open else { return Ok(false) };
        let len = batch.record_len(place.timestamp, record);
        let len = len.filter(|len| batch.len() + len <= place.limits.size_max);
        if let Some(len) = len.filter(|_| batch.is_open_to(place.generation, place.now)) {
            if attempt.grow(batch, len, place.memory.budget) {
                return Ok(false);
            }
            let missing = batch.memory_missing(len, attempt.callback_memory());
            if attempt.permit.is_none() && missing <= place.memory.budget.total() / 8 {
                let least = attempt.batch_memory(record, &RecordBatchBuilder::new());
                return Err(missing.max(least));
            }
        }
        let closed = self.close_open();
        self.full.extend(closed);
        Ok(true)
    }
}

impl fmt::Debug for PartitionQueue {
    /// Without the lock: a debug line must not wait for an appender.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes();
        write!(f, "PartitionQueue({}-{}, {bytes} bytes)", self.topic, self.partition)
    }
}

/// What one `send` carries from one attempt at appending to the next.
#[derive(Default)]
pub(crate) struct Attempt {
    /// The transaction in which the send began.
    generation: Option<u64>,
    /// Memory that was granted after an attempt found none.
    pub(crate) permit: Option<MemoryPermit>,
    /// What the user's partitioner chose: it is asked once, however long the send waits.
    pub(crate) chosen: Option<i32>,
    /// To be run with the outcome.
    pub(crate) callback: Option<Callback>,
}

impl Attempt {
    pub(crate) fn with_callback(callback: Option<Callback>) -> Self {
        Self { callback, ..Self::default() }
    }

    /// Nothing is known of the record but the record.
    pub(super) fn is_fresh(&self) -> bool {
        self.generation.is_none() && self.permit.is_none() && self.callback.is_none()
    }

    /// Memory that is enough for the record in a batch that is new.
    fn batch_memory(&self, record: &Record<'_>, builder: &RecordBatchBuilder) -> usize {
        let len = record_size_max(record);
        BATCH_OVERHEAD + builder.memory_needed(len) + self.callback_memory()
    }

    fn callback_memory(&self) -> usize {
        self.callback.as_ref().map_or(0, Callback::memory)
    }

    /// A permit for a new batch: the one that was granted, or one that is free now. Otherwise how
    /// much has to be granted.
    fn take_permit(
        &mut self,
        record: &Record<'_>,
        builder: &RecordBatchBuilder,
        budget: &MemoryBudget,
    ) -> Result<MemoryPermit, usize> {
        let needed = self.batch_memory(record, builder);
        let permit = self.permit.take_if(|permit| permit.bytes() >= needed);
        permit.or_else(|| budget.try_acquire(needed)).ok_or(needed)
    }

    /// Sees to it that the batch may hold a record of that length too, if there is memory for it.
    fn grow(&mut self, batch: &mut OpenBatch, len: usize, budget: &MemoryBudget) -> bool {
        let missing = batch.memory_missing(len, self.callback_memory());
        if missing == 0 {
            return true;
        }
        if let Some(granted) = self.permit.take_if(|permit| permit.bytes() >= missing) {
            batch.permit().merge(granted);
            return true;
        }
        budget.try_grow(batch.permit(), missing)
    }
}

/// Most bytes that a record takes in a batch, whatever its place there.
pub(crate) fn record_size_max(record: &Record<'_>) -> usize {
    let len = |bytes: Option<&[u8]>| VARINT_MAX + bytes.map_or(0, <[u8]>::len);
    let headers = record.headers.iter();
    let headers: usize = headers.map(|h| VARINT_MAX + h.key.len() + len(h.value)).sum();
    RECORD_OVERHEAD + len(record.key) + len(record.value) + VARINT_MAX + headers
}

/// Length, attributes, and the deltas of timestamp and offset (`DefaultRecord.MAX_RECORD_OVERHEAD`).
const RECORD_OVERHEAD: usize = 21;
const VARINT_MAX: usize = 5;
