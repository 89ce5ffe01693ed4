//! What an answer means for each batch that the request carried, and what it means that none came.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use kafka_net::{BrokerId, ConnectionId, DisconnectReason};
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::messages::produce::PartitionProduceResponse;

use crate::ProduceErrorKind;
use crate::delivery::Outcome;
use crate::error::explained;
use crate::sender::Sender;
use crate::sender::event::{BatchId, RequestId};
use crate::sender::partitions::{Partition, Seal, Taken};
use crate::sender::requests::{Answer, SentBatch, SentKind, SentRequest};
use crate::sender::retry::{Attempted, Verdict, is_certain_rejection, judge};
use crate::sender::sequences::Assigned;

impl Sender {
    /// An answer came.
    pub(super) fn on_answer(
        &mut self,
        now: Instant,
        broker: BrokerId,
        request: SentRequest,
        frame: bytes::Bytes,
    ) {
        let latency = now.saturating_duration_since(request.sent_at);
        match request.decode(frame) {
            Ok(answer) => self.on_read(now, broker, answer, latency),
            Err(refused) => {
                let (request, error) = *refused;
                let reason = error.map_or(DisconnectReason::Closed, DisconnectReason::Garbled);
                let (connections, mut out) = self.io();
                let outcome = connections.fail(now, broker, reason.clone(), &mut out);
                let why = self.connections.why_lost(broker, &reason);
                self.on_lost(now, vec![request], &why);
                self.on_connection(now, broker, outcome);
            }
        }
    }

    /// An answer was read.
    pub(super) fn on_read(
        &mut self,
        now: Instant,
        broker: BrokerId,
        answer: Answer,
        latency: Duration,
    ) {
        let throttle = answer.throttle_ms();
        self.sensors.on_throttle(now, throttle);
        let (connections, mut out) = self.io();
        connections.throttle(now, broker, throttle, &mut out);
        match answer {
            Answer::Metadata(asked, answer) => self.on_metadata(now, broker, &asked, &answer),
            Answer::InitProducerId(answer) => self.on_producer_id(now, &answer),
            Answer::Produce(batches, answer, version) => {
                self.sensors.on_latency(now, broker, latency);
                self.on_produce(now, batches, answer, version);
            }
        }
    }

    /// Requests lost their connection. Whether the broker acted on them is unknown.
    pub(super) fn on_lost(&mut self, now: Instant, requests: Vec<SentRequest>, why: &str) {
        for request in requests {
            match request.kind {
                SentKind::Handshake(_) => {}
                SentKind::Metadata(_) => self.on_metadata_failed(now, why),
                SentKind::InitProducerId => self.on_producer_id_failed(now, why),
                SentKind::Produce(batches) => {
                    for batch in &batches {
                        self.on_batch_lost(now, batch, why);
                    }
                }
            }
        }
        self.metadata.make_stale(now);
    }

    /// A request was handed to the transport: without acks that is all there is to know.
    pub(super) fn handle_written(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: RequestId,
    ) {
        let Some((_, batches)) = self.unanswered.remove(&request) else { return };
        let (connections, mut out) = self.io();
        connections.handle_written(now, connection, &mut out);
        for sent in batches {
            let success = Outcome::Written { first_offset: None, log_append_time: None };
            if let Some(taken) = self.take_answered(&sent) {
                self.complete(taken, success);
            }
            self.evaluate(now, sent.queue.index);
            self.free_if_gone(sent.queue.index);
        }
    }

    /// Takes back what was not written whole before its connection ended.
    pub(super) fn lose_unanswered(&mut self, now: Instant) {
        let lost = self.unanswered.iter();
        let lost = lost.filter(|(_, (connection, _))| !self.connections.is_current(*connection));
        let lost: Vec<_> = lost.map(|(request, _)| *request).collect();
        for request in lost {
            for batch in self.unanswered.remove(&request).into_iter().flat_map(|(_, sent)| sent) {
                self.on_batch_lost(now, &batch, NOT_WRITTEN);
            }
        }
    }

    fn on_produce(
        &mut self,
        now: Instant,
        batches: Vec<SentBatch>,
        answer: ProduceResponse,
        version: i16,
    ) {
        let nodes = answer.node_endpoints;
        let mut batches = VecDeque::from(batches);
        for topic in answer.responses {
            for partition in topic.partition_responses {
                let is_it = |sent: &SentBatch| {
                    let is_topic = if version >= FIRST_WITH_IDS {
                        sent.topic_id == topic.topic_id
                    } else {
                        *sent.topic == *topic.name.as_str()
                    };
                    is_topic && sent.partition == partition.index
                };
                // Mostly they come in the order of the request, and so it is the first of those left.
                let at = batches.iter().position(is_it);
                let Some(sent) = at.and_then(|at| batches.remove(at)) else { continue };
                self.take_leader_hint(now, &sent, &partition, &nodes);
                self.on_batch_answer(now, &sent, &partition);
            }
        }
        for sent in batches {
            self.on_batch_lost(now, &sent, "the broker's answer does not mention the partition");
        }
    }

    fn on_batch_answer(
        &mut self,
        now: Instant,
        sent: &SentBatch,
        answer: &PartitionProduceResponse,
    ) {
        let error = answer.error_code;
        if error.refreshes_metadata() {
            self.metadata.make_stale(now);
        }
        let Some(taken) = self.take_answered(sent) else { return };
        if error.is_none() {
            self.on_batch_written(answer, taken, sent.queue.index);
        } else {
            self.on_batch_refused(now, answer, taken, sent);
        }
        self.evaluate(now, sent.queue.index);
        self.free_if_gone(sent.queue.index);
    }

    fn on_batch_written(&mut self, answer: &PartitionProduceResponse, taken: Taken, index: usize) {
        if let Some(partition) = self.partition(index) {
            partition.on_acknowledged(taken.id);
        }
        let is_set = |value: &i64| *value >= 0;
        // Of a batch that it has already a broker says the time of the latest record instead.
        let latest = taken.batch.body.header().max_timestamp;
        let is_latest = taken.batch.attempts > 1 && answer.log_append_time_ms == latest;
        self.complete(
            taken,
            Outcome::Written {
                first_offset: Some(answer.base_offset).filter(is_set),
                log_append_time: Some(answer.log_append_time_ms)
                    .filter(is_set)
                    .filter(|_| !is_latest),
            },
        );
    }

    fn on_batch_refused(
        &mut self,
        now: Instant,
        answer: &PartitionProduceResponse,
        mut taken: Taken,
        sent: &SentBatch,
    ) {
        let (error, index) = (answer.error_code, sent.queue.index);
        let retries = self.config.retries;
        let place = sent.leader.map_or(String::new(), |leader| self.connections.place(leader));
        let Some(partition) = self.partition(index) else {
            return self.fail_batch(taken, ProduceErrorKind::PartitionGone);
        };
        let what = answer.error_message.as_ref().map(|message| message.as_str().to_owned());
        partition.last_error = Some(match &what {
            Some(message) => format!("{place} answered {error}: {message}"),
            None => format!("{place} answered {}", explained(error)),
        });
        taken.batch.may_have_been_written |= !is_certain_rejection(error);
        if is_broken!("uncertainty_forgotten") {
            taken.batch.may_have_been_written = !is_certain_rejection(error);
        }
        let verdict = judge(
            error,
            Attempted {
                has_sequence: taken.sequence.is_some(),
                is_oldest: partition.is_oldest(taken.id),
                record_count: taken.batch.record_count(),
                may_retry: taken.batch.attempts <= retries && !partition.is_gone,
                knows_log_start: answer.log_start_offset >= 0,
                may_be_there_whole: taken.batch.is_split && taken.batch.may_have_been_written,
            },
        );
        tracing::debug!(
            "{}-{}: {error}, attempt {}: {verdict:?}",
            taken.batch.topic(),
            taken.batch.partition(),
            taken.batch.attempts
        );
        match verdict {
            // Told already; only its sequence is of interest.
            Verdict::Duplicate => {
                partition.on_acknowledged(taken.id);
                self.complete(
                    taken,
                    Outcome::Written { first_offset: None, log_append_time: None },
                );
            }
            _ if taken.batch.is_complete() => {
                partition.sequences.suspect_gap(taken.id);
                self.incomplete.remove(&taken.id);
            }
            Verdict::Retry { renumber } => {
                if renumber {
                    partition.sequences.confirm_gap();
                }
                self.retry(now, sent, taken);
            }
            Verdict::Split => self.split(now, sent, taken),
            Verdict::Fail => {
                partition.sequences.suspect_gap(taken.id);
                self.refuse(taken, answer, what);
            }
        }
    }

    fn on_batch_lost(&mut self, now: Instant, sent: &SentBatch, why: &str) {
        let retries = self.config.retries;
        let Some(mut taken) = self.take_answered(sent) else { return };
        let index = sent.queue.index;
        taken.batch.may_have_been_written |= !is_broken!("lost_is_certain");
        let Some(partition) = self.partition(index) else { return };
        partition.last_error = Some(why.to_owned());
        if taken.batch.is_complete() {
            partition.sequences.suspect_gap(taken.id);
            self.incomplete.remove(&taken.id);
        } else if taken.batch.attempts <= retries && !partition.is_gone {
            self.retry(now, sent, taken);
        } else {
            partition.sequences.suspect_gap(taken.id);
            self.fail_batch(taken, ProduceErrorKind::Disconnected { reason: why.to_owned() });
        }
        self.evaluate(now, index);
        self.free_if_gone(index);
    }

    /// Puts a batch back, to be sent again after a backoff.
    fn retry(&mut self, now: Instant, sent: &SentBatch, taken: Taken) {
        let attempts = taken.batch.attempts.saturating_sub(1);
        let delay = self.config.retry_backoff.delay(attempts, &mut self.rng);
        self.sensors.on_retry(now, &sent.topic, taken.batch.record_count());
        let Some(partition) = self.partition(sent.queue.index) else { return };
        partition.put_back(taken);
        // A newer leader than the one that failed need not be spared (KIP-951).
        if partition.leader_epoch <= sent.leader_epoch {
            partition.backoff_until = partition.backoff_until.max(Some(now + delay));
        }
    }

    /// Sends the records of a batch in smaller ones (KIP-126).
    fn split(&mut self, now: Instant, sent: &SentBatch, taken: Taken) {
        let index = sent.queue.index;
        let (size, batch_size) = (taken.batch.uncompressed_len, self.config.batch_size);
        let target = if taken.batch.is_split || size <= batch_size { size / 2 } else { batch_size };
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        partition.topic.learn_refused_size(size, batch_size);
        let Taken { id, batch, sequence, .. } = taken;
        // Each part has an overhead: two of them fit where many do not.
        let parts = batch.split(target, &mut self.split_reserve);
        let parts = parts.or_else(|batch| batch.split(size / 2, &mut self.split_reserve));
        match parts {
            Ok(parts) => {
                self.sensors.on_split(now);
                self.incomplete.remove(&id);
                for part in parts {
                    let first_record = part.first_record();
                    let offset = if is_broken!("parts_share_a_sequence") {
                        0
                    } else {
                        first_record - id.first_record
                    };
                    let sequence = sequence.map(|assigned| assigned.advance(offset));
                    let id = BatchId { first_record, ..id };
                    self.incomplete.insert(id);
                    partition.put_back(Taken { id, batch: part, sequence, seal: Seal::Raw });
                }
            }
            // The reserve is in use: the broker is asked again later.
            Err(batch) => {
                self.retry(now, sent, Taken { id, batch: *batch, sequence, seal: Seal::Sealed });
            }
        }
    }

    /// Fails the records of a batch, each with its own error where the broker gave one (KIP-467).
    fn refuse(
        &mut self,
        mut taken: Taken,
        answer: &PartitionProduceResponse,
        message: Option<String>,
    ) {
        let error = answer.error_code;
        let count = taken.batch.record_count();
        for record in &answer.record_errors {
            let Some(index) = u32::try_from(record.batch_index).ok().filter(|i| *i < count) else {
                continue;
            };
            let own = record.batch_index_error_message.as_ref();
            let own = own.map(|message| message.as_str().to_owned()).or_else(|| message.clone());
            let kind = ProduceErrorKind::Broker { error, message: own };
            let outcome = Outcome::Failed(taken.batch.error(kind));
            let completion = taken.batch.complete_one(index, outcome);
            self.conclude_one(taken.id, completion);
        }
        let kind = if answer.record_errors.is_empty() {
            ProduceErrorKind::Broker { error, message }
        } else {
            ProduceErrorKind::OtherRecordRefused { error }
        };
        self.fail_batch(taken, kind);
    }

    /// Ends a batch that no partition holds any more.
    pub(super) fn fail_batch(&mut self, taken: Taken, kind: ProduceErrorKind) {
        let error = taken.batch.error(kind);
        self.complete(taken, Outcome::Failed(error));
    }

    /// Ends a batch that is in flight, without its request having been sent.
    pub(super) fn fail_sent(&mut self, now: Instant, sent: &SentBatch, kind: &ProduceErrorKind) {
        let Some(mut taken) = self.take_answered(sent) else { return };
        taken.batch.attempts -= 1;
        if let Some(partition) = self.partition(sent.queue.index) {
            partition.sequences.suspect_gap(taken.id);
        }
        self.fail_batch(taken, kind.clone());
        self.evaluate(now, sent.queue.index);
        self.free_if_gone(sent.queue.index);
        // What is behind it has its turn now.
        self.has_news = true;
    }

    fn complete(&mut self, mut taken: Taken, outcome: Outcome) {
        self.incomplete.remove(&taken.id);
        self.seals.keep_memory(taken.id, &mut taken.batch);
        if !taken.batch.is_complete() {
            let completion = taken.batch.complete(outcome);
            self.conclude(taken.id, completion);
        }
    }

    fn take_answered(&mut self, sent: &SentBatch) -> Option<Taken> {
        let partition = self.partition(sent.queue.index)?;
        if partition.queue.id() != sent.queue {
            return None;
        }
        partition.take_in_flight(sent.batch)
    }
}

impl Partition {
    fn on_acknowledged(&mut self, batch: BatchId) {
        self.sequences.settle_gap(batch);
        (self.is_probing, self.last_error, self.backoff_until) = (false, None, None);
    }
}

impl Assigned {
    fn advance(self, records: u32) -> Self {
        Self { base: self.base.advance(records), ..self }
    }
}

/// The first version of Produce with topic ids instead of names (KIP-516).
const FIRST_WITH_IDS: i16 = 13;
const NOT_WRITTEN: &str = "the connection ended before the request was written";
