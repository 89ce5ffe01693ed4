//! Input: a configuration, and what happens to a producer and around it, as the page of
//! `kafka-producer/tests/fuzzing/` says.
//!
//! The sender asks only for what its state allows, and for little at once; after that it waits. It
//! keeps to its limits of memory and of requests in flight. Each record has one outcome, in time.
//! Closed it holds nothing, and while it is not, a record that is sent to brokers that are well
//! arrives.

#![no_main]

use kafka_protocol_fuzz::allocating_at_most;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    allocating_at_most(MEMORY_MAX, || kafka_producer::fuzzing::sender_events(input));
});

/// The largest `buffer.memory` is 1 MiB, which requests are copied from; the rest is what is told of
/// records and metadata.
const MEMORY_MAX: usize = 16 * 1024 * 1024;
