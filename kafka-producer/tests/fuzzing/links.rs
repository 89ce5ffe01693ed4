//! The connections, as the sender asked for them: which of them are there, and what they carry.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use kafka_net::{BrokerId, ConnectionId, HostPort};
use kafka_protocol::{ApiKey, BrokerVersions};

use crate::fuzzing::requests::{Asked, Body};
use crate::sender::{RequestId, SenderConfig};

/// All connections that the sender has not given up, and some that are over.
#[derive(Default)]
pub(super) struct Links {
    live: BTreeMap<ConnectionId, Link>,
    generations: BTreeMap<BrokerId, u32>,
    over: VecDeque<ConnectionId>,
    /// The sender was told that they are over, but has not done yet what it wanted before.
    lost: Vec<ConnectionId>,
}

/// One connection.
pub(super) struct Link {
    pub(super) state: LinkState,
    /// Oldest first.
    pub(super) unanswered: VecDeque<Asked>,
    pub(super) unwritten: VecDeque<RequestId>,
    next_correlation_id: i32,
    /// Something came that may have been the end of the handshake.
    pub(super) is_shaken: bool,
    /// What a good answer said.
    pub(super) versions: Option<BrokerVersions>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkState {
    Resolving(HostPort),
    Opening(SocketAddr),
    Open,
}

impl Links {
    /// A new attempt, of which the sender was told nothing yet.
    pub(super) fn begin(&mut self, id: ConnectionId, state: LinkState) {
        let is_newer = |last: &u32| *last < id.generation;
        let last = self.generations.insert(id.broker, id.generation);
        assert!(last.as_ref().is_none_or(is_newer), "{id} after {last:?}");
        let is_other = self.live.keys().all(|live| live.broker != id.broker);
        assert!(is_other, "{id} beside another connection to that broker");
        let link = Link {
            state,
            unanswered: VecDeque::new(),
            unwritten: VecDeque::new(),
            next_correlation_id: 0,
            is_shaken: false,
            versions: None,
        };
        self.live.insert(id, link);
    }

    /// The sender is about to be told that a connection, or an attempt at one, is over.
    pub(super) fn lose(&mut self, id: ConnectionId) {
        self.remove(id);
        self.lost.push(id);
    }

    /// The sender does not want it any more.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if !self.lost.contains(&id) {
            self.remove(id);
        }
    }

    /// What was wanted of connections before they were lost is done.
    pub(super) fn forget_lost(&mut self) {
        self.lost.clear();
    }

    /// Takes a request that the sender wants written.
    pub(super) fn send(
        &mut self,
        connection: ConnectionId,
        request: RequestId,
        asked: Asked,
        config: &SenderConfig,
    ) {
        if !self.lost.contains(&connection) {
            self.get_mut(connection).send(request, asked, config);
        }
    }

    /// A connection in that state.
    pub(super) fn nth(&self, nth: usize, is_it: impl Fn(&Link) -> bool) -> Option<ConnectionId> {
        let found: Vec<_> = self.live.iter().filter(|(_, link)| is_it(link)).collect();
        found.get(nth % found.len().max(1)).map(|(id, _)| **id)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&Link> {
        self.live.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> &mut Link {
        self.live.get_mut(&id).expect("a connection that is there")
    }

    pub(super) fn ids(&self) -> Vec<ConnectionId> {
        self.live.keys().copied().collect()
    }

    /// A connection that is over.
    pub(super) fn over(&self, nth: usize) -> Option<ConnectionId> {
        self.over.get(nth % self.over.len().max(1)).copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    fn remove(&mut self, id: ConnectionId) {
        self.live.remove(&id).expect("a connection that is there");
        self.over.push_front(id);
        self.over.truncate(OVER_MAX);
    }
}

impl Link {
    pub(super) fn is_open(&self) -> bool {
        self.state == LinkState::Open
    }

    fn send(&mut self, id: RequestId, asked: Asked, config: &SenderConfig) {
        assert!(self.is_open(), "a request on a connection that is not there yet");
        let key = asked.key();
        assert!(self.is_shaken || key == ApiKey::API_VERSIONS, "{key:?} before the handshake");
        if let Some(versions) = self.versions.as_ref().filter(|_| key != ApiKey::API_VERSIONS) {
            let range = versions.range(key);
            let knows = range.is_some_and(|range| range.contains(asked.version));
            assert!(knows, "{key:?} in version {}, of {range:?}", asked.version);
        }
        assert_eq!(asked.correlation_id, self.next_correlation_id);
        self.next_correlation_id += 1;
        self.unwritten.push_back(id);
        if config.acks != 0 || !matches!(asked.body, Body::Produce(_)) {
            self.unanswered.push_back(asked);
        }
        let limit = config.connections.in_flight_max;
        assert!(self.unanswered.len() <= limit, "{} requests in flight", self.unanswered.len());
    }
}

/// Connections that are over and remembered.
const OVER_MAX: usize = 8;
