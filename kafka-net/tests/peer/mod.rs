//! The other end of a connection, played by a test: reads requests and answers what it is told to.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use bytes::Bytes;
use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::api_versions::ApiVersion;
use kafka_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse, MetadataRequest};
use kafka_protocol::{ApiKey, ErrorCode, Frame, Request, RequestHeader};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A peer over any stream.
pub(crate) struct Peer<S> {
    pub(crate) stream: S,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) header: RequestHeader,
    pub(crate) body: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream }
    }

    /// The next request, `None` if the connection ended.
    pub(crate) async fn read(&mut self) -> Option<Received> {
        let len = self.stream.read_i32().await.ok()?;
        let mut frame = vec![0; len as usize];
        self.stream.read_exact(&mut frame).await.ok()?;
        let mut body = Bytes::from(frame);
        let header = RequestHeader::decode(&mut body).expect("a request of ours");
        Some(Received { header, body })
    }

    pub(crate) async fn answer<R: Request>(&mut self, to: &Received, response: &R::Response) {
        let header = &to.header;
        let frame = Frame::response::<R>(response, header.api_version, header.correlation_id);
        self.write(&frame.expect("a valid response").into_bytes()).await;
    }

    /// Whoever is gone does not mind.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// Answers ApiVersions as a broker with a few APIs.
    pub(crate) async fn handshake(&mut self) {
        let request = self.read().await.expect("a handshake");
        assert_eq!(request.header.api_key, ApiKey::API_VERSIONS);
        self.answer::<ApiVersionsRequest>(&request, &broker_versions()).await;
    }

    /// Answers the next request, which has to be one for metadata, with a cluster of this name.
    pub(crate) async fn metadata(&mut self, cluster: &str) {
        let request = self.read().await.expect("a request");
        self.answer::<MetadataRequest>(&request, &metadata(cluster)).await;
    }
}

pub(crate) fn metadata(cluster: &str) -> MetadataResponse {
    MetadataResponse { cluster_id: Some(cluster.into()), ..MetadataResponse::default() }
}

pub(crate) fn broker_versions() -> ApiVersionsResponse {
    versions(&[(ApiKey::METADATA, 13), (ApiKey::API_VERSIONS, 4), (ApiKey::PRODUCE, 13)])
}

pub(crate) fn versions(apis: &[(ApiKey, i16)]) -> ApiVersionsResponse {
    let api = |(api_key, max_version): &(ApiKey, i16)| ApiVersion {
        api_key: *api_key,
        max_version: *max_version,
        ..ApiVersion::default()
    };
    let api_keys = apis.iter().map(api).collect();
    ApiVersionsResponse { error_code: ErrorCode::NONE, api_keys, ..Default::default() }
}
