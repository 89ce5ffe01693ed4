//! What a test wants to know of a sender, and what it has it believe.

use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::MetadataResponse;

use crate::sender::Sender;
use crate::sender::requests::MetadataAsked;
use crate::sender::sequences::Sequence;

impl Sender {
    /// An answer about all its topics, as if they had been asked for.
    pub(crate) fn hear_metadata(&mut self, now: Instant, answer: &MetadataResponse) {
        let now = self.clamp(now);
        let names = answer.topics.iter().filter_map(|topic| topic.name.as_ref());
        let topics: Vec<Arc<str>> = names.map(|name| name.as_str().into()).collect();
        let asked = MetadataAsked { topics, is_full: true };
        self.on_metadata(now, kafka_net::BrokerId(1), &asked, answer);
    }

    /// Back to the bootstrap servers.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        let now = self.clamp(now);
        self.rebootstrap(now);
    }

    pub(crate) fn broker_count(&self) -> usize {
        self.connections.count()
    }

    /// As if so many records had been sent to each partition.
    pub(crate) fn set_next_sequence(&mut self, next: i32) {
        for partition in self.partitions.iter_mut().flatten() {
            partition.sequences.set_next(Sequence(next));
        }
    }

    /// As if the producer id had been given another epoch.
    pub(crate) fn set_epoch(&mut self, epoch: i16) {
        self.producer_ids.set_epoch(epoch);
    }
}
