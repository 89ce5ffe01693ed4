//! Encoding alone: bodies are there, a request is made of them.

use kafka_protocol::Frame;
use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use kafka_protocol::records::{RecordBatchBody, RecordBatchBuilder};

use crate::rig::TOPIC;

/// Bodies of batches, one a partition.
pub(crate) struct Bodies(Vec<RecordBatchBody>);

impl Bodies {
    pub(crate) fn new(partitions: i32, records: usize, value: &[u8]) -> Self {
        let body = |_| {
            let mut builder = RecordBatchBuilder::new();
            for timestamp in (0..).take(records) {
                builder.append(timestamp, None, Some(value), &[]).expect("it fits");
            }
            builder.finish()
        };
        Self((0..partitions).map(body).collect())
    }

    /// Headers with their checksums, and the frame around them.
    pub(crate) fn encode(&self) -> Frame {
        let partition = |(index, body): (i32, &RecordBatchBody)| PartitionProduceData {
            index,
            records: Some(body.to_records(&body.header())),
            ..PartitionProduceData::default()
        };
        let topic = TopicProduceData {
            name: TOPIC.into(),
            partition_data: (0..).zip(&self.0).map(partition).collect(),
            ..TopicProduceData::default()
        };
        let request = ProduceRequest {
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..ProduceRequest::default()
        };
        Frame::request(&request, VERSION, 1, Some("producer".into())).expect("it has a form")
    }
}

/// The last one with names of topics.
const VERSION: i16 = 12;
