//! A producer whose sender is stepped by hand, and a cluster that acknowledges what it gets and keeps
//! nothing: what the benches, the counts and the tests of cost have in common.

pub(crate) mod encode;

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use kafka_mock::{BrokerId, ConnectionId, MockCluster, MockConfig, ReplyAction};
use kafka_producer::bench::{Rig, Sent};
use kafka_producer::{Delivery, Producer, Record, RecordHeader, SendError};

/// A producer that knows its topic and is connected.
pub(crate) struct Bench {
    rig: Rig,
    cluster: MockCluster,
    /// Requests that were made and are not answered.
    sent: Vec<Sent>,
    /// Each callback has one until it has run.
    callback: Arc<()>,
}

/// A request with its answer, which is still to be read.
pub(crate) struct Answered {
    sent: Sent,
    answer: Bytes,
}

/// What is appended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// With `try_send`, as the others.
    Keyless,
    /// With `send`.
    Future,
    Keyed,
    Headers,
    Callback,
}

impl Bench {
    /// A topic of so many partitions. Memory is large enough for a batch to grow as long as nothing is
    /// sent.
    pub(crate) fn new(partitions: i32) -> Self {
        let config = MockConfig::new().brokers(1).discard(true).message_max_bytes(LARGE);
        let mut cluster = MockCluster::new(config.request_max_bytes(2 * LARGE));
        cluster.create_topic(TOPIC, partitions).expect("a topic");
        cluster.set_address(BROKER, "127.0.0.1", 9092);
        let builder = Producer::builder()
            .bootstrap_servers("127.0.0.1:9092")
            .set("linger.ms", "0")
            .set("buffer.memory", (8 * LARGE).to_string())
            .set("max.request.size", LARGE.to_string())
            // No batch is too old, however slow this is.
            .set("request.timeout.ms", "3600000")
            .set("delivery.timeout.ms", "36000000")
            .seed(1);
        let rig = Rig::new(&builder).expect("a configuration");
        let mut bench = Self { rig, cluster, sent: Vec::new(), callback: Arc::default() };
        bench.rig.producer().try_send(record(None, b"")).expect_err("nobody was asked yet");
        bench.settle();
        bench.rig.producer().try_send(record(Some(0), b"")).expect("the topic is known");
        bench.settle();
        bench
    }

    pub(crate) fn producer(&self) -> &Producer {
        self.rig.producer()
    }

    /// Appends a record; nothing is sent.
    pub(crate) fn append(&self, kind: Kind, value: &[u8], number: u64) {
        let producer = self.producer();
        match kind {
            Kind::Keyless => accepted(producer.try_send(record(None, value))),
            Kind::Future => {
                let sent = pin!(producer.send(record(None, value)));
                let polled = sent.poll(&mut Context::from_waker(Waker::noop()));
                let Poll::Ready(sent) = polled else { panic!("it waits for something") };
                accepted(sent);
            }
            Kind::Keyed => {
                let key = number.to_be_bytes();
                accepted(producer.try_send(record(None, value).key(&key)));
            }
            Kind::Headers => {
                let headers = [
                    RecordHeader { key: "trace", value: Some(b"0123456789abcdef") },
                    RecordHeader { key: "kind", value: Some(b"order") },
                ];
                accepted(producer.try_send(record(None, value).headers(&headers)));
            }
            Kind::Callback => {
                // It holds what a small one of a user would: a box has to be made for it.
                let held = Arc::clone(&self.callback);
                let callback = move |outcome| drop(black_box((outcome, held, number)));
                accepted(producer.try_send_with(record(None, value), callback));
            }
        }
    }

    /// Appends a record to this partition.
    pub(crate) fn append_to(&self, partition: i32, value: &[u8]) -> Delivery {
        self.producer().try_send(record(Some(partition), value)).expect("accepted")
    }

    /// Appends so many records to each of these partitions.
    pub(crate) fn fill(&self, partitions: i32, records: usize, value: &[u8]) -> Vec<Delivery> {
        let send = |partition| (0..records).map(move |_| self.append_to(partition, value));
        (0..partitions).flat_map(send).collect()
    }

    /// Takes batches and makes requests of them. Returns how many requests wait for an answer.
    pub(crate) fn drain(&mut self) -> usize {
        self.rig.drain(&mut self.sent);
        self.sent.len()
    }

    /// The cluster answers all requests; nobody has read the answers yet.
    pub(crate) fn answers(&mut self) -> Vec<Answered> {
        let now = now();
        let mut answered = Vec::new();
        for sent in self.sent.drain(..) {
            let frame = sent.frame.clone().into_bytes().slice(SIZE..);
            self.cluster.handle_frame(now, BROKER, CONNECTION, frame);
            let reply = self.cluster.poll_reply(now).expect("an answer");
            let ReplyAction::Send(pieces) = reply.action else { panic!("it hangs up") };
            let answer = Bytes::from(pieces.concat()).slice(SIZE..);
            answered.push(Answered { sent, answer });
        }
        answered
    }

    /// Reads answers, tells outcomes, and makes the requests that are possible then.
    pub(crate) fn read(&mut self, answered: &[Answered]) {
        for Answered { sent, answer } in answered {
            self.rig.answer(sent, answer.clone(), &mut self.sent);
        }
    }

    /// Until nothing is left that was appended. Callbacks have run on their thread then: what they give
    /// back there would change what the next ones take.
    pub(crate) fn settle(&mut self) {
        while self.drain() > 0 {
            let answered = self.answers();
            self.read(&answered);
        }
        while Arc::strong_count(&self.callback) > 1 {
            thread::yield_now();
        }
    }
}

/// A value of which half can be compressed, as in the table of all producers.
pub(crate) fn value(len: usize) -> Vec<u8> {
    (0..len).map(|at| if at % 2 == 0 { b'x' } else { (at * 7919 % 251) as u8 }).collect()
}

fn accepted<T>(sent: Result<T, SendError>) {
    drop(black_box(sent.expect("accepted")));
}

fn record(partition: Option<i32>, value: &[u8]) -> Record<'_> {
    Record { partition, ..Record::new(TOPIC, value) }
}

#[expect(clippy::disallowed_methods, reason = "a bench is where time comes from")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The steps that are measured, each with its name. Both tools that measure have the same ones.
pub(crate) const APPENDS: [(&str, Kind, usize); 7] = [
    ("append/10 B", Kind::Keyless, 10),
    ("append/100 B", Kind::Keyless, 100),
    ("append/1 KiB", Kind::Keyless, 1024),
    ("append/100 B, future", Kind::Future, 100),
    ("append/100 B, keyed", Kind::Keyed, 100),
    ("append/100 B, two headers", Kind::Headers, 100),
    ("append/100 B, callback", Kind::Callback, 100),
];

/// Partitions, and how many records of 100 bytes each has in its batch: a batch of `batch.size`, and
/// small ones of few and of many partitions.
pub(crate) const BATCHES: [(&str, i32, usize); 3] = [
    ("6 partitions, 16 KiB each", 6, 150),
    ("6 partitions, 1 KiB each", 6, 10),
    ("10,000 partitions, 1 KiB each", 10_000, 10),
];

pub(crate) const TOPIC: &str = "measured";
const BROKER: BrokerId = BrokerId(1);
const CONNECTION: ConnectionId = ConnectionId(1);
/// Bytes of the size in front of a frame.
const SIZE: usize = 4;
const LARGE: usize = 64 << 20;
