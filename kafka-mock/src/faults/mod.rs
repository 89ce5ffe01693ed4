//! Faults on demand: rules, the verdict that they give on a request, and damage to its answer.
//!
//! Handlers know errors alone, by [`Verdict::error`]. Everything else happens around them, so a new
//! kind of fault touches this folder and [`cluster`](crate::cluster), and no handler.

mod damage;
mod rewrite;
mod rule;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::{ApiKey, ErrorCode};

pub(crate) use damage::damage;
use damage::forge;
pub use rewrite::Rewrite;
pub use rule::{FaultAction, FaultId, FaultRule};

use crate::{BrokerId, ConnectionId};

/// Bytes of an answer's size field.
const SIZE_LEN: usize = 4;

/// The rules that are not used up, in order.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<(FaultId, FaultRule)>,
    next_id: u64,
}

/// What a request is about, as matchers see it.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) api: ApiKey,
    pub(crate) broker: BrokerId,
    pub(crate) connection: ConnectionId,
    /// The partitions that it names; without a number: the topic as a whole.
    pub(crate) targets: Vec<Target>,
}

pub(crate) type Target = (String, Option<i32>);

/// What the rules say about one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) delay: Duration,
    pub(crate) hold: Option<FaultId>,
    pub(crate) swallow: bool,
    pub(crate) close_before: bool,
    pub(crate) close_after: bool,
    /// For how long the client is told to wait.
    pub(crate) throttle: Duration,
    pub(crate) rewrites: Vec<Rewrite>,
    /// The body of the answer, instead of the real one.
    pub(crate) forged: Option<Bytes>,
    /// To be done to the bytes of the answer.
    pub(crate) damage: Vec<FaultAction>,
    errors: Vec<ErrorFault>,
}

#[derive(Debug)]
struct ErrorFault {
    topic: Option<String>,
    partition: Option<i32>,
    fault: Injected,
}

/// An error that a rule demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Injected {
    pub(crate) code: ErrorCode,
    /// Whether what was asked is done all the same.
    pub(crate) is_applied: bool,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: FaultRule) -> FaultId {
        let id = FaultId(self.next_id);
        self.next_id += 1;
        self.rules.push((id, rule));
        id
    }

    pub(crate) fn remove(&mut self, id: FaultId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|(other, _)| *other != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Uses the rules for this request; see [`FaultRule`] for which.
    pub(crate) fn judge(&mut self, subject: &Subject) -> Verdict {
        let mut verdict = Verdict::default();
        let mut covered = vec![false; subject.targets.len()];
        for (id, rule) in &mut self.rules {
            if !rule.is_for(subject) {
                continue;
            }
            let names_partitions = rule.topic.is_some() || rule.partition.is_some();
            let is_hit =
                |(target, is_covered): (&Target, &bool)| !is_covered && rule.is_about(target);
            let is_hit_anywhere = subject.targets.iter().zip(&covered).any(is_hit);
            if !is_hit_anywhere && (names_partitions || !covered.is_empty()) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            rule.left = rule.left.map(|left| left.saturating_sub(1));
            for (target, is_covered) in subject.targets.iter().zip(&mut covered) {
                *is_covered |= rule.is_about(target);
            }
            verdict.add(*id, rule);
            if !names_partitions {
                break;
            }
        }
        self.rules.retain(|(_, rule)| rule.left != Some(0));
        verdict
    }
}

impl FaultRule {
    fn is_for(&self, subject: &Subject) -> bool {
        self.left != Some(0)
            && self.api.is_none_or(|api| api == subject.api)
            && self.broker.is_none_or(|broker| broker == subject.broker)
            && self.connection.is_none_or(|connection| connection == subject.connection)
    }

    fn is_about(&self, (topic, partition): &Target) -> bool {
        names(self.topic.as_deref(), self.partition, topic, *partition)
    }
}

/// Whether a rule for this topic and partition, each `None` for any, is about a target.
fn names(
    rule_topic: Option<&str>,
    rule_partition: Option<i32>,
    topic: &str,
    partition: Option<i32>,
) -> bool {
    rule_topic.is_none_or(|name| name == topic)
        && rule_partition.is_none_or(|index| partition.is_none_or(|other| other == index))
}

impl Verdict {
    fn add(&mut self, id: FaultId, rule: &FaultRule) {
        for action in &rule.actions {
            match action {
                FaultAction::Error(code) => self.add_error(rule, *code, false),
                FaultAction::ErrorAfterApply(code) => self.add_error(rule, *code, true),
                FaultAction::Delay(delay) => self.delay = self.delay.max(*delay),
                FaultAction::Throttle(time) => self.throttle = self.throttle.max(*time),
                FaultAction::Rewrite(rewrite) => self.rewrites.push(rewrite.clone()),
                FaultAction::Forge(body) => self.forged = Some(body.clone()),
                FaultAction::Hold => self.hold = Some(id),
                FaultAction::Swallow => self.swallow = true,
                FaultAction::CloseBefore => self.close_before = true,
                FaultAction::CloseAfter => self.close_after = true,
                damage => self.damage.push(damage.clone()),
            }
        }
    }

    fn add_error(&mut self, rule: &FaultRule, code: ErrorCode, is_applied: bool) {
        self.errors.push(ErrorFault {
            topic: rule.topic.clone(),
            partition: rule.partition,
            fault: Injected { code, is_applied },
        });
    }

    /// An answer as it is to be, before its bytes are damaged.
    ///
    /// # Errors
    /// A change that cannot be written in this version.
    pub(crate) fn change(
        &self,
        api: ApiKey,
        version: i16,
        mut answer: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, String> {
        let throttled = !self.throttle.is_zero();
        let throttle = throttled.then(|| Rewrite::throttle(api, self.throttle)).flatten();
        for rewrite in throttle.iter().chain(&self.rewrites) {
            answer = rewrite.apply(api, version, answer)?;
        }
        match &self.forged {
            Some(body) => Ok(forge(&answer, api, version, body)),
            None => Ok(answer),
        }
    }

    /// The error for a partition, or for a topic as a whole.
    pub(crate) fn error(&self, topic: &str, partition: Option<i32>) -> Option<Injected> {
        let is_about =
            |error: &&ErrorFault| names(error.topic.as_deref(), error.partition, topic, partition);
        self.errors.iter().find(is_about).map(|error| error.fault)
    }

    /// The error for a request that names no topics.
    pub(crate) fn request_error(&self) -> Option<Injected> {
        self.errors.iter().find(|error| error.topic.is_none()).map(|error| error.fault)
    }
}
