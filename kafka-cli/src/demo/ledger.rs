//! What deliveries said, held against what is in the log: eight bytes a record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use kafka_producer::{ProduceError, RecordMetadata};

/// Where each record is, as its delivery says. Filled from several threads.
#[derive(Debug)]
pub(super) struct Ledger {
    /// By sequence number: a partition and an offset, or one of the words below.
    entries: Vec<AtomicU64>,
}

/// The record was found in the log.
const FOUND: u64 = 1 << 63;
/// Bits of an offset; the partition is above it.
const OFFSET_BITS: u32 = 48;
/// No delivery has come.
const OPEN: u64 = FOUND - 1;
/// It failed, and certainly was not written.
const NOT_WRITTEN: u64 = FOUND - 2;
/// It failed, and may have been written.
const UNCERTAIN: u64 = FOUND - 3;
/// It was written, and the broker did not say where.
const SOMEWHERE: u64 = FOUND - 4;

impl Ledger {
    /// For the records 0 to `count`. `None` if there is not that much memory.
    pub(super) fn new(count: u64) -> Option<Self> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(usize::try_from(count).ok()?).ok()?;
        entries.extend((0..count).map(|_| AtomicU64::new(OPEN)));
        Some(Self { entries })
    }

    /// Writes down what became of a record.
    pub(super) fn settle(&self, sequence: u64, outcome: &Result<RecordMetadata, ProduceError>) {
        let word = match outcome {
            Ok(RecordMetadata { partition, offset: Some(offset), .. }) => {
                place(*partition, *offset)
            }
            Ok(_) => SOMEWHERE,
            Err(error) if error.may_have_been_written() => UNCERTAIN,
            Err(_) => NOT_WRITTEN,
        };
        if let Some(entry) = self.entry(sequence) {
            entry.store(word, Ordering::Relaxed);
        }
    }

    fn entry(&self, sequence: u64) -> Option<&AtomicU64> {
        self.entries.get(usize::try_from(sequence).ok()?)
    }
}

fn place(partition: i32, offset: i64) -> u64 {
    u64::from(partition.unsigned_abs() & 0x7fff) << OFFSET_BITS
        | offset.unsigned_abs() & ((1 << OFFSET_BITS) - 1)
}

/// Goes through the log and compares.
#[derive(Debug)]
pub(super) struct Check<'a> {
    ledger: &'a Ledger,
    /// The largest sequence number of each partition so far.
    largest: BTreeMap<i32, u64>,
    verdict: Verdict,
}

/// How many records are right, and how many are wrong in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// In the log.
    pub(super) read: u64,
    /// Their delivery said that they were written.
    pub(super) acknowledged: u64,
    /// Their delivery said that they were not, or perhaps not.
    pub(super) failed: u64,
    /// Acknowledged, and not in the log.
    pub(super) lost: u64,
    /// In the log once more.
    pub(super) doubled: u64,
    /// Behind one of the same partition that was sent later.
    pub(super) reordered: u64,
    /// At another place than the delivery said.
    pub(super) misplaced: u64,
    /// Changed, or never sent, or reported as not written.
    pub(super) foreign: u64,
}

impl<'a> Check<'a> {
    /// When all deliveries have come.
    pub(super) fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, largest: BTreeMap::new(), verdict: Verdict::default() }
    }

    /// A record of the log: partition by partition in order. Without a sequence number it is none of
    /// ours.
    pub(super) fn see(&mut self, partition: i32, offset: i64, sequence: Option<u64>) {
        self.verdict.read += 1;
        let entry = sequence.and_then(|sequence| Some((sequence, self.ledger.entry(sequence)?)));
        let Some((sequence, entry)) = entry else {
            self.verdict.foreign += 1;
            return;
        };
        let word = entry.fetch_or(FOUND, Ordering::Relaxed);
        match word {
            found if found & FOUND != 0 => {
                self.verdict.doubled += 1;
                return;
            }
            OPEN | NOT_WRITTEN => self.verdict.foreign += 1,
            UNCERTAIN | SOMEWHERE => {}
            said => self.verdict.misplaced += u64::from(said != place(partition, offset)),
        }
        let largest = self.largest.entry(partition).or_insert(sequence);
        if sequence < *largest {
            self.verdict.reordered += 1;
        }
        *largest = sequence.max(*largest);
    }

    /// When the whole log was seen.
    pub(super) fn finish(mut self) -> Verdict {
        for entry in &self.ledger.entries {
            let word = entry.load(Ordering::Relaxed);
            match word & !FOUND {
                OPEN | NOT_WRITTEN | UNCERTAIN => self.verdict.failed += 1,
                _ => {
                    self.verdict.acknowledged += 1;
                    self.verdict.lost += u64::from(word & FOUND == 0);
                }
            }
        }
        self.verdict
    }
}

impl Verdict {
    /// Whether everything is as it should be.
    pub(super) fn is_good(&self) -> bool {
        let Self { failed, lost, doubled, reordered, misplaced, foreign, .. } = *self;
        failed + lost + doubled + reordered + misplaced + foreign == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records 0, 1, 2, … whose deliveries said these words; what is in the log.
    fn verdict(words: &[u64], log: &[(i32, i64, Option<u64>)]) -> Verdict {
        let ledger = Ledger::new(words.len() as u64).unwrap();
        for (sequence, word) in (0..).zip(words) {
            ledger.entry(sequence).unwrap().store(*word, Ordering::Relaxed);
        }
        let mut check = Check::new(&ledger);
        for (partition, offset, sequence) in log {
            check.see(*partition, *offset, *sequence);
        }
        check.finish()
    }

    #[test]
    fn each_kind_of_mistake_is_counted_as_what_it_is() {
        let good = Verdict { read: 3, acknowledged: 3, ..Default::default() };
        let said = [place(0, 0), place(1, 0), place(0, 1)];
        let log = [(0, 0, Some(0)), (0, 1, Some(2)), (1, 0, Some(1))];
        assert_eq!(verdict(&said, &log), good);
        assert!(good.is_good());

        let cases = [
            (&log[..2], Verdict { read: 2, lost: 1, ..good }),
            (
                &[(0, 0, Some(2)), (0, 1, Some(0)), (1, 0, Some(1))],
                Verdict { reordered: 1, misplaced: 2, ..good },
            ),
            (&[log[0], log[1], log[2], (1, 1, Some(1))], Verdict { read: 4, doubled: 1, ..good }),
            (&[log[0], log[1], (1, 7, Some(1))], Verdict { misplaced: 1, ..good }),
            (&[log[0], log[1], (1, 0, None)], Verdict { foreign: 1, lost: 1, ..good }),
            (&[log[0], log[1], (1, 0, Some(9))], Verdict { foreign: 1, lost: 1, ..good }),
        ];
        for (log, expected) in cases {
            let verdict = verdict(&said, log);
            assert_eq!(verdict, expected);
            assert!(!verdict.is_good());
        }
    }

    #[test]
    fn a_failed_record_may_be_there_only_if_its_failure_said_so() {
        let log = [(0, 0, Some(0))];
        let failed = Verdict { read: 1, failed: 1, ..Default::default() };
        assert_eq!(verdict(&[UNCERTAIN], &log), failed);
        assert_eq!(verdict(&[NOT_WRITTEN], &log), Verdict { foreign: 1, ..failed });
        assert_eq!(verdict(&[OPEN], &log), Verdict { foreign: 1, ..failed });
        assert_eq!(verdict(&[NOT_WRITTEN], &[]), Verdict { read: 0, ..failed });
        let somewhere = Verdict { read: 1, acknowledged: 1, ..Default::default() };
        assert_eq!(verdict(&[SOMEWHERE], &log), somewhere);
    }
}
