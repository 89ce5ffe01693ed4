//! Record batches (magic 2): building, stamping, reading.
//!
//! ```text
//!  0 base offset            int64      21 attributes            int16
//!  8 batch length           int32      23 last offset delta     int32
//! 12 partition leader epoch int32      27 base timestamp        int64
//! 16 magic                  int8       35 max timestamp         int64
//! 17 CRC-32C of 21…end      uint32     43 producer id           int64
//!                                      51 producer epoch        int16
//!                                      53 base sequence         int32
//!                                      57 record count          int32
//! 61 records, compressed as one piece if the attributes say so
//! ```
//!
//! The header is kept apart from the records: a [`RecordBatchBuilder`] collects records into a
//! [`RecordBatchBody`], which never changes again, and a [`RecordBatchHeader`] is written for it when
//! producer id, epoch and sequence are known, and again when they change.
//!
//! ```
//! use kafka_protocol::records::{RecordBatch, RecordBatchBuilder, RecordHeader};
//!
//! let mut builder = RecordBatchBuilder::new();
//! builder.append(1_700_000_000_000, Some(b"key"), Some(b"value"), &[])?;
//! let trace = RecordHeader { key: "trace", value: Some(b"1") };
//! builder.append(1_700_000_000_001, None, Some(b"no key"), &[trace])?;
//! let body = builder.finish();
//! let bytes = body.to_bytes(&body.header());
//!
//! let batch = RecordBatch::decode(&mut bytes.clone())?;
//! for record in &batch {
//!     let record = record?;
//!     println!("{}: {:?} = {:?}", record.offset, record.key, record.value);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod body;
mod builder;
mod chunk_pool;
mod compression;
mod control;
mod header;
mod record;
mod rope;

pub use batch::{CrcCheck, RecordBatch, RecordBatches, RecordIter};
pub use body::RecordBatchBody;
pub use builder::{AppendError, RecordBatchBuilder};
pub use chunk_pool::ChunkPool;
pub use compression::{
    Compression, CompressionError, CompressionLevelError, CompressionOptions, Compressor,
    ParseCompressionError,
};
pub use control::ControlRecordType;
pub use header::{BatchAttributes, RecordBatchHeader, TimestampType};
pub use record::{Record, RecordHeader, RecordHeaders};
pub use rope::Records;
