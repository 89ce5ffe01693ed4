//! What the sender says of a run, line by line: for a seed that fails (`SWARM_TRACE=1`).

use std::fmt::Debug;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

struct Lines;

struct Line;

/// Prints until the guard is dropped, if the environment wants it.
pub(super) fn begin() -> Option<tracing::subscriber::DefaultGuard> {
    std::env::var_os("SWARM_TRACE").map(|_| tracing::subscriber::set_default(Lines))
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Visit for Line {
    fn record_debug(&mut self, _: &Field, value: &dyn Debug) {
        println!("    {value:?}");
    }
}
