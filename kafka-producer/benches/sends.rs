//! The ways to send, beside each other: the delivery dropped, awaited later, or a callback. A whole
//! producer over loopback, to a broker in this process that keeps nothing. It prints a table:
//! `cargo bench -p kafka-producer --bench sends`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kafka_mock::{MockCluster, MockConfig, MockServer};
use kafka_producer::{Delivery, Producer, Record};
use tokio::runtime::{Builder, Runtime};

#[derive(Debug, Clone, Copy)]
enum Way {
    Dropped,
    Awaited,
    Callback,
}

/// What a round took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
}

fn main() {
    let brokers = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let brokers = brokers.expect("a runtime");
    let server = serve(&brokers);
    let callers = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let producer = Producer::builder().bootstrap_servers(&server.bootstrap_servers()).build();
    let producer = producer.expect("a producer");
    let mut costs: [Vec<Cost>; WAYS.len()] = Default::default();
    // Made once: what is measured is sending, not new memory.
    let mut deliveries = VecDeque::with_capacity(AWAITED_MAX);
    callers.block_on(async {
        send(&producer, Way::Dropped, &mut deliveries).await;
        // In turn, so that whatever else the machine does is shared among them.
        for _ in 0..ROUNDS {
            for (way, costs) in WAYS.into_iter().zip(&mut costs) {
                let (began, cpu) = (now(), cpu_seconds());
                send(&producer, way, &mut deliveries).await;
                let wall = began.elapsed().as_secs_f64();
                costs.push(Cost { wall, cpu: cpu_seconds() - cpu });
            }
        }
        producer.close(Duration::from_secs(10)).await.expect("all is written");
    });
    report(&costs);
}

fn serve(runtime: &Runtime) -> MockServer {
    let mut cluster = MockCluster::new(MockConfig::new().brokers(1).discard(true).check_crc(false));
    cluster.create_topic(TOPIC, 6).expect("a topic");
    let _inside = runtime.enter();
    MockServer::start(cluster).expect("a port")
}

async fn send(producer: &Producer, way: Way, deliveries: &mut VecDeque<Delivery>) {
    let value = [b'x'; 100];
    let called = Arc::new(AtomicU64::new(0));
    for _ in 0..RECORDS {
        let record = Record::new(TOPIC, &value);
        match way {
            Way::Dropped => drop(producer.send(record).await.expect("accepted")),
            Way::Awaited => {
                if deliveries.len() == AWAITED_MAX {
                    let oldest = deliveries.pop_front().expect("the oldest");
                    oldest.await.expect("written");
                }
                deliveries.push_back(producer.send(record).await.expect("accepted"));
            }
            Way::Callback => {
                let called = Arc::clone(&called);
                let callback = move |_| {
                    called.fetch_add(1, Ordering::Relaxed);
                };
                producer.send_with(record, callback).await.expect("accepted");
            }
        }
    }
    producer.flush().await.expect("written");
    for delivery in deliveries.drain(..) {
        delivery.await.expect("written");
    }
    while matches!(way, Way::Callback) && called.load(Ordering::Relaxed) < RECORDS {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn report(costs: &[Vec<Cost>]) {
    println!("{RECORDS} records of 100 B a round, medians of {ROUNDS}, broker and all threads:");
    println!("  delivery    ns a record        CPU, ns");
    let medians: Vec<_> = costs
        .iter()
        .map(|costs| {
            let median = |of: fn(&Cost) -> f64| {
                let mut all: Vec<f64> = costs.iter().map(of).collect();
                all.sort_by(f64::total_cmp);
                all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
            };
            Cost { wall: median(|cost| cost.wall), cpu: median(|cost| cost.cpu) }
        })
        .collect();
    for (way, cost) in WAYS.iter().zip(&medians) {
        let each = |seconds: f64| seconds * 1e9 / RECORDS as f64;
        let (wall, cpu) = (cost.wall / medians[0].wall, cost.cpu / medians[0].cpu);
        let name = format!("{way:?}").to_lowercase();
        println!(
            "  {name:<8} {:>8.0} ({wall:.2}) {:>8.0} ({cpu:.2})",
            each(cost.wall),
            each(cost.cpu)
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench is where time comes from")]
fn now() -> Instant {
    Instant::now()
}

/// User and system time of this process; 0 where the system does not tell it this way.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

const WAYS: [Way; 3] = [Way::Dropped, Way::Awaited, Way::Callback];
const TOPIC: &str = "sent";
const ROUNDS: usize = 7;
const RECORDS: u64 = 1_000_000;
/// Deliveries that are kept before the oldest is awaited: of more records than `buffer.memory` holds, so
/// that it is memory that ends the waiting, as it does for those that are dropped.
const AWAITED_MAX: usize = 400_000;
