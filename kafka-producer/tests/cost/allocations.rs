//! Allocations of a record, and of a batch from its first record to its outcome.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use kafka_producer::{Record, RecordHeader};

use crate::rig::{Bench, TOPIC, value};

const HEADERS: [RecordHeader<'_>; 2] = [
    RecordHeader { key: "trace", value: Some(b"0123456789abcdef") },
    RecordHeader { key: "kind", value: None },
];

/// Of each kind one.
fn records(value: &[u8]) -> [Record<'_>; 3] {
    let record = Record::new(TOPIC, value);
    [record, record.key("alice"), record.key("bob").headers(&HEADERS)]
}

/// A producer with a batch in each partition that has room for some records.
fn with_open_batches() -> Bench {
    let bench = Bench::new(6);
    bench.fill(6, 1, b"");
    bench
}

#[test]
fn a_record_that_fits_into_the_open_batch_takes_no_allocation() {
    let bench = with_open_batches();
    let value = value(10);
    for record in records(&value) {
        let producer = bench.producer();
        let tried = measure(|| drop(producer.try_send(record).expect("accepted")));
        assert_eq!(tried.count_total, 0, "try_send of {record:?}");
        let sent = measure(|| {
            let future = pin!(producer.send(record));
            let polled = future.poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(_))), "it waits for something");
        });
        assert_eq!(sent.count_total, 0, "send of {record:?}");
    }
}

#[test]
fn a_callback_takes_its_box_and_a_place_in_a_list() {
    let bench = with_open_batches();
    let record = Record::new(TOPIC, "value").partition(0);
    let used = measure(|| {
        for number in 0..CALLBACKS {
            let callback = move |_| assert!(number < CALLBACKS);
            bench.producer().try_send_with(record, callback).expect("accepted");
        }
    });
    // The list grows by doubling.
    assert!(used.count_total <= CALLBACKS + 8, "{} for {CALLBACKS} records", used.count_total);
}

#[test]
fn a_batch_takes_a_few_allocations_however_many_records_it_has() {
    for (records, limit) in [(1, 13.0), (150, 12.0), (1500, 15.0)] {
        let allocations = a_batch(records);
        println!("{records} records: {allocations:.1} allocations a batch");
        assert!(allocations <= limit, "{allocations} allocations a batch of {records} records");
    }
}

/// Allocations of a batch of so many records, from the first one's send until the last delivery is
/// told, in a request with five others.
fn a_batch(records: usize) -> f64 {
    let (mut bench, value) = (Bench::new(PARTITIONS), value(100));
    let mut count = 0;
    for turn in 0..=TURNS {
        let mut deliveries = Vec::with_capacity(records * PARTITIONS as usize);
        let sent = measure(|| {
            for partition in 0..PARTITIONS {
                deliveries.extend((0..records).map(|_| bench.append_to(partition, &value)));
            }
            assert_eq!(bench.drain(), 1, "one request of all batches");
        });
        let answered = bench.answers();
        let told = measure(|| {
            bench.read(&answered);
            for delivery in deliveries.drain(..) {
                let polled = pin!(delivery).poll(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(polled, Poll::Ready(Ok(_))), "it is not written");
            }
        });
        drop(answered);
        // In the first turn everything is new.
        if turn > 0 {
            count += sent.count_total + told.count_total;
        }
    }
    count as f64 / f64::from(TURNS * PARTITIONS)
}

const CALLBACKS: u64 = 100;
const PARTITIONS: i32 = 6;
const TURNS: i32 = 20;
