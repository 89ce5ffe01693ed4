//! Other programs, for a bounded time. They write into files, so that none waits for a reader.
#![expect(clippy::disallowed_methods, reason = "waits for programs")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A program that runs, and is killed if it still does when this is dropped.
pub(super) struct Process {
    child: Child,
    name: String,
    out: PathBuf,
    err: PathBuf,
}

impl Process {
    /// Starts it; what it prints goes to files of that name in the folder.
    pub(super) fn start(mut command: Command, folder: &Path, name: &str) -> Result<Self> {
        let (out, err) = (folder.join(format!("{name}.out")), folder.join(format!("{name}.err")));
        let child = command
            // Whoever reads this wants a sentence.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self { child, name: name.to_owned(), out, err })
    }

    /// The first line that it prints.
    pub(super) fn first_line(&mut self, time: Duration) -> Result<String> {
        let deadline = Instant::now() + time;
        loop {
            let text = fs::read_to_string(&self.out)?;
            if let Some((line, _)) = text.split_once('\n') {
                return Ok(line.to_owned());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, self.last_words()?);
            }
            ensure!(Instant::now() < deadline, "{} says nothing", self.name);
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits for its end, and takes what it printed, if it succeeded.
    pub(super) fn output(mut self, time: Duration) -> Result<String> {
        let status = self.wait(time)?;
        ensure!(status.success(), "{status}: {}", self.last_words()?);
        Ok(fs::read_to_string(&self.out)?)
    }

    /// Lets it end by itself, as Ctrl-C does, and takes what it said.
    pub(super) fn interrupt(mut self, time: Duration) -> Result<String> {
        // The shell has it built in; the program is not everywhere.
        let kill = format!("kill -INT {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().context("cannot run sh")?;
        ensure!(status.success(), "`{kill}` failed");
        let status = self.wait(time)?;
        ensure!(status.success(), "{} failed ({status}): {}", self.name, self.last_words()?);
        Ok(fs::read_to_string(&self.err)?)
    }

    fn wait(&mut self, time: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "it was not done after {} s: {}",
                time.as_secs(),
                self.last_words()?
            );
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// What it said on its standard error, as one line of some length. Of files there are the names,
    /// since where they are is nobody's business.
    fn last_words(&self) -> Result<String> {
        let text = fs::read(&self.err)?;
        let text = String::from_utf8_lossy(&text);
        let name = |word: &'_ str| match word.rsplit_once('/') {
            Some((_, name)) if word.starts_with('/') => name.to_owned(),
            _ => word.to_owned(),
        };
        let words: Vec<String> = text.split_whitespace().map(name).collect();
        if words.is_empty() {
            return Ok("it said nothing".to_owned());
        }
        Ok(words.join(" ").chars().take(WORDS_MAX).collect())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const POLL_INTERVAL: Duration = Duration::from_millis(20);
const WORDS_MAX: usize = 300;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    fn shell(test: &str, script: &str) -> Process {
        let folder = std::env::temp_dir().join(format!("xtask-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, &folder, "it").unwrap()
    }

    #[test]
    fn what_a_program_says_is_taken() {
        assert_eq!(shell("says", "echo a; echo b").output(SOON).unwrap(), "a\nb\n");
        let error = shell("fails", "echo at /a/b.rs: why >&2; exit 3")
            .output(SOON)
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("3: at b.rs: why"), "{error}");
        let mut process = shell("line", "echo a; sleep 60");
        assert_eq!(process.first_line(SOON).unwrap(), "a");
    }

    #[test]
    fn nobody_waits_for_ever() {
        let error = shell("hangs", "sleep 60").output(Duration::ZERO).unwrap_err().to_string();
        assert!(error.starts_with("it was not done after 0 s"), "{error}");
    }

    #[test]
    fn it_may_say_goodbye() {
        let script = "trap 'echo bye >&2; exit 0' INT; echo up; while :; do sleep 0.01; done";
        let mut process = shell("bye", script);
        process.first_line(SOON).unwrap();
        assert_eq!(process.interrupt(SOON).unwrap(), "bye\n");
    }
}
