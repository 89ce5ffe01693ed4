use std::sync::mpsc;

use kafka_protocol::ErrorCode;
use kafka_protocol::records::{Compression, Compressor, RecordBatchBuilder, RecordHeader};

use super::*;
use crate::accumulator::MemoryBudget;
use crate::callbacks::CALLBACK;
use crate::testing::start;

/// A batch with a record of each of these values, and a callback for those that say so.
fn batch(
    budget: &MemoryBudget,
    records: &[(&str, bool)],
    tell: &mpsc::Sender<String>,
) -> ProducerBatch {
    let permit = budget.try_acquire(BATCH_OVERHEAD + 16 * 1024 + records.len() * CALLBACK).unwrap();
    let mut batch = OpenBatch::new(
        RecordBatchBuilder::new(),
        permit,
        OutcomeCell::new("orders".into(), 0),
        start(),
        None,
        0,
    );
    for (value, has_callback) in records {
        let headers = [RecordHeader { key: "value", value: Some(value.as_bytes()) }];
        let record = Record::new("orders", *value).headers(&headers);
        let tell = tell.clone();
        let callback = Callback::new(move |result| {
            let told = result.map_or_else(|e| e.to_string(), |written| written.to_string());
            tell.send(told).unwrap();
        });
        let mut callback = has_callback.then_some(callback);
        drop(batch.append(7, &record, &mut callback).unwrap());
    }
    batch.close()
}

fn quiet(budget: &MemoryBudget, values: &[&str]) -> ProducerBatch {
    let records: Vec<_> = values.iter().map(|value| (*value, false)).collect();
    batch(budget, &records, &mpsc::channel().0)
}

fn written(first_offset: i64) -> Outcome {
    Outcome::Written { first_offset: Some(first_offset), log_append_time: None }
}

fn broker_error(batch: &ProducerBatch, error: ErrorCode) -> Outcome {
    Outcome::Failed(batch.error(ProduceErrorKind::Broker { error, message: None }))
}

/// Runs what a completion makes due, here, and gives what was told.
fn tell(completion: Completion, told: &mpsc::Receiver<String>) -> Vec<String> {
    drop(completion);
    told.try_iter().collect()
}

#[test]
fn the_first_outcome_of_a_batch_counts() {
    let budget = MemoryBudget::new(1 << 20);
    let (tell_to, told) = mpsc::channel();
    let mut batch = batch(&budget, &[("a", true), ("b", true)], &tell_to);
    let failed = broker_error(&batch, ErrorCode::INVALID_RECORD);
    let first = tell(batch.complete(failed), &told);
    assert_eq!(first.len(), 2, "{first:?}");
    assert!(first[0].contains("INVALID_RECORD"), "{first:?}");
    assert_eq!(tell(batch.complete(written(0)), &told), Vec::<String>::new());
    assert!(batch.is_complete());
}

#[test]
fn a_batch_that_is_dropped_fails_its_records_and_runs_their_callbacks() {
    let budget = MemoryBudget::new(1 << 20);
    let (tell_to, told) = mpsc::channel();
    drop(batch(&budget, &[("a", true), ("b", false), ("c", true)], &tell_to));
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.contains("was not sent")), "{told:?}");
    assert_eq!(budget.used(), 0);
}

#[test]
fn errors_of_single_records_reach_their_callbacks_and_the_others_get_the_batchs() {
    let budget = MemoryBudget::new(1 << 20);
    let (tell_to, told) = mpsc::channel();
    let mut batch = batch(&budget, &[("a", true), ("b", true), ("c", true)], &tell_to);
    let own = broker_error(&batch, ErrorCode::INVALID_TIMESTAMP);
    let own = tell(batch.complete_one(1, own), &told);
    assert!(own.len() == 1 && own[0].contains("INVALID_TIMESTAMP"), "{own:?}");
    let error = ErrorCode::INVALID_RECORD;
    let others = Outcome::Failed(batch.error(ProduceErrorKind::OtherRecordRefused { error }));
    let others = tell(batch.complete(others), &told);
    assert!(others.len() == 2 && others[0] == others[1] && others[0] != own[0], "{others:?}");
    let none = broker_error(&batch, ErrorCode::INVALID_RECORD);
    assert_eq!(tell(batch.complete_one(7, none), &told), Vec::<String>::new());
}

#[test]
fn callbacks_keep_their_memory_until_they_have_run_in_whatever_parts_a_batch_ends() {
    let budget = MemoryBudget::new(1 << 20);
    let (tell_to, _told) = mpsc::channel();
    let mut whole = batch(&budget, &[("a", true), ("b", false), ("c", true)], &tell_to);
    let first = whole.complete_one(0, written(0));
    let second = whole.complete_one(1, written(1));
    let rest = whole.complete(written(2));
    drop(whole);
    let held = |completion: &Completion| completion.permit.as_ref().map_or(0, MemoryPermit::bytes);
    assert_eq!([held(&first), held(&second), held(&rest)], [CALLBACK, 0, CALLBACK]);
    assert_eq!(budget.used(), 2 * CALLBACK);
    drop((first, second, rest));

    let whole = batch(&budget, &[("a", true), ("b", false), ("c", true)], &tell_to);
    let parts = whole.split(1, &mut budget.try_acquire(4096).unwrap()).unwrap();
    let held = |part: &ProducerBatch| part.callback_permit.as_ref().map_or(0, MemoryPermit::bytes);
    assert_eq!(parts.iter().map(held).collect::<Vec<_>>(), [CALLBACK, 0, CALLBACK]);
    drop(parts);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_split_keeps_records_headers_times_and_places() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let codec: Compression = codec.parse().unwrap();
        let budget = MemoryBudget::new(1 << 20);
        let values = ["one", "two", "three", "four", "five"];
        let mut whole = quiet(&budget, &values);
        let mut compressor = Compressor::new(codec.into());
        let body = whole.body.compress(&mut compressor).unwrap();
        drop(whole.seal(body, budget.nothing()));
        assert_eq!(whole.body.header().attributes.compression(), Some(codec));
        let created = whole.created;
        whole.attempts = 3;
        let mut reserve = budget.try_acquire(8192).unwrap();
        let parts = whole.split(BATCH_HEADER + 60, &mut reserve).unwrap();
        assert!(parts.len() > 1 && parts.len() < values.len());
        let mut seen = Vec::new();
        for part in &parts {
            assert_eq!(usize::try_from(part.first_record()).unwrap(), seen.len());
            assert_eq!((part.created, part.attempts, part.is_split), (created, 0, true));
            let sealed = part.body.compress(&mut compressor).unwrap();
            assert_eq!(sealed.header().attributes.compression(), Some(codec));
            let mut wire = sealed.to_bytes(&sealed.header());
            let read = RecordBatch::decode(&mut wire).unwrap();
            for record in &read {
                let record = record.unwrap();
                assert_eq!(record.timestamp, 7);
                let header = record.headers.clone().next().unwrap();
                assert_eq!((header.key, header.value), ("value", record.value));
                seen.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
        }
        assert_eq!(seen, values, "{codec}");
        drop((parts, reserve));
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn a_split_takes_what_it_needs_more_from_the_reserve_and_nothing_if_that_is_too_small() {
    let budget = MemoryBudget::new(1 << 20);
    let mut whole = quiet(&budget, &["x"; 50]);
    let compressed = whole.body.compress(&mut Compressor::new(Compression::Lz4.into())).unwrap();
    drop(whole.seal(compressed, budget.nothing()));
    let used = budget.used();
    let mut reserve = budget.nothing();
    let whole = *whole.split(1, &mut reserve).unwrap_err();
    assert_eq!((whole.record_count(), whole.is_complete()), (50, false));
    assert_eq!(budget.used(), used);
    let mut reserve = budget.try_acquire(64 * 1024).unwrap();
    let parts = whole.split(1, &mut reserve).unwrap();
    assert_eq!(parts.len(), 50);
    assert!(reserve.bytes() < 64 * 1024);
    assert_eq!(budget.used(), used + 64 * 1024);
    drop((parts, reserve));
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_sealed_batch_holds_what_its_body_takes_and_gives_back_the_rest() {
    for (value, codec) in [("x".repeat(6000), "zstd"), ("a".to_owned(), "gzip")] {
        let budget = MemoryBudget::new(1 << 20);
        let mut batch = quiet(&budget, &[&value]);
        let raw = BATCH_HEADER + batch.body.len();
        let codec: Compression = codec.parse().unwrap();
        let body = batch.body.compress(&mut Compressor::new(codec.into())).unwrap();
        let needed = BATCH_OVERHEAD + body.len();
        let memory = budget.try_acquire(10_000).unwrap();
        let before = budget.used();
        let rest = batch.seal(body, memory);
        assert_eq!((budget.used(), rest.bytes()), (before, before - needed));
        drop(rest);
        assert_eq!((budget.used(), batch.uncompressed_len), (needed, raw));
        drop(batch);
        assert_eq!(budget.used(), 0);
    }
}
