//! Every error code that a broker can answer: what the producer does, and what it says.

use kafka_mock::{FaultAction, FaultRule};
use kafka_protocol::messages::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse};
use kafka_protocol::{ApiKey, ErrorCode};

use super::{
    MS, answer, one_partition, produce, refuse_by_hand, refused, requests, times, warmed_up,
};
use crate::ProduceErrorKind;
use crate::sim::{Settings, Simulation};

/// Kafka's retriable errors, and whether they say that metadata are out of date.
const RETRIABLE: [(i16, bool); 33] = [
    (2, false),
    (3, true),
    (5, true),
    (6, true),
    (7, false),
    (9, true),
    (13, true),
    (14, false),
    (15, false),
    (16, false),
    (19, false),
    (20, false),
    (41, false),
    (51, false),
    (56, true),
    (70, false),
    (71, false),
    (72, true),
    (74, true),
    (75, false),
    (78, false),
    (80, true),
    (83, true),
    (84, true),
    (88, false),
    (89, false),
    (100, true),
    (103, true),
    (106, false),
    (122, false),
    (123, false),
    (133, false),
    // Settled by its rules for sequences.
    (45, false),
];

#[test]
fn each_error_of_produce_is_tried_again_or_fails_its_batch_as_kafka_has_it() {
    for code in (-1..=140).filter(|code| ![0, 46].contains(code)) {
        let mut simulation = warmed_up(one_partition());
        simulation.run_for(MS * 1000);
        simulation.cluster.clear_requests();
        let error = ErrorCode(code);
        simulation.cluster.add_fault(produce(FaultAction::Error(error)));
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 1500);
        let expected = RETRIABLE.iter().find(|(retriable, _)| *retriable == code);
        // Its answer names no start of the log.
        let is_retried = expected.is_some() || error == ErrorCode::UNKNOWN_PRODUCER_ID;
        let refreshes = expected.is_some_and(|(_, refreshes)| *refreshes);
        let produced = times(&simulation, ApiKey::PRODUCE);
        assert_eq!(produced.len(), 1 + usize::from(is_retried), "{error}");
        assert_eq!(requests(&simulation, ApiKey::METADATA), usize::from(refreshes), "{error}");
        let ledger = simulation.finish();
        assert_eq!(ledger.successes(), 1 + usize::from(is_retried), "{error}");
        for failure in ledger.failures() {
            assert_eq!(failure.error_code(), Some(error));
            assert!(!failure.is_retriable(), "{error}");
            assert!(failure.to_string().contains(&error.to_string()), "{failure}");
        }
    }
}

#[test]
fn each_error_of_init_producer_id_is_tried_again_but_for_want_of_permission_or_version() {
    for code in (-1..=136).filter(|code| *code != 0) {
        let mut simulation = Simulation::new(one_partition());
        let error = ErrorCode(code);
        let fault = FaultRule::new(FaultAction::Error(error)).api(ApiKey::INIT_PRODUCER_ID);
        simulation.cluster.add_fault(fault);
        simulation.send("orders", 0, 100);
        simulation.run_for(MS * 1000);
        let is_refused = [
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            ErrorCode::UNSUPPORTED_VERSION,
        ]
        .contains(&error);
        let ledger = simulation.finish();
        assert_eq!(ledger.successes(), usize::from(!is_refused), "{error}");
        assert!(ledger.failures().iter().all(|failure| !failure.may_have_been_written()));
    }
}

/// A producer id that is none is no answer.
#[test]
fn without_a_producer_id_records_fail_in_time_and_say_what_the_broker_answered() {
    let settings = Settings { delivery_timeout: MS * 3000, ..one_partition() };
    let mut simulation = Simulation::new(settings);
    let fault = FaultAction::Error(ErrorCode::UNKNOWN_SERVER_ERROR);
    simulation.cluster.add_fault(FaultRule::new(fault).api(ApiKey::INIT_PRODUCER_ID).always());
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 3500);
    simulation.cluster.clear_faults();
    let ledger = simulation.finish();
    let text = ledger.failures()[0].to_string();
    assert!(text.contains("producer id") && text.contains("UNKNOWN_SERVER_ERROR"), "{text}");
}

/// KIP-467.
#[test]
fn errors_of_single_records_reach_those_and_the_others_learn_that_they_are_not_to_blame() {
    let mut simulation = warmed_up(one_partition());
    refuse_by_hand(&mut simulation);
    for _ in 0..4 {
        simulation.send("orders", 0, 100);
    }
    simulation.run_for(MS * 20);
    let bad = |batch_index, message: Option<&'static str>| BatchIndexAndErrorMessage {
        batch_index,
        batch_index_error_message: message.map(Into::into),
        ..Default::default()
    };
    let outcome = PartitionProduceResponse {
        record_errors: vec![bad(1, Some("no key")), bad(2, None), bad(77, None), bad(-1, None)],
        error_message: Some("some records are bad".into()),
        ..refused(ErrorCode::INVALID_RECORD)
    };
    answer(&mut simulation, &outcome);
    let ledger = simulation.finish();
    let texts: Vec<_> = ledger.failures().iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts[1].contains("no key"), "{texts:?}");
    assert!(texts[2].contains("some records are bad"), "{texts:?}");
    for other in [0, 3] {
        let kind = ledger.failures()[other].kind();
        assert!(matches!(kind, ProduceErrorKind::OtherRecordRefused { .. }), "{texts:?}");
        assert!(ledger.failures()[other].is_retriable());
    }
}

#[test]
fn the_words_of_a_broker_are_told_and_where_there_are_none_the_meaning_of_its_code() {
    for (message, expected) in [
        (Some("not on a Sunday"), "POLICY_VIOLATION (44): not on a Sunday"),
        (None, "POLICY_VIOLATION (44)"),
    ] {
        let mut simulation = warmed_up(one_partition());
        refuse_by_hand(&mut simulation);
        super::send_alone(&mut simulation, 0);
        let outcome = PartitionProduceResponse {
            error_message: message.map(Into::into),
            ..refused(ErrorCode::POLICY_VIOLATION)
        };
        answer(&mut simulation, &outcome);
        let ledger = simulation.finish();
        let text = ledger.failures()[0].to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn without_idempotence_an_error_that_stays_fails_its_record_at_once() {
    let mut simulation = warmed_up(Settings { is_idempotent: false, ..one_partition() });
    let error = FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    simulation.cluster.add_fault(produce(error));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 50);
    assert_eq!(simulation.ledger.unsettled(), 0);
    assert_eq!(requests(&simulation, ApiKey::INIT_PRODUCER_ID), 0);
    let records = simulation.cluster.records("orders", 0).unwrap();
    assert!(records.iter().all(|record| record.producer_id == -1));
    assert_eq!(simulation.finish().failures().len(), 1);
}
