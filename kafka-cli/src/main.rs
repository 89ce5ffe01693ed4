//! `kafka`: sends records to Apache Kafka, reads them, looks around, and brings a cluster of its own.
//!
//! A thin layer: what a library user would want is in `kafka-producer`, `kafka-net` and `kafka-mock`.
//! `args.rs` is the contents page, each subcommand has a file of its name. Results go to standard
//! output, everything else to standard error, and an error is one sentence.

#![warn(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod args;
mod cluster;
mod demo;
mod embedded;
mod failure;
mod histogram;
mod input;
mod interrupt;
mod lines;
mod metadata;
mod mock;
mod numbers;
mod produce;
mod read;
mod reader;
mod report;
mod table;
mod values;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use args::{Cli, Command};
use failure::{Failure, tell};

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        tell(format_args!("error: a bug of this program, please report it: {panic}"));
    }));
    let cli = Cli::parse();
    log(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::new(format_args!("cannot start: {error}")).report(),
    };
    let result = runtime.block_on(run(cli.command));
    // Waits for nobody: a thread may sit in a read of a terminal.
    runtime.shutdown_background();
    result.map_or_else(|failure| failure.report(), |()| ExitCode::SUCCESS)
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args).await,
        Command::Produce(args) => produce::run(args).await,
        Command::Read(args) => read::run(args).await,
        Command::Metadata(args) => metadata::run(args).await,
        Command::Mock(args) => mock::run(args).await,
    }
}

/// What the libraries tell: nothing unless it is asked for, since errors come back as results.
fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).init();
}
