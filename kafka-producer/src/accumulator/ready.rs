//! Queues that changed since the sender last looked: it never scans all of them.

use std::mem;

use crate::accumulator::PartitionQueue;
use crate::sync::{Arc, Mutex, lock};

/// A list of queues, each at most once.
///
/// An appender puts its queue here first, under the queue's lock, and wakes the sender then; the sender is awake first and
/// takes the list then. A queue's own mark says whether it is on the list; it is taken off before
/// the sender looks at the queue, so that a change after that look puts it here again.
#[derive(Debug, Default)]
pub(crate) struct ReadyList {
    queues: Mutex<Vec<Arc<PartitionQueue>>>,
}

impl ReadyList {
    /// Puts a queue on the list. `false` if it is there already.
    pub(crate) fn push(&self, queue: &Arc<PartitionQueue>) -> bool {
        let is_new = queue.mark_listed();
        if is_new {
            lock(&self.queues).push(Arc::clone(queue));
        }
        is_new
    }

    /// Moves the list into an empty one, whose memory is used again.
    pub(crate) fn take(&self, into: &mut Vec<Arc<PartitionQueue>>) {
        into.clear();
        mem::swap(&mut *lock(&self.queues), into);
        for queue in into {
            queue.unmark_listed();
        }
    }
}

#[cfg(all(test, not(kafka_loom)))]
mod tests {
    use std::time::Duration;

    use kafka_protocol::records::ChunkPool;

    use super::*;
    use crate::accumulator::{
        Attempt, BatchLimits, Memory, MemoryBudget, Now, QueueId, TransactionGate,
    };
    use crate::record::Record;
    use crate::testing::start;

    /// Another record of the same batch is no news, and its sender may flush at once: it must not get
    /// in between.
    #[test]
    fn a_queue_is_on_the_list_before_its_lock_is_free() {
        let id = QueueId { index: 0, generation: 0 };
        let gate = TransactionGate::Open(0);
        let queue = Arc::new(PartitionQueue::new(id, "orders".into(), 0, gate));
        let (list, budget) = (ReadyList::default(), MemoryBudget::new(1 << 20));
        let now = Now { monotonic: start(), timestamp_ms: 0 };
        let age_max = Duration::from_secs(1);
        let limits = BatchLimits { ready_size: 1000, size_max: 1000, age_max };
        let record = Record::new("orders", b"value");
        std::thread::scope(|scope| {
            let held = lock(&list.queues);
            let append = scope.spawn(|| {
                let mut attempt = Attempt::default();
                let memory = Memory { budget: &budget, chunks: &ChunkPool::new(0) };
                queue.append(&now, &record, &mut attempt, &limits, memory, &list).is_ok()
            });
            // It is about to be put on the list, and waits for us.
            while !queue.is_listed() {
                std::thread::yield_now();
            }
            assert!(queue.is_locked());
            drop(held);
            assert!(append.join().unwrap());
        });
        let mut taken = Vec::new();
        list.take(&mut taken);
        assert_eq!(taken.len(), 1);
    }
}
