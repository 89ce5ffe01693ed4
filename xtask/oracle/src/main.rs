//! Our half of `cargo xtask oracle`.

mod json;
mod messages;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["messages", cases, java] => messages::compare(cases.as_ref(), java.as_ref()),
        _ => bail!("usage: oracle messages CASES JAVA"),
    }
}
