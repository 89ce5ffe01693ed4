//! Frames into requests, without looking at the cluster.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    FetchRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest,
};
use kafka_protocol::{ApiKey, DecodeLimits, Message, RequestHeader, VersionRange};

use crate::batch::{self, Batch, BatchChecks, Rejection};

/// Reads frames, and checks the batches in them: all the work that needs no cluster.
///
/// A listener gives each connection one of its own, so that it reads and checks CRCs while another
/// connection's request is handled. Everything else calls
/// [`MockCluster::handle_frame`](crate::MockCluster::handle_frame), which does both.
#[derive(Debug, Clone)]
pub struct FrameDecoder {
    pub(crate) checks: BatchChecks,
    pub(crate) frame_len_max: usize,
}

/// A frame that was read; give it to [`MockCluster::handle_decoded`](crate::MockCluster::handle_decoded).
#[derive(Debug)]
pub struct DecodedFrame {
    pub(crate) header: RequestHeader,
    /// All of it, the header included.
    pub(crate) bytes: Bytes,
    pub(crate) body: RequestBody,
}

/// A request of an API that the cluster has.
#[derive(Debug)]
pub(crate) enum RequestBody {
    ApiVersions(ApiVersionsRequest),
    CreateTopics(CreateTopicsRequest),
    DeleteTopics(DeleteTopicsRequest),
    DescribeCluster(DescribeClusterRequest),
    Fetch(FetchRequest),
    FindCoordinator(FindCoordinatorRequest),
    InitProducerId(InitProducerIdRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    Produce(CheckedProduce),
    /// ApiVersions of a version that nobody knows yet: it is not read any further (KIP-511).
    UnknownApiVersions,
    /// Nothing to be answered: what is wrong with it.
    Malformed(String),
}

/// A Produce request whose batches were checked.
#[derive(Debug)]
pub(crate) struct CheckedProduce {
    pub(crate) request: ProduceRequest,
    /// One for each partition, in the order of the request.
    pub(crate) batches: Vec<Result<Batch, Rejection>>,
}

/// The APIs that the cluster has, with the versions that it announces unless told otherwise.
pub(crate) const APIS: [(ApiKey, VersionRange); 10] = [
    // Brokers of 4.x announce Produce from 0, for old librdkafka, and refuse what is below 3.
    (ApiKey::PRODUCE, VersionRange::new(0, api::<ProduceRequest>().max)),
    (ApiKey::FETCH, api::<FetchRequest>()),
    (ApiKey::LIST_OFFSETS, api::<ListOffsetsRequest>()),
    (ApiKey::METADATA, api::<MetadataRequest>()),
    (ApiKey::FIND_COORDINATOR, api::<FindCoordinatorRequest>()),
    (ApiKey::API_VERSIONS, api::<ApiVersionsRequest>()),
    (ApiKey::CREATE_TOPICS, api::<CreateTopicsRequest>()),
    (ApiKey::DELETE_TOPICS, api::<DeleteTopicsRequest>()),
    (ApiKey::INIT_PRODUCER_ID, api::<InitProducerIdRequest>()),
    (ApiKey::DESCRIBE_CLUSTER, api::<DescribeClusterRequest>()),
];

const fn api<R: kafka_protocol::Request>() -> VersionRange {
    R::STABLE_VERSIONS
}

impl FrameDecoder {
    /// Reads a frame, without its size field.
    pub fn decode(&self, frame: Bytes) -> DecodedFrame {
        let (header, body) = self.read(frame.clone());
        DecodedFrame { header, bytes: frame, body: body.unwrap_or_else(RequestBody::Malformed) }
    }

    fn read(&self, mut frame: Bytes) -> (RequestHeader, Result<RequestBody, String>) {
        let len = frame.len();
        if len > self.frame_len_max {
            let reason = format!("a frame of {len} bytes is longer than {}", self.frame_len_max);
            return (RequestHeader::default(), Err(reason));
        }
        match RequestHeader::decode(&mut frame) {
            Ok(header) => {
                let body = self.body(&header, frame);
                (header, body)
            }
            Err(error) => (RequestHeader::default(), Err(error.to_string())),
        }
    }

    fn body(&self, header: &RequestHeader, rest: Bytes) -> Result<RequestBody, String> {
        let version = header.api_version;
        Ok(match header.api_key {
            ApiKey::API_VERSIONS if !ApiVersionsRequest::VERSIONS.contains(version) => {
                RequestBody::UnknownApiVersions
            }
            ApiKey::API_VERSIONS => RequestBody::ApiVersions(message(rest, version)?),
            ApiKey::CREATE_TOPICS => RequestBody::CreateTopics(message(rest, version)?),
            ApiKey::DELETE_TOPICS => RequestBody::DeleteTopics(message(rest, version)?),
            ApiKey::DESCRIBE_CLUSTER => RequestBody::DescribeCluster(message(rest, version)?),
            ApiKey::FETCH => RequestBody::Fetch(message(rest, version)?),
            ApiKey::FIND_COORDINATOR => RequestBody::FindCoordinator(message(rest, version)?),
            ApiKey::INIT_PRODUCER_ID => RequestBody::InitProducerId(message(rest, version)?),
            ApiKey::LIST_OFFSETS => RequestBody::ListOffsets(message(rest, version)?),
            ApiKey::METADATA => RequestBody::Metadata(message(rest, version)?),
            ApiKey::PRODUCE => {
                RequestBody::Produce(self.produce(message(rest, version)?, version)?)
            }
            other => return Err(format!("{other} is not implemented")),
        })
    }

    fn produce(&self, request: ProduceRequest, version: i16) -> Result<CheckedProduce, String> {
        let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        let check = |records| batch::check(records, version, &self.checks);
        // A broker trips over null and closes the connection.
        let batches = partitions
            .map(|partition| partition.records.as_ref().map(check))
            .collect::<Option<_>>()
            .ok_or("the records of a partition are null")?;
        Ok(CheckedProduce { request, batches })
    }
}

fn message<M: Message>(mut rest: Bytes, version: i16) -> Result<M, String> {
    M::decode_with(&mut rest, version, &DecodeLimits::DEFAULT).map_err(|error| error.to_string())
}
