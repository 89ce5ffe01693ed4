//! What became of the records: how many, and the reasons of those that failed, each once.

use crate::failure::Failure;
use crate::numbers::{counted, grouped};

/// Counts records that were delivered, and those that failed by their reasons.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) delivered: u64,
    failed: u64,
    /// In the order in which they came up.
    reasons: Vec<(String, u64)>,
}

/// More reasons than these are counted together.
const REASONS_MAX: usize = 8;

impl Report {
    pub(crate) fn fail(&mut self, reason: impl Into<String>) {
        self.failed += 1;
        let reason = reason.into();
        if let Some((_, count)) = self.reasons.iter_mut().find(|(known, _)| *known == reason) {
            *count += 1;
        } else if self.reasons.len() < REASONS_MAX {
            self.reasons.push((reason, 1));
        }
    }

    /// Fails if a record failed, with all reasons in one sentence.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        if self.failed == 0 {
            return Ok(());
        }
        self.reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let reasons = self.reasons.iter();
        let mut reasons: Vec<String> = match self.failed {
            1 => reasons.map(|(reason, _)| reason.clone()).collect(),
            _ => reasons.map(|(reason, count)| format!("{} × {reason}", grouped(*count))).collect(),
        };
        let told: u64 = self.reasons.iter().map(|(_, count)| count).sum();
        if told < self.failed {
            reasons.push(format!("{} × other reasons", grouped(self.failed - told)));
        }
        Err(Failure::new(format_args!(
            "{} failed, {} delivered: {}",
            counted(self.failed, "record"),
            grouped(self.delivered),
            reasons.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(delivered: u64, reasons: &[&str]) -> String {
        let mut report = Report { delivered, ..Default::default() };
        reasons.iter().for_each(|reason| report.fail(*reason));
        match report.finish() {
            Err(Failure::Sentence(sentence)) => sentence,
            Ok(()) => "fine".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reasons_are_told_once_and_the_most_frequent_first() {
        assert_eq!(sentence(7, &[]), "fine");
        assert_eq!(sentence(0, &["a"]), "1 record failed, 0 delivered: a");
        let three = sentence(1000, &["a", "b", "b"]);
        assert_eq!(three, "3 records failed, 1,000 delivered: 2 × b, 1 × a");
    }

    #[test]
    fn reasons_beyond_the_limit_are_counted_together() {
        let reasons: Vec<String> = (0..20).map(|n| format!("r{n}")).collect();
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        let told = sentence(0, &reasons);
        assert!(told.ends_with("1 × r7, 12 × other reasons"), "{told}");
    }
}
