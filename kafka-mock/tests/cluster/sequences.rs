//! Idempotence as a partition sees it: epochs, the window of five batches, the wrap of sequences.

use std::time::Duration;

use kafka_mock::{BrokerId, MockConfig};
use kafka_protocol::ErrorCode;
use kafka_protocol::messages::produce::PartitionProduceResponse;

use crate::support::{Rig, batch_with, produce_request, sequenced};

const OK: ErrorCode = ErrorCode::NONE;
const OUT_OF_ORDER: ErrorCode = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;

fn rig() -> Rig {
    Rig::new(MockConfig::new())
}

/// Sends batches of one record, each `(epoch, sequence)`, and expects code and offset.
fn check(script: &[(i16, i32, ErrorCode, i64)]) {
    let mut rig = rig();
    for (step, (epoch, sequence, code, offset)) in script.iter().enumerate() {
        let answer = rig.produce(0, sequenced(&["x"], 7, *epoch, *sequence));
        assert_eq!((answer.error_code, answer.base_offset), (*code, *offset), "step {step}");
    }
}

#[test]
fn sequences_follow_each_other() {
    check(&[(0, 0, OK, 0), (0, 1, OK, 1), (0, 3, OUT_OF_ORDER, -1), (0, 2, OK, 2)]);
}

#[test]
fn the_last_five_batches_are_known_again() {
    check(&[
        (0, 0, OK, 0),
        (0, 1, OK, 1),
        (0, 2, OK, 2),
        (0, 3, OK, 3),
        (0, 4, OK, 4),
        (0, 0, OK, 0),
        (0, 4, OK, 4),
        (0, 5, OK, 5),
        // Behind the window a duplicate looks like any other wrong sequence.
        (0, 0, OUT_OF_ORDER, -1),
        (0, 1, OK, 1),
    ]);
}

#[test]
fn a_duplicate_tells_offset_and_timestamp_and_appends_nothing() {
    let mut rig = rig();
    rig.produce(0, sequenced(&["a", "b"], 7, 0, 0));
    rig.produce(0, sequenced(&["c"], 7, 0, 2));
    let again = rig.produce(0, sequenced(&["a", "b"], 7, 0, 0));
    let PartitionProduceResponse { error_code, base_offset, log_append_time_ms, .. } = again;
    assert_eq!((error_code, base_offset, log_append_time_ms), (OK, 0, 1001));
    // The same first sequence with another length is not the same batch.
    assert_eq!(rig.produce(0, sequenced(&["a"], 7, 0, 0)).error_code, OUT_OF_ORDER);
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..3));
    assert_eq!(rig.cluster.counters().duplicates, 1);
    let sequences: Vec<_> =
        rig.cluster.records("t", 0).unwrap().iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [0, 1, 2]);
}

#[test]
fn a_new_epoch_begins_at_0_and_fences_the_old_one() {
    check(&[
        (3, 0, OK, 0),
        (4, 1, OUT_OF_ORDER, -1),
        (4, 0, OK, 1),
        (3, 1, ErrorCode::INVALID_PRODUCER_EPOCH, -1),
        // The window begins anew: sequence 0 of epoch 3 is not a duplicate any more.
        (3, 0, ErrorCode::INVALID_PRODUCER_EPOCH, -1),
        (4, 1, OK, 2),
        (4, 0, OK, 1),
    ]);
}

#[test]
fn an_unknown_producer_may_begin_anywhere() {
    check(&[(2, 40, OK, 0), (2, 41, OK, 1), (2, 40, OK, 0)]);
}

#[test]
fn a_forgotten_producer_may_begin_anywhere() {
    let mut rig = rig();
    rig.produce(0, sequenced(&["a"], 7, 5, 0));
    assert!(rig.cluster.forget_producer("t", 0, 7));
    assert_eq!(rig.produce(0, sequenced(&["b"], 7, 4, 9)).error_code, OK);
}

#[test]
fn sequences_wrap_to_0() {
    let mut rig = rig();
    assert_eq!(rig.produce(0, sequenced(&["a", "b"], 7, 0, i32::MAX - 1)).error_code, OK);
    assert_eq!(rig.produce(0, sequenced(&["c"], 7, 0, 0)).base_offset, 2);
    // Within a batch as well.
    assert_eq!(rig.produce(1, sequenced(&["a", "b", "c"], 7, 0, i32::MAX)).error_code, OK);
    assert_eq!(rig.produce(1, sequenced(&["d"], 7, 0, 2)).base_offset, 3);
    assert_eq!(rig.produce(1, sequenced(&["a", "b", "c"], 7, 0, i32::MAX)).base_offset, 0);
    let sequences: Vec<_> =
        rig.cluster.records("t", 1).unwrap().iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [i32::MAX, 0, 1, 2]);
}

#[test]
fn producers_and_partitions_do_not_mix() {
    let mut rig = rig();
    for (partition, id) in [(0, 7), (0, 8), (1, 7)] {
        assert_eq!(rig.produce(partition, sequenced(&["a"], id, 0, 0)).error_code, OK);
        assert_eq!(rig.produce(partition, sequenced(&["b"], id, 0, 1)).error_code, OK);
    }
}

#[test]
fn a_partition_remembers_so_many_producers_and_no_more() {
    let mut rig = Rig::new(MockConfig::new().producer_ids_max(2));
    for id in [7, 8, 9] {
        rig.produce(0, sequenced(&["a"], id, 0, 0));
    }
    assert_eq!(rig.produce(0, sequenced(&["b"], 9, 0, 5)).error_code, OUT_OF_ORDER);
    assert_eq!(rig.produce(0, sequenced(&["b"], 7, 0, 5)).error_code, OK);
}

#[test]
fn errors_of_sequences_tell_the_log_start() {
    let mut rig = rig();
    rig.produce(0, sequenced(&["a"], 7, 0, 0));
    rig.produce(0, sequenced(&["b"], 7, 0, 1));
    assert!(rig.cluster.delete_records("t", 0, 1));
    let answer = rig.produce(0, sequenced(&["d"], 7, 0, 3));
    assert_eq!((answer.error_code, answer.log_start_offset), (OUT_OF_ORDER, 1));
}

#[test]
fn a_transactional_batch_needs_a_transaction() {
    let mut rig = rig();
    let transactional = || {
        batch_with(&["a"], |header| {
            header.attributes = header.attributes.with_transactional(true);
            (header.producer_id, header.producer_epoch, header.base_sequence) = (7, 0, 0);
        })
    };
    // Without a transactional id the request as a whole is not allowed.
    let answer = rig.produce(0, transactional());
    assert_eq!(answer.error_code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    let mut request = produce_request("t", 0, transactional());
    request.transactional_id = Some("x".into());
    let answer = crate::support::only(rig.ask(1, &request, 11));
    assert_eq!(answer.error_code, ErrorCode::INVALID_PRODUCER_ID_MAPPING);
    assert_eq!(rig.values(0), []);
}

#[test]
fn a_leader_that_lost_records_forgets_what_their_producer_sent() {
    let mut rig = rig();
    for sequence in 0..4 {
        rig.produce(0, sequenced(&["x"], 7, 0, sequence));
    }
    rig.produce(0, sequenced(&["y"], 8, 0, 0));
    assert!(rig.cluster.truncate("t", 0, 2));
    assert_eq!(rig.cluster.offsets("t", 0), Some(0..2));
    // What was acknowledged once is out of order now, or new.
    assert_eq!(rig.produce(0, sequenced(&["x"], 7, 0, 4)).error_code, OUT_OF_ORDER);
    assert_eq!(rig.produce(0, sequenced(&["x"], 7, 0, 1)).base_offset, 1);
    assert_eq!(rig.produce(0, sequenced(&["x"], 7, 0, 2)).base_offset, 2);
    assert_eq!(rig.produce(0, sequenced(&["y"], 8, 0, 1)).error_code, OK);
    // Nothing is lost before the start of the log.
    rig.cluster.delete_records("t", 0, 3);
    assert!(rig.cluster.truncate("t", 0, 1));
    assert_eq!(rig.cluster.offsets("t", 0), Some(3..3));
}

#[test]
fn a_producer_id_that_writes_nothing_for_long_is_forgotten() {
    let second = Duration::from_secs(1);
    let mut rig = Rig::new(MockConfig::new().producer_id_expiration(10 * second));
    let write =
        |rig: &mut Rig, sequence| rig.produce(0, sequenced(&["x"], 7, 0, sequence)).error_code;
    assert_eq!([write(&mut rig, 0), write(&mut rig, 1)], [OK; 2]);
    rig.advance(9 * second);
    // Each batch keeps it alive; a refused one does not.
    assert_eq!(write(&mut rig, 2), OK);
    rig.advance(9 * second);
    assert_eq!(write(&mut rig, 9), OUT_OF_ORDER);
    rig.advance(second);
    assert_eq!([write(&mut rig, 9), write(&mut rig, 10)], [OK; 2]);
    // Its window is new as well: the first batch is not known again.
    assert_eq!(write(&mut rig, 2), OUT_OF_ORDER);
}

#[test]
fn lost_batches_do_not_make_a_producer_younger() {
    let second = Duration::from_secs(1);
    let mut rig = Rig::new(MockConfig::new().producer_id_expiration(10 * second));
    rig.produce(0, sequenced(&["x"], 7, 0, 0));
    rig.advance(9 * second);
    rig.produce(0, sequenced(&["x"], 7, 0, 1));
    rig.cluster.truncate("t", 0, 1);
    assert_eq!(rig.produce(0, sequenced(&["x"], 7, 0, 5)).error_code, OUT_OF_ORDER);
    rig.advance(second);
    assert_eq!(rig.produce(0, sequenced(&["x"], 7, 0, 5)).error_code, OK);
}

#[test]
fn all_producer_ids_of_a_broker_or_of_the_cluster_are_forgotten() {
    let mut rig = rig();
    for partition in 0..3 {
        for id in [7, 8] {
            rig.produce(partition, sequenced(&["x"], id, 0, 0));
        }
    }
    assert_eq!(rig.cluster.expire_producer_ids(Some(BrokerId(1))), 2);
    assert_eq!(rig.produce(0, sequenced(&["x"], 7, 0, 5)).error_code, OK);
    assert_eq!(rig.produce(1, sequenced(&["x"], 7, 0, 5)).error_code, OUT_OF_ORDER);
    assert_eq!(rig.cluster.expire_producer_ids(None), 5);
    assert_eq!(rig.produce(1, sequenced(&["x"], 7, 0, 5)).error_code, OK);
}
