//! Which partition a record without a key goes to (KIP-480, KIP-794).

use crate::cluster::TopicEntry;
use crate::sync::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

/// The partition that a topic's keyless records go to for now.
///
/// Several threads may see it change at slightly different times: a batch gets a few records more
/// or less by that, and no lock is needed that all partitions would share.
#[derive(Debug)]
pub(crate) struct Sticky {
    /// -1 before the first choice.
    partition: AtomicI32,
    /// Bytes since the last change.
    produced: AtomicUsize,
    random: AtomicU64,
}

/// How a partition is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StickyRules {
    /// `batch.size`: a partition is left after so many bytes.
    pub(crate) batch_size: usize,
    /// `partitioner.adaptive.partitioning.enable`: partitions with less data in their queue are
    /// chosen more often.
    pub(crate) is_adaptive: bool,
}

impl Sticky {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            partition: AtomicI32::new(-1),
            produced: AtomicUsize::new(0),
            random: AtomicU64::new(seed),
        }
    }

    /// The partition for the next record: a preferred one. Partitions without a leader are chosen only if
    /// none has one.
    ///
    /// One that has had its share, and whose batches are all taken, is left before another batch is
    /// begun there: that one would be left half full.
    pub(crate) fn partition(&self, topic: &TopicEntry, rules: &StickyRules) -> i32 {
        let current = self.partition.load(Ordering::Relaxed);
        let queue = usize::try_from(current).ok().and_then(|index| topic.queues.get(index));
        let has_share = || self.produced.load(Ordering::Relaxed) >= rules.batch_size;
        let may_stay = queue.is_some_and(|queue| queue.bytes() > 0 || !has_share());
        if may_stay { current } else { self.switch(current, topic, rules) }
    }

    /// Notes bytes that went to a partition, and leaves it once it has had its share: a batch's worth
    /// when its batch is complete, twice that in any case.
    pub(crate) fn produced(
        &self,
        partition: i32,
        bytes: usize,
        is_complete: bool,
        topic: &TopicEntry,
        rules: &StickyRules,
    ) {
        // Not added at once: when two threads meet the share of one is larger by a record.
        let produced = self.produced.load(Ordering::Relaxed) + bytes;
        self.produced.store(produced, Ordering::Relaxed);
        let share = rules.batch_size;
        if produced >= share && (is_complete || produced >= share.saturating_mul(2)) {
            self.switch(partition, topic, rules);
        }
    }

    /// Chooses another one, unless somebody else did so meanwhile.
    fn switch(&self, from: i32, topic: &TopicEntry, rules: &StickyRules) -> i32 {
        let next = self.choose(topic, rules);
        let order = Ordering::Relaxed;
        match self.partition.compare_exchange(from, next, order, order) {
            Ok(_) => {
                self.produced.store(0, order);
                next
            }
            Err(current) => {
                let is_usable = usize::try_from(current).is_ok_and(|i| i < topic.queues.len());
                if is_usable { current } else { next }
            }
        }
    }

    fn choose(&self, topic: &TopicEntry, rules: &StickyRules) -> i32 {
        let available = &topic.preferred;
        if available.is_empty() {
            let index = self.random_below(topic.queues.len());
            return i32::try_from(index).unwrap_or(0);
        }
        // So many are compared with each other, from anywhere on: a choice has a bounded cost.
        let count = available.len().min(COMPARED_MAX);
        let first = if count < available.len() { self.random_below(available.len()) } else { 0 };
        let candidates = || available.iter().cycle().skip(first).take(count);
        let waiting = |partition: &i32| {
            let index = usize::try_from(*partition).unwrap_or(0);
            let bytes = topic.queues.get(index).map_or(0, |queue| queue.bytes());
            if rules.is_adaptive { bytes / rules.batch_size.max(1) } else { 0 }
        };
        let most = candidates().map(waiting).max().unwrap_or(0);
        let weight = |partition: &i32| (most + 1).saturating_sub(waiting(partition)).max(1);
        let total = candidates().map(weight).sum();
        let mut left = self.random_below(total);
        for partition in candidates() {
            // Queues change meanwhile: the weights may be others now, and the last one takes the rest.
            match left.checked_sub(weight(partition)) {
                Some(rest) => left = rest,
                None => return *partition,
            }
        }
        available.last().copied().unwrap_or(0)
    }

    /// A number below `limit`, 0 if that is 0 (SplitMix64).
    fn random_below(&self, limit: usize) -> usize {
        let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let scaled = (u128::from(z ^ (z >> 31)) * limit as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}

/// Most partitions whose queues are looked at for one choice.
const COMPARED_MAX: usize = 64;

#[cfg(all(test, not(kafka_loom)))]
mod tests;
