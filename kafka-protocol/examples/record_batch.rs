//! Builds a compressed record batch, sends it nowhere, and reads it again.
//!
//! `cargo run -p kafka-protocol --features zstd --example record_batch`

use std::error::Error;

use kafka_protocol::records::{
    Compression, CompressionOptions, Compressor, RecordBatch, RecordBatchBuilder, RecordHeader,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = RecordBatchBuilder::new();
    for n in 0..1000 {
        let key = format!("order-{}", n % 10);
        let value = format!("{{\"order\": {n}, \"state\": \"paid\"}}");
        let source = RecordHeader { key: "source", value: Some(b"example") };
        builder.append(
            1_700_000_000_000 + n,
            Some(key.as_bytes()),
            Some(value.as_bytes()),
            &[source],
        )?;
    }
    let body = builder.finish();
    let plain_len = body.len();
    let mut compressor = Compressor::new(CompressionOptions::from(Compression::Zstd));
    let body = body.compress(&mut compressor)?;

    // An idempotent producer knows these only when it sends the batch.
    let mut header = body.header();
    header.producer_id = 4711;
    header.producer_epoch = 0;
    header.base_sequence = 0;
    let mut bytes = body.to_bytes(&header);
    println!("1000 records: {plain_len} bytes, as a zstd batch {} bytes", bytes.len());

    let batch = RecordBatch::decode(&mut bytes)?;
    println!("{:#?}", batch.header());
    for record in batch.iter().take(3) {
        let record = record?;
        let text =
            |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or(b"null")).into_owned();
        println!("{}: {} = {}", record.offset, text(record.key), text(record.value));
    }
    Ok(())
}
