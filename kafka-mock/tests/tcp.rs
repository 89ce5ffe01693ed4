//! The cluster behind its listeners, with plain sockets as clients.
#![cfg(feature = "tcp")]

use std::io;
use std::time::Duration;

use bytes::Bytes;
use kafka_mock::{BrokerId, FaultAction, FaultRule, MockCluster, MockConfig, MockServer};
use kafka_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchTopic};
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use kafka_protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kafka_protocol::messages::{ApiVersionsRequest, InitProducerIdRequest};
use kafka_protocol::records::{RecordBatchBuilder, RecordBatches};
use kafka_protocol::{DecodeLimits, ErrorCode, Frame, Request, decode_response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    async fn connect(server: &MockServer, broker: usize) -> Self {
        let stream = TcpStream::connect(server.addresses()[broker - 1].1).await.unwrap();
        Self { stream, correlation_id: 0 }
    }

    async fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        let frame = Frame::request(request, version, self.correlation_id, None).unwrap();
        self.stream.write_all(&frame.into_bytes()).await.unwrap();
    }

    async fn receive<R: Request>(&mut self, version: i16) -> io::Result<(i32, R::Response)> {
        let len = self.stream.read_i32().await?;
        let mut frame = vec![0; len as usize];
        self.stream.read_exact(&mut frame).await?;
        let limits = DecodeLimits::default();
        let (header, response) =
            decode_response::<R>(Bytes::from(frame), version, &limits).unwrap();
        Ok((header.correlation_id, response))
    }

    async fn ask<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.send(request, version).await;
        let (correlation_id, response) = self.receive::<R>(version).await.unwrap();
        assert_eq!(correlation_id, self.correlation_id);
        response
    }

    async fn expect_close(&mut self) {
        let mut rest = Vec::new();
        // A reset counts as well: there may be bytes that nobody read.
        let _ = self.stream.read_to_end(&mut rest).await;
        assert_eq!(rest, b"");
    }
}

fn start(config: MockConfig) -> MockServer {
    let mut cluster = MockCluster::new(config);
    cluster.create_topic("t", 3).unwrap();
    MockServer::start(cluster).unwrap()
}

fn produce(partition: i32, id: i64, sequence: i32, value: &str) -> ProduceRequest {
    let mut builder = RecordBatchBuilder::new();
    builder.append(0, None, Some(value.as_bytes()), &[]).unwrap();
    let body = builder.finish();
    let mut header = body.header();
    (header.producer_id, header.producer_epoch, header.base_sequence) = (id, 0, sequence);
    let records = Some(body.to_records(&header));
    let partition = PartitionProduceData { index: partition, records, ..Default::default() };
    let topic = TopicProduceData {
        name: "t".into(),
        partition_data: vec![partition],
        ..Default::default()
    };
    ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() }
}

fn fetch(partition: i32, max_wait_ms: i32) -> FetchRequest {
    let partition =
        FetchPartition { partition, partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() };
    FetchRequest { max_wait_ms, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

#[tokio::test]
async fn a_client_finds_its_way_and_reads_back_what_it_wrote() {
    let server = start(MockConfig::new());
    let mut client = Client::connect(&server, 1).await;
    let versions = client.ask(&ApiVersionsRequest::default(), 0).await;
    assert_eq!(versions.error_code, ErrorCode::NONE);

    let topic = MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let metadata = client.ask(&request, 12).await;
    let announced: Vec<String> =
        metadata.brokers.iter().map(|broker| format!("{}:{}", broker.host, broker.port)).collect();
    assert_eq!(announced.join(","), server.bootstrap_servers());

    let init = InitProducerIdRequest { transactional_id: None, ..Default::default() };
    let id = client.ask(&init, 4).await.producer_id;
    for (sequence, value) in [(0, "a"), (1, "b"), (0, "a")] {
        client.ask(&produce(0, id, sequence, value), 9).await;
    }
    let mut response = client.ask(&fetch(0, 0), 12).await;
    let records = response.responses.remove(0).partitions.remove(0).records.unwrap();
    let batches: Vec<_> = RecordBatches::new(&records).map(Result::unwrap).collect();
    let values: Vec<_> = batches
        .iter()
        .flat_map(|batch| batch.iter().map(|record| record.unwrap().value.unwrap().to_vec()))
        .collect();
    assert_eq!(values, [b"a", b"b"]);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_write_at_once_and_nothing_is_lost() {
    let server = start(MockConfig::new());
    let mut clients = Vec::new();
    for number in 0..8_i64 {
        let mut client = Client::connect(&server, (number % 3) as usize + 1).await;
        clients.push(tokio::spawn(async move {
            // All are sent before any answer is read.
            for sequence in 0..50 {
                client.send(&produce((number % 3) as i32, number, sequence, "x"), 9).await;
            }
            for expected in 1..=50 {
                let (id, response) = client.receive::<ProduceRequest>(9).await.unwrap();
                assert_eq!(id, expected);
                let partition = &response.responses[0].partition_responses[0];
                assert_eq!(partition.error_code, ErrorCode::NONE);
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(server.with_cluster(|cluster| cluster.counters().records), 400);
    for partition in 0..3 {
        let records = server.with_cluster(|cluster| cluster.records("t", partition)).unwrap();
        for number in 0..8 {
            let of_one = records.iter().filter(|record| record.producer_id == number);
            let sequences: Vec<i32> = of_one.map(|record| record.sequence).collect();
            assert!(sequences.is_empty() || sequences.iter().copied().eq(0..50));
        }
    }
}

#[tokio::test]
async fn a_fetch_on_one_connection_is_woken_by_another() {
    let server = start(MockConfig::new());
    let mut reader = Client::connect(&server, 1).await;
    let mut writer = Client::connect(&server, 1).await;
    reader.send(&fetch(0, 60_000), 12).await;
    // The fetch must be there before the batch is.
    while server.with_cluster(|cluster| cluster.counters().requests) == 0 {
        tokio::task::yield_now().await;
    }
    writer.ask(&produce(0, -1, -1, "a"), 9).await;
    let (_, response) = reader.receive::<FetchRequest>(12).await.unwrap();
    assert!(!response.responses[0].partitions[0].records.as_ref().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_due_later_comes_by_itself() {
    let server = start(MockConfig::new());
    let delay = FaultAction::Delay(Duration::from_secs(5));
    server.with_cluster(|cluster| cluster.add_fault(FaultRule::new(delay)));
    let mut client = Client::connect(&server, 1).await;
    client.ask(&ApiVersionsRequest::default(), 0).await;
    // And a fetch whose wait is over.
    client.ask(&fetch(0, 2_000), 12).await;
}

#[tokio::test]
async fn faults_reach_the_socket() {
    let server = start(MockConfig::new());
    for (action, stored) in [(FaultAction::CloseBefore, 0), (FaultAction::CloseAfter, 1)] {
        let mut client = Client::connect(&server, 1).await;
        server.with_cluster(|cluster| cluster.add_fault(FaultRule::new(action)));
        client.send(&produce(0, -1, -1, "a"), 9).await;
        client.expect_close().await;
        let end = server.with_cluster(|cluster| cluster.offsets("t", 0)).unwrap().end;
        assert_eq!(end, stored);
    }
    let mut client = Client::connect(&server, 1).await;
    let rule = FaultRule::new(FaultAction::Hold);
    let rule = server.with_cluster(|cluster| cluster.add_fault(rule));
    client.send(&ApiVersionsRequest::default(), 0).await;
    while server.with_cluster(|cluster| cluster.fault_count()) > 0 {
        tokio::task::yield_now().await;
    }
    let now = tokio::time::Instant::now().into_std();
    assert_eq!(server.with_cluster(|cluster| cluster.release(now, Some(rule))), 1);
    client.receive::<ApiVersionsRequest>(0).await.unwrap();
}

#[tokio::test]
async fn hostile_bytes_close_their_connection_and_no_other() {
    let server = start(MockConfig::new().request_max_bytes(1000));
    let mut other = Client::connect(&server, 1).await;
    for bytes in [
        &b"\x7f\xff\xff\xff"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\x03\xe9 one byte too many is announced",
        b"\0\0\0\0",
        b"\0\0\0\x04\x7f\xff\0\0",
    ] {
        let mut client = Client::connect(&server, 1).await;
        client.stream.write_all(bytes).await.unwrap();
        client.expect_close().await;
    }
    other.ask(&ApiVersionsRequest::default(), 0).await;
}

#[tokio::test]
async fn a_server_that_is_gone_closes_everything() {
    let server = start(MockConfig::new().brokers(1));
    let address = server.addresses()[0].1;
    let mut client = Client::connect(&server, 1).await;
    client.ask(&ApiVersionsRequest::default(), 0).await;
    server.shutdown().await;
    client.expect_close().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_broker_goes_down_and_comes_up_at_the_same_address() {
    let mut server = start(MockConfig::new());
    let mut down = Client::connect(&server, 1).await;
    let mut other = Client::connect(&server, 2).await;
    for client in [&mut down, &mut other] {
        client.ask(&ApiVersionsRequest::default(), 0).await;
    }
    let address = server.addresses()[0].1;
    server.stop_broker(BrokerId(1)).await;
    server.stop_broker(BrokerId(1)).await;
    down.expect_close().await;
    assert!(TcpStream::connect(address).await.is_err());
    other.ask(&ApiVersionsRequest::default(), 0).await;
    server.start_broker(BrokerId(1)).unwrap();
    server.start_broker(BrokerId(1)).unwrap();
    assert!(server.start_broker(BrokerId(9)).is_err());
    let mut up = Client::connect(&server, 1).await;
    up.ask(&ApiVersionsRequest::default(), 0).await;
}

#[tokio::test]
async fn a_port_may_be_chosen_and_leaders_are_where_they_say() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut cluster = MockCluster::new(MockConfig::new().brokers(2));
    cluster.create_topic("t", 2).unwrap();
    let server = MockServer::start_on(cluster, &[free]).unwrap();
    assert_eq!(server.addresses()[0].1.port(), free);
    let mut client = Client::connect(&server, 2).await;
    let code = |response: kafka_protocol::messages::ProduceResponse| {
        response.responses[0].partition_responses[0].error_code
    };
    let moved = client.ask(&produce(0, -1, -1, "a"), 9).await;
    assert_eq!(code(moved), ErrorCode::NOT_LEADER_OR_FOLLOWER);
    server.with_cluster(|cluster| cluster.move_leader("t", 0, Some(BrokerId(2))));
    assert_eq!(code(client.ask(&produce(0, -1, -1, "a"), 9).await), ErrorCode::NONE);
}

/// Brokers as a client is told of them, by the one that it is connected to.
async fn told(client: &mut Client) -> Vec<(i32, i32)> {
    let brokers = client.ask(&MetadataRequest::default(), 12).await.brokers;
    brokers.iter().map(|broker| (broker.node_id, broker.port)).collect()
}

fn listening(server: &MockServer) -> Vec<(i32, i32)> {
    server.addresses().iter().map(|(id, address)| (id.0, i32::from(address.port()))).collect()
}

#[tokio::test]
async fn an_added_broker_listens_and_a_removed_one_is_gone() {
    let mut server = start(MockConfig::new().brokers(2));
    let address = server.add_broker(BrokerId(7)).unwrap();
    assert!(server.add_broker(BrokerId(7)).is_err());
    let mut added = Client::connect(&server, 3).await;
    assert_eq!(told(&mut added).await, listening(&server));
    assert!(server.bootstrap_servers().ends_with(&address.to_string()));
    server.with_cluster(|cluster| cluster.move_leader("t", 0, Some(BrokerId(7))));
    let answer = added.ask(&produce(0, -1, -1, "a"), 9).await;
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    let mut other = Client::connect(&server, 1).await;
    server.remove_broker(BrokerId(7)).await;
    server.remove_broker(BrokerId(7)).await;
    added.expect_close().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert!(server.start_broker(BrokerId(7)).is_err());
    assert_eq!(told(&mut other).await, listening(&server));
    assert_eq!(listening(&server).len(), 2);
    server.add_broker(BrokerId(7)).unwrap();
    Client::connect(&server, 3).await.ask(&ApiVersionsRequest::default(), 0).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_drained_broker_answers_what_is_under_way_and_takes_no_new_connections() {
    let mut server = start(MockConfig::new());
    let address = server.addresses()[1].1;
    let mut client = Client::connect(&server, 2).await;
    let mut idle = Client::connect(&server, 2).await;
    idle.ask(&ApiVersionsRequest::default(), 0).await;
    let hold = FaultRule::new(FaultAction::Hold);
    server.with_cluster(|cluster| cluster.add_fault(hold));
    client.send(&produce(1, -1, -1, "a"), 9).await;
    while server.with_cluster(|cluster| cluster.fault_count()) > 0 {
        tokio::task::yield_now().await;
    }
    server.drain_broker(BrokerId(2));
    server.drain_broker(BrokerId(2));
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let now = tokio::time::Instant::now().into_std();
    server.with_cluster(|cluster| cluster.release(now, None));
    let (_, answer) = client.receive::<ProduceRequest>(9).await.unwrap();
    assert_eq!(answer.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    // It leads nothing any more, but it talks.
    assert_eq!(told(&mut client).await, listening(&server));
    server.shutdown().await;
    idle.expect_close().await;
}

#[tokio::test]
async fn a_broker_comes_back_at_another_port_and_says_so() {
    let mut server = start(MockConfig::new());
    let before = server.addresses()[0].1;
    let mut client = Client::connect(&server, 1).await;
    client.ask(&ApiVersionsRequest::default(), 0).await;
    let after = server.move_broker(BrokerId(1), 0).await.unwrap();
    assert_ne!(before, after);
    client.expect_close().await;
    assert!(TcpStream::connect(before).await.is_err());
    let mut client = Client::connect(&server, 1).await;
    assert_eq!(told(&mut client).await, listening(&server));
    assert_eq!(server.addresses()[0], (BrokerId(1), after));
    assert!(server.move_broker(BrokerId(9), 0).await.is_err());
}

#[tokio::test]
async fn closed_connections_are_closed_at_the_socket() {
    let server = start(MockConfig::new());
    let mut client = Client::connect(&server, 1).await;
    client.ask(&ApiVersionsRequest::default(), 0).await;
    let now = tokio::time::Instant::now().into_std();
    let closed = server.with_cluster(|cluster| cluster.close_connections(now, BrokerId(1)));
    assert_eq!(closed, 1);
    client.expect_close().await;
    Client::connect(&server, 1).await.ask(&ApiVersionsRequest::default(), 0).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_read_from_a_client_that_is_throttled() {
    let server = start(MockConfig::new());
    let throttle = FaultAction::Throttle(Duration::from_secs(60));
    server.with_cluster(|cluster| cluster.add_fault(FaultRule::new(throttle)));
    let mut client = Client::connect(&server, 1).await;
    let start = tokio::time::Instant::now();
    let answer = client.ask(&ApiVersionsRequest::default(), 1).await;
    assert_eq!((answer.throttle_time_ms, start.elapsed()), (60_000, Duration::ZERO));
    client.ask(&ApiVersionsRequest::default(), 0).await;
    assert!(start.elapsed() >= Duration::from_secs(60));
    let times: Vec<_> =
        server.with_cluster(|cluster| cluster.requests().map(|request| request.time).collect());
    assert!(times[1] - times[0] >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_slow_broker_holds_its_clients_back() {
    let server = start(MockConfig::new());
    server.with_cluster(|cluster| cluster.set_read_rate(BrokerId(1), Some(1000)));
    let mut client = Client::connect(&server, 1).await;
    let start = tokio::time::Instant::now();
    let value = "x".repeat(5000);
    for _ in 0..2 {
        client.send(&produce(0, -1, -1, &value), 9).await;
    }
    for (sent, at_least) in [(1, 5), (2, 10)] {
        client.receive::<ProduceRequest>(9).await.unwrap();
        assert!(start.elapsed() >= Duration::from_secs(at_least), "{sent}: {:?}", start.elapsed());
    }
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
}

#[test]
fn without_a_runtime_it_says_so() {
    assert!(MockServer::start(MockCluster::new(MockConfig::new())).is_err());
}
