//! Compression: which batches are being compressed, and the memory that this takes.
//!
//! ```text
//!   raw ── memory for the result ──► sealing ──► sealed
//!    │  ▲                               │
//!    │  └── none: another one is done ──┘
//!    └───── none, and nothing is being compressed: it is sent as it is
//! ```
//! Body and result are both there for a while, so the result has memory of its own from the beginning.
//! Some is kept for that: full memory can always be emptied.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use kafka_protocol::records::{CompressionError, RecordBatchBody};

use crate::ProduceErrorKind;
use crate::accumulator::{MemoryBudget, MemoryPermit, ProducerBatch};
use crate::sender::Sender;
use crate::sender::event::{Action, BatchId};
use crate::sender::partitions::Seal;

/// What is being compressed, and what waits for it.
#[derive(Debug)]
pub(super) struct Seals {
    under_way: BTreeMap<BatchId, UnderWay>,
    /// How many of those are large.
    large: usize,
    /// Partitions with a batch that waits for memory, and the last one that got some.
    waiting: BTreeSet<usize>,
    last: usize,
    /// What results take when there is no other memory.
    pub(super) reserve: MemoryPermit,
}

#[derive(Debug)]
struct UnderWay {
    index: usize,
    is_large: bool,
    /// For the result; and for the body, if its batch has ended meanwhile.
    memory: MemoryPermit,
}

impl Seals {
    pub(super) fn new(reserve: MemoryPermit) -> Self {
        let (under_way, waiting) = (BTreeMap::new(), BTreeSet::new());
        Self { under_way, large: 0, waiting, last: 0, reserve }
    }

    /// What the reserve takes for batches of that size, out of so much memory.
    pub(super) fn reserve_for(largest_batch: usize, total: usize) -> usize {
        result_len_max(largest_batch).min(total / 8)
    }

    #[cfg(any(test, fuzzing))]
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Nobody wants any of them.
    pub(super) fn clear(&mut self) {
        (self.under_way, self.large) = (BTreeMap::new(), 0);
        self.waiting.clear();
    }

    /// A batch goes on in another partition.
    pub(super) fn move_to(&mut self, id: BatchId, index: usize) {
        if let Some(under_way) = self.under_way.get_mut(&id) {
            under_way.index = index;
        }
    }

    /// A batch ends while it is being compressed: its body lives until that is done.
    pub(super) fn keep_memory(&mut self, id: BatchId, batch: &mut ProducerBatch) {
        if let Some(under_way) = self.under_way.get_mut(&id) {
            under_way.memory.merge(batch.take_permit());
        }
    }

    /// Memory for a result, if there is some now.
    fn memory(
        &mut self,
        len: usize,
        budget: &MemoryBudget,
        large_max: usize,
    ) -> Option<MemoryPermit> {
        if is_large(len) && self.large >= large_max {
            return None;
        }
        let wanted = result_len_max(len);
        if self.reserve.bytes() >= wanted {
            return Some(self.reserve.split(wanted));
        }
        budget.try_acquire(wanted)
    }

    fn begin(&mut self, id: BatchId, index: usize, len: usize, memory: MemoryPermit) {
        let is_large = is_large(len);
        self.large += usize::from(is_large);
        self.under_way.insert(id, UnderWay { index, is_large, memory });
    }

    fn end(&mut self, id: BatchId) -> Option<(usize, MemoryPermit)> {
        let UnderWay { index, is_large, memory } = self.under_way.remove(&id)?;
        self.large -= usize::from(is_large);
        Some((index, memory))
    }

    /// Partitions take turns.
    fn next_waiting(&self) -> Option<usize> {
        let behind = self.waiting.range(self.last + 1..).next();
        behind.or_else(|| self.waiting.first()).copied()
    }
}

impl Sender {
    /// Takes one batch ahead of what can be sent, and has it compressed.
    pub(super) fn seal_ahead(&mut self, index: usize, queue_is_due: bool) {
        let Some(partition) = self.partition(index) else { return };
        let has_new = partition.waiting.iter().any(|taken| taken.batch.attempts == 0);
        if queue_is_due && !has_new {
            self.take_from_queue(index);
        }
        if !self.begin_sealing(index) {
            self.seals.waiting.insert(index);
        }
    }

    /// A body was compressed.
    pub(super) fn handle_sealed(
        &mut self,
        now: Instant,
        id: BatchId,
        body: Result<RecordBatchBody, CompressionError>,
    ) {
        let Some((index, mut memory)) = self.seals.end(id) else { return };
        if let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) {
            let at = partition.waiting.iter().position(|taken| taken.id == id);
            let taken = at.and_then(|at| partition.waiting.get_mut(at));
            match (taken, body) {
                (Some(taken), Ok(body)) => {
                    memory = taken.batch.seal(body, memory);
                    taken.seal = Seal::Sealed;
                }
                (Some(_), Err(error)) => {
                    if let Some(taken) = at.and_then(|at| partition.waiting.remove(at)) {
                        self.fail_batch(taken, ProduceErrorKind::Compression(error));
                    }
                }
                (None, _) => {}
            }
        }
        self.refill_seal_reserve(memory);
        self.evaluate(now, index);
        self.seal_waiting(now);
    }

    /// Goes on with what waited for memory.
    fn seal_waiting(&mut self, now: Instant) {
        while let Some(index) = self.seals.next_waiting() {
            if !self.begin_sealing(index) {
                return;
            }
            self.seals.waiting.remove(&index);
            self.seals.last = index;
            self.evaluate(now, index);
        }
    }

    /// Has the next batches of a partition compressed. `false` if one has to wait for memory.
    fn begin_sealing(&mut self, index: usize) -> bool {
        let large_max = self.config.large_seals_max;
        loop {
            let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
                return true;
            };
            let mut next = partition.waiting.iter_mut().take(SEALED_AHEAD);
            let Some(taken) = next.find(|taken| taken.seal == Seal::Raw) else { return true };
            let len = taken.batch.body.len();
            match self.seals.memory(len, self.accumulator.budget(), large_max) {
                Some(memory) => {
                    taken.seal = Seal::Sealing;
                    self.seals.begin(taken.id, index, len, memory);
                    let body = taken.batch.body.clone();
                    self.actions.push_back(Action::Seal { batch: taken.id, body });
                }
                // Nobody would give any back: it must not wait for what it holds itself.
                None if self.seals.under_way.is_empty() => taken.seal = Seal::Sealed,
                None => return false,
            }
        }
    }

    /// Puts memory back into the reserve; what is more than that is free.
    fn refill_seal_reserve(&mut self, mut memory: MemoryPermit) {
        let total = self.accumulator.budget().total();
        let wanted = Seals::reserve_for(self.largest_batch(), total);
        let missing = wanted.saturating_sub(self.seals.reserve.bytes());
        self.seals.reserve.merge(memory.split(missing.min(memory.bytes())));
    }
}

/// Most bytes that the compressed form of so many bytes takes: with snappy, if they do not compress.
fn result_len_max(len: usize) -> usize {
    len + len / 6 + 1024
}

fn is_large(len: usize) -> bool {
    len > SMALL_BODY
}

/// A body that is compressed faster than another thread takes it over.
pub(crate) const SMALL_BODY: usize = 4 * 1024;
/// Batches of a partition that are compressed or being compressed before they can be sent.
const SEALED_AHEAD: usize = 2;
