//! The cluster by scripts of requests, through real frames.

mod support;

mod admin;
mod brokers;
mod connections;
mod consumer;
mod faults;
mod forging;
mod hostile;
mod metadata;
mod produce;
mod producer_ids;
mod sequences;
mod throttling;
mod versions;
