//! Another program that takes commands and answers with lines: a client that is not ours, or the mock.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// It ends when this is dropped.
pub(crate) struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{program}`"))?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let input = input.context("no pipe to its input")?;
        let output = BufReader::new(output.context("no pipe from its output")?);
        Ok(Self { process, input, output })
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the program has ended");
        line.truncate(line.trim_end().len());
        Ok(line)
    }

    /// Gives a command and takes the lines of its answer, without the `ok` at its end.
    pub(crate) fn call(&mut self, command: &str) -> Result<Vec<String>> {
        writeln!(self.input, "{command}")?;
        self.input.flush()?;
        let mut lines = Vec::new();
        loop {
            let line = self.line()?;
            if line == "ok" {
                return Ok(lines);
            }
            if let Some(error) = line.strip_prefix("error ") {
                let begin = command.lines().next().unwrap_or_default();
                bail!("`{begin}`: {error}");
            }
            lines.push(line);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
