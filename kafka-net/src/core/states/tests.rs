use super::*;
use crate::core::tests::start;
use fastrand::Rng;
use proptest::prelude::*;
use std::fmt::Write;

const SECOND: Duration = Duration::from_secs(1);

/// A machine, the time, and everything else that an event needs.
struct Subject {
    connection: BrokerConnection,
    now: Instant,
    policy: ConnectionPolicy,
    rng: Rng,
}

impl Subject {
    fn new(address: &str) -> Self {
        let millis = Duration::from_millis;
        let policy = ConnectionPolicy {
            reconnect_backoff: ExponentialBackoff::new(millis(50), SECOND).without_jitter(),
            setup_timeout: ExponentialBackoff::new(10 * SECOND, 30 * SECOND).without_jitter(),
            idle_max: Some(540 * SECOND),
        };
        let now = start();
        let connection = BrokerConnection::new(BrokerId(1), address.parse().unwrap(), now);
        Self { connection, now, policy, rng: Rng::with_seed(1) }
    }

    fn at(state: ConnectionState) -> Self {
        let mut subject = Self::new("kafka:9092");
        let path = [
            (ConnectionState::Resolving, ConnectionEvent::Connect),
            (ConnectionState::Connecting, resolved(&["10.0.0.1:9092"])),
            (ConnectionState::Handshaking, ConnectionEvent::Opened),
            (ConnectionState::Ready, ConnectionEvent::Ready),
        ];
        for (next, event) in path {
            if subject.connection.state() == state {
                break;
            }
            subject.on(event);
            assert_eq!(subject.connection.state(), next);
        }
        subject
    }

    fn on(&mut self, event: ConnectionEvent) -> Option<ConnectionAction> {
        self.connection.handle_event(self.now, event, &self.policy, &mut self.rng)
    }

    /// Connects as soon as that is allowed; says where to, and how long it had to wait.
    fn connect(&mut self) -> (String, Duration) {
        let wait = self.connection.retry_at().unwrap().saturating_duration_since(self.now);
        self.now += wait;
        let action = self.on(ConnectionEvent::Connect).expect("the time has come");
        (show(&action), wait)
    }

    fn wait(&mut self) -> Duration {
        self.connection.retry_at().unwrap().saturating_duration_since(self.now)
    }
}

fn resolved(addresses: &[&str]) -> ConnectionEvent {
    ConnectionEvent::Resolved(addresses.iter().map(|address| address.parse().unwrap()).collect())
}

fn show(action: &ConnectionAction) -> String {
    match action {
        ConnectionAction::Resolve { address, .. } => format!("resolve {address}"),
        ConnectionAction::Open { to, .. } => format!("open {to}"),
        ConnectionAction::Close { reason, .. } => format!("close, {reason:?}"),
    }
}

fn events() -> Vec<(&'static str, ConnectionEvent)> {
    vec![
        ("Connect", ConnectionEvent::Connect),
        ("Resolved(some)", resolved(&["10.0.0.1:9092"])),
        ("Resolved(none)", resolved(&[])),
        ("Opened", ConnectionEvent::Opened),
        ("Ready", ConnectionEvent::Ready),
        ("Closed", ConnectionEvent::Closed),
        ("Failed", ConnectionEvent::Failed),
        ("Timeout, early", ConnectionEvent::Timeout),
        ("Timeout", ConnectionEvent::Timeout),
        ("Close", ConnectionEvent::Close),
    ]
}

/// Every state, every event: what follows, what is to be done, how long a retry has to wait. A row
/// that is missing means that nothing happens.
const TABLE: &str = "\
Disconnected + Connect -> Resolving: resolve kafka:9092
Resolving + Resolved(some) -> Connecting: open 10.0.0.1:9092
Resolving + Resolved(none) -> Disconnected for 50ms
Resolving + Closed -> Disconnected for 50ms
Resolving + Failed -> Disconnected for 50ms
Resolving + Timeout -> Disconnected for 50ms: close, SetupTimeout
Resolving + Close -> Disconnected for 0ns: close, Requested
Connecting + Opened -> Handshaking
Connecting + Closed -> Disconnected for 50ms
Connecting + Failed -> Disconnected for 50ms
Connecting + Timeout -> Disconnected for 50ms: close, SetupTimeout
Connecting + Close -> Disconnected for 0ns: close, Requested
Handshaking + Ready -> Ready
Handshaking + Closed -> Disconnected for 50ms
Handshaking + Failed -> Disconnected for 50ms
Handshaking + Timeout -> Disconnected for 50ms: close, SetupTimeout
Handshaking + Close -> Disconnected for 0ns: close, Requested
Ready + Closed -> Disconnected for 50ms
Ready + Failed -> Disconnected for 50ms
Ready + Timeout -> Disconnected for 0ns: close, Idle
Ready + Close -> Disconnected for 0ns: close, Requested
";

#[test]
fn the_whole_transition_table() {
    let states = [
        ConnectionState::Disconnected,
        ConnectionState::Resolving,
        ConnectionState::Connecting,
        ConnectionState::Handshaking,
        ConnectionState::Ready,
    ];
    let mut table = String::new();
    for state in states {
        for (name, event) in events() {
            let mut subject = Subject::at(state);
            if name == "Timeout" {
                subject.now = subject.connection.poll_timeout().unwrap_or(subject.now);
            }
            let action = subject.on(event);
            let after = subject.connection.state();
            if after == state && action.is_none() {
                continue;
            }
            write!(table, "{state:?} + {name} -> {after:?}").unwrap();
            if after == ConnectionState::Disconnected {
                write!(table, " for {:?}", subject.wait()).unwrap();
            }
            let action = action.map_or(String::new(), |action| format!(": {}", show(&action)));
            writeln!(table, "{action}").unwrap();
        }
    }
    assert_eq!(table, TABLE);
}

#[test]
fn backoff_grows_until_ready() {
    let mut subject = Subject::new("10.0.0.1:9092");
    let mut waits = Vec::new();
    for _ in 0..7 {
        waits.push(subject.connect().1.as_millis());
        subject.on(ConnectionEvent::Closed);
    }
    assert_eq!(waits, [0, 50, 100, 200, 400, 800, 1000]);
    assert_eq!(subject.on(ConnectionEvent::Connect), None, "too early");
    subject.connect();
    // An open transport alone does not reset it: the broker may accept and hang up for ever.
    subject.on(ConnectionEvent::Opened);
    subject.on(ConnectionEvent::Failed);
    assert_eq!(subject.wait(), SECOND);
    subject.connect();
    subject.on(ConnectionEvent::Opened);
    subject.on(ConnectionEvent::Ready);
    subject.on(ConnectionEvent::Closed);
    assert_eq!(subject.wait(), Duration::from_millis(50));
}

#[test]
fn the_setup_timeout_grows_with_each_setup_that_runs_into_it() {
    let mut subject = Subject::new("10.0.0.1:9092");
    let mut timeouts = Vec::new();
    for _ in 0..4 {
        subject.connect();
        let deadline = subject.connection.poll_timeout().unwrap();
        timeouts.push((deadline - subject.now).as_secs());
        subject.now = deadline;
        subject.on(ConnectionEvent::Timeout);
    }
    assert_eq!(timeouts, [10, 20, 30, 30]);
    subject.connect();
    subject.on(ConnectionEvent::Opened);
    subject.on(ConnectionEvent::Ready);
    subject.on(ConnectionEvent::Closed);
    subject.connect();
    assert_eq!(subject.connection.poll_timeout(), Some(subject.now + 10 * SECOND));
}

#[test]
fn every_address_of_a_name_is_tried_before_a_pause() {
    let mut subject = Subject::new("kafka:9092");
    assert_eq!(subject.connect(), ("resolve kafka:9092".into(), Duration::ZERO));
    let both = ["[::1]:9092", "[::1]:9092", "127.0.0.1:9092"];
    let first = subject.on(resolved(&both)).unwrap();
    assert_eq!(show(&first), "open [::1]:9092");
    subject.on(ConnectionEvent::Closed);
    assert_eq!(subject.connect(), ("open 127.0.0.1:9092".into(), Duration::ZERO));
    subject.on(ConnectionEvent::Closed);
    let pause = Duration::from_millis(50);
    assert_eq!(subject.connect(), ("resolve kafka:9092".into(), pause));
}

#[test]
fn a_lost_connection_is_resolved_again_and_not_first_tried_where_it_was() {
    let mut subject = Subject::new("kafka:9092");
    subject.connect();
    let both = ["10.0.0.1:9092", "10.0.0.2:9092"];
    subject.on(resolved(&both));
    subject.on(ConnectionEvent::Opened);
    subject.on(ConnectionEvent::Ready);
    subject.on(ConnectionEvent::Closed);
    assert_eq!(subject.connect().0, "resolve kafka:9092");
    assert_eq!(show(&subject.on(resolved(&both)).unwrap()), "open 10.0.0.2:9092");
    subject.on(ConnectionEvent::Opened);
    subject.on(ConnectionEvent::Ready);
    subject.now = subject.connection.poll_timeout().unwrap();
    subject.on(ConnectionEvent::Timeout);
    // Nothing was wrong with the address of an idle connection.
    assert_eq!(subject.connect(), ("resolve kafka:9092".into(), Duration::ZERO));
    let same_first = ["10.0.0.2:9092", "10.0.0.1:9092"];
    assert_eq!(show(&subject.on(resolved(&same_first)).unwrap()), "open 10.0.0.2:9092");
}

#[test]
fn each_attempt_has_a_generation_of_its_own() {
    let mut subject = Subject::new("kafka:9092");
    subject.connect();
    let resolving = subject.connection.id();
    assert!(subject.connection.is_current(resolving));
    subject.on(resolved(&["10.0.0.1:9092", "10.0.0.2:9092"]));
    let first = subject.connection.id();
    assert!(!subject.connection.is_current(resolving));
    subject.on(ConnectionEvent::Closed);
    assert!(!subject.connection.is_current(first), "nothing is expected of a closed one");
    subject.connect();
    let second = subject.connection.id();
    assert_eq!(second, ConnectionId { broker: BrokerId(1), generation: first.generation + 1 });
    assert!(!subject.connection.is_current(first));
}

#[test]
fn a_broker_that_comes_back_has_generations_above_those_of_before() {
    let mut before = Subject::at(ConnectionState::Ready);
    let mut after = Subject::new("kafka:9092");
    after.connection.begin_above(before.connection.id().generation);
    after.connect();
    assert!(!after.connection.is_current(before.connection.id()));
    before.on(ConnectionEvent::Close);
    after.connection.begin_above(0);
    assert!(after.connection.id().generation > before.connection.id().generation);
}

#[test]
fn a_throttle_never_gets_shorter_and_survives_a_reconnect() {
    let mut subject = Subject::at(ConnectionState::Ready);
    let now = subject.now;
    assert!(subject.connection.is_ready(now));
    subject.connection.throttle(now, Duration::ZERO);
    assert!(subject.connection.is_ready(now));
    subject.connection.throttle(now, 2 * SECOND);
    subject.connection.throttle(now, SECOND);
    assert!(!subject.connection.is_ready(now + SECOND));
    assert_eq!(subject.connection.throttled_until(now), Some(now + 2 * SECOND));
    subject.on(ConnectionEvent::Closed);
    assert_eq!(subject.connection.throttled_until(now), Some(now + 2 * SECOND));
    assert_eq!(subject.connection.throttled_until(now + 2 * SECOND), None);
}

#[test]
fn use_keeps_a_connection_open() {
    let mut subject = Subject::at(ConnectionState::Ready);
    let first = subject.connection.poll_timeout().unwrap();
    subject.now += SECOND;
    subject.connection.touch(subject.now, &subject.policy);
    assert_eq!(subject.connection.poll_timeout(), Some(first + SECOND));
    subject.now = first;
    assert_eq!(subject.on(ConnectionEvent::Timeout), None);
    subject.policy.idle_max = None;
    subject.connection.touch(subject.now, &subject.policy);
    assert_eq!(subject.connection.poll_timeout(), None);
}

#[test]
fn a_broker_at_another_address_starts_anew() {
    let mut subject = Subject::new("kafka:9092");
    for _ in 0..5 {
        subject.connect();
        subject.on(ConnectionEvent::Closed);
    }
    subject.connect();
    let now = subject.now;
    let same = subject.connection.set_address(now, "kafka:9092".parse().unwrap());
    assert_eq!(same, None);
    let moved = subject.connection.set_address(now, "elsewhere:9092".parse().unwrap());
    assert_eq!(show(&moved.unwrap()), "close, Requested");
    assert_eq!(subject.connect(), ("resolve elsewhere:9092".into(), Duration::ZERO));
}

#[test]
fn a_broker_that_hangs_up_on_the_highest_api_versions_is_asked_with_a_lower_one() {
    let mut subject = Subject::at(ConnectionState::Handshaking);
    assert_eq!(subject.connection.api_versions_max(), None);
    for expected in [Some(3), None, Some(3)] {
        subject.on(ConnectionEvent::Closed);
        assert_eq!(subject.connection.api_versions_max(), expected);
        subject.connect();
        subject.on(resolved(&["10.0.0.1:9092"]));
        subject.on(ConnectionEvent::Opened);
    }
    // What works is kept, and a refusal is not evaded.
    subject.on(ConnectionEvent::Ready);
    subject.on(ConnectionEvent::Closed);
    assert_eq!(subject.connection.api_versions_max(), Some(3));
    let mut refused = Subject::at(ConnectionState::Handshaking);
    refused.on(ConnectionEvent::Failed);
    assert_eq!(refused.connection.api_versions_max(), None);
}

proptest! {
    /// Whatever happens: the machine can always be connected again within the longest backoff, an
    /// attempt always has a deadline, and generations only grow.
    #[test]
    fn random_events(
        steps in prop::collection::vec((0_usize..10, 0_u64..20_000), 0..200), seed: u64, by_name: bool,
    ) {
        let mut subject = Subject::new(if by_name { "kafka:9092" } else { "[::1]:9092" });
        (subject.policy, subject.rng) = (ConnectionPolicy::default(), Rng::with_seed(seed));
        let mut generation = 0;
        for (event, elapsed) in steps {
            subject.now += Duration::from_millis(elapsed);
            let (_, event) = events().swap_remove(event);
            let action = subject.on(event);
            let connection = &subject.connection;
            if let Some(ConnectionAction::Open { connection: id, .. }
                | ConnectionAction::Resolve { connection: id, .. }) = action {
                prop_assert_eq!(id, connection.id());
                prop_assert_eq!(id.generation, generation + 1);
                generation += 1;
                prop_assert!(connection.is_current(id));
            }
            match connection.retry_at() {
                Some(retry_at) => prop_assert!(retry_at <= subject.now + SECOND),
                None => {
                    let timeout = connection.poll_timeout().unwrap();
                    let longest = if connection.state() == ConnectionState::Ready { 540 } else { 30 };
                    prop_assert!(timeout <= subject.now + longest * SECOND);
                }
            }
            prop_assert_eq!(connection.peer().is_some(), !matches!(
                connection.state(), ConnectionState::Disconnected | ConnectionState::Resolving));
        }
    }
}
