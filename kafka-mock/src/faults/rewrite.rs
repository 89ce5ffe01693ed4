//! Answers that are changed by hand, as the messages that they are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeClusterRequest,
    FetchRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, ProduceRequest,
};
use kafka_protocol::{ApiKey, DecodeLimits, Frame, Request, decode_response};

use super::SIZE_LEN;

/// A change to the answers of one API; see [`FaultRule::rewrite`](crate::FaultRule::rewrite).
#[derive(Clone)]
pub struct Rewrite {
    api: ApiKey,
    apply: Arc<Apply>,
}

/// From an answer without its size field, and its version, to one with it.
type Apply = dyn Fn(Bytes, i16) -> Result<Vec<Bytes>, String> + Send + Sync;

impl Rewrite {
    /// A change to the answers to requests of type `R`. Others are left as they are.
    pub fn new<R: Request>(change: impl Fn(&mut R::Response) + Send + Sync + 'static) -> Self {
        let apply = move |answer: Bytes, version: i16| {
            let (header, mut response) =
                decode_response::<R>(answer, version, &DecodeLimits::DEFAULT)
                    .map_err(|error| error.to_string())?;
            change(&mut response);
            Frame::response::<R>(&response, version, header.correlation_id)
                .map(Frame::into_segments)
                .map_err(|error| error.to_string())
        };
        Self { api: R::KEY, apply: Arc::new(apply) }
    }

    /// Tells the client of an API to wait (KIP-219). A version without the field says nothing.
    pub(crate) fn throttle(api: ApiKey, time: Duration) -> Option<Self> {
        let ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        Some(match api {
            ApiKey::API_VERSIONS => {
                Self::new::<ApiVersionsRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::CREATE_TOPICS => {
                Self::new::<CreateTopicsRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::DELETE_TOPICS => {
                Self::new::<DeleteTopicsRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::DESCRIBE_CLUSTER => {
                Self::new::<DescribeClusterRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::FETCH => Self::new::<FetchRequest>(move |answer| answer.throttle_time_ms = ms),
            ApiKey::FIND_COORDINATOR => {
                Self::new::<FindCoordinatorRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::INIT_PRODUCER_ID => {
                Self::new::<InitProducerIdRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::LIST_OFFSETS => {
                Self::new::<ListOffsetsRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::METADATA => {
                Self::new::<MetadataRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            ApiKey::PRODUCE => {
                Self::new::<ProduceRequest>(move |answer| answer.throttle_time_ms = ms)
            }
            _ => return None,
        })
    }

    /// The changed answer.
    ///
    /// # Errors
    /// A change that cannot be written in this version.
    pub(crate) fn apply(
        &self,
        api: ApiKey,
        version: i16,
        answer: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, String> {
        if api != self.api {
            return Ok(answer);
        }
        let mut whole = BytesMut::new();
        answer.iter().for_each(|piece| whole.extend_from_slice(piece));
        let behind_size = whole.split_off(SIZE_LEN.min(whole.len()));
        (self.apply)(behind_size.freeze(), version)
    }
}

impl fmt::Debug for Rewrite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrite").field("api", &self.api).finish_non_exhaustive()
    }
}

/// The same change, and not one that does the same.
impl PartialEq for Rewrite {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.apply, &other.apply)
    }
}

impl Eq for Rewrite {}
