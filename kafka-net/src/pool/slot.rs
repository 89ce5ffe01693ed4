//! One broker of a pool: its policy, and what is being done about it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::connection::{dial, ended, resolve};
use crate::core::{
    BrokerConnection, BrokerId, ConnectionAction, ConnectionEvent, ConnectionId, ConnectionPolicy,
    ConnectionState, HostPort, Load, after,
};
use crate::{ConnectError, ConnectStage, Connection, NetConfig};

pub(super) struct Slot {
    pub(super) machine: BrokerConnection,
    link: Link,
    /// When and why the last attempt failed; none since the last success.
    error: Option<(Instant, ConnectError)>,
}

enum Link {
    Down,
    /// The task of the attempt.
    Rising(AbortHandle),
    Up(Connection),
}

/// What an attempt has come to.
pub(super) struct Report {
    pub(super) connection: ConnectionId,
    pub(super) what: What,
}

pub(super) enum What {
    Resolved(Vec<SocketAddr>),
    Opened,
    Ready(Connection),
    Failed(ConnectError),
    Ended,
}

impl Slot {
    pub(super) fn new(id: BrokerId, address: HostPort, now: Instant) -> Self {
        Self { machine: BrokerConnection::new(id, address, now), link: Link::Down, error: None }
    }

    /// Gives the machine an event, and does what it says.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        event: ConnectionEvent,
        config: &Arc<NetConfig>,
        reporter: &mpsc::Sender<Report>,
        rng: &mut Rng,
    ) {
        match self.machine.handle_event(now, event, &config.policy, rng) {
            Some(ConnectionAction::Resolve { connection, address }) => {
                let reporter = reporter.clone();
                let attempt = tokio::spawn(async move {
                    // The machine has the deadline.
                    let what = match resolve(&address, Duration::MAX).await {
                        Ok(addresses) => What::Resolved(addresses),
                        Err(error) => What::Failed(error),
                    };
                    let _ = reporter.send(Report { connection, what }).await;
                });
                self.link = Link::Rising(attempt.abort_handle());
            }
            Some(ConnectionAction::Open { connection, to }) => {
                let mut config = NetConfig::clone(config);
                config.handshake =
                    config.handshake.api_versions_max(self.machine.api_versions_max());
                let address = self.machine.address().clone();
                let attempt = open(connection, to, address, config, reporter.clone());
                self.link = Link::Rising(tokio::spawn(attempt).abort_handle());
            }
            Some(ConnectionAction::Close { .. }) => self.hang_up(),
            None => {
                if self.machine.state() == ConnectionState::Disconnected {
                    self.link = Link::Down;
                }
            }
        }
    }

    /// The connection, if it takes requests.
    pub(super) fn ready(
        &mut self,
        now: Instant,
        policy: &ConnectionPolicy,
        rng: &mut Rng,
    ) -> Option<Connection> {
        let Link::Up(connection) = &self.link else { return None };
        if connection.ended().is_some() {
            // Its report is under way, and will find that this is known.
            self.link = Link::Down;
            self.machine.handle_event(now, ConnectionEvent::Closed, policy, rng);
            return None;
        }
        if !self.machine.is_ready(now) {
            return None;
        }
        let connection = connection.clone();
        self.machine.touch(now, policy);
        Some(connection)
    }

    pub(super) fn on_ready(&mut self, now: Instant, connection: Connection) {
        self.machine.throttle(now, connection.capabilities().throttle);
        self.link = Link::Up(connection);
        self.error = None;
    }

    pub(super) fn forget_connection(&mut self) {
        self.link = Link::Down;
    }

    /// Keeps what went wrong at each address of one round.
    pub(super) fn on_failure(&mut self, now: Instant, error: ConnectError) {
        tracing::debug!(%error, "an attempt to connect failed");
        let error = match (self.error.take(), error) {
            (
                Some((_, ConnectError::Unreachable { tried: mut before, .. })),
                ConnectError::Unreachable { address, tried, timeout },
            ) if tried.iter().all(|(to, _)| before.iter().all(|(other, _)| other != to)) => {
                before.extend(tried);
                ConnectError::Unreachable { address, tried: before, timeout }
            }
            (_, error) => error,
        };
        self.error = Some((now, error));
    }

    pub(super) fn on_timeout(
        &mut self,
        now: Instant,
        config: &Arc<NetConfig>,
        reporter: &mpsc::Sender<Report>,
        rng: &mut Rng,
    ) {
        let Some(due) = self.machine.poll_timeout().filter(|due| *due <= now) else { return };
        if let Link::Up(connection) = &self.link {
            // The machine does not see each request. With an answer due, a connection is not idle.
            let used = if connection.in_flight() > 0 { now } else { connection.last_used() };
            self.machine.touch(used, &config.policy);
        } else {
            let begin = self.machine.last_attempt().unwrap_or(due);
            let error = self.unfinished(coarse(due.saturating_duration_since(begin)));
            self.on_failure(now, error);
        }
        self.handle(now, ConnectionEvent::Timeout, config, reporter, rng);
    }

    pub(super) fn set_address(&mut self, now: Instant, address: HostPort) {
        if self.machine.address() == &address {
            return;
        }
        self.machine.set_address(now, address);
        self.hang_up();
        self.error = None;
    }

    pub(super) fn close(&mut self, now: Instant, policy: &ConnectionPolicy, rng: &mut Rng) {
        self.machine.handle_event(now, ConnectionEvent::Close, policy, rng);
        self.hang_up();
    }

    /// Whether what was found there since then is no broker, so that a wait has no point.
    pub(super) fn is_hopeless(&self, since: Instant) -> bool {
        self.error.as_ref().is_some_and(|(at, error)| *at >= since && !error.is_retriable())
    }

    /// How it stands as a candidate for a call that waits since then.
    pub(super) fn load(&self, since: Instant, now: Instant) -> Load {
        match (self.machine.state(), &self.link) {
            (ConnectionState::Ready, Link::Up(connection)) if self.machine.is_ready(now) => {
                Load::Ready { in_flight: connection.in_flight() }
            }
            (ConnectionState::Disconnected, _)
                if self.machine.may_connect(now) && !self.is_hopeless(since) =>
            {
                Load::Disconnected { last_attempt: self.machine.last_attempt() }
            }
            (ConnectionState::Ready | ConnectionState::Disconnected, _) => Load::Unavailable,
            _ => match self.patience_until() {
                Some(until) if until <= now => Load::Unavailable,
                _ => Load::Connecting,
            },
        }
    }

    /// When [`load`](Self::load) changes by itself.
    pub(super) fn next_choice(&self, now: Instant) -> Option<Instant> {
        let choices =
            [self.machine.retry_at(), self.machine.throttled_until(now), self.patience_until()];
        choices.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Why there is no connection.
    pub(super) fn explain(&self, waited: Duration) -> ConnectError {
        match &self.error {
            Some((_, error)) => error.clone(),
            None => self.unfinished(waited),
        }
    }

    fn unfinished(&self, timeout: Duration) -> ConnectError {
        let address = self.machine.address().clone();
        let stage = match (self.machine.state(), self.machine.peer()) {
            (ConnectionState::Connecting, Some(to)) => {
                let tried = vec![(to, io::ErrorKind::TimedOut)];
                return ConnectError::Unreachable { address, tried, timeout };
            }
            (ConnectionState::Resolving, _) => ConnectStage::Resolve,
            (ConnectionState::Handshaking, _) => ConnectStage::Handshake,
            _ => ConnectStage::Open,
        };
        ConnectError::Timeout { address, stage, timeout }
    }

    fn patience_until(&self) -> Option<Instant> {
        self.machine.last_attempt().map(|at| after(at, PATIENCE))
    }

    fn hang_up(&mut self) {
        match std::mem::replace(&mut self.link, Link::Down) {
            Link::Down => {}
            Link::Rising(attempt) => attempt.abort(),
            Link::Up(connection) => connection.close(),
        }
    }
}

/// Opens a connection and reports each step, up to its end.
async fn open(
    connection: ConnectionId,
    to: SocketAddr,
    address: HostPort,
    config: NetConfig,
    reporter: mpsc::Sender<Report>,
) {
    let report = async |what| {
        let _ = reporter.send(Report { connection, what }).await;
    };
    let stream = match dial(to, &config).await {
        Ok(stream) => stream,
        Err(kind) => {
            // Said of a refusal, which takes no time.
            let (tried, timeout) = (vec![(to, kind)], Duration::ZERO);
            return report(What::Failed(ConnectError::Unreachable { address, tried, timeout }))
                .await;
        }
    };
    report(What::Opened).await;
    match Connection::establish(stream, address, &config, Duration::MAX).await {
        Ok(connection) => {
            let watch = connection.watch();
            report(What::Ready(connection)).await;
            ended(watch).await;
            report(What::Ended).await;
        }
        Err(error) => report(What::Failed(error)).await,
    }
}

/// Jitter makes a time of many digits, which nobody wants to read.
fn coarse(duration: Duration) -> Duration {
    let unit = if duration < Duration::from_secs(1) { 10 } else { 100 };
    let millis = u64::try_from(duration.as_millis()).ok();
    let rounded = millis.and_then(|millis| millis.checked_next_multiple_of(unit));
    rounded.map_or(duration, Duration::from_millis)
}

/// A call that any broker can answer does not wait for one attempt longer than that: another broker
/// is tried meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);
