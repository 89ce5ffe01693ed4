//! What is measured where a sender meets the outside: connections, requests and answers; and how things
//! are after each turn.

use std::time::Instant;

use crate::sender::Sender;
use crate::sender::event::{Action, Event};

impl Sender {
    pub(super) fn measure_event(&self, now: Instant, event: &Event) {
        match event {
            Event::Opened { connection } if self.connections.is_current(*connection) => {
                self.sensors.on_opened(now, *connection);
            }
            Event::Disconnected { connection, .. } => self.sensors.on_closed(now, *connection),
            Event::Frame { connection, frame } => {
                let bytes = SIZE_OF_SIZE + frame.len();
                self.sensors.on_response(now, connection.broker, bytes);
            }
            _ => {}
        }
    }

    pub(super) fn measure_action(&self, now: Instant, action: Option<&Action>) {
        match action {
            Some(Action::Send { connection, frame, .. }) => {
                self.sensors.on_request(now, connection.broker, frame.len());
            }
            Some(Action::Close { connection }) => self.sensors.on_closed(now, *connection),
            _ => {}
        }
    }

    pub(super) fn measure_turn(&self) {
        let in_flight = self.connections.requests_in_flight();
        self.sensors.on_turn(in_flight, self.metadata.last_success());
    }
}

/// A frame comes without its size.
const SIZE_OF_SIZE: usize = 4;
