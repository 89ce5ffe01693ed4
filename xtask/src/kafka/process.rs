//! One broker's process: started to outlive this one, known again later, stopped for certain.
//!
//! A pid alone may belong to somebody else by now. A process is the one that was started if its
//! command line still ends in the argument that only this broker has: the path of its settings.
#![expect(clippy::disallowed_methods, reason = "waits for processes to end")]

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::java;

/// A process with a pid file. It may have ended, or not begun.
pub(super) struct Process {
    pid_file: PathBuf,
    /// The last argument of its command line.
    mark: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Terminate,
    Kill,
}

impl Process {
    /// Takes the file for the pid, and the path that no other process has as its last argument.
    pub(super) fn new(pid_file: PathBuf, mark: PathBuf) -> Self {
        Self { pid_file, mark }
    }

    /// Starts `command` with the mark as its last argument; what it prints goes to the end of `log`.
    pub(super) fn start(&self, mut command: Command, log: &Path) -> Result<()> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .arg(&self.mark)
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .spawn()
            .map_err(|error| java::not_started("java", error, "run Kafka"))?;
        fs::write(&self.pid_file, child.id().to_string())
            .with_context(|| format!("cannot write {:?}", self.pid_file))?;
        // On Linux the command line is empty for a moment after the start, as it is after the end.
        while child.try_wait()?.is_none() && !self.is_running()? {
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Whether the process that was started is running.
    pub(super) fn is_running(&self) -> Result<bool> {
        Ok(self.running_pid()?.is_some())
    }

    /// Sends the signal if the process is running; whether it was.
    pub(super) fn signal(&self, signal: Signal) -> Result<bool> {
        let Some(pid) = self.running_pid()? else {
            return Ok(false);
        };
        let name = match signal {
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
        };
        // The shell has it built in; the program is not everywhere.
        let kill = format!("kill -{name} {pid}");
        let status = Command::new("sh").args(["-c", &kill]).status().context("cannot run sh")?;
        ensure!(status.success() || !self.is_running()?, "`{kill}` failed");
        Ok(true)
    }

    /// Waits for the end; whether it came in time.
    pub(super) fn wait(&self, time: Duration) -> Result<bool> {
        let deadline = Instant::now() + time;
        while self.is_running()? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(true)
    }

    fn running_pid(&self) -> Result<Option<u32>> {
        let text = match fs::read_to_string(&self.pid_file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {:?}", self.pid_file))?,
        };
        let pid = text.trim().parse();
        let pid = pid.with_context(|| format!("{:?} holds no pid", self.pid_file))?;
        let mark = self.mark.to_string_lossy();
        Ok(command_line(pid)?.is_some_and(|line| line.ends_with(&*mark)).then_some(pid))
    }
}

/// What the process was started with; `None` if there is none with this pid, or it has ended and
/// waits for its parent to ask.
fn command_line(pid: u32) -> Result<Option<String>> {
    if Path::new("/proc/self/cmdline").exists() {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).trim_end_matches('\0').to_owned();
        return Ok((!line.is_empty()).then_some(line));
    }
    let output = Command::new("ps")
        .args(["-ww", "-o", "args=", "-p", &pid.to_string()])
        .output()
        .context("cannot run `ps`, needed to know a broker from another process")?;
    let line = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    Ok((!line.is_empty()).then_some(line))
}

const POLL_INTERVAL: Duration = Duration::from_millis(20);

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A folder of one test, and in it a process: `sh -c "…" <mark>`.
    fn sleeping(test: &str) -> (PathBuf, Process) {
        let folder = std::env::temp_dir().join(format!("xtask-{test}-{}", std::process::id()));
        java::recreate(&folder).unwrap();
        let process = Process::new(folder.join("pid"), folder.join("mark"));
        let mut command = Command::new("sh");
        command.args(["-c", "while :; do sleep 0.1; done"]);
        process.start(command, &folder.join("log")).unwrap();
        (folder, process)
    }

    #[test]
    fn process_is_known_again_until_it_ends() {
        let (folder, process) = sleeping("known");
        assert!(process.is_running().unwrap());
        assert!(!process.wait(Duration::ZERO).unwrap());
        assert!(process.signal(Signal::Terminate).unwrap());
        assert!(process.wait(Duration::from_secs(10)).unwrap());
        assert!(!process.signal(Signal::Kill).unwrap());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn pid_of_another_process_is_left_alone() {
        let (folder, process) = sleeping("other");
        let other = Process::new(folder.join("pid"), folder.join("other-mark"));
        assert!(!other.signal(Signal::Kill).unwrap());
        assert!(process.is_running().unwrap());
        assert!(process.signal(Signal::Kill).unwrap());
        assert!(process.wait(Duration::from_secs(10)).unwrap());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn nothing_was_started() {
        let process = Process::new("no/such/pid".into(), "mark".into());
        assert!(!process.is_running().unwrap());
    }
}
