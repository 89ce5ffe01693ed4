//! One partition, as the sender sees it: what it took from the queue, in order, and whether more may
//! go out.
//!
//! ```text
//!   queue ─pop─► waiting (new, sealing, sealed, to be sent again) ─send─► in flight ─► answered
//!                   ▲                                                        │
//!                   └────────────────── again, in its order ─────────────────┘
//! ```

use std::collections::VecDeque;
use std::time::Instant;

use kafka_net::BrokerId;
use kafka_protocol::Uuid;

use crate::accumulator::{PartitionQueue, ProducerBatch};
use crate::cluster::TopicShared;
use crate::sender::event::BatchId;
use crate::sender::sequences::{Assigned, PartitionSequences};
use crate::sync::Arc;

/// A batch that was taken from its queue.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: BatchId,
    pub(super) batch: ProducerBatch,
    /// Given when it is sent for the first time.
    pub(super) sequence: Option<Assigned>,
    pub(super) seal: Seal,
}

/// How far a batch's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seal {
    Raw,
    /// Being compressed.
    Sealing,
    /// It never changes again.
    Sealed,
}

/// The state of one partition.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) queue: Arc<PartitionQueue>,
    pub(super) topic: Arc<TopicShared>,
    pub(super) topic_id: Uuid,
    pub(super) leader: Option<BrokerId>,
    /// -1 if the broker does not tell.
    pub(super) leader_epoch: i32,
    /// In the order of taking; those to be sent again come first, in theirs.
    pub(super) waiting: VecDeque<Taken>,
    /// In the order of sending.
    pub(super) in_flight: VecDeque<Taken>,
    pub(super) sequences: PartitionSequences,
    pub(super) backoff_until: Option<Instant>,
    /// On the list of this broker's partitions that have something to send.
    pub(super) listed_at: Option<BrokerId>,
    /// Nothing was acknowledged yet by this leader, or under this producer id: one batch at a time. A
    /// broker that knows nothing of a producer would take a later batch while the first one fails.
    pub(super) is_probing: bool,
    /// It is no longer part of the cluster: it ends when nothing of it is in flight.
    pub(super) is_gone: bool,
    /// Since when it has something to send that its leader does not take.
    pub(super) untaken_since: Option<Instant>,
    /// It has had that for too long: keyless records go elsewhere.
    pub(super) is_left_out: bool,
    /// What went wrong last.
    pub(super) last_error: Option<String>,
}

/// Why a partition may not send, as far as order goes: something unanswered has to be settled first, and
/// its answer looks here again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Muted {
    /// By a batch that is sent again.
    Repeating,
    /// By the first batch of all, or of a leader.
    AwaitingFirst,
    /// As many are unanswered as may be.
    WindowFull,
}

/// What sending keeps to in every partition.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderRules {
    /// Idempotence, or one request in flight: the order of a partition is kept.
    pub(super) is_ordered: bool,
    /// Most unanswered batches of a partition.
    pub(super) in_flight_max: usize,
}

impl Partition {
    pub(super) fn new(queue: Arc<PartitionQueue>, topic: Arc<TopicShared>, topic_id: Uuid) -> Self {
        Self {
            queue,
            topic,
            topic_id,
            leader: None,
            leader_epoch: -1,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            sequences: PartitionSequences::default(),
            backoff_until: None,
            listed_at: None,
            is_probing: false,
            is_gone: false,
            untaken_since: None,
            is_left_out: false,
            last_error: None,
        }
    }

    /// Why no further batch may be sent, as far as order goes.
    pub(super) fn muted(&self, rules: OrderRules) -> Option<Muted> {
        let is_repeated = |taken: &Taken| taken.batch.attempts > 1;
        if !rules.is_ordered {
            return None;
        }
        if is_broken!("order_not_kept") {
            return (self.in_flight.len() >= rules.in_flight_max).then_some(Muted::WindowFull);
        }
        if let Some(again) = self.waiting.front().filter(|front| front.batch.attempts > 0) {
            // Again: only as the oldest of all, and one at a time.
            let may = self.in_flight.iter().all(|sent| sent.id > again.id && !is_repeated(sent));
            return (!may).then_some(Muted::Repeating);
        }
        if self.is_probing {
            return (!self.in_flight.is_empty()).then_some(Muted::AwaitingFirst);
        }
        if self.in_flight.iter().any(is_repeated) {
            return Some(Muted::Repeating);
        }
        (self.in_flight.len() >= rules.in_flight_max).then_some(Muted::WindowFull)
    }

    /// Puts a batch back, in its order.
    pub(super) fn put_back(&mut self, taken: Taken) {
        let at = if is_broken!("retries_out_of_order") {
            self.waiting.len()
        } else {
            self.waiting.partition_point(|other| other.id < taken.id)
        };
        self.waiting.insert(at, taken);
    }

    /// Takes a batch out of those in flight.
    pub(super) fn take_in_flight(&mut self, id: BatchId) -> Option<Taken> {
        let at = self.in_flight.iter().position(|taken| taken.id == id)?;
        self.in_flight.remove(at)
    }

    /// Whether no batch that is older than this one is unanswered or waits.
    pub(super) fn is_oldest(&self, id: BatchId) -> bool {
        let mut all = self.waiting.iter().chain(&self.in_flight);
        all.all(|taken| taken.id > id || taken.batch.is_complete())
    }

    /// When the oldest batch was opened that has no outcome yet and was taken.
    pub(super) fn oldest_taken(&self) -> Option<Instant> {
        let all = self.waiting.iter().chain(&self.in_flight);
        all.filter(|taken| !taken.batch.is_complete()).map(|taken| taken.batch.created).min()
    }

    /// Whether to go on under another epoch now.
    pub(super) fn must_renumber(&self) -> bool {
        let is_certain =
            |taken: &Taken| taken.sequence.is_none() || !taken.batch.may_have_been_written;
        let is_certain = |taken: &Taken| is_certain(taken) || is_broken!("uncertain_is_renumbered");
        self.in_flight.is_empty()
            && self.sequences.must_renumber(self.waiting.iter().all(is_certain))
    }
}
