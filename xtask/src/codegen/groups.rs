//! Which Cargo feature each message belongs to.

use anyhow::{Result, bail};

/// The groups, in the order of the features.
pub(super) const GROUPS: [&str; 4] = ["producer", "consumer", "admin", "broker"];

const PRODUCER: &[&str] = &[
    "AddOffsetsToTxn",
    "AddPartitionsToTxn",
    "ApiVersions",
    "ControlRecordTypeSchema",
    "EndTxn",
    "EndTxnMarker",
    "FindCoordinator",
    "GetTelemetrySubscriptions",
    "InitProducerId",
    "Metadata",
    "Produce",
    "PushTelemetry",
    "SaslAuthenticate",
    "SaslHandshake",
    "TxnOffsetCommit",
];

const CONSUMER: &[&str] = &[
    "AbortedTxn",
    "ConsumerGroupHeartbeat",
    "ConsumerProtocolAssignment",
    "ConsumerProtocolSubscription",
    "Fetch",
    "Heartbeat",
    "JoinGroup",
    "LeaveGroup",
    "ListOffsets",
    "OffsetCommit",
    "OffsetFetch",
    "OffsetForLeaderEpoch",
    "ShareAcknowledge",
    "ShareFetch",
    "ShareGroupHeartbeat",
    "StreamsGroupHeartbeat",
    "StreamsGroupTopologyDescriptionUpdate",
    "SyncGroup",
];

const ADMIN: &[&str] = &[
    "AddRaftVoter",
    "AlterClientQuotas",
    "AlterConfigs",
    "AlterPartitionReassignments",
    "AlterReplicaLogDirs",
    "AlterShareGroupOffsets",
    "AlterUserScramCredentials",
    "ConsumerGroupDescribe",
    "CreateAcls",
    "CreateDelegationToken",
    "CreatePartitions",
    "CreateTopics",
    "DeleteAcls",
    "DeleteGroups",
    "DeleteRecords",
    "DeleteShareGroupOffsets",
    "DeleteTopics",
    "DescribeAcls",
    "DescribeClientQuotas",
    "DescribeCluster",
    "DescribeConfigs",
    "DescribeDelegationToken",
    "DescribeGroups",
    "DescribeLogDirs",
    "DescribeProducers",
    "DescribeQuorum",
    "DescribeShareGroupOffsets",
    "DescribeTopicPartitions",
    "DescribeTransactions",
    "DescribeUserScramCredentials",
    "ElectLeaders",
    "ExpireDelegationToken",
    "IncrementalAlterConfigs",
    "ListConfigResources",
    "ListGroups",
    "ListPartitionReassignments",
    "ListTransactions",
    "OffsetDelete",
    "RemoveRaftVoter",
    "RenewDelegationToken",
    "ShareGroupDescribe",
    "StreamsGroupDescribe",
    "UnregisterBroker",
    "UnregisterController",
    "UpdateFeatures",
];

const BROKER: &[&str] = &[
    "AllocateProducerIds",
    "AlterPartition",
    "AssignReplicasToDirs",
    "BeginQuorumEpoch",
    "BrokerHeartbeat",
    "BrokerRegistration",
    "ControllerRegistration",
    "DefaultPrincipalData",
    "DeleteShareGroupState",
    "EndQuorumEpoch",
    "Envelope",
    "FetchSnapshot",
    "InitializeShareGroupState",
    "KRaftVersionRecord",
    "LeaderChangeMessage",
    "ReadShareGroupState",
    "ReadShareGroupStateSummary",
    "SnapshotFooterRecord",
    "SnapshotHeaderRecord",
    "UpdateRaftVoter",
    "Vote",
    "VotersRecord",
    "WriteShareGroupState",
    "WriteTxnMarkers",
];

/// The group of an API (by its name without Request or Response) or of a data message.
pub(super) fn group_of(name: &str) -> Result<&'static str> {
    for (group, names) in GROUPS.into_iter().zip([PRODUCER, CONSUMER, ADMIN, BROKER]) {
        if names.contains(&name) {
            return Ok(group);
        }
    }
    bail!("{name} has no group yet: add it to xtask/src/codegen/groups.rs")
}
