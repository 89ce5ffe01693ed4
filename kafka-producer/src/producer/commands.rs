//! Calls that the sender answers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::PauseReason;
use crate::callbacks::is_io_task;
use crate::error::FlushError;
use crate::mailbox::Mailbox;
use crate::producer::{DriverState, Producer, Shared};
use crate::sender::{Answer, CommandId, FlushReport};
use crate::sync::{Arc, lock};

/// What a flush has waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Flushed {
    /// Records that had no outcome when it began, and are written now.
    pub records: u64,
}

/// Those who wait for an answer.
#[derive(Debug, Default)]
pub(super) struct Commands {
    next: u64,
    pub(super) waiting: BTreeMap<CommandId, oneshot::Sender<Answer>>,
}

impl Producer {
    /// Sends what was accepted before without lingering, waits until all of it has its outcome, and tells
    /// how many records there were. `delivery.timeout.ms` bounds the time.
    ///
    /// Each record's own outcome is in its [`Delivery`](crate::Delivery). Of the records that had theirs before, nothing
    /// is told.
    ///
    /// # Errors
    /// [`FlushError::Failed`] if records failed, after all have their outcome; another one if the producer
    /// ends meanwhile. A callback may flush as well (in Java it may not).
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing of what is sent.
    pub async fn flush(&self) -> Result<Flushed, FlushError> {
        self.flush_until(None).await
    }

    /// [`flush`](Self::flush) that waits no longer than `timeout`. The I/O thread keeps the time: no
    /// runtime with a timer is needed.
    ///
    /// # Errors
    /// Those of `flush`, and [`FlushError::TimedOut`]: what has no outcome then is sent all the same, and
    /// nothing is lost.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing of what is sent.
    pub async fn flush_timeout(&self, timeout: Duration) -> Result<Flushed, FlushError> {
        self.flush_until(Some(timeout)).await
    }

    /// Why the next batch of a partition is not sent now: what the I/O thread decides by, asked of it.
    /// `None` if nothing keeps it from sending, or if there is nothing to send: records that are on
    /// their way are not waiting. `None` as well once the producer has ended, and inside a callback that
    /// runs on the I/O task, because the system gave no thread for callbacks.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn pause_reason(&self, topic: &str, partition: i32) -> Option<PauseReason> {
        let shared = &self.handle.shared;
        let ask = |mailbox: &Mailbox, id| mailbox.why_paused(id, topic, partition);
        if is_io_task() {
            return None;
        }
        match shared.ask(ask).await {
            Some(Answer::Paused(reason)) => reason,
            _ => None,
        }
    }

    async fn flush_until(&self, timeout: Option<Duration>) -> Result<Flushed, FlushError> {
        if is_io_task() {
            return Err(FlushError::InCallback);
        }
        let shared = &self.handle.shared;
        let began = shared.clock.now().monotonic;
        let deadline = timeout.and_then(|timeout| began.checked_add(timeout));
        let answer = shared.ask(|mailbox, id| mailbox.flush(id, deadline)).await;
        let now = shared.clock.now().monotonic;
        let waited = now.saturating_duration_since(began);
        shared.sensors.on_flush(now, waited);
        match (answer, &*shared.driver.borrow()) {
            (Some(Answer::Flushed(report)), _) => report.result(waited),
            (_, DriverState::Ended { abandoned: 0 }) => Ok(Flushed { records: 0 }),
            (_, DriverState::Died(why)) => Err(FlushError::DriverEnded(Arc::clone(why))),
            (_, _) => Err(FlushError::Closed),
        }
    }
}

impl Shared {
    /// Has the sender asked something. `None` if it ends before it answers.
    async fn ask(&self, post: impl FnOnce(&Mailbox, CommandId)) -> Option<Answer> {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut commands = lock(&self.commands);
            commands.next += 1;
            let id = CommandId(commands.next);
            commands.waiting.insert(id, sender);
            id
        };
        let _asking = Asking { shared: self, id };
        if self.is_running() {
            post(&self.mailbox, id);
        } else {
            lock(&self.commands).waiting.remove(&id);
        }
        receiver.await.ok()
    }

    pub(crate) fn command_done(&self, id: CommandId, answer: Answer) {
        let waiting = lock(&self.commands).waiting.remove(&id);
        // Whoever asked may have gone.
        let _ = waiting.map(|waiting| waiting.send(answer));
    }
}

/// Somebody who waits for an answer. Once he is gone nothing is kept for him.
struct Asking<'a> {
    shared: &'a Shared,
    id: CommandId,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let waiting = lock(&self.shared.commands).waiting.remove(&self.id);
        if waiting.is_some() {
            self.shared.mailbox.forget(self.id);
        }
    }
}

impl FlushReport {
    fn result(self, waited: Duration) -> Result<Flushed, FlushError> {
        let Self { delivered, failed, first, unfinished } = self;
        match first {
            _ if unfinished > 0 => Err(FlushError::TimedOut { waited, unfinished, failed }),
            Some(first) => Err(FlushError::Failed { failed, records: delivered + failed, first }),
            None => Ok(Flushed { records: delivered }),
        }
    }
}
