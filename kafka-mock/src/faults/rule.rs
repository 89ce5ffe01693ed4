//! A fault as data: which requests it is for, and what it does to them.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::MetadataRequest;
use kafka_protocol::{ApiKey, ErrorCode, Request};

use super::Rewrite;
use crate::{BrokerId, ConnectionId};

/// A rule: a matcher, and the actions for the requests that it matches.
///
/// A new rule matches every request and is used once. Each matcher that is added narrows it.
///
/// ```
/// use kafka_mock::{FaultAction, FaultRule, MockCluster, MockConfig};
/// use kafka_protocol::{ApiKey, ErrorCode};
///
/// let mut cluster = MockCluster::new(MockConfig::new());
/// // The third and fourth batch for partition 0 of `orders` are stored, but nobody is told.
/// cluster.add_fault(
///     FaultRule::new(FaultAction::CloseAfter)
///         .api(ApiKey::PRODUCE)
///         .topic("orders")
///         .partition(0)
///         .skip(2)
///         .times(2),
/// );
/// // Every coordinator lookup fails, until the rule is removed.
/// let error = FaultAction::Error(ErrorCode::COORDINATOR_NOT_AVAILABLE);
/// let rule = cluster.add_fault(FaultRule::new(error).api(ApiKey::FIND_COORDINATOR).always());
/// cluster.remove_fault(rule);
/// ```
///
/// # Which rule a request gets
///
/// Rules are looked at in the order in which they were added. A rule that matches is used, and then
/// covers the partitions of the request that it names, or all of them if it names none. A rule whose
/// partitions are all covered already is not used by this request: so two rules for the same thing
/// are used up one after the other, and rules for different partitions can hit the same request.
///
/// Of several actions on one request [`CloseBefore`](FaultAction::CloseBefore) comes first, then
/// [`CloseAfter`](FaultAction::CloseAfter), [`Swallow`](FaultAction::Swallow) and
/// [`Hold`](FaultAction::Hold); of several delays and of several throttle times the longest counts. An
/// answer is rewritten, then forged, then damaged.
#[derive(Debug, Clone)]
pub struct FaultRule {
    pub(super) api: Option<ApiKey>,
    pub(super) broker: Option<BrokerId>,
    pub(super) connection: Option<ConnectionId>,
    pub(super) topic: Option<String>,
    pub(super) partition: Option<i32>,
    pub(super) skip: u32,
    /// How often it is used yet, `None` without end.
    pub(super) left: Option<u32>,
    pub(super) actions: Vec<FaultAction>,
}

/// What a rule does to a request or its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultAction {
    /// The matching partitions, or the whole request if its API has none, fail with this code and
    /// nothing is applied to them.
    Error(ErrorCode),
    /// The same, but what was asked is done: only the answer lies.
    ErrorAfterApply(ErrorCode),
    /// The answer comes later by this time. Answers behind it on its connection wait with it.
    Delay(Duration),
    /// The answer waits, and those behind it, until [`release`](crate::MockCluster::release).
    Hold,
    /// The answer says that the client is throttled for this time, in versions that can say it, and for
    /// so long nothing more is read from its connection (KIP-219).
    Throttle(Duration),
    /// The request is handled and its answer changed; see [`FaultRule::rewrite`]. A change that cannot
    /// be written in the version of the request closes the connection.
    Rewrite(Rewrite),
    /// The request is handled, and answered with these bytes behind the header instead: a body in the
    /// version of the request, or anything else. Beside an [`Error`](Self::Error) it is not handled.
    Forge(Bytes),
    /// The request is handled and never answered; the connection stays.
    Swallow,
    /// The connection closes and the request is not handled.
    CloseBefore,
    /// The request is handled, then the connection closes without an answer.
    CloseAfter,
    /// The answer ends after this many bytes, its size field included; then the connection closes.
    Truncate(usize),
    /// One byte of the answer is inverted, counted from its size field on.
    Corrupt {
        /// The byte; beyond the answer's end there is nothing to invert.
        at: usize,
    },
    /// The answer carries another correlation id.
    WrongCorrelationId,
    /// The answer comes twice.
    Duplicate,
    /// The answer is written in pieces of this many bytes.
    SplitWrites(usize),
}

/// Names a rule that was added to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub(crate) u64);

impl FaultRule {
    /// A rule that does this to the next request, whatever it is.
    pub fn new(action: FaultAction) -> Self {
        Self {
            api: None,
            broker: None,
            connection: None,
            topic: None,
            partition: None,
            skip: 0,
            left: Some(1),
            actions: vec![action],
        }
    }

    /// A rule that changes the answer to the next request of type `R`, after it was handled.
    ///
    /// What stands in the answer can be made of it, or something else altogether:
    ///
    /// ```
    /// use kafka_mock::{FaultRule, MockCluster, MockConfig};
    /// use kafka_protocol::messages::ProduceRequest;
    ///
    /// let mut cluster = MockCluster::new(MockConfig::new());
    /// // The next batch is stored, but the answer says nothing of its partition.
    /// cluster.add_fault(FaultRule::rewrite::<ProduceRequest>(|answer| answer.responses.clear()));
    /// ```
    ///
    /// With [`Error`](FaultAction::Error) beside it the request is not handled.
    pub fn rewrite<R: Request>(change: impl Fn(&mut R::Response) + Send + Sync + 'static) -> Self {
        Self::new(FaultAction::Rewrite(Rewrite::new::<R>(change))).api(R::KEY)
    }

    /// A rule that makes the next Metadata answer about a topic tell another leader and epoch of a
    /// partition: stale metadata, for so many answers, at one broker, on one connection, as the rule
    /// is told. A leader of -1 is none.
    pub fn tell_leader(topic: &str, partition: i32, leader: BrokerId, leader_epoch: i32) -> Self {
        let name = topic.to_owned();
        let rule = Self::rewrite::<MetadataRequest>(move |answer| {
            let of_topic =
                answer.topics.iter_mut().filter(|topic| topic.name.as_deref() == Some(&name));
            let mut partitions = of_topic.flat_map(|topic| &mut topic.partitions);
            if let Some(told) = partitions.find(|told| told.partition_index == partition) {
                told.leader_id = leader.0;
                told.leader_epoch = leader_epoch;
                told.error_code =
                    if leader.0 < 0 { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
            }
        });
        rule.topic(topic)
    }

    /// And does this as well, to the same request.
    #[must_use]
    pub fn and(mut self, action: FaultAction) -> Self {
        self.actions.push(action);
        self
    }

    /// Only requests of this API.
    #[must_use]
    pub fn api(mut self, api: ApiKey) -> Self {
        self.api = Some(api);
        self
    }

    /// Only requests to this broker.
    #[must_use]
    pub fn broker(mut self, broker: BrokerId) -> Self {
        self.broker = Some(broker);
        self
    }

    /// Only requests on this connection.
    #[must_use]
    pub fn connection(mut self, connection: ConnectionId) -> Self {
        self.connection = Some(connection);
        self
    }

    /// Only requests that name this topic; an [`Error`](FaultAction::Error) is for that topic alone.
    #[must_use]
    pub fn topic(mut self, topic: &str) -> Self {
        self.topic = Some(topic.to_owned());
        self
    }

    /// Only requests that name a partition with this number, or that topic as a whole; an
    /// [`Error`](FaultAction::Error) is for that partition alone.
    #[must_use]
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Leaves the first `n` matching requests alone: `skip(2)` waits for the third.
    #[must_use]
    pub fn skip(mut self, n: u32) -> Self {
        self.skip = n;
        self
    }

    /// Is used for `n` requests (default 1).
    #[must_use]
    pub fn times(mut self, n: u32) -> Self {
        self.left = Some(n);
        self
    }

    /// Is used until it is removed.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.left = None;
        self
    }
}
