//! Input: a record batch. Its length field and its CRC do not matter, so that every change of the
//! input comes through to the records.
//!
//! Reading header, records and record headers never panics. What can be read survives: a batch
//! built anew from it, with a CRC that is checked, reads the same.

#![no_main]

use bytes::Bytes;
use kafka_protocol::DecodeLimits;
use kafka_protocol::records::{CrcCheck, RecordBatch};
use kafka_protocol_fuzz::{check_records, set_batch_length};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = input.to_vec();
    set_batch_length(&mut input);
    let mut buf = Bytes::from(input);
    let limits = DecodeLimits::default().with_decompressed(1024 * 1024);
    if let Ok(batch) = RecordBatch::decode_with(&mut buf, CrcCheck::Skip, &limits) {
        assert!(buf.is_empty(), "the batch was to end where the input does");
        check_records(&batch);
    }
});
