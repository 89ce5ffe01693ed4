//! The command line, the same for all clients.

use clap::{Parser, ValueEnum};

/// What to send, and where to.
#[derive(Debug, Clone, Parser)]
#[command(disable_version_flag = true)]
pub struct Options {
    /// Brokers to begin with
    #[arg(long, value_name = "HOST:PORT")]
    pub servers: String,
    /// Topic, which is there already
    #[arg(long, value_name = "NAME")]
    pub topic: String,
    /// Records that are timed; one more is sent before them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub records: u64,
    /// Bytes of a value
    #[arg(long, value_name = "BYTES")]
    pub size: usize,
    /// So many different keys [default: none at all]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub keys: Option<u32>,
    /// Compression of batches
    #[arg(long, value_name = "TYPE", value_enum, default_value = "none")]
    pub compression: Compression,
    /// Records a second, evenly [default: as fast as it goes]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: Option<u64>,
    /// How long a batch waits for more records [default: the client's]
    #[arg(long, value_name = "MS")]
    pub linger_ms: Option<u32>,
    /// Bytes of a batch [default: the client's]
    #[arg(long, value_name = "BYTES")]
    pub batch_size: Option<usize>,
    /// Memory for records that are not acknowledged yet [default: the client's]
    #[arg(long, value_name = "BYTES")]
    pub buffer: Option<usize>,
}

/// The codecs that every client has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "named as Kafka names them")]
pub enum Compression {
    None,
    Lz4,
}

impl Compression {
    /// As `compression.type` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
        }
    }
}
