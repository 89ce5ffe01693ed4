//! The records of a batch, finished: they never change again, whatever header is put in front.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::{CompressionError, Compressor, RecordBatchHeader, Records};

/// The records of a batch in wire form, as chunks that are shared and never change.
///
/// Cheap to clone. The same body can be sent under one header after another: a retry with a new
/// producer epoch does not touch it.
#[derive(Debug, Clone)]
pub struct RecordBatchBody {
    chunks: Arc<[Bytes]>,
    len: usize,
    /// What is known of the records; the producer's fields are empty.
    header: RecordBatchHeader,
}

impl RecordBatchBody {
    /// A body over records that are described by `header`.
    pub(super) fn new(chunks: Vec<Bytes>, header: RecordBatchHeader) -> Self {
        let len = chunks.iter().map(Bytes::len).sum();
        Self { chunks: chunks.into(), len, header }
    }

    /// A header for this body, without producer id: set what is needed before writing it.
    ///
    /// Timestamps, counts and codec are those of the records.
    pub fn header(&self) -> RecordBatchHeader {
        self.header
    }

    /// Length in bytes, without the header.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of records.
    pub fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// The bytes, in order.
    pub fn chunks(&self) -> &[Bytes] {
        &self.chunks
    }

    /// The same records, compressed. What is compressed already stays as it is.
    ///
    /// # Errors
    /// If the codec is not built in, or fails.
    pub fn compress(&self, compressor: &mut Compressor) -> Result<Self, CompressionError> {
        let compression = compressor.options().codec();
        let attributes = self.header.attributes;
        if attributes.compression() != Some(super::Compression::None)
            || compression == super::Compression::None
        {
            return Ok(self.clone());
        }
        let compressed = compressor.compress_into_chunks(&self.chunks)?;
        let header = RecordBatchHeader {
            attributes: attributes.with_compression(compression),
            ..self.header
        };
        Ok(Self::new(compressed, header))
    }

    /// The whole batch as pieces that share this body.
    pub fn to_records(&self, header: &RecordBatchHeader) -> Records {
        let header = Bytes::copy_from_slice(&header.encode(self));
        std::iter::once(header).chain(self.chunks.iter().cloned()).collect()
    }

    /// The whole batch in one piece.
    pub fn to_bytes(&self, header: &RecordBatchHeader) -> Bytes {
        let mut bytes = BytesMut::with_capacity(RecordBatchHeader::LEN + self.len);
        bytes.extend_from_slice(&header.encode(self));
        self.chunks.iter().for_each(|chunk| bytes.extend_from_slice(chunk));
        bytes.freeze()
    }
}
