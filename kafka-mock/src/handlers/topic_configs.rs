//! The configs of a new topic: which ones there are, and the ones that are heeded.

use kafka_protocol::ErrorCode;
use kafka_protocol::messages::create_topics::CreatableTopicConfig;

use crate::topics::TopicConfigs;

/// Every config that Kafka 4.4.0 has for topics (`LogConfig.configNames`). A wrong value of those that are
/// not mentioned below is not noticed.
const NAMES: [&str; 38] = [
    "cleanup.policy",
    "compression.gzip.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delete.retention.ms",
    "errors.deadletterqueue.group.enable",
    "file.delete.delay.ms",
    "flush.messages",
    "flush.ms",
    "follower.replication.throttled.replicas",
    "index.interval.bytes",
    "internal.segment.bytes",
    "leader.replication.throttled.replicas",
    "local.retention.bytes",
    "local.retention.ms",
    "max.compaction.lag.ms",
    "max.decompressed.message.bytes",
    MAX_MESSAGE_BYTES,
    "message.timestamp.after.max.ms",
    "message.timestamp.before.max.ms",
    "message.timestamp.type",
    "min.cleanable.dirty.ratio",
    "min.compaction.lag.ms",
    MIN_INSYNC_REPLICAS,
    "preallocate",
    "remote.copy.lag.bytes",
    "remote.copy.lag.ms",
    "remote.log.copy.disable",
    "remote.log.delete.on.disable",
    "remote.storage.enable",
    "retention.bytes",
    "retention.ms",
    "segment.bytes",
    "segment.index.bytes",
    "segment.jitter.ms",
    "segment.ms",
    "unclean.leader.election.enable",
];
const MAX_MESSAGE_BYTES: &str = "max.message.bytes";
const MIN_INSYNC_REPLICAS: &str = "min.insync.replicas";

/// What one of a few words must be said.
const CHOICES: [(&str, &[&str]); 2] = [
    ("compression.type", &["uncompressed", "gzip", "snappy", "lz4", "zstd", "producer"]),
    ("message.timestamp.type", &["CreateTime", "LogAppendTime"]),
];

/// # Errors
/// `INVALID_CONFIG` for a name that Kafka does not know, or a value that cannot be.
pub(super) fn parse(configs: &[CreatableTopicConfig]) -> Result<TopicConfigs, ErrorCode> {
    let mut parsed = TopicConfigs::default();
    for config in configs {
        let name = config.name.as_str();
        let value = config.value.as_deref().ok_or(ErrorCode::INVALID_CONFIG)?;
        let choices = CHOICES.iter().find(|(choice, _)| *choice == name);
        let is_wrong = choices.is_some_and(|(_, choices)| !choices.contains(&value));
        if is_wrong || !NAMES.contains(&name) {
            return Err(ErrorCode::INVALID_CONFIG);
        }
        match name {
            MAX_MESSAGE_BYTES => parsed.max_message_bytes = Some(number(value, 0)?),
            MIN_INSYNC_REPLICAS => parsed.min_insync_replicas = Some(number(value, 1)?),
            _ => {}
        }
    }
    Ok(parsed)
}

fn number(value: &str, least: usize) -> Result<usize, ErrorCode> {
    let number = value.trim().parse::<i32>().ok().and_then(|number| usize::try_from(number).ok());
    number.filter(|number| *number >= least).ok_or(ErrorCode::INVALID_CONFIG)
}
