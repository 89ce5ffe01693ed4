//! How far it is: a bar on a terminal, a line a second elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::tell;
use crate::numbers::{grouped, per_second};

/// Draws on standard error.
pub(super) struct Progress {
    /// `None` where there is no terminal.
    bar: Option<ProgressBar>,
    verb: &'static str,
    total: u64,
    begin: Instant,
    next: Instant,
}

const BAR_PERIOD: Duration = Duration::from_millis(100);
const LINE_PERIOD: Duration = Duration::from_secs(1);

impl Progress {
    pub(super) fn begin(verb: &'static str, total: u64, now: Instant) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} %  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let style = style.progress_chars("█▉▊▋▌▍▎▏░");
            ProgressBar::new(total).with_style(style).with_prefix(verb)
        });
        let next = now + if bar.is_some() { Duration::ZERO } else { LINE_PERIOD };
        Self { bar, verb, total, begin: now, next }
    }

    /// Shows how many are done, if it is time. `more` is asked only then.
    pub(super) fn update(&mut self, done: u64, now: Instant, more: impl FnOnce() -> String) {
        if now < self.next {
            return;
        }
        let rate = grouped(per_second(done, now - self.begin));
        let (done_text, more) = (grouped(done), more());
        match &self.bar {
            Some(bar) => {
                self.next = now + BAR_PERIOD;
                bar.set_message(format!("{rate} records/s{more}"));
                bar.set_position(done);
            }
            None => {
                self.next = now + LINE_PERIOD;
                let (verb, total) = (self.verb.trim_end(), grouped(self.total));
                tell(format_args!("{verb} {done_text} of {total}, {rate} records/s{more}"));
            }
        }
    }

    /// Leaves nothing on the terminal.
    pub(super) fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
