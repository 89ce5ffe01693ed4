//! The facade: what users hold, and the only place where somebody waits.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use crate::accumulator::{Accepted, AppendError, Attempt, QueueClosed, RecordAccumulator};
use crate::callbacks::Callback;
use crate::callbacks::is_callback_thread;
use crate::clock::Clock;
use crate::cluster::TopicState;
use crate::delivery::Delivery;
use crate::error::{BlockedOn, CloseError, ProduceError, SendAllError, SendError};
use crate::interceptor::{Interceptors, RecordBuf};
use crate::mailbox::Mailbox;
use crate::metrics::{Metrics, Sensors};
use crate::partitioner::{Partitioner, TopicPartitions};
use crate::producer::commands::Commands;
use crate::record::{Record, RecordMetadata};
use crate::sync::{Arc, Mutex, lock};

mod build;
mod commands;
mod sending;
mod start;
mod waiting;

pub use commands::Flushed;
use sending::Begun;
pub use sending::Sending;

/// Sends records to Kafka. Cheap to clone; all clones share one buffer and one I/O thread.
///
/// Nothing is contacted until the first record is sent. [`close`](Self::close) it in the end: that
/// waits until everything is delivered. When the last clone is dropped instead, what was accepted is
/// still sent in the background, as long as the process lives.
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

/// Closes the producer with its last clone.
struct Handle {
    shared: Arc<Shared>,
    max_block: Duration,
    partitioner: Option<Arc<dyn Partitioner>>,
    interceptors: Interceptors,
    /// Nobody but the accumulator has a say in a record.
    is_plain: bool,
}

/// What callers and driver share.
pub(crate) struct Shared {
    pub(crate) accumulator: Arc<RecordAccumulator>,
    pub(crate) mailbox: Mailbox,
    pub(crate) clock: Clock,
    pub(crate) sensors: Arc<Sensors>,
    commands: Mutex<Commands>,
    driver: watch::Sender<DriverState>,
}

/// How the driver is.
#[derive(Debug, Clone)]
enum DriverState {
    Running,
    /// It was closed, and gave up so many records.
    Ended {
        abandoned: u64,
    },
    Died(Arc<str>),
}

/// A partition of a topic, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Id of the broker that leads it, if there is one.
    pub leader: Option<i32>,
}

impl Producer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        max_block: Duration,
        partitioner: Option<Arc<dyn Partitioner>>,
        interceptors: Interceptors,
    ) -> Self {
        let is_plain = partitioner.is_none() && interceptors.is_empty();
        Self { handle: Arc::new(Handle { shared, max_block, partitioner, interceptors, is_plain }) }
    }

    /// Accepts a record, and gives what will become of it.
    ///
    /// Waits only while the topic is not known yet, or while `buffer.memory` is full, both together
    /// no longer than `max.block.ms`. Needs a tokio runtime with a timer for that.
    ///
    /// # Errors
    /// If the record was not accepted. It is not sent then.
    ///
    /// # Cancel safety
    /// If the future is dropped before it is ready, the record was not accepted.
    pub fn send<'a>(&'a self, record: Record<'a>) -> Sending<'a> {
        Sending::new(self, record)
    }

    /// As [`send`](Self::send), and has the callback run with the outcome, on a thread for callbacks.
    ///
    /// Callbacks of a partition run in the order of its records. Until one has run, it keeps a share
    /// of `buffer.memory`. Inside one use [`try_send`](Self::try_send): `send` does not wait there.
    ///
    /// # Errors
    /// If the record was not accepted; the callback is not run then.
    ///
    /// # Cancel safety
    /// As `send`.
    pub async fn send_with(
        &self,
        record: Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, ProduceError>) + Send + 'static,
    ) -> Result<(), SendError> {
        match self.begin(record, Some(Callback::new(callback))) {
            Begun::Done(_) => Ok(()),
            Begun::Waits(send) => send.await.map(drop),
        }
    }

    /// Accepts a record if that is possible at once.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendError::WouldBlock`]: what is missing was asked for.
    pub fn try_send(&self, record: Record<'_>) -> Result<Delivery, SendError> {
        if let Some(accepted) = self.append_in_place(&record) {
            return Ok(accepted.delivery(&record));
        }
        self.intercepted(record, None, |record, callback| {
            let mut attempt = Attempt::with_callback(callback);
            self.try_append(record, &mut attempt).map_err(|error| self.refusal(record, error))
        })
    }

    /// [`try_send`](Self::try_send) with a callback.
    ///
    /// # Errors
    /// As `try_send`; the callback is not run then.
    pub fn try_send_with(
        &self,
        record: Record<'_>,
        callback: impl FnOnce(Result<RecordMetadata, ProduceError>) + Send + 'static,
    ) -> Result<(), SendError> {
        let callback = Callback::new(callback);
        let sent = self.intercepted(record, Some(callback), |record, callback| {
            let mut attempt = Attempt::with_callback(callback);
            self.try_append(record, &mut attempt).map_err(|error| self.refusal(record, error))
        });
        sent.map(drop)
    }

    /// Sends records one after the other.
    ///
    /// # Errors
    /// At the first one that is not accepted. Those before it are, and are given with the error.
    ///
    /// # Cancel safety
    /// If the future is dropped, some of the records may have been accepted.
    pub async fn send_all(
        &self,
        records: impl IntoIterator<Item = Record<'_>>,
    ) -> Result<Vec<Delivery>, SendAllError> {
        let mut accepted = Vec::new();
        for record in records {
            match self.send(record).await {
                Ok(delivery) => accepted.push(delivery),
                Err(error) => return Err(SendAllError { accepted, error }),
            }
        }
        Ok(accepted)
    }

    /// The partitions of a topic, waiting for them as [`send`](Self::send) does.
    ///
    /// # Errors
    /// As `send`, where it is about the topic.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, SendError> {
        let mut waiting = waiting::Waiting::new(&self.handle.shared, self.handle.max_block);
        loop {
            let cluster = self.handle.shared.accumulator.cluster();
            let error = match cluster.topic(topic) {
                Some(TopicState::Known(entry)) => {
                    waiting.on_metadata();
                    let leaders = entry.leaders.iter().map(|id| Some(*id).filter(|id| *id >= 0));
                    let infos = (0..).zip(leaders).map(|(partition, leader)| PartitionInfo {
                        topic: Arc::clone(&entry.shared.name),
                        partition,
                        leader,
                    });
                    return Ok(infos.collect());
                }
                Some(TopicState::Failed(error)) => AppendError::TopicFailed(*error),
                None => AppendError::UnknownTopic,
            };
            waiting.wait_for(error, &Record::empty(topic), &mut Attempt::default()).await?;
        }
    }

    /// Refuses further records, and waits until everything that was accepted has its outcome and
    /// callbacks have run; for no longer than `timeout`, then what is left fails.
    ///
    /// A timeout of zero closes at once. Inside a callback this waits for no callback. A second call waits for the first one's end, or ends it
    /// earlier.
    ///
    /// # Errors
    /// If something had to be given up.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the closing.
    pub async fn close(&self, timeout: Duration) -> Result<(), CloseError> {
        let shared = &self.handle.shared;
        shared.accumulator.close(&QueueClosed::ProducerClosed);
        if is_callback_thread() {
            shared.mailbox.note_closed_in_callback();
        }
        shared.mailbox.close(shared.clock.now().monotonic.checked_add(timeout));
        let mut driver = shared.driver.subscribe();
        let ended = driver.wait_for(|state| !matches!(state, DriverState::Running)).await;
        match ended.map(|state| state.clone()) {
            Ok(DriverState::Died(why)) => Err(CloseError::DriverEnded(why)),
            Ok(DriverState::Ended { abandoned }) if abandoned > 0 => {
                Err(CloseError::TimedOut { timeout, records: abandoned })
            }
            _ => Ok(()),
        }
    }

    /// Refuses further records, and fails what is not delivered yet. Does not wait.
    pub fn force_close(&self) {
        let shared = &self.handle.shared;
        shared.accumulator.close(&QueueClosed::ProducerClosed);
        shared.mailbox.close(Some(shared.clock.now().monotonic));
    }

    /// What the producer has measured of itself, as it is now. Takes some microseconds, and more where
    /// there are thousands of topics; the I/O goes on.
    pub fn metrics(&self) -> Metrics {
        let shared = &self.handle.shared;
        let now = shared.clock.now().monotonic;
        shared.sensors.snapshot(now, shared.accumulator.budget())
    }

    /// Bytes of `buffer.memory` that are in use now.
    pub fn buffered_bytes(&self) -> usize {
        self.handle.shared.accumulator.budget().used()
    }

    /// Nearly every send ends here, and so without anything to keep in a future.
    #[inline(always)]
    fn append_in_place(&self, record: &Record<'_>) -> Option<Accepted> {
        let (handle, shared) = (&*self.handle, &self.handle.shared);
        if !handle.is_plain || record.timestamp.is_some_and(i64::is_negative) {
            return None;
        }
        shared.accumulator.append_in_place(&shared.clock, record)
    }

    /// The first attempt at a send.
    fn begin<'a>(&'a self, record: Record<'a>, callback: Option<Callback>) -> Begun<'a> {
        if !self.handle.interceptors.is_empty() {
            return Begun::Waits(Box::pin(self.send_intercepted(record, callback)));
        }
        let mut attempt = Attempt::with_callback(callback);
        match self.try_append(&record, &mut attempt) {
            Ok(delivery) => Begun::Done(delivery),
            Err(error) => {
                Begun::Waits(Box::pin(
                    async move { self.append_slowly(&record, attempt, error).await },
                ))
            }
        }
    }

    async fn send_intercepted(
        &self,
        record: Record<'_>,
        callback: Option<Callback>,
    ) -> Result<Delivery, SendError> {
        let buf = self.handle.interceptors.on_send(RecordBuf::from(record));
        let mut headers = Vec::new();
        let record = buf.as_record(&mut headers);
        let callback = self.handle.interceptors.callback(callback, &buf.headers);
        let mut attempt = Attempt::with_callback(Some(callback));
        let sent = match self.try_append(&record, &mut attempt) {
            Ok(delivery) => Ok(delivery),
            Err(error) => self.append_slowly(&record, attempt, error).await,
        };
        if let Err(error) = &sent {
            self.handle.interceptors.on_send_error(&record, error);
        }
        sent
    }

    fn intercepted(
        &self,
        record: Record<'_>,
        callback: Option<Callback>,
        send: impl FnOnce(&Record<'_>, Option<Callback>) -> Result<Delivery, SendError>,
    ) -> Result<Delivery, SendError> {
        if self.handle.interceptors.is_empty() {
            return send(&record, callback);
        }
        let buf = self.handle.interceptors.on_send(RecordBuf::from(record));
        let mut headers = Vec::new();
        let record = buf.as_record(&mut headers);
        let sent = send(&record, Some(self.handle.interceptors.callback(callback, &buf.headers)));
        if let Err(error) = &sent {
            self.handle.interceptors.on_send_error(&record, error);
        }
        sent
    }

    /// Waits for what is missing, as often as something is.
    async fn append_slowly(
        &self,
        record: &Record<'_>,
        mut attempt: Attempt,
        error: AppendError,
    ) -> Result<Delivery, SendError> {
        if is_callback_thread() {
            // On its way out of a callback nobody would free what this one waits for.
            return Err(self.refusal(record, error));
        }
        let mut error = self.or_closed(error);
        let mut waiting = waiting::Waiting::new(&self.handle.shared, self.handle.max_block);
        loop {
            let waited = waiting.wait_for(error, record, &mut attempt).await;
            waited.inspect_err(|error| self.count_refused(error))?;
            match self.try_append(record, &mut attempt) {
                Ok(delivery) => {
                    waiting.on_metadata();
                    return Ok(delivery);
                }
                Err(next) => error = next,
            }
        }
    }

    fn try_append(
        &self,
        record: &Record<'_>,
        attempt: &mut Attempt,
    ) -> Result<Delivery, AppendError> {
        waiting::check(record)?;
        let shared = &self.handle.shared;
        let Some(partitioner) =
            self.handle.partitioner.as_ref().filter(|_| record.partition.is_none())
        else {
            return shared.accumulator.try_append(&shared.clock, record, attempt);
        };
        let cluster = shared.accumulator.cluster();
        let mut record = *record;
        if let Some(TopicState::Known(topic)) = cluster.topic(record.topic) {
            let count = topic.queues.len();
            let is_there = |partition| usize::try_from(partition).is_ok_and(|index| index < count);
            let partition =
                attempt.chosen.filter(|chosen| is_there(*chosen)).unwrap_or_else(|| {
                    let view = TopicPartitions::new(record.topic, count, &topic.available);
                    partitioner.partition(&record, &view)
                });
            if !is_there(partition) {
                let reason = format!(
                    "the partitioner chose partition {partition}, the topic's partition count is \
                     {count}"
                );
                return Err(AppendError::Invalid(reason));
            }
            (record.partition, attempt.chosen) = (Some(partition), Some(partition));
        }
        shared.accumulator.try_append(&shared.clock, &record, attempt)
    }

    /// A closed producer takes no record, whatever else is wrong with it.
    fn or_closed(&self, error: AppendError) -> AppendError {
        self.handle.shared.accumulator.closed().map_or(error, AppendError::Closed)
    }

    /// What a caller is told who does not wait.
    fn refusal(&self, record: &Record<'_>, error: AppendError) -> SendError {
        let error = self.or_closed(error);
        let is_metadata =
            matches!(error, AppendError::UnknownTopic | AppendError::UnknownPartition { .. })
                || matches!(error, AppendError::TopicFailed(code) if code.is_retriable());
        if is_metadata {
            self.handle.shared.mailbox.want_topic(record.topic);
        }
        match error {
            AppendError::MemoryFull { .. } => {
                self.handle.shared.accumulator.ask_for_memory();
                SendError::WouldBlock(BlockedOn::Memory)
            }
            _ if is_metadata => SendError::WouldBlock(BlockedOn::Metadata),
            error => {
                let error = waiting::final_error(record, error);
                self.count_refused(&error);
                error
            }
        }
    }

    /// Kafka counts records that fail before they are accepted as well, unless the producer is closed.
    pub(crate) fn count_refused(&self, error: &SendError) {
        if !matches!(error, SendError::Closed | SendError::DriverEnded(_)) {
            let shared = &self.handle.shared;
            shared.sensors.on_refused(shared.clock.now().monotonic);
        }
    }
}

impl Shared {
    pub(crate) fn new(
        accumulator: Arc<RecordAccumulator>,
        clock: Clock,
        sensors: Arc<Sensors>,
    ) -> Self {
        Self {
            mailbox: Mailbox::new(Arc::clone(accumulator.wake())),
            accumulator,
            clock,
            sensors,
            commands: Mutex::default(),
            driver: watch::Sender::new(DriverState::Running),
        }
    }

    /// The driver has come to its end; `died` says why if nobody asked it to. The first end counts.
    pub(crate) fn end(&self, died: Option<Arc<str>>, abandoned: u64) {
        let state = match &died {
            Some(why) => DriverState::Died(Arc::clone(why)),
            None => DriverState::Ended { abandoned },
        };
        let is_first = self.driver.send_if_modified(|before| {
            let is_first = matches!(before, DriverState::Running);
            if is_first {
                *before = state;
            }
            is_first
        });
        if is_first {
            let why = died.map_or(QueueClosed::ProducerClosed, QueueClosed::DriverEnded);
            self.accumulator.close(&why);
            // Each of them fails as it is dropped.
            drop(self.accumulator.take_all());
            let waiting = std::mem::take(&mut lock(&self.commands).waiting);
            drop(waiting);
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(*self.driver.borrow(), DriverState::Running)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let shared = &self.shared;
        if shared.is_running() && shared.accumulator.closed().is_none() {
            let bytes = shared.accumulator.queued_bytes();
            if bytes > 0 {
                tracing::warn!(
                    "a producer was dropped with {bytes} bytes that are not sent yet; they are sent \
                     in the background as long as the process lives. Close it to wait for that"
                );
            }
            shared.accumulator.close(&QueueClosed::ProducerClosed);
            shared.mailbox.close(None);
        }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let driver = self.handle.shared.driver.borrow().clone();
        f.debug_struct("Producer").field("driver", &driver).finish_non_exhaustive()
    }
}
