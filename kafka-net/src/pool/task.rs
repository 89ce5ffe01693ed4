//! The task of a pool: the policy of each broker's connection, and whoever waits for one.

use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use fastrand::Rng;
use tokio::sync::{mpsc, oneshot};

use super::Target;
use super::slot::{Report, Slot, What};
use crate::connection::now;
use crate::core::{BrokerId, ConnectionEvent, HostPort, Load, after, least_loaded};
use crate::{ConnectError, Connection, DisconnectReason, NetConfig, RequestError};

pub(super) enum Command {
    Connection { to: Target, reply: Reply },
    SetBrokers(Vec<(BrokerId, HostPort)>),
    Close,
}

type Reply = oneshot::Sender<Result<Connection, RequestError>>;

pub(super) struct Task {
    config: Arc<NetConfig>,
    commands: mpsc::Receiver<Command>,
    reports: mpsc::Receiver<Report>,
    /// For the attempts, which report back.
    reporter: mpsc::Sender<Report>,
    /// Bootstrap servers have negative ids.
    slots: BTreeMap<BrokerId, Slot>,
    waiting: VecDeque<Waiter>,
    rng: Rng,
}

struct Waiter {
    to: Target,
    reply: Reply,
    since: Instant,
}

enum Input {
    Command(Option<Command>),
    Report(Report),
    Timeout,
}

impl Task {
    pub(super) fn new(
        bootstrap_servers: Vec<HostPort>,
        config: NetConfig,
        commands: mpsc::Receiver<Command>,
        rng: Rng,
    ) -> Self {
        let (reporter, reports) = mpsc::channel(REPORTS_MAX);
        let ids = (1..).map(|index: i32| BrokerId(-index));
        let slot = |(id, address)| (id, Slot::new(id, address, now()));
        let slots = ids.zip(bootstrap_servers).map(slot).collect();
        let (config, waiting) = (Arc::new(config), VecDeque::new());
        Self { config, commands, reports, reporter, slots, waiting, rng }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.serve(now());
            match self.next_input().await {
                Input::Command(Some(Command::Connection { to, reply })) => self.wait(to, reply),
                Input::Command(Some(Command::SetBrokers(brokers))) => self.set_brokers(brokers),
                Input::Command(None | Some(Command::Close)) => break,
                Input::Report(report) => self.on_report(report),
                Input::Timeout => self.on_timeout(now()),
            }
        }
        for slot in self.slots.values_mut() {
            slot.close(now(), &self.config.policy, &mut self.rng);
        }
        for waiter in self.waiting {
            let _ = waiter.reply.send(Err(RequestError::Closed));
        }
    }

    async fn next_input(&mut self) -> Input {
        let deadline = self.next_timeout();
        let sleep = deadline.map(|at| tokio::time::sleep_until(at.into()));
        let mut sleep = pin!(sleep);
        poll_fn(|cx| {
            if let Poll::Ready(Some(report)) = self.reports.poll_recv(cx) {
                return Poll::Ready(Input::Report(report));
            }
            if let Poll::Ready(command) = self.commands.poll_recv(cx) {
                return Poll::Ready(Input::Command(command));
            }
            match sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.poll(cx).map(|()| Input::Timeout),
                None => Poll::Pending,
            }
        })
        .await
    }

    fn wait(&mut self, to: Target, reply: Reply) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.retain(|waiter| !waiter.reply.is_closed());
        }
        if self.waiting.len() >= WAITING_MAX {
            let _ = reply.send(Err(RequestError::Busy(WAITING_MAX)));
            return;
        }
        self.waiting.push_back(Waiter { to, reply, since: now() });
    }

    /// Gives everybody who waits a connection or an error, if there is one by now.
    fn serve(&mut self, now: Instant) {
        for waiter in std::mem::take(&mut self.waiting) {
            if waiter.reply.is_closed() {
                continue;
            }
            match self.connection(waiter.to, waiter.since, now) {
                Some(result) => {
                    let _ = waiter.reply.send(result);
                }
                None if self.deadline(&waiter) <= now => {
                    let _ = waiter.reply.send(Err(self.explain(waiter.to)));
                }
                None => self.waiting.push_back(waiter),
            }
        }
    }

    /// `None`: not yet. Begins to connect where that is due.
    fn connection(
        &mut self,
        to: Target,
        since: Instant,
        now: Instant,
    ) -> Option<Result<Connection, RequestError>> {
        let chosen = match to {
            Target::Any => match self.choose(since, now) {
                Some(chosen) => chosen,
                None => return self.is_hopeless(to, since).then(|| Err(self.explain(to))),
            },
            Target::Broker(id) => id,
        };
        let Some(slot) = self.slots.get_mut(&chosen) else {
            return Some(Err(RequestError::UnknownBroker(chosen.0)));
        };
        if let Some(connection) = slot.ready(now, &self.config.policy, &mut self.rng) {
            return Some(Ok(connection));
        }
        if slot.machine.may_connect(now) && !slot.is_hopeless(since) {
            slot.handle(now, ConnectionEvent::Connect, &self.config, &self.reporter, &mut self.rng);
            return None;
        }
        self.is_hopeless(to, since).then(|| Err(self.explain(to)))
    }

    /// Among the brokers; among the bootstrap servers if no broker is available.
    fn choose(&mut self, since: Instant, now: Instant) -> Option<BrokerId> {
        let load = |(id, slot): (&BrokerId, &Slot)| (*id, slot.load(since, now));
        let brokers: Vec<(BrokerId, Load)> = self.slots.range(BrokerId(0)..).map(load).collect();
        least_loaded(&brokers, &mut self.rng).or_else(|| {
            let seeds: Vec<_> = self.slots.range(..BrokerId(0)).map(load).collect();
            least_loaded(&seeds, &mut self.rng)
        })
    }

    /// Whether no attempt can change anything: each address leads to something that is no broker.
    fn is_hopeless(&self, to: Target, since: Instant) -> bool {
        match to {
            Target::Any => self.slots.values().all(|slot| slot.is_hopeless(since)),
            Target::Broker(id) => self.slots.get(&id).is_some_and(|slot| slot.is_hopeless(since)),
        }
    }

    fn explain(&self, to: Target) -> RequestError {
        let wait_max = self.config.wait_max;
        match to {
            Target::Broker(id) => match self.slots.get(&id) {
                Some(slot) => RequestError::Connect(slot.explain(wait_max)),
                None => RequestError::UnknownBroker(id.0),
            },
            Target::Any => {
                let tried = |slot: &&Slot| slot.machine.last_attempt().is_some();
                let explain = |slot: &Slot| slot.explain(wait_max);
                RequestError::NoBroker {
                    causes: self.slots.values().filter(tried).map(explain).collect(),
                }
            }
        }
    }

    fn set_brokers(&mut self, brokers: Vec<(BrokerId, HostPort)>) {
        let brokers: BTreeMap<BrokerId, HostPort> =
            brokers.into_iter().filter(|(id, _)| *id >= BrokerId(0)).collect();
        let now = now();
        let (policy, rng) = (&self.config.policy, &mut self.rng);
        self.slots.retain(|id, slot| {
            let is_kept = *id < BrokerId(0) || brokers.contains_key(id);
            if !is_kept {
                slot.close(now, policy, rng);
            }
            is_kept
        });
        for (id, address) in brokers {
            let slot = self.slots.entry(id).or_insert_with(|| Slot::new(id, address.clone(), now));
            slot.set_address(now, address);
        }
    }

    fn on_report(&mut self, Report { connection, what }: Report) {
        let now = now();
        let Some(slot) = self.slots.get_mut(&connection.broker) else { return };
        // Of an older attempt, or of one that was given up. A connection that comes of it is closed
        // by being dropped.
        if !slot.machine.is_current(connection) {
            return;
        }
        let event = match what {
            What::Resolved(addresses) => ConnectionEvent::Resolved(addresses),
            What::Opened => ConnectionEvent::Opened,
            What::Ready(connection) => {
                slot.on_ready(now, connection);
                ConnectionEvent::Ready
            }
            What::Ended => {
                slot.forget_connection();
                ConnectionEvent::Closed
            }
            What::Failed(error) => {
                let event = blame(&error);
                slot.on_failure(now, error);
                event
            }
        };
        slot.handle(now, event, &self.config, &self.reporter, &mut self.rng);
    }

    fn on_timeout(&mut self, now: Instant) {
        for slot in self.slots.values_mut() {
            slot.on_timeout(now, &self.config, &self.reporter, &mut self.rng);
        }
    }

    fn deadline(&self, waiter: &Waiter) -> Instant {
        after(waiter.since, self.config.wait_max)
    }

    /// The first moment at which something is to be done without anybody saying so.
    fn next_timeout(&self) -> Option<Instant> {
        let connections = self.slots.values().filter_map(|slot| slot.machine.poll_timeout());
        let waiting = self.waiting.iter().map(|waiter| self.deadline(waiter)).min();
        // While somebody waits, also the moments at which a choice may come out differently.
        let now = now();
        let choices = self.slots.values().filter_map(|slot| slot.next_choice(now));
        let choices = choices.filter(|_| !self.waiting.is_empty()).min();
        connections.chain(waiting).chain(choices).min()
    }
}

/// Who ended an attempt: the peer and the network, or we.
fn blame(error: &ConnectError) -> ConnectionEvent {
    match error {
        ConnectError::Handshake { reason, .. } => match reason {
            DisconnectReason::ClosedByPeer
            | DisconnectReason::ClosedInsideFrame
            | DisconnectReason::Io(_) => ConnectionEvent::Closed,
            _ => ConnectionEvent::Failed,
        },
        _ => ConnectionEvent::Closed,
    }
}

/// Calls that wait for a connection.
const WAITING_MAX: usize = 1_000;

/// Reports of attempts that wait for the task; who has more waits.
const REPORTS_MAX: usize = 64;
