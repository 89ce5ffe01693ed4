//! The sender, a cluster and a network between them, stepped by one thread.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_mock::MockCluster;
use kafka_protocol::messages::produce::{NodeEndpoint, PartitionProduceResponse};
use kafka_protocol::records::Compressor;

use crate::PauseReason;
use crate::accumulator::{AppendError, Attempt, Now, QueueClosed, RecordAccumulator};
use crate::callbacks::CallbackRunner;
use crate::record::Record;
use crate::sender::{Action, Answer, Command, CommandId, Event, FlushReport, Sender};
use crate::sim::checkers;
use crate::sim::ledger::Ledger;
use crate::sim::network::{self, Network, Parcel};
use crate::sim::reach::Reached;
use crate::sim::settings::Settings;
use crate::sim::story::Who;
use crate::testing::start;
use crate::wake::WakeFlag;

pub(super) struct Simulation {
    pub(super) settings: Settings,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) cluster: MockCluster,
    pub(super) network: Network,
    pub(super) accumulator: Arc<RecordAccumulator>,
    pub(super) sender: Sender,
    pub(super) ledger: Ledger,
    pub(super) compressor: Compressor,
    pub(super) callbacks: CallbackRunner,
    /// Commands that were done.
    pub(super) done: Vec<CommandId>,
    /// What each flush that is not done waits for: records below that number.
    pub(super) flushes: BTreeMap<CommandId, u64>,
    /// What became of those that are done.
    pub(super) reports: BTreeMap<CommandId, FlushReport>,
    /// Answers to those who asked why a partition sends nothing.
    pub(super) reasons: BTreeMap<CommandId, Option<PauseReason>>,
    /// Of everything that the sender asked for, and when.
    pub(super) trace: DefaultHasher,
    pub(super) actions: u64,
    pub(super) steps_at_once: u32,
    pub(super) reached: Reached,
}

impl Simulation {
    pub(super) fn new(settings: Settings) -> Self {
        let start = start();
        let mut cluster = MockCluster::new(settings.cluster.clone());
        for broker in cluster.brokers() {
            cluster.set_address(broker, "127.0.0.1", network::port_of(broker));
        }
        let accumulator =
            Arc::new(RecordAccumulator::new(settings.accumulator(), Arc::new(WakeFlag::new())));
        let config = settings.sender(&cluster);
        let sender = Sender::new(config, Arc::clone(&accumulator), start);
        Self {
            network: Network::new(&settings, cluster.brokers(), start),
            compressor: Compressor::new(settings.compression),
            settings,
            start,
            now: start,
            cluster,
            accumulator,
            sender,
            ledger: Ledger::default(),
            callbacks: CallbackRunner::new(),
            done: Vec::new(),
            flushes: BTreeMap::new(),
            reports: BTreeMap::new(),
            reasons: BTreeMap::new(),
            trace: DefaultHasher::new(),
            actions: 0,
            steps_at_once: 0,
            reached: Reached::default(),
        }
    }

    /// Sends a record, if there is room and its topic is known; otherwise asks for what is missing.
    pub(super) fn try_send(&mut self, topic: &str, partition: Option<i32>, size: usize) -> bool {
        let value = self.ledger.next_value(size);
        let record = Record { partition, ..Record::new(topic, &value) };
        let mut attempt = Attempt::default();
        match self.accumulator.try_append(&self.both_clocks(), &record, &mut attempt) {
            Ok(delivery) => {
                self.network.story.tell(self.now, Who::App, || {
                    let (number, partition) = (self.ledger.accepted(), delivery.partition());
                    format!("sends record {number} to {topic}-{partition}, {size} bytes")
                });
                self.ledger.accept(self.now, delivery);
                self.sender.handle_event(self.now, Event::RecordsReady);
                true
            }
            Err(AppendError::MemoryFull { .. }) => {
                // The batch before it may be complete now; whoever finds no memory wakes the sender.
                self.sender.handle_event(self.now, Event::RecordsReady);
                false
            }
            Err(AppendError::Closed(_)) => false,
            Err(_) => {
                let command = Command::WantTopic(topic.into());
                self.sender.handle_event(self.now, Event::Command(command));
                false
            }
        }
    }

    /// Sends a record, and lets time go on until that is possible.
    pub(super) fn send(&mut self, topic: &str, partition: i32, size: usize) {
        for _ in 0..10_000 {
            if self.try_send(topic, Some(partition), size) {
                return;
            }
            self.step();
        }
        panic!("seed {:#x}: a record was never accepted", self.settings.seed);
    }

    /// One step: everything that is to be done now, then the next thing that happens.
    pub(super) fn step(&mut self) {
        self.drain();
        checkers::check_step(self);
        let next = [
            self.network.next_at(),
            self.sender.poll_timeout().map(|(at, _)| at),
            self.cluster.poll_timeout(),
        ];
        let Some(next) = next.into_iter().flatten().min() else {
            self.now += Duration::from_millis(1);
            return;
        };
        self.steps_at_once = if next > self.now { 0 } else { self.steps_at_once + 1 };
        assert!(
            self.steps_at_once < 10_000,
            "seed {:#x}: time stands still at {:?}, next timer {:?}",
            self.settings.seed,
            self.now - self.start,
            self.sender.poll_timeout()
        );
        self.now = self.now.max(next);
        self.happen();
    }

    /// Lets that much time pass.
    pub(super) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.drain();
            let next = [
                self.network.next_at(),
                self.sender.poll_timeout().map(|(at, _)| at),
                self.cluster.poll_timeout(),
            ];
            if next.into_iter().flatten().min().is_none_or(|next| next > until) {
                self.now = until;
                self.ledger.collect();
                return;
            }
            self.step();
        }
    }

    /// Asks for everything so far to be sent.
    pub(super) fn flush(&mut self) -> CommandId {
        let id = CommandId(u64::try_from(self.flushes.len() + self.done.len()).unwrap());
        self.network.story.tell(self.now, Who::App, || "flushes".to_owned());
        self.flushes.insert(id, self.ledger.accepted());
        let command = Command::Flush { id, deadline: None };
        self.sender.handle_event(self.now, Event::Command(command));
        id
    }

    /// Runs until every record has its outcome.
    pub(super) fn settle(&mut self) {
        let limit = self.now + self.settings.delivery_timeout * 2 + Duration::from_secs(60);
        loop {
            self.drain();
            if self.ledger.is_settled() {
                break;
            }
            self.step();
            assert!(
                self.now < limit,
                "seed {:#x}: {} records have no outcome",
                self.settings.seed,
                self.ledger.unsettled()
            );
        }
    }

    /// Runs until every record has its outcome, and holds the outcomes against the logs.
    pub(super) fn finish(mut self) -> Ledger {
        self.settle();
        // Who has nothing to do does little, and holds nothing.
        self.run_for(self.settings.request_timeout * 2 + Duration::from_secs(60));
        let seed = self.settings.seed;
        assert_eq!(self.sender.leftovers(), Vec::<String>::new(), "seed {seed:#x}");
        assert!(self.flushes.is_empty(), "seed {seed:#x}: {:?} are not done", self.flushes);
        let before = self.actions;
        self.run_for(Duration::from_secs(60));
        let actions = self.actions - before;
        assert!(actions < 300, "seed {seed:#x}: {actions} actions of an idle producer");
        let deadline = self.settings.request_timeout * 3;
        self.close(deadline)
    }

    /// Closes at once, whatever is under way, and holds the outcomes against the logs.
    pub(super) fn close(mut self, timeout: Duration) -> Ledger {
        let seed = self.settings.seed;
        self.network.story.tell(self.now, Who::App, || format!("closes, for {timeout:?}"));
        self.accumulator.close(&QueueClosed::ProducerClosed);
        let deadline = self.now + timeout;
        let close = Command::Close { deadline: Some(deadline) };
        self.sender.handle_event(self.now, Event::Command(close));
        loop {
            self.drain();
            if self.sender.is_closed() {
                break;
            }
            assert!(self.now <= deadline, "seed {seed:#x}: closing takes too long");
            self.step();
        }
        assert!(self.ledger.is_settled(), "seed {seed:#x}: closed with records that wait");
        self.reached.merge(&self.network.wire.reached);
        drop(self.sender);
        assert_eq!(self.accumulator.budget().used(), 0, "seed {seed:#x}: memory");
        // What is under way may be written yet.
        for _ in 0..1000 {
            let times = [self.network.next_at(), self.cluster.poll_timeout()];
            let Some(next) = times.into_iter().flatten().min() else { break };
            self.now = self.now.max(next);
            self.cluster.handle_timeout(self.now);
            self.network.collect(self.now, &mut self.cluster);
            self.network.deliver(self.now, &mut self.cluster);
        }
        self.ledger.excused.append(&mut self.network.wire.uncertain);
        checkers::check_end(&self.ledger, &self.cluster, &self.settings);
        self.ledger.trace = self.trace.finish();
        self.ledger.reached = self.reached;
        self.ledger
    }

    pub(super) fn drain(&mut self) {
        let mut count = 0;
        while let Some(action) = self.sender.poll_action(self.now) {
            count += 1;
            assert!(count < 100_000, "seed {:#x}: actions without end", self.settings.seed);
            self.trace(&action);
            self.apply(action);
        }
        self.reached.look(&self.sender);
        self.tell_outcomes();
    }

    fn apply(&mut self, action: Action) {
        let now = self.now;
        let tell = |what: String| self.network.story.tell(now, Who::Producer, || what);
        match action {
            Action::Resolve { connection, address } => {
                self.network.resolve(now, connection, &address);
            }
            Action::Open { connection, to } => {
                tell(format!("opens {connection} to {to}"));
                self.network.open(now, connection, to);
            }
            Action::Close { connection } => {
                tell(format!("closes {connection}"));
                self.network.close(now, connection, &mut self.cluster);
            }
            Action::Send { connection, request, frame } => {
                self.network.send(now, connection, request, frame);
            }
            Action::Seal { batch, body } => {
                let body = body.compress(&mut self.compressor);
                self.network.schedule(now, Parcel::Event(Event::Sealed { batch, body }));
            }
            Action::Complete(completion) => completion.tell(&self.callbacks),
            Action::CommandDone(id, Answer::Paused(reason)) => {
                self.reasons.insert(id, reason);
            }
            Action::CommandDone(id, Answer::Flushed(report)) => {
                self.reports.insert(id, report);
                self.done.push(id);
                let all_before = self.flushes.remove(&id).unwrap_or(0);
                let first = self.ledger.first_unsettled();
                assert!(
                    first.is_none_or(|first| first >= all_before),
                    "seed {:#x}: flushed, but {first:?} has no outcome",
                    self.settings.seed
                );
            }
        }
    }

    fn tell_outcomes(&mut self) {
        self.ledger.collect();
        for line in self.ledger.take_news() {
            self.network.story.tell(self.now, Who::App, || line);
        }
    }

    fn trace(&mut self, action: &Action) {
        self.actions += 1;
        (self.now - self.start).hash(&mut self.trace);
        match action {
            Action::Resolve { connection, .. } => (0, connection).hash(&mut self.trace),
            Action::Open { connection, to } => (1, connection, to).hash(&mut self.trace),
            Action::Close { connection } => (2, connection).hash(&mut self.trace),
            Action::Send { connection, request, frame } => {
                (3, connection, request, frame.segments()).hash(&mut self.trace);
            }
            Action::Seal { batch, .. } => (4, batch).hash(&mut self.trace),
            Action::Complete(done) => (5, done.record_count()).hash(&mut self.trace),
            Action::CommandDone(id, _) => (6, id).hash(&mut self.trace),
        }
    }

    /// What is due now: on the wire, in the cluster, in the sender.
    fn happen(&mut self) {
        self.cluster.handle_timeout(self.now);
        self.network.collect(self.now, &mut self.cluster);
        let events = self.network.deliver(self.now, &mut self.cluster);
        for (topic, partition) in self.network.wire.take_forgotten() {
            self.excuse(&topic, partition);
        }
        for event in events {
            self.sender.handle_event(self.now, event);
            self.reached.look(&self.sender);
        }
        self.sender.handle_timeout(self.now);
        self.reached.look(&self.sender);
    }

    /// A leader forgets the producer.
    pub(super) fn forget_producer(&mut self, topic: &str, partition: i32) {
        let records = self.cluster.records(topic, partition).unwrap_or_default();
        if let Some(last) = records.last() {
            self.excuse(topic, partition);
            self.cluster.forget_producer(topic, partition, last.producer_id);
        }
    }

    /// Of what is on its way to this partition nobody can tell any more whether it is there, nor of what
    /// is sent until the leader has written something again.
    fn excuse(&mut self, topic: &str, partition: i32) {
        self.network.wire.forget(topic, partition);
        let wire = &self.network.wire;
        self.ledger.excuse(|number, delivery| {
            let is_there = delivery.topic() == topic && delivery.partition() == partition;
            is_there && wire.has_carried(number)
        });
    }

    /// Answers the oldest Produce request of a broker, of any or of one that was asked for this
    /// partition; the cluster has to swallow its own answer.
    pub(super) fn answer_produce(
        &mut self,
        partition: Option<i32>,
        answer: &PartitionProduceResponse,
        nodes: Vec<NodeEndpoint>,
        throttle_ms: i32,
    ) {
        let connection = self.sender.hear_produce(self.now, partition, answer, nodes, throttle_ms);
        self.network.note_answer(connection);
        self.run_for(Duration::ZERO);
    }

    /// Remembers what is in the logs of a topic that is about to go.
    pub(super) fn archive(&mut self, topic: &str) {
        self.ledger.archive(&self.cluster, topic);
    }

    pub(super) fn both_clocks(&self) -> Now {
        let since = self.now.saturating_duration_since(self.start);
        let timestamp_ms = 1_700_000_000_000 + i64::try_from(since.as_millis()).unwrap();
        Now { monotonic: self.now, timestamp_ms }
    }
}
