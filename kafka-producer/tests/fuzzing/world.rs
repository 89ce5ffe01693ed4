//! The driver's part: does what the sender asks for, and holds it against what it may ask for.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_net::ConnectionId;
use kafka_protocol::records::{Compressor, RecordBatchBody};

use crate::accumulator::{MemoryPermit, Now, QueueClosed, RecordAccumulator};
use crate::callbacks::CallbackRunner;
use crate::fuzzing::cluster::Cluster;
use crate::fuzzing::ledger::Ledger;
use crate::fuzzing::links::{LinkState, Links};
use crate::fuzzing::requests::Asked;
use crate::fuzzing::settings::Settings;
use crate::sender::{Action, BatchId, Command, CommandId, Event, Sender};
use crate::sync::Arc;
use crate::wake::WakeFlag;

/// A sender, and everything around it.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) accumulator: Arc<RecordAccumulator>,
    pub(super) sender: Sender,
    pub(super) cluster: Cluster,
    pub(super) links: Links,
    pub(super) ledger: Ledger,
    /// Bodies to be compressed.
    pub(super) seals: VecDeque<(BatchId, RecordBatchBody)>,
    pub(super) compressor: Compressor,
    /// Those who wait for memory, and for how much.
    pub(super) waiters: VecDeque<(usize, Waiter)>,
    /// What each flush that is not done waits for: records before that one.
    flushes: BTreeMap<CommandId, usize>,
    next_command: u64,
    callbacks: CallbackRunner,
    pub(super) start: Instant,
    /// What the clock says; it may go back.
    pub(super) now: Instant,
    /// The latest time that the sender was told.
    pub(super) latest: Instant,
}

/// Nothing in the end if no memory is given any more.
pub(super) type Waiter = Pin<Box<dyn Future<Output = Option<MemoryPermit>>>>;

impl World {
    pub(super) fn new(settings: Settings, start: Instant) -> Self {
        let wake = Arc::new(WakeFlag::new());
        let accumulator = Arc::new(RecordAccumulator::new(settings.accumulator.clone(), wake));
        let sender = Sender::new(settings.sender.clone(), Arc::clone(&accumulator), start);
        Self {
            compressor: Compressor::new(settings.compression),
            settings,
            accumulator,
            sender,
            cluster: Cluster::new(),
            links: Links::default(),
            ledger: Ledger::default(),
            seals: VecDeque::new(),
            waiters: VecDeque::new(),
            flushes: BTreeMap::new(),
            next_command: 0,
            callbacks: CallbackRunner::new(),
            start,
            now: start,
            latest: start,
        }
    }

    /// Something happens.
    pub(super) fn tell(&mut self, event: Event) {
        self.latest = self.latest.max(self.now);
        self.sender.handle_event(self.now, event);
        assert!(self.ledger.is_untold(), "an outcome that nobody told");
    }

    pub(super) fn command(&mut self, command: Command) {
        self.tell(Event::Command(command));
    }

    pub(super) fn flush(&mut self) {
        let id = CommandId(self.next_command);
        self.next_command += 1;
        self.flushes.insert(id, self.ledger.len());
        self.command(Command::Flush { id, deadline: None });
    }

    pub(super) fn close(&mut self, deadline: Option<Duration>) {
        self.accumulator.close(&QueueClosed::ProducerClosed);
        self.poll_waiters();
        let deadline = deadline.map(|deadline| self.latest + deadline);
        self.command(Command::Close { deadline });
    }

    /// Time passes. Whoever has news is heard first: the driver would be awake.
    pub(super) fn pass(&mut self, time: Duration) {
        self.hear_news();
        self.now += time;
        self.latest = self.latest.max(self.now);
        self.sender.handle_timeout(self.now);
    }

    /// Tells the sender of what was appended.
    pub(super) fn hear_news(&mut self) -> bool {
        let cx = Context::from_waker(Waker::noop());
        let has_news = self.accumulator.wake().poll(&cx).is_ready();
        if has_news {
            self.tell(Event::RecordsReady);
        }
        has_news
    }

    /// A frame comes on an open connection.
    pub(super) fn deliver(&mut self, connection: ConnectionId, frame: Bytes) {
        let link = self.links.get_mut(connection);
        let id = frame.first_chunk::<4>().map(|bytes| i32::from_be_bytes(*bytes));
        let is_due = link.unanswered.front().map(|asked| asked.correlation_id) == id;
        if is_due && id.is_some() {
            link.unanswered.pop_front();
            link.is_shaken = true;
        }
        self.tell(Event::Frame { connection, frame });
        if !is_due || id.is_none() {
            self.drain();
            assert!(self.links.get(connection).is_none(), "{connection} goes on after {id:?}");
        }
    }

    /// Does everything that is asked for.
    pub(super) fn drain(&mut self) {
        let mut count = 0;
        while let Some(action) = self.sender.poll_action(self.now) {
            count += 1;
            assert!(count < ACTIONS_MAX, "actions without end");
            self.apply(action);
        }
        self.links.forget_lost();
        self.check();
    }

    fn apply(&mut self, action: Action) {
        match action {
            Action::Resolve { connection, address } => {
                self.links.begin(connection, LinkState::Resolving(address));
            }
            Action::Open { connection, to } => {
                self.links.begin(connection, LinkState::Opening(to));
            }
            Action::Close { connection } => self.links.close(connection),
            Action::Send { connection, request, frame } => {
                let frame = frame.into_bytes();
                let asked = Asked::read(frame.slice(4..), &self.settings.sender);
                self.links.send(connection, request, asked, &self.settings.sender);
            }
            Action::Seal { batch, body } => {
                assert!(self.settings.sender.is_compressed);
                assert!(self.seals.iter().all(|(other, _)| *other != batch), "{batch} again");
                self.seals.push_back((batch, body));
            }
            Action::Complete(completion) => {
                assert!(self.ledger.is_untold(), "an outcome that nobody told");
                let count = completion.record_count();
                completion.tell(&self.callbacks);
                let told = self.ledger.collect();
                // Fewer if some were told one by one before.
                let is_so = told <= usize::try_from(count).unwrap_or(0);
                assert!(is_so, "{told} of {count} records were told");
            }
            Action::CommandDone(id, _) => {
                let all_before = self.flushes.remove(&id).expect("a flush that is not done");
                let first = self.ledger.first_pending();
                assert!(first >= all_before, "flushed, but record {first} has no outcome");
            }
        }
    }

    fn check(&mut self) {
        assert_eq!(self.sender.poll_action(self.now).map(drop), None, "more after the end");
        if let Some((at, timer)) = self.sender.poll_timeout() {
            assert!(at > self.latest, "{timer:?} is due after draining");
        }
        let budget = self.accumulator.budget();
        let (used, total) = (budget.used(), budget.total());
        assert!(used <= total, "{used} bytes of {total} are held");
        let rules = &self.settings.sender;
        let of_one = self.sender.partition_in_flight_max();
        let limit = rules.connections.in_flight_max;
        let is_ordered = rules.is_idempotent || limit == 1;
        assert!(!is_ordered || of_one <= limit.min(5), "{of_one} of one partition in flight");
        self.ledger.check_due(self.latest);
    }

    /// Holds what is left of a sender that is closed against what may be.
    pub(super) fn check_closed(mut self) {
        assert_eq!(self.sender.leftovers(), Vec::<String>::new());
        assert!(self.links.is_empty(), "{:?} are open", self.links.ids());
        assert_eq!(self.sender.poll_timeout(), None);
        let (abandoned, given_up) = (self.sender.abandoned(), self.ledger.given_up());
        assert_eq!(u64::try_from(given_up), Ok(abandoned), "given up, and said so");
        assert!(self.flushes.is_empty() || given_up > 0, "{:?} are not done", self.flushes);
        self.waiters.clear();
        drop(self.sender);
        self.ledger.check_final();
        assert_eq!(self.accumulator.budget().used(), 0, "memory that nobody holds");
    }

    /// Lets those in line for memory look whether they have it.
    pub(super) fn poll_waiters(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        self.waiters.retain_mut(|(_, waiter)| waiter.as_mut().poll(&mut cx).is_pending());
    }

    pub(super) fn both_clocks(&self) -> Now {
        let since = self.now.saturating_duration_since(self.start).as_millis();
        let timestamp_ms = 1_700_000_000_000 + i64::try_from(since).unwrap_or(0);
        Now { monotonic: self.now, timestamp_ms }
    }
}

/// More than all records and connections of an input can need at once.
const ACTIONS_MAX: usize = 5_000;
