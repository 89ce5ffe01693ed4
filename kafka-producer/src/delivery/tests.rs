use std::task::Waker;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ProduceErrorKind;
use crate::error::ProduceFailure;
use crate::testing::CountingWaker;

fn cell() -> Arc<OutcomeCell> {
    OutcomeCell::new("orders".into(), 3)
}

fn delivery(cell: &Arc<OutcomeCell>, index: u32) -> Delivery {
    cell.delivery(index, 1_000 + i64::from(index), None, Some(5))
}

fn written(first_offset: i64) -> Outcome {
    Outcome::Written { first_offset: Some(first_offset), log_append_time: None }
}

fn failed(attempts: u32) -> Outcome {
    Outcome::Failed(ProduceError::new(ProduceFailure {
        topic: "orders".into(),
        partition: 3,
        attempts,
        may_have_been_written: true,
        kind: ProduceErrorKind::Timeout { waited: Duration::from_secs(1), cause: None },
    }))
}

fn poll(delivery: &mut Delivery, waker: &Waker) -> Poll<Result<RecordMetadata, ProduceError>> {
    Pin::new(delivery).poll(&mut Context::from_waker(waker))
}

/// Offset or attempts: what tells two outcomes apart.
fn told(delivery: &Delivery) -> Option<Result<i64, u32>> {
    delivery.try_result().map(|result| match result {
        Ok(metadata) => Ok(metadata.offset.unwrap()),
        Err(error) => Err(error.attempts()),
    })
}

/// For tests without callbacks.
fn resolve(cell: &OutcomeCell, records: Range<u32>, outcome: &Outcome) {
    assert_eq!(cell.resolve(records, outcome).len(), 0);
}

#[test]
fn a_delivery_is_small_and_crosses_threads() {
    fn is_shared<T: Send + Sync + Unpin + 'static>() {}
    is_shared::<Delivery>();
    assert_eq!(size_of::<Delivery>(), 32);
}

#[test]
fn a_written_record_gets_its_offset_and_what_it_was() {
    let cell = cell();
    let mut first = cell.delivery(0, 7, Some(0), None);
    let mut third = cell.delivery(2, 9, None, Some(12));
    assert_eq!((first.topic(), first.partition(), first.is_done()), ("orders", 3, false));
    assert!(first.try_result().is_none());
    resolve(&cell, 0..3, &written(40));
    let metadata = |offset, timestamp, key_size, value_size| RecordMetadata {
        topic: "orders".into(),
        partition: 3,
        offset: Some(offset),
        timestamp,
        serialized_key_size: key_size,
        serialized_value_size: value_size,
    };
    assert_eq!(first.try_result().unwrap().unwrap(), metadata(40, 7, Some(0), None));
    assert_eq!(third.try_result().unwrap().unwrap(), metadata(42, 9, None, Some(12)));
    for _ in 0..2 {
        let polled = poll(&mut first, Waker::noop());
        assert!(matches!(polled, Poll::Ready(Ok(found)) if found.offset == Some(40)));
        assert!(poll(&mut third, Waker::noop()).is_ready());
    }
}

#[test]
fn the_brokers_time_replaces_the_records_and_an_offset_may_be_missing() {
    let cell = cell();
    let outcome = Outcome::Written { first_offset: None, log_append_time: Some(77) };
    resolve(&cell, 0..1, &outcome);
    let metadata = delivery(&cell, 0).try_result().unwrap().unwrap();
    assert_eq!((metadata.offset, metadata.timestamp), (None, 77));
}

#[test]
fn an_offset_that_overflows_is_none() {
    let cell = cell();
    resolve(&cell, 0..2, &written(i64::MAX));
    let offset = |index| delivery(&cell, index).try_result().unwrap().unwrap().offset;
    assert_eq!((offset(0), offset(1)), (Some(i64::MAX), None));
}

#[test]
fn a_record_keeps_the_outcome_that_it_has() {
    let cell = cell();
    let deliveries: Vec<_> = (0..6).map(|index| delivery(&cell, index)).collect();
    let told = || deliveries.iter().map(told).collect::<Vec<_>>();
    resolve(&cell, 4..5, &failed(1));
    resolve(&cell, 1..2, &failed(2));
    assert_eq!(told(), [None, Some(Err(2)), None, None, Some(Err(1)), None]);
    assert!(poll(&mut delivery(&cell, 1), Waker::noop()).is_ready());
    assert!(cell.is_resolved(4..5) && cell.is_resolved(2..2) && !cell.is_resolved(1..5));
    resolve(&cell, 0..5, &written(10));
    let now = [Some(Ok(10)), Some(Err(2)), Some(Ok(12)), Some(Ok(13)), Some(Err(1)), None];
    assert_eq!(told(), now);
    resolve(&cell, 0..6, &failed(3));
    assert_eq!(told()[..5], now[..5]);
    assert_eq!(told()[5], Some(Err(3)));
    assert!(cell.is_resolved(0..6));
}

#[test]
fn only_who_is_resolved_is_woken_and_each_once() {
    let cell = cell();
    let mut waiting: Vec<_> = (0..4)
        .map(|index| {
            let mut delivery = delivery(&cell, index);
            let (wakes, waker) = CountingWaker::new();
            assert!(poll(&mut delivery, &waker).is_pending());
            assert!(poll(&mut delivery, &waker).is_pending());
            (delivery, wakes)
        })
        .collect();
    let wakes = |waiting: &[(Delivery, CountingWaker)]| {
        waiting.iter().map(|(_, wakes)| (wakes.wakes(), wakes.clones())).collect::<Vec<_>>()
    };
    assert_eq!(wakes(&waiting), [(0, 1); 4]);
    resolve(&cell, 1..3, &written(0));
    assert_eq!(wakes(&waiting), [(0, 1), (1, 0), (1, 0), (0, 1)]);
    drop(waiting.remove(0).0);
    resolve(&cell, 0..4, &failed(1));
    assert_eq!(wakes(&waiting), [(1, 0), (1, 0), (1, 0)]);
}

#[test]
fn another_waker_takes_the_first_ones_place_and_a_drop_frees_it() {
    let cell = cell();
    let mut delivery = delivery(&cell, 0);
    let (first, waker) = CountingWaker::new();
    assert!(poll(&mut delivery, &waker).is_pending());
    drop(waker);
    let (second, waker) = CountingWaker::new();
    assert!(poll(&mut delivery, &waker).is_pending());
    drop(waker);
    assert_eq!((first.clones(), second.clones()), (0, 1));
    drop(delivery);
    assert_eq!(second.clones(), 0);
    resolve(&cell, 0..1, &written(0));
    assert_eq!((first.wakes(), second.wakes()), (0, 0));
}

#[test]
fn a_slot_is_used_again_and_an_old_owner_does_not_touch_it() {
    let cell = cell();
    let mut deliveries: Vec<_> = (0..3).map(|index| delivery(&cell, index)).collect();
    let (_, noise) = CountingWaker::new();
    assert!(poll(&mut deliveries[0], &noise).is_pending());
    assert!(poll(&mut deliveries[1], &noise).is_pending());
    // Record 0 is told, its slot becomes record 2's, and then it is dropped without another poll.
    resolve(&cell, 0..1, &written(0));
    let (wakes, waker) = CountingWaker::new();
    assert!(poll(&mut deliveries[2], &waker).is_pending());
    assert_eq!(lock(&cell.state).waiters.capacity(), 2);
    drop(deliveries.remove(0));
    resolve(&cell, 1..3, &written(1));
    assert_eq!(wakes.wakes(), 1);
    assert_eq!(lock(&cell.state).waiters.capacity(), 0);
}

proptest! {
    #[test]
    fn each_record_gets_one_outcome_and_keeps_it(
        ranges in prop::collection::vec((0..20u32, 0..20u32), 0..12),
        waiting in prop::collection::vec(any::<bool>(), 20),
    ) {
        let cell = cell();
        let mut deliveries: Vec<_> = (0..20).map(|index| delivery(&cell, index)).collect();
        let (wakes, waker) = CountingWaker::new();
        for (delivery, waits) in deliveries.iter_mut().zip(&waiting) {
            prop_assert!(!waits || poll(delivery, &waker).is_pending());
        }
        for index in (0..20).step_by(2) {
            cell.add_callback(index, 0, None, None, Callback::new(|_| {}));
        }
        let mut expected = [None; 20];
        let last = (0, 20);
        for (call, &(start, end)) in ranges.iter().chain([&last]).enumerate() {
            let call = call as u32;
            let offset = i64::from(call) * 1_000;
            let outcome = if call % 2 == 0 { failed(call) } else { written(offset) };
            let mut due = 0;
            for index in start..end {
                let told = &mut expected[index as usize];
                if told.is_none() {
                    let behind = i64::from(index - start);
                    *told = Some(if call % 2 == 0 { Err(call) } else { Ok(offset + behind) });
                    due += usize::from(index % 2 == 0);
                }
            }
            let before = wakes.wakes();
            let told_before = deliveries.iter().filter(|delivery| delivery.is_done()).count();
            prop_assert_eq!(cell.resolve(start..end, &outcome).len(), due);
            prop_assert_eq!(deliveries.iter().map(told).collect::<Vec<_>>(), expected);
            let told_now = deliveries.iter().filter(|delivery| delivery.is_done()).count();
            prop_assert!(wakes.wakes() - before <= told_now - told_before);
            for index in 0..20u32 {
                let told = expected[index as usize].is_some();
                prop_assert_eq!(cell.is_resolved(index..index + 1), told);
            }
        }
        prop_assert_eq!(wakes.wakes(), waiting.iter().filter(|&&waits| waits).count());
        prop_assert_eq!(wakes.clones(), 1, "the one here");
    }
}
