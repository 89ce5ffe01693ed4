//! The sender against a whole cluster, in virtual time, on one thread: hours in seconds, and the same
//! seed always gives the same run.
//!
//! A step drains the sender's actions onto a network that is made of delays, then jumps to the next
//! thing that happens. At the end the ledger holds what was promised against what is in the logs.
//!
//! It is a module of the crate, since it drives what is behind its facade.

mod behaviour;
mod checkers;
mod harness;
mod ledger;
mod network;
mod reach;
mod settings;
mod story;
mod swarm;
mod wire;

use harness::Simulation;
use settings::Settings;
