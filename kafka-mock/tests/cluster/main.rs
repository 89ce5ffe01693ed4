//! The cluster by scripts of requests, through real frames.

mod support;

mod admin;
mod connections;
mod consumer;
mod faults;
mod hostile;
mod metadata;
mod produce;
mod producer_ids;
mod sequences;
mod versions;
