//! Everything at once: troubles, settings and load drawn from a seed. First a phase of *safety*, in which
//! troubles come; then they end, and in a phase of *liveness* everything has to come to its end, and new
//! records have to be written.

mod options;
mod run;
mod troubles;

use std::time::{Duration, Instant};

use fastrand::Rng;
use kafka_mock::BrokerId;

use crate::sim::Simulation;
use crate::sim::ledger::Ledger;
use crate::sim::story::Who;
use options::Options;

/// A run under way.
struct Swarm {
    options: Options,
    simulation: Simulation,
    rng: Rng,
    /// Brokers that are away, and until when.
    away: Vec<(Instant, BrokerId)>,
}

impl Swarm {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let options = Options::draw(seed, &mut rng);
        let mut simulation = Simulation::new(options.settings.clone());
        simulation.network.latency_max = options.latency_max;
        Self { options, simulation, rng, away: Vec::new() }
    }

    /// The whole run.
    fn run(mut self) -> Ledger {
        for _ in 0..self.options.records {
            self.send();
            if self.rng.u32(0..100) < self.options.hardship && !self.options.troubles.is_empty() {
                let kind = self.rng.usize(..self.options.troubles.len());
                self.options.troubles[kind].strike(&mut self);
            }
            self.come_back();
            let time = match self.rng.u32(0..200) {
                0 => self.rng.u64(0..3_000_000),
                1..120 => self.rng.u64(0..8_000),
                _ => 0,
            };
            self.simulation.run_for(Duration::from_micros(time));
        }
        if self.options.closes_early {
            let timeout = Duration::from_millis(self.rng.u64(0..5_000));
            return self.simulation.close(timeout);
        }
        self.heal();
        self.live();
        self.simulation.finish()
    }

    /// Sends a record; waits a while for room, not for ever.
    fn send(&mut self) {
        // The first topic is hot, the last one cold.
        let count = self.options.topics.len();
        let topic = self.rng.usize(0..count).min(self.rng.usize(0..count));
        let topic = self.options.topics[topic].clone();
        let is_keyless = self.rng.u32(0..100) < self.options.keyless;
        let partition = (!is_keyless).then(|| self.rng.i32(0..self.options.partitions));
        let size = self.rng.usize(8..600);
        for _ in 0..self.rng.usize(1..200) {
            if self.simulation.try_send(&topic, partition, size) {
                return;
            }
            self.simulation.step();
            self.come_back();
        }
    }

    /// Brokers that were away long enough are back.
    fn come_back(&mut self) {
        let now = self.simulation.now;
        self.away.retain(|(until, _)| *until > now);
        self.simulation.network.down = self.away.iter().map(|(_, broker)| *broker).collect();
    }

    /// From now on nothing goes wrong any more.
    fn heal(&mut self) {
        self.tell(Who::Trouble, || "all is well again".to_owned());
        let simulation = &mut self.simulation;
        simulation.cluster.clear_faults();
        simulation.network.down.clear();
        simulation.cluster.set_producer_byte_rate(None, None);
        for broker in simulation.cluster.brokers() {
            simulation.cluster.set_disk_failed(broker, false);
        }
        let first = simulation.cluster.brokers()[0];
        for topic in &self.options.topics {
            for partition in 0..simulation.cluster.partition_count(topic).unwrap_or(0) {
                let partition = i32::try_from(partition).unwrap();
                simulation.cluster.announce_leader(topic, partition, None);
                let leader = simulation.cluster.leader(topic, partition).unwrap_or(first);
                // The truth is newer than any lie.
                for _ in 0..=LIED_EPOCH_MAX {
                    simulation.cluster.move_leader(topic, partition, Some(leader));
                }
            }
        }
    }

    /// What was accepted has its outcome in time, and what is sent then is written: no partition is stuck.
    fn live(&mut self) {
        let seed = self.options.settings.seed;
        self.simulation.settle();
        // Requests that were never answered hold their partition until they time out.
        self.simulation.run_for(self.options.settings.request_timeout * 2 + Duration::from_secs(5));
        // The first ones tell the producer what has changed in the cluster: that may cost them.
        self.send_everywhere();
        let first = self.simulation.ledger.accepted();
        self.send_everywhere();
        let fresh = self.simulation.ledger.settled.range(first..);
        for (number, settled) in fresh {
            let outcome = &settled.outcome;
            assert!(
                outcome.is_ok(),
                "seed {seed:#x}: all is well, yet record {number}: {outcome:?}"
            );
        }
    }

    fn send_everywhere(&mut self) {
        for topic in self.options.topics.clone() {
            for partition in 0..self.options.partitions {
                self.simulation.send(&topic, partition, 20);
            }
        }
        self.simulation.settle();
    }

    fn tell(&self, who: Who, what: impl FnOnce() -> String) {
        self.simulation.network.story.tell(self.simulation.now, who, what);
    }
}

/// Metadata that lies about a leader tells epochs up to this one.
const LIED_EPOCH_MAX: i32 = 2;
