//! Why a partition sends nothing.

use std::fmt;
use std::time::Duration;

/// Why the next batch of a partition is not sent now. `Display` says it in words for a person.
///
/// It is what the sender itself has decided by; where there are several reasons it is the one that is
/// looked at first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PauseReason {
    /// The metadata of the topic is not known, or not yet.
    UnknownTopic {
        /// What the brokers answered, or why there is no answer.
        cause: Option<String>,
    },
    /// The topic does not have this partition.
    UnknownPartition {
        /// How many it has.
        partitions: usize,
    },
    /// The partition has records, and waits for more of them (`linger.ms`).
    Lingering {
        /// At most for so long.
        remaining: Duration,
    },
    /// The batch is being compressed.
    Compressing,
    /// An attempt failed, and it is not time for the next one (`retry.backoff.ms`).
    BackingOff {
        /// The time until then.
        remaining: Duration,
        /// What went wrong.
        cause: Option<String>,
    },
    /// No broker leads the partition.
    NoLeader {
        /// What the brokers answered, or why there is no answer.
        cause: Option<String>,
    },
    /// The broker has not given the producer an id yet (`enable.idempotence`).
    NoProducerId {
        /// What went wrong.
        cause: Option<String>,
    },
    /// Batches are on their way whose sequences have to be settled first: one before them has failed,
    /// or they have an older producer id or epoch.
    UnresolvedSequence,
    /// The first batch of all, or the first one after the leader moved, is on its way, and has to be
    /// acknowledged before the next one is sent: that keeps the order.
    AwaitingFirst,
    /// A batch that is sent again is on its way or has to wait for those before it, and no other one may
    /// be sent meanwhile: that keeps the order.
    Repeating,
    /// So many batches of the partition are unanswered
    /// (`max.in.flight.requests.per.connection`).
    WindowFull {
        /// How many.
        in_flight: usize,
    },
    /// There is no connection to the broker that leads the partition.
    NotConnected {
        /// The id of the broker.
        broker: i32,
        /// Why there is none, unless it is being opened for the first time.
        cause: Option<String>,
    },
    /// The broker that leads the partition wants no requests, as a quota is used up.
    Throttled {
        /// The id of the broker.
        broker: i32,
        /// The time that is left of it.
        remaining: Duration,
    },
    /// So many requests to the broker that leads the partition are unanswered
    /// (`max.in.flight.requests.per.connection`).
    BrokerBusy {
        /// The id of the broker.
        broker: i32,
        /// How many.
        in_flight: usize,
    },
}

impl fmt::Display for PauseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = |f: &mut fmt::Formatter<'_>, cause: &Option<String>| match cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        };
        match self {
            Self::UnknownTopic { cause: why } => {
                f.write_str("the topic's metadata is not known yet")?;
                cause(f, why)
            }
            Self::UnknownPartition { partitions } => {
                write!(f, "the topic's partition count is {partitions}")
            }
            Self::Lingering { remaining } => {
                write!(f, "it lingers for another {} ms", millis(*remaining))
            }
            Self::Compressing => f.write_str("the batch is being compressed"),
            Self::BackingOff { remaining, cause: why } => {
                write!(f, "it is tried again in {} ms", millis(*remaining))?;
                cause(f, why)
            }
            Self::NoLeader { cause: why } => {
                f.write_str("the partition has no leader")?;
                cause(f, why)
            }
            Self::NoProducerId { cause: why } => {
                f.write_str("there is no producer id yet")?;
                cause(f, why)
            }
            Self::UnresolvedSequence => {
                f.write_str("batches on their way have to be settled before others get a sequence")
            }
            Self::AwaitingFirst => {
                f.write_str("the first batch has to be acknowledged before others are sent")
            }
            Self::Repeating => f.write_str(
                "a batch that is sent again has to be acknowledged before others are sent",
            ),
            Self::WindowFull { in_flight } => {
                write!(f, "{in_flight} of its batches are unanswered, and may not be more")
            }
            Self::NotConnected { broker, cause: why } => {
                write!(f, "its leader, broker {broker}, is not connected")?;
                cause(f, why)
            }
            Self::Throttled { broker, remaining } => {
                let ms = millis(*remaining);
                write!(f, "its leader, broker {broker}, wants no requests for another {ms} ms")
            }
            Self::BrokerBusy { broker, in_flight } => write!(
                f,
                "{in_flight} requests to its leader, broker {broker}, are unanswered, and may not \
                 be more"
            ),
        }
    }
}

/// Never 0 while there is something left.
fn millis(duration: Duration) -> u128 {
    duration.as_micros().div_ceil(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_why() {
        let ms = Duration::from_millis;
        let cause = Some("nobody is there".to_owned());
        for (reason, text) in [
            (PauseReason::UnknownPartition { partitions: 3 }, "the topic's partition count is 3"),
            (
                PauseReason::BackingOff { remaining: ms(0) + Duration::from_nanos(1500), cause },
                "it is tried again in 1 ms: nobody is there",
            ),
            (PauseReason::NoLeader { cause: None }, "the partition has no leader"),
            (
                PauseReason::WindowFull { in_flight: 5 },
                "5 of its batches are unanswered, and may not be more",
            ),
            (
                PauseReason::Throttled { broker: 2, remaining: ms(980) },
                "its leader, broker 2, wants no requests for another 980 ms",
            ),
            (
                PauseReason::BrokerBusy { broker: 2, in_flight: 3 },
                "3 requests to its leader, broker 2, are unanswered, and may not be more",
            ),
        ] {
            assert_eq!(reason.to_string(), text);
        }
    }
}
