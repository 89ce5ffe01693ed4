//! Old brokers and new ones.

use kafka_protocol::records::Compression;
use kafka_protocol::{ApiKey, VersionRange};

use super::{MS, one_partition, warmed_up};
use crate::ProduceErrorKind;
use crate::sim::{Settings, Simulation};

fn version_sent(simulation: &Simulation) -> i16 {
    let mut requests = simulation.cluster.requests();
    requests.find(|request| request.api == ApiKey::PRODUCE).unwrap().version
}

/// 1.0 has version 5; 2.1, 2.4, 2.8, 3.7 and 4.0 know Produce up to these versions.
#[test]
fn the_newest_version_of_produce_is_used_that_broker_and_client_know() {
    for (theirs, expected) in
        [(3, 3), (5, 5), (7, 7), (8, 8), (9, 9), (10, 10), (12, 12), (13, 13), (99, 13)]
    {
        let mut settings = one_partition();
        settings.cluster = settings.cluster.versions(ApiKey::PRODUCE, VersionRange::new(0, theirs));
        let simulation = warmed_up(settings);
        assert_eq!(version_sent(&simulation), expected);
        assert_eq!(simulation.finish().successes(), 1);
    }
}

/// Metadata before version 10 have no topic ids (KIP-516).
#[test]
fn topics_go_by_name_where_an_id_is_not_known() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.versions(ApiKey::METADATA, VersionRange::new(0, 9));
    let simulation = warmed_up(settings);
    assert_eq!(version_sent(&simulation), 12);
    assert_eq!(simulation.finish().successes(), 1);
}

/// One request with topics of both kinds.
#[test]
fn one_topic_without_id_makes_the_whole_request_go_by_name() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.brokers(1);
    let mut simulation = warmed_up(settings);
    simulation.send("others", 0, 100);
    simulation.settle();
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let answer = super::metadata::answer_about(&simulation, kafka_protocol::Uuid::ZERO, leader, 0);
    simulation.sender.hear_metadata(simulation.now, &answer);
    simulation.cluster.clear_requests();
    assert!(simulation.try_send("others", Some(0), 100));
    assert!(simulation.try_send("orders", Some(0), 100));
    simulation.settle();
    assert_eq!(version_sent(&simulation), 12);
    assert_eq!(simulation.finish().successes(), 4);
}

#[test]
fn zstd_is_refused_where_the_broker_cannot_read_it_and_the_message_says_so() {
    let mut settings = Settings { compression: Compression::Zstd.into(), ..one_partition() };
    settings.cluster = settings.cluster.versions(ApiKey::PRODUCE, VersionRange::new(0, 6));
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    let ledger = simulation.finish();
    let error = ledger.failures()[0];
    assert!(matches!(error.kind(), ProduceErrorKind::UnsupportedVersion(_)));
    assert!(!error.may_have_been_written() && !error.is_retriable());
    let text = error.to_string();
    assert!(text.contains("zstd") && text.contains("2.1"), "{text}");
}

#[test]
fn a_broker_without_producer_ids_fails_records_and_says_why() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.without_api(ApiKey::INIT_PRODUCER_ID);
    let mut simulation = Simulation::new(settings);
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 1000);
    let ledger = simulation.finish();
    let text = ledger.failures()[0].to_string();
    assert!(text.contains("InitProducerId"), "{text}");
}

/// Another broker may have it: those who wait are told why, and it is tried again.
#[test]
fn a_broker_without_a_common_version_of_metadata_is_said_and_asked_again() {
    let mut settings = one_partition();
    settings.cluster = settings.cluster.versions(ApiKey::METADATA, VersionRange::new(90, 99));
    let mut simulation = Simulation::new(settings);
    assert!(!simulation.try_send("orders", Some(0), 100));
    simulation.run_for(MS * 1000);
    let cause = simulation.accumulator.cluster().cause.clone().unwrap();
    assert!(cause.contains("127.0.0.1:900") && cause.contains("does not have Metadata"), "{cause}");
    assert!(simulation.sender.poll_timeout().is_some(), "it gave up");
}
