//! Our codec and the published ones, timed side by side; `cargo xtask bench codec` runs it.
//!
//! Prints a line for each figure: its name, then nanoseconds of ours, of `kafka-protocol` and of
//! `kacrab-protocol`, separated by tabs.

mod contest;
mod kacrab;
mod kafka_protocol_rs;
mod our;
mod sample;

use anyhow::{Result, bail};

use crate::contest::{Contest, Rounds};
use crate::sample::{Cluster, SampleRecord};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rounds = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Rounds::FULL,
        ["--quick"] => Rounds::QUICK,
        _ => bail!("the only option is --quick"),
    };
    let cluster = Cluster::sample();
    let records = sample::records();
    let frame = our::encoded(&cluster)?;
    let batch = our::batch(&records)?;
    println!("# Metadata response: {} bytes; batch: {} bytes", frame.len(), batch.len());

    let decode = Contest {
        figure: "decode-metadata",
        runs: [
            our::decode(&cluster, &frame)?,
            kafka_protocol_rs::decode(&cluster, &frame)?,
            kacrab::decode(&cluster, &frame)?,
        ],
    };
    decode.print(&rounds);
    let encode = Contest {
        figure: "encode-metadata",
        runs: [
            our::encode(&cluster, &frame)?,
            kafka_protocol_rs::encode(&cluster, &frame)?,
            kacrab::encode(&cluster, &frame)?,
        ],
    };
    encode.print(&rounds);
    let build = Contest {
        figure: "build-batch",
        runs: [
            our::build(&records, &batch)?,
            kafka_protocol_rs::build(&records, &batch)?,
            kacrab::build(&records, &batch)?,
        ],
    };
    build.print(&rounds);
    let digest = sample::digest(records.iter().map(SampleRecord::fields));
    let read = Contest {
        figure: "read-batch",
        runs: [
            our::read(&batch, digest)?,
            kafka_protocol_rs::read(&batch, digest)?,
            kacrab::read(&batch, digest)?,
        ],
    };
    read.print(&rounds);
    Ok(())
}
