//! Queues that changed since the sender last looked: it never scans all of them.

use std::mem;

use crate::accumulator::PartitionQueue;
use crate::sync::{Arc, Mutex, lock};

/// A list of queues, each at most once.
///
/// An appender puts its queue here first and wakes the sender then; the sender is awake first and
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
