//! For our own benches and tests of cost, which are other crates: a producer whose sender is stepped by
//! hand, without a thread or a socket. No part of the API.

use std::fmt;

use bytes::Bytes;
use kafka_net::ConnectionId;
use kafka_protocol::Frame;
use kafka_protocol::records::Compressor;

use crate::ProducerBuilder;
use crate::accumulator::RecordAccumulator;
use crate::callbacks::CallbackRunner;
use crate::clock::{self, Clock};
use crate::error::BuildError;
use crate::producer::{Producer, Shared};
use crate::sender::{Action, Event, RequestId, Sender};
use crate::sync::Arc;
use crate::wake::WakeFlag;

/// A producer, and the sender behind it.
pub struct Rig {
    producer: Producer,
    shared: Arc<Shared>,
    sender: Sender,
    callbacks: CallbackRunner,
    compressor: Compressor,
    events: Vec<Event>,
}

/// A request that was made, and is to be written.
#[derive(Debug)]
pub struct Sent {
    connection: ConnectionId,
    request: RequestId,
    /// What goes over the wire.
    pub frame: Frame,
}

impl Rig {
    /// A producer that has contacted nobody.
    ///
    /// # Errors
    /// A configuration that is not valid.
    pub fn new(builder: &ProducerBuilder) -> Result<Self, BuildError> {
        let parts = builder.parts()?;
        let wake = Arc::new(WakeFlag::new());
        let accumulator = Arc::new(RecordAccumulator::new(parts.accumulator, wake));
        let clock = Clock::new();
        let now = clock.now().monotonic;
        let sender = Sender::new(parts.sender, Arc::clone(&accumulator), now);
        let shared = Arc::new(Shared::new(accumulator, clock, Arc::clone(sender.sensors())));
        let (max_block, interceptors) = (parts.max_block, parts.interceptors);
        let producer =
            Producer::new(Arc::clone(&shared), max_block, parts.partitioner, interceptors);
        Ok(Self {
            producer,
            shared,
            sender,
            callbacks: CallbackRunner::new(),
            compressor: Compressor::new(parts.compression),
            events: Vec::new(),
        })
    }

    /// Appends records; what is not possible at once is not waited for.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// The sender hears of what was appended and asked for, and does what it can: takes batches and
    /// makes requests of them. Brokers are found and connected to at once.
    pub fn drain(&mut self, sent: &mut Vec<Sent>) {
        self.events.push(Event::RecordsReady);
        self.events.extend(self.shared.mailbox.take().map(Event::Command));
        self.run(sent);
    }

    /// A request is written, and answered with a frame, without its size: outcomes are told, and the
    /// sender goes on.
    pub fn answer(&mut self, answered: &Sent, frame: Bytes, sent: &mut Vec<Sent>) {
        let &Sent { connection, request, .. } = answered;
        self.events.push(Event::Written { connection, request });
        self.events.push(Event::Frame { connection, frame });
        self.run(sent);
    }

    /// As the driver does: all that has happened, then all that is to be done because of it.
    fn run(&mut self, sent: &mut Vec<Sent>) {
        let now = clock::now();
        while !self.events.is_empty() {
            for event in self.events.drain(..) {
                self.sender.handle_event(now, event);
            }
            while let Some(action) = self.sender.poll_action(now) {
                self.apply(action, sent);
            }
        }
    }

    fn apply(&mut self, action: Action, sent: &mut Vec<Sent>) {
        match action {
            Action::Resolve { connection, .. } => {
                let addresses = Ok(vec![([127, 0, 0, 1], 9092).into()]);
                self.events.push(Event::Resolved { connection, addresses });
            }
            Action::Open { connection, .. } => self.events.push(Event::Opened { connection }),
            Action::Close { .. } => {}
            Action::Send { connection, request, frame } => {
                sent.push(Sent { connection, request, frame });
            }
            Action::Seal { batch, body } => {
                let body = body.compress(&mut self.compressor);
                self.events.push(Event::Sealed { batch, body });
            }
            Action::Complete(completion) => completion.tell(&self.callbacks),
            Action::CommandDone(id, answer) => self.shared.command_done(id, answer),
        }
    }
}

impl fmt::Debug for Rig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rig").field("producer", &self.producer).finish_non_exhaustive()
    }
}
