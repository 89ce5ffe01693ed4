//! What the fuzz targets check.
//!
//! A target in `fuzz_targets/` says how its input is read; here are the properties that must then
//! hold. One that does not is a panic, which is what libFuzzer looks for.

mod allocation;
mod api;
mod batch;
mod message;

pub use allocation::allocating_at_most;
pub use api::api_at_front;
pub use batch::{check_decompression, check_records, set_batch_length};
pub use message::check_message;
