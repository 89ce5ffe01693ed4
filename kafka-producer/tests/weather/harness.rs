//! A cluster, a producer with short times, peers written by hand, and words to be found.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kafka_mock::{BrokerId, FaultAction, FaultId, FaultRule, MockCluster, MockConfig, MockServer};
use kafka_producer::{Delivery, ProduceError, Producer, ProducerBuilder, Record, SendError};
use kafka_protocol::ApiKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Runtime;

/// One sentence about the producer. What hangs fails after a while, and says so.
macro_rules! weather {
    ($(async fn $name:ident() $body:block)+) => {$(
        #[test]
        fn $name() {
            $crate::harness::run(stringify!($name), async $body);
        }
    )+};
}

/// The message has all these parts.
macro_rules! assert_says {
    ($error:expr, $($part:expr),+ $(,)?) => {{
        let message = $error.to_string();
        $(assert!(message.contains($part), "{:?} is missing in: {message}", $part);)+
    }};
}

thread_local! {
    /// Where the servers of this thread's test were.
    static USED: RefCell<Vec<SocketAddr>> = const { RefCell::new(Vec::new()) };
}

/// No test takes that long, on a machine that is busy with others either.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn run(name: &str, test: impl Future<Output = ()>) {
    let runtime = runtime();
    let result = runtime.block_on(async { tokio::time::timeout(PATIENCE, test).await });
    runtime.shutdown_timeout(Duration::from_secs(1));
    // Producers that were dropped go on in the background: no other test may get them as clients.
    for address in USED.take() {
        std::mem::forget(hold(address));
    }
    assert!(result.is_ok(), "{name}: still waiting after {PATIENCE:?}");
}

/// A runtime with one thread of its own.
pub(crate) fn runtime() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_all().build().expect("a runtime")
}

/// One broker; topics come into being with one partition.
pub(crate) fn server() -> MockServer {
    server_of(MockConfig::new().brokers(1).default_partitions(1))
}

pub(crate) fn server_of(config: MockConfig) -> MockServer {
    let server = MockServer::start(MockCluster::new(config)).expect("a port");
    USED.with_borrow_mut(|used| used.extend(server.addresses().iter().map(|(_, at)| *at)));
    server
}

/// Takes the broker down, and keeps its port from other tests until it is up again.
pub(crate) async fn stop(server: &mut MockServer) -> Option<TcpSocket> {
    server.stop_broker(FIRST).await;
    hold(server.addresses()[0].1)
}

/// Keeps a port from everybody who takes any; who connects to it is refused.
pub(crate) fn hold(address: SocketAddr) -> Option<TcpSocket> {
    let socket = TcpSocket::new_v4().expect("a socket");
    // Whoever asks for this very port still gets it.
    socket.set_reuseaddr(true).expect("an option that every socket has");
    socket.bind(address).is_ok().then_some(socket)
}

/// A producer that gives up soon and tries again at once.
pub(crate) fn builder(server: &MockServer) -> ProducerBuilder {
    builder_at(&server.bootstrap_servers())
}

pub(crate) fn builder_at(servers: &str) -> ProducerBuilder {
    Producer::builder()
        .bootstrap_servers(servers)
        .set("linger.ms", "0")
        .set("max.block.ms", "10000")
        .set("request.timeout.ms", "10000")
        .set("delivery.timeout.ms", "10000")
        .set("retry.backoff.ms", "10")
        .set("retry.backoff.max.ms", "50")
        .set("reconnect.backoff.ms", "10")
        .set("reconnect.backoff.max.ms", "50")
}

/// A producer for which the topic `orders` is known already.
pub(crate) async fn ready(server: &MockServer, builder: ProducerBuilder) -> Producer {
    let producer = builder.build().expect("a producer");
    producer.partitions_for("orders").await.expect("orders");
    assert!(server.with_cluster(|cluster| cluster.partition_count("orders")).is_some());
    producer
}

/// Sends a record to `orders`, and gives what will become of it.
pub(crate) async fn send(producer: &Producer, value: &str) -> Delivery {
    producer.send(Record::new("orders", value)).await.expect("accepted")
}

/// Sends a record to `orders` and waits until it is written.
pub(crate) async fn deliver(producer: &Producer, value: &str) {
    send(producer, value).await.await.expect("written");
}

/// Why a record for `orders` is not accepted.
pub(crate) async fn refusal(producer: &Producer) -> SendError {
    producer.send(Record::new("orders", "value")).await.expect_err("should not be accepted")
}

/// Why an accepted record failed.
pub(crate) async fn failure(delivery: Delivery) -> ProduceError {
    delivery.await.expect_err("should not be delivered")
}

/// The values in all partitions of `orders`, ascending.
pub(crate) fn values(server: &MockServer) -> Vec<String> {
    let records = server.with_cluster(|cluster| {
        let partitions = 0..cluster.partition_count("orders").unwrap_or(0) as i32;
        partitions.flat_map(|index| cluster.records("orders", index).unwrap()).collect::<Vec<_>>()
    });
    let mut values: Vec<String> = records
        .iter()
        .map(|record| String::from_utf8_lossy(record.value.as_deref().unwrap_or(b"")).into_owned())
        .collect();
    values.sort();
    values
}

pub(crate) fn fault(server: &MockServer, rule: FaultRule) -> FaultId {
    server.with_cluster(|cluster| cluster.add_fault(rule))
}

/// What happens to every Produce request from now on.
pub(crate) fn fault_produce(server: &MockServer, action: FaultAction) -> FaultId {
    fault(server, FaultRule::new(action).api(ApiKey::PRODUCE).always())
}

/// Lets everything go that is held, and holds no more.
pub(crate) fn release(server: &MockServer) {
    server.with_cluster(|cluster| {
        cluster.clear_faults();
        cluster.release(Instant::now(), None);
    });
}

/// How many requests of this API the cluster has seen.
pub(crate) fn requests(server: &MockServer, api: ApiKey) -> usize {
    server.with_cluster(|cluster| cluster.requests().filter(|seen| seen.api == api).count())
}

/// Waits until something is so.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const FIRST: BrokerId = BrokerId(1);

/// A peer written by hand: each connection is handed over with its number.
pub(crate) async fn peer<F>(handle: impl Fn(usize, TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    USED.with_borrow_mut(|used| used.push(address));
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else { break };
            tokio::spawn(handle(number, stream));
        }
    });
    address
}

/// A peer that answers the first request of each connection with these bytes, and hangs up.
pub(crate) async fn peer_that_says(answer: &'static [u8]) -> SocketAddr {
    peer(move |_, mut stream| async move {
        read_frame(&mut stream).await?;
        stream.write_all(answer).await?;
        stream.shutdown().await
    })
    .await
}

/// The frame of a request, without its size.
pub(crate) async fn read_frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let size = stream.read_u32().await?;
    let mut frame = vec![0; size as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}
