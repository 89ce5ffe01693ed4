//! When to fetch metadata, of which topics, and what an answer says of them.
//!
//! ```text
//!   want(new topic) ─► due now ─┐             ┌─► answer: version + 1, next at metadata.max.age.ms
//!   stale (an error) ─► due ────┼─► in flight ┤
//!   age, idle topics ─► due ────┘  (one only) └─► failed: due again after a backoff
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use kafka_net::{BrokerId, ExponentialBackoff};
use kafka_protocol::ErrorCode;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::messages::metadata::MetadataRequestTopic;

use crate::cluster::{TopicEntry, TopicState};
use crate::sender::requests::MetadataAsked;

/// When metadata is fetched.
#[derive(Debug, Clone)]
pub(crate) struct MetadataConfig {
    /// `metadata.max.age.ms`.
    pub(crate) age_max: Duration,
    /// `metadata.max.idle.ms`.
    pub(crate) idle_max: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`.
    pub(crate) backoff: ExponentialBackoff,
}

/// What is known of the topics of interest, and when to ask again.
#[derive(Debug)]
pub(super) struct Metadata {
    config: MetadataConfig,
    /// Every topic that somebody sent to of late.
    topics: BTreeMap<Arc<str>, Topic>,
    /// Those that were never answered.
    new: BTreeSet<Arc<str>>,
    pub(super) version: u64,
    /// Asked for because of an error.
    is_stale: bool,
    is_in_flight: bool,
    /// What is under way was asked for because of an error.
    is_doubt_in_flight: bool,
    /// The answer told something that was not known.
    has_news: bool,
    /// When the last fetch began or ended.
    last_attempt: Option<Instant>,
    last_success: Option<Instant>,
    /// Fetches since the last one that brought something new.
    attempts: u32,
    backoff: Duration,
    /// Since when it is asked for in vain (KIP-1102).
    wanted_since: Option<Instant>,
    pub(super) error: Option<Arc<str>>,
    /// Who is being asked for topics that somebody waits for.
    pub(super) asked: Option<BrokerId>,
}

#[derive(Debug)]
struct Topic {
    /// `None` before the first answer.
    state: Option<TopicState>,
    /// When somebody asked for it last, or when it came to be known.
    wanted_at: Instant,
}

impl Topic {
    /// Whether this is not what was known before, leaders aside.
    fn is_news(&self, state: &TopicState) -> bool {
        match (&self.state, state) {
            (Some(TopicState::Known(old)), TopicState::Known(new)) => {
                old.id != new.id || old.queues.len() != new.queues.len()
            }
            (Some(TopicState::Failed(old)), TopicState::Failed(new)) => old != new,
            _ => true,
        }
    }
}

impl Metadata {
    pub(super) fn new(config: MetadataConfig) -> Self {
        Self {
            config,
            topics: BTreeMap::new(),
            new: BTreeSet::new(),
            version: 0,
            is_stale: false,
            is_in_flight: false,
            is_doubt_in_flight: false,
            has_news: false,
            last_attempt: None,
            last_success: None,
            attempts: 0,
            backoff: Duration::ZERO,
            wanted_since: None,
            error: None,
            asked: None,
        }
    }

    /// Somebody waits for a topic.
    pub(super) fn want(&mut self, now: Instant, name: &Arc<str>) {
        let topic =
            self.topics.entry(Arc::clone(name)).or_insert(Topic { state: None, wanted_at: now });
        topic.wanted_at = now;
        if topic.state.is_some() {
            // It is known, and not what the caller needs: a partition is missing, or it failed.
            self.is_stale = true;
        } else {
            self.new.insert(Arc::clone(name));
        }
        self.wanted_since.get_or_insert(now);
    }

    /// What is known proved wrong.
    pub(super) fn make_stale(&mut self, now: Instant) {
        // Where nobody wants any, none is wanted in vain.
        if self.topics.is_empty() {
            return;
        }
        self.is_stale = true;
        self.wanted_since.get_or_insert(now);
    }

    /// When the next fetch is due; `None` while one is under way, or if nobody needs it.
    pub(super) fn due_at(&self, now: Instant) -> Option<Instant> {
        if self.is_in_flight || self.topics.is_empty() {
            return None;
        }
        let pause = self.backoff.max(PAUSE);
        let allowed = self.last_attempt.map_or(now, |last| last + pause);
        if self.is_stale || !self.new.is_empty() {
            // A topic that was never asked for does not wait for the errors of others.
            let is_free = !self.new.is_empty() && self.error.is_none();
            return Some(if is_free { now } else { allowed });
        }
        let expires = self.last_success.map_or(now, |last| last + self.config.age_max);
        Some(expires.max(allowed))
    }

    /// The request to send now, and what it asks.
    pub(super) fn request(&mut self, now: Instant) -> (MetadataRequest, MetadataAsked) {
        let is_full = self.is_stale || self.new.is_empty();
        let topics: Vec<_> = if is_full {
            self.topics.keys().cloned().collect()
        } else {
            self.new.iter().cloned().collect()
        };
        let asked = topics.iter().map(|name| MetadataRequestTopic {
            name: Some((&**name).into()),
            ..MetadataRequestTopic::default()
        });
        let request = MetadataRequest {
            topics: Some(asked.collect()),
            allow_auto_topic_creation: true,
            ..MetadataRequest::default()
        };
        self.is_doubt_in_flight = is_full && self.is_stale;
        if is_full {
            self.is_stale = false;
        }
        self.is_in_flight = true;
        self.last_attempt = Some(now);
        (request, MetadataAsked { topics, is_full })
    }

    /// The fetch brought nothing.
    pub(super) fn fail(&mut self, now: Instant, error: &str, rng: &mut Rng) {
        self.is_in_flight = false;
        self.is_stale = true;
        self.error = Some(error.into());
        self.wanted_since.get_or_insert(now);
        self.back_off(now, rng);
    }

    /// There is nobody to ask.
    pub(super) fn cannot_ask(&mut self, error: Option<String>) {
        if let Some(error) = error {
            self.error = Some(error.into());
        }
    }

    /// An answer came, and says this of the topics that were asked for.
    pub(super) fn succeed(
        &mut self,
        now: Instant,
        asked: &MetadataAsked,
        mut answer: BTreeMap<Arc<str>, TopicState>,
        rng: &mut Rng,
    ) {
        self.is_in_flight = false;
        (self.error, self.asked) = (None, None);
        self.wanted_since = None;
        self.version += 1;
        let mut must_repeat = false;
        for name in &asked.topics {
            let Some(topic) = self.topics.get_mut(name) else { continue };
            self.new.remove(name);
            let unknown = TopicState::Failed(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
            let state = answer.remove(name).unwrap_or(unknown);
            self.has_news |= topic.is_news(&state);
            topic.state = Some(state);
            must_repeat |= match &topic.state {
                Some(TopicState::Known(entry)) => entry.available.len() < entry.queues.len(),
                Some(TopicState::Failed(error)) => error.is_retriable(),
                None => true,
            };
        }
        if asked.is_full {
            self.last_success = Some(now);
        }
        self.last_success.get_or_insert(now);
        // An error asked for it, and may ask again and again for what does not change.
        let has_news = std::mem::take(&mut self.has_news);
        let is_in_vain = self.is_doubt_in_flight && !has_news;
        if must_repeat || is_in_vain {
            self.back_off(now, rng);
        } else {
            self.attempts = 0;
            self.backoff = self.config.backoff.delay(0, rng);
            self.last_attempt = Some(now);
        }
    }

    /// The answer that is being read tells another leader.
    pub(super) fn note_news(&mut self) {
        self.has_news = true;
    }

    /// Topics that nobody has waited for of late. Whether somebody sends to them is not known here.
    pub(super) fn idle(&self, now: Instant) -> Vec<Arc<str>> {
        let is_idle =
            |topic: &Topic| now.saturating_duration_since(topic.wanted_at) >= self.config.idle_max;
        let idle = self.topics.iter().filter(|(_, topic)| is_idle(topic));
        idle.map(|(name, _)| Arc::clone(name)).collect()
    }

    /// Somebody sent to a topic since it was last looked at.
    pub(super) fn keep(&mut self, now: Instant, name: &str) {
        if let Some(topic) = self.topics.get_mut(name) {
            topic.wanted_at = now;
        }
    }

    /// Takes another entry for a topic, if it is known. Says whether it is.
    pub(super) fn replace(&mut self, name: &str, entry: &Arc<TopicEntry>) -> bool {
        let state = self.topics.get_mut(name).and_then(|topic| topic.state.as_mut());
        if let Some(TopicState::Known(known)) = state {
            *known = Arc::clone(entry);
            return true;
        }
        false
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.topics.remove(name);
        self.new.remove(name);
    }

    /// Whether somebody waits for a topic that was never answered.
    pub(super) fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// What was answered of a topic that cannot be used.
    pub(super) fn refused(&self, name: &str) -> Option<ErrorCode> {
        match self.topics.get(name)?.state {
            Some(TopicState::Failed(error)) => Some(error),
            _ => None,
        }
    }

    /// When everything was answered last.
    pub(super) fn last_success(&self) -> Option<Instant> {
        self.last_success
    }

    /// How long it has been asked for in vain.
    pub(super) fn in_vain(&self, now: Instant) -> Duration {
        self.wanted_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// Every topic that something is known of.
    pub(super) fn known(&self) -> impl Iterator<Item = (Arc<str>, TopicState)> + '_ {
        self.topics
            .iter()
            .filter_map(|(name, topic)| Some((Arc::clone(name), topic.state.clone()?)))
    }

    fn back_off(&mut self, now: Instant, rng: &mut Rng) {
        self.last_attempt = Some(now);
        self.backoff = self.config.backoff.delay(self.attempts, rng);
        self.attempts = self.attempts.saturating_add(1);
    }
}

/// Between two fetches records have their turn, whatever `retry.backoff.ms` and `metadata.max.age.ms`
/// are: with one request in flight they would wait for ever.
const PAUSE: Duration = Duration::from_millis(1);

#[cfg(all(test, not(kafka_loom)))]
mod tests;
