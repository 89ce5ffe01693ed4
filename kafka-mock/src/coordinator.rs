//! Producer ids and transactional ids: who has which, and of which epoch.
//!
//! Transactions themselves come later. Until then a transactional id gets producer ids, its epoch is
//! bumped by each InitProducerId, and older epochs are fenced.

use std::collections::BTreeMap;

use kafka_protocol::ErrorCode;
use kafka_protocol::messages::InitProducerIdRequest;

use crate::BrokerId;

/// Gives out producer ids.
#[derive(Debug)]
pub(crate) struct Coordinator {
    next_producer_id: i64,
    transactional_ids: BTreeMap<String, TransactionalId>,
    transactional_ids_max: usize,
    /// Where keys are that were moved by hand.
    moved: BTreeMap<String, Option<BrokerId>>,
}

#[derive(Debug, Clone, Copy)]
struct TransactionalId {
    producer_id: i64,
    epoch: i16,
    /// Id and epoch before the last bump: a producer that did not get the answer asks with these.
    last: Option<(i64, i16)>,
}

/// A producer id and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProducerIdAndEpoch {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// Largest transaction timeout in ms (`transaction.max.timeout.ms`).
const TRANSACTION_TIMEOUT_MS_MAX: i32 = 900_000;
/// Epochs from here on are kept for the coordinator to fence with; the next producer gets a new id.
const EPOCH_EXHAUSTED: i16 = i16::MAX - 1;

impl Coordinator {
    pub(crate) fn new(first_producer_id: i64, transactional_ids_max: usize) -> Self {
        Self {
            next_producer_id: first_producer_id,
            transactional_ids: BTreeMap::new(),
            transactional_ids_max,
            moved: BTreeMap::new(),
        }
    }

    /// Answers InitProducerId, as Kafka's `TransactionCoordinator` does.
    pub(crate) fn init_producer_id(
        &mut self,
        request: &InitProducerIdRequest,
    ) -> Result<ProducerIdAndEpoch, ErrorCode> {
        let expected = match (request.producer_id, request.producer_epoch) {
            (-1, -1) => None,
            (-1, _) | (_, -1) => return Err(ErrorCode::INVALID_REQUEST),
            expected => Some(expected),
        };
        let Some(transactional_id) = request.transactional_id.as_deref() else {
            return Ok(ProducerIdAndEpoch { producer_id: self.new_producer_id(), epoch: 0 });
        };
        if transactional_id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        if !(1..=TRANSACTION_TIMEOUT_MS_MAX).contains(&request.transaction_timeout_ms) {
            return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
        }
        let bumped = match self.transactional_ids.get(transactional_id).copied() {
            Some(known) => self.bump(known, expected)?,
            None if self.transactional_ids.len() >= self.transactional_ids_max => {
                return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE);
            }
            None => TransactionalId { producer_id: self.new_producer_id(), epoch: 0, last: None },
        };
        self.transactional_ids.insert(transactional_id.to_owned(), bumped);
        Ok(ProducerIdAndEpoch { producer_id: bumped.producer_id, epoch: bumped.epoch })
    }

    /// The next state of a known id, when a producer asks that believes to have `expected`.
    fn bump(
        &mut self,
        known: TransactionalId,
        expected: Option<(i64, i16)>,
    ) -> Result<TransactionalId, ErrorCode> {
        let current = (known.producer_id, known.epoch);
        match expected {
            // The answer to its bump was lost, and it asks again.
            Some(expected) if known.last == Some(expected) => return Ok(known),
            Some(expected) if expected != current => return Err(ErrorCode::PRODUCER_FENCED),
            _ => {}
        }
        let last = Some(current);
        if known.epoch >= EPOCH_EXHAUSTED {
            return Ok(TransactionalId { producer_id: self.new_producer_id(), epoch: 0, last });
        }
        Ok(TransactionalId { epoch: known.epoch + 1, last, ..known })
    }

    /// What a transactional batch of this producer is answered: no transaction is ever open.
    pub(crate) fn check_transactional(
        &self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        produce_version: i16,
    ) -> ErrorCode {
        match self.transactional_ids.get(transactional_id) {
            Some(known) if known.producer_id == producer.producer_id => {
                if known.epoch != producer.epoch {
                    ErrorCode::INVALID_PRODUCER_EPOCH
                } else if produce_version >= TRANSACTION_ABORTABLE_FROM {
                    ErrorCode::TRANSACTION_ABORTABLE
                } else {
                    ErrorCode::INVALID_TXN_STATE
                }
            }
            _ => ErrorCode::INVALID_PRODUCER_ID_MAPPING,
        }
    }

    /// Moves the coordinator of a key, by hand; `None` takes it away.
    pub(crate) fn move_to(&mut self, key: &str, broker: Option<BrokerId>) {
        self.moved.insert(key.to_owned(), broker);
    }

    /// Gives back what was moved to a broker that is no more.
    pub(crate) fn forget_broker(&mut self, broker: BrokerId) {
        self.moved.retain(|_, to| *to != Some(broker));
    }

    /// The broker that coordinates a group or transactional id, out of `brokers`.
    pub(crate) fn broker_of(&self, key: &str, brokers: &[BrokerId]) -> Option<BrokerId> {
        if let Some(moved) = self.moved.get(key) {
            return *moved;
        }
        // Java's String.hashCode, by which Kafka chooses the partition of its own topic.
        let hash =
            key.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        brokers.get((hash & 0x7fff_ffff) as usize % brokers.len().max(1)).copied()
    }

    fn new_producer_id(&mut self) -> i64 {
        let id = self.next_producer_id;
        self.next_producer_id = id.saturating_add(1);
        id
    }
}

/// First Produce version whose clients know `TRANSACTION_ABORTABLE` (KIP-890).
const TRANSACTION_ABORTABLE_FROM: i16 = 11;
