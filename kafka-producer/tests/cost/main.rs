//! What a record must not cost, counted: allocations, wake-ups of the I/O task, and I/O that waits for
//! who is slow. Of times nothing is said here; see `cargo xtask counts` and `cargo bench`.

mod allocations;
mod deliveries;
#[path = "../../benches/rig/mod.rs"]
#[expect(dead_code, reason = "the benches have more steps")]
mod rig;
mod wake_ups;
