//! The rules between properties, both ways, and what is logged.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kafka_net::ExponentialBackoff;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::super::ProducerConfig;
use super::{Properties, config, error};

/// What a configuration comes to, and what was logged on the way.
fn logged(properties: Properties<'_>) -> (ProducerConfig, Vec<String>) {
    let log = Log::default();
    let config = tracing::subscriber::with_default(log.clone(), || config(properties));
    let lines = log.0.lock().unwrap().clone();
    (config, lines)
}

fn backoff(initial: u64, max: u64) -> ExponentialBackoff {
    ExponentialBackoff::new(Duration::from_millis(initial), Duration::from_millis(max))
}

#[test]
fn a_backoff_maximum_below_the_first_wait_makes_it_constant_with_a_warning() {
    let (config, log) = logged(&[("retry.backoff.ms", "2000")]);
    assert_eq!(config.retry_backoff, backoff(2000, 1000));
    let delay = config.retry_backoff.delay(3, &mut fastrand::Rng::with_seed(1));
    assert_eq!(delay, Duration::from_secs(1));
    assert_eq!(
        log,
        ["WARN retry.backoff.ms is 2000 and retry.backoff.max.ms is 1000: it is always 1000"]
    );
    let (config, log) = logged(&[("socket.connection.setup.timeout.max.ms", "9999")]);
    assert_eq!(config.connection.setup_timeout, backoff(10_000, 9999));
    assert_eq!(
        log,
        ["WARN socket.connection.setup.timeout.ms is 10000 and \
          socket.connection.setup.timeout.max.ms is 9999: it is always 9999"]
    );
    assert!(logged(&[("retry.backoff.ms", "1000")]).1.is_empty());
}

#[test]
fn a_reconnect_backoff_without_a_maximum_is_constant() {
    let reconnect = |properties| config(properties).connection.reconnect_backoff;
    assert_eq!(reconnect(&[("reconnect.backoff.ms", "10")]), backoff(10, 10));
    assert_eq!(reconnect(&[("reconnect.backoff.ms", "2000")]), backoff(2000, 2000));
    assert_eq!(reconnect(&[("reconnect.backoff.max.ms", "10")]), backoff(50, 10));
    let both = [("reconnect.backoff.ms", "10"), ("reconnect.backoff.max.ms", "1000")];
    assert_eq!(reconnect(&both), backoff(10, 1000));
}

#[test]
fn idempotence_that_is_only_the_default_is_turned_off_by_what_rules_it_out() {
    let (config, log) = logged(&[]);
    assert!(config.enable_idempotence && log.is_empty());
    let (config, log) = logged(&[("retries", "0"), ("acks", "1")]);
    assert!(!config.enable_idempotence);
    assert_eq!(
        log,
        [
            "INFO idempotence is off, because retries is 0 and not at least 1",
            "INFO idempotence is off, because acks is 1 and not all",
        ]
    );
    let (config, log) = logged(&[("acks", "0")]);
    assert!(!config.enable_idempotence);
    assert_eq!(log, ["INFO idempotence is off, because acks is 0 and not all"]);
    assert!(logged(&[("retries", "1"), ("acks", "-1")]).0.enable_idempotence);
}

#[test]
fn idempotence_that_was_asked_for_makes_a_contradiction_an_error() {
    let asked = ("enable.idempotence", "true");
    assert!(config(&[asked, ("retries", "1"), ("acks", "all")]).enable_idempotence);
    assert_eq!(
        error(&[asked, ("retries", "0"), ("acks", "1")]).to_string(),
        "property \"retries\" is 0, but \"enable.idempotence\" needs at least 1"
    );
    assert_eq!(
        error(&[asked, ("acks", "1")]).to_string(),
        "property \"acks\" is 1, but \"enable.idempotence\" needs all"
    );
    let (config, log) = logged(&[("enable.idempotence", "false"), ("retries", "0"), ("acks", "0")]);
    assert!(!config.enable_idempotence && log.is_empty());
}

#[test]
fn more_than_five_requests_in_flight_need_idempotence_off_in_words() {
    let in_flight = |count| ("max.in.flight.requests.per.connection", count);
    assert_eq!(config(&[in_flight("5")]).max_in_flight, 5);
    let expected = "property \"max.in.flight.requests.per.connection\" is 6, but \
                    \"enable.idempotence\" needs at most 5; it is on unless set to false";
    assert_eq!(error(&[in_flight("6")]).to_string(), expected);
    assert_eq!(error(&[in_flight("6"), ("enable.idempotence", "true")]).to_string(), expected);
    // As in Kafka 4: acks turn it off, and the requests are an error all the same.
    assert_eq!(error(&[in_flight("6"), ("acks", "1")]).to_string(), expected);
    let off = config(&[in_flight("6"), ("enable.idempotence", "false")]);
    assert_eq!((off.max_in_flight, off.enable_idempotence), (6, false));
}

#[test]
fn socket_buffers_of_less_than_minus_one_are_refused() {
    for name in ["send.buffer.bytes", "receive.buffer.bytes"] {
        let config = config(&[(name, "-1")]);
        assert_eq!((config.send_buffer, config.receive_buffer), (None, None));
        let told = error(&[(name, "-2")]).to_string();
        assert!(told.starts_with(&format!("property \"{name}\" cannot be \"-2\"")), "{told}");
    }
}

#[test]
fn a_delivery_timeout_has_room_for_an_attempt() {
    let delivery = |properties: Properties<'_>| {
        let (config, log) = logged(properties);
        (config.delivery_timeout.as_millis(), log)
    };
    let request = ("request.timeout.ms", "119996");
    let warning = "WARN delivery.timeout.ms is 120001, to have room for linger.ms and \
                   request.timeout.ms";
    assert_eq!(delivery(&[request]), (120_001, vec![warning.to_owned()]));
    assert_eq!(delivery(&[request, ("linger.ms", "4")]), (120_000, vec![]));
    assert_eq!(delivery(&[request, ("delivery.timeout.ms", "120001")]), (120_001, vec![]));
    assert_eq!(
        error(&[request, ("delivery.timeout.ms", "120000")]).to_string(),
        "property \"delivery.timeout.ms\" is 120000, but \"linger.ms\" (5) and \
         \"request.timeout.ms\" (119996) need at least 120001"
    );
}

#[test]
fn long_lingers_are_cut_to_what_an_int_holds() {
    let longest = u128::from(i32::MAX.unsigned_abs());
    let (config, log) = logged(&[("linger.ms", "9223372036854775807")]);
    assert_eq!(config.linger.as_millis(), longest);
    assert_eq!(config.delivery_timeout.as_millis(), longest);
    assert_eq!(log.len(), 1);
    let explicit = [("linger.ms", "2147483647"), ("delivery.timeout.ms", "2147483647")];
    assert_eq!(super::config(&explicit).delivery_timeout.as_millis(), longest);
}

/// Collects what is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {value:?}").unwrap();
    }
}
