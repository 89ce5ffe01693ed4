//! The topics that this thread wrote to last, so that a record finds its own without a shared look-up.
//!
//! A thread keeps what it found until the cluster is known anew, or until it needs the place for another
//! topic: of a producer that is gone, no more than the empty queues of a few topics a thread.

use std::cell::RefCell;
// Never loom's: it goes on from one order of events to the next.
use std::sync::atomic::AtomicU64 as Counter;

use crate::cluster::TopicEntry;
use crate::sync::{Arc, AtomicU64, Ordering};

thread_local! {
    static RECENT: RefCell<[Option<Recent>; PLACES]> = const { RefCell::new([const { None }; PLACES]) };
}

/// One topic, as it was in that version of what is known.
struct Recent {
    version: Version,
    topic: Arc<TopicEntry>,
}

/// How often what is known was replaced, of all producers together: no two of them ever have the same
/// number.
#[derive(Debug)]
pub(super) struct Versions(AtomicU64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version(u64);

impl Versions {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(next()))
    }

    /// What is known was replaced just now.
    pub(super) fn advance(&self) {
        self.0.store(next(), Ordering::Release);
    }

    /// Looks at a topic, which `find` finds if this thread does not have it.
    ///
    /// Whoever gets an old one finds its queues closed, as it would have a moment before.
    #[inline(always)]
    #[cfg(not(kafka_loom))]
    pub(super) fn with_topic<R>(
        &self,
        name: &str,
        find: impl FnOnce() -> Option<Arc<TopicEntry>>,
        look: impl FnOnce(&TopicEntry) -> Option<R>,
    ) -> Option<R> {
        // Before it is looked up: what is found then may be newer, never older.
        let version = Version(self.0.load(Ordering::Acquire));
        let with = |recent: &RefCell<[Option<Recent>; PLACES]>| {
            let mut recent = recent.try_borrow_mut().ok()?;
            let place = recent.get_mut(place(name))?;
            let is_it = |recent: &&mut Recent| {
                recent.version == version && *recent.topic.shared.name == *name
            };
            if place.as_mut().filter(is_it).is_none() {
                *place = Some(Recent { version, topic: find()? });
            }
            look(&place.as_ref()?.topic)
        };
        RECENT.try_with(with).ok().flatten()
    }

    /// What a thread of loom's keeps must not outlive its order of events.
    #[cfg(kafka_loom)]
    pub(super) fn with_topic<R>(
        &self,
        _: &str,
        find: impl FnOnce() -> Option<Arc<TopicEntry>>,
        look: impl FnOnce(&TopicEntry) -> Option<R>,
    ) -> Option<R> {
        look(&*find()?)
    }
}

#[inline(always)]
fn place(name: &str) -> usize {
    let last = name.as_bytes().last().copied().unwrap_or(0);
    name.len().wrapping_add(last.into()) % PLACES
}

fn next() -> u64 {
    static NEXT: Counter = Counter::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Topics that a thread has at hand.
const PLACES: usize = 8;
