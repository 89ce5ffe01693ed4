//! A run, told line by line: who did what, and when. Printed for a seed that one wants to understand
//! (`cargo xtask simulate --seed S -v`).

use std::cell::Cell;
use std::fmt;
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Who does something.
#[derive(Debug, Clone, Copy)]
pub(super) enum Who {
    App,
    Producer,
    Broker,
    Trouble,
}

/// Tells, if somebody listens.
pub(super) struct Story {
    start: Instant,
}

impl Story {
    pub(super) fn new(start: Instant) -> Self {
        Self { start }
    }

    /// Tells one thing. What is told costs nothing if nobody listens.
    pub(super) fn tell(&self, now: Instant, who: Who, what: impl FnOnce() -> String) {
        let time = now.saturating_duration_since(self.start);
        NOW.set(time);
        if IS_TOLD.get() {
            line(time, &who.to_string(), &what());
        }
    }
}

/// Until it is dropped, stories of this thread are told, and what the sender says of its own.
pub(super) struct Telling {
    _subscriber: tracing::subscriber::DefaultGuard,
}

impl Telling {
    pub(super) fn begin() -> Self {
        IS_TOLD.set(true);
        Self { _subscriber: tracing::subscriber::set_default(Thoughts) }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        IS_TOLD.set(false);
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::App => "app",
            Self::Producer => "producer",
            Self::Broker => "broker",
            Self::Trouble => "trouble",
        })
    }
}

fn line(time: Duration, who: &str, what: &str) {
    println!("{:>10.3} ms  {who:<8}  {what}", time.as_secs_f64() * 1000.0);
}

thread_local! {
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
    /// For those who do not know the time of the simulation.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// What the sender writes to its log.
struct Thoughts;

struct Words(String);

impl Subscriber for Thoughts {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What is traced is seen on the wire.
        *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words(String::new());
        event.record(&mut words);
        line(NOW.get(), "  thinks", &words.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = match field.name() {
            "message" => format!("{value:?}"),
            name => format!(" {name}={value:?}"),
        };
        self.0 += &text;
    }
}
