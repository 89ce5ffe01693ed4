//! One batch of one partition: open while records are added, then the sender's.

use std::ops::Range;
use std::time::Instant;

use kafka_protocol::records::{AppendError, RecordBatch, RecordBatchBody, RecordBatchBuilder};

use crate::ProduceError;
use crate::accumulator::MemoryPermit;
use crate::callbacks::Callback;
use crate::callbacks::CallbackRunner;
use crate::delivery::{Delivery, Outcome, OutcomeCell};
use crate::error::{DRIVER_DIED, ProduceErrorKind, ProduceFailure};
use crate::record::Record;
use crate::sync::Arc;

/// A record in its batch. Small enough to stay in registers on its way to whoever makes a
/// [`Delivery`] of it.
#[derive(Debug)]
pub(crate) struct Accepted {
    cell: Arc<OutcomeCell>,
    index: u32,
    timestamp: i64,
}

impl Accepted {
    /// What becomes of the record.
    #[inline(always)]
    pub(crate) fn delivery(self, record: &Record<'_>) -> Delivery {
        let (key, value) = (record.key.map(<[u8]>::len), record.value.map(<[u8]>::len));
        Delivery::new(self.cell, self.index, self.timestamp, key, value)
    }
}

/// A batch that takes records.
#[derive(Debug)]
pub(super) struct OpenBatch {
    builder: RecordBatchBuilder,
    permit: MemoryPermit,
    cell: Arc<OutcomeCell>,
    created: Instant,
    /// It takes no more records from then on; without a value it always does.
    closes_at: Option<Instant>,
    generation: u64,
    /// Bytes that its callbacks take.
    callbacks: usize,
    record_size_max: usize,
}

impl OpenBatch {
    pub(super) fn new(
        builder: RecordBatchBuilder,
        permit: MemoryPermit,
        cell: Arc<OutcomeCell>,
        created: Instant,
        closes_at: Option<Instant>,
        generation: u64,
    ) -> Self {
        let (callbacks, record_size_max) = (0, 0);
        Self { builder, permit, cell, created, closes_at, generation, callbacks, record_size_max }
    }

    /// Bytes of the batch on the wire, uncompressed.
    pub(super) fn len(&self) -> usize {
        BATCH_HEADER + self.builder.len()
    }

    pub(super) fn created(&self) -> Instant {
        self.created
    }

    /// Whether it takes records of this transaction at this time.
    #[inline(always)]
    pub(super) fn is_open_to(&self, generation: u64, now: Instant) -> bool {
        self.generation == generation && self.closes_at.is_none_or(|at| now < at)
    }

    /// Bytes that the record would add; `None` if a batch can never be that long.
    pub(super) fn record_len(&self, timestamp: i64, record: &Record<'_>) -> Option<usize> {
        let len =
            self.builder.record_len(timestamp, record.key, record.value, record.headers).ok()?;
        Some(len)
    }

    /// Memory that has to be granted before a record of that length is appended.
    pub(super) fn memory_missing(&self, len: usize, callback: usize) -> usize {
        let chunks = self.builder.memory() + self.builder.memory_needed(len);
        let wanted = BATCH_OVERHEAD + chunks + self.callbacks + callback;
        wanted.saturating_sub(self.permit.bytes())
    }

    pub(super) fn permit(&mut self) -> &mut MemoryPermit {
        &mut self.permit
    }

    /// Adds a record for which there is memory already, if the batch stays within `size_max` bytes.
    #[inline(always)]
    pub(super) fn append_in_place(
        &mut self,
        timestamp: i64,
        record: &Record<'_>,
        size_max: usize,
    ) -> Option<Accepted> {
        let before = self.builder.len();
        let &Record { key, value, headers, .. } = record;
        let len_max = size_max.checked_sub(BATCH_HEADER)?;
        let index = self.builder.append_in_place(timestamp, key, value, headers, len_max)?;
        self.record_size_max = self.record_size_max.max(self.builder.len() - before);
        Some(Accepted { cell: Arc::clone(&self.cell), index, timestamp })
    }

    /// Adds a record, whose memory was granted.
    ///
    /// # Errors
    /// If it does not fit into any batch; nothing has changed then.
    pub(super) fn append(
        &mut self,
        timestamp: i64,
        record: &Record<'_>,
        callback: &mut Option<Callback>,
    ) -> Result<Accepted, AppendError> {
        let before = self.builder.len();
        let index = self.builder.append(timestamp, record.key, record.value, record.headers)?;
        self.record_size_max = self.record_size_max.max(self.builder.len() - before);
        if let Some(callback) = callback.take() {
            let (key, value) = (record.key.map(<[u8]>::len), record.value.map(<[u8]>::len));
            self.callbacks += callback.memory();
            self.cell.add_callback(index, timestamp, key, value, callback);
        }
        Ok(Accepted { cell: Arc::clone(&self.cell), index, timestamp })
    }

    /// Ends the batch: nothing can be added any more.
    pub(super) fn close(self) -> ProducerBatch {
        let Self { builder, mut permit, cell, created, generation, .. } = self;
        let (callbacks, record_size_max) = (self.callbacks, self.record_size_max);
        let body = builder.finish();
        let callback_permit = (callbacks > 0).then(|| permit.split(callbacks.min(permit.bytes())));
        let records = 0..u32::try_from(body.record_count()).unwrap_or(0);
        ProducerBatch {
            uncompressed_len: BATCH_HEADER + body.len(),
            record_size_max,
            body,
            created,
            generation,
            attempts: 0,
            may_have_been_written: false,
            is_split: false,
            permit,
            callback_permit,
            records,
            is_complete: false,
            cell,
        }
    }
}

/// A closed batch. It belongs to the sender until every record of it has an outcome.
///
/// Dropped without one, its records fail: nobody waits for ever.
#[derive(Debug)]
pub(crate) struct ProducerBatch {
    pub(crate) body: RecordBatchBody,
    pub(crate) created: Instant,
    /// The transaction that the records belong to.
    pub(crate) generation: u64,
    /// Requests that carried it.
    pub(crate) attempts: u32,
    /// A request that carried it may have been acted on. Never becomes false again.
    pub(crate) may_have_been_written: bool,
    pub(crate) uncompressed_len: usize,
    /// Bytes of its largest record, uncompressed; of a part, of the whole batch.
    pub(crate) record_size_max: usize,
    /// It is a part of one that was too large.
    pub(crate) is_split: bool,
    permit: MemoryPermit,
    callback_permit: Option<MemoryPermit>,
    /// Its records, as the cell counts them.
    records: Range<u32>,
    is_complete: bool,
    cell: Arc<OutcomeCell>,
}

impl ProducerBatch {
    /// Number of records.
    pub(crate) fn record_count(&self) -> u32 {
        self.records.end - self.records.start
    }

    /// Its first record, as the batch counts that the records were appended to.
    pub(crate) fn first_record(&self) -> u32 {
        self.records.start
    }

    pub(crate) fn topic(&self) -> &Arc<str> {
        self.cell.topic()
    }

    pub(crate) fn partition(&self) -> i32 {
        self.cell.partition()
    }

    /// Whether its records have their outcome; it is kept for its memory alone then.
    pub(crate) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Takes the compressed body, and the memory that was kept for it. Returns what it does not need.
    pub(crate) fn seal(&mut self, body: RecordBatchBody, memory: MemoryPermit) -> MemoryPermit {
        self.body = body;
        self.permit.merge(memory);
        let needed = BATCH_OVERHEAD + self.body.len();
        self.permit.split(self.permit.bytes().saturating_sub(needed))
    }

    /// Its memory, for somebody who holds its body longer.
    pub(crate) fn take_permit(&mut self) -> MemoryPermit {
        self.permit.split(self.permit.bytes())
    }

    /// The outcome of all its records. The memory stays with the batch until it is dropped.
    pub(crate) fn complete(&mut self, outcome: Outcome) -> Completion {
        self.is_complete = true;
        if is_broken!("memory_returned_at_expiry") {
            self.permit.shrink(self.permit.bytes());
        }
        let permit = self.callback_permit.take();
        self.completion(self.records.clone(), outcome, permit)
    }

    /// The outcome of the record at `index` alone. [`complete`](Self::complete) the others after that.
    pub(crate) fn complete_one(&mut self, index: u32, outcome: Outcome) -> Completion {
        let at = self.records.start.saturating_add(index).min(self.records.end);
        let end = at.saturating_add(1).min(self.records.end);
        let permit = self.callback_share(&(at..end));
        self.completion(at..end, outcome, permit)
    }

    fn completion(
        &self,
        records: Range<u32>,
        outcome: Outcome,
        permit: Option<MemoryPermit>,
    ) -> Completion {
        Completion { cell: Arc::clone(&self.cell), records, outcome: Some(outcome), permit }
    }

    /// What the callbacks of these records hold, taken out of what all of them do.
    fn callback_share(&mut self, records: &Range<u32>) -> Option<MemoryPermit> {
        let all = self.callback_permit.as_mut()?;
        let share = self.cell.callback_memory(records);
        Some(all.split(share.min(all.bytes())))
    }

    /// The error of its records, with what is known of its attempts.
    pub(crate) fn error(&self, kind: ProduceErrorKind) -> ProduceError {
        ProduceError::new(ProduceFailure {
            topic: Arc::clone(self.topic()),
            partition: self.partition(),
            attempts: self.attempts,
            may_have_been_written: self.may_have_been_written,
            kind,
        })
    }

    /// Its records in batches of about `target` bytes; at least one record each. The one place where
    /// a record is encoded again.
    ///
    /// `reserve` covers what they take more than this batch holds. Gives the batch back if it cannot
    /// be taken apart, or if the reserve is too small now.
    pub(crate) fn split(
        mut self,
        target: usize,
        reserve: &mut MemoryPermit,
    ) -> Result<Vec<Self>, Box<Self>> {
        let Some(bodies) = split_body(&self.body, target) else {
            return Err(Box::new(self));
        };
        let memory = |body: &RecordBatchBody| BATCH_OVERHEAD + BATCH_HEADER + body.len();
        let wanted: usize = bodies.iter().map(memory).sum();
        let missing = wanted.saturating_sub(self.permit.bytes());
        if missing > reserve.bytes() {
            return Err(Box::new(self));
        }
        self.permit.merge(reserve.split(missing));
        let mut start = self.records.start;
        let parts = bodies.into_iter().map(|body| {
            let end = start + u32::try_from(body.record_count()).unwrap_or(0);
            let records = start..end;
            let part = Self {
                callback_permit: self.callback_share(&records),
                uncompressed_len: BATCH_HEADER + body.len(),
                record_size_max: self.record_size_max,
                permit: self.permit.split(memory(&body).min(self.permit.bytes())),
                body,
                created: self.created,
                generation: self.generation,
                attempts: 0,
                may_have_been_written: self.may_have_been_written,
                is_split: true,
                records,
                is_complete: false,
                cell: Arc::clone(&self.cell),
            };
            start = end;
            part
        });
        let parts = parts.collect();
        self.is_complete = true;
        Ok(parts)
    }
}

impl Drop for ProducerBatch {
    fn drop(&mut self) {
        if !self.is_complete {
            let error = self.error(ProduceErrorKind::DriverEnded(DRIVER_DIED.into()));
            drop(self.complete(Outcome::Failed(error)));
        }
    }
}

/// `None` if the body is not what was put into it.
fn split_body(body: &RecordBatchBody, target: usize) -> Option<Vec<RecordBatchBody>> {
    let mut wire = body.to_bytes(&body.header());
    let batch = RecordBatch::decode(&mut wire).ok()?;
    let (mut bodies, mut builder) = (Vec::new(), RecordBatchBuilder::new());
    let mut headers = Vec::new();
    for record in &batch {
        let record = record.ok()?;
        headers.clear();
        headers.extend(record.headers.clone());
        let len = builder.record_len(record.timestamp, record.key, record.value, &headers).ok()?;
        if !builder.is_empty() && BATCH_HEADER + builder.len() + len > target {
            bodies.push(std::mem::take(&mut builder).finish());
        }
        builder.append(record.timestamp, record.key, record.value, &headers).ok()?;
    }
    bodies.push(builder.finish());
    let count: i32 = bodies.iter().map(RecordBatchBody::record_count).sum();
    (count == body.record_count()).then_some(bodies)
}

/// Records and their outcome, to be told to whoever waits for it. Not under a lock: it wakes tasks.
///
/// Dropped instead of being told, it tells all the same.
#[derive(Debug)]
pub(crate) struct Completion {
    cell: Arc<OutcomeCell>,
    records: Range<u32>,
    /// `None` once it was told.
    outcome: Option<Outcome>,
    /// What the callbacks hold.
    permit: Option<MemoryPermit>,
}

impl Completion {
    /// How many records it is about.
    pub(crate) fn record_count(&self) -> u32 {
        self.records.end - self.records.start
    }

    /// Why they failed, if they did.
    pub(crate) fn error(&self) -> Option<&ProduceError> {
        match &self.outcome {
            Some(Outcome::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// Tells whoever waits, and has the callbacks run elsewhere.
    pub(crate) fn tell(mut self, callbacks: &CallbackRunner) {
        if let Some(outcome) = self.outcome.take() {
            let due = self.cell.resolve(self.records.clone(), &outcome);
            if !due.is_empty() {
                callbacks.run(due, self.permit.take());
            }
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(outcome) = self.outcome.take() {
            self.cell.resolve(self.records.clone(), &outcome).run_here();
        }
    }
}

/// Bytes that a batch takes on the wire before its first record.
pub(crate) const BATCH_HEADER: usize = 61;
/// What a batch holds beside its records: its place in queues and requests, its cell, its header.
pub(crate) const BATCH_OVERHEAD: usize = 512;

#[cfg(all(test, not(kafka_loom)))]
mod tests;
