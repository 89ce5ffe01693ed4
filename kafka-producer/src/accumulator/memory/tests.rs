use std::collections::VecDeque;
use std::pin::pin;

use proptest::prelude::*;

use super::*;
use crate::testing::CountingWaker;

/// One poll, with a waker that nobody listens to.
fn poll(acquire: &mut Acquire) -> Poll<Result<MemoryPermit, BudgetClosed>> {
    pin!(acquire).poll(&mut Context::from_waker(Waker::noop()))
}

fn granted(acquire: &mut Acquire) -> Option<MemoryPermit> {
    match poll(acquire) {
        Poll::Ready(permit) => Some(permit.expect("the budget is open")),
        Poll::Pending => None,
    }
}

#[test]
fn a_permit_takes_bytes_and_gives_them_back() {
    let budget = MemoryBudget::new(100);
    let mut permit = budget.try_acquire(60).unwrap();
    assert_eq!((budget.total(), budget.used(), permit.bytes()), (100, 60, 60));
    assert!(budget.try_acquire(41).is_none());
    assert!(!budget.try_grow(&mut permit, 41));
    assert!(budget.try_grow(&mut permit, 40));
    assert_eq!((budget.used(), permit.bytes()), (100, 100));
    permit.shrink(30);
    assert_eq!((budget.used(), permit.bytes()), (70, 70));
    let part = permit.split(20);
    assert_eq!((budget.used(), permit.bytes(), part.bytes()), (70, 50, 20));
    permit.merge(part);
    assert_eq!((budget.used(), permit.bytes()), (70, 70));
    drop(permit);
    assert_eq!(budget.used(), 0);
}

#[test]
fn nobody_overtakes_who_waits() {
    let budget = MemoryBudget::new(100);
    let mut held = budget.try_acquire(50).unwrap();
    let mut large = budget.acquire(80);
    let mut small = budget.acquire(10);
    assert!(budget.has_waiters() && !budget.has_grants());
    assert!(budget.try_acquire(10).is_none());
    assert!(!budget.try_grow(&mut held, 10));
    assert!(granted(&mut small).is_none());
    drop(held);
    assert_eq!(budget.used(), 90, "a grant counts before it is taken");
    assert!(budget.has_grants() && !budget.has_waiters());
    assert_eq!(granted(&mut large).unwrap().bytes(), 80);
    assert_eq!(granted(&mut small).unwrap().bytes(), 10);
    assert_eq!((budget.used(), budget.has_grants()), (0, false));
}

#[test]
fn small_amounts_that_are_given_back_add_up_for_who_is_first() {
    let budget = MemoryBudget::new(100);
    let mut held: Vec<_> = (0..10).map(|_| budget.try_acquire(10).unwrap()).collect();
    let mut large = budget.acquire(60);
    let mut small = budget.acquire(10);
    for _ in 0..5 {
        held.pop();
        assert!(granted(&mut large).is_none() && granted(&mut small).is_none());
        assert!(budget.try_acquire(1).is_none());
    }
    held.pop();
    assert!(granted(&mut large).is_some());
    assert!(granted(&mut small).is_some(), "and what is left is there for the next");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn more_than_four_gigabytes_are_counted_right() {
    const GIB: usize = 1 << 30;
    let budget = MemoryBudget::new(6 * GIB);
    let mut permit = budget.try_acquire(5 * GIB).unwrap();
    assert!(budget.try_acquire(GIB + 1).is_none());
    assert!(budget.try_grow(&mut permit, GIB));
    let mut waiting = budget.acquire(5 * GIB);
    permit.shrink(4 * GIB);
    assert!(granted(&mut waiting).is_none());
    permit.shrink(GIB);
    assert_eq!(granted(&mut waiting).unwrap().bytes(), 5 * GIB);
    drop(permit);
    assert_eq!(budget.used(), 0);
    let endless = MemoryBudget::new(usize::MAX);
    let _most = endless.try_acquire(usize::MAX - 1).unwrap();
    assert!(endless.try_acquire(2).is_none() && endless.try_acquire(1).is_some());
}

#[test]
fn the_place_in_line_is_taken_before_the_first_poll() {
    let budget = MemoryBudget::new(10);
    let held = budget.try_acquire(10).unwrap();
    let mut first = budget.acquire(10);
    let mut second = budget.acquire(10);
    assert!(granted(&mut second).is_none());
    drop(held);
    assert!(granted(&mut second).is_none());
    assert!(granted(&mut first).is_some());
    assert!(granted(&mut second).is_some());
}

#[test]
fn who_leaves_the_line_lets_those_behind_pass() {
    let budget = MemoryBudget::new(100);
    let held = budget.try_acquire(50).unwrap();
    let large = budget.acquire(80);
    let mut small = budget.acquire(50);
    drop(large);
    assert_eq!(granted(&mut small).unwrap().bytes(), 50);
    drop(held);
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_grant_that_is_dropped_goes_to_the_next() {
    let budget = MemoryBudget::new(10);
    let first = budget.acquire(10);
    let mut second = budget.acquire(10);
    let (counter, waker) = CountingWaker::new();
    assert!(pin!(&mut second).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(first);
    assert_eq!(counter.wakes(), 1);
    assert!(granted(&mut second).is_some());
}

#[test]
fn the_last_waker_is_woken_once_and_none_is_kept() {
    let budget = MemoryBudget::new(10);
    let held = budget.try_acquire(10).unwrap();
    let mut acquire = budget.acquire(10);
    let (first, waker) = CountingWaker::new();
    assert!(pin!(&mut acquire).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    let (second, waker) = CountingWaker::new();
    assert!(pin!(&mut acquire).poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!((first.clones(), second.clones()), (0, 1));
    drop(held);
    assert_eq!((first.wakes(), second.wakes(), second.clones()), (0, 1, 0));

    let _held = granted(&mut acquire).unwrap();
    let mut acquire = budget.acquire(10);
    let (third, waker) = CountingWaker::new();
    assert!(pin!(&mut acquire).poll(&mut Context::from_waker(&waker)).is_pending());
    drop((waker, acquire));
    assert_eq!((third.wakes(), third.clones()), (0, 0));
}

#[test]
fn the_second_sweep_takes_a_grant_back_that_nobody_took() {
    let budget = MemoryBudget::new(10);
    let mut idle = budget.acquire(10);
    let mut next = budget.acquire(10);
    budget.revoke_stale_grants();
    assert!(granted(&mut next).is_none(), "it has had one sweep only");
    budget.revoke_stale_grants();
    let held = granted(&mut next).unwrap();
    assert!(!budget.has_waiters() && !budget.has_grants());
    // Polled again it is in line, behind who came meanwhile.
    let mut late = budget.acquire(10);
    assert!(granted(&mut idle).is_none());
    drop(held);
    assert!(granted(&mut idle).is_none());
    drop(granted(&mut late).unwrap());
    assert!(granted(&mut idle).is_some());
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_revoked_grant_may_be_taken_again_at_once_if_nobody_waits() {
    let budget = MemoryBudget::new(10);
    let mut idle = budget.acquire(10);
    budget.revoke_stale_grants();
    budget.revoke_stale_grants();
    assert_eq!(budget.used(), 0);
    assert_eq!(granted(&mut idle).unwrap().bytes(), 10);
}

#[test]
fn closing_fails_who_waits_and_who_comes() {
    let budget = MemoryBudget::new(10);
    let mut granted = budget.acquire(4);
    let mut waiting = budget.acquire(8);
    let (counter, waker) = CountingWaker::new();
    assert!(pin!(&mut waiting).poll(&mut Context::from_waker(&waker)).is_pending());
    budget.close();
    assert_eq!((counter.wakes(), budget.used()), (1, 0));
    assert!(!budget.has_waiters() && !budget.has_grants());
    for acquire in [&mut granted, &mut waiting, &mut budget.acquire(1)] {
        assert!(matches!(poll(acquire), Poll::Ready(Err(BudgetClosed))));
    }
    assert!(budget.try_acquire(1).is_none());
}

#[test]
fn more_than_there_is_is_refused_at_once_and_holds_nobody_up() {
    let budget = MemoryBudget::new(10);
    let mut impossible = budget.acquire(11);
    assert!(!budget.has_waiters());
    assert!(matches!(poll(&mut impossible), Poll::Ready(Err(BudgetClosed))));
    assert!(budget.try_acquire(usize::MAX).is_none());
    assert!(budget.try_acquire(10).is_some());
}

#[test]
fn budget_and_permit_cross_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<MemoryBudget>();
    is_shared::<MemoryPermit>();
    is_shared::<Acquire>();
}

#[derive(Debug, Clone)]
enum Step {
    TryAcquire(usize),
    Grow(usize, usize),
    Split(usize, usize),
    Merge(usize, usize),
    Shrink(usize, usize),
    Release(usize),
    Acquire(usize),
    Poll(usize),
    Cancel(usize),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (at, bytes) = (0..8usize, 0..=TOTAL);
    let step = prop_oneof![
        2 => bytes.clone().prop_map(Step::TryAcquire),
        1 => (at.clone(), bytes.clone()).prop_map(|(at, bytes)| Step::Grow(at, bytes)),
        1 => (at.clone(), bytes.clone()).prop_map(|(at, bytes)| Step::Split(at, bytes)),
        1 => (at.clone(), at.clone()).prop_map(|(at, other)| Step::Merge(at, other)),
        1 => (at.clone(), bytes.clone()).prop_map(|(at, bytes)| Step::Shrink(at, bytes)),
        3 => at.clone().prop_map(Step::Release),
        4 => bytes.prop_map(Step::Acquire),
        4 => at.clone().prop_map(Step::Poll),
        2 => at.prop_map(Step::Cancel),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 0..60)
}

const TOTAL: usize = 20;

/// What the budget should do, said as plainly as possible: one list that is searched from the front.
#[derive(Default)]
struct Model {
    in_permits: usize,
    line: VecDeque<Place>,
}

#[derive(Clone)]
struct Place {
    id: usize,
    bytes: usize,
    /// How many sweeps have seen its grant; none if it waits.
    granted: Option<u32>,
}

impl Model {
    fn used(&self) -> usize {
        let granted = self.line.iter().filter(|place| place.granted.is_some());
        self.in_permits + granted.map(|place| place.bytes).sum::<usize>()
    }

    fn anybody_waits(&self) -> bool {
        self.line.iter().any(|place| place.granted.is_none())
    }

    fn try_take(&mut self, bytes: usize) -> bool {
        let free = !self.anybody_waits() && self.used() + bytes <= TOTAL;
        self.in_permits += if free { bytes } else { 0 };
        free
    }

    /// Whether the poll gets a permit.
    fn poll(&mut self, id: usize, bytes: usize) -> bool {
        match self.line.iter().position(|place| place.id == id) {
            Some(at) if self.line[at].granted.is_some() => {
                self.line.remove(at);
                self.in_permits += bytes;
                true
            }
            Some(_) => false,
            None if self.try_take(bytes) => true,
            None => {
                self.line.push_back(Place { id, bytes, granted: None });
                false
            }
        }
    }

    fn sweep(&mut self) {
        self.line.retain(|place| place.granted != Some(1));
        for place in &mut self.line {
            place.granted = place.granted.map(|_| 1);
        }
    }

    fn serve(&mut self) {
        while let Some(at) = self.line.iter().position(|place| place.granted.is_none()) {
            if self.used() + self.line[at].bytes > TOTAL {
                return;
            }
            self.line[at].granted = Some(0);
        }
    }
}

/// A future of the budget, and whether its waker was woken since it was polled last.
struct Waiter {
    id: usize,
    bytes: usize,
    acquire: Acquire,
    wakes: CountingWaker,
    waker: Waker,
    polled: bool,
}

struct Run {
    budget: MemoryBudget,
    model: Model,
    permits: Vec<MemoryPermit>,
    waiters: Vec<Waiter>,
    next_id: usize,
}

impl Run {
    fn new() -> Self {
        let budget = MemoryBudget::new(TOTAL);
        let (model, permits, waiters) = (Model::default(), Vec::new(), Vec::new());
        Self { budget, model, permits, waiters, next_id: 0 }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::TryAcquire(bytes) => {
                let permit = self.budget.try_acquire(bytes);
                assert_eq!(permit.is_some(), self.model.try_take(bytes));
                self.permits.extend(permit);
            }
            Step::Acquire(bytes) => {
                let (wakes, waker) = CountingWaker::new();
                let (id, acquire) = (self.next_id, self.budget.acquire(bytes));
                self.next_id += 1;
                self.waiters.push(Waiter { id, bytes, acquire, wakes, waker, polled: false });
                self.model.line.push_back(Place { id, bytes, granted: None });
            }
            Step::Poll(at) if at < self.waiters.len() => self.poll(at),
            Step::Cancel(at) if at < self.waiters.len() => {
                let id = self.waiters.remove(at).id;
                self.model.line.retain(|place| place.id != id);
            }
            Step::Sweep => {
                self.budget.revoke_stale_grants();
                self.model.sweep();
            }
            Step::Release(at) if at < self.permits.len() => {
                self.model.in_permits -= self.permits.remove(at).bytes();
            }
            ref step => self.change_permit(step),
        }
        self.model.serve();
        self.check();
    }

    fn change_permit(&mut self, step: &Step) {
        let count = self.permits.len();
        match *step {
            Step::Grow(at, bytes) if at < count => {
                let grown = self.budget.try_grow(&mut self.permits[at], bytes);
                assert_eq!(grown, self.model.try_take(bytes));
            }
            Step::Split(at, bytes) if at < count => {
                let bytes = bytes.min(self.permits[at].bytes());
                let part = self.permits[at].split(bytes);
                assert_eq!(part.bytes(), bytes);
                self.permits.push(part);
            }
            Step::Merge(at, other) if at < count && other < count && at != other => {
                let merged = self.permits.remove(other);
                self.permits[if other < at { at - 1 } else { at }].merge(merged);
            }
            Step::Shrink(at, bytes) if at < count => {
                let bytes = bytes.min(self.permits[at].bytes());
                self.permits[at].shrink(bytes);
                self.model.in_permits -= bytes;
            }
            _ => {}
        }
    }

    fn poll(&mut self, at: usize) {
        let waiter = &mut self.waiters[at];
        let polled = pin!(&mut waiter.acquire).poll(&mut Context::from_waker(&waiter.waker));
        let expected = self.model.poll(waiter.id, waiter.bytes);
        assert_eq!(polled.is_ready(), expected);
        waiter.polled = true;
        if let Poll::Ready(permit) = polled {
            let permit = permit.expect("the budget is open");
            assert_eq!(permit.bytes(), waiter.bytes);
            self.permits.push(permit);
            self.waiters.remove(at);
        }
    }

    fn check(&self) {
        let budget = &self.budget;
        assert!(budget.used() <= TOTAL);
        assert_eq!(budget.used(), self.model.used());
        assert_eq!(budget.has_waiters(), self.model.anybody_waits());
        let grants = self.model.line.iter().filter(|place| place.granted.is_some());
        assert_eq!(budget.has_grants(), grants.clone().count() > 0);
        for waiter in self.waiters.iter().filter(|waiter| waiter.polled) {
            let granted = grants.clone().any(|place| place.id == waiter.id);
            assert!(!granted || waiter.wakes.wakes() > 0, "a grant without a wake-up");
        }
        let held: usize = self.permits.iter().map(MemoryPermit::bytes).sum();
        assert_eq!(held, self.model.in_permits);
    }

    /// Everybody who still waits is served, and in the end all bytes are free.
    fn finish(mut self) {
        for _ in 0..2 * self.waiters.len() + 1 {
            self.model.in_permits = 0;
            self.permits.clear();
            self.model.serve();
            (0..self.waiters.len()).rev().for_each(|at| self.poll(at));
            self.model.serve();
        }
        assert_eq!(self.waiters.len(), 0, "somebody is never served");
        self.permits.clear();
        assert_eq!((self.budget.used(), self.budget.has_waiters()), (0, false));
    }
}

proptest! {
    #[test]
    fn any_order_of_events_is_first_come_first_served_and_loses_nothing(steps in steps()) {
        let mut run = Run::new();
        steps.iter().for_each(|step| run.step(step));
        run.finish();
    }
}
