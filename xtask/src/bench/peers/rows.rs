//! The rows of the table: what is to be delivered where, by whom, and what is to be reached.

use super::clients::{FLOOR, OURS};

/// One kind of work, for us and some peers.
pub(super) struct Row {
    /// As `--only` takes it.
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) work: Work,
    pub(super) place: Place,
    pub(super) peers: &'static [&'static str],
    pub(super) has_floor: bool,
    pub(super) targets: &'static [Target],
}

/// What a program is told to send.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) size: u32,
    pub(super) keys: Option<u32>,
    pub(super) compression: &'static str,
    pub(super) pace: Pace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as it goes, with the settings of [`Work::options`].
    FlatOut,
    /// As fast as it goes, and nothing is set.
    AsItComes,
    /// So many records a second, each at once.
    Rate(u32),
}

/// Where to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// `kafka mock --discard`.
    Null {
        brokers: u16,
        partitions: u16,
        rtt_ms: u64,
    },
    Kafka,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) measure: Measure,
    pub(super) bound: f64,
}

/// What is held against the best peer, or against a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Rate,
    Cpu,
    P50,
    P99,
    /// In bytes, and not beside a peer.
    PeakRss,
}

impl Row {
    /// Who takes part, in the order of the first round.
    pub(super) fn contestants(&self) -> impl Iterator<Item = &'static str> {
        let floor = self.has_floor.then_some(FLOOR);
        std::iter::once(OURS).chain(floor).chain(self.peers.iter().copied())
    }
}

impl Work {
    /// If it is not as fast as it goes.
    pub(super) fn rate(&self) -> Option<u32> {
        match self.pace {
            Pace::Rate(rate) => Some(rate),
            Pace::FlatOut | Pace::AsItComes => None,
        }
    }

    /// What a program is told beside servers, topic and count.
    pub(super) fn options(&self, client: &str) -> Vec<String> {
        let mut options = vec!["--size".to_owned(), self.size.to_string()];
        if let Some(keys) = self.keys {
            options.extend(["--keys".to_owned(), keys.to_string()]);
        }
        if self.compression != "none" {
            options.extend(["--compression".to_owned(), self.compression.to_owned()]);
        }
        let pace = match self.pace {
            Pace::FlatOut => own_settings(client).unwrap_or(&FLAT_OUT).to_vec(),
            Pace::AsItComes => Vec::new(),
            Pace::Rate(rate) => {
                options.extend(["--rate".to_owned(), rate.to_string()]);
                vec!["--linger-ms", "0"]
            }
        };
        options.extend(pace.into_iter().map(str::to_owned));
        options
    }
}

/// For those who would be slower with [`FLAT_OUT`].
fn own_settings(client: &str) -> Option<&'static [&'static str]> {
    EXCEPTIONS.iter().find(|exception| exception.client == client).map(|it| it.options)
}

/// A client that has settings of its own where all are to be as fast as they can.
pub(super) struct Exception {
    pub(super) client: &'static str,
    pub(super) options: &'static [&'static str],
    pub(super) why: &'static str,
}

pub(super) const EXCEPTIONS: [Exception; 3] = [
    Exception {
        client: "kacrab",
        options: &LARGE_BATCHES,
        why: "with 1,000,000 its records fail with \"wire backpressure\"; with its own 16 KiB it is slower",
    },
    Exception {
        client: "krafka",
        options: &LARGE_BATCHES,
        why: "a fifth faster than with 1,000,000, and more than with its own 16 KiB",
    },
    Exception {
        client: "rskafka",
        options: &LARGE_BATCHES,
        why: "half as fast again as with 1,000,000; it has no size of its own",
    },
];

const LARGE_BATCHES: [&str; 4] = ["--linger-ms", "5", "--batch-size", "131072"];

const FLAT_OUT: [&str; 4] = ["--linger-ms", "5", "--batch-size", "1000000"];

const SMALL: Work = Work { size: 100, keys: None, compression: "none", pace: Pace::FlatOut };
const NULL: Place = Place::Null { brokers: 1, partitions: 6, rtt_ms: 0 };

pub(super) const ROWS: [Row; 8] = [
    Row {
        key: "small",
        title: "100 B, keyless",
        work: SMALL,
        place: NULL,
        peers: &["librdkafka", "franz-go", "kacrab", "java", "krafka", "rust-rdkafka", "rskafka"],
        has_floor: true,
        targets: &[
            Target { measure: Measure::Rate, bound: 3.0 },
            Target { measure: Measure::Cpu, bound: 1.0 / 4.0 },
            Target { measure: Measure::PeakRss, bound: 48e6 },
        ],
    },
    Row {
        key: "keyed",
        title: "100 B, keyed (100,000 keys)",
        work: Work { keys: Some(100_000), ..SMALL },
        place: NULL,
        peers: &["franz-go", "librdkafka", "kacrab"],
        has_floor: false,
        targets: &[
            Target { measure: Measure::Rate, bound: 3.0 },
            Target { measure: Measure::Cpu, bound: 1.0 / 3.0 },
        ],
    },
    Row {
        key: "tiny",
        title: "10 B, keyless",
        work: Work { size: 10, ..SMALL },
        place: NULL,
        peers: &["franz-go", "librdkafka", "kacrab"],
        has_floor: true,
        targets: &[
            Target { measure: Measure::Rate, bound: 4.0 },
            Target { measure: Measure::Cpu, bound: 1.0 / 4.0 },
        ],
    },
    Row {
        key: "large",
        title: "1 KiB, no compression",
        work: Work { size: 1024, ..SMALL },
        place: NULL,
        peers: &["franz-go", "librdkafka", "kacrab"],
        has_floor: true,
        targets: &[
            Target { measure: Measure::Rate, bound: 1.5 },
            Target { measure: Measure::Cpu, bound: 1.0 / 2.0 },
        ],
    },
    Row {
        key: "lz4",
        title: "1 KiB, lz4",
        work: Work { size: 1024, compression: "lz4", ..SMALL },
        place: NULL,
        peers: &["librdkafka", "kacrab", "franz-go"],
        has_floor: false,
        targets: &[
            Target { measure: Measure::Rate, bound: 1.5 },
            Target { measure: Measure::Cpu, bound: 1.0 },
        ],
    },
    Row {
        key: "far",
        title: "100 B, one partition, 10 ms round trip, default settings",
        work: Work { pace: Pace::AsItComes, ..SMALL },
        place: Place::Null { brokers: 1, partitions: 1, rtt_ms: 10 },
        peers: &["franz-go", "librdkafka", "kacrab", "java", "krafka"],
        has_floor: false,
        targets: &[Target { measure: Measure::Rate, bound: 1.5 }],
    },
    Row {
        key: "paced",
        title: "100 B, 20,000 records/s, linger 0",
        work: Work { pace: Pace::Rate(20_000), ..SMALL },
        place: NULL,
        peers: &["librdkafka", "franz-go", "kacrab", "java"],
        has_floor: false,
        targets: &[
            Target { measure: Measure::P50, bound: 1.0 },
            Target { measure: Measure::P99, bound: 1.0 / 2.0 },
        ],
    },
    Row {
        key: "kafka",
        title: "100 B, real Kafka",
        work: SMALL,
        place: Place::Kafka,
        peers: &["librdkafka", "franz-go", "kacrab", "java"],
        has_floor: false,
        targets: &[Target { measure: Measure::Rate, bound: 1.1 }],
    },
];

/// A kind of work for us alone, held against another one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alone {
    /// As its reason takes it.
    pub(super) key: &'static str,
    pub(super) title: &'static str,
    pub(super) work: Work,
    pub(super) place: Place,
    /// At most so many times the CPU of a record of the row that it is held against.
    pub(super) bound: Option<f64>,
}

impl Alone {
    /// `None` where it is only told.
    pub(super) fn is_met(&self, ratio: f64) -> Option<bool> {
        self.bound.map(|bound| ratio <= bound)
    }
}

/// The first of each group is what the others are held against.
pub(super) const ALONE: [&[Alone]; 2] = [
    &[
        alone("keyless-6", "keyless, 6 partitions", FEW, None),
        alone("keyless-10000", "keyless, 10,000 partitions", MANY, Some(1.5)),
        alone("keyless-brokers", "keyless, 100 brokers with 600 partitions", BROKERS, None),
    ],
    &[
        keyed(alone("keyed-6", "100,000 keys, 6 partitions", FEW, None)),
        keyed(alone("keyed-10000", "100,000 keys, 10,000 partitions", MANY, Some(1.5))),
        keyed(alone("keyed-brokers", "100,000 keys, 100 brokers, 600 partitions", BROKERS, None)),
    ],
];

const FEW: Place = NULL;
const MANY: Place = Place::Null { brokers: 1, partitions: 10_000, rtt_ms: 0 };
const BROKERS: Place = Place::Null { brokers: 100, partitions: 600, rtt_ms: 0 };

const fn alone(key: &'static str, title: &'static str, place: Place, bound: Option<f64>) -> Alone {
    Alone { key, title, work: SMALL, place, bound }
}

const fn keyed(alone: Alone) -> Alone {
    Alone { work: Work { keys: Some(100_000), ..SMALL }, ..alone }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::clients::CLIENTS;
    use super::super::reasons::REASONS;
    use super::*;

    #[test]
    fn names_are_those_of_clients_and_rows() {
        let clients: BTreeSet<&str> = CLIENTS.iter().map(|client| client.name).collect();
        for row in &ROWS {
            assert!(row.contestants().all(|name| clients.contains(name)), "{}", row.key);
            assert!(!row.targets.is_empty(), "{}", row.key);
        }
        let keys: BTreeSet<&str> = ROWS.iter().map(|row| row.key).collect();
        assert_eq!(keys.len(), ROWS.len());
        let alone = ALONE.iter().copied().flatten().map(|alone| alone.key);
        let keys: BTreeSet<&str> = keys.into_iter().chain(alone).collect();
        assert!(REASONS.iter().all(|reason| keys.contains(reason.row)));
        assert!(EXCEPTIONS.iter().all(|exception| clients.contains(exception.client)));
    }

    #[test]
    fn what_a_program_is_told() {
        let told = |key| {
            let row = ROWS.iter().find(|row| row.key == key).unwrap();
            row.work.options(OURS).join(" ")
        };
        assert_eq!(told("keyed"), "--size 100 --keys 100000 --linger-ms 5 --batch-size 1000000");
        assert_eq!(told("far"), "--size 100");
        assert_eq!(told("paced"), "--size 100 --rate 20000 --linger-ms 0");
        assert!(told("lz4").contains("--compression lz4"));
    }
}
