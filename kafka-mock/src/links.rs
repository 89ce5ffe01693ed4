//! How far away brokers are, and how fast they read.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::BrokerId;
use crate::quotas::time_for;

/// The way to each broker: without a delay, unless it is told otherwise.
#[derive(Debug)]
pub(crate) struct Links {
    rtt: Duration,
    by_broker: BTreeMap<BrokerId, Link>,
}

#[derive(Debug, Clone, Copy)]
struct Link {
    rtt: Duration,
    /// Bytes a second of each connection, `None` without an end.
    read_rate: Option<u64>,
}

impl Links {
    pub(crate) fn new(rtt: Duration) -> Self {
        Self { rtt, by_broker: BTreeMap::new() }
    }

    pub(crate) fn set_rtt(&mut self, broker: BrokerId, rtt: Duration) {
        self.link(broker).rtt = rtt;
    }

    pub(crate) fn set_read_rate(&mut self, broker: BrokerId, rate: Option<u64>) {
        self.link(broker).read_rate = rate;
    }

    pub(crate) fn rtt(&self, broker: BrokerId) -> Duration {
        self.by_broker.get(&broker).map_or(self.rtt, |link| link.rtt)
    }

    /// How long a broker takes to read so many bytes.
    pub(crate) fn reading(&self, broker: BrokerId, bytes: usize) -> Duration {
        let rate = self.by_broker.get(&broker).and_then(|link| link.read_rate);
        rate.map_or(Duration::ZERO, |rate| time_for(bytes, rate))
    }

    fn link(&mut self, broker: BrokerId) -> &mut Link {
        let rtt = self.rtt;
        self.by_broker.entry(broker).or_insert(Link { rtt, read_rate: None })
    }
}
