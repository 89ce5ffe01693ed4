//! What is known of the cluster's topics, as those who send see it: immutable, and swapped whole.

use std::collections::BTreeMap;
use std::task::{Poll, Waker};

use hashbrown::HashMap;
use kafka_protocol::{ErrorCode, Uuid};

use crate::accumulator::{PartitionQueue, Sticky};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, Ordering, lock};

/// The topics that the producer writes to, at one moment.
///
/// It holds the queues, so that a record of an old snapshot can never get into a queue of a topic
/// that was created again: the old queue is closed by then.
#[derive(Debug, Default)]
pub(crate) struct ClusterSnapshot {
    /// Grows with each answer of a broker.
    pub(crate) version: u64,
    /// Looked up only; nothing depends on its order.
    topics: HashMap<Arc<str>, TopicState>,
    /// What went wrong with the last attempt to fetch metadata; `None` if it succeeded.
    pub(crate) cause: Option<Arc<str>>,
}

/// What the last answer said of a topic.
#[derive(Debug, Clone)]
pub(crate) enum TopicState {
    /// It can be written.
    Known(Arc<TopicEntry>),
    /// It cannot; a retriable code may pass.
    Failed(ErrorCode),
}

/// A topic that can be written.
#[derive(Debug, Clone)]
pub(crate) struct TopicEntry {
    pub(crate) shared: Arc<TopicShared>,
    /// Zero if the broker does not know ids.
    pub(crate) id: Uuid,
    /// One a partition, by its index.
    pub(crate) queues: Vec<Arc<PartitionQueue>>,
    /// Indices of the partitions that have a leader, in their order.
    pub(crate) available: Vec<i32>,
    /// Those of them that keyless records go to; none only if none is available.
    pub(crate) preferred: Vec<i32>,
    /// Leader of each partition, -1 if it has none.
    pub(crate) leaders: Vec<i32>,
}

/// What stays with a topic from one snapshot to the next.
#[derive(Debug)]
pub(crate) struct TopicShared {
    pub(crate) name: Arc<str>,
    pub(crate) sticky: Sticky,
    /// Most bytes of a batch: what a broker was seen to refuse is above it.
    size_max: AtomicUsize,
    /// A batch was opened since the last look.
    is_used: AtomicBool,
}

impl ClusterSnapshot {
    pub(crate) fn new(
        version: u64,
        topics: impl IntoIterator<Item = (Arc<str>, TopicState)>,
        cause: Option<Arc<str>>,
    ) -> Self {
        Self { version, topics: topics.into_iter().collect(), cause }
    }

    pub(crate) fn topic(&self, name: &str) -> Option<&TopicState> {
        self.topics.get(name)
    }
}

impl TopicEntry {
    /// The queue of a partition, if there is such a one.
    #[inline(always)]
    pub(crate) fn queue(&self, partition: i32) -> Option<&Arc<PartitionQueue>> {
        self.queues.get(usize::try_from(partition).ok()?)
    }
}

impl TopicShared {
    pub(crate) fn new(name: Arc<str>, size_max: usize, seed: u64) -> Self {
        Self {
            name,
            sticky: Sticky::new(seed),
            size_max: AtomicUsize::new(size_max),
            is_used: AtomicBool::new(true),
        }
    }

    pub(crate) fn size_max(&self) -> usize {
        self.size_max.load(Ordering::Relaxed)
    }

    /// Remembers that a broker refused a batch of that size. Batches of `batch_size` are tried in any
    /// case, until one of them is refused too.
    pub(crate) fn learn_refused_size(&self, size: usize, batch_size: usize) {
        let half = (size / 2).max(1);
        let size_max = if size > batch_size { half.max(batch_size) } else { half };
        self.size_max.fetch_min(size_max, Ordering::Relaxed);
    }

    pub(crate) fn touch(&self) {
        self.is_used.store(true, Ordering::Relaxed);
    }

    /// Whether somebody sent to the topic since the last call.
    pub(crate) fn take_used(&self) -> bool {
        self.is_used.swap(false, Ordering::Relaxed)
    }
}

/// Those who wait until something is known of the cluster.
#[derive(Debug, Default)]
pub(crate) struct ClusterWaiters {
    state: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    /// One for each future that waits; bounded by those.
    wakers: BTreeMap<u64, Waker>,
}

impl ClusterWaiters {
    /// Waits until `is_over` says so; it is asked again after each change.
    pub(crate) async fn wait(&self, is_over: impl Fn() -> bool) {
        let mut place = Place { waiters: self, number: None };
        std::future::poll_fn(|context| {
            // Registered first: a change after that wakes, one before it is seen.
            place.register(context.waker());
            if is_over() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Something changed.
    pub(crate) fn wake_all(&self) {
        let wakers = std::mem::take(&mut lock(&self.state).wakers);
        wakers.into_values().for_each(Waker::wake);
    }
}

/// The place of one future in the list.
struct Place<'a> {
    waiters: &'a ClusterWaiters,
    number: Option<u64>,
}

impl Place<'_> {
    fn register(&mut self, waker: &Waker) {
        let mut state = lock(&self.waiters.state);
        let number = match self.number {
            Some(number) => number,
            None => {
                state.next += 1;
                state.next
            }
        };
        self.number = Some(number);
        let old = state.wakers.insert(number, waker.clone());
        drop(state);
        drop(old);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let waker = self.number.and_then(|number| lock(&self.waiters.state).wakers.remove(&number));
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_refused_again_and_again_gets_small_soon() {
        let topic = TopicShared::new("orders".into(), 1_000_000, 1);
        let mut learned = Vec::new();
        for _ in 0..5 {
            topic.learn_refused_size(topic.size_max(), 300_000);
            learned.push(topic.size_max());
        }
        assert_eq!(learned, [500_000, 300_000, 150_000, 75_000, 37_500]);
    }
}
