//! Callbacks of records, and the one thread that runs them.
//!
//! A callback may take its time, so it runs neither on the I/O task nor under a lock. What waits here is
//! bounded by the producer's memory: each batch keeps its share until its callbacks have run.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, mpsc};
use std::thread;

use crate::delivery::{Part, RecordFacts};
use crate::sync::Arc;
use crate::{ProduceError, RecordMetadata};

/// What a user wants called with the outcome of a record.
pub(crate) struct Callback {
    run: Box<dyn FnOnce(Result<RecordMetadata, ProduceError>) + Send>,
    /// Bytes of ours that it holds, beside its box.
    held: usize,
}

impl Callback {
    pub(crate) fn new(
        run: impl FnOnce(Result<RecordMetadata, ProduceError>) + Send + 'static,
    ) -> Self {
        Self { run: Box::new(run), held: 0 }
    }

    /// The same callback, which holds so many bytes until it has run.
    pub(crate) fn holding(self, bytes: usize) -> Self {
        Self { held: self.held + bytes, ..self }
    }

    /// What it takes of the memory until it has run.
    pub(crate) fn memory(&self) -> usize {
        CALLBACK + self.held
    }

    pub(crate) fn call(self, outcome: Result<RecordMetadata, ProduceError>) {
        (self.run)(outcome);
    }
}

/// A callback whose record has no outcome yet, or has not been told.
pub(crate) struct PendingCallback {
    pub(crate) record: RecordFacts,
    pub(crate) callback: Callback,
}

/// Callbacks of one partition whose records have their outcome. Their results are made when they run,
/// which keeps that work off the I/O task.
#[must_use = "dropped callbacks are never called"]
pub(crate) struct DueCallbacks {
    topic: Arc<str>,
    partition: i32,
    parts: Vec<(Part, Vec<PendingCallback>)>,
}

impl DueCallbacks {
    pub(crate) fn new(topic: Arc<str>, partition: i32) -> Self {
        Self { topic, partition, parts: Vec::new() }
    }

    /// Adds the callbacks of a part, in the order of their records.
    pub(crate) fn add(&mut self, part: &Part, callbacks: Vec<PendingCallback>) {
        if !callbacks.is_empty() {
            self.parts.push((part.clone(), callbacks));
        }
    }

    /// Whether there is nothing to run.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many there are to run.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|(_, callbacks)| callbacks.len()).sum()
    }

    /// Runs them on this thread: the driver is gone, and whoever noticed tells.
    pub(crate) fn run_here(self) {
        Job { due: Some(self), _keep: Box::new(()) }.run();
    }

    /// Runs them, on this thread. A panic ends its callback only.
    fn run(self) {
        let Self { topic, partition, parts } = self;
        for (part, callbacks) in parts {
            for PendingCallback { record, callback } in callbacks {
                let result = part.result(&topic, partition, record);
                // The callback is gone after its panic, so that nobody sees it half done.
                let outcome = catch_unwind(AssertUnwindSafe(move || callback.call(result)));
                if let Err(panic) = outcome {
                    let what = panic_message(&*panic);
                    tracing::error!(%topic, partition, "Uncaught error in a callback: {what}");
                }
            }
        }
    }
}

/// Runs callbacks one after the other, in the order in which they were handed over, on a thread of its
/// own. The thread starts with the first callback, and ends when the runner is dropped and everything
/// has run.
#[derive(Debug)]
pub(crate) struct CallbackRunner {
    /// To the thread; none if it could not be started.
    queue: OnceLock<Option<mpsc::Sender<Job>>>,
}

impl CallbackRunner {
    /// A runner without a thread yet.
    pub(crate) fn new() -> Self {
        Self { queue: OnceLock::new() }
    }

    /// Runs these callbacks soon, and drops `keep`, their batch's share of the memory, after the last
    /// one. Does not wait, unless there is no thread.
    pub(crate) fn run(&self, due: DueCallbacks, keep: impl Send + 'static) {
        if due.is_empty() {
            return;
        }
        let job = Job { due: Some(due), _keep: Box::new(keep) };
        let job = match self.queue.get_or_init(start) {
            Some(queue) => match queue.send(job) {
                Ok(()) => return,
                Err(mpsc::SendError(job)) => job,
            },
            None => job,
        };
        // The system gives us no thread: a late callback is better than none.
        let outer = ON_IO_TASK.replace(true);
        job.run();
        ON_IO_TASK.set(outer);
    }

    /// Drops `keep` when everything that was handed over before has run.
    pub(crate) fn drop_behind(&self, keep: impl Send + 'static) {
        if let Some(Some(queue)) = self.queue.get() {
            // Where the thread is gone everything has run.
            let _ = queue.send(Job { due: None, _keep: Box::new(keep) });
        }
    }
}

/// Whether the caller is inside a callback, where waiting for the producer would be for ever.
pub(crate) fn is_callback_thread() -> bool {
    IN_CALLBACK.get()
}

/// Whether the caller is inside a callback that holds up the I/O task, as there is no thread for it.
pub(crate) fn is_io_task() -> bool {
    ON_IO_TASK.get()
}

struct Job {
    due: Option<DueCallbacks>,
    /// Held, not looked at.
    _keep: Box<dyn Send>,
}

impl Job {
    fn run(self) {
        let outer = IN_CALLBACK.replace(true);
        self.due.into_iter().for_each(DueCallbacks::run);
        IN_CALLBACK.set(outer);
    }
}

fn start() -> Option<mpsc::Sender<Job>> {
    let (queue, jobs) = mpsc::channel::<Job>();
    let thread = thread::Builder::new().name(THREAD_NAME.to_owned());
    #[expect(
        clippy::disallowed_methods,
        reason = "users' code must not run on the I/O task, and it may block: it needs a thread"
    )]
    let started = thread.spawn(move || jobs.into_iter().for_each(Job::run));
    match started {
        Ok(_) => Some(queue),
        Err(error) => {
            tracing::error!(%error, "no thread for callbacks: they run on the I/O task");
            None
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "a panic without a message",
    }
}

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
    static ON_IO_TASK: Cell<bool> = const { Cell::new(false) };
}

/// What a callback holds until it has run, at most: a box and its place in a list.
pub(crate) const CALLBACK: usize = 256;
const THREAD_NAME: &str = "kafka-producer-callbacks";

#[cfg(all(test, not(kafka_loom)))]
mod tests;
