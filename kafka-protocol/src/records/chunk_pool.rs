//! Memory of batches that were sent, for the next ones.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Keeps the chunks of finished batches when they are dropped, and gives them to
/// [builders](super::RecordBatchBuilder::with_pool) again.
///
/// A chunk that comes from the system has to be mapped and zeroed page by page, which takes longer than
/// to fill it with records. Only chunks of 16, 32 and 64 KiB are kept: an allocator is good at smaller
/// ones.
///
/// Cheap to clone; clones share what is kept.
#[derive(Clone)]
pub struct ChunkPool(Arc<Shared>);

struct Shared {
    keep_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Empty chunks, by their capacity.
    chunks: [Vec<Vec<u8>>; CAPACITIES.len()],
    bytes: usize,
}

/// What is kept; each is one that a builder's chunks grow to.
const CAPACITIES: [usize; 3] = [16 * 1024, 32 * 1024, ChunkPool::LARGEST];

impl ChunkPool {
    /// Bytes of the largest chunk.
    pub(super) const LARGEST: usize = 64 * 1024;

    /// A pool that keeps no more than so many bytes that nobody uses.
    pub fn new(keep_max: usize) -> Self {
        Self(Arc::new(Shared { keep_max, kept: Mutex::default() }))
    }

    /// Bytes that are kept, and that nobody uses now.
    pub fn kept(&self) -> usize {
        self.0.lock().bytes
    }

    /// Gives back to the system what nobody uses.
    pub fn clear(&self) {
        let _kept = std::mem::take(&mut *self.0.lock());
    }

    /// An empty chunk of exactly that capacity, from the system if none is kept.
    pub(super) fn take(&self, capacity: usize) -> Vec<u8> {
        let kept = class(capacity).and_then(|class| self.0.take(class));
        kept.unwrap_or_else(|| Vec::with_capacity(capacity))
    }

    /// A copy of these bytes, in a chunk if they fill one.
    pub(super) fn copy(&self, bytes: &[u8]) -> Bytes {
        if class(bytes.len()).is_none() {
            return Bytes::copy_from_slice(bytes);
        }
        let mut chunk = self.take(bytes.len());
        chunk.extend_from_slice(bytes);
        self.share(chunk)
    }

    /// The bytes of a chunk, which comes back when the last copy of them is dropped.
    pub(super) fn share(&self, chunk: Vec<u8>) -> Bytes {
        match class(chunk.capacity()) {
            Some(class) => Bytes::from_owner(Lent { chunk, class, pool: Arc::clone(&self.0) }),
            None => chunk.into(),
        }
    }
}

fn class(capacity: usize) -> Option<usize> {
    CAPACITIES.iter().position(|kept| *kept == capacity)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic happens under the lock.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, class: usize) -> Option<Vec<u8>> {
        let mut kept = self.lock();
        let chunk = kept.chunks.get_mut(class)?.pop()?;
        kept.bytes -= chunk.capacity();
        Some(chunk)
    }

    /// Keeps a chunk, unless enough is kept.
    fn put(&self, class: usize, mut chunk: Vec<u8>) {
        chunk.clear();
        let mut kept = self.lock();
        let bytes = kept.bytes + chunk.capacity();
        if bytes > self.keep_max {
            // It is freed without the lock.
            drop(kept);
            return;
        }
        kept.bytes = bytes;
        if let Some(chunks) = kept.chunks.get_mut(class) {
            chunks.push(chunk);
        }
    }
}

/// A chunk in use, as the bytes of it that are written.
struct Lent {
    chunk: Vec<u8>,
    class: usize,
    pool: Arc<Shared>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.chunk
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.pool.put(self.class, std::mem::take(&mut self.chunk));
    }
}

impl fmt::Debug for ChunkPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { keep_max, .. } = *self.0;
        write!(f, "ChunkPool({} of {keep_max} bytes)", self.kept())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 64 * 1024;

    #[test]
    fn a_chunk_comes_back_when_its_last_copy_is_dropped() {
        let pool = ChunkPool::new(10 * CHUNK);
        let mut chunk = pool.take(CHUNK);
        chunk.extend_from_slice(b"records");
        let memory = chunk.as_ptr();
        let bytes = pool.share(chunk);
        let copy = bytes.slice(3..);
        drop(bytes);
        assert_eq!((pool.kept(), &copy[..]), (0, &b"ords"[..]));
        drop(copy);
        assert_eq!(pool.kept(), CHUNK);
        let again = pool.take(CHUNK);
        assert_eq!((again.as_ptr(), again.len(), again.capacity()), (memory, 0, CHUNK));
        assert_eq!(pool.kept(), 0);
    }

    #[test]
    fn no_more_is_kept_than_allowed() {
        let pool = ChunkPool::new(2 * CHUNK);
        let lent: Vec<Bytes> = (0..3).map(|_| pool.share(pool.take(CHUNK))).collect();
        drop(lent);
        assert_eq!(pool.kept(), 2 * CHUNK);
        pool.clear();
        assert_eq!(pool.kept(), 0);
    }

    #[test]
    fn each_capacity_is_kept_for_itself_and_others_are_not() {
        let pool = ChunkPool::new(10 * CHUNK);
        for capacity in [1024, CHUNK / 4, CHUNK / 2, CHUNK + 1] {
            drop(pool.share(pool.take(capacity)));
        }
        assert_eq!(pool.kept(), CHUNK / 4 + CHUNK / 2);
        assert_eq!(pool.take(CHUNK).capacity(), CHUNK);
        assert_eq!(pool.take(CHUNK / 2).capacity(), CHUNK / 2);
        assert_eq!(pool.kept(), CHUNK / 4);
    }
}
