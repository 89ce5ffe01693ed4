//! A world with a clock that stands still, and a call in it that is dropped where it waits.
//!
//! Driver, cluster and test share one thread. The test never lets the runtime fall asleep, or a paused
//! clock would jump to the next timer whatever the sockets have: it yields, turn by turn, and moves the
//! clock by itself, a little at a time.

use std::cell::{Cell, RefCell};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use kafka_mock::{FaultAction, FaultRule, MockCluster, MockConfig, MockServer};
use kafka_producer::{Delivery, ProduceError, Producer, Record, RecordMetadata};
use kafka_protocol::ApiKey;
use tokio::task::JoinHandle;

use crate::calls::{BoxFuture, Call};

/// What the call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Situation {
    /// Nobody was contacted yet.
    Unknown,
    /// As before, and the broker does not answer what is asked about topics.
    Silent,
    /// Memory is full, since the broker acknowledges nothing. Somebody else waits behind the call.
    Full,
    /// The broker acknowledges nothing.
    Unacknowledged,
    /// Records wait for others to go with them.
    Lingering,
    /// The producer is being closed, and the broker acknowledges nothing.
    Closing,
}

/// When a call that waits is dropped.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// As soon as it waits.
    Waiting,
    /// When it was woken, and would find what it waited for.
    Woken,
}

/// A producer and a cluster.
pub(crate) struct World {
    pub(crate) producer: Producer,
    /// Of the records that were sent before the call.
    pub(crate) deliveries: RefCell<Vec<Delivery>>,
    /// Somebody has called `close`.
    pub(crate) is_closed: Cell<bool>,
    situation: Situation,
    server: MockServer,
    task: JoinHandle<()>,
    before: usize,
    calls: Arc<AtomicUsize>,
}

/// Drops the call at each point where it waits, each time in a new world.
pub(crate) fn check(situation: Situation, call: &Call) {
    for moment in [Moment::Waiting, Moment::Woken] {
        let is_complete = (1..POLLS_MAX).any(|polls| {
            let name = format!("{} {moment:?} after poll {polls}, {situation:?}", call.name);
            eprintln!("{name}");
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
            runtime.block_on(async {
                let world = World::new(situation).await;
                let (is_complete, rival) = world.call(call, polls, moment).await;
                world.check_what_is_left(call, is_complete, rival).await;
                is_complete
            })
        });
        assert!(is_complete, "{}: {POLLS_MAX} polls are not enough", call.name);
    }
}

impl World {
    async fn new(situation: Situation) -> Self {
        let mut cluster = MockCluster::new(MockConfig::new().brokers(1));
        cluster.create_topic("orders", 1).expect("a topic");
        let server = MockServer::start(cluster).expect("a port");
        let linger = if situation == Situation::Lingering { "3600000" } else { "0" };
        let builder = Producer::builder()
            .bootstrap_servers(&server.bootstrap_servers())
            .set("linger.ms", linger)
            .set("batch.size", "4000")
            .set("buffer.memory", TOTAL.to_string())
            .set("max.block.ms", "3600000")
            .set("request.timeout.ms", "3600000")
            .set("delivery.timeout.ms", "86400000");
        let (producer, task) = builder.build_with_task().expect("a producer");
        let mut world = Self {
            producer,
            deliveries: RefCell::default(),
            is_closed: Cell::new(false),
            situation,
            server,
            task: tokio::spawn(task),
            before: 0,
            calls: Arc::default(),
        };
        world.arrange().await;
        world
    }

    async fn arrange(&mut self) {
        let hold = |api| FaultRule::new(FaultAction::Hold).api(api).always();
        match self.situation {
            Situation::Unknown => return,
            Situation::Silent => {
                self.server.with_cluster(|cluster| cluster.add_fault(hold(ApiKey::METADATA)));
                return;
            }
            _ => finish(self.producer.partitions_for("orders")).await.expect("a topic"),
        };
        self.server.with_cluster(|cluster| cluster.add_fault(hold(ApiKey::PRODUCE)));
        let is_full = self.situation == Situation::Full;
        // A batch that cannot grow any more is sent, and there may be room for another small one.
        let mut refused = 0;
        while if is_full { refused < 20 } else { self.before < 3 } {
            let value = value(&format!("before {}", self.before));
            match self.producer.try_send(Record::new("orders", &value)) {
                Ok(delivery) => {
                    self.deliveries.borrow_mut().push(delivery);
                    self.before += 1;
                    refused = 0;
                }
                Err(_) => {
                    refused += 1;
                    turns(QUIET).await;
                }
            }
        }
        if self.situation == Situation::Closing {
            let mut close = pin!(self.producer.close(Duration::from_secs(3600)));
            assert!(poll_once(close.as_mut()).is_pending());
            self.is_closed.set(true);
        }
    }

    /// Counts that it was called.
    pub(crate) fn callback(
        &self,
    ) -> impl FnOnce(Result<RecordMetadata, ProduceError>) + Send + 'static {
        let calls = Arc::clone(&self.calls);
        move |result| {
            result.expect("delivered");
            calls.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// What keeps the call waiting is over.
    fn relieve(&self) {
        self.server.with_cluster(|cluster| {
            cluster.clear_faults();
            cluster.release(tokio::time::Instant::now().into_std(), None);
        });
    }

    /// Polls the call so many times, and drops it if it is not ready then. Returns whether it was, and
    /// who came behind it.
    async fn call(
        &self,
        call: &Call,
        polls: usize,
        moment: Moment,
    ) -> (bool, Option<BoxFuture<'_>>) {
        let mut future = (call.start)(self);
        let mut rival = None;
        let (mut is_relieved, mut is_complete) = (false, false);
        for poll in 1..=polls {
            let flag = Arc::new(Flag(AtomicBool::new(false)));
            let waker = Waker::from(Arc::clone(&flag));
            is_complete = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            if is_complete {
                break;
            }
            if self.situation == Situation::Full && rival.is_none() {
                rival = Some(self.rival());
            }
            if poll == polls && matches!(moment, Moment::Waiting) {
                break;
            }
            for _ in 0..QUIET {
                turns(usize::from(!flag.is_set())).await;
            }
            if !flag.is_set() && !is_relieved {
                self.relieve();
                is_relieved = true;
            }
            until("the call to be woken", || flag.is_set()).await;
        }
        drop(future);
        self.relieve();
        (is_complete, rival)
    }

    /// Somebody who waits behind the call.
    fn rival(&self) -> BoxFuture<'_> {
        let mut rival: BoxFuture<'_> = Box::pin(async {
            let value = value("rival");
            self.producer.send(Record::new("orders", &value)).await.expect("accepted");
        });
        assert!(poll_once(rival.as_mut()).is_pending());
        rival
    }

    /// The producer works, holds nothing, and the log is as it should be.
    async fn check_what_is_left(
        &self,
        call: &Call,
        is_complete: bool,
        rival: Option<BoxFuture<'_>>,
    ) {
        let mut expected: Vec<_> = (0..self.before).map(|n| format!("before {n}")).collect();
        if let Some(rival) = rival {
            finish(rival).await;
        }
        let is_written = || self.log().len() >= self.before;
        until("what was accepted before to be written", is_written).await;
        if self.is_closed.get() {
            finish(self.producer.close(Duration::from_secs(3600))).await.expect("delivered");
            finish(self.producer.send(Record::new("orders", "late"))).await.expect_err("closed");
            until("the task to end", || self.task.is_finished()).await;
            until("all memory to be free", || self.producer.buffered_bytes() == 0).await;
        } else {
            finish(self.producer.send(Record::new("orders", "after"))).await.expect("accepted");
            finish(self.producer.flush()).await.expect("flushed");
            // Everything but the reserve for splitting.
            until("memory to be free", || self.producer.buffered_bytes() == TOTAL / 4).await;
        }
        let log = self.log();
        let offered: Vec<&str> =
            log.iter().map(|value| &**value).filter(|value| call.offers.contains(value)).collect();
        assert!(call.offers.starts_with(&offered), "{log:?}");
        let count = offered.len();
        let is_right = if is_complete {
            count == call.offers.len()
        } else {
            count == 0 || call.may_accept_some
        };
        assert!(is_right, "{log:?}");
        expected.extend(offered.iter().map(|value| (*value).to_owned()));
        let rest: Vec<_> = log.iter().filter(|value| *value != "rival").cloned().collect();
        if !self.is_closed.get() {
            expected.push("after".to_owned());
        }
        assert_eq!(rest, expected);
        assert_eq!(log.len() - rest.len(), usize::from(self.situation == Situation::Full));
        let calls = if call.name.ends_with("send_with") { count } else { 0 };
        until("the callback to run", || self.calls.load(Ordering::SeqCst) >= calls).await;
        assert_eq!(self.calls.load(Ordering::SeqCst), calls);
    }

    /// The values in the log, without what fills them up.
    fn log(&self) -> Vec<String> {
        let records = self.server.with_cluster(|cluster| cluster.records("orders", 0));
        let value = |value: &[u8]| String::from_utf8_lossy(value).trim_end_matches('.').to_owned();
        let records = records.expect("the topic").into_iter();
        records.map(|record| value(record.value.as_deref().unwrap_or_default())).collect()
    }
}

/// So that a few of them fill the memory.
pub(crate) fn value(name: &str) -> String {
    format!("{name:.<2000}")
}

/// Polls a future whenever it is woken, until it is ready.
async fn finish<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    loop {
        until("a call to be woken", || flag.is_set()).await;
        flag.0.store(false, Ordering::SeqCst);
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
    }
}

/// Lets all others go on until this is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    for turn in 1..TURNS_MAX {
        if is_so() {
            return;
        }
        if turn % QUIET == 0 {
            tokio::time::advance(Duration::from_millis(1)).await;
        } else {
            turns(1).await;
        }
    }
    panic!("waited in vain for {what}");
}

async fn turns(count: usize) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// It was woken.
struct Flag(AtomicBool);

impl Flag {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// `buffer.memory`.
const TOTAL: usize = 64 * 1024;
/// No call waits more often.
const POLLS_MAX: usize = 50;
/// Turns in which something happens, if anything is going to.
const QUIET: usize = 500;
/// What has not happened then will not.
const TURNS_MAX: usize = 2_000_000;
