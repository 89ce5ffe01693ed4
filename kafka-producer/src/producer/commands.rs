//! Calls that the sender answers.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::callbacks::is_io_task;
use crate::error::FlushError;
use crate::producer::{DriverState, Producer, Shared};
use crate::sender::{CommandId, FlushReport};
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
    pub(super) waiting: BTreeMap<CommandId, oneshot::Sender<FlushReport>>,
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

    async fn flush_until(&self, timeout: Option<Duration>) -> Result<Flushed, FlushError> {
        if is_io_task() {
            return Err(FlushError::InCallback);
        }
        let shared = &self.handle.shared;
        let began = shared.clock.now().monotonic;
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut commands = lock(&shared.commands);
            commands.next += 1;
            let id = CommandId(commands.next);
            commands.waiting.insert(id, sender);
            id
        };
        if shared.is_running() {
            shared.mailbox.flush(id, timeout.and_then(|timeout| began.checked_add(timeout)));
        } else {
            lock(&shared.commands).waiting.remove(&id);
        }
        let answer = receiver.await;
        let now = shared.clock.now().monotonic;
        let waited = now.saturating_duration_since(began);
        shared.sensors.on_flush(now, waited);
        match (answer, &*shared.driver.borrow()) {
            (Ok(report), _) => report.result(waited),
            (Err(_), DriverState::Ended { abandoned: 0 }) => Ok(Flushed { records: 0 }),
            (Err(_), DriverState::Died(why)) => Err(FlushError::DriverEnded(Arc::clone(why))),
            (Err(_), _) => Err(FlushError::Closed),
        }
    }
}

impl Shared {
    pub(crate) fn command_done(&self, id: CommandId, report: FlushReport) {
        let waiting = lock(&self.commands).waiting.remove(&id);
        // Whoever asked may have gone.
        let _ = waiting.map(|waiting| waiting.send(report));
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
