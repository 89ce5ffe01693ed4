//! The records that were accepted and not sent yet: per-record work, on the callers' threads.
//!
//! One lock a partition, and nothing wider. The sender takes whole batches out of it.

mod batch;
mod memory;
mod queue;
mod ready;
mod recent;
mod sticky;

pub(crate) use batch::{Accepted, BATCH_HEADER, Completion, ProducerBatch};
pub(crate) use memory::{MemoryBudget, MemoryPermit};
pub(crate) use queue::{
    Attempt, BatchLimits, Memory, PartitionQueue, QueueClosed, QueueId, QueueStatus,
    TransactionGate,
};
pub(crate) use sticky::{Sticky, StickyRules};

use std::time::{Duration, Instant};

use kafka_protocol::ErrorCode;
use kafka_protocol::records::ChunkPool;

use crate::accumulator::queue::{QueueRefusal, Queued, record_size_max};
use crate::accumulator::ready::ReadyList;
use crate::accumulator::recent::Versions;
use crate::callbacks::CALLBACK;
use crate::cluster::{ClusterSnapshot, ClusterWaiters, TopicEntry, TopicState};
use crate::delivery::Delivery;
use crate::partitioner::partition_for_key;
use crate::record::Record;
use crate::sync::{Arc, ArcSwap, Mutex, lock};
use crate::wake::WakeFlag;

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) monotonic: Instant,
    /// For records without a timestamp of their own: ms since 1970.
    pub(crate) timestamp_ms: i64,
}

/// What an append asks for the time: to know it exactly costs as much as to encode a record.
pub(crate) trait Time {
    /// The time of a record: now, or up to some milliseconds ago.
    fn about(&self) -> Now;

    /// The time at which a batch is opened.
    fn exactly(&self) -> Instant;
}

impl Time for Now {
    fn about(&self) -> Now {
        *self
    }

    fn exactly(&self) -> Instant {
        self.monotonic
    }
}

/// What the accumulator keeps to.
#[derive(Debug, Clone)]
pub(crate) struct AccumulatorConfig {
    pub(crate) batch_size: usize,
    pub(crate) max_request_size: usize,
    pub(crate) buffer_memory: usize,
    /// A batch takes no more records at this age.
    pub(crate) batch_age_max: Duration,
    pub(crate) is_adaptive: bool,
    pub(crate) ignore_keys: bool,
}

/// Where records wait for the sender. Shared by all who send.
#[derive(Debug)]
pub(crate) struct RecordAccumulator {
    config: AccumulatorConfig,
    budget: MemoryBudget,
    chunks: ChunkPool,
    ready: ReadyList,
    wake: Arc<WakeFlag>,
    cluster: ArcSwap<ClusterSnapshot>,
    versions: Versions,
    waiters: ClusterWaiters,
    /// Every queue that is in use, by its index, and why there are no more of them.
    registry: Mutex<Registry>,
}

#[derive(Debug, Default)]
struct Registry {
    slots: Vec<Slot>,
    free: Vec<usize>,
    closed: Option<QueueClosed>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    queue: Option<Arc<PartitionQueue>>,
}

/// Why a record was not appended.
#[derive(Debug)]
pub(crate) enum AppendError {
    /// So many bytes have to be granted first.
    MemoryFull {
        needed: usize,
    },
    /// The topic is not known yet, or not any more.
    UnknownTopic,
    /// The topic has fewer partitions, as far as is known.
    UnknownPartition {
        partition: i32,
        count: usize,
    },
    /// A broker said that the topic cannot be used.
    TopicFailed(ErrorCode),
    /// The record is larger than the configuration allows.
    TooLarge {
        size: usize,
        limit: usize,
        property: &'static str,
    },
    /// The record cannot be written down.
    Invalid(String),
    TransactionEnded,
    Closed(QueueClosed),
}

impl RecordAccumulator {
    pub(crate) fn new(config: AccumulatorConfig, wake: Arc<WakeFlag>) -> Self {
        Self {
            budget: MemoryBudget::new(config.buffer_memory),
            chunks: ChunkPool::new(config.buffer_memory / CHUNKS_KEPT),
            config,
            ready: ReadyList::default(),
            wake,
            cluster: ArcSwap::default(),
            versions: Versions::new(),
            waiters: ClusterWaiters::default(),
            registry: Mutex::default(),
        }
    }

    /// Nearly every record: appends it to its partition's open batch, if that has memory for it already.
    /// Otherwise nothing happens; [`try_append`](Self::try_append) does what it takes, or says what is
    /// missing.
    #[inline(always)]
    pub(crate) fn append_in_place(
        &self,
        time: &impl Time,
        record: &Record<'_>,
    ) -> Option<Accepted> {
        if self.check_size(record).is_err() {
            return None;
        }
        let find = || match self.cluster.load().topic(record.topic) {
            Some(TopicState::Known(topic)) => Some(Arc::clone(topic)),
            _ => None,
        };
        self.versions.with_topic(record.topic, find, |topic| {
            let (partition, is_sticky) = self.choose_partition(topic, record);
            let queue = topic.queue(partition)?;
            let limits = self.batch_limits(topic);
            let queued = queue.append_in_place(time.about(), record, &limits, &self.ready)?;
            self.note_queued(topic, partition, is_sticky, &queued);
            Some(queued.accepted)
        })
    }

    /// Appends a record to its partition's open batch, or says what is missing.
    ///
    /// Wakes the sender when a batch was opened or got ready.
    pub(crate) fn try_append(
        &self,
        time: &impl Time,
        record: &Record<'_>,
        attempt: &mut Attempt,
    ) -> Result<Delivery, AppendError> {
        if let Some(accepted) =
            attempt.is_fresh().then(|| self.append_in_place(time, record)).flatten()
        {
            return Ok(accepted.delivery(record));
        }
        // Before the topic: nobody is to wait for one to learn that no topic could take the record.
        self.check_size(record)?;
        let snapshot = self.cluster.load();
        let topic = match snapshot.topic(record.topic) {
            Some(TopicState::Known(topic)) => topic,
            Some(TopicState::Failed(error)) => return Err(AppendError::TopicFailed(*error)),
            None => return Err(AppendError::UnknownTopic),
        };
        let (partition, is_sticky) = self.choose_partition(topic, record);
        let count = topic.queues.len();
        let queue =
            topic.queue(partition).ok_or(AppendError::UnknownPartition { partition, count })?;
        let limits = self.batch_limits(topic);
        let memory = Memory { budget: &self.budget, chunks: &self.chunks };
        let queued = queue.append(time, record, attempt, &limits, memory, &self.ready);
        // A batch may have been closed for a record that found no memory then.
        let queued = queued.inspect_err(|_| self.wake.notify())?;
        self.note_queued(topic, partition, is_sticky, &queued);
        Ok(queued.accepted.delivery(record))
    }

    /// The partition of a record, and whether it is the one that keyless records go to for now.
    #[inline(always)]
    fn choose_partition(&self, topic: &TopicEntry, record: &Record<'_>) -> (i32, bool) {
        match (record.partition, record.key) {
            (Some(partition), _) => (partition, false),
            (None, Some(key)) if !self.config.ignore_keys => {
                (partition_for_key(key, topic.queues.len()), false)
            }
            (None, _) => (topic.shared.sticky.partition(topic, &self.sticky_rules()), true),
        }
    }

    /// What follows from a record that was appended.
    #[inline(always)]
    fn note_queued(&self, topic: &TopicEntry, partition: i32, is_sticky: bool, queued: &Queued) {
        if is_sticky {
            let (bytes, rules) = (queued.bytes, self.sticky_rules());
            topic.shared.sticky.produced(partition, bytes, queued.is_ready, topic, &rules);
        }
        if queued.is_new {
            topic.shared.touch();
        }
        if queued.is_listed {
            self.wake.notify();
        }
    }

    /// The topics as they are known now.
    pub(crate) fn cluster(&self) -> Arc<ClusterSnapshot> {
        self.cluster.load_full()
    }

    /// Waits for a newer snapshot than that version, or until no record is taken any more.
    pub(crate) async fn cluster_changed(&self, version: u64) {
        let is_over = || self.cluster.load().version != version || self.closed().is_some();
        self.waiters.wait(is_over).await;
    }

    /// What others see of the cluster from now on. New queues must be in it, closed ones must not.
    pub(crate) fn update_cluster(&self, snapshot: ClusterSnapshot) {
        self.cluster.store(Arc::new(snapshot));
        self.versions.advance();
        self.waiters.wake_all();
    }

    /// A new queue, with a number that no other one has.
    pub(crate) fn create_queue(&self, topic: &Arc<str>, partition: i32) -> Arc<PartitionQueue> {
        let mut registry = lock(&self.registry);
        let index = registry.free.pop().unwrap_or(registry.slots.len());
        let generation =
            registry.slots.get(index).map_or(0, |slot| slot.generation.wrapping_add(1));
        let id = QueueId { index, generation };
        let gate = TransactionGate::Open(0);
        let queue = Arc::new(PartitionQueue::new(id, Arc::clone(topic), partition, gate));
        if let Some(closed) = &registry.closed {
            queue.close(closed.clone());
        }
        let slot = Slot { generation, queue: Some(Arc::clone(&queue)) };
        match registry.slots.get_mut(index) {
            Some(old) => *old = slot,
            None => registry.slots.push(slot),
        }
        queue
    }

    /// Closes a queue for good. What is in it can still be taken.
    pub(crate) fn remove_queue(&self, queue: &PartitionQueue) {
        queue.close(QueueClosed::Replaced);
        let mut registry = lock(&self.registry);
        let QueueId { index, generation } = queue.id();
        let slot = registry.slots.get_mut(index).filter(|slot| slot.generation == generation);
        if slot.is_some_and(|slot| slot.queue.take().is_some()) {
            registry.free.push(index);
        }
    }

    /// The queues that changed since the last call.
    pub(crate) fn take_ready(&self, into: &mut Vec<Arc<PartitionQueue>>) {
        self.ready.take(into);
    }

    /// Refuses every record from now on, and everybody who waits for memory.
    pub(crate) fn close(&self, why: &QueueClosed) {
        let queues: Vec<_> = {
            let mut registry = lock(&self.registry);
            if matches!(registry.closed, Some(QueueClosed::DriverEnded(_))) {
                // Whoever closes it then still learns why nothing was sent.
                return;
            }
            registry.closed = Some(why.clone());
            registry.slots.iter().filter_map(|slot| slot.queue.clone()).collect()
        };
        for queue in queues {
            queue.close(why.clone());
        }
        self.budget.close();
        self.waiters.wake_all();
        self.wake.notify();
    }

    /// Takes what is left in all queues: nobody will send it.
    pub(crate) fn take_all(&self) -> Vec<ProducerBatch> {
        let slots: Vec<_> =
            lock(&self.registry).slots.iter().filter_map(|slot| slot.queue.clone()).collect();
        slots.iter().flat_map(|queue| std::iter::from_fn(|| queue.pop())).collect()
    }

    /// Why no record is taken any more, if that is so.
    pub(crate) fn closed(&self) -> Option<QueueClosed> {
        lock(&self.registry).closed.clone()
    }

    /// Bytes of records that the sender has not taken yet.
    pub(crate) fn queued_bytes(&self) -> usize {
        let registry = lock(&self.registry);
        registry
            .slots
            .iter()
            .filter_map(|slot| slot.queue.as_ref())
            .map(|queue| queue.bytes())
            .sum()
    }

    /// Somebody found no memory and does not wait for it: what lingers makes room.
    pub(crate) fn ask_for_memory(&self) {
        self.budget.note_refused();
        self.wake.notify();
    }

    pub(crate) fn budget(&self) -> &MemoryBudget {
        &self.budget
    }

    /// Chunks that batches are made of.
    #[cfg(feature = "tokio")]
    pub(crate) fn chunks(&self) -> &ChunkPool {
        &self.chunks
    }

    pub(crate) fn wake(&self) -> &Arc<WakeFlag> {
        &self.wake
    }

    pub(crate) fn batch_limits(&self, topic: &TopicEntry) -> BatchLimits {
        BatchLimits {
            ready_size: self.config.batch_size,
            size_max: topic.shared.size_max(),
            age_max: self.config.batch_age_max,
        }
    }

    fn sticky_rules(&self) -> StickyRules {
        StickyRules { batch_size: self.config.batch_size, is_adaptive: self.config.is_adaptive }
    }

    #[inline(always)]
    fn check_size(&self, record: &Record<'_>) -> Result<(), AppendError> {
        let size = BATCH_HEADER + record_size_max(record);
        let over = |limit, property| AppendError::TooLarge { size, limit, property };
        if size > self.config.max_request_size {
            return Err(over(self.config.max_request_size, "max.request.size"));
        }
        let held = size + batch::BATCH_OVERHEAD + CALLBACK;
        if held > self.config.buffer_memory {
            return Err(over(self.config.buffer_memory, "buffer.memory"));
        }
        Ok(())
    }
}

impl From<QueueRefusal> for AppendError {
    fn from(refusal: QueueRefusal) -> Self {
        match refusal {
            // The next snapshot has the queue that takes its place.
            QueueRefusal::Closed(QueueClosed::Replaced) => Self::UnknownTopic,
            QueueRefusal::Closed(why) => Self::Closed(why),
            QueueRefusal::TransactionEnded => Self::TransactionEnded,
            QueueRefusal::Memory(needed) => Self::MemoryFull { needed },
            QueueRefusal::Record(error) => Self::Invalid(error.to_string()),
        }
    }
}

/// The part of `buffer.memory` that is kept beside it, for the next batches.
const CHUNKS_KEPT: usize = 4;

#[cfg(all(test, kafka_loom))]
mod loom_tests;
#[cfg(all(test, not(kafka_loom)))]
mod tests;
