//! Runs the built command, against clusters of the mock and against what is none.
#![expect(clippy::disallowed_methods, reason = "servers and writers beside the command")]

mod demo;
mod errors;
mod fixture;
#[cfg(unix)]
mod interrupt;
mod metadata;
mod produce;
mod read;
