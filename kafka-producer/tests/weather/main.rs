//! What bad input and bad weather get, through the public facade: over a mock cluster behind loopback
//! TCP, or against peers that are no brokers. Each test asserts the words that a person reads.

#![expect(clippy::disallowed_methods, reason = "how long somebody waits is what is asked here")]

#[macro_use]
mod harness;

mod acks;
mod addresses;
mod callbacks;
mod closing;
mod driver;
mod flushing;
mod garbage;
mod interceptors;
mod leaders;
mod memory;
mod metadata;
mod metrics;
mod partitioners;
mod pausing;
mod records;
mod sending;
mod serializers;
mod topics;
