//! What can go wrong, one at a time.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;
use kafka_mock::{BrokerId, FaultAction, FaultRule};
use kafka_protocol::{ApiKey, ErrorCode, VersionRange};

use super::{LIED_EPOCH_MAX, Swarm};
use crate::sim::network::port_of;
use crate::sim::reach::{INIT_ANSWERS, METADATA_ANSWERS, PRODUCE_ANSWERS};
use crate::sim::story::Who;

/// One list of all kinds: what is drawn from, and what a person reads.
macro_rules! troubles {
    ($($name:ident = $text:literal,)*) => {
        /// A kind of trouble.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Trouble {
            $($name,)*
        }

        impl Trouble {
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];
        }

        impl fmt::Display for Trouble {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

troubles! {
    AnswerLost = "an answer is lost",
    RequestLost = "a request is lost",
    Refused = "batches are refused",
    RefusedAfterWriting = "a batch is written, and refused",
    Late = "an answer is late",
    Unanswered = "no answer",
    HungUp = "a broker hangs up",
    CutOff = "an answer is cut off",
    Garbled = "an answer is garbled",
    WrongCorrelation = "a wrong correlation id",
    AnsweredTwice = "an answer comes twice",
    WrittenInPieces = "an answer comes in pieces",
    NoMetadata = "metadata is refused",
    NoProducerId = "a producer id is refused",
    SentAway = "a broker sends its clients away",
    LeaderMoves = "a leader moves",
    LeaderLost = "a leader is lost",
    LeaderFlaps = "a leader flaps",
    LeaderLies = "metadata lies about a leader",
    LinkCut = "a link is cut",
    BrokerAway = "a broker is away",
    TopicRecreated = "a topic is created again",
    TopicDeleted = "a topic is deleted",
    PartitionAdded = "a partition is added",
    ProducerForgotten = "a producer is forgotten",
    EpochsUsedUp = "epochs are nearly used up",
    Throttled = "the client is throttled",
    DiskFails = "a disk fails, or works again",
    Quota = "a quota",
    BrokerAdded = "a broker is added",
    BrokerRemoved = "a broker is removed",
    Upgraded = "a broker gets another release",
    Flush = "a flush",
}

use Trouble::*;

impl Trouble {
    /// Without ids nobody can tell a topic from another one of the same name: what is uncertain may
    /// be written to both.
    pub(super) fn is_for(self, produce_version: i16) -> bool {
        match self {
            TopicRecreated | TopicDeleted => produce_version >= 13,
            // And where topics are told by their ids, all brokers know them.
            Upgraded => (9..13).contains(&produce_version),
            _ => true,
        }
    }

    /// A rule for the next requests, if it is such a trouble.
    fn rule(self, rng: &mut Rng) -> Option<FaultRule> {
        let times = rng.u32(1..4);
        let pick = |rng: &mut Rng, errors: &[ErrorCode]| errors[rng.usize(..errors.len())];
        let (api, action) = match self {
            AnswerLost => (ApiKey::PRODUCE, FaultAction::CloseAfter),
            RequestLost => (ApiKey::PRODUCE, FaultAction::CloseBefore),
            Refused => {
                let error = pick(rng, &PRODUCE_ANSWERS);
                let action = FaultAction::Error(error);
                return Some(FaultRule::new(action).api(ApiKey::PRODUCE).times(times));
            }
            RefusedAfterWriting => {
                (ApiKey::PRODUCE, FaultAction::ErrorAfterApply(pick(rng, &AFTER_WRITING)))
            }
            Late => (ApiKey::PRODUCE, FaultAction::Delay(Duration::from_millis(rng.u64(1..3000)))),
            Unanswered => (any_api(rng), FaultAction::Swallow),
            HungUp => return Some(FaultRule::new(FaultAction::CloseAfter)),
            CutOff => (any_api(rng), FaultAction::Truncate(rng.usize(0..60))),
            // The size, or what the codec looks at first: later bytes may be a lie that nobody can see.
            Garbled => (any_api(rng), FaultAction::Corrupt { at: rng.usize(0..8) }),
            WrongCorrelation => (any_api(rng), FaultAction::WrongCorrelationId),
            AnsweredTwice => (any_api(rng), FaultAction::Duplicate),
            Throttled => {
                (any_api(rng), FaultAction::Throttle(Duration::from_millis(rng.u64(1..2000))))
            }
            WrittenInPieces => (any_api(rng), FaultAction::SplitWrites(rng.usize(1..20))),
            NoMetadata => {
                let action = FaultAction::Error(pick(rng, &METADATA_ANSWERS));
                return Some(FaultRule::new(action).api(ApiKey::METADATA).times(times));
            }
            NoProducerId => {
                let action = FaultAction::Error(pick(rng, &INIT_ANSWERS));
                return Some(FaultRule::new(action).api(ApiKey::INIT_PRODUCER_ID).times(times));
            }
            SentAway => {
                let action = FaultAction::Error(ErrorCode::REBOOTSTRAP_REQUIRED);
                return Some(FaultRule::new(action).api(ApiKey::API_VERSIONS));
            }
            _ => return None,
        };
        Some(FaultRule::new(action).api(api))
    }

    pub(super) fn strike(self, swarm: &mut Swarm) {
        if let Some(rule) = self.rule(&mut swarm.rng) {
            swarm.tell(Who::Trouble, || format!("{self}: {rule:?}"));
            swarm.simulation.cluster.add_fault(rule);
            return;
        }
        swarm.tell(Who::Trouble, || self.to_string());
        match self {
            EpochsUsedUp => swarm.simulation.sender.set_epoch(i16::MAX - 2),
            Flush => {
                swarm.simulation.flush();
            }
            _ => {
                self.befall_a_partition(swarm);
                self.befall_a_broker(swarm);
            }
        }
    }

    fn befall_a_partition(self, swarm: &mut Swarm) {
        let Swarm { simulation, rng, options, .. } = swarm;
        let brokers = simulation.cluster.brokers();
        let any_broker = |rng: &mut Rng| brokers[rng.usize(..brokers.len())];
        let topic = options.topics[rng.usize(..options.topics.len())].clone();
        let partition = rng.i32(0..options.partitions);
        match self {
            LeaderMoves => {
                simulation.cluster.move_leader(&topic, partition, Some(any_broker(rng)));
            }
            LeaderLost => {
                simulation.cluster.move_leader(&topic, partition, None);
            }
            LeaderFlaps => {
                for _ in 0..rng.u32(2..6) {
                    simulation.cluster.move_leader(&topic, partition, Some(any_broker(rng)));
                    simulation.run_for(Duration::from_millis(rng.u64(0..150)));
                }
            }
            LeaderLies => {
                let epoch = rng.i32(0..=LIED_EPOCH_MAX);
                let told = rng.bool().then_some((any_broker(rng), epoch));
                simulation.cluster.announce_leader(&topic, partition, told);
            }
            TopicRecreated => {
                simulation.archive(&topic);
                // It may be gone already.
                let _ = simulation.cluster.recreate_topic(&topic);
            }
            TopicDeleted => {
                simulation.archive(&topic);
                simulation.cluster.delete_topic(&topic);
            }
            PartitionAdded => {
                let count = simulation.cluster.partition_count(&topic).unwrap_or(0);
                let more = i32::try_from(count).unwrap() + 1;
                let _ = simulation.cluster.add_partitions(&topic, more);
            }
            ProducerForgotten => simulation.forget_producer(&topic, partition),
            // What befalls brokers.
            _ => {}
        }
    }

    fn befall_a_broker(self, swarm: &mut Swarm) {
        let Swarm { simulation, rng, away, .. } = swarm;
        let brokers = simulation.cluster.brokers();
        let broker = brokers[rng.usize(..brokers.len())];
        match self {
            LinkCut => simulation.network.cut(simulation.now, broker, &mut simulation.cluster),
            BrokerAway => {
                let until = simulation.now + Duration::from_millis(rng.u64(1..6_000));
                simulation.network.down.push(broker);
                simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
                away.push((until, broker));
            }
            DiskFails => {
                let has_failed = rng.bool();
                simulation.cluster.set_disk_failed(broker, has_failed);
            }
            Quota => {
                let rate = rng.bool().then(|| rng.u64(5_000..50_000));
                simulation.cluster.set_producer_byte_rate(None, rate);
            }
            BrokerAdded => {
                let added = BrokerId(brokers.last().map_or(1, |last| last.0 + 1).min(BROKERS_MAX));
                simulation.cluster.add_broker(added);
                simulation.cluster.set_address(added, "127.0.0.1", port_of(added));
                simulation.network.brokers = simulation.cluster.brokers();
            }
            // Those that a client begins with stay.
            BrokerRemoved if broker.0 > 2 => {
                if rng.bool() {
                    simulation.cluster.elect_leaders(broker);
                }
                simulation.cluster.remove_broker(broker);
                if rng.bool() {
                    simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
                }
            }
            Upgraded => {
                let versions = VersionRange::new(0, rng.i16(9..13));
                simulation.cluster.set_versions(broker, ApiKey::PRODUCE, Some(versions));
            }
            // What befalls partitions.
            _ => {}
        }
    }
}

fn any_api(rng: &mut Rng) -> ApiKey {
    [ApiKey::PRODUCE, ApiKey::METADATA, ApiKey::INIT_PRODUCER_ID, ApiKey::API_VERSIONS]
        [rng.usize(..4)]
}

/// What a broker may answer although the batch is in its log.
const AFTER_WRITING: [ErrorCode; 6] = [
    ErrorCode::UNKNOWN_SERVER_ERROR,
    ErrorCode::NOT_LEADER_OR_FOLLOWER,
    ErrorCode::REQUEST_TIMED_OUT,
    ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    ErrorCode::KAFKA_STORAGE_ERROR,
    ErrorCode::DUPLICATE_SEQUENCE_NUMBER,
];

/// More brokers are not added.
const BROKERS_MAX: i32 = 6;
