//! A cluster of one or three brokers: fetched, formatted, started, waited for, stopped.
#![expect(clippy::disallowed_methods, reason = "waits for brokers to answer")]

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::probe;
use super::process::{Process, Signal};
use super::settings::{self, Layout};
use crate::java::{self, ClassPath, Java};

/// A cluster by name. It need not be running.
pub(crate) struct Cluster {
    root: PathBuf,
    folder: PathBuf,
    java_options: &'static [&'static str],
}

impl Cluster {
    /// Takes the root of the workspace; clusters of different names know nothing of each other.
    pub(crate) fn new(root: &Path, name: &str) -> Self {
        Self {
            root: root.to_path_buf(),
            folder: root.join("target/kafka").join(name),
            java_options: &settings::JAVA_OPTIONS,
        }
    }

    /// With Java as Kafka's own scripts start it, which is worth its cost where brokers have much to do.
    pub(super) fn with_shipped_java(self) -> Self {
        Self { java_options: &settings::SHIPPED_JAVA_OPTIONS, ..self }
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts a cluster without a past, and waits until every broker knows all of them. `false` if
    /// it was running already; if only some of its brokers were, the others start again.
    ///
    /// # Errors
    /// If it is running with another layout, or does not start; nothing runs then that did not before.
    pub(crate) fn up(&self, layout: Layout) -> Result<bool> {
        let present = self.layout()?;
        let running = self.running()?;
        if let Some(present) = present.filter(|_| running > 0) {
            ensure!(
                present == layout,
                "a cluster of {} at {} is running in {}; stop it first",
                present.brokers,
                present.bootstrap_servers(),
                self.folder.display()
            );
        }
        if running == usize::from(layout.brokers) {
            self.wait_until_up(layout, &layout.ids().collect::<Vec<_>>())?;
            return Ok(false);
        }
        let kafka = self.kafka()?;
        if running == 0 {
            self.format(layout, &kafka)?;
        }
        let started = layout.ids().try_for_each(|id| self.start(id, &kafka));
        if let Err(error) =
            started.and_then(|()| self.wait_until_up(layout, &layout.ids().collect::<Vec<_>>()))
        {
            if running == 0 {
                self.kill(layout)?;
            }
            return Err(error);
        }
        Ok(true)
    }

    /// Kills a broker without a word of warning, if it is running, and starts it again with what it
    /// left on disk. Waits until it is a member of the cluster again, which takes seconds: first the
    /// session of its last life has to end.
    pub(crate) fn restart(&self, id: u16) -> Result<()> {
        let layout = self.layout()?.context("no cluster was started here")?;
        ensure!(layout.ids().any(|other| other == id), "there is no broker {id}");
        let process = self.process(id);
        process.signal(Signal::Kill)?;
        ensure!(process.wait(KILL_TIME)?, "broker {id} cannot be killed");
        self.start(id, &self.kafka()?)?;
        self.wait_until_up(layout, &[id])
    }

    /// Stops the brokers that run, by force if they do not stop soon. How many there were.
    pub(crate) fn down(&self) -> Result<usize> {
        let Some(layout) = self.layout()? else {
            return Ok(0);
        };
        let count = self.running()?;
        for id in layout.ids() {
            self.process(id).signal(Signal::Terminate)?;
        }
        let deadline = Instant::now() + TERMINATE_TIME;
        for id in layout.ids() {
            self.process(id).wait(deadline.saturating_duration_since(Instant::now()))?;
        }
        self.kill(layout)?;
        Ok(count)
    }

    /// Kills the brokers that run, and removes all that the cluster left.
    pub(crate) fn remove(&self) -> Result<()> {
        if let Some(layout) = self.layout()? {
            self.kill(layout)?;
        }
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {:?}", self.folder))
            }
            _ => Ok(()),
        }
    }

    fn kill(&self, layout: Layout) -> Result<()> {
        for id in layout.ids() {
            self.process(id).signal(Signal::Kill)?;
        }
        for id in layout.ids() {
            ensure!(self.process(id).wait(KILL_TIME)?, "broker {id} cannot be killed");
        }
        Ok(())
    }

    /// Kafka's own classes with a logger.
    fn kafka(&self) -> Result<ClassPath> {
        Java::new(&self.root).resolve("server", &ARTIFACTS)
    }

    /// Empties the folder, writes the settings, and lets Kafka write the identity of a new cluster.
    fn format(&self, layout: Layout, kafka: &ClassPath) -> Result<()> {
        layout.ports().try_for_each(wait_until_free)?;
        java::recreate(&self.folder)?;
        fs::write(self.layout_file(), layout.to_text())?;
        let cluster_id = new_cluster_id()?;
        let mut tools = Vec::new();
        for id in layout.ids() {
            let folder = self.broker(id);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("log4j2.properties"), settings::LOG4J2_PROPERTIES)?;
            let settings = settings::server_properties(layout, id, &folder.join("data"));
            fs::write(self.settings_file(id), settings)?;
            let mut tool = self.java(id, kafka, "kafka.tools.StorageTool")?;
            tool.args(["format", "--cluster-id", &cluster_id, "--config"]);
            tool.arg(self.settings_file(id));
            tools.push(tool.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
        }
        for tool in tools {
            let tool = tool.map_err(|error| java::not_started("java", error, "run Kafka"))?;
            let output = tool.wait_with_output()?;
            ensure!(
                output.status.success(),
                "Kafka did not format the log directory:\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Starts a broker unless it is running.
    fn start(&self, id: u16, kafka: &ClassPath) -> Result<()> {
        let process = self.process(id);
        if process.is_running()? {
            return Ok(());
        }
        process.start(self.java(id, kafka, "kafka.Kafka")?, &self.log_file(id))
    }

    /// Java with the settings of a broker for the machine and the log, not yet for Kafka.
    fn java(&self, id: u16, kafka: &ClassPath, main_class: &str) -> Result<Command> {
        let log4j2 = self.broker(id).join("log4j2.properties");
        let log4j2 = format!("-Dlog4j2.configurationFile={}", log4j2.display());
        kafka.command(&[self.java_options, &[&log4j2]].concat(), main_class)
    }

    /// Waits until each of these brokers knows all of these.
    fn wait_until_up(&self, layout: Layout, ids: &[u16]) -> Result<()> {
        let deadline = Instant::now() + UP_TIME;
        for &id in ids {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, layout.broker_port(id)));
            loop {
                let state = match probe::live_brokers(address) {
                    Ok(live) if ids.iter().all(|id| live.contains(&i32::from(*id))) => break,
                    Ok(live) => format!("it knows only the brokers {live:?}"),
                    Err(error) => format!("{error:#}"),
                };
                if !self.process(id).is_running()? {
                    bail!("broker {id} ended; the end of its log:\n{}", self.end_of_log(id));
                }
                if Instant::now() > deadline {
                    let log = self.end_of_log(id);
                    let seconds = UP_TIME.as_secs();
                    bail!("broker {id} is not up after {seconds} s: {state}; its log:\n{log}");
                }
                std::thread::sleep(POLL_INTERVAL);
            }
        }
        Ok(())
    }

    fn end_of_log(&self, id: u16) -> String {
        let log = fs::read(self.log_file(id)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Of the cluster that was started last, if there was one.
    fn layout(&self) -> Result<Option<Layout>> {
        let file = self.layout_file();
        match fs::read_to_string(&file) {
            Ok(text) => Layout::parse(&text).map(Some).with_context(|| format!("{file:?}")),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {file:?}")),
        }
    }

    fn running(&self) -> Result<usize> {
        let mut count = 0;
        if let Some(layout) = self.layout()? {
            for id in layout.ids() {
                count += usize::from(self.process(id).is_running()?);
            }
        }
        Ok(count)
    }

    fn process(&self, id: u16) -> Process {
        Process::new(self.broker(id).join("pid"), self.settings_file(id))
    }

    fn layout_file(&self) -> PathBuf {
        self.folder.join("cluster.txt")
    }

    fn settings_file(&self, id: u16) -> PathBuf {
        self.broker(id).join("server.properties")
    }

    fn log_file(&self, id: u16) -> PathBuf {
        self.broker(id).join("server.log")
    }

    fn broker(&self, id: u16) -> PathBuf {
        self.folder.join(format!("broker-{id}"))
    }
}

/// The sockets of a process that was killed outlive what can be seen of it for a moment.
fn wait_until_free(port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let deadline = Instant::now() + FREE_TIME;
    while let Err(error) = TcpListener::bind(address) {
        if Instant::now() > deadline {
            return Err(error).with_context(|| format!("cannot listen at {address}"));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// A UUID as Kafka writes it: 22 characters of Base64, the last of which carries but two bits. Time
/// and pid tell clusters apart, and hexadecimal digits are Base64 too.
fn new_cluster_id() -> Result<String> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).context("a clock before 1970")?;
    let nanos = time.as_nanos() & u128::from(u64::MAX);
    Ok(format!("{nanos:016x}{:05x}A", std::process::id() & 0xf_ffff))
}

/// Kafka and all that it needs; what brings its log messages to Log4j, which it needs anyway.
const ARTIFACTS: [&str; 2] =
    ["org.apache.kafka:kafka_2.13:4.4.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"];

const UP_TIME: Duration = Duration::from_secs(60);
/// Three that go at once wait for each other's votes, and what they hold is not needed again.
const TERMINATE_TIME: Duration = Duration::from_secs(2);
const KILL_TIME: Duration = Duration::from_secs(10);
const FREE_TIME: Duration = Duration::from_secs(2);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const LOG_LINES: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cluster_id_is_a_uuid() {
        let id = new_cluster_id().unwrap();
        assert_eq!(id.len(), 22);
        assert!(id.chars().all(|c| c.is_ascii_hexdigit()), "{id}");
    }

    #[test]
    fn without_a_start_nothing_runs() {
        let cluster = Cluster::new(Path::new("no/such/workspace"), "none");
        assert_eq!(cluster.down().unwrap(), 0);
        let error = cluster.restart(1).unwrap_err();
        assert_eq!(error.to_string(), "no cluster was started here");
    }
}
