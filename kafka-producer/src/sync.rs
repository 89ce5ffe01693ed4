//! What threads share: std's, or loom's where its tests run (`--cfg kafka_loom`), so that they can try
//! every order of events.
//!
//! `Arc` is always std's: loom's can neither hold a `str` nor be a receiver of methods.

use std::sync::PoisonError;

#[allow(unused_imports, reason = "one list, whatever the crate uses of it today")]
#[cfg(not(kafka_loom))]
pub(crate) use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock,
    atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

#[cfg(not(kafka_loom))]
pub(crate) use arc_swap::ArcSwap;

#[cfg(kafka_loom)]
pub(crate) use self::arc_swap::ArcSwap;
#[cfg(kafka_loom)]
pub(crate) use self::once_lock::OnceLock;
#[allow(unused_imports, reason = "one list, whatever the crate uses of it today")]
#[cfg(kafka_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
#[cfg(kafka_loom)]
pub(crate) use std::sync::Arc;

/// Locks, whether or not a thread panicked while it held the lock.
///
/// What our locks guard is whole between any two statements that can panic, and a panic elsewhere must
/// not become one here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// loom has none: a flag that loom sees, before a cell that it does not.
#[cfg(kafka_loom)]
mod once_lock {
    use loom::sync::atomic::{AtomicBool, Ordering};

    #[derive(Debug)]
    pub(crate) struct OnceLock<T> {
        set: AtomicBool,
        value: std::sync::OnceLock<T>,
    }

    impl<T> OnceLock<T> {
        pub(crate) fn new() -> Self {
            Self { set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
        }

        pub(crate) fn get(&self) -> Option<&T> {
            if self.set.load(Ordering::Acquire) { self.value.get() } else { None }
        }

        pub(crate) fn set(&self, value: T) -> Result<(), T> {
            self.value.set(value)?;
            self.set.store(true, Ordering::Release);
            Ok(())
        }
    }
}

/// What loom does not see happen it tries in one order only: a lock that it sees, around what is swapped.
#[cfg(kafka_loom)]
mod arc_swap {
    use super::{Arc, Mutex, lock};

    #[derive(Debug, Default)]
    pub(crate) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            Arc::clone(&lock(&self.0))
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            // In a statement of its own: the old one is dropped without the lock.
            let _old = std::mem::replace(&mut *lock(&self.0), value);
        }
    }
}
