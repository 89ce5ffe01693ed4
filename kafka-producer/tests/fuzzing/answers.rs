//! What brokers answer: what a good one would say, but for what the input changes.

use bytes::Bytes;
use kafka_protocol::messages::api_versions::ApiVersion;
use kafka_protocol::messages::metadata::{MetadataResponseBroker, MetadataResponseTopic};
use kafka_protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, InitProducerIdRequest, InitProducerIdResponse,
    MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse,
};
use kafka_protocol::{ErrorCode, Frame, Request, Uuid, VersionRange};

use crate::fuzzing::cluster::{Cluster, address_of};
use crate::fuzzing::input::Input;
use crate::fuzzing::requests::{Asked, Body};

/// In what way an answer is not what a good broker would say.
#[derive(Clone, Copy)]
struct Faults(u8);

impl Faults {
    fn has_errors(self) -> bool {
        self.0 & 1 != 0
    }

    fn is_throttled(self) -> bool {
        self.0 & 2 != 0
    }

    /// Other brokers, leaders, ids or versions.
    fn is_odd(self) -> bool {
        self.0 & 4 != 0
    }

    /// Something is missing, or there twice.
    fn is_uneven(self) -> bool {
        self.0 & 8 != 0
    }
}

/// The answer to a request, without its size. The input begins with what is wrong: `0` is nothing.
/// `None` if the version of the request cannot say it.
pub(super) fn answer(asked: &Asked, cluster: &mut Cluster, input: &mut Input<'_>) -> Option<Bytes> {
    let faults = Faults(input.nibble());
    let throttle_ms = if faults.is_throttled() {
        i32::try_from(input.duration().as_millis()).unwrap_or(i32::MAX)
    } else {
        0
    };
    let (version, id) = (asked.version, asked.correlation_id);
    let frame = match &asked.body {
        Body::ApiVersions => {
            let answer = api_versions(faults, throttle_ms, input);
            // Who does not know the version says so in the oldest form.
            let is_old = answer.error_code == ErrorCode::UNSUPPORTED_VERSION;
            let version = if is_old { 0 } else { version };
            Frame::response::<ApiVersionsRequest>(&answer, version, id)
        }
        Body::Metadata(request) => {
            let answer = metadata(request, cluster, faults, throttle_ms, input);
            Frame::response::<MetadataRequest>(&answer, version, id)
        }
        Body::InitProducerId => {
            let answer = producer_id(cluster, faults, throttle_ms, input);
            Frame::response::<InitProducerIdRequest>(&answer, version, id)
        }
        Body::Produce(request) => {
            let answer = produce(request, cluster, faults, throttle_ms, input);
            Frame::response::<ProduceRequest>(&answer, version, id)
        }
    };
    Some(frame.ok()?.into_bytes().slice(SIZE..))
}

fn api_versions(faults: Faults, throttle_ms: i32, input: &mut Input<'_>) -> ApiVersionsResponse {
    let mut ranges = vec![
        range::<ProduceRequest>(),
        range::<MetadataRequest>(),
        range::<InitProducerIdRequest>(),
        range::<ApiVersionsRequest>(),
    ];
    if faults.is_odd() {
        let at = input.index(ranges.len());
        ranges[at].max_version = input.number();
    }
    if faults.is_uneven() {
        ranges.remove(input.index(4));
    }
    let error_code = if faults.has_errors() { ErrorCode(input.number()) } else { ErrorCode::NONE };
    ApiVersionsResponse {
        error_code,
        api_keys: ranges,
        throttle_time_ms: throttle_ms,
        ..ApiVersionsResponse::default()
    }
}

fn range<R: Request>() -> ApiVersion {
    let VersionRange { min, max, .. } = R::STABLE_VERSIONS;
    ApiVersion { api_key: R::KEY, min_version: min, max_version: max, ..ApiVersion::default() }
}

fn metadata(
    request: &MetadataRequest,
    cluster: &Cluster,
    faults: Faults,
    throttle_ms: i32,
    input: &mut Input<'_>,
) -> MetadataResponse {
    let asked = request.topics.iter().flatten();
    let names = asked.filter_map(|topic| topic.name.as_ref());
    let mut topics: Vec<_> = names.map(|name| cluster.topic(name.as_str())).collect();
    if faults.has_errors() {
        for topic in &mut topics {
            distort(topic, input);
        }
    }
    if faults.is_uneven() && !topics.is_empty() {
        let at = input.index(topics.len());
        match input.nibble() % 4 {
            0 => drop(topics.remove(at)),
            1 => topics.push(topics[at].clone()),
            2 => topics.push(cluster.topic("orders")),
            _ => topics.reverse(),
        }
    }
    let mut brokers = cluster.brokers();
    if faults.is_odd() {
        let port = input.number();
        brokers.push(MetadataResponseBroker {
            node_id: i32::from(input.number()),
            host: address_of(input.byte()).into(),
            port: if port == 0 { 9092 } else { i32::from(port) },
            ..MetadataResponseBroker::default()
        });
    }
    let is_refused = faults.is_odd() && input.nibble() == 1;
    let error = if is_refused { ErrorCode::REBOOTSTRAP_REQUIRED } else { ErrorCode::NONE };
    MetadataResponse {
        throttle_time_ms: throttle_ms,
        brokers,
        cluster_id: Some("cluster".into()),
        topics,
        error_code: error,
        ..MetadataResponse::default()
    }
}

/// Another leader, an old epoch, an error, another number of partitions, another id.
fn distort(topic: &mut MetadataResponseTopic, input: &mut Input<'_>) {
    let kind = input.nibble();
    let number = i32::from(input.number());
    match kind {
        0 => {}
        1 => topic.error_code = ErrorCode(i16::try_from(number).unwrap_or(0)),
        2 => topic.topic_id = Uuid::default(),
        3 => topic.topic_id = Uuid::from_bytes([kind; 16]),
        4 => topic.partitions.clear(),
        5 => topic.partitions.reverse(),
        6 => drop(topic.partitions.pop()),
        7 => topic.name = None,
        kind => {
            for partition in &mut topic.partitions {
                match kind {
                    8 => partition.leader_epoch = number,
                    9 => partition.leader_id = number,
                    10 => partition.partition_index = number,
                    11 => {
                        partition.partition_index = partition.partition_index.wrapping_sub(number);
                    }
                    12 => partition.error_code = ErrorCode(i16::try_from(number).unwrap_or(0)),
                    13 => (partition.leader_id, partition.leader_epoch) = (-1, -1),
                    14 => partition.leader_epoch = i32::MAX.saturating_sub(number),
                    _ => partition.leader_id = 1 + (partition.leader_id + number).rem_euclid(3),
                }
            }
        }
    }
}

fn producer_id(
    cluster: &mut Cluster,
    faults: Faults,
    throttle_ms: i32,
    input: &mut Input<'_>,
) -> InitProducerIdResponse {
    let error_code = if faults.has_errors() { ErrorCode(input.number()) } else { ErrorCode::NONE };
    let producer_id = if faults.is_uneven() { -1 } else { cluster.next_producer_id };
    cluster.next_producer_id += 1;
    let epoch = if faults.is_odd() { input.choice(&[0, i16::MAX, i16::MAX - 1, -1]) } else { 0 };
    InitProducerIdResponse {
        throttle_time_ms: throttle_ms,
        error_code,
        producer_id,
        producer_epoch: epoch,
        ..InitProducerIdResponse::default()
    }
}

fn produce(
    request: &ProduceRequest,
    cluster: &mut Cluster,
    faults: Faults,
    throttle_ms: i32,
    input: &mut Input<'_>,
) -> ProduceResponse {
    let mut responses = Vec::new();
    for topic in &request.topic_data {
        let mut answers = Vec::new();
        for partition in &topic.partition_data {
            let mut answer = PartitionProduceResponse {
                index: partition.index,
                base_offset: cluster.next_offset,
                log_start_offset: 0,
                ..PartitionProduceResponse::default()
            };
            cluster.next_offset += 1000;
            if faults.has_errors() {
                refuse(&mut answer, input);
            }
            if faults.is_odd() {
                answer.current_leader = LeaderIdAndEpoch {
                    leader_id: input.number().into(),
                    leader_epoch: input.number().into(),
                    ..LeaderIdAndEpoch::default()
                };
            }
            answers.push(answer);
        }
        responses.push(TopicProduceResponse {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            partition_responses: answers,
            ..TopicProduceResponse::default()
        });
    }
    if faults.is_uneven() {
        unbalance(&mut responses, input);
    }
    let node = || NodeEndpoint {
        node_id: i32::from(input.number()),
        host: address_of(input.byte()).into(),
        port: 9092,
        ..NodeEndpoint::default()
    };
    ProduceResponse {
        responses,
        throttle_time_ms: throttle_ms,
        node_endpoints: faults.is_odd().then(node).into_iter().collect(),
        ..ProduceResponse::default()
    }
}

/// An error, perhaps for some records alone.
fn refuse(answer: &mut PartitionProduceResponse, input: &mut Input<'_>) {
    answer.error_code = ErrorCode(input.number());
    let details = input.nibble();
    if details & 1 != 0 {
        answer.error_message = Some("because".into());
    }
    if details & 2 != 0 {
        answer.log_start_offset = -1;
    }
    if details & 4 != 0 {
        answer.base_offset = i64::MAX.saturating_sub(input.number().into());
        answer.log_append_time_ms = i64::from(input.number());
    }
    if details & 8 != 0 {
        for _ in 0..input.nibble() {
            answer.record_errors.push(BatchIndexAndErrorMessage {
                batch_index: input.number().into(),
                batch_index_error_message: (details & 1 == 0).then(|| "it alone".into()),
                ..BatchIndexAndErrorMessage::default()
            });
        }
    }
}

fn unbalance(responses: &mut Vec<TopicProduceResponse>, input: &mut Input<'_>) {
    if responses.is_empty() {
        return;
    }
    let at = input.index(responses.len());
    let kind = input.nibble() % 8;
    let topic = &mut responses[at];
    match kind {
        0 => drop(topic.partition_responses.pop()),
        1 => topic.partition_responses.extend(topic.partition_responses.clone()),
        2 => topic.topic_id = Uuid::from_bytes([input.byte(); 16]),
        3 => topic.name = "bills".into(),
        4 => topic.partition_responses.reverse(),
        5 => {
            for partition in &mut topic.partition_responses {
                partition.index = input.number().into();
            }
        }
        6 => drop(responses.remove(at)),
        _ => responses.push(responses[at].clone()),
    }
}

/// Bytes of the size in front of a frame.
const SIZE: usize = 4;
