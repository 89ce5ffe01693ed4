//! What holds for record batches.

use bytes::Bytes;
use kafka_protocol::DecodeLimits;
use kafka_protocol::records::{
    Compression, ControlRecordType, CrcCheck, Record, RecordBatch, RecordBatchBuilder,
    RecordBatchHeader, RecordHeader, TimestampType,
};

use crate::allocating_at_most;

/// Reads all records. If there is no error among them, a batch built of the same records and with the
/// same header must read the same.
pub fn check_records(batch: &RecordBatch) {
    check_header(batch.header());
    let records: Result<Vec<Record<'_>>, _> = batch.iter().collect();
    let Ok(records) = records else { return };

    let mut builder = RecordBatchBuilder::new();
    for record in &records {
        let headers: Vec<RecordHeader<'_>> = record.headers.clone().collect();
        assert_eq!(headers.len(), record.headers.len());
        let _ = record.key.map(ControlRecordType::from_key);
        builder
            .append(record.timestamp, record.key, record.value, &headers)
            .expect("less than 2 GiB");
    }
    let body = builder.finish();
    let plain = body.header();
    let mut header = *batch.header();
    header.attributes = header
        .attributes
        .with_compression(Compression::None)
        .with_timestamp_type(TimestampType::CreateTime);
    header.base_timestamp = plain.base_timestamp;
    header.record_count = plain.record_count;

    let rebuilt = RecordBatch::decode(&mut body.to_bytes(&header)).expect("we have built it");
    header.batch_length = rebuilt.header().batch_length;
    header.crc = rebuilt.header().crc;
    assert_eq!(*rebuilt.header(), header);
    assert_eq!(rebuilt.iter().count(), records.len());
    // Offsets are given anew: what was compacted away leaves no gap.
    for (offset_delta, (rebuilt, record)) in (0..).zip(rebuilt.iter().zip(records)) {
        let rebuilt = rebuilt.expect("we have built it");
        assert_eq!(rebuilt.offset, header.base_offset.wrapping_add(offset_delta));
        assert_eq!(rebuilt.timestamp, record.timestamp);
        assert_eq!((rebuilt.key, rebuilt.value), (record.key, record.value));
        assert_eq!(rebuilt.headers, record.headers);
    }
}

/// What can be asked of a header whose numbers are anything at all.
fn check_header(header: &RecordBatchHeader) {
    let _ = header.last_offset();
    let sequence = header.last_sequence();
    assert_eq!(sequence < 0, header.base_sequence < 0);
    let _ = header.delete_horizon_ms();
}

/// Decompresses `input` as the records of a batch: never to more than the limit, which must be exact.
pub fn check_decompression(codec: Compression, input: &[u8]) {
    let frame = batch_of(codec, input);
    let Some(records) = decompress(&frame, LIMIT) else { return };
    assert!(records.len() <= LIMIT, "{} bytes of records", records.len());
    assert_eq!(decompress(&frame, records.len()).as_ref(), Some(&records), "the exact limit");
    if let Some(less) = records.len().checked_sub(1) {
        assert_eq!(decompress(&frame, less), None, "one byte less than the exact limit");
    }
}

fn decompress(frame: &Bytes, limit: usize) -> Option<Bytes> {
    let limits = DecodeLimits::default().with_decompressed(limit);
    let batch = allocating_at_most(3 * limit + DECODER_SIZE_MAX, || {
        RecordBatch::decode_with(&mut frame.clone(), CrcCheck::Skip, &limits)
    });
    batch.ok().map(|batch| batch.records().clone())
}

/// A batch whose records are these bytes. Its CRC is wrong.
fn batch_of(codec: Compression, records: &[u8]) -> Bytes {
    let body = RecordBatchBuilder::new().finish();
    let mut header = body.header();
    header.attributes = header.attributes.with_compression(codec);
    let mut batch = header.encode(&body).to_vec();
    batch.extend_from_slice(records);
    set_batch_length(&mut batch);
    batch.into()
}

/// Has the batch end where the input does, so that an input may grow and shrink and still be one.
pub fn set_batch_length(batch: &mut [u8]) {
    let Some(length) = batch.len().checked_sub(LENGTH_END) else { return };
    let length = i32::try_from(length).expect("libFuzzer's inputs are small");
    batch[LENGTH_END - 4..LENGTH_END].copy_from_slice(&length.to_be_bytes());
}

/// Where the length field of a batch ends, and what it counts begins.
const LENGTH_END: usize = 12;

/// Most bytes of decompressed records: small, so that reaching it takes little time.
const LIMIT: usize = 1024 * 1024;

/// Memory that a decompressor may need beside its output.
const DECODER_SIZE_MAX: usize = 256 * 1024;
