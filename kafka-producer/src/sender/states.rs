//! Where each machine of a sender is, for those who watch it.

use std::collections::BTreeMap;

use kafka_net::ConnectionState;

use crate::sender::Sender;
use crate::sender::lifecycle::Lifecycle;
use crate::sender::partitions::{Partition, Seal, Taken};
use crate::sender::sequences::ProducerIdState;

/// One machine of a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Machine {
    pub(crate) kind: &'static str,
    /// Broker, partition or batch.
    pub(crate) number: u64,
    pub(crate) part: u32,
}

impl Sender {
    /// Where each machine is.
    pub(crate) fn states(&self) -> BTreeMap<Machine, &'static str> {
        let mut states = BTreeMap::new();
        let mut is = |kind, number: u64, part, state| {
            states.insert(Machine { kind, number, part }, state);
        };
        is("producer", 0, 0, self.lifecycle.name());
        is("producer id", 0, 0, self.producer_ids.state().name());
        for (id, broker) in &self.connections.brokers {
            let number = u64::from(id.0.unsigned_abs());
            is("connection", number, u32::from(id.0 < 0), name_of(broker.connection.state()));
        }
        for (index, partition) in self.partitions.iter().enumerate() {
            let (Some(partition), number) = (partition, index as u64) else { continue };
            let generation = partition.queue.id().generation;
            is("sequences", number, generation, partition.sequences.name());
            is("order", number, generation, partition.order_name());
            for taken in &partition.waiting {
                is("batch", taken.id.taken, taken.id.first_record, taken.name());
            }
            for taken in &partition.in_flight {
                let name = if taken.batch.is_complete() { "expired" } else { "in flight" };
                is("batch", taken.id.taken, taken.id.first_record, name);
            }
        }
        states
    }
}

impl Lifecycle {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

impl ProducerIdState {
    fn name(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Unassigned => "unassigned",
            Self::Requested => "requested",
            // An epoch more is seen as a change.
            Self::Ready(producer) if producer.epoch % 2 == 0 => "ready (even epoch)",
            Self::Ready(_) => "ready (odd epoch)",
        }
    }
}

impl Partition {
    fn order_name(&self) -> &'static str {
        let is_repeated = |taken: &Taken| taken.batch.attempts > 1;
        if self.is_gone {
            "gone"
        } else if self.in_flight.iter().any(is_repeated) {
            "repeating"
        } else if self.is_probing {
            "probing"
        } else {
            "free"
        }
    }
}

impl Taken {
    fn name(&self) -> &'static str {
        match self.seal {
            _ if self.batch.attempts > 0 => "to be repeated",
            Seal::Raw => "taken",
            Seal::Sealing => "sealing",
            Seal::Sealed => "sealed",
        }
    }
}

fn name_of(state: ConnectionState) -> &'static str {
    match state {
        ConnectionState::Disconnected => "disconnected",
        ConnectionState::Resolving => "resolving",
        ConnectionState::Connecting => "connecting",
        ConnectionState::Handshaking => "handshaking",
        ConnectionState::Ready => "ready",
    }
}
