//! Input: the records of a Fetch response: batches one after another, the last one perhaps cut off.
//!
//! Every batch moves on by its length, and there is an end: nothing is left, or less than a batch,
//! or an error.

#![no_main]

use bytes::Bytes;
use kafka_protocol::DecodeLimits;
use kafka_protocol::records::{CrcCheck, RecordBatchHeader, RecordBatches, Records};
use kafka_protocol_fuzz::check_records;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let records = Records::from(Bytes::copy_from_slice(input));
    let limits = DecodeLimits::default().with_decompressed(1024 * 1024);
    let mut batches = RecordBatches::with(&records, CrcCheck::Skip, limits);
    let mut left = input.len();
    while let Some(batch) = batches.next() {
        let Ok(batch) = batch else {
            assert!(batches.next().is_none(), "something came after an error");
            return;
        };
        let len = left - batches.rest().len();
        assert!(len >= RecordBatchHeader::LEN, "a batch of {len} bytes");
        assert_eq!(batch.header().batch_length as usize + LENGTH_END, len);
        left -= len;
        check_records(&batch);
    }
    assert!(input.ends_with(batches.rest()));
    assert!(batches.next().is_none(), "something came after the end");
});

/// Where the length field of a batch ends, and what it counts begins.
const LENGTH_END: usize = 12;
