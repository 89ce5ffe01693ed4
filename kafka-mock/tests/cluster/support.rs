//! A client of one cluster: typed requests in, typed responses out, through frames.

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_mock::{BrokerId, ConnectionId, MockCluster, MockConfig, Reply, ReplyAction};
use kafka_protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use kafka_protocol::records::{RecordBatchBuilder, RecordBatchHeader, Records};
use kafka_protocol::{DecodeLimits, Frame, Request, decode_response};

/// A cluster, a time that stands still until it is moved, and a connection to each broker.
pub(crate) struct Rig {
    pub(crate) cluster: MockCluster,
    pub(crate) now: Instant,
    correlation_id: i32,
}

impl Rig {
    /// A cluster with a topic `t` of three partitions, led by brokers 1, 2 and 3.
    pub(crate) fn new(config: MockConfig) -> Self {
        let mut cluster = MockCluster::new(config);
        cluster.create_topic("t", 3).unwrap();
        Self { cluster, now: origin(), correlation_id: 0 }
    }

    pub(crate) fn advance(&mut self, time: Duration) {
        self.now += time;
        self.cluster.handle_timeout(self.now);
    }

    /// Sends a request to a broker, on a connection of the same number.
    pub(crate) fn send<R: Request>(&mut self, broker: i32, request: &R, version: i16) -> i32 {
        self.send_on(broker as u64, broker, request, version)
    }

    pub(crate) fn send_on<R: Request>(
        &mut self,
        connection: u64,
        broker: i32,
        request: &R,
        version: i16,
    ) -> i32 {
        self.correlation_id += 1;
        let client = Some("test".into());
        let frame = Frame::request(request, version, self.correlation_id, client).unwrap();
        self.send_bytes(connection, broker, frame.into_bytes().slice(4..));
        self.correlation_id
    }

    pub(crate) fn send_bytes(&mut self, connection: u64, broker: i32, frame: Bytes) {
        let connection = ConnectionId(connection);
        self.cluster.handle_frame(self.now, BrokerId(broker), connection, frame);
    }

    pub(crate) fn replies(&mut self) -> Vec<Reply> {
        let replies = std::iter::from_fn(|| self.cluster.poll_reply(self.now)).collect();
        assert!(self.cluster.poll_timeout().is_none_or(|at| at > self.now), "the core spins");
        replies
    }

    /// Sends a request and reads its answer, which must come at once and alone.
    pub(crate) fn ask<R: Request>(
        &mut self,
        broker: i32,
        request: &R,
        version: i16,
    ) -> R::Response {
        let correlation_id = self.send(broker, request, version);
        let replies = self.replies();
        let [Reply { action: ReplyAction::Send(pieces), .. }] = &replies[..] else {
            panic!("expected one answer to {} v{version}: {replies:?}", R::NAME)
        };
        read::<R>(pieces, version, correlation_id)
    }

    /// Sends a request that must close its connection.
    pub(crate) fn ask_and_be_closed<R: Request>(&mut self, broker: i32, request: &R, version: i16) {
        self.send(broker, request, version);
        self.expect_close(broker);
    }

    pub(crate) fn expect_close(&mut self, broker: i32) {
        let connection = ConnectionId(broker as u64);
        assert_eq!(self.replies(), [Reply { connection, action: ReplyAction::Close }]);
        self.cluster.handle_disconnect(self.now, connection);
    }

    /// Produces to a partition of `t`, at the broker that leads it, with `acks=-1`.
    pub(crate) fn produce(&mut self, partition: i32, records: Records) -> PartitionProduceResponse {
        let request = produce_request("t", partition, records);
        only(self.ask(partition + 1, &request, 11))
    }

    pub(crate) fn values(&self, partition: i32) -> Vec<(i64, String)> {
        let records = self.cluster.records("t", partition).unwrap();
        let text = |value: Option<Bytes>| String::from_utf8(value.unwrap().into()).unwrap();
        records.into_iter().map(|record| (record.offset, text(record.value))).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "some instant to count from; it never moves")]
fn origin() -> Instant {
    Instant::now()
}

pub(crate) fn read<R: Request>(pieces: &[Bytes], version: i16, correlation_id: i32) -> R::Response {
    let bytes = Bytes::from(pieces.concat());
    let size = i32::from_be_bytes(bytes[..4].try_into().unwrap());
    assert_eq!(size as usize, bytes.len() - 4);
    let limits = DecodeLimits::default();
    let (header, response) = decode_response::<R>(bytes.slice(4..), version, &limits).unwrap();
    assert_eq!(header.correlation_id, correlation_id);
    response
}

pub(crate) fn produce_request(topic: &str, partition: i32, records: Records) -> ProduceRequest {
    let partition =
        PartitionProduceData { index: partition, records: Some(records), ..Default::default() };
    let topic = TopicProduceData {
        name: topic.into(),
        partition_data: vec![partition],
        ..Default::default()
    };
    ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() }
}

/// The answer for the only partition of a request.
pub(crate) fn only(response: ProduceResponse) -> PartitionProduceResponse {
    let mut partitions = response.responses.into_iter().flat_map(|topic| topic.partition_responses);
    let partition = partitions.next().unwrap();
    assert!(partitions.next().is_none());
    partition
}

/// A batch of these values, with timestamps 1000, 1001…, without a producer id.
pub(crate) fn batch(values: &[&str]) -> Records {
    batch_with(values, |_| {})
}

/// The same, of a producer: id, epoch, first sequence.
pub(crate) fn sequenced(values: &[&str], id: i64, epoch: i16, sequence: i32) -> Records {
    batch_with(values, |header| {
        (header.producer_id, header.producer_epoch, header.base_sequence) = (id, epoch, sequence);
    })
}

/// The same, with a header of one's own; its length and CRC are right whatever it is.
pub(crate) fn batch_with(values: &[&str], change: impl FnOnce(&mut RecordBatchHeader)) -> Records {
    let mut builder = RecordBatchBuilder::new();
    for (timestamp, value) in (1000..).zip(values) {
        builder.append(timestamp, None, Some(value.as_bytes()), &[]).unwrap();
    }
    let body = builder.finish();
    let mut header = body.header();
    change(&mut header);
    body.to_records(&header)
}
