//! APIs and their versions: which there are, and which one to speak with a broker.

use std::fmt;

use crate::Request;

/// Number of an API, as in a request's header.
///
/// A number and not an enum: a newer peer may use one that is not known here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ApiKey(pub i16);

/// What Kafka's schemas say of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ApiInfo {
    pub(crate) name: &'static str,
    pub(crate) versions: VersionRange,
    pub(crate) stable_versions: VersionRange,
    pub(crate) request_flexible_from: i16,
    pub(crate) response_flexible_from: i16,
}

impl ApiKey {
    /// Name as in Kafka's schemas, such as `Metadata`; `None` for an unknown API, and for the ones
    /// that Kafka 4.0 removed.
    pub fn name(self) -> Option<&'static str> {
        self.info().map(|info| info.name)
    }

    /// Every version known here, unstable ones included.
    pub fn versions(self) -> Option<VersionRange> {
        self.info().map(|info| info.versions)
    }

    /// The versions to announce and to negotiate: without one that is still in development.
    pub fn stable_versions(self) -> Option<VersionRange> {
        self.info().map(|info| info.stable_versions)
    }

    /// Version of the header in front of a request: 2 (with tagged fields) if the request is
    /// flexible, else 1. `None` for an unknown API.
    pub fn request_header_version(self, version: i16) -> Option<i16> {
        self.info().map(|info| if version >= info.request_flexible_from { 2 } else { 1 })
    }

    /// Version of the header in front of a response: 1 (with tagged fields) if the response is
    /// flexible, else 0. `None` for an unknown API.
    ///
    /// ApiVersions always has 0, so that a client can read the answer of a broker that does not know
    /// its version (KIP-511).
    pub fn response_header_version(self, version: i16) -> Option<i16> {
        if self == Self::API_VERSIONS {
            return Some(0);
        }
        self.info().map(|info| if version >= info.response_flexible_from { 1 } else { 0 })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name}({})", self.0),
            None => write!(f, "api key {}", self.0),
        }
    }
}

/// A closed range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VersionRange {
    /// Lowest version.
    pub min: i16,
    /// Highest version.
    pub max: i16,
}

impl VersionRange {
    /// From `min` to `max`, both included.
    pub const fn new(min: i16, max: i16) -> Self {
        Self { min, max }
    }

    /// Whether the version is in it.
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The versions in both, if there are any.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let both = Self::new(self.min.max(other.min), self.max.min(other.max));
        (both.min <= both.max).then_some(both)
    }

    /// All versions, from the lowest.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = i16> {
        self.min..=self.max
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{} to {}", self.min, self.max)
        }
    }
}

/// The versions that a broker announced, and what to speak with it.
///
/// ```
/// # use kafka_protocol::{ApiKey, BrokerVersions, VersionRange, messages::MetadataRequest};
/// let broker = BrokerVersions::new([(ApiKey::METADATA, VersionRange::new(0, 9))]);
/// assert_eq!(broker.negotiate::<MetadataRequest>(), Ok(9));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerVersions {
    /// Ascending by key.
    announced: Vec<(ApiKey, VersionRange)>,
}

impl BrokerVersions {
    /// From the announced ranges, in any order. Of several for one API the last one holds; a range
    /// with `min` above `max` announces nothing.
    pub fn new(announced: impl IntoIterator<Item = (ApiKey, VersionRange)>) -> Self {
        let mut announced: Vec<_> = announced.into_iter().collect();
        announced.reverse();
        announced.sort_by_key(|(key, _)| *key);
        announced.dedup_by_key(|(key, _)| *key);
        announced.retain(|(_, range)| range.min <= range.max);
        Self { announced }
    }

    /// What the broker announced for this API.
    pub fn range(&self, key: ApiKey) -> Option<VersionRange> {
        let at = self.announced.binary_search_by_key(&key, |(key, _)| *key).ok()?;
        self.announced.get(at).map(|(_, range)| *range)
    }

    /// The highest stable version of `R` that both sides know.
    ///
    /// # Errors
    /// If there is none.
    pub fn negotiate<R: Request>(&self) -> Result<i16, VersionMismatch> {
        self.negotiate_within::<R>(R::STABLE_VERSIONS)
    }

    /// The highest version of `R` that both sides know within `allowed`: to stay below a version
    /// whose meaning is not wanted, or to opt in to an unstable one.
    ///
    /// # Errors
    /// If there is none.
    pub fn negotiate_within<R: Request>(
        &self,
        allowed: VersionRange,
    ) -> Result<i16, VersionMismatch> {
        let announced = self.range(R::KEY);
        let ours = R::VERSIONS.intersection(allowed);
        match (ours, announced) {
            (Some(ours), Some(theirs)) => ours.intersection(theirs).map(|both| both.max),
            _ => None,
        }
        .ok_or(VersionMismatch { key: R::KEY, allowed, announced })
    }
}

#[cfg(feature = "producer")]
impl From<&crate::messages::ApiVersionsResponse> for BrokerVersions {
    fn from(response: &crate::messages::ApiVersionsResponse) -> Self {
        Self::new(
            response
                .api_keys
                .iter()
                .map(|api| (api.api_key, VersionRange::new(api.min_version, api.max_version))),
        )
    }
}

/// Client and broker have no version of an API in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionMismatch {
    /// The API.
    pub key: ApiKey,
    /// The versions that we would speak.
    pub allowed: VersionRange,
    /// The versions that the broker announced; `None` if it does not have the API.
    pub announced: Option<VersionRange>,
}

impl fmt::Display for VersionMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, allowed, announced } = self;
        match announced {
            Some(announced) => write!(
                f,
                "no common version of {key}: the broker has {announced}, we have {allowed}"
            ),
            None => write!(f, "the broker does not have {key}"),
        }
    }
}

impl std::error::Error for VersionMismatch {}

#[cfg(all(test, feature = "producer"))]
mod tests {
    use super::*;
    use crate::Message;
    use crate::messages::{InitProducerIdRequest, MetadataRequest, ProduceRequest};

    #[test]
    fn the_highest_common_stable_version_is_taken() {
        let range = VersionRange::new;
        let broker = BrokerVersions::new([
            (ApiKey::METADATA, range(0, 99)),
            (ApiKey::INIT_PRODUCER_ID, range(0, 6)),
            // Brokers of 4.x announce Produce from 0 although they refuse what is below 3.
            (ApiKey::PRODUCE, range(0, 13)),
        ]);
        assert_eq!(broker.negotiate::<MetadataRequest>(), Ok(13));
        assert_eq!(broker.negotiate::<InitProducerIdRequest>(), Ok(5));
        let unstable = InitProducerIdRequest::VERSIONS;
        assert_eq!(broker.negotiate_within::<InitProducerIdRequest>(unstable), Ok(6));
        assert_eq!(broker.negotiate_within::<ProduceRequest>(range(0, 11)), Ok(11));
    }

    #[test]
    fn no_common_version_says_what_each_side_has() {
        let broker = BrokerVersions::new([(ApiKey::PRODUCE, VersionRange::new(0, 2))]);
        assert_eq!(
            broker.negotiate::<ProduceRequest>().unwrap_err().to_string(),
            "no common version of Produce(0): the broker has 0 to 2, we have 3 to 13"
        );
        assert_eq!(
            broker.negotiate::<MetadataRequest>().unwrap_err().to_string(),
            "the broker does not have Metadata(3)"
        );
    }

    #[test]
    fn nonsense_of_a_broker_announces_nothing() {
        let broker = BrokerVersions::new([(ApiKey::PRODUCE, VersionRange::new(9, 3))]);
        assert_eq!(broker.range(ApiKey::PRODUCE), None);
        let twice = [(9, 3), (0, 5), (1, 4)]
            .map(|(min, max)| (ApiKey::METADATA, VersionRange::new(min, max)));
        let range = BrokerVersions::new(twice).range(ApiKey::METADATA);
        assert_eq!(range, Some(VersionRange::new(1, 4)));
    }
}
