//! Whether a partition may send its next batch, and why not: the one place that says so, to the sender
//! and to those who ask.

use std::time::{Duration, Instant};

use kafka_net::BrokerId;

use crate::PauseReason;
use crate::accumulator::QueueStatus;
use crate::error::explained;
use crate::sender::Sender;
use crate::sender::broker::Refusal;
use crate::sender::event::{Action, Answer, CommandId};
use crate::sender::partitions::{Muted, OrderRules, Partition, Seal};
use crate::sender::sequences::ProducerIdState;
use crate::sync::Arc;

/// What sending keeps to now.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendRules {
    pub(super) order: OrderRules,
    pub(super) producer_id: ProducerIdState,
    pub(super) batch_size: usize,
    pub(super) linger: Duration,
    pub(super) is_compressed: bool,
    /// Nothing lingers.
    pub(super) is_hurried: bool,
}

/// Why the next batch of a partition may not be put into a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    /// There is none.
    Nothing,
    Lingering(Instant),
    Compressing,
    BackingOff(Instant),
    NoLeader,
    NoProducerId,
    /// Those that wait get other sequences first.
    Renumber,
    Sequence,
    Muted(Muted),
}

/// Somebody asks why a partition sends nothing.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: CommandId,
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
}

impl SendRules {
    /// Until when the batch in a queue waits for more records, if it still does.
    pub(super) fn lingers_until(&self, now: Instant, status: QueueStatus) -> Option<Instant> {
        let until = status.oldest + self.linger;
        (!status.is_full && !self.is_hurried && until > now).then_some(until)
    }
}

impl Partition {
    /// Why its next batch may not be sent to its leader now; `None` if it may.
    pub(super) fn block(&self, now: Instant, rules: &SendRules) -> Option<Block> {
        let next = self.next_batch(now, rules);
        if next.is_some() {
            return next;
        }
        if let Some(until) = self.backoff_until.filter(|until| *until > now) {
            return Some(Block::BackingOff(until));
        }
        if self.leader.is_none() {
            return Some(Block::NoLeader);
        }
        let is_idempotent = rules.producer_id != ProducerIdState::Disabled;
        if is_idempotent && rules.producer_id.ready().is_none() {
            return Some(Block::NoProducerId);
        }
        if self.must_renumber() {
            return Some(Block::Renumber);
        }
        if is_idempotent && !self.has_sequence(rules.producer_id) {
            return Some(Block::Sequence);
        }
        self.muted(rules.order).map(Block::Muted)
    }

    /// What is wrong with the next batch itself.
    fn next_batch(&self, now: Instant, rules: &SendRules) -> Option<Block> {
        match self.waiting.front() {
            Some(front) => {
                (rules.is_compressed && front.seal != Seal::Sealed).then_some(Block::Compressing)
            }
            None => match self.queue.status(rules.batch_size) {
                None => Some(Block::Nothing),
                Some(status) => {
                    let lingering = rules.lingers_until(now, status).map(Block::Lingering);
                    lingering.or(rules.is_compressed.then_some(Block::Compressing))
                }
            },
        }
    }
}

impl Sender {
    pub(super) fn send_rules(&self) -> SendRules {
        SendRules {
            order: self.order_rules(),
            producer_id: self.producer_ids.state(),
            batch_size: self.config.batch_size,
            linger: self.config.linger,
            is_compressed: self.config.is_compressed,
            is_hurried: self.is_hurried(),
        }
    }

    /// Answers those who asked, once everything was sent that can be.
    pub(super) fn answer_questions(&mut self, now: Instant) {
        for Question { id, topic, partition } in std::mem::take(&mut self.questions) {
            let reason = self.pause_reason(now, &topic, partition);
            self.actions.push_back(Action::CommandDone(id, Answer::Paused(reason)));
        }
    }

    pub(super) fn pause_reason(
        &self,
        now: Instant,
        topic: &str,
        number: i32,
    ) -> Option<PauseReason> {
        let Some(entry) = self.topics.get(topic) else {
            return Some(PauseReason::UnknownTopic { cause: self.topic_error(topic) });
        };
        let queue = usize::try_from(number).ok().and_then(|number| entry.queues.get(number));
        let Some(queue) = queue else {
            return Some(PauseReason::UnknownPartition { partitions: entry.queues.len() });
        };
        let partition = self.partitions.get(queue.id().index).and_then(Option::as_ref)?;
        let left = |until: Instant| until.saturating_duration_since(now);
        Some(match partition.block(now, &self.send_rules()) {
            None => return partition.leader.and_then(|leader| self.broker_pause(now, leader)),
            Some(Block::Nothing) => return None,
            Some(Block::Lingering(until)) => PauseReason::Lingering { remaining: left(until) },
            Some(Block::Compressing) => PauseReason::Compressing,
            Some(Block::BackingOff(until)) => {
                let cause = partition.last_error.clone();
                PauseReason::BackingOff { remaining: left(until), cause }
            }
            Some(Block::NoLeader) => PauseReason::NoLeader { cause: self.topic_error(topic) },
            Some(Block::NoProducerId) => {
                let cause = self.producer_ids.error().or(self.metadata.error.as_deref());
                PauseReason::NoProducerId { cause: cause.map(str::to_owned) }
            }
            Some(Block::Renumber | Block::Sequence) => PauseReason::UnresolvedSequence,
            Some(Block::Muted(Muted::AwaitingFirst)) => PauseReason::AwaitingFirst,
            Some(Block::Muted(Muted::Repeating)) => PauseReason::Repeating,
            Some(Block::Muted(Muted::WindowFull)) => {
                PauseReason::WindowFull { in_flight: partition.in_flight.len() }
            }
        })
    }

    fn broker_pause(&self, now: Instant, id: BrokerId) -> Option<PauseReason> {
        let broker = id.0;
        match self.connections.refusal(now, id)? {
            Refusal::NotConnected => {
                let error = self.connections.get(id).and_then(|broker| broker.error());
                Some(PauseReason::NotConnected { broker, cause: error.map(str::to_owned) })
            }
            Refusal::Throttled(until) => {
                let remaining = until.saturating_duration_since(now);
                Some(PauseReason::Throttled { broker, remaining })
            }
            Refusal::Busy { in_flight } => Some(PauseReason::BrokerBusy { broker, in_flight }),
        }
    }

    /// What brokers answered of a topic, or why they did not answer.
    fn topic_error(&self, topic: &str) -> Option<String> {
        let refused = self.metadata.refused(topic).map(explained);
        refused.or_else(|| self.metadata.error.as_deref().map(str::to_owned))
    }
}
