//! One call that waits: for metadata or for memory, together no longer than `max.block.ms`.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

use kafka_protocol::ErrorCode;
use tokio::time::timeout_at;

use crate::accumulator::{AppendError, Attempt, QueueClosed};
use crate::error::{SendError, explained};
use crate::producer::Shared;
use crate::record::Record;
use crate::sync::Arc;

/// What one call has left of its time.
pub(super) struct Waiting<'a> {
    shared: &'a Arc<Shared>,
    start: Instant,
    max_block: Duration,
    /// The snapshot that was not enough.
    seen: u64,
    /// Time that it waited for others.
    for_metadata: Duration,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, max_block: Duration) -> Self {
        let seen = shared.accumulator.cluster().version;
        let start = shared.clock.now().monotonic;
        Self { shared, start, max_block, seen, for_metadata: Duration::ZERO }
    }

    /// The topic is known. Kafka measures the time that this took, if it took any.
    pub(super) fn on_metadata(&mut self) {
        let waited = std::mem::take(&mut self.for_metadata);
        if !waited.is_zero() {
            self.shared.sensors.on_metadata_wait(self.now(), waited);
        }
    }

    /// Waits until what is missing may be there, if waiting can help.
    pub(super) async fn wait_for(
        &mut self,
        error: AppendError,
        record: &Record<'_>,
        attempt: &mut Attempt,
    ) -> Result<(), SendError> {
        // Memory that was granted is given back first: others may be waiting for it.
        drop(attempt.permit.take());
        match error {
            AppendError::MemoryFull { needed } => {
                self.on_metadata();
                self.wait_for_memory(needed, record, attempt).await
            }
            AppendError::UnknownTopic => self.wait_for_metadata(record, None, None).await,
            AppendError::UnknownPartition { partition, count } => {
                self.wait_for_metadata(record, Some((partition, count)), None).await
            }
            AppendError::TopicFailed(error) if error.is_retriable() => {
                self.wait_for_metadata(record, None, Some(error)).await
            }
            error => {
                if let AppendError::TopicFailed(_) = error {
                    // The next call may find it changed.
                    self.shared.mailbox.want_topic(record.topic);
                }
                Err(final_error(record, error))
            }
        }
    }

    async fn wait_for_memory(
        &self,
        needed: usize,
        record: &Record<'_>,
        attempt: &mut Attempt,
    ) -> Result<(), SendError> {
        let budget = self.shared.accumulator.budget();
        let total = budget.total();
        let topic = || record.topic.to_owned();
        if needed > total {
            let property = "buffer.memory";
            return Err(SendError::TooLarge {
                topic: topic(),
                size: needed,
                limit: total,
                property,
            });
        }
        // The sender is woken once the place in line is taken: it makes room then.
        let mut acquire = pin!(budget.acquire(needed));
        let acquire = poll_fn(|cx| {
            let poll = acquire.as_mut().poll(cx);
            if poll.is_pending() {
                self.shared.accumulator.wake().notify();
            }
            poll
        });
        let began = self.now();
        let acquired = self.until_deadline(acquire).await;
        let (now, sensors) = (self.now(), &self.shared.sensors);
        sensors.on_memory_wait(now, now.saturating_duration_since(began));
        match acquired {
            Some(Ok(permit)) => {
                attempt.permit = Some(permit);
                Ok(())
            }
            Some(Err(_)) => Err(self.closed()),
            None => {
                sensors.on_memory_exhausted(now);
                Err(SendError::MemoryTimeout { topic: topic(), total, waited: self.waited() })
            }
        }
    }

    async fn wait_for_metadata(
        &mut self,
        record: &Record<'_>,
        missing: Option<(i32, usize)>,
        error: Option<ErrorCode>,
    ) -> Result<(), SendError> {
        self.shared.mailbox.want_topic(record.topic);
        let accumulator = &self.shared.accumulator;
        let began = self.now();
        if self.until_deadline(accumulator.cluster_changed(self.seen)).await.is_some() {
            self.seen = accumulator.cluster().version;
            self.for_metadata += self.now().saturating_duration_since(began);
            return if accumulator.closed().is_some() { Err(self.closed()) } else { Ok(()) };
        }
        let cause = error.map(explained);
        let cause = cause.or_else(|| accumulator.cluster().cause.as_deref().map(str::to_owned));
        Err(SendError::MetadataTimeout {
            topic: record.topic.to_owned(),
            partition: missing.map(|(partition, _)| partition),
            partitions: missing.map(|(_, count)| count),
            waited: self.waited(),
            cause,
        })
    }

    async fn until_deadline<F: Future>(&self, wait: F) -> Option<F::Output> {
        match self.start.checked_add(self.max_block) {
            Some(deadline) => timeout_at(deadline.into(), wait).await.ok(),
            None => Some(wait.await),
        }
    }

    fn now(&self) -> Instant {
        self.shared.clock.now().monotonic
    }

    fn waited(&self) -> Duration {
        let now = self.now();
        now.saturating_duration_since(self.start).min(self.max_block)
    }

    fn closed(&self) -> SendError {
        closed_error(self.shared.accumulator.closed())
    }
}

/// What no broker would take, before anybody waits for it.
pub(super) fn check(record: &Record<'_>) -> Result<(), AppendError> {
    if let Some(partition) = record.partition.filter(|partition| partition.is_negative()) {
        let reason = format!("its partition is {partition}, and cannot be negative");
        return Err(AppendError::Invalid(reason));
    }
    if let Some(timestamp) = record.timestamp.filter(|timestamp| timestamp.is_negative()) {
        let reason = format!("its timestamp is {timestamp}, and cannot be negative");
        return Err(AppendError::Invalid(reason));
    }
    if record.topic.is_empty() || record.topic.len() > TOPIC_LEN_MAX {
        return Err(AppendError::TopicFailed(ErrorCode::INVALID_TOPIC_EXCEPTION));
    }
    Ok(())
}

/// The error of a call for which waiting cannot help.
pub(super) fn final_error(record: &Record<'_>, error: AppendError) -> SendError {
    let topic = record.topic.to_owned();
    match error {
        AppendError::TopicFailed(error) => SendError::Topic { topic, error },
        AppendError::TooLarge { size, limit, property } => {
            SendError::TooLarge { topic, size, limit, property }
        }
        AppendError::Invalid(reason) => SendError::InvalidRecord { topic, reason },
        AppendError::TransactionEnded => SendError::TransactionEnded,
        AppendError::Closed(why) => closed_error(Some(why)),
        AppendError::UnknownPartition { partition, count } => {
            SendError::InvalidRecord { topic, reason: format!("partition {partition} of {count}") }
        }
        AppendError::UnknownTopic => {
            SendError::Topic { topic, error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION }
        }
        AppendError::MemoryFull { .. } => SendError::WouldBlock(crate::error::BlockedOn::Memory),
    }
}

fn closed_error(why: Option<QueueClosed>) -> SendError {
    match why {
        Some(QueueClosed::DriverEnded(why)) => SendError::DriverEnded(Arc::clone(&why)),
        _ => SendError::Closed,
    }
}

/// Kafka's limit for topic names.
const TOPIC_LEN_MAX: usize = 249;

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::Producer;

    /// The topic went while the send waited for memory.
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_metadata_keeps_no_memory_that_was_granted() {
        let builder = Producer::builder().bootstrap_servers("localhost:9092");
        let (producer, _task) = builder.build_with_task().unwrap();
        let shared = &producer.handle.shared;
        let budget = shared.accumulator.budget();
        let before = budget.used();
        let mut attempt = Attempt::default();
        attempt.permit = budget.try_acquire(1000);
        let record = Record::new("orders", "a");
        let mut waiting = Waiting::new(shared, Duration::from_secs(60));
        let mut wait = pin!(waiting.wait_for(AppendError::UnknownTopic, &record, &mut attempt));
        assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(budget.used(), before);
    }
}
