//! Whoever is slow to look at deliveries holds up nobody but himself.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kafka_mock::{MockCluster, MockConfig, MockServer};
use kafka_producer::{Delivery, Producer, Record};

fn written(server: &MockServer) -> i64 {
    let offsets = server.with_cluster(|cluster| cluster.offsets("orders", 0));
    offsets.expect("the topic").end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_slow_consumer_of_deliveries_never_slows_the_io() {
    let mut cluster = MockCluster::new(MockConfig::new().brokers(1));
    cluster.create_topic("orders", 1).expect("a topic");
    let server = MockServer::start(cluster).expect("a port");
    // A small part of all records: without it going on, none would be accepted any more.
    let builder = Producer::builder()
        .bootstrap_servers(&server.bootstrap_servers())
        .set("buffer.memory", "200000");
    let producer = builder.build().expect("a producer");
    let (deliveries, consumed) = mpsc::channel::<Delivery>();
    let (go_on, gate) = mpsc::channel::<()>();
    #[expect(clippy::disallowed_methods, reason = "it blocks, and keeps nobody else from going on")]
    let consumer = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let next = || consumed.recv().ok().map(|delivery| runtime.block_on(delivery));
        assert!(next().is_some_and(|outcome| outcome.is_ok()), "the first is written");
        gate.recv().expect("told to go on");
        std::iter::from_fn(next).filter(Result::is_ok).count()
    });
    let value = [0; 1000];
    let send_all = async {
        for _ in 0..RECORDS {
            let delivery = producer.send(Record::new("orders", &value)).await.expect("accepted");
            deliveries.send(delivery).expect("the consumer is there");
        }
        producer.flush().await.expect("written");
    };
    tokio::time::timeout(PATIENCE, send_all).await.expect("the I/O goes on");
    assert_eq!(written(&server), RECORDS);
    go_on.send(()).expect("the consumer is there");
    drop(deliveries);
    assert_eq!(consumer.join().expect("a count"), RECORDS as usize - 1);
}

const RECORDS: i64 = 2_000;
/// Nothing takes that long, on a machine that is busy with others either.
const PATIENCE: Duration = Duration::from_secs(20);
