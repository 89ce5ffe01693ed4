//! What is in a log, as any client can read it.

use kafka_protocol::ErrorCode;
use kafka_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use kafka_protocol::records::{RecordBatch, RecordBatches, TimestampType};

use crate::session::{Session, Topic};

/// Longer values are told by their length.
const VALUE_LEN_MAX: usize = 20;

impl Session<'_> {
    /// Lines with every batch of partition 0 at its leader, which is broker 1.
    pub(crate) fn log(&mut self, topic: &Topic) {
        self.log_of(topic, 0, 1);
    }

    /// Lines with every batch of a partition.
    pub(crate) fn log_of(&mut self, topic: &Topic, partition: i32, leader: i32) {
        self.steps += 1;
        let (start, end) = self.offsets(&topic.name, partition, leader).unwrap();
        let short = self.names.topic(&topic.name);
        self.lines.push(format!("log of {short}/{partition}: {start} to {end}"));
        let mut offset = start;
        while offset < end {
            let request = fetch_request(&topic.name, partition, offset);
            let mut answer = self.ask(leader, 12, &request);
            let found = answer.responses.remove(0).partitions.remove(0);
            assert_eq!(found.error_code, ErrorCode::NONE);
            let before = offset;
            for batch in RecordBatches::new(&found.records.unwrap_or_default()) {
                let batch = match batch {
                    Ok(batch) => batch,
                    Err(error) => return self.lines.push(format!("  not to be read: {error}")),
                };
                offset = batch.header().last_offset() + 1;
                let line = self.batch_line(&topic.name, partition, &batch);
                self.lines.push(line);
            }
            assert!(offset > before, "nothing to read at {offset} of {end}");
        }
    }

    /// First and last offset.
    pub(crate) fn offsets(
        &mut self,
        topic: &str,
        partition: i32,
        leader: i32,
    ) -> Result<(i64, i64), ErrorCode> {
        let [start, end] = [-2, -1].map(|timestamp| {
            let request = list_request(topic, partition, timestamp, -1);
            let answer = self.ask(leader, 4, &request).topics.remove(0).partitions.remove(0);
            if answer.error_code.is_none() { Ok(answer.offset) } else { Err(answer.error_code) }
        });
        Ok((start?, end?))
    }

    fn batch_line(&mut self, topic: &str, partition: i32, batch: &RecordBatch) -> String {
        let header = batch.header();
        let is_stamped = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let (first, last) = (header.base_offset, header.last_offset());
        let epoch = self.names.epoch(topic, partition, header.partition_leader_epoch);
        let mut line = format!("  {first}-{last} leader epoch {epoch}");
        if header.producer_id >= 0 {
            let id = self.names.producer(header.producer_id);
            line += &format!(" {id}/{} #{}", header.producer_epoch, header.base_sequence);
        }
        if let Some(codec) = header.attributes.compression() {
            line += &format!(" {codec:?}").to_lowercase();
        }
        let stamp = |time: i64| match time {
            time if is_stamped => {
                if time > 0 {
                    "now".to_owned()
                } else {
                    time.to_string()
                }
            }
            time => time.to_string(),
        };
        line += &format!(" latest {}:", stamp(header.max_timestamp));
        for record in batch {
            let record = record.unwrap();
            let (key, value) = (text(record.key), text(record.value));
            line += &format!(" {}@{}", record.offset, stamp(record.timestamp));
            line += &match record.key {
                None => format!(" {value}"),
                Some(_) => format!(" {key}={value}"),
            };
            for header in record.headers {
                line += &format!(" [{}={}]", header.key, text(header.value));
            }
        }
        line
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() > VALUE_LEN_MAX => format!("({} bytes)", bytes.len()),
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

pub(crate) fn fetch_request(topic: &str, partition: i32, offset: i64) -> FetchRequest {
    let partition = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: i32::MAX,
        ..Default::default()
    };
    let topic =
        FetchTopic { topic: topic.into(), partitions: vec![partition], ..Default::default() };
    FetchRequest {
        max_wait_ms: 0,
        max_bytes: i32::MAX,
        session_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    }
}

pub(crate) fn list_request(
    topic: &str,
    partition: i32,
    timestamp: i64,
    current_leader_epoch: i32,
) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition {
        partition_index: partition,
        current_leader_epoch,
        timestamp,
        ..Default::default()
    };
    let topic =
        ListOffsetsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() }
}
