//! Asking for a producer id, and going on under another epoch.

use std::time::Instant;

use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use kafka_protocol::{BrokerVersions, ErrorCode};

use crate::ProduceErrorKind;
use crate::error::explained;
use crate::sender::Sender;
use crate::sender::requests::SentKind;
use crate::sender::sequences::{ProducerId, ProducerIdState};
use crate::sender::timers::Timer;

/// The producer's id, and when to ask for one.
#[derive(Debug)]
pub(super) struct ProducerIds {
    state: ProducerIdState,
    attempts: u32,
    retry_at: Option<Instant>,
    /// Why there is none.
    error: Option<String>,
}

impl ProducerIds {
    pub(super) fn new(is_idempotent: bool) -> Self {
        let off = ProducerIdState::Disabled;
        let state = if is_idempotent { ProducerIdState::Unassigned } else { off };
        Self { state, attempts: 0, retry_at: None, error: None }
    }

    #[cfg(test)]
    pub(super) fn set_epoch(&mut self, epoch: i16) {
        if let ProducerIdState::Ready(producer) = &mut self.state {
            producer.epoch = producer.epoch.max(epoch);
        }
    }

    pub(super) fn state(&self) -> ProducerIdState {
        self.state
    }

    /// Why there is no id yet.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

impl Sender {
    /// Asks for a producer id if there is none and somebody sends.
    pub(super) fn advance_producer_id(&mut self, now: Instant) {
        let is_needed = self.producer_ids.state == ProducerIdState::Unassigned
            && (!self.nonempty.is_empty() || !self.incomplete.is_empty());
        if !is_needed {
            return;
        }
        if let Some(retry_at) = self.producer_ids.retry_at.filter(|at| *at > now) {
            return self.timers.set(Timer::ProducerId, Some(retry_at));
        }
        let Some(broker) = self.connections.least_loaded(now, &mut self.rng) else {
            let retry = self.connections.next_retry(now);
            return self.timers.set(Timer::ProducerId, retry);
        };
        let (connections, mut out) = self.io();
        if !connections.want(now, broker, &mut out) {
            return;
        }
        let versions = self.connections.versions(broker);
        let version = match versions.map(BrokerVersions::negotiate::<InitProducerIdRequest>) {
            Some(Ok(version)) => version,
            Some(Err(error)) => {
                return self.fail_everything(
                    now,
                    &ProduceErrorKind::UnsupportedVersion(error.to_string()),
                );
            }
            None => return,
        };
        let request = InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        };
        let kind = Some(SentKind::InitProducerId);
        let (connections, mut out) = self.io();
        if connections.send(now, broker, (&request, version), kind, &mut out).is_ok() {
            self.producer_ids.state = ProducerIdState::Requested;
        }
    }

    pub(super) fn on_producer_id(&mut self, now: Instant, answer: &InitProducerIdResponse) {
        let error = answer.error_code;
        let is_valid = answer.producer_id >= 0 && answer.producer_epoch >= 0;
        if error.is_none() && is_valid {
            let producer = ProducerId { id: answer.producer_id, epoch: answer.producer_epoch };
            tracing::debug!("producer id {}, epoch {}", producer.id, producer.epoch);
            self.producer_ids.state = ProducerIdState::Ready(producer);
            let ids = &mut self.producer_ids;
            (ids.attempts, ids.retry_at, ids.error) = (0, None, None);
            for index in 0..self.partitions.len() {
                self.evaluate(now, index);
            }
            return;
        }
        let what = if error.is_none() { NO_ID.to_owned() } else { explained(error) };
        self.on_producer_id_failed(now, &what);
        if is_refusal(error) {
            self.fail_everything(now, &ProduceErrorKind::Broker { error, message: None });
        }
    }

    pub(super) fn on_producer_id_failed(&mut self, now: Instant, why: &str) {
        tracing::debug!("no producer id: {why}");
        let ids = &mut self.producer_ids;
        ids.state = ProducerIdState::Unassigned;
        ids.error = Some(why.to_owned());
        ids.retry_at = Some(now + self.config.retry_backoff.delay(ids.attempts, &mut self.rng));
        ids.attempts = ids.attempts.saturating_add(1);
    }

    /// A partition's sequences are about to be forgotten. Its log knows them yet: if it comes back its
    /// first batch must not look like one that is there already, so it is sent under another epoch.
    pub(super) fn forget_sequences(&mut self, index: usize) {
        let Some(current) = self.producer_ids.state.ready() else { return };
        if self.partition(index).is_some_and(|partition| !partition.sequences.is_new(current)) {
            self.producer_ids.state.bump();
        }
    }

    /// Gives a partition whose sequences are broken, and that has nothing on the wire, sequences of
    /// another epoch (KIP-360). Those that wait are numbered anew, in their order.
    pub(super) fn renumber(&mut self, index: usize) {
        let ids = &mut self.producer_ids;
        let Some(partition) = self.partitions.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        if ids.state == ProducerIdState::Disabled {
            return partition.sequences.restart();
        }
        let Some(current) = ids.state.ready() else { return };
        if partition.sequences.needs_bump(current) && !is_broken!("epoch_not_bumped") {
            ids.state.bump();
        }
        let Some(producer) = ids.state.ready() else { return };
        tracing::debug!(
            "{}-{} goes on under epoch {}",
            partition.queue.topic(),
            partition.queue.partition(),
            producer.epoch
        );
        partition.sequences.restart();
        for taken in &mut partition.waiting {
            if taken.sequence.is_some() {
                let count = taken.batch.record_count();
                taken.sequence = Some(partition.sequences.assign(producer, count));
            }
        }
    }
}

/// What only somebody else can change. Other errors are tried again; Kafka's own client gives up for
/// good at those that it does not expect.
fn is_refusal(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | ErrorCode::UNSUPPORTED_VERSION
    )
}

const NO_ID: &str = "the broker answered with a producer id that is none";
