//! Input: an address, the times of a policy and what happens to the connection to one broker, made of
//! the bytes by the `arbitrary` crate.
//!
//! Only what the state allows has an effect, and each attempt has a deadline and an id of its own. A
//! connection that ended can be opened again within the longest backoff, and its addresses are not
//! tried for ever without a pause. A throttle never gets shorter.

#![no_main]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fastrand::Rng;
use kafka_net::{
    BrokerConnection, BrokerId, CloseReason, ConnectionAction, ConnectionEvent, ConnectionPolicy,
    ConnectionState, ExponentialBackoff, HostPort,
};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    seed: u64,
    address: &'a str,
    moved: &'a str,
    /// In milliseconds: first and longest.
    backoff: (u32, u32),
    setup: (u32, u32),
    idle_max: Option<u32>,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Connect,
    /// As soon as that is allowed.
    Reconnect,
    /// So many addresses, some of them several times.
    Resolved {
        count: u8,
        different: u8,
    },
    Opened,
    Ready,
    Closed,
    Failed,
    /// One address after the other, while none of them has a pause behind it.
    AllFail,
    Timeout,
    /// When it is due.
    TimeIsUp,
    Close,
    Move,
    Throttle(u32),
    Touch,
    Pass(u32),
}

fuzz_target!(|input: Input<'_>| {
    let mut subject = Subject::new(&input);
    for step in &input.steps {
        subject.take(step);
    }
    subject.must_connect_again();
});

struct Subject {
    connection: BrokerConnection,
    policy: ConnectionPolicy,
    backoff_max: Duration,
    setup_max: Duration,
    rng: Rng,
    now: Instant,
    moved: HostPort,
    /// Addresses that failed one after the other without a pause.
    hasty: usize,
}

impl Subject {
    #[expect(clippy::disallowed_methods, reason = "there is no other way to make an Instant")]
    fn new(input: &Input<'_>) -> Self {
        let millis = |ms: u32| Duration::from_millis(ms.into());
        let backoff = |(first, longest)| ExponentialBackoff::new(millis(first), millis(longest));
        let mut rng = Rng::with_seed(input.seed);
        check_backoff(backoff(input.backoff), millis(input.backoff.1), &mut rng);
        let policy = ConnectionPolicy {
            reconnect_backoff: backoff(input.backoff),
            setup_timeout: backoff(input.setup),
            idle_max: input.idle_max.map(millis),
        };
        let now = Instant::now();
        Self {
            connection: BrokerConnection::new(BrokerId(1), host_port(input.address), now),
            policy,
            backoff_max: millis(input.backoff.1),
            setup_max: millis(input.setup.1),
            rng,
            now,
            moved: host_port(input.moved),
            hasty: 0,
        }
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Connect => self.on(&ConnectionEvent::Connect),
            Step::Reconnect => {
                self.now = self.connection.retry_at().map_or(self.now, |at| at.max(self.now));
                self.on(&ConnectionEvent::Connect);
            }
            Step::Resolved { count, different } => {
                let address = |nth: u8| [10, 0, 0, nth % different.max(1)];
                let found = (0..count).map(|nth| SocketAddr::from((address(nth), 9092)));
                self.on(&ConnectionEvent::Resolved(found.collect()));
            }
            Step::Opened => self.on(&ConnectionEvent::Opened),
            Step::Ready => self.on(&ConnectionEvent::Ready),
            Step::Closed => self.on(&ConnectionEvent::Closed),
            Step::Failed => self.on(&ConnectionEvent::Failed),
            Step::AllFail => self.fail_all(),
            Step::Timeout => self.on(&ConnectionEvent::Timeout),
            Step::TimeIsUp => {
                let due = self.connection.poll_timeout();
                self.now = due.map_or(self.now, |due| due.max(self.now));
                self.on(&ConnectionEvent::Timeout);
                assert!(due.is_none() || self.connection.state() == ConnectionState::Disconnected);
            }
            Step::Close => self.on(&ConnectionEvent::Close),
            Step::Move => self.move_away(),
            Step::Throttle(ms) => self.throttle(Duration::from_millis(ms.into())),
            Step::Touch => self.connection.touch(self.now, &self.policy),
            Step::Pass(ms) => self.now += Duration::from_millis(ms.into()),
        }
        self.check();
    }

    fn fail_all(&mut self) {
        // With a policy without pauses there is no end to it.
        for _ in 0..100 {
            if self.connection.state() != ConnectionState::Connecting {
                break;
            }
            self.on(&ConnectionEvent::Closed);
            self.on(&ConnectionEvent::Connect);
        }
    }

    fn on(&mut self, event: &ConnectionEvent) {
        let (before, id) = (self.connection.state(), self.connection.id());
        let (may_connect, due) = (self.connection.may_connect(self.now), self.timeout_is_due());
        let action =
            self.connection.handle_event(self.now, event.clone(), &self.policy, &mut self.rng);
        let (after, next) = (self.connection.state(), self.connection.id());
        let has_begun = next.generation == id.generation.wrapping_add(1);
        assert!(next == id || has_begun, "{id} became {next}");
        match &action {
            Some(ConnectionAction::Resolve { connection, address }) => {
                assert!(*event == ConnectionEvent::Connect && may_connect && has_begun);
                assert_eq!((*connection, address), (next, self.connection.address()));
                assert_eq!(after, ConnectionState::Resolving);
            }
            Some(ConnectionAction::Open { connection, to }) => {
                let is_resolved = matches!(event, ConnectionEvent::Resolved(_));
                assert!(is_resolved || *event == ConnectionEvent::Connect && may_connect);
                assert!(has_begun && *connection == next);
                assert_eq!(self.connection.peer(), Some(*to));
                assert_eq!(after, ConnectionState::Connecting);
            }
            Some(ConnectionAction::Close { connection, reason }) => {
                assert!(*connection == id && before != ConnectionState::Disconnected);
                assert_eq!(after, ConnectionState::Disconnected);
                let is_asked = *event == ConnectionEvent::Close;
                assert_eq!(is_asked, *reason == CloseReason::Requested);
                assert!(is_asked || *event == ConnectionEvent::Timeout && due);
            }
            None => assert!(!has_begun, "an attempt without a word"),
        }
        assert!(!may_connect || *event != ConnectionEvent::Connect || action.is_some());
        assert_eq!(
            self.connection.is_current(id),
            after != ConnectionState::Disconnected && next == id
        );
        self.count_haste(before, event, &action);
    }

    /// A name has 64 addresses at most; when they all failed there is a pause.
    fn count_haste(
        &mut self,
        before: ConnectionState,
        event: &ConnectionEvent,
        action: &Option<ConnectionAction>,
    ) {
        let has_failed = before == ConnectionState::Connecting
            && self.connection.state() == ConnectionState::Disconnected
            && *event != ConnectionEvent::Close;
        if has_failed && self.connection.may_connect(self.now) {
            self.hasty += 1;
        } else if matches!(action, Some(ConnectionAction::Resolve { .. })) {
            self.hasty = 0;
        }
        let may_hurry = self.backoff_max.is_zero() || self.connection.address().ip().is_some();
        assert!(self.hasty <= 64 || may_hurry, "{} addresses failed at once", self.hasty);
    }

    fn timeout_is_due(&self) -> bool {
        self.connection.poll_timeout().is_some_and(|due| due <= self.now)
    }

    fn move_away(&mut self) {
        let old = self.connection.address().clone();
        let (before, id) = (self.connection.state(), self.connection.id());
        let action = self.connection.set_address(self.now, self.moved.clone());
        if old == self.moved {
            assert_eq!((action, self.connection.state()), (None, before));
            return;
        }
        let reason = CloseReason::Requested;
        let close = ConnectionAction::Close { connection: id, reason };
        assert_eq!(action, (before != ConnectionState::Disconnected).then_some(close));
        assert_eq!(self.connection.state(), ConnectionState::Disconnected);
        self.moved = old;
    }

    fn throttle(&mut self, duration: Duration) {
        let before = self.connection.throttled_until(self.now);
        self.connection.throttle(self.now, duration);
        let until = (self.now + duration).max(before.unwrap_or(self.now));
        let expected = (until > self.now).then_some(until);
        assert_eq!(self.connection.throttled_until(self.now), expected);
    }

    fn check(&self) {
        let connection = &self.connection;
        let state = connection.state();
        assert_eq!(connection.retry_at().is_some(), state == ConnectionState::Disconnected);
        let has_peer = !matches!(state, ConnectionState::Disconnected | ConnectionState::Resolving);
        assert_eq!(connection.peer().is_some(), has_peer);
        if let Some(retry_at) = connection.retry_at() {
            assert!(retry_at <= self.now + self.backoff_max, "too long a pause");
        }
        let idle = (state == ConnectionState::Ready).then_some(self.policy.idle_max);
        let latest = match idle {
            _ if state == ConnectionState::Disconnected => None,
            Some(idle_max) => idle_max,
            None => Some(self.setup_max),
        };
        assert_eq!(connection.poll_timeout().is_some(), latest.is_some());
        if let (Some(due), Some(latest)) = (connection.poll_timeout(), latest) {
            assert!(due <= self.now + latest, "nothing ends this");
        }
        let is_throttled = connection.throttled_until(self.now).is_some();
        let is_ready = state == ConnectionState::Ready && !is_throttled;
        assert_eq!(connection.is_ready(self.now), is_ready);
        assert!(matches!(connection.api_versions_max(), None | Some(3)));
    }

    /// However it went: it can be closed, and be opened again.
    fn must_connect_again(&mut self) {
        self.on(&ConnectionEvent::Close);
        self.now += self.backoff_max;
        self.on(&ConnectionEvent::Connect);
        assert_ne!(self.connection.state(), ConnectionState::Disconnected);
    }
}

/// Delays only grow, up to the longest.
fn check_backoff(backoff: ExponentialBackoff, longest: Duration, rng: &mut Rng) {
    let mut before = Duration::ZERO;
    for attempts in (0..40).chain([1000, u32::MAX]) {
        assert!(backoff.delay(attempts, rng) <= longest);
        let delay = backoff.without_jitter().delay(attempts, rng);
        assert!(before <= delay && delay <= longest, "{before:?}, then {delay:?}");
        before = delay;
    }
}

/// An address as it was written, which must read the same from what it prints.
fn host_port(written: &str) -> HostPort {
    let Ok(address) = written.parse::<HostPort>() else {
        return HostPort::new("kafka", 9092).expect("a name and a port");
    };
    assert_eq!(address.to_string().parse(), Ok(address.clone()));
    assert_eq!(HostPort::new(address.host(), address.port().into()), Ok(address.clone()));
    address
}
