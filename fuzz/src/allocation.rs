//! How much memory a piece of code may take.

/// The result of `work`, which must not hold more than `limit` bytes of the heap at any time.
///
/// Memory that is claimed but never written counts as well, which the operating system and with it
/// libFuzzer's `-rss_limit_mb` would not see. What C libraries allocate is not counted.
#[track_caller]
pub fn allocating_at_most<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let mut result = None;
    let taken = allocation_counter::measure(|| result = Some(work())).bytes_max;
    assert!(taken <= limit as u64, "{taken} bytes were allocated, expected at most {limit}");
    result.expect("`measure` runs what it is given")
}
