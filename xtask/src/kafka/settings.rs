//! What a cluster looks like, and the files that tell its brokers: text from numbers, no I/O.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// How many brokers there are, with ids from 1 up, and where they listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) brokers: u16,
    /// Of the first broker; the others follow, then all controllers in the same order.
    pub(crate) port: u16,
}

impl Layout {
    /// # Errors
    /// If it is not a cluster that can be.
    pub(crate) fn check(self) -> Result<()> {
        let Self { brokers, port } = self;
        ensure!(matches!(brokers, 1 | 3), "a cluster has 1 or 3 brokers here, not {brokers}");
        let last = port.checked_add(2 * brokers - 1);
        ensure!(port > 0 && last.is_some(), "no ports for {brokers} brokers from {port} on");
        Ok(())
    }

    pub(crate) fn ids(self) -> impl Iterator<Item = u16> + Clone {
        1..=self.brokers
    }

    pub(crate) fn broker_port(self, id: u16) -> u16 {
        self.port + id - 1
    }

    fn controller_port(self, id: u16) -> u16 {
        self.broker_port(id) + self.brokers
    }

    /// All ports that the cluster listens at.
    pub(crate) fn ports(self) -> impl Iterator<Item = u16> {
        self.port..self.port + 2 * self.brokers
    }

    /// What a client is given.
    pub(crate) fn bootstrap_servers(self) -> String {
        let servers = self.ids().map(|id| format!("{HOST}:{}", self.broker_port(id)));
        servers.collect::<Vec<_>>().join(",")
    }

    /// The form that [`parse`](Self::parse) reads.
    pub(super) fn to_text(self) -> String {
        format!("brokers={}\nport={}\n", self.brokers, self.port)
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut values = text.split(['=', '\n']);
        let (Some("brokers"), Some(brokers), Some("port"), Some(port)) =
            (values.next(), values.next(), values.next(), values.next())
        else {
            bail!("not the lines `brokers=…` and `port=…`");
        };
        let layout = Self {
            brokers: brokers.parse().context("bad number of brokers")?,
            port: port.parse().context("bad port")?,
        };
        layout.check()?;
        Ok(layout)
    }
}

/// `server.properties` of one broker.
pub(super) fn server_properties(layout: Layout, id: u16, data: &Path) -> String {
    let (broker, controller) = (layout.broker_port(id), layout.controller_port(id));
    let voters = layout.ids().map(|id| format!("{id}@{HOST}:{}", layout.controller_port(id)));
    let voters = voters.collect::<Vec<_>>().join(",");
    let replicas = layout.brokers;
    let min_in_sync = if replicas == 1 { 1 } else { 2 };
    // A backslash begins an escape in such files.
    let data = data.to_string_lossy().replace('\\', "/");
    let mut text = format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners=CLIENT://{HOST}:{broker},CONTROLLER://{HOST}:{controller}\n\
         advertised.listeners=CLIENT://{HOST}:{broker}\n\
         listener.security.protocol.map=CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=CLIENT\n\
         controller.listener.names=CONTROLLER\n\
         log.dirs={data}\n"
    );
    // Writing to a string does not fail.
    for topic in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        let _ = writeln!(text, "{topic}.num.partitions=1\n{topic}.replication.factor={replicas}");
    }
    for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
        let _ = writeln!(text, "{topic}.min.isr={min_in_sync}");
    }
    text + FOR_TESTS
}

/// Everything to standard output, which goes to a file.
pub(super) const LOG4J2_PROPERTIES: &str = "\
status=warn
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %-5p %m (%c{1})%n%ex
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
";

/// A small heap, and only the quick compiler: a broker that lives for seconds never earns back what
/// the other one costs.
pub(super) const JAVA_OPTIONS: [&str; 3] =
    ["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];

/// The heap and the collector of `kafka-run-class.sh`.
pub(super) const SHIPPED_JAVA_OPTIONS: [&str; 6] = [
    "-server",
    "-Xms1g",
    "-Xmx1g",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
];

/// Reachable from this machine alone.
pub(super) const HOST: &str = "127.0.0.1";

/// - Topics appear when they are written to; groups form at once.
/// - Records of any timestamp stay, those of 1970 too.
/// - A killed broker cannot come back before the session of its last life has ended.
/// - The log cleaner takes 128 MB of the heap unless told otherwise.
const FOR_TESTS: &str = "\
auto.create.topics.enable=true
num.partitions=3
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
log.cleaner.dedupe.buffer.size=4194304
";

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Layout = Layout { brokers: 1, port: 9092 };
    const THREE: Layout = Layout { brokers: 3, port: 2000 };

    #[test]
    fn one_broker() {
        assert_eq!(ONE.bootstrap_servers(), "127.0.0.1:9092");
        assert_eq!(ONE.ports().collect::<Vec<_>>(), [9092, 9093]);
        let text = server_properties(ONE, 1, Path::new("/a b/data"));
        for line in [
            "node.id=1",
            "controller.quorum.voters=1@127.0.0.1:9093",
            "listeners=CLIENT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
            "log.dirs=/a b/data",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "num.partitions=3",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn three_brokers() {
        assert_eq!(THREE.bootstrap_servers(), "127.0.0.1:2000,127.0.0.1:2001,127.0.0.1:2002");
        let text = server_properties(THREE, 2, Path::new("/data"));
        for line in [
            "node.id=2",
            "controller.quorum.voters=1@127.0.0.1:2003,2@127.0.0.1:2004,3@127.0.0.1:2005",
            "listeners=CLIENT://127.0.0.1:2001,CONTROLLER://127.0.0.1:2004",
            "offsets.topic.replication.factor=3",
            "transaction.state.log.min.isr=2",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("0.0.0.0"));
    }

    #[test]
    fn layout_is_read_as_written() {
        assert_eq!(Layout::parse(&THREE.to_text()).unwrap(), THREE);
        for bad in ["", "brokers=3\n", "brokers=2\nport=9092\n", "brokers=3\nport=65531\n"] {
            assert!(Layout::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Layout::parse("brokers=3\nport=65530\n").is_ok());
    }
}
