//! Where the thread that sends and those that write and read meet: one mutex, as little under it as can be.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use peers_load::Latencies;
use rustix::time::{ClockId, clock_gettime};

use crate::batch::Batch;

/// Requests that a connection has on their way at most; with more, idempotence has no order.
const IN_FLIGHT_MAX: usize = 5;

/// How batches are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) linger: Duration,
    pub(crate) batch_size: usize,
    pub(crate) buffer: usize,
}

pub(crate) struct Accumulator {
    state: Mutex<State>,
    /// For the writer of each broker.
    work: Vec<Condvar>,
    /// For the thread that sends.
    done: Condvar,
    linger: Duration,
}

struct State {
    /// Of each partition.
    open: Vec<Option<Batch>>,
    /// Index of the broker that leads each partition.
    leaders: Vec<usize>,
    brokers: Vec<Broker>,
    /// Partition of records without a key.
    sticky: usize,
    free: Vec<Vec<u8>>,
    is_flushing: bool,
    ended: Option<String>,
    latencies: Latencies,
}

#[derive(Default)]
struct Broker {
    ready: VecDeque<Batch>,
    in_flight: usize,
}

impl Accumulator {
    pub(crate) fn new(leaders: Vec<usize>, brokers: usize, limits: Limits) -> Result<Self> {
        let batches = (limits.buffer / limits.batch_size).max(1);
        let state = State {
            open: leaders.iter().map(|_| None).collect(),
            leaders,
            brokers: (0..brokers).map(|_| Broker::default()).collect(),
            sticky: 0,
            // Memory is touched when it is used, and what was used last is used next.
            free: (0..batches).map(|_| Vec::with_capacity(limits.batch_size)).collect(),
            is_flushing: false,
            ended: None,
            latencies: Latencies::new()?,
        };
        let work = (0..brokers).map(|_| Condvar::new()).collect();
        let state = Mutex::new(state);
        Ok(Self { state, work, done: Condvar::new(), linger: limits.linger })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record to the batch of its partition, and waits while there is no memory.
    pub(crate) fn append(
        &self,
        key: Option<&[u8]>,
        value: &[u8],
        sampled: Option<Instant>,
    ) -> Result<()> {
        let timestamp = coarse_millis();
        // Not Kafka's hash, but it costs no less than that.
        let hash = key.map(|key| crc32c::crc32c(key) as usize);
        let mut state = self.lock();
        loop {
            if let Some(why) = &state.ended {
                bail!("{why}");
            }
            let at = hash.map_or(state.sticky, |hash| hash % state.open.len());
            match &mut state.open[at] {
                Some(batch) if batch.has_room_for(key, value) => {
                    batch.append(timestamp, key, value);
                    batch.sampled.extend(sampled);
                    return Ok(());
                }
                Some(_) => {
                    let leader = state.close(at);
                    self.work[leader].notify_one();
                }
                None => match state.free.pop() {
                    Some(memory) => {
                        state.open[at] = Some(Batch::new(memory, at, timestamp));
                        self.work[state.leaders[at]].notify_one();
                    }
                    None => state = self.wait(state),
                },
            }
        }
    }

    /// Waits until everything is acknowledged.
    pub(crate) fn flush(&self) -> Result<()> {
        let mut state = self.lock();
        state.is_flushing = true;
        self.work.iter().for_each(Condvar::notify_one);
        while state.ended.is_none() && !state.is_idle() {
            state = self.wait(state);
        }
        state.is_flushing = false;
        match &state.ended {
            Some(why) => bail!("{why}"),
            None => Ok(()),
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.done.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// The batches of the next request to a broker, at most one of each partition; none in the end.
    pub(crate) fn next_request(&self, broker: usize) -> Vec<Batch> {
        let mut state = self.lock();
        while state.ended.is_none() {
            let mut next_due = None;
            if state.brokers[broker].in_flight < IN_FLIGHT_MAX {
                next_due = state.close_due(broker, self.linger);
                let batches = state.take_ready(broker);
                if !batches.is_empty() {
                    state.brokers[broker].in_flight += 1;
                    return batches;
                }
            }
            let work = &self.work[broker];
            state = match next_due {
                Some(wait) => work
                    .wait_timeout(state, wait)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state),
                None => work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        Vec::new()
    }

    /// A request to this broker, with these batches, is acknowledged.
    pub(crate) fn acknowledge(&self, broker: usize, batches: Vec<Batch>) {
        let mut state = self.lock();
        for batch in batches {
            batch.sampled.iter().for_each(|sent| state.latencies.add_since(*sent));
            state.free.push(batch.into_memory());
        }
        state.brokers[broker].in_flight -= 1;
        drop(state);
        self.work[broker].notify_one();
        self.done.notify_one();
    }

    /// Ends all threads. The first reason counts.
    pub(crate) fn end(&self, why: &str) {
        self.lock().ended.get_or_insert_with(|| why.to_owned());
        self.work.iter().for_each(Condvar::notify_one);
        self.done.notify_one();
    }

    pub(crate) fn into_latencies(self) -> Latencies {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).latencies
    }
}

impl State {
    /// Closes the batch of a partition; tells the partition's leader.
    fn close(&mut self, at: usize) -> usize {
        let leader = self.leaders[at];
        self.brokers[leader].ready.extend(self.open[at].take());
        if at == self.sticky {
            self.sticky = (at + 1) % self.open.len();
        }
        leader
    }

    /// Closes what has lingered enough, and tells how long the next one still has.
    fn close_due(&mut self, broker: usize, linger: Duration) -> Option<Duration> {
        let now = Instant::now();
        let mut next_due = None;
        for at in 0..self.open.len() {
            let Some(batch) = self.open[at].as_ref().filter(|_| self.leaders[at] == broker) else {
                continue;
            };
            let age = now.saturating_duration_since(batch.opened);
            if age >= linger || self.is_flushing {
                self.close(at);
            } else {
                let left = linger.saturating_sub(age);
                next_due = Some(next_due.map_or(left, |next: Duration| next.min(left)));
            }
        }
        next_due
    }

    fn take_ready(&mut self, broker: usize) -> Vec<Batch> {
        let ready = &mut self.brokers[broker].ready;
        let mut taken: Vec<Batch> = Vec::new();
        while let Some(batch) = ready.front() {
            if taken.iter().any(|other| other.partition == batch.partition) {
                break;
            }
            taken.extend(ready.pop_front());
        }
        taken
    }

    fn is_idle(&self) -> bool {
        let is_idle = |broker: &Broker| broker.ready.is_empty() && broker.in_flight == 0;
        self.open.iter().all(Option::is_none) && self.brokers.iter().all(is_idle)
    }
}

/// Milliseconds since 1970, a few of them old: costs a fifth of the precise time.
fn coarse_millis() -> i64 {
    let time = clock_gettime(ClockId::RealtimeCoarse);
    time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}
