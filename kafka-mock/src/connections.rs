//! Answers on their way: one queue a connection, in the order of its requests.
//!
//! A request opens a slot, and whenever its answer is known the slot is filled. What is filled leaves
//! from the front alone, and not before it is due:
//!
//! ```text
//! open ──► Pending ──► Due(instant) ──► out, once it is at the front and due
//!             │  └───► Held(rule) ────► Due, when the rule is released
//!             └──────► Empty ─────────► vanishes (no answer)
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::{BrokerId, ConnectionId, FaultId};

/// What to do with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The connection.
    pub connection: ConnectionId,
    /// What to do with it.
    pub action: ReplyAction,
}

/// What to do with a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyAction {
    /// Write these bytes, piece by piece: an answer with its size field.
    Send(Vec<Bytes>),
    /// Close it. Nothing more comes for it.
    Close,
}

/// A connection that is known, and how it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionRecord {
    /// The connection.
    pub connection: ConnectionId,
    /// The broker that it is with.
    pub broker: BrokerId,
    /// When its first frame came.
    pub opened: Instant,
    /// Requests that came on it.
    pub requests: u64,
    /// Those of them that are not answered yet.
    pub unanswered: usize,
}

/// The place of a request's answer among those of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotId(u64);

#[derive(Debug, Default)]
pub(crate) struct Connections {
    by_id: BTreeMap<ConnectionId, Connection>,
    /// Connections whose front may leave.
    ready: VecDeque<ConnectionId>,
    /// When to look at a connection again.
    timers: BTreeSet<(Instant, ConnectionId)>,
}

#[derive(Debug)]
struct Connection {
    broker: BrokerId,
    opened: Instant,
    requests: u64,
    /// When its broker reads the next request: it is slow, or the client is throttled.
    reads_at: Instant,
    slots: VecDeque<Slot>,
    /// Number of the slot at the front.
    first: u64,
    is_closing: bool,
    is_ready: bool,
}

#[derive(Debug)]
enum Slot {
    Pending,
    Due(Instant, Actions),
    Held(FaultId, Actions),
    Empty,
}

/// What one request comes to: an answer, a close, or by a fault several of them.
#[derive(Debug)]
pub(crate) struct Actions {
    first: ReplyAction,
    more: VecDeque<ReplyAction>,
}

impl From<ReplyAction> for Actions {
    fn from(first: ReplyAction) -> Self {
        Self { first, more: VecDeque::new() }
    }
}

impl Actions {
    pub(crate) fn push(&mut self, action: ReplyAction) {
        self.more.push_back(action);
    }

    fn closes(&self) -> bool {
        self.first == ReplyAction::Close || self.more.back() == Some(&ReplyAction::Close)
    }
}

impl Connections {
    /// Whether the connection is closed, or will be once its answers have left.
    pub(crate) fn is_closing(&self, id: ConnectionId) -> bool {
        self.by_id.get(&id).is_some_and(|connection| connection.is_closing)
    }

    /// Number of requests that wait for their answer.
    pub(crate) fn in_flight(&self, id: ConnectionId) -> usize {
        self.by_id.get(&id).map_or(0, |connection| connection.slots.len())
    }

    /// A place for the answer to the request that has just come, and when the broker has read it if
    /// that takes so long.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        broker: BrokerId,
        id: ConnectionId,
        reading: Duration,
    ) -> (SlotId, Instant) {
        let new = || Connection {
            broker,
            opened: now,
            requests: 0,
            reads_at: now,
            slots: VecDeque::new(),
            first: 0,
            is_closing: false,
            is_ready: false,
        };
        let connection = self.by_id.entry(id).or_insert_with(new);
        connection.requests += 1;
        connection.reads_at = after(connection.reads_at.max(now), reading);
        connection.slots.push_back(Slot::Pending);
        let slot = SlotId(connection.first + connection.slots.len() as u64 - 1);
        (slot, connection.reads_at)
    }

    /// Reads nothing more from a connection for so long.
    pub(crate) fn mute(&mut self, now: Instant, id: ConnectionId, time: Duration) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.reads_at = connection.reads_at.max(after(now, time));
        }
    }

    /// When the broker reads the next request of a connection.
    pub(crate) fn reads_at(&self, id: ConnectionId) -> Option<Instant> {
        self.by_id.get(&id).map(|connection| connection.reads_at)
    }

    /// Closes the connections of a broker; answers that have not left are lost. How many they were.
    pub(crate) fn close(&mut self, now: Instant, broker: BrokerId) -> usize {
        let is_open = |(_, connection): &(&ConnectionId, &Connection)| {
            connection.broker == broker && !connection.is_closed()
        };
        let ids: Vec<_> = self.by_id.iter().filter(is_open).map(|(id, _)| *id).collect();
        for id in &ids {
            if let Some(connection) = self.by_id.get_mut(id) {
                connection.first += connection.slots.len() as u64;
                connection.slots.clear();
                connection.slots.push_back(Slot::Due(now, ReplyAction::Close.into()));
                connection.is_closing = true;
            }
            self.schedule(*id);
        }
        ids.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ConnectionRecord> {
        self.by_id.iter().map(|(id, connection)| ConnectionRecord {
            connection: *id,
            broker: connection.broker,
            opened: connection.opened,
            requests: connection.requests,
            unanswered: connection.slots.len(),
        })
    }

    /// The answer, and when it may leave. Behind a close nothing is accepted any more.
    pub(crate) fn fill(&mut self, id: ConnectionId, slot: SlotId, due: Instant, actions: Actions) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.is_closing |= actions.closes();
            connection.set(slot, Slot::Due(due, actions));
        }
        self.schedule(id);
    }

    /// The answer, which waits for the rule to be released.
    pub(crate) fn hold(&mut self, id: ConnectionId, slot: SlotId, rule: FaultId, actions: Actions) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.is_closing |= actions.closes();
            connection.set(slot, Slot::Held(rule, actions));
        }
    }

    /// There will be no answer.
    pub(crate) fn abandon(&mut self, id: ConnectionId, slot: SlotId) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            connection.set(slot, Slot::Empty);
        }
        self.schedule(id);
    }

    /// Lets go what the rule holds, or what any rule does; gives how many answers.
    pub(crate) fn release(&mut self, now: Instant, rule: Option<FaultId>) -> usize {
        let mut released = 0;
        let ids: Vec<ConnectionId> = self.by_id.keys().copied().collect();
        for id in ids {
            if let Some(connection) = self.by_id.get_mut(&id) {
                released += connection.release(now, rule);
            }
            self.schedule(id);
        }
        released
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) {
        self.by_id.remove(&id);
    }

    /// The next action that is due.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Reply> {
        while self.timers.first().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, id)) = self.timers.pop_first() {
                self.make_ready(id);
            }
        }
        while let Some(id) = self.ready.pop_front() {
            let Some(connection) = self.by_id.get_mut(&id) else { continue };
            connection.is_ready = false;
            let action = connection.pop(now);
            self.schedule(id);
            if let Some(action) = action {
                return Some(Reply { connection: id, action });
            }
        }
        None
    }

    /// When something will be due that is not yet.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Looks at the front again when it is due.
    fn schedule(&mut self, id: ConnectionId) {
        let Some(connection) = self.by_id.get_mut(&id) else { return };
        connection.drop_empty();
        if let Some(Slot::Due(due, _)) = connection.slots.front() {
            self.timers.insert((*due, id));
        }
    }

    fn make_ready(&mut self, id: ConnectionId) {
        if let Some(connection) = self.by_id.get_mut(&id) {
            if !connection.is_ready {
                connection.is_ready = true;
                self.ready.push_back(id);
            }
        }
    }
}

impl Connection {
    /// Whether its close has left already.
    fn is_closed(&self) -> bool {
        self.is_closing && self.slots.is_empty()
    }

    fn set(&mut self, slot: SlotId, to: Slot) {
        let at = slot.0.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        if let Some(slot) = at.and_then(|at| self.slots.get_mut(at)) {
            *slot = to;
        }
    }

    fn release(&mut self, now: Instant, rule: Option<FaultId>) -> usize {
        let mut released = 0;
        for slot in &mut self.slots {
            match std::mem::replace(slot, Slot::Pending) {
                Slot::Held(holder, actions) if rule.is_none_or(|rule| rule == holder) => {
                    *slot = Slot::Due(now, actions);
                    released += 1;
                }
                other => *slot = other,
            }
        }
        released
    }

    fn pop(&mut self, now: Instant) -> Option<ReplyAction> {
        match self.slots.pop_front()? {
            Slot::Due(due, Actions { first, mut more }) if due <= now => {
                let action = first;
                if let Some(first) = more.pop_front() {
                    self.slots.push_front(Slot::Due(due, Actions { first, more }));
                } else {
                    self.first += 1;
                }
                if action == ReplyAction::Close {
                    self.slots.clear();
                }
                Some(action)
            }
            other => {
                self.slots.push_front(other);
                None
            }
        }
    }

    fn drop_empty(&mut self) {
        while let Some(Slot::Empty) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
    }
}

/// Longest delay of anything: a longer one might be behind the end of time.
const DELAY_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// So much later, or a year if that is longer.
pub(crate) fn after(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay.min(DELAY_MAX)).unwrap_or(now)
}
