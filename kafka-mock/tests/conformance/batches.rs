//! Batches to send, the wrong ones too.

use kafka_protocol::records::{
    Compression, Compressor, RecordBatchBody, RecordBatchBuilder, RecordBatchHeader, Records,
};

/// A batch in the making.
pub(crate) struct Batch {
    body: RecordBatchBody,
    header: RecordBatchHeader,
}

/// A batch of these values, with timestamps 1000, 1001…, without keys and producer id.
pub(crate) fn batch(values: &[&str]) -> Batch {
    let mut builder = RecordBatchBuilder::new();
    for (timestamp, value) in (1000..).zip(values) {
        builder.append(timestamp, None, Some(value.as_bytes()), &[]).unwrap();
    }
    Batch::new(builder)
}

impl Batch {
    pub(crate) fn new(builder: RecordBatchBuilder) -> Self {
        let body = builder.finish();
        let header = body.header();
        Self { body, header }
    }

    pub(crate) fn producer(self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.header(|header| {
            (header.producer_id, header.producer_epoch, header.base_sequence) =
                (id, epoch, sequence);
        })
    }

    /// Changes the header; length and CRC are right whatever it is.
    pub(crate) fn header(mut self, change: impl FnOnce(&mut RecordBatchHeader)) -> Self {
        change(&mut self.header);
        self
    }

    pub(crate) fn transactional(self) -> Self {
        self.header(|header| header.attributes = header.attributes.with_transactional(true))
    }

    pub(crate) fn compressed(self, codec: Compression) -> Self {
        let body = self.body.compress(&mut Compressor::new(codec.into())).unwrap();
        let attributes = self.header.attributes.with_compression(codec);
        Self { body, header: self.header }.header(|header| header.attributes = attributes)
    }

    pub(crate) fn records(&self) -> Records {
        self.body.to_records(&self.header)
    }

    /// The bytes as `change` leaves them.
    pub(crate) fn edited(&self, change: impl FnOnce(&mut Vec<u8>)) -> Records {
        let mut bytes = self.records().to_bytes().to_vec();
        change(&mut bytes);
        bytes::Bytes::from(bytes).into()
    }

    /// The same, with a CRC that is right again.
    pub(crate) fn edited_and_sealed(&self, change: impl FnOnce(&mut Vec<u8>)) -> Records {
        self.edited(|bytes| {
            change(bytes);
            let crc = crc32c::crc32c(&bytes[CRC_COUNTS_FROM..]);
            bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
        })
    }
}

/// Where things are in a batch.
pub(crate) const LENGTH_AT: usize = 8;
pub(crate) const EPOCH_AT: usize = 12;
pub(crate) const MAGIC_AT: usize = 16;
pub(crate) const CRC_AT: usize = 17;
const CRC_COUNTS_FROM: usize = 21;
/// The first record: its length, attributes, timestamp delta, offset delta, each a byte if small.
pub(crate) const RECORDS_AT: usize = 61;
