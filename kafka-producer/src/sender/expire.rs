//! The delivery timeout: a record has its outcome in time, whatever the brokers do.

use std::time::{Duration, Instant};

use crate::ProduceErrorKind;
use crate::delivery::Outcome;
use crate::error::explained;
use crate::sender::Sender;
use crate::sender::partitions::Partition;

impl Sender {
    /// Fails the batches of a partition that are too old.
    pub(super) fn expire(&mut self, now: Instant, index: usize) {
        let timeout = self.config.delivery_timeout;
        let size = self.config.batch_size;
        let is_old = |created: Instant| now.saturating_duration_since(created) >= timeout;
        while partition_has_old(self.partition(index), size, is_old) {
            self.take_from_queue(index);
        }
        let cause = self.cause(index);
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        let mut no_answer = match partition.leader {
            Some(leader) => format!("{} {NO_ANSWER}", self.connections.place(leader)),
            None => format!("the broker {NO_ANSWER}"),
        };
        if let Some(error) = &partition.last_error {
            no_answer.push_str("; the attempt before: ");
            no_answer.push_str(error);
        }
        // A batch on the wire fails now; it is kept for its memory, and for what the answer says of
        // its sequence.
        let mut expired = Vec::new();
        for taken in &mut partition.in_flight {
            if is_old(taken.batch.created) && !taken.batch.is_complete() {
                taken.batch.may_have_been_written = true;
                let kind = timeout_of(now, taken.batch.created, Some(no_answer.clone()));
                let outcome = Outcome::Failed(taken.batch.error(kind));
                self.incomplete.remove(&taken.id);
                let completion = taken.batch.complete(outcome);
                if is_broken!("completion_dropped") {
                    std::mem::forget(completion);
                } else {
                    expired.push((taken.id, completion));
                }
            }
        }
        let (old, young): (Vec<_>, Vec<_>) =
            partition.waiting.drain(..).partition(|taken| is_old(taken.batch.created));
        partition.waiting.extend(young);
        for taken in &old {
            if taken.sequence.is_some() {
                partition.sequences.suspect_gap(taken.id);
            }
        }
        expired.into_iter().for_each(|(id, completion)| self.conclude(id, completion));
        for taken in old {
            let kind = timeout_of(now, taken.batch.created, cause.clone());
            self.fail_batch(taken, kind);
        }
        self.evaluate(now, index);
    }

    /// Why nothing was sent, for a person.
    fn cause(&self, index: usize) -> Option<String> {
        let partition = self.partitions.get(index).and_then(Option::as_ref)?;
        let (topic, number) = (partition.queue.topic(), partition.queue.partition());
        let leader = partition.leader.filter(|leader| self.connections.get(*leader).is_some());
        let Some(leader) = leader else {
            let why = match (self.metadata.refused(topic), partition.leader) {
                (Some(error), _) => format!("the broker answered {}", explained(error)),
                (None, None) => format!("{topic}-{number} has no leader"),
                (None, Some(gone)) => {
                    format!("broker {gone}, the leader of {topic}-{number}, is not known any more")
                }
            };
            let error = self.metadata.error.as_ref();
            return Some(error.map_or(why.clone(), |error| format!("{why}, and {error}")));
        };
        let producer_id = self.producer_ids.error().map(|error| format!("no producer id: {error}"));
        let unreachable = || self.connections.get(leader)?.error().map(str::to_owned);
        producer_id.or_else(unreachable).or_else(|| partition.last_error.clone())
    }
}

fn partition_has_old(
    partition: Option<&mut Partition>,
    batch_size: usize,
    is_old: impl Fn(Instant) -> bool,
) -> bool {
    let status = partition.and_then(|partition| partition.queue.status(batch_size));
    status.is_some_and(|status| is_old(status.oldest))
}

fn timeout_of(now: Instant, created: Instant, cause: Option<String>) -> ProduceErrorKind {
    let waited: Duration = now.saturating_duration_since(created);
    ProduceErrorKind::Timeout { waited, cause }
}

const NO_ANSWER: &str = "has not answered yet";
