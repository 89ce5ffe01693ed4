//! Our half of `cargo xtask oracle`.

mod batch_text;
mod batches;
mod content;
mod hex;
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
        ["write-batches", folder] => batches::write(folder.as_ref()),
        ["batches", folder] => batches::compare(folder.as_ref()),
        _ => {
            bail!("usage: oracle messages CASES JAVA | write-batches FOLDER/ours | batches FOLDER")
        }
    }
}
