//! What the runs have reached: answers of brokers and changes of state, held against what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use kafka_protocol::{ApiKey, ErrorCode};

use crate::sender::{Machine, Sender};

/// Answers and changes of state that were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Reached {
    answers: BTreeSet<(ApiKey, ErrorCode)>,
    changes: BTreeSet<Change>,
    /// Where each machine was when it was last looked at.
    states: BTreeMap<Machine, &'static str>,
}

/// A machine's kind, where it was, where it is.
type Change = (&'static str, &'static str, &'static str);

impl Reached {
    pub(super) fn answer(&mut self, api: ApiKey, error: ErrorCode) {
        self.answers.insert((api, error));
    }

    /// Looks at every machine of the sender.
    pub(super) fn look(&mut self, sender: &Sender) {
        let states = sender.states();
        for (machine, state) in &states {
            let before = self.states.get(machine).copied().unwrap_or(NOWHERE);
            if before != *state {
                self.changes.insert((machine.kind, before, state));
            }
        }
        // What becomes of a broker or a partition that is gone says nothing; a batch ends that way.
        for (machine, before) in self.states.iter().filter(|(machine, _)| machine.kind == "batch") {
            if !states.contains_key(machine) {
                self.changes.insert((machine.kind, before, NOWHERE));
            }
        }
        self.states = states;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.answers.extend(&other.answers);
        self.changes.extend(&other.changes);
    }

    /// Changes of state that should never be.
    pub(super) fn surprises(&self) -> Vec<String> {
        let is_known = |change: &&Change| CHANGES.contains(change);
        self.changes.iter().filter(|change| !is_known(change)).map(show).collect()
    }

    /// What there is and was not reached.
    pub(super) fn missing(&self) -> Vec<String> {
        let answers = all_answers().filter(|answer| !self.answers.contains(answer));
        let answers = answers.map(|(api, error)| format!("{}: {error}", name(api)));
        let changes = CHANGES.iter().filter(|change| !self.changes.contains(change)).map(show);
        answers.chain(changes).collect()
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = all_answers().filter(|answer| self.answers.contains(answer)).count();
        let changes = CHANGES.iter().filter(|change| self.changes.contains(change)).count();
        let (of_answers, of_changes) = (all_answers().count(), CHANGES.len());
        write!(f, "{answers} of {of_answers} kinds of answers, ")?;
        write!(f, "{changes} of {of_changes} changes of state")
    }
}

fn show((machine, from, to): &Change) -> String {
    format!("{machine}: {from} → {to}")
}

fn name(api: ApiKey) -> &'static str {
    api.name().unwrap_or("?")
}

fn all_answers() -> impl Iterator<Item = (ApiKey, ErrorCode)> {
    const TRUE: [ErrorCode; 3] = [
        ErrorCode::NONE,
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
    ];
    let of = |api: ApiKey, errors: &'static [ErrorCode]| errors.iter().map(move |e| (api, *e));
    of(ApiKey::PRODUCE, &PRODUCE_ANSWERS)
        .chain(of(ApiKey::PRODUCE, &TRUE))
        .chain(of(ApiKey::METADATA, &METADATA_ANSWERS))
        .chain(of(ApiKey::METADATA, &[ErrorCode::NONE]))
        .chain(of(ApiKey::INIT_PRODUCER_ID, &INIT_ANSWERS))
        .chain(of(ApiKey::INIT_PRODUCER_ID, &[ErrorCode::NONE]))
        .chain(of(ApiKey::API_VERSIONS, &[ErrorCode::NONE, ErrorCode::REBOOTSTRAP_REQUIRED]))
}

/// What a broker may answer to a batch that it has not written, outside of transactions. That a sequence
/// is out of order is no answer to be made up: it tells what is in the log.
pub(super) const PRODUCE_ANSWERS: [ErrorCode; 26] = [
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::CORRUPT_MESSAGE,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::MESSAGE_TOO_LARGE,
    ErrorCode::INVALID_TOPIC_EXCEPTION,
    ErrorCode::RECORD_LIST_TOO_LARGE,
    ErrorCode::NOT_ENOUGH_REPLICAS,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::INVALID_REQUIRED_ACKS,
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
    ErrorCode::INVALID_TIMESTAMP,
    ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
    ErrorCode::POLICY_VIOLATION,
    ErrorCode::INVALID_PRODUCER_EPOCH,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::UNKNOWN_PRODUCER_ID,
    ErrorCode::FENCED_LEADER_EPOCH,
    ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
    ErrorCode::INVALID_RECORD,
    ErrorCode::THROTTLING_QUOTA_EXCEEDED,
    ErrorCode::UNKNOWN_TOPIC_ID,
    ErrorCode::INCONSISTENT_TOPIC_ID,
];

/// What a broker may answer of a topic, or of all of them.
pub(super) const METADATA_ANSWERS: [ErrorCode; 9] = [
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
    ErrorCode::LEADER_NOT_AVAILABLE,
    ErrorCode::INVALID_TOPIC_EXCEPTION,
    ErrorCode::TOPIC_AUTHORIZATION_FAILED,
    ErrorCode::INVALID_REPLICATION_FACTOR,
    ErrorCode::LISTENER_NOT_FOUND,
    ErrorCode::UNKNOWN_TOPIC_ID,
    ErrorCode::REBOOTSTRAP_REQUIRED,
];

/// What a broker may answer to a producer without transactions that wants an id.
pub(super) const INIT_ANSWERS: [ErrorCode; 7] = [
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode::COORDINATOR_NOT_AVAILABLE,
    ErrorCode::NOT_COORDINATOR,
    ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
    ErrorCode::THROTTLING_QUOTA_EXCEEDED,
];

/// A machine that is not there yet, or not any more.
const NOWHERE: &str = "nowhere";

/// Every change that one look may find after another. Several steps within one turn are one change.
const CHANGES: [Change; 58] = [
    ("batch", "expired", NOWHERE),
    ("batch", "in flight", "expired"),
    ("batch", "in flight", "sealed"),
    ("batch", "in flight", "sealing"),
    ("batch", "in flight", "taken"),
    ("batch", "in flight", "to be repeated"),
    ("batch", "in flight", NOWHERE),
    ("batch", "sealed", "in flight"),
    ("batch", "sealed", NOWHERE),
    ("batch", "sealing", "sealed"),
    ("batch", "sealing", NOWHERE),
    ("batch", "taken", "in flight"),
    ("batch", "taken", "sealed"),
    ("batch", "taken", "sealing"),
    ("batch", "taken", NOWHERE),
    ("batch", "to be repeated", "in flight"),
    ("batch", "to be repeated", NOWHERE),
    ("batch", NOWHERE, "in flight"),
    ("batch", NOWHERE, "sealed"),
    ("batch", NOWHERE, "sealing"),
    ("batch", NOWHERE, "taken"),
    ("connection", "connecting", "disconnected"),
    ("connection", "connecting", "handshaking"),
    ("connection", "disconnected", "connecting"),
    ("connection", "handshaking", "disconnected"),
    ("connection", "handshaking", "ready"),
    ("connection", "ready", "disconnected"),
    ("connection", NOWHERE, "connecting"),
    ("connection", NOWHERE, "disconnected"),
    ("order", "free", "gone"),
    ("order", "free", "probing"),
    ("order", "free", "repeating"),
    ("order", "probing", "free"),
    ("order", "probing", "gone"),
    ("order", "probing", "repeating"),
    ("order", "repeating", "free"),
    ("order", "repeating", "gone"),
    ("order", "repeating", "probing"),
    ("order", NOWHERE, "free"),
    ("producer id", "ready (even epoch)", "ready (odd epoch)"),
    ("producer id", "ready (even epoch)", "requested"),
    ("producer id", "ready (even epoch)", "unassigned"),
    ("producer id", "ready (odd epoch)", "ready (even epoch)"),
    ("producer id", "requested", "ready (even epoch)"),
    ("producer id", "requested", "unassigned"),
    ("producer id", "unassigned", "requested"),
    ("producer id", NOWHERE, "disabled"),
    ("producer id", NOWHERE, "unassigned"),
    ("producer", "closing", "closed"),
    ("producer", "running", "closed"),
    ("producer", "running", "closing"),
    ("producer", NOWHERE, "running"),
    ("sequences", "gap confirmed", "whole"),
    ("sequences", "gap suspected", "gap confirmed"),
    ("sequences", "gap suspected", "whole"),
    ("sequences", "whole", "gap confirmed"),
    ("sequences", "whole", "gap suspected"),
    ("sequences", NOWHERE, "whole"),
];
