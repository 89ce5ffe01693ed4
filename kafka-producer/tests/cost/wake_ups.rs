//! How often the I/O task wakes. The clock is paused and moved by hand, so that a busy machine changes
//! nothing: what comes later than it should is seen together with what comes next, and wakes less often.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use kafka_mock::{MockCluster, MockConfig, MockServer};
use kafka_producer::{Producer, Record};

/// A task, and how often it was polled.
struct Counted<F> {
    task: Pin<Box<F>>,
    polls: Arc<AtomicUsize>,
}

impl<F: Future> Future for Counted<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.task.as_mut().poll(cx)
    }
}

/// A producer over a broker, all on this thread, that has sent something already.
struct World {
    producer: Producer,
    server: MockServer,
    polls: Arc<AtomicUsize>,
}

impl World {
    async fn new(linger_ms: &str) -> Self {
        let mut cluster = MockCluster::new(MockConfig::new().brokers(1));
        cluster.create_topic("orders", 1).expect("a topic");
        let server = MockServer::start(cluster).expect("a port");
        let builder = Producer::builder()
            .bootstrap_servers(&server.bootstrap_servers())
            .set("linger.ms", linger_ms);
        let (producer, task) = builder.build_with_task().expect("a producer");
        let polls = Arc::new(AtomicUsize::new(0));
        tokio::spawn(Counted { task: Box::pin(task), polls: Arc::clone(&polls) });
        let world = Self { producer, server, polls };
        while world.producer.try_send(Record::new("orders", "first")).is_err() {
            world.turns().await;
        }
        while world.written() < 1 {
            world.pass(1).await;
        }
        world
    }

    /// Lets all others do what they can do now.
    async fn turns(&self) {
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }

    /// Lets so many milliseconds pass, one by one.
    async fn pass(&self, ms: u64) {
        for _ in 0..ms {
            tokio::time::advance(Duration::from_millis(1)).await;
            self.turns().await;
        }
    }

    fn written(&self) -> usize {
        let records = self.server.with_cluster(|cluster| cluster.records("orders", 0));
        records.expect("the topic").len()
    }

    fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }
}

fn run(test: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime").block_on(test);
}

#[test]
fn a_record_a_millisecond_wakes_the_io_task_less_often_than_that() {
    run(async {
        let world = World::new("5").await;
        let before = world.polls();
        for _ in 0..RECORDS {
            world.producer.try_send(Record::new("orders", "value")).expect("accepted");
            world.pass(1).await;
        }
        let wakes = (world.polls() - before) as f64 / RECORDS as f64;
        println!("{wakes:.2} wake-ups a record");
        assert!(wakes <= 0.7, "{wakes} wake-ups a record");
        // They were on their way all the while.
        world.pass(10).await;
        assert!(world.written() > RECORDS, "{} are written", world.written());
    });
}

#[test]
fn an_idle_producer_wakes_less_than_once_a_second() {
    run(async {
        let world = World::new("0").await;
        world.pass(100).await;
        let before = world.polls();
        // Nobody has anything to do now but timers, so the clock may jump from one to the next.
        tokio::time::sleep(Duration::from_secs(IDLE_SECONDS)).await;
        let wakes = world.polls() - before;
        println!("{wakes} wake-ups in {IDLE_SECONDS} s");
        assert!(wakes < IDLE_SECONDS as usize, "{wakes} wake-ups in {IDLE_SECONDS} s");
    });
}

/// After so many turns everything has happened that a moment brings, or most of it.
const TURNS: usize = 100;
const RECORDS: usize = 500;
/// Less than it takes until metadata are too old: that is not idleness.
const IDLE_SECONDS: u64 = 200;
