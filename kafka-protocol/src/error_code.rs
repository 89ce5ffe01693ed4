//! Error codes that brokers answer with, and what a client asks of them.

use std::fmt;

/// An error code of a response.
///
/// A number and not an enum: a newer broker may answer one that is not known here. Such a code is
/// neither retriable nor fatal.
///
/// ```
/// # use kafka_protocol::ErrorCode;
/// let error = ErrorCode(6);
/// assert_eq!(error, ErrorCode::NOT_LEADER_OR_FOLLOWER);
/// assert!(error.is_retriable() && error.refreshes_metadata());
/// assert_eq!(error.to_string(), "NOT_LEADER_OR_FOLLOWER (6)");
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub i16);

/// What a client does after an error, as the class of Java's exception says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Not an error, or one that stays.
    Final,
    /// May pass by itself.
    Retriable,
    /// Retriable once the coordinator was looked up again.
    CoordinatorStale,
    /// Retriable once the metadata was fetched again.
    MetadataStale,
}

/// What an error that a broker answers to Produce means for the transaction it belongs to (KIP-1050).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionEffect {
    /// None: no error, or one to retry. Retries that are used up make it [`Abortable`](Self::Abortable).
    None,
    /// The transaction must be aborted; the producer can go on with the next one.
    Abortable,
    /// The producer can do nothing more: close it.
    Fatal,
}

impl ErrorCode {
    /// Whether there is no error.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Name as in Kafka's documentation; `None` for a code that is not known here.
    pub fn name(self) -> Option<&'static str> {
        self.entry().map(|(name, _)| name)
    }

    /// Whether trying the same again can succeed.
    pub fn is_retriable(self) -> bool {
        self.class() != Class::Final
    }

    /// Whether what the client knows of the cluster is out of date: fetch metadata, then retry.
    pub fn refreshes_metadata(self) -> bool {
        self.class() == Class::MetadataStale
    }

    /// Whether the group or transaction coordinator has moved: find it again, then retry.
    pub fn refreshes_coordinator(self) -> bool {
        self.class() == Class::CoordinatorStale
    }

    /// What the code means for a transaction when a broker answers it to **Produce**.
    ///
    /// Coordinators use some codes differently: to them `INVALID_PRODUCER_EPOCH` and
    /// `INVALID_TXN_STATE` are fatal (KIP-588). Sequence errors (`OUT_OF_ORDER_SEQUENCE_NUMBER`,
    /// `UNKNOWN_PRODUCER_ID`) may be settled by the producer itself before they come to this, and
    /// `DUPLICATE_SEQUENCE_NUMBER` says that the records were written before.
    pub fn transaction_effect(self) -> TransactionEffect {
        match self {
            Self::NONE | Self::DUPLICATE_SEQUENCE_NUMBER => TransactionEffect::None,
            Self::CLUSTER_AUTHORIZATION_FAILED
            | Self::INVALID_PRODUCER_ID_MAPPING
            | Self::PRODUCER_FENCED
            | Self::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | Self::TRANSACTION_COORDINATOR_FENCED
            | Self::UNSUPPORTED_VERSION => TransactionEffect::Fatal,
            _ if self.is_retriable() => TransactionEffect::None,
            _ => TransactionEffect::Abortable,
        }
    }

    fn class(self) -> Class {
        self.entry().map_or(Class::Final, |(_, class)| class)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "unknown error code {}", self.0),
        }
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:ident;)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// Every code that is known here, ascending.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            fn entry(self) -> Option<(&'static str, Class)> {
                Some(match self {
                    $(Self::$name => (stringify!($name), Class::$class),)*
                    _ => return None,
                })
            }
        }
    };
}

error_codes! {
    /// Java: `UnknownServerException`.
    UNKNOWN_SERVER_ERROR = -1, Final;
    /// No error.
    NONE = 0, Final;
    /// Java: `OffsetOutOfRangeException`.
    OFFSET_OUT_OF_RANGE = 1, Final;
    /// Java: `CorruptRecordException`.
    CORRUPT_MESSAGE = 2, Retriable;
    /// Java: `UnknownTopicOrPartitionException`.
    UNKNOWN_TOPIC_OR_PARTITION = 3, MetadataStale;
    /// Java: `InvalidFetchSizeException`.
    INVALID_FETCH_SIZE = 4, Final;
    /// Java: `LeaderNotAvailableException`.
    LEADER_NOT_AVAILABLE = 5, MetadataStale;
    /// Java: `NotLeaderOrFollowerException`.
    NOT_LEADER_OR_FOLLOWER = 6, MetadataStale;
    /// Java: `TimeoutException`.
    REQUEST_TIMED_OUT = 7, Retriable;
    /// Java: `BrokerNotAvailableException`.
    BROKER_NOT_AVAILABLE = 8, Final;
    /// Java: `ReplicaNotAvailableException`.
    REPLICA_NOT_AVAILABLE = 9, MetadataStale;
    /// Java: `RecordTooLargeException`.
    MESSAGE_TOO_LARGE = 10, Final;
    /// Java: `ControllerMovedException`.
    STALE_CONTROLLER_EPOCH = 11, Final;
    /// Java: `OffsetMetadataTooLarge`.
    OFFSET_METADATA_TOO_LARGE = 12, Final;
    /// Java: `NetworkException`.
    NETWORK_EXCEPTION = 13, MetadataStale;
    /// Java: `CoordinatorLoadInProgressException`.
    COORDINATOR_LOAD_IN_PROGRESS = 14, Retriable;
    /// Java: `CoordinatorNotAvailableException`.
    COORDINATOR_NOT_AVAILABLE = 15, CoordinatorStale;
    /// Java: `NotCoordinatorException`.
    NOT_COORDINATOR = 16, CoordinatorStale;
    /// Java: `InvalidTopicException`.
    INVALID_TOPIC_EXCEPTION = 17, Final;
    /// Java: `RecordBatchTooLargeException`.
    RECORD_LIST_TOO_LARGE = 18, Final;
    /// Java: `NotEnoughReplicasException`.
    NOT_ENOUGH_REPLICAS = 19, Retriable;
    /// Java: `NotEnoughReplicasAfterAppendException`.
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, Retriable;
    /// Java: `InvalidRequiredAcksException`.
    INVALID_REQUIRED_ACKS = 21, Final;
    /// Java: `IllegalGenerationException`.
    ILLEGAL_GENERATION = 22, Final;
    /// Java: `InconsistentGroupProtocolException`.
    INCONSISTENT_GROUP_PROTOCOL = 23, Final;
    /// Java: `InvalidGroupIdException`.
    INVALID_GROUP_ID = 24, Final;
    /// Java: `UnknownMemberIdException`.
    UNKNOWN_MEMBER_ID = 25, Final;
    /// Java: `InvalidSessionTimeoutException`.
    INVALID_SESSION_TIMEOUT = 26, Final;
    /// Java: `RebalanceInProgressException`.
    REBALANCE_IN_PROGRESS = 27, Final;
    /// Java: `InvalidCommitOffsetSizeException`.
    INVALID_COMMIT_OFFSET_SIZE = 28, Final;
    /// Java: `TopicAuthorizationException`.
    TOPIC_AUTHORIZATION_FAILED = 29, Final;
    /// Java: `GroupAuthorizationException`.
    GROUP_AUTHORIZATION_FAILED = 30, Final;
    /// Java: `ClusterAuthorizationException`.
    CLUSTER_AUTHORIZATION_FAILED = 31, Final;
    /// Java: `InvalidTimestampException`.
    INVALID_TIMESTAMP = 32, Final;
    /// Java: `UnsupportedSaslMechanismException`.
    UNSUPPORTED_SASL_MECHANISM = 33, Final;
    /// Java: `IllegalSaslStateException`.
    ILLEGAL_SASL_STATE = 34, Final;
    /// Java: `UnsupportedVersionException`.
    UNSUPPORTED_VERSION = 35, Final;
    /// Java: `TopicExistsException`.
    TOPIC_ALREADY_EXISTS = 36, Final;
    /// Java: `InvalidPartitionsException`.
    INVALID_PARTITIONS = 37, Final;
    /// Java: `InvalidReplicationFactorException`.
    INVALID_REPLICATION_FACTOR = 38, Final;
    /// Java: `InvalidReplicaAssignmentException`.
    INVALID_REPLICA_ASSIGNMENT = 39, Final;
    /// Java: `InvalidConfigurationException`.
    INVALID_CONFIG = 40, Final;
    /// Java: `NotControllerException`.
    NOT_CONTROLLER = 41, Retriable;
    /// Java: `InvalidRequestException`.
    INVALID_REQUEST = 42, Final;
    /// Java: `UnsupportedForMessageFormatException`.
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, Final;
    /// Java: `PolicyViolationException`.
    POLICY_VIOLATION = 44, Final;
    /// Java: `OutOfOrderSequenceException`.
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, Final;
    /// Java: `DuplicateSequenceException`.
    DUPLICATE_SEQUENCE_NUMBER = 46, Final;
    /// Java: `InvalidProducerEpochException`.
    INVALID_PRODUCER_EPOCH = 47, Final;
    /// Java: `InvalidTxnStateException`.
    INVALID_TXN_STATE = 48, Final;
    /// Java: `InvalidPidMappingException`.
    INVALID_PRODUCER_ID_MAPPING = 49, Final;
    /// Java: `InvalidTxnTimeoutException`.
    INVALID_TRANSACTION_TIMEOUT = 50, Final;
    /// Java: `ConcurrentTransactionsException`.
    CONCURRENT_TRANSACTIONS = 51, Retriable;
    /// Java: `TransactionCoordinatorFencedException`.
    TRANSACTION_COORDINATOR_FENCED = 52, Final;
    /// Java: `TransactionalIdAuthorizationException`.
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, Final;
    /// Java: `SecurityDisabledException`.
    SECURITY_DISABLED = 54, Final;
    /// Java: `OperationNotAttemptedException`.
    OPERATION_NOT_ATTEMPTED = 55, Final;
    /// Java: `KafkaStorageException`.
    KAFKA_STORAGE_ERROR = 56, MetadataStale;
    /// Java: `LogDirNotFoundException`.
    LOG_DIR_NOT_FOUND = 57, Final;
    /// Java: `SaslAuthenticationException`.
    SASL_AUTHENTICATION_FAILED = 58, Final;
    /// Java: `UnknownProducerIdException`.
    UNKNOWN_PRODUCER_ID = 59, Final;
    /// Java: `ReassignmentInProgressException`.
    REASSIGNMENT_IN_PROGRESS = 60, Final;
    /// Java: `DelegationTokenDisabledException`.
    DELEGATION_TOKEN_AUTH_DISABLED = 61, Final;
    /// Java: `DelegationTokenNotFoundException`.
    DELEGATION_TOKEN_NOT_FOUND = 62, Final;
    /// Java: `DelegationTokenOwnerMismatchException`.
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, Final;
    /// Java: `UnsupportedByAuthenticationException`.
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, Final;
    /// Java: `DelegationTokenAuthorizationException`.
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, Final;
    /// Java: `DelegationTokenExpiredException`.
    DELEGATION_TOKEN_EXPIRED = 66, Final;
    /// Java: `InvalidPrincipalTypeException`.
    INVALID_PRINCIPAL_TYPE = 67, Final;
    /// Java: `GroupNotEmptyException`.
    NON_EMPTY_GROUP = 68, Final;
    /// Java: `GroupIdNotFoundException`.
    GROUP_ID_NOT_FOUND = 69, Final;
    /// Java: `FetchSessionIdNotFoundException`.
    FETCH_SESSION_ID_NOT_FOUND = 70, Retriable;
    /// Java: `InvalidFetchSessionEpochException`.
    INVALID_FETCH_SESSION_EPOCH = 71, Retriable;
    /// Java: `ListenerNotFoundException`.
    LISTENER_NOT_FOUND = 72, MetadataStale;
    /// Java: `TopicDeletionDisabledException`.
    TOPIC_DELETION_DISABLED = 73, Final;
    /// Java: `FencedLeaderEpochException`.
    FENCED_LEADER_EPOCH = 74, MetadataStale;
    /// Java: `UnknownLeaderEpochException`.
    UNKNOWN_LEADER_EPOCH = 75, Retriable;
    /// Java: `UnsupportedCompressionTypeException`.
    UNSUPPORTED_COMPRESSION_TYPE = 76, Final;
    /// Java: `StaleBrokerEpochException`.
    STALE_BROKER_EPOCH = 77, Final;
    /// Java: `OffsetNotAvailableException`.
    OFFSET_NOT_AVAILABLE = 78, Retriable;
    /// Java: `MemberIdRequiredException`.
    MEMBER_ID_REQUIRED = 79, Final;
    /// Java: `PreferredLeaderNotAvailableException`.
    PREFERRED_LEADER_NOT_AVAILABLE = 80, MetadataStale;
    /// Java: `GroupMaxSizeReachedException`.
    GROUP_MAX_SIZE_REACHED = 81, Final;
    /// Java: `FencedInstanceIdException`.
    FENCED_INSTANCE_ID = 82, Final;
    /// Java: `EligibleLeadersNotAvailableException`.
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, MetadataStale;
    /// Java: `ElectionNotNeededException`.
    ELECTION_NOT_NEEDED = 84, MetadataStale;
    /// Java: `NoReassignmentInProgressException`.
    NO_REASSIGNMENT_IN_PROGRESS = 85, Final;
    /// Java: `GroupSubscribedToTopicException`.
    GROUP_SUBSCRIBED_TO_TOPIC = 86, Final;
    /// Java: `InvalidRecordException`.
    INVALID_RECORD = 87, Final;
    /// Java: `UnstableOffsetCommitException`.
    UNSTABLE_OFFSET_COMMIT = 88, Retriable;
    /// Java: `ThrottlingQuotaExceededException`.
    THROTTLING_QUOTA_EXCEEDED = 89, Retriable;
    /// Java: `ProducerFencedException`.
    PRODUCER_FENCED = 90, Final;
    /// Java: `ResourceNotFoundException`.
    RESOURCE_NOT_FOUND = 91, Final;
    /// Java: `DuplicateResourceException`.
    DUPLICATE_RESOURCE = 92, Final;
    /// Java: `UnacceptableCredentialException`.
    UNACCEPTABLE_CREDENTIAL = 93, Final;
    /// Java: `InconsistentVoterSetException`.
    INCONSISTENT_VOTER_SET = 94, Final;
    /// Java: `InvalidUpdateVersionException`.
    INVALID_UPDATE_VERSION = 95, Final;
    /// Java: `FeatureUpdateFailedException`.
    FEATURE_UPDATE_FAILED = 96, Final;
    /// Java: `PrincipalDeserializationException`.
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, Final;
    /// Java: `SnapshotNotFoundException`.
    SNAPSHOT_NOT_FOUND = 98, Final;
    /// Java: `PositionOutOfRangeException`.
    POSITION_OUT_OF_RANGE = 99, Final;
    /// Java: `UnknownTopicIdException`.
    UNKNOWN_TOPIC_ID = 100, MetadataStale;
    /// Java: `DuplicateBrokerRegistrationException`.
    DUPLICATE_BROKER_REGISTRATION = 101, Final;
    /// Java: `BrokerIdNotRegisteredException`.
    BROKER_ID_NOT_REGISTERED = 102, Final;
    /// Java: `InconsistentTopicIdException`.
    INCONSISTENT_TOPIC_ID = 103, MetadataStale;
    /// Java: `InconsistentClusterIdException`.
    INCONSISTENT_CLUSTER_ID = 104, Final;
    /// Java: `TransactionalIdNotFoundException`.
    TRANSACTIONAL_ID_NOT_FOUND = 105, Final;
    /// Java: `FetchSessionTopicIdException`.
    FETCH_SESSION_TOPIC_ID_ERROR = 106, Retriable;
    /// Java: `IneligibleReplicaException`.
    INELIGIBLE_REPLICA = 107, Final;
    /// Java: `NewLeaderElectedException`.
    NEW_LEADER_ELECTED = 108, Final;
    /// Java: `OffsetMovedToTieredStorageException`.
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, Final;
    /// Java: `FencedMemberEpochException`.
    FENCED_MEMBER_EPOCH = 110, Final;
    /// Java: `UnreleasedInstanceIdException`.
    UNRELEASED_INSTANCE_ID = 111, Final;
    /// Java: `UnsupportedAssignorException`.
    UNSUPPORTED_ASSIGNOR = 112, Final;
    /// Java: `StaleMemberEpochException`.
    STALE_MEMBER_EPOCH = 113, Final;
    /// Java: `MismatchedEndpointTypeException`.
    MISMATCHED_ENDPOINT_TYPE = 114, Final;
    /// Java: `UnsupportedEndpointTypeException`.
    UNSUPPORTED_ENDPOINT_TYPE = 115, Final;
    /// Java: `UnknownControllerIdException`.
    UNKNOWN_CONTROLLER_ID = 116, Final;
    /// Java: `UnknownSubscriptionIdException`.
    UNKNOWN_SUBSCRIPTION_ID = 117, Final;
    /// Java: `TelemetryTooLargeException`.
    TELEMETRY_TOO_LARGE = 118, Final;
    /// Java: `InvalidRegistrationException`.
    INVALID_REGISTRATION = 119, Final;
    /// Java: `TransactionAbortableException`.
    TRANSACTION_ABORTABLE = 120, Final;
    /// Java: `InvalidRecordStateException`.
    INVALID_RECORD_STATE = 121, Final;
    /// Java: `ShareSessionNotFoundException`.
    SHARE_SESSION_NOT_FOUND = 122, Retriable;
    /// Java: `InvalidShareSessionEpochException`.
    INVALID_SHARE_SESSION_EPOCH = 123, Retriable;
    /// Java: `FencedStateEpochException`.
    FENCED_STATE_EPOCH = 124, Final;
    /// Java: `InvalidVoterKeyException`.
    INVALID_VOTER_KEY = 125, Final;
    /// Java: `DuplicateVoterException`.
    DUPLICATE_VOTER = 126, Final;
    /// Java: `VoterNotFoundException`.
    VOTER_NOT_FOUND = 127, Final;
    /// Java: `InvalidRegularExpression`.
    INVALID_REGULAR_EXPRESSION = 128, Final;
    /// Java: `RebootstrapRequiredException`.
    REBOOTSTRAP_REQUIRED = 129, Final;
    /// Java: `StreamsInvalidTopologyException`.
    STREAMS_INVALID_TOPOLOGY = 130, Final;
    /// Java: `StreamsInvalidTopologyEpochException`.
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, Final;
    /// Java: `StreamsTopologyFencedException`.
    STREAMS_TOPOLOGY_FENCED = 132, Final;
    /// Java: `ShareSessionLimitReachedException`.
    SHARE_SESSION_LIMIT_REACHED = 133, Retriable;
    /// Java: `GroupDeletionFailedException`.
    GROUP_DELETION_FAILED = 134, Final;
    /// Java: `StreamsTopologyDescriptionUpdateFailedException`.
    STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED = 135, Final;
    /// Java: `ControllerIdNotRegisteredException`.
    CONTROLLER_ID_NOT_REGISTERED = 136, Final;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_kept_and_said() {
        let error = ErrorCode(999);
        assert_eq!(error.to_string(), "unknown error code 999");
        assert!(!error.is_retriable());
        assert_eq!(error.transaction_effect(), TransactionEffect::Abortable);
    }

    #[test]
    fn produce_errors_divide_as_kafka_divides_them() {
        use TransactionEffect::{Abortable, Fatal, None};
        for (error, effect) in [
            (ErrorCode::NONE, None),
            (ErrorCode::NOT_LEADER_OR_FOLLOWER, None),
            (ErrorCode::CONCURRENT_TRANSACTIONS, None),
            (ErrorCode::INVALID_PRODUCER_EPOCH, Abortable),
            (ErrorCode::INVALID_TXN_STATE, Abortable),
            (ErrorCode::TRANSACTION_ABORTABLE, Abortable),
            (ErrorCode::TOPIC_AUTHORIZATION_FAILED, Abortable),
            (ErrorCode::PRODUCER_FENCED, Fatal),
            (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, Fatal),
            (ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, Fatal),
            (ErrorCode::INVALID_PRODUCER_ID_MAPPING, Fatal),
            (ErrorCode::TRANSACTION_COORDINATOR_FENCED, Fatal),
            (ErrorCode::UNSUPPORTED_VERSION, Fatal),
            (ErrorCode::DUPLICATE_SEQUENCE_NUMBER, None),
        ] {
            assert_eq!(error.transaction_effect(), effect, "{error}");
        }
    }
}
