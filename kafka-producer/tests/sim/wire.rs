//! The wire, seen by somebody who knows nothing of the sender: it reads every request and every answer,
//! and holds them against what a producer promises there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use bytes::Bytes;
use kafka_net::ConnectionId;
use kafka_protocol::messages::{
    ApiVersionsRequest, InitProducerIdRequest, MetadataRequest, MetadataResponse, ProduceRequest,
    ProduceResponse,
};
use kafka_protocol::records::RecordBatches;
use kafka_protocol::{
    ApiKey, DecodeLimits, ErrorCode, Message, RequestHeader, Uuid, decode_response,
};

use crate::sender::RequestId;
use crate::sim::reach::Reached;
use crate::sim::settings::Settings;

/// What is under way, and what each sequence was used for.
pub(super) struct Wire {
    settings: Settings,
    /// Requests that nobody has answered, oldest first, on connections that are open.
    unanswered: BTreeMap<ConnectionId, VecDeque<Asked>>,
    chains: BTreeMap<Chain, BTreeMap<i32, u64>>,
    /// Records that some request carried, by their number.
    carried: BTreeSet<u64>,
    names: BTreeMap<Uuid, String>,
    /// The ids that each topic has had: one that is created again gets another.
    ids: BTreeMap<String, Vec<Uuid>>,
    /// Sequences were set by hand.
    is_free: bool,
    /// Partitions whose leader said that it has forgotten the producer.
    forgotten: Vec<(String, i32)>,
    /// Partitions whose leader knows nothing of the producer until it writes the next batch: it takes
    /// whatever comes first.
    forgetful: BTreeSet<(String, i32)>,
    /// Records that were sent to those.
    pub(super) uncertain: BTreeSet<u64>,
    pub(super) reached: Reached,
}

/// A request.
pub(super) struct Asked {
    request: RequestId,
    api: ApiKey,
    version: i16,
    batches: Vec<Carried>,
}

/// A batch of a Produce request.
struct Carried {
    chain: Chain,
    base_sequence: i32,
    /// Numbers of its records.
    records: Vec<u64>,
    len: usize,
}

/// What a broker tells sequences apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Chain {
    topic: String,
    /// How often the topic was created before.
    creation: usize,
    partition: i32,
    producer_id: i64,
    producer_epoch: i16,
}

impl Wire {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            unanswered: BTreeMap::new(),
            chains: BTreeMap::new(),
            carried: BTreeSet::new(),
            names: BTreeMap::new(),
            ids: BTreeMap::new(),
            is_free: false,
            forgotten: Vec::new(),
            forgetful: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            reached: Reached::default(),
        }
    }

    /// A request was handed to the transport. `frame` begins with its size.
    pub(super) fn asked(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        frame: &Bytes,
    ) -> &Asked {
        let mut rest = frame.slice(4..);
        let header = RequestHeader::decode(&mut rest).unwrap();
        let (api, version) = (header.api_key, header.api_version);
        let mut asked = Asked { request, api, version, batches: Vec::new() };
        if api == ApiKey::PRODUCE {
            let produce = ProduceRequest::decode(&mut rest, version).unwrap();
            asked.batches = self.batches(&produce);
            self.check_request(&asked);
        }
        let queue = self.unanswered.entry(connection).or_default();
        queue.push_back(asked);
        queue.back().unwrap()
    }

    /// A request without an answer left the client.
    pub(super) fn written(&mut self, connection: ConnectionId, request: RequestId) {
        if self.settings.acks != 0 {
            return;
        }
        if let Some(queue) = self.unanswered.get_mut(&connection) {
            queue.retain(|asked| asked.request != request || asked.api != ApiKey::PRODUCE);
        }
    }

    /// An answer came, without its size. Says what is in it, if it can be read.
    pub(super) fn answered(&mut self, connection: ConnectionId, frame: &Bytes) -> Option<String> {
        let asked = self.unanswered.get_mut(&connection)?.pop_front()?;
        let (frame, version, limits) = (frame.clone(), asked.version, DecodeLimits::default());
        let name = asked.api.name().unwrap_or("?");
        let text = match asked.api {
            ApiKey::PRODUCE => {
                let answer = decode_response::<ProduceRequest>(frame, version, &limits).ok()?.1;
                self.on_produce(&asked, &answer)
            }
            ApiKey::METADATA => {
                let answer = decode_response::<MetadataRequest>(frame, version, &limits).ok()?.1;
                self.on_metadata(&answer)
            }
            ApiKey::INIT_PRODUCER_ID => {
                let decoded = decode_response::<InitProducerIdRequest>(frame, version, &limits);
                let answer = decoded.ok()?.1;
                self.reached.answer(asked.api, answer.error_code);
                match answer.error_code {
                    ErrorCode::NONE => {
                        format!("id {}, epoch {}", answer.producer_id, answer.producer_epoch)
                    }
                    error => error.to_string(),
                }
            }
            _ => {
                let decoded = decode_response::<ApiVersionsRequest>(frame, version, &limits);
                let answer = decoded.ok()?.1;
                self.reached.answer(asked.api, answer.error_code);
                answer.error_code.to_string()
            }
        };
        Some(format!("{name}: {text}"))
    }

    /// The oldest request was answered by somebody else.
    pub(super) fn answered_otherwise(&mut self, connection: ConnectionId) {
        self.unanswered.get_mut(&connection).map(VecDeque::pop_front);
    }

    /// A connection is over: nothing of it is under way any more.
    pub(super) fn ended(&mut self, connection: ConnectionId) {
        self.unanswered.remove(&connection);
    }

    /// Bytes of batches that some connection may still read.
    pub(super) fn bytes_held(&self) -> usize {
        let asked = self.unanswered.values().flatten();
        asked.flat_map(|asked| &asked.batches).map(|batch| batch.len).sum()
    }

    /// Whether some request carried this record.
    pub(super) fn has_carried(&self, record: u64) -> bool {
        self.carried.contains(&record)
    }

    /// Somebody set sequences by hand: what was seen of them is void.
    pub(super) fn forget_sequences(&mut self) {
        self.chains.clear();
        self.is_free = true;
    }

    /// Partitions whose leader forgot the producer since the last call.
    pub(super) fn take_forgotten(&mut self) -> Vec<(String, i32)> {
        std::mem::take(&mut self.forgotten)
    }

    /// The leader of a partition has forgotten the producer.
    pub(super) fn forget(&mut self, topic: &str, partition: i32) {
        self.forgetful.insert((topic.to_owned(), partition));
    }

    fn batches(&mut self, produce: &ProduceRequest) -> Vec<Carried> {
        let mut found = Vec::new();
        for topic in &produce.topic_data {
            let name = self.name_of(topic.name.as_str(), topic.topic_id);
            for partition in &topic.partition_data {
                let records = partition.records.as_ref().unwrap();
                let batches: Vec<_> = RecordBatches::new(records).map(Result::unwrap).collect();
                assert_eq!(batches.len(), 1, "{} batches of {name}", batches.len());
                let header = *batches[0].header();
                let numbers = batches[0].iter().filter_map(|record| {
                    let value = record.unwrap().value?;
                    value.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
                });
                let chain = Chain {
                    topic: name.clone(),
                    creation: self.creation(&name, topic.topic_id),
                    partition: partition.index,
                    producer_id: header.producer_id,
                    producer_epoch: header.producer_epoch,
                };
                found.push(Carried {
                    chain,
                    base_sequence: header.base_sequence,
                    records: numbers.collect(),
                    len: records.len(),
                });
            }
        }
        found
    }

    /// The name of a topic that a message gives by name or by id.
    fn name_of(&self, name: &str, id: Uuid) -> String {
        let known = self.names.get(&id).filter(|_| name.is_empty());
        known.map_or(name, String::as_str).to_owned()
    }

    fn creation(&self, topic: &str, id: Uuid) -> usize {
        let ids = self.ids.get(topic).map_or(&[][..], Vec::as_slice);
        let at = ids.iter().position(|known| *known == id);
        at.unwrap_or(ids.len().saturating_sub(1))
    }

    fn check_request(&mut self, asked: &Asked) {
        let seed = self.settings.seed;
        let len: usize = asked.batches.iter().map(|batch| batch.len).sum();
        assert!(
            len <= self.settings.max_request_size || asked.batches.len() == 1,
            "seed {seed:#x}: a request of {len} bytes in {} batches",
            asked.batches.len()
        );
        for (at, batch) in asked.batches.iter().enumerate() {
            let is_same = |other: &Carried| batch.is_of_same_partition(other);
            let twice = asked.batches[..at].iter().any(is_same);
            assert!(!twice, "seed {seed:#x}: two batches of a partition in a request: {asked}");
            let others = self.unanswered.values().flatten().flat_map(|asked| &asked.batches);
            let count = 1 + others.filter(|other| is_same(other)).count();
            let is_within = count <= self.settings.in_flight_max.min(5);
            let is_ordered = self.settings.is_ordered() && self.settings.acks != 0;
            assert!(is_within || !is_ordered, "seed {seed:#x}: {count} in flight: {asked}");
            if self.settings.is_idempotent {
                self.check_sequences(batch);
            }
            if self.forgetful.contains(&(batch.chain.topic.clone(), batch.chain.partition)) {
                self.uncertain.extend(&batch.records);
            }
            self.carried.extend(&batch.records);
        }
    }

    /// A sequence is of one record for ever, sequences have no gaps, and follow the order of sending.
    fn check_sequences(&mut self, batch: &Carried) {
        let (seed, is_free) = (self.settings.seed, self.is_free);
        let chain = self.chains.entry(batch.chain.clone()).or_default();
        for (at, number) in (0_i64..).zip(&batch.records) {
            let sequence = (i64::from(batch.base_sequence) + at) % (i64::from(i32::MAX) + 1);
            let sequence = i32::try_from(sequence).unwrap();
            if let Some(before) = chain.get(&sequence) {
                assert_eq!(
                    before, number,
                    "seed {seed:#x}: sequence {sequence} is of two records: {batch}"
                );
                continue;
            }
            let last = chain.last_key_value().map(|(sequence, number)| (*sequence, *number));
            let follows = last.map_or(sequence == 0, |(last, _)| sequence == last.wrapping_add(1));
            assert!(follows || is_free, "seed {seed:#x}: {last:?} is followed by {batch}");
            let is_later = last.is_none_or(|(_, last)| last < *number);
            assert!(is_later || is_free, "seed {seed:#x}: out of order: {last:?}, then {batch}");
            chain.insert(sequence, *number);
        }
    }

    fn on_produce(&mut self, asked: &Asked, answer: &ProduceResponse) -> String {
        let mut text = Vec::new();
        for topic in &answer.responses {
            let name = self.name_of(topic.name.as_str(), topic.topic_id);
            for partition in &topic.partition_responses {
                self.reached.answer(ApiKey::PRODUCE, partition.error_code);
                match partition.error_code {
                    // It may have left before the leader forgot; what was sent since then is news.
                    ErrorCode::NONE if asked.is_among(&name, partition.index, &self.uncertain) => {
                        self.forgetful.remove(&(name.clone(), partition.index));
                    }
                    ErrorCode::UNKNOWN_PRODUCER_ID => {
                        self.forgotten.push((name.clone(), partition.index));
                    }
                    _ => {}
                }
                let place = format!("{name}-{}", partition.index);
                let leader = &partition.current_leader;
                text.push(match partition.error_code {
                    ErrorCode::NONE => format!("{place} written at {}", partition.base_offset),
                    error if leader.leader_id >= 0 => {
                        format!("{place} {error}, its leader is broker {}", leader.leader_id)
                    }
                    error => format!("{place} {error}"),
                });
            }
        }
        text.join("; ")
    }

    fn on_metadata(&mut self, answer: &MetadataResponse) -> String {
        self.reached.answer(ApiKey::METADATA, answer.error_code);
        let mut text = vec![format!("{} brokers", answer.brokers.len())];
        for topic in &answer.topics {
            self.reached.answer(ApiKey::METADATA, topic.error_code);
            let name = topic.name.as_ref().map_or("", |name| name.as_str());
            if !topic.topic_id.is_zero() {
                self.names.insert(topic.topic_id, name.to_owned());
                let ids = self.ids.entry(name.to_owned()).or_default();
                if !ids.contains(&topic.topic_id) {
                    ids.push(topic.topic_id);
                }
            }
            let leaders = topic.partitions.iter().map(|partition| {
                self.reached.answer(ApiKey::METADATA, partition.error_code);
                format!("{}:{}", partition.leader_id, partition.leader_epoch)
            });
            let leaders: Vec<_> = leaders.collect();
            text.push(match topic.error_code {
                ErrorCode::NONE => format!("{name} led by {}", leaders.join(" ")),
                error => format!("{name} {error}"),
            });
        }
        text.join("; ")
    }
}

impl Asked {
    /// Whether the batch for a partition is of these records.
    fn is_among(&self, topic: &str, partition: i32, records: &BTreeSet<u64>) -> bool {
        self.batches.iter().any(|batch| {
            let is_it = batch.chain.topic == topic && batch.chain.partition == partition;
            is_it && batch.records.iter().all(|record| records.contains(record))
        })
    }
}

impl Carried {
    fn is_of_same_partition(&self, other: &Self) -> bool {
        let place = |batch: &Self| (batch.chain.creation, batch.chain.partition);
        place(self) == place(other) && self.chain.topic == other.chain.topic
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.api.name().unwrap_or("?"), self.version)?;
        for (at, batch) in self.batches.iter().enumerate() {
            write!(f, "{} {batch}", if at == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Chain { topic, partition, producer_epoch, .. } = &self.chain;
        write!(f, "{topic}-{partition} ")?;
        match (self.records.first(), self.records.last()) {
            (Some(first), Some(last)) if first != last => write!(f, "records {first}..{last}")?,
            (Some(only), _) => write!(f, "record {only}")?,
            (None, _) => write!(f, "other records")?,
        }
        if self.base_sequence >= 0 {
            write!(f, " (epoch {producer_epoch}, sequence {})", self.base_sequence)?;
        }
        Ok(())
    }
}
