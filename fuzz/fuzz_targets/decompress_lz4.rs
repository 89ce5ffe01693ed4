//! Input: records compressed with lz4, without the batch header in front of them.
//!
//! Decompressing never panics, never gives more than the limit, takes memory in proportion to it,
//! and the limit is exact.

#![no_main]

use kafka_protocol::records::Compression;
use kafka_protocol_fuzz::check_decompression;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| check_decompression(Compression::Lz4, input));
