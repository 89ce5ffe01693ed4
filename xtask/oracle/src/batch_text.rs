//! Record batches as text lines, in the form in which `BatchText.java` tells what Java reads.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_protocol::records::{RecordBatch, RecordBatchHeader, TimestampType};

use crate::hex::to_hex;

/// A record on its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedRecord {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What our codec reads in one or more batches.
pub(crate) fn read(bytes: &Bytes) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let mut rest = bytes.clone();
    while !rest.is_empty() {
        let batch = RecordBatch::decode(&mut rest).context("we refuse it")?;
        lines.extend(facts(batch.header())?);
        for record in &batch {
            let record = record.context("we refuse a record")?;
            let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            let owned = OwnedRecord {
                timestamp: record.timestamp,
                key: own(record.key),
                value: own(record.value),
                headers: record.headers.map(|h| (h.key.to_owned(), own(h.value))).collect(),
            };
            lines.push(record_line(record.offset, &owned));
        }
    }
    lines.push(hex_line(bytes));
    Ok(lines)
}

/// What is in a header.
pub(crate) fn facts(header: &RecordBatchHeader) -> Result<Vec<String>> {
    let attributes = header.attributes;
    let codec = attributes.compression().context("no known codec")?;
    let timestamp_type = match attributes.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    };
    let horizon = header.delete_horizon_ms();
    Ok(vec![
        "magic: 2".to_owned(),
        format!("base_offset: {}", header.base_offset),
        format!("last_offset: {}", header.last_offset()),
        format!("size_bytes: {}", header.batch_length + 12),
        format!("partition_leader_epoch: {}", header.partition_leader_epoch),
        format!("crc: {:08x}", header.crc),
        format!("codec: {codec}"),
        format!("timestamp_type: {timestamp_type}"),
        format!("transactional: {}", attributes.is_transactional()),
        format!("control: {}", attributes.is_control()),
        format!("delete_horizon_ms: {}", horizon.map_or("none".to_owned(), |ms| ms.to_string())),
        format!("base_timestamp: {}", header.base_timestamp),
        format!("max_timestamp: {}", header.max_timestamp),
        format!("producer_id: {}", header.producer_id),
        format!("producer_epoch: {}", header.producer_epoch),
        format!("base_sequence: {}", header.base_sequence),
        format!("last_sequence: {}", header.last_sequence()),
        format!("record_count: {}", header.record_count),
    ])
}

pub(crate) fn record_line(offset: i64, record: &OwnedRecord) -> String {
    let header = |(key, value): &(String, Option<Vec<u8>>)| {
        format!("{}={}", bytes_text(Some(key.as_bytes())), bytes_text(value.as_deref()))
    };
    let headers: Vec<String> = record.headers.iter().map(header).collect();
    format!(
        "record: offset={offset} timestamp={} key={} value={} headers=[{}]",
        record.timestamp,
        bytes_text(record.key.as_deref()),
        bytes_text(record.value.as_deref()),
        headers.join(",")
    )
}

pub(crate) fn hex_line(bytes: &[u8]) -> String {
    format!("hex: {}", to_hex(bytes))
}

/// Fails at the first line that differs.
pub(crate) fn compare(ours: &[String], java: &str) -> Result<()> {
    let java: Vec<&str> = java.lines().filter(|line| !line.starts_with('#')).collect();
    for (ours, java) in ours.iter().zip(&java) {
        ensure!(ours == java, "\n  ours {ours}\n  Java {java}");
    }
    ensure!(ours.len() == java.len(), "{} lines are ours, {} Java's", ours.len(), java.len());
    Ok(())
}

/// `null`, or hex, or `hex*count` for a long repetition of a short piece.
fn bytes_text(bytes: Option<&[u8]>) -> String {
    let Some(bytes) = bytes else { return "null".to_owned() };
    if bytes.len() > LONGEST_PLAIN {
        let is_period = |period: &usize| {
            bytes.len().is_multiple_of(*period)
                && bytes.iter().eq(bytes.iter().cycle().skip(*period).take(bytes.len()))
        };
        if let Some(period) = (1..=bytes.len() / 2).find(is_period) {
            return format!("{}*{}", to_hex(&bytes[..period]), bytes.len() / period);
        }
    }
    to_hex(bytes)
}

/// As in `BatchText.java`.
const LONGEST_PLAIN: usize = 400;
