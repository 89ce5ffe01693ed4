//! Joins the sender to sockets and to the clock. No decision is made here.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use kafka_net::{
    ConnectionId, DisconnectReason, KafkaCodec, QueueLimits, SocketOptions, Transport,
    TransportEvent,
};
use kafka_protocol::records::{ChunkPool, CompressionOptions, Compressor};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Sleep;

use crate::accumulator::QueueClosed;
use crate::callbacks::CallbackRunner;
use crate::clock;
use crate::error::DRIVER_DIED;
use crate::producer::Shared;
use crate::sender::{Action, BatchId, Event, RequestId, SMALL_BODY, Sender};
use crate::sync::{Arc, Mutex, lock};

/// The task behind a producer.
pub(crate) struct Driver {
    sender: Sender,
    io: Io,
    /// After the sender, so that records that nobody sends any more fail with the right words.
    guard: Guard,
}

/// Sockets, and work that is done elsewhere.
struct Io {
    transports: BTreeMap<ConnectionId, Transport<TcpStream>>,
    /// Look-ups, connection attempts and compression.
    tasks: JoinSet<Done>,
    /// Attempts that the sender has not given up.
    attempts: BTreeMap<ConnectionId, tokio::task::AbortHandle>,
    socket: SocketOptions,
    compression: CompressionOptions,
    compressors: Arc<Mutex<Vec<Compressor>>>,
    /// Where their results end up.
    chunks: ChunkPool,
    events: Vec<Event>,
}

enum Done {
    Event(Event),
    Opened(ConnectionId, TcpStream),
}

/// Fails what is left when the driver ends in a way that was not asked for.
struct Guard {
    shared: Arc<Shared>,
    callbacks: CallbackRunner,
}

impl Driver {
    pub(crate) fn new(
        sender: Sender,
        shared: Arc<Shared>,
        socket: SocketOptions,
        compression: CompressionOptions,
    ) -> Self {
        let io = Io {
            transports: BTreeMap::new(),
            tasks: JoinSet::new(),
            attempts: BTreeMap::new(),
            socket,
            compression,
            compressors: Arc::default(),
            chunks: shared.accumulator.chunks().clone(),
            events: Vec::new(),
        };
        Self { sender, io, guard: Guard { shared, callbacks: CallbackRunner::new() } }
    }

    /// Runs until the producer is closed and everything has its outcome.
    pub(crate) async fn run(mut self) {
        tracing::debug!("Starting Kafka producer I/O thread.");
        let mut sleep = Box::pin(tokio::time::sleep(Duration::ZERO));
        let mut synchronized = clock::now();
        let mut is_closing = false;
        loop {
            while let Some(action) = self.sender.poll_action(clock::now()) {
                self.apply(action);
            }
            if self.sender.is_closed() {
                break;
            }
            let at = self.sender.poll_timeout().map_or(synchronized + IDLE, |(at, _)| at);
            sleep.as_mut().reset(at.min(synchronized + IDLE).into());
            let (began, mut io) = (clock::now(), Duration::ZERO);
            poll_fn(|cx| {
                let began = clock::now();
                let polled = self.poll(cx, sleep.as_mut());
                io += clock::now().saturating_duration_since(began);
                polled
            })
            .await;
            let now = clock::now();
            let waited = now.saturating_duration_since(began).saturating_sub(io);
            self.guard.shared.sensors.on_select(now, waited, io);
            for event in self.io.events.drain(..) {
                self.sender.handle_event(now, event);
            }
            self.sender.handle_timeout(now);
            if now.saturating_duration_since(synchronized) >= IDLE {
                self.guard.shared.clock.synchronize();
                synchronized = now;
            }
            if !is_closing && self.guard.shared.accumulator.closed().is_some() {
                is_closing = true;
                tracing::debug!(
                    "Beginning shutdown of Kafka producer I/O thread, sending remaining records."
                );
            }
        }
        self.finish_callbacks(sleep).await;
        self.guard.shared.end(None, self.sender.abandoned());
        tracing::debug!("Shutdown of Kafka producer I/O thread has completed.");
    }

    /// What callbacks do is part of what is closed, as long as there is time for it.
    async fn finish_callbacks(&mut self, mut sleep: Pin<Box<Sleep>>) {
        let (running, mut done) = tokio::sync::oneshot::channel::<()>();
        self.guard.callbacks.drop_behind(running);
        let Shared { accumulator, mailbox, .. } = &*self.guard.shared;
        poll_fn(|cx| {
            // Whoever closes again may have less time.
            while accumulator.wake().poll(cx).is_ready() {}
            let now = clock::now();
            let is_over = mailbox.callbacks_until(now).is_some_and(|until| {
                sleep.as_mut().reset(until.into());
                until <= now || sleep.as_mut().poll(cx).is_ready()
            });
            if is_over { Poll::Ready(()) } else { Pin::new(&mut done).poll(cx).map(drop) }
        })
        .await;
    }

    /// Collects everything that has happened; pending if that is nothing.
    fn poll(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Poll<()> {
        let Self { io, guard, .. } = self;
        if guard.shared.accumulator.wake().poll(cx).is_ready() {
            io.events.push(Event::RecordsReady);
            io.events.extend(guard.shared.mailbox.take().map(Event::Command));
        }
        while let Poll::Ready(Some(done)) = io.tasks.poll_join_next(cx) {
            io.on_done(done);
        }
        io.poll_transports(cx);
        let is_due = sleep.poll(cx).is_ready();
        if is_due || !io.events.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn apply(&mut self, action: Action) {
        let io = &mut self.io;
        match action {
            Action::Resolve { connection, address } => io.start(connection, async move {
                // The sender has a time limit of its own.
                let found = kafka_net::resolve(&address, RESOLVE_MAX).await;
                let addresses = found.map_err(|error| error.to_string());
                Done::Event(Event::Resolved { connection, addresses })
            }),
            Action::Open { connection, to } => {
                let socket = io.socket;
                io.start(connection, async move {
                    match kafka_net::connect(to, &socket).await {
                        Ok(stream) => Done::Opened(connection, stream),
                        Err(error) => {
                            let reason = DisconnectReason::Io(error.kind());
                            Done::Event(Event::Disconnected { connection, reason })
                        }
                    }
                });
            }
            Action::Close { connection } => {
                io.transports.remove(&connection);
                if let Some(attempt) = io.attempts.remove(&connection) {
                    attempt.abort();
                }
            }
            Action::Send { connection, request, frame } => {
                if let Some(transport) = io.transports.get_mut(&connection) {
                    // Refused only by a transport that has ended, which says so when it is polled.
                    let _ = transport.queue(frame, request.0);
                }
            }
            Action::Seal { batch, body } => io.seal(batch, body),
            Action::Complete(completion) => completion.tell(&self.guard.callbacks),
            Action::CommandDone(id, answer) => self.guard.shared.command_done(id, answer),
        }
    }
}

impl Io {
    fn start(
        &mut self,
        connection: ConnectionId,
        work: impl Future<Output = Done> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(work);
        self.attempts.insert(connection, handle);
    }

    fn on_done(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done::Event(event)) => {
                if let Event::Resolved { connection, .. } | Event::Disconnected { connection, .. } =
                    &event
                {
                    self.attempts.remove(connection);
                }
                self.events.push(event);
            }
            Ok(Done::Opened(connection, stream)) => {
                if self.attempts.remove(&connection).is_some() {
                    let limits = QueueLimits { frames: usize::MAX, bytes: usize::MAX };
                    let transport = Transport::new(stream, KafkaCodec::new(), limits);
                    self.transports.insert(connection, transport);
                    self.events.push(Event::Opened { connection });
                }
            }
            Err(error) if error.is_cancelled() => {}
            Err(error) => tracing::error!("Uncaught error in kafka producer I/O thread: {error}"),
        }
    }

    /// Writes and reads as far as the sockets allow; a busy one does not keep the others waiting.
    fn poll_transports(&mut self, cx: &mut Context<'_>) {
        let mut ended = Vec::new();
        for (connection, transport) in &mut self.transports {
            let connection = *connection;
            for turn in 0.. {
                if turn == EVENTS_MAX {
                    cx.waker().wake_by_ref();
                    break;
                }
                match transport.poll(cx) {
                    Poll::Ready(TransportEvent::Written(tag)) => {
                        let request = RequestId(tag);
                        self.events.push(Event::Written { connection, request });
                    }
                    Poll::Ready(TransportEvent::Frame(frame)) => {
                        self.events.push(Event::Frame { connection, frame });
                    }
                    Poll::Ready(TransportEvent::Closed(reason)) => {
                        self.events.push(Event::Disconnected { connection, reason });
                        ended.push(connection);
                        break;
                    }
                    Poll::Pending => break,
                }
            }
        }
        for connection in ended {
            self.transports.remove(&connection);
        }
    }

    /// Small bodies at once, large ones on another thread.
    fn seal(&mut self, batch: BatchId, body: kafka_protocol::records::RecordBatchBody) {
        let is_small = body.len() <= SMALL_BODY;
        let (compressors, options) = (Arc::clone(&self.compressors), self.compression);
        let chunks = self.chunks.clone();
        let work = move || {
            let compressor = lock(&compressors).pop();
            let mut compressor =
                compressor.unwrap_or_else(|| Compressor::with_pool(options, chunks));
            let body = body.compress(&mut compressor);
            lock(&compressors).push(compressor);
            Event::Sealed { batch, body }
        };
        if is_small {
            self.events.push(work());
        } else {
            self.tasks.spawn_blocking(move || Done::Event(work()));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Before the sender goes: its memory must not be given to those who wait for some.
        if self.guard.shared.is_running() {
            let why = QueueClosed::DriverEnded(DRIVER_DIED.into());
            self.guard.shared.accumulator.close(&why);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Nothing to do if the driver came to its end: it said so before.
        self.shared.end(Some(DRIVER_DIED.into()), 0);
    }
}

/// The time of day is asked for that often.
const IDLE: Duration = Duration::from_secs(2);
const RESOLVE_MAX: Duration = Duration::from_secs(60);
/// Events of one connection before the others have their turn.
const EVENTS_MAX: usize = 64;
