//! What the sender asks: read again from its frames, and held against what it may ask.

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest,
};
use kafka_protocol::records::RecordBatchHeader;
use kafka_protocol::{ApiKey, Request, RequestHeader};

use crate::sender::SenderConfig;

/// A request that waits for its answer, or for being written.
pub(super) struct Asked {
    pub(super) correlation_id: i32,
    pub(super) version: i16,
    pub(super) body: Body,
}

pub(super) enum Body {
    ApiVersions,
    Metadata(MetadataRequest),
    InitProducerId,
    Produce(ProduceRequest),
}

impl Asked {
    /// Reads a frame, behind its size.
    pub(super) fn read(mut frame: Bytes, config: &SenderConfig) -> Self {
        let header = RequestHeader::decode(&mut frame).expect("a header");
        let version = header.api_version;
        let body = match header.api_key {
            ApiKey::API_VERSIONS => {
                decode::<ApiVersionsRequest>(&mut frame, version);
                Body::ApiVersions
            }
            ApiKey::METADATA => Body::Metadata(decode(&mut frame, version)),
            ApiKey::INIT_PRODUCER_ID => {
                decode::<InitProducerIdRequest>(&mut frame, version);
                assert!(config.is_idempotent, "nobody needs a producer id");
                Body::InitProducerId
            }
            ApiKey::PRODUCE => {
                let request = decode(&mut frame, version);
                check_produce(&request, config);
                Body::Produce(request)
            }
            other => panic!("nobody wants {other:?}"),
        };
        assert!(frame.is_empty(), "{} bytes behind the request", frame.len());
        Self { correlation_id: header.correlation_id, version, body }
    }

    pub(super) fn key(&self) -> ApiKey {
        match self.body {
            Body::ApiVersions => ApiKey::API_VERSIONS,
            Body::Metadata(_) => ApiKey::METADATA,
            Body::InitProducerId => ApiKey::INIT_PRODUCER_ID,
            Body::Produce(_) => ApiKey::PRODUCE,
        }
    }
}

fn decode<R: Request>(frame: &mut Bytes, version: i16) -> R {
    assert!(R::STABLE_VERSIONS.contains(version), "{} in version {version}", R::NAME);
    R::decode(frame, version).expect("what was encoded")
}

fn check_produce(request: &ProduceRequest, config: &SenderConfig) {
    assert_eq!(request.acks, config.acks);
    assert!(!request.topic_data.is_empty(), "a request for nothing");
    for topic in &request.topic_data {
        assert!(!topic.partition_data.is_empty(), "a topic for nothing");
        for (at, partition) in topic.partition_data.iter().enumerate() {
            let rest = &topic.partition_data[at + 1..];
            let is_twice = rest.iter().any(|other| other.index == partition.index);
            assert!(!is_twice, "partition {} twice in a request", partition.index);
            let batch = partition.records.as_ref().expect("a batch").to_bytes();
            let header = RecordBatchHeader::decode(&batch).expect("the header of a batch");
            header.check_crc(&batch).expect("the checksum of its batch");
            assert!(header.record_count > 0, "a batch of nothing");
            let ids = (header.producer_id, header.producer_epoch, header.base_sequence);
            let has_ids = ids.0 >= 0 && ids.1 >= 0 && ids.2 >= 0;
            assert!(has_ids == config.is_idempotent, "{ids:?}");
        }
    }
}
