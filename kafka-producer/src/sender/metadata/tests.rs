use super::*;
use crate::cluster::{TopicEntry, TopicShared};
use crate::testing::start;
use kafka_protocol::Uuid;

const SECOND: Duration = Duration::from_secs(1);

fn metadata() -> Metadata {
    let backoff = ExponentialBackoff::new(SECOND / 10, SECOND).without_jitter();
    Metadata::new(MetadataConfig { age_max: 300 * SECOND, idle_max: 300 * SECOND, backoff })
}

fn name(name: &str) -> Arc<str> {
    name.into()
}

fn known(topic: &str, id: u8) -> TopicState {
    TopicState::Known(Arc::new(TopicEntry {
        shared: Arc::new(TopicShared::new(name(topic), 1000, 1)),
        id: Uuid::from_bytes([id; 16]),
        queues: Vec::new(),
        available: Vec::new(),
        preferred: Vec::new(),
        leaders: Vec::new(),
    }))
}

/// Fetches now; each topic is there. Says what was asked for, and whether that was everything.
fn fetch(metadata: &mut Metadata, now: Instant) -> (Vec<String>, bool) {
    let (_, asked) = metadata.request(now);
    let answer = asked.topics.iter().map(|name| (Arc::clone(name), known(name, 1)));
    metadata.succeed(now, &asked, answer.collect(), &mut Rng::with_seed(1));
    (asked.topics.iter().map(ToString::to_string).collect(), asked.is_full)
}

#[test]
fn a_new_topic_is_asked_for_alone_and_at_once() {
    let (mut metadata, now) = (metadata(), start());
    assert_eq!(metadata.due_at(now), None, "nobody wants anything");
    metadata.want(now, &name("a"));
    assert_eq!(metadata.due_at(now), Some(now));
    assert_eq!(fetch(&mut metadata, now), (vec!["a".to_owned()], false));
    metadata.want(now, &name("b"));
    assert_eq!(metadata.due_at(now), Some(now), "no pause after the one before");
    assert_eq!(fetch(&mut metadata, now), (vec!["b".to_owned()], false));
    metadata.want(now, &name("a"));
    assert!(metadata.due_at(now) > Some(now), "one that is known waits");
    assert_eq!(fetch(&mut metadata, now), (vec!["a".to_owned(), "b".to_owned()], true));
}

#[test]
fn a_topic_that_is_wanted_while_others_are_asked_for_is_asked_for_next() {
    let (mut metadata, now) = (metadata(), start());
    metadata.want(now, &name("a"));
    let (_, asked) = metadata.request(now);
    metadata.want(now, &name("b"));
    assert_eq!(metadata.due_at(now), None, "one at a time");
    let answer = BTreeMap::from([(name("a"), known("a", 1))]);
    metadata.succeed(now, &asked, answer, &mut Rng::with_seed(1));
    assert_eq!(metadata.due_at(now), Some(now));
    assert_eq!(fetch(&mut metadata, now), (vec!["b".to_owned()], false));
}

#[test]
fn a_fetch_that_fails_is_tried_again_after_a_pause_that_grows() {
    let (mut metadata, mut now) = (metadata(), start());
    metadata.want(now, &name("a"));
    for pause in [100, 200, 400, 800, 1000, 1000] {
        metadata.request(now);
        metadata.fail(now, "nobody is there", &mut Rng::with_seed(1));
        assert_eq!(metadata.error.as_deref(), Some("nobody is there"));
        assert_eq!(metadata.last_success, None);
        let due = metadata.due_at(now).unwrap();
        assert_eq!(due - now, Duration::from_millis(pause));
        now = due;
    }
    fetch(&mut metadata, now);
    assert_eq!((metadata.error.as_deref(), metadata.last_success), (None, Some(now)));
}

#[test]
fn metadata_are_fetched_again_at_their_age_and_at_once_when_in_doubt() {
    let (mut metadata, now) = (metadata(), start());
    metadata.want(now, &name("a"));
    fetch(&mut metadata, now);
    let (later, version) = (now + 10 * SECOND, metadata.version);
    assert_eq!(metadata.due_at(later), Some(now + 300 * SECOND));
    metadata.make_stale(later);
    assert!(metadata.due_at(later) <= Some(later));
    assert!(fetch(&mut metadata, later).1);
    assert_eq!(metadata.version, version + 1);
    assert_eq!(metadata.due_at(later), Some(later + 300 * SECOND));
}

#[test]
fn an_answer_about_new_topics_leaves_the_age_of_the_others_as_it_was() {
    let (mut metadata, now) = (metadata(), start());
    metadata.want(now, &name("a"));
    fetch(&mut metadata, now);
    metadata.want(now + 100 * SECOND, &name("b"));
    fetch(&mut metadata, now + 100 * SECOND);
    assert_eq!(metadata.due_at(now + 100 * SECOND), Some(now + 300 * SECOND));
}

#[test]
fn the_pause_between_answers_without_news_grows_until_there_is_some() {
    let (mut metadata, mut now) = (metadata(), start());
    metadata.want(now, &name("a"));
    fetch(&mut metadata, now);
    let mut pause_in_doubt = |metadata: &mut Metadata, news: bool| {
        now += 2 * SECOND;
        metadata.make_stale(now);
        let (_, asked) = metadata.request(now);
        if news {
            metadata.note_news();
        }
        let answer = BTreeMap::from([(name("a"), known("a", 1))]);
        metadata.succeed(now, &asked, answer, &mut Rng::with_seed(1));
        metadata.make_stale(now);
        (metadata.due_at(now).unwrap() - now).as_millis()
    };
    let pauses = [false, false, false, true, false, false];
    let pauses = pauses.map(|news| pause_in_doubt(&mut metadata, news));
    assert_eq!(pauses, [100, 200, 400, 100, 100, 200]);
}

#[test]
fn what_is_always_due_is_not_asked_for_at_once_again() {
    let never = Duration::ZERO;
    let backoff = ExponentialBackoff::new(never, never);
    let config = MetadataConfig { age_max: never, idle_max: Duration::MAX, backoff };
    let (mut metadata, now, rng) = (Metadata::new(config), start(), &mut Rng::with_seed(1));
    metadata.want(now, &"orders".into());
    assert_eq!(metadata.due_at(now), Some(now));
    for error in [ErrorCode::NONE, ErrorCode::LEADER_NOT_AVAILABLE] {
        let (_, asked) = metadata.request(now);
        let answer = [("orders".into(), TopicState::Failed(error))];
        metadata.succeed(now, &asked, answer.into(), rng);
        assert!(metadata.due_at(now).is_some_and(|due| due > now), "{error}");
    }
    let _ = metadata.request(now);
    metadata.fail(now, "the connection was lost", rng);
    assert!(metadata.due_at(now).is_some_and(|due| due > now));
}
