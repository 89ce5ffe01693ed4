use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::accumulator::MemoryBudget;
use crate::delivery::{Outcome, OutcomeCell};

type Log = Arc<Mutex<Vec<String>>>;

fn log(log: &Log, line: impl Into<String>) {
    log.lock().unwrap().push(line.into());
}

/// The callbacks of a batch of `count` records at offset `first`; each writes what it is told.
fn batch(to: &Log, first: i64, count: u32) -> DueCallbacks {
    let cell = OutcomeCell::new("orders".into(), 0);
    for index in 0..count {
        let to = to.clone();
        let callback = Callback::new(move |result| log(&to, result.unwrap().to_string()));
        cell.add_callback(index, 0, None, None, callback);
    }
    resolve(&cell, first, count)
}

fn single(callback: impl FnOnce() + Send + 'static) -> DueCallbacks {
    let cell = OutcomeCell::new("orders".into(), 0);
    cell.add_callback(0, 0, None, None, Callback::new(|_| callback()));
    resolve(&cell, 0, 1)
}

fn resolve(cell: &OutcomeCell, first: i64, count: u32) -> DueCallbacks {
    cell.resolve(0..count, &Outcome::Written { first_offset: Some(first), log_append_time: None })
}

/// Returns when everything that was handed over before has run.
fn wait(runner: &CallbackRunner) {
    let (done, waiting) = mpsc::channel();
    runner.run(single(move || done.send(()).unwrap()), ());
    waiting.recv_timeout(PATIENCE).expect("the callbacks stand still");
}

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn callbacks_run_in_order_on_a_thread_of_their_own() {
    let (runner, lines) = (CallbackRunner::new(), Log::default());
    let due = batch(&lines, 10, 2);
    assert_eq!((due.len(), due.is_empty()), (2, false));
    runner.run(due, ());
    let to = lines.clone();
    let name = move || log(&to, thread::current().name().unwrap_or_default());
    runner.run(single(name), ());
    runner.run(batch(&lines, 12, 1), ());
    wait(&runner);
    let expected = ["orders-0@10", "orders-0@11", THREAD_NAME, "orders-0@12"];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[test]
fn the_parts_of_a_batch_are_told_their_own_outcome_in_the_order_of_records() {
    let (runner, lines) = (CallbackRunner::new(), Log::default());
    let cell = OutcomeCell::new("orders".into(), 0);
    // Appended by two threads, the later record first.
    for index in [1, 0, 2] {
        let to = lines.clone();
        let callback = Callback::new(move |result| log(&to, result.unwrap().to_string()));
        cell.add_callback(index, 0, None, None, callback);
    }
    let outcome = |first| Outcome::Written { first_offset: Some(first), log_append_time: None };
    runner.run(cell.resolve(1..2, &outcome(90)), ());
    runner.run(cell.resolve(0..3, &outcome(50)), ());
    wait(&runner);
    assert_eq!(*lines.lock().unwrap(), ["orders-0@90", "orders-0@50", "orders-0@52"]);
}

#[test]
fn a_panic_ends_its_callback_only() {
    let (runner, lines) = (CallbackRunner::new(), Log::default());
    runner.run(single(|| panic!("a user's mistake")), ());
    runner.run(batch(&lines, 0, 1), ());
    wait(&runner);
    assert_eq!(*lines.lock().unwrap(), ["orders-0@0"]);
}

#[test]
fn a_panic_is_logged_with_its_message() {
    assert_eq!(panic_message(&"text"), "text");
    assert_eq!(panic_message(&String::from("formatted")), "formatted");
    assert_eq!(panic_message(&7), "a panic without a message");
}

#[test]
fn the_memory_is_held_until_all_callbacks_of_the_batch_have_run() {
    let runner = CallbackRunner::new();
    let budget = MemoryBudget::new(10);
    let (go, gate) = mpsc::channel::<()>();
    let due = single(move || gate.recv_timeout(PATIENCE).unwrap());
    runner.run(due, budget.try_acquire(10));
    assert_eq!(budget.used(), 10);
    go.send(()).unwrap();
    wait(&runner);
    assert_eq!(budget.used(), 0);
    assert!(batch(&Log::default(), 0, 0).is_empty());
    runner.run(batch(&Log::default(), 0, 0), budget.try_acquire(10));
    assert_eq!(budget.used(), 0);
}

#[test]
fn what_was_handed_over_runs_after_the_runner_is_dropped_and_the_thread_ends() {
    /// Tells when the thread that ran a callback ends.
    struct End(mpsc::Sender<&'static str>);
    impl Drop for End {
        fn drop(&mut self) {
            let _ = self.0.send("thread ended");
        }
    }
    thread_local!(static END: Cell<Option<End>> = const { Cell::new(None) });

    let runner = CallbackRunner::new();
    let (events, seen) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    runner.run(single(move || gate.recv_timeout(PATIENCE).unwrap()), ());
    let last = events.clone();
    let callback = move || {
        last.send("ran").unwrap();
        END.set(Some(End(last)));
    };
    runner.run(single(callback), ());
    drop(runner);
    go.send(()).unwrap();
    assert_eq!(seen.recv_timeout(PATIENCE), Ok("ran"));
    assert_eq!(seen.recv_timeout(PATIENCE), Ok("thread ended"));
}

#[test]
fn inside_a_callback_is_known_with_a_thread_and_without() {
    let without_thread = CallbackRunner { queue: OnceLock::from(None) };
    for (runner, is_on_io_task) in [(CallbackRunner::new(), false), (without_thread, true)] {
        let (tell, told) = mpsc::channel();
        let callback = move || tell.send((is_callback_thread(), is_io_task())).unwrap();
        runner.run(single(callback), ());
        assert_eq!(told.recv_timeout(PATIENCE), Ok((true, is_on_io_task)));
        assert!(!is_callback_thread() && !is_io_task());
    }
}

#[test]
fn nothing_starts_without_callbacks() {
    let runner = CallbackRunner::new();
    runner.run(batch(&Log::default(), 0, 0), ());
    assert!(runner.queue.get().is_none());
}
