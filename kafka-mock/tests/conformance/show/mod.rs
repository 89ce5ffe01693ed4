//! Answers as text: every field that is the same in each run. Left out are throttle times, and the
//! sentences of error messages, which are Kafka's own.

mod admin;
mod consumer;
mod producer;

use crate::names::Names;

pub(crate) trait Show {
    fn show(&self, names: &mut Names) -> String;
}

/// Parts in one order, whatever order they came in.
fn sorted(parts: impl IntoIterator<Item = String>) -> String {
    let mut parts: Vec<String> = parts.into_iter().collect();
    parts.sort();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join("; ") }
}
