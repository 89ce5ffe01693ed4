//! One connection as a handle: send requests from anywhere, await each answer on its own.
//!
//! ```text
//!  send() ─► lock: correlation id, frame, outbox ─► task: Transport ─► socket
//!  ResponseFuture ◄─ oneshot ◄─ InFlight, in order ◄──────┘
//! ```
//!
//! What a request is on the wire, and its place in the order, is settled inside `send`. The task only
//! moves frames; a future that is dropped leaves an answer that nobody takes, and nothing else.

use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::{DecodeLimits, Frame, Request, decode_response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};

use crate::core::{
    BrokerCapabilities, Handshake, HandshakeEvent, HandshakeRequest, HandshakeStep, HostPort,
    InFlight,
};
use crate::{
    ConnectError, ConnectStage, DisconnectReason, HandshakeError, NetConfig, QueueLimits,
    RequestError, SendError, Transport, TransportEvent,
};
use shared::{Lost, Pending, Shared};

mod shared;
mod task;

/// A connection that takes requests; cheap to clone, for any number of tasks.
///
/// Several requests are in flight at once, and are answered in their order. When the last clone is
/// dropped, the connection ends after the answers that are still due.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use kafka_net::{Connection, NetConfig};
/// use kafka_protocol::messages::MetadataRequest;
///
/// let connection = Connection::connect(&"localhost:9092".parse()?, &NetConfig::new()).await?;
/// let first = connection.send(&MetadataRequest::default())?;
/// let second = connection.send(&MetadataRequest::default())?;
/// let (first, second) = (first.await?, second.await?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Connection(Arc<Handle>);

/// Closes when the last clone of the connection goes; futures and the task hold only what is shared.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.begin_close();
    }
}

impl Connection {
    /// Resolves the name, tries each of its addresses in turn, and does the handshake. Each address
    /// has the first setup timeout for that.
    ///
    /// Must be called inside a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// Says where, what was tried, and what came of it.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the attempt.
    pub async fn connect(address: &HostPort, config: &NetConfig) -> Result<Self, ConnectError> {
        let timeout = config.first_setup_timeout();
        let mut tried = Vec::new();
        for to in resolve(address, timeout).await? {
            match tokio::time::timeout(timeout, dial(to, config)).await {
                Ok(Ok(stream)) => return Self::over(stream, address.clone(), config).await,
                Ok(Err(kind)) => tried.push((to, kind)),
                Err(_) => tried.push((to, io::ErrorKind::TimedOut)),
            }
        }
        Err(ConnectError::Unreachable { address: address.clone(), tried, timeout })
    }

    /// Does the handshake over a stream that is open. `address` names the broker in errors.
    ///
    /// # Errors
    /// If the peer is no broker, or gives no answer in the first setup timeout.
    ///
    /// # Cancel safety
    /// Dropping the future drops the stream.
    pub async fn over<S>(
        stream: S,
        address: HostPort,
        config: &NetConfig,
    ) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Self::establish(stream, address, config, config.first_setup_timeout()).await
    }

    pub(crate) async fn establish<S>(
        stream: S,
        address: HostPort,
        config: &NetConfig,
        timeout: Duration,
    ) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut transport = Transport::new(stream, config.codec(), QueueLimits::default());
        let handshake = handshake(&mut transport, config);
        match tokio::time::timeout(timeout, handshake).await {
            Ok(Ok(capabilities)) => {
                tracing::debug!(%address, "connected");
                let shared = Arc::new(Shared::new(address, capabilities, config));
                tokio::spawn(task::Task::new(transport, shared.clone()));
                Ok(Self(Arc::new(Handle(shared))))
            }
            Ok(Err(reason)) => Err(ConnectError::Handshake { address, reason }),
            Err(_) => {
                let stage = ConnectStage::Handshake;
                Err(ConnectError::Timeout { address, stage, timeout })
            }
        }
    }

    /// Queues a request, in the highest version that both sides have. Its place in the order is fixed
    /// when this returns; nothing waits.
    ///
    /// For requests that are answered: a Produce with `acks=0` would wait for an answer in vain.
    ///
    /// # Errors
    /// If it was not queued, and so is never written.
    pub fn send<R: Request>(&self, request: &R) -> Result<ResponseFuture<R>, SendError> {
        let shared = &self.0.0;
        let version = shared.capabilities.versions.negotiate::<R>()?;
        let (answer, receiver) = oneshot::channel();
        shared.queue(
            |id| Frame::request(request, version, id.0, shared.client_id.clone()),
            Pending { api: R::NAME, answer },
        )?;
        Ok(ResponseFuture { receiver, shared: shared.clone(), version, request: PhantomData })
    }

    /// [`send`](Self::send)s a request and awaits its answer.
    ///
    /// # Errors
    /// If there is no answer; [`RequestError::may_have_been_written`] tells whether the broker may
    /// have acted on the request nevertheless.
    ///
    /// # Cancel safety
    /// Once polled, the request is queued. Dropping the future does not take it back.
    pub async fn call<R: Request>(&self, request: &R) -> Result<R::Response, RequestError> {
        self.send(request)?.await
    }

    /// What the broker can do.
    pub fn capabilities(&self) -> &BrokerCapabilities {
        &self.0.0.capabilities
    }

    /// The name of the broker that this leads to.
    pub fn address(&self) -> &HostPort {
        &self.0.0.address
    }

    /// Requests that are queued or unanswered.
    pub fn in_flight(&self) -> usize {
        self.0.0.in_flight()
    }

    /// When a request was queued or an answer came the last time.
    pub fn last_used(&self) -> Instant {
        self.0.0.last_used()
    }

    /// Takes no more requests, and ends when those that it took are answered.
    pub fn close(&self) {
        self.0.0.begin_close();
    }

    /// Why the connection ended, when it has; `None` before.
    pub fn ended(&self) -> Option<DisconnectReason> {
        self.0.0.ended.borrow().clone()
    }

    /// Waits until the connection has ended.
    ///
    /// # Cancel safety
    /// Loses nothing.
    pub async fn closed(&self) -> DisconnectReason {
        ended(self.watch()).await
    }

    /// To wait for the end without keeping the connection open.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<DisconnectReason>> {
        self.0.0.ended.subscribe()
    }
}

/// The answer to a request that was [queued](Connection::send).
///
/// # Cancel safety
/// It may be dropped at any time: the request is written nevertheless, and its answer dropped.
#[derive(Debug)]
#[must_use = "the answer may be an error"]
pub struct ResponseFuture<R> {
    receiver: oneshot::Receiver<Result<Bytes, Lost>>,
    shared: Arc<Shared>,
    version: i16,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> Future for ResponseFuture<R> {
    type Output = Result<R::Response, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let received = std::task::ready!(Pin::new(&mut self.receiver).poll(cx));
        let address = || self.shared.address.clone();
        Poll::Ready(match received {
            Ok(Ok(frame)) => {
                match decode_response::<R>(frame, self.version, &DecodeLimits::default()) {
                    Ok((_, response)) => Ok(response),
                    Err(error) => {
                        // What follows cannot be trusted either.
                        self.shared.fail(DisconnectReason::Garbled(error.clone()));
                        Err(RequestError::Garbled { address: address(), error })
                    }
                }
            }
            Ok(Err(Lost { reason, written })) => Err(RequestError::Disconnected {
                api: R::NAME,
                address: address(),
                reason,
                written,
            }),
            // The task answers everybody, even when it is dropped.
            Err(_) => Err(RequestError::Disconnected {
                api: R::NAME,
                address: address(),
                reason: DisconnectReason::Closed,
                written: true,
            }),
        })
    }
}

/// The addresses of a name, in the order of the system's resolver; at least one.
///
/// # Errors
/// If the name has none, or they are not known in time.
///
/// # Cancel safety
/// Dropping the future gives up; the system's own look-up runs to its end on tokio's blocking threads.
pub async fn resolve(
    address: &HostPort,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let failed = |cause| ConnectError::Resolve { address: address.clone(), cause };
    let lookup = tokio::net::lookup_host((address.host(), address.port()));
    match tokio::time::timeout(timeout, lookup).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.collect();
            if found.is_empty() { Err(failed("it has no address".into())) } else { Ok(found) }
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => {
            let stage = ConnectStage::Resolve;
            Err(ConnectError::Timeout { address: address.clone(), stage, timeout })
        }
    }
}

pub(crate) async fn dial(to: SocketAddr, config: &NetConfig) -> Result<TcpStream, io::ErrorKind> {
    crate::connect(to, &config.socket).await.map_err(|error| error.kind())
}

/// Waits for the end of the connection that `watch` watches.
pub(crate) async fn ended(
    mut watch: watch::Receiver<Option<DisconnectReason>>,
) -> DisconnectReason {
    let ended = watch.wait_for(Option::is_some).await;
    ended.ok().and_then(|reason| reason.clone()).unwrap_or(DisconnectReason::Closed)
}

async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
    config: &NetConfig,
) -> Result<BrokerCapabilities, DisconnectReason> {
    let mut handshake = Handshake::new(config.handshake.clone());
    // Its deadline is the caller's: that of the whole setup.
    let mut in_flight = InFlight::<HandshakeRequest>::new(1);
    let mut event = HandshakeEvent::Connected;
    loop {
        match handshake.handle_event(event).map_err(DisconnectReason::Handshake)? {
            HandshakeStep::Ready(capabilities) => return Ok(capabilities),
            HandshakeStep::Send(request) => {
                let id = in_flight.next_correlation_id();
                let frame = request.to_frame(id, config.client_id.clone());
                // The one thing that cannot be encoded is a client id of more than 32 KiB.
                let frame = frame.map_err(|_| DisconnectReason::Io(io::ErrorKind::InvalidInput))?;
                in_flight.push(now(), Duration::MAX, request.clone());
                let _ = transport.queue(frame, 0);
                let answer = next_frame(transport).await?;
                let garbled = |error| DisconnectReason::Handshake(HandshakeError::Garbled(error));
                let (id, next) = request.decode_response(answer).map_err(garbled)?;
                in_flight.complete(id).map_err(DisconnectReason::Correlation)?;
                event = next;
            }
        }
    }
}

async fn next_frame<S: AsyncRead + AsyncWrite + Unpin>(
    transport: &mut Transport<S>,
) -> Result<Bytes, DisconnectReason> {
    loop {
        match poll_fn(|cx| transport.poll(cx)).await {
            TransportEvent::Written(_) => {}
            TransportEvent::Frame(frame) => return Ok(frame),
            TransportEvent::Closed(reason) => return Err(reason),
        }
    }
}

/// The time as tokio has it, so that a paused clock is one.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
