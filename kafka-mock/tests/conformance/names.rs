//! What differs from run to run, by names that do not.

use std::collections::BTreeMap;

use kafka_protocol::{ErrorCode, KafkaString, Uuid};

/// Names of what a script has met.
pub(crate) struct Names {
    /// In front of every name that a script gives, so that runs do not meet.
    prefix: String,
    ports: Vec<u16>,
    topics: BTreeMap<Uuid, String>,
    producers: Vec<i64>,
    /// Leader epochs of a partition whose leader was moved, ascending.
    epochs: BTreeMap<(String, i32), Vec<i32>>,
    cluster_id: Option<KafkaString>,
}

impl Names {
    pub(crate) fn new(prefix: String, ports: Vec<u16>) -> Self {
        Self {
            prefix,
            ports,
            topics: BTreeMap::new(),
            producers: Vec::new(),
            epochs: BTreeMap::new(),
            cluster_id: None,
        }
    }

    /// A name of the cluster for a name of the script.
    pub(crate) fn full(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The script's name for a name of the cluster, if the script has given it.
    pub(crate) fn own<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(&self.prefix)
    }

    /// The script's name if there is one, else the name in quotes.
    pub(crate) fn topic(&self, name: &str) -> String {
        self.own(name).map_or_else(|| format!("{name:?}"), str::to_owned)
    }

    pub(crate) fn learn_topic(&mut self, id: Uuid, name: &str) {
        if !id.is_zero() && !name.is_empty() {
            self.topics.insert(id, self.topic(name));
        }
    }

    /// Whose id it is.
    pub(crate) fn topic_id(&self, id: Uuid) -> String {
        match self.topics.get(&id) {
            _ if id.is_zero() => "no id".to_owned(),
            Some(name) => format!("id of {name}"),
            None => "unknown id".to_owned(),
        }
    }

    /// `P1` for the first producer id that is seen, `P2` for the next.
    pub(crate) fn producer(&mut self, id: i64) -> String {
        if id < 0 {
            return id.to_string();
        }
        let place = self.producers.iter().position(|other| *other == id).unwrap_or_else(|| {
            self.producers.push(id);
            self.producers.len() - 1
        });
        format!("P{}", place + 1)
    }

    pub(crate) fn learn_epochs(&mut self, topic: &str, partition: i32, epochs: Vec<i32>) {
        self.epochs.insert((topic.to_owned(), partition), epochs);
    }

    pub(crate) fn epochs(&self, topic: &str, partition: i32) -> &[i32] {
        self.epochs.get(&(topic.to_owned(), partition)).map_or(&[], Vec::as_slice)
    }

    /// Which epoch of the partition it is, counted from 0: a leader may move in several steps.
    pub(crate) fn epoch(&self, topic: &str, partition: i32, epoch: i32) -> i32 {
        let place = self.epochs(topic, partition).iter().position(|other| *other == epoch);
        place.map_or(epoch, |place| place as i32)
    }

    /// A broker, with a word if it is not where it listens.
    pub(crate) fn broker(&self, id: i32, host: &str, port: i32) -> String {
        let index = usize::try_from(id - 1).unwrap_or(usize::MAX);
        match self.ports.get(index) {
            Some(own) if host == "127.0.0.1" && i32::from(*own) == port => id.to_string(),
            _ => format!("{id} at {host:?} {port}"),
        }
    }

    pub(crate) fn cluster(&mut self, id: Option<&KafkaString>) -> &'static str {
        match (&self.cluster_id, id) {
            (_, None) => "no cluster id",
            (None, Some(id)) => {
                self.cluster_id = Some(id.clone());
                "its cluster id"
            }
            (Some(known), Some(id)) if known == id => "its cluster id",
            _ => "another cluster id",
        }
    }
}

/// An error code by its name.
pub(crate) fn code(code: ErrorCode) -> String {
    code.name().map_or_else(|| code.0.to_string(), str::to_owned)
}
