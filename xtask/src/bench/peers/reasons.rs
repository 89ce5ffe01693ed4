//! Why targets are missed. A row that misses one and is not here is told loudly.

/// Why a row, or one of ours alone, misses a target, as profiling found it.
pub(super) struct Reason {
    pub(super) row: &'static str,
    pub(super) why: &'static str,
}

pub(super) const REASONS: [Reason; 0] = [];
