//! Requests on their way, with what has to be remembered until their answer.

use std::sync::Arc;
use std::time::Instant;

use kafka_net::{BrokerId, HandshakeRequest};
use kafka_protocol::messages::{
    InitProducerIdRequest, InitProducerIdResponse, MetadataRequest, MetadataResponse,
    ProduceRequest, ProduceResponse,
};
use kafka_protocol::{DecodeError, DecodeLimits, Uuid, decode_response};

use crate::accumulator::QueueId;
use crate::sender::event::BatchId;

/// A request that was sent.
#[derive(Debug)]
pub(super) struct SentRequest {
    pub(super) version: i16,
    pub(super) kind: SentKind,
    pub(super) sent_at: Instant,
}

#[derive(Debug)]
pub(super) enum SentKind {
    Handshake(HandshakeRequest),
    Metadata(MetadataAsked),
    InitProducerId,
    Produce(Vec<SentBatch>),
}

/// What was asked of the metadata.
#[derive(Debug)]
pub(super) struct MetadataAsked {
    pub(super) topics: Vec<Arc<str>>,
    /// All topics of interest; otherwise only new ones.
    pub(super) is_full: bool,
}

/// One batch of a Produce request.
#[derive(Debug, Clone)]
pub(super) struct SentBatch {
    pub(super) queue: QueueId,
    pub(super) batch: BatchId,
    pub(super) topic: Arc<str>,
    /// As it was when the request was sent: the topic may have been created again since.
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    /// The leader that it was sent to, and its epoch.
    pub(super) leader: Option<BrokerId>,
    pub(super) leader_epoch: i32,
}

/// An answer, read.
#[derive(Debug)]
pub(super) enum Answer {
    Metadata(MetadataAsked, MetadataResponse),
    InitProducerId(InitProducerIdResponse),
    Produce(Vec<SentBatch>, ProduceResponse, i16),
}

/// A request whose answer was not read, and why, if that is an error.
pub(super) type Refused = (SentRequest, Option<DecodeError>);

impl SentRequest {
    /// Name of the request, for people.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            SentKind::Handshake(_) => "ApiVersions",
            SentKind::Metadata(_) => "Metadata",
            SentKind::InitProducerId => "InitProducerId",
            SentKind::Produce(_) => "Produce",
        }
    }

    /// Reads the answer. Gives the request back if that is not possible, or if it is a handshake's.
    pub(super) fn decode(self, frame: bytes::Bytes) -> Result<Answer, Box<Refused>> {
        let (limits, version) = (DecodeLimits::default(), self.version);
        match self.kind {
            SentKind::Handshake(_) => Err(Box::new((self, None))),
            SentKind::Metadata(asked) => {
                match decode_response::<MetadataRequest>(frame, version, &limits) {
                    Ok((_, answer)) => Ok(Answer::Metadata(asked, believable(answer, version))),
                    Err(error) => Err(Box::new((
                        Self { kind: SentKind::Metadata(asked), ..self },
                        Some(error),
                    ))),
                }
            }
            SentKind::InitProducerId => {
                match decode_response::<InitProducerIdRequest>(frame, version, &limits) {
                    Ok((_, answer)) => Ok(Answer::InitProducerId(answer)),
                    Err(error) => Err(Box::new((self, Some(error)))),
                }
            }
            SentKind::Produce(batches) => {
                match decode_response::<ProduceRequest>(frame, version, &limits) {
                    Ok((_, answer)) => Ok(Answer::Produce(batches, answer, version)),
                    Err(error) => Err(Box::new((
                        Self { kind: SentKind::Produce(batches), ..self },
                        Some(error),
                    ))),
                }
            }
        }
    }
}

/// Brokers of before Kafka 2.4 may tell an older leader under a newer epoch (KAFKA-9212): their epochs
/// are not looked at.
fn believable(mut answer: MetadataResponse, version: i16) -> MetadataResponse {
    if version < FIRST_WITH_TRUE_EPOCHS {
        for partition in answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.leader_epoch = -1;
        }
    }
    answer
}

impl Answer {
    /// How long the broker wants no requests, in ms (KIP-219).
    pub(super) fn throttle_ms(&self) -> i32 {
        match self {
            Self::Metadata(_, answer) => answer.throttle_time_ms,
            Self::InitProducerId(answer) => answer.throttle_time_ms,
            Self::Produce(_, answer, _) => answer.throttle_time_ms,
        }
    }
}

/// The first version of Metadata whose leader epochs are those of its leaders.
const FIRST_WITH_TRUE_EPOCHS: i16 = 9;
