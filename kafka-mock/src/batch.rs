//! Checks the batch of a Produce request as a strict broker does, before it meets a log.
//!
//! Nothing here looks at the cluster, so it can be done while another thread holds that. The order of
//! the checks is Kafka's: `ProduceRequest.validateRecords`, then the topic and its leader (elsewhere),
//! then `UnifiedLog.analyzeAndValidateRecords` and `LogValidator`.

use bytes::Bytes;
use kafka_protocol::records::{Compression, CrcCheck, RecordBatch, RecordBatchHeader, Records};
use kafka_protocol::{DecodeErrorKind, DecodeLimits, ErrorCode};

/// A batch that may be appended: header and bytes agree.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) header: RecordBatchHeader,
    /// The batch, and nothing behind it.
    pub(crate) bytes: Bytes,
}

/// Why a batch may not be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) code: ErrorCode,
    pub(crate) message: &'static str,
    pub(crate) stage: Stage,
}

/// When a broker notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// When it first looks for transactions: the whole request fails.
    Request,
    /// Before it asks whether it leads the partition.
    Partition,
    /// When it looks at the offset, before the size.
    Offset,
    /// Behind the check of the size, which is this one.
    Records { batch_len: usize },
}

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchChecks {
    pub(crate) crc: bool,
    pub(crate) records: bool,
}

type Reason = (ErrorCode, &'static str);

/// Offset of the batch length field, and of what it counts.
const LENGTH_AT: usize = 8;
const LENGTH_COUNTS_FROM: usize = 12;
const MAGIC_AT: usize = 16;
/// Least that a batch length can be: a batch of magic 0 with an empty message.
const LENGTH_MIN: usize = 14;
/// First Produce version that may carry zstd (KIP-110).
const ZSTD_FROM: i16 = 7;

/// The one batch in the records of a partition.
pub(crate) fn check(
    records: &Records,
    produce_version: i16,
    checks: &BatchChecks,
) -> Result<Batch, Rejection> {
    let records = records.to_bytes();
    let Some(len) = batch_len(&records, Stage::Request)? else {
        return early(ErrorCode::INVALID_RECORD, "there must be one record batch");
    };
    if records.get(MAGIC_AT) != Some(&2) {
        return early(ErrorCode::INVALID_RECORD, "record batches must have magic 2");
    }
    // What follows and is not a whole batch is cut off, as Kafka does.
    if batch_len(&records.slice(len..), Stage::Partition)?.is_some() {
        return early(ErrorCode::INVALID_RECORD, "there must be exactly one record batch");
    }
    let bytes = records.slice(..len);
    let late =
        |(code, message)| Rejection { code, message, stage: Stage::Records { batch_len: len } };
    let Ok(header) = RecordBatchHeader::decode(&bytes) else {
        return Err(late((ErrorCode::CORRUPT_MESSAGE, "the batch is shorter than its header")));
    };
    let codec = header.attributes.compression();
    if produce_version < ZSTD_FROM && codec == Some(Compression::Zstd) {
        let message = "zstd needs Produce version 7 or later";
        return early(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message);
    }
    if header.base_offset != 0 {
        let (code, message) = (ErrorCode::INVALID_RECORD, "the base offset must be 0");
        return Err(Rejection { code, message, stage: Stage::Offset });
    }
    check_header(&header, &bytes, checks).map_err(late)?;
    if checks.records {
        check_records(&bytes).map_err(late)?;
    }
    Ok(Batch { header, bytes })
}

/// Length of the batch at the front, `None` if it is not all there. Batches begin alike in every
/// format up to the magic, which is looked at only if there is one.
fn batch_len(records: &[u8], stage: Stage) -> Result<Option<usize>, Rejection> {
    let fail = |code, message| Err(Rejection { code, message, stage });
    let length = records.get(LENGTH_AT..).and_then(|rest| rest.first_chunk());
    let Some(length) = length.map(|length| i32::from_be_bytes(*length)) else { return Ok(None) };
    if length > i32::MAX - LENGTH_COUNTS_FROM as i32 {
        // Kafka adds them up, and has no code for what comes of it.
        return fail(ErrorCode::UNKNOWN_SERVER_ERROR, "the batch length is too large");
    }
    let length = usize::try_from(length).ok().filter(|length| *length >= LENGTH_MIN);
    let Some(length) = length else {
        return fail(ErrorCode::CORRUPT_MESSAGE, "the batch length is too small");
    };
    match records.get(MAGIC_AT) {
        Some(0..=2) => {
            let len = length + LENGTH_COUNTS_FROM;
            Ok((len <= records.len()).then_some(len))
        }
        Some(_) => fail(ErrorCode::CORRUPT_MESSAGE, "there is no such magic"),
        None => Ok(None),
    }
}

fn check_header(
    header: &RecordBatchHeader,
    bytes: &Bytes,
    checks: &BatchChecks,
) -> Result<(), Reason> {
    let invalid = |message| Err((ErrorCode::INVALID_RECORD, message));
    if checks.crc && header.check_crc(bytes).is_err() {
        return Err((ErrorCode::CORRUPT_MESSAGE, "the CRC does not match the bytes"));
    }
    if header.attributes.compression().is_none() {
        // Kafka does not expect it and has no better code.
        return Err((ErrorCode::UNKNOWN_SERVER_ERROR, "there is no such codec"));
    }
    if header.record_count <= 0 || header.last_offset_delta < 0 {
        return invalid("the batch is empty");
    }
    if i64::from(header.last_offset_delta) + 1 != i64::from(header.record_count) {
        return invalid("the last offset delta does not fit the number of records");
    }
    if header.attributes.is_control() {
        return invalid("clients must not write control batches");
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return invalid("a batch with a producer id needs a sequence");
    }
    Ok(())
}

/// Reads every record: they must be as many as the header says, and numbered from 0 on.
fn check_records(bytes: &Bytes) -> Result<(), Reason> {
    let invalid = |message| Err((ErrorCode::INVALID_RECORD, message));
    let limits = DecodeLimits::DEFAULT;
    let batch = RecordBatch::decode_with(&mut bytes.clone(), CrcCheck::Skip, &limits);
    let batch = match batch {
        Ok(batch) => batch,
        Err(error) if matches!(error.kind(), DecodeErrorKind::Compression(_)) => {
            let message = "the records cannot be decompressed";
            return Err((ErrorCode::UNKNOWN_SERVER_ERROR, message));
        }
        Err(_) => return invalid("the batch cannot be read"),
    };
    let mut count = 0;
    for record in &batch {
        match record {
            Ok(record) if record.offset == count => count += 1,
            Ok(_) => return invalid("the records are not numbered from 0 on"),
            Err(_) => return invalid("a record cannot be read"),
        }
    }
    Ok(())
}

fn early<T>(code: ErrorCode, message: &'static str) -> Result<T, Rejection> {
    Err(Rejection { code, message, stage: Stage::Partition })
}
