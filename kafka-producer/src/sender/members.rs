//! Which brokers there are: those of the cluster, or the addresses to begin with; and whom to ask.

use std::collections::BTreeMap;
use std::time::Instant;

use fastrand::Rng;
use kafka_net::{BrokerId, ConnectionState, DisconnectReason, HostPort, least_loaded};
use kafka_protocol::KafkaString;

use crate::sender::broker::Broker;
use crate::sender::connections::{Connections, Output};
use crate::sender::requests::SentRequest;

impl Connections {
    /// Adds the addresses to begin with, under ids that no broker has.
    pub(super) fn add_bootstrap(&mut self, now: Instant, servers: &[HostPort]) {
        for address in servers {
            let id = BrokerId(self.next_bootstrap);
            self.next_bootstrap = self.next_bootstrap.checked_sub(1).unwrap_or(-1);
            self.insert(now, id, address);
        }
    }

    /// Whether only addresses to begin with are known.
    pub(super) fn has_bootstrap(&self) -> bool {
        self.brokers.iter().any(|(id, broker)| broker.is_member && id.0 < 0)
    }

    /// Takes the brokers of the cluster. Connections to others end.
    pub(super) fn set_members(
        &mut self,
        now: Instant,
        cluster_id: Option<KafkaString>,
        members: &BTreeMap<BrokerId, HostPort>,
        out: &mut Output<'_>,
    ) -> Vec<SentRequest> {
        self.cluster_id = cluster_id;
        let mut lost = Vec::new();
        for (id, address) in members {
            lost.extend(self.set_address(now, *id, address, out));
        }
        let others: Vec<_> =
            self.brokers.keys().filter(|id| !members.contains_key(id)).copied().collect();
        for id in others {
            let Some(broker) = self.brokers.get_mut(&id) else { continue };
            broker.is_member = false;
            // Answers that are due are waited for.
            if broker.in_flight.is_empty() {
                lost.extend(self.remove(now, id, out));
            }
        }
        lost
    }

    /// Takes a broker's address, which an answer told in passing.
    pub(super) fn set_address(
        &mut self,
        now: Instant,
        id: BrokerId,
        address: &HostPort,
        out: &mut Output<'_>,
    ) -> Vec<SentRequest> {
        let mut lost = Vec::new();
        match self.brokers.get_mut(&id) {
            Some(broker) => {
                broker.is_member = true;
                if let Some(action) = broker.connection.set_address(now, address.clone()) {
                    lost.extend(broker.in_flight.drain());
                    broker.handshake = None;
                    broker.unwritten.clear();
                    out.actions.push_back(action.into());
                }
            }
            None => self.insert(now, id, address),
        }
        self.set_timers(now, id, out);
        lost
    }

    /// Forgets what was known of the cluster, for addresses to begin with (KIP-899).
    pub(super) fn forget_members(
        &mut self,
        now: Instant,
        out: &mut Output<'_>,
    ) -> Vec<SentRequest> {
        let mut lost = Vec::new();
        for id in self.brokers.keys().copied().collect::<Vec<_>>() {
            if id.0 < 0 {
                lost.extend(self.remove(now, id, out));
            } else if let Some(broker) = self.brokers.get_mut(&id) {
                broker.is_member = false;
            }
        }
        lost
    }

    /// Whether a broker is one of the cluster, as far as is known.
    pub(super) fn is_member(&self, id: BrokerId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| broker.is_member)
    }

    /// Whether some broker of the cluster is connected, ready or not for one more request.
    pub(super) fn has_connected_member(&self) -> bool {
        let mut members = self.brokers.values().filter(|broker| broker.is_member);
        members.any(|broker| broker.connection.state() == ConnectionState::Ready)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.brokers.len()
    }

    /// The broker to ask what every broker knows; it may have to be connected to first.
    pub(super) fn least_loaded(&self, now: Instant, rng: &mut Rng) -> Option<BrokerId> {
        let members = self.brokers.iter().filter(|(_, broker)| broker.is_member);
        let candidates: Vec<_> = members.map(|(id, broker)| (*id, broker.load(now))).collect();
        least_loaded(&candidates, rng)
    }

    /// When the first broker may be tried again that cannot be asked now.
    pub(super) fn next_retry(&self, now: Instant) -> Option<Instant> {
        let members = self.brokers.values().filter(|broker| broker.is_member);
        let retries = members.filter_map(|broker| {
            broker.connection.retry_at().or_else(|| broker.connection.throttled_until(now))
        });
        retries.filter(|at| *at > now).min()
    }

    /// Why the brokers that are known cannot be reached.
    pub(super) fn errors(&self) -> Option<String> {
        let members = self.brokers.values().filter(|broker| broker.is_member);
        let errors: Vec<_> = members.filter_map(|b| b.error.as_deref()).take(ERRORS_MAX).collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    }

    /// How a connection that is lost has ended, with its address.
    pub(super) fn why_lost(&self, id: BrokerId, reason: &DisconnectReason) -> String {
        let error = self.brokers.get(&id).and_then(|broker| broker.error.clone());
        error.unwrap_or_else(|| reason.to_string())
    }

    /// Where a broker is, for a person.
    pub(super) fn place(&self, id: BrokerId) -> String {
        let broker = self.brokers.get(&id);
        broker.map_or(id.to_string(), |broker| broker.connection.address().to_string())
    }

    fn insert(&mut self, now: Instant, id: BrokerId, address: &HostPort) {
        let mut broker = Broker::new(now, id, address.clone(), self.config.in_flight_max);
        broker.connection.begin_above(self.generations);
        self.brokers.insert(id, broker);
    }

    /// Closes a connection, and forgets its broker.
    fn remove(&mut self, now: Instant, id: BrokerId, out: &mut Output<'_>) -> Vec<SentRequest> {
        let lost = self.close(now, id, out);
        if let Some(broker) = self.brokers.remove(&id) {
            self.generations = self.generations.max(broker.connection_id().generation);
        }
        self.clear_timers(id, out);
        lost
    }
}

/// So many unreachable brokers are named in one message.
const ERRORS_MAX: usize = 3;
