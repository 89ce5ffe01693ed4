//! The `records` field of a message: bytes in one or several pieces.

use bytes::{Bytes, BytesMut};

/// Record batches as they stand in a Produce request or a Fetch response: raw bytes, in pieces.
///
/// What was decoded is one piece, shared with the frame; read it with
/// [`RecordBatches`](super::RecordBatches). What is to be sent is usually a header and the chunks of
/// a [`RecordBatchBody`](super::RecordBatchBody), which are not copied together.
#[derive(Debug, Clone, Default)]
pub struct Records {
    segments: Segments,
    len: usize,
}

/// One piece is the common case, and needs no list.
#[derive(Debug, Clone)]
enum Segments {
    One(Bytes),
    Several(Vec<Bytes>),
}

impl Default for Segments {
    fn default() -> Self {
        Self::One(Bytes::new())
    }
}

impl Records {
    /// No bytes; allocates nothing.
    pub const fn new() -> Self {
        Self { segments: Segments::One(Bytes::new()), len: 0 }
    }

    /// Length in bytes, over all pieces.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The pieces, in order.
    pub fn segments(&self) -> &[Bytes] {
        match &self.segments {
            Segments::One(bytes) => std::slice::from_ref(bytes),
            Segments::Several(segments) => segments,
        }
    }

    /// All bytes in one piece; copies them only if they are in several.
    pub fn to_bytes(&self) -> Bytes {
        match &self.segments {
            Segments::One(bytes) => bytes.clone(),
            Segments::Several(segments) => {
                let mut all = BytesMut::with_capacity(self.len);
                segments.iter().for_each(|segment| all.extend_from_slice(segment));
                all.freeze()
            }
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self { len: bytes.len(), segments: Segments::One(bytes) }
    }
}

impl FromIterator<Bytes> for Records {
    fn from_iter<I: IntoIterator<Item = Bytes>>(segments: I) -> Self {
        let segments: Vec<Bytes> = segments.into_iter().collect();
        let len = segments.iter().map(Bytes::len).sum();
        Self { segments: Segments::Several(segments), len }
    }
}

/// Equal if the bytes are, however they are cut.
impl PartialEq for Records {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len
            && self.segments().iter().flatten().eq(other.segments().iter().flatten())
    }
}

impl Eq for Records {}
