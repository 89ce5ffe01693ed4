//! What users want of the sender, until the driver takes it.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::sender::{Command, CommandId};
use crate::sync::{Arc, Mutex, lock};
use crate::wake::WakeFlag;

/// Bounded by those who wait: a topic is in it once, a flush or a question has somebody who waits for it.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: Mutex<Letters>,
    wake: Arc<WakeFlag>,
}

#[derive(Debug, Default)]
struct Letters {
    topics: BTreeSet<Arc<str>>,
    flushes: Vec<(CommandId, Option<Instant>)>,
    questions: Vec<(CommandId, Arc<str>, i32)>,
    /// Commands that the sender has, and nobody waits for any more.
    forgotten: Vec<CommandId>,
    close: Option<Option<Instant>>,
    /// A callback waits for the end.
    is_closed_in_callback: bool,
}

impl Mailbox {
    pub(crate) fn new(wake: Arc<WakeFlag>) -> Self {
        Self { letters: Mutex::default(), wake }
    }

    pub(crate) fn want_topic(&self, topic: &str) {
        let mut letters = lock(&self.letters);
        if !letters.topics.contains(topic) {
            letters.topics.insert(topic.into());
        }
        drop(letters);
        self.wake.notify();
    }

    pub(crate) fn flush(&self, id: CommandId, deadline: Option<Instant>) {
        lock(&self.letters).flushes.push((id, deadline));
        self.wake.notify();
    }

    pub(crate) fn why_paused(&self, id: CommandId, topic: &str, partition: i32) {
        lock(&self.letters).questions.push((id, topic.into(), partition));
        self.wake.notify();
    }

    /// Nobody waits for the answer to a command any more.
    pub(crate) fn forget(&self, id: CommandId) {
        let mut letters = lock(&self.letters);
        let before = letters.flushes.len() + letters.questions.len();
        letters.flushes.retain(|(flush, _)| *flush != id);
        letters.questions.retain(|(question, ..)| *question != id);
        if letters.flushes.len() + letters.questions.len() == before {
            letters.forgotten.push(id);
            drop(letters);
            self.wake.notify();
        }
    }

    /// The earliest deadline counts; `None` is the time that delivery takes at most.
    pub(crate) fn close(&self, deadline: Option<Instant>) {
        let mut letters = lock(&self.letters);
        letters.close = Some(match (letters.close, deadline) {
            (Some(Some(before)), Some(deadline)) => Some(before.min(deadline)),
            (Some(Some(before)), None) => Some(before),
            (_, deadline) => deadline,
        });
        drop(letters);
        self.wake.notify();
    }

    /// Somebody closes inside a callback: the end must not wait for callbacks then.
    pub(crate) fn note_closed_in_callback(&self) {
        lock(&self.letters).is_closed_in_callback = true;
    }

    /// Until when callbacks may still run before the end; no value is without a limit.
    pub(crate) fn callbacks_until(&self, now: Instant) -> Option<Instant> {
        let letters = lock(&self.letters);
        if letters.is_closed_in_callback { Some(now) } else { letters.close.flatten() }
    }

    /// Takes everything out. Closing comes again and again, so that a later deadline is seen.
    pub(crate) fn take(&self) -> impl Iterator<Item = Command> + use<> {
        let mut letters = lock(&self.letters);
        let topics = std::mem::take(&mut letters.topics);
        let flushes = std::mem::take(&mut letters.flushes);
        let questions = std::mem::take(&mut letters.questions);
        let forgotten = std::mem::take(&mut letters.forgotten);
        let close = letters.close;
        let close = close.map(|deadline| Command::Close { deadline });
        let topics = topics.into_iter().map(Command::WantTopic);
        let flushes = flushes.into_iter().map(|(id, deadline)| Command::Flush { id, deadline });
        let questions = questions.into_iter();
        let questions =
            questions.map(|(id, topic, partition)| Command::WhyPaused { id, topic, partition });
        let forgotten = forgotten.into_iter().map(Command::Forget);
        topics.chain(flushes).chain(questions).chain(forgotten).chain(close)
    }
}
