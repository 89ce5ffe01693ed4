//! The codec held against Java's bytes, random messages and hostile input.

mod bombs;
mod bound;
mod bounds;
mod counts;
mod damage;
mod edges;
mod frames;
mod golden_batches;
mod golden_messages;
mod golden_tables;
mod hostile;
mod places;
mod random;
mod records;
mod round_trip;
mod support;
