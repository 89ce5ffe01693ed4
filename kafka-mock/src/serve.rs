//! The cluster behind TCP: a listener a broker, a task a connection, the cluster behind one lock.
//!
//! ```text
//! socket ─► read ─► FrameDecoder ─► lock { handle_decoded, poll_reply } ─► write ─► socket
//!                   (CRC, records:          │ replies of other connections
//!                    outside of the lock)   ▼
//!                                       their outboxes, each waking its task
//! ```
//!
//! One more task sleeps until the cluster's next timeout. A connection is not read while its answers
//! are being written, so a client that does not read is held back by TCP.

mod connection;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinHandle, JoinSet};

use crate::{BrokerId, ConnectionId, MockCluster, ReplyAction};

/// Most connections of all brokers together; more are accepted and closed at once.
const CONNECTIONS_MAX: usize = 10_000;
/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A [`MockCluster`] that listens on the loopback interface.
///
/// ```
/// use kafka_mock::{MockCluster, MockConfig, MockServer};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let server = MockServer::start(MockCluster::new(MockConfig::new()))?;
/// println!("bootstrap.servers={}", server.bootstrap_servers());
/// // … let clients connect …
/// let records = server.with_cluster(|cluster| cluster.counters().records);
/// assert_eq!(records, 0);
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
///
/// Dropping it stops everything as well, without waiting for it.
#[derive(Debug)]
pub struct MockServer {
    shared: Arc<Shared>,
    addresses: Vec<(BrokerId, SocketAddr)>,
    timer: JoinHandle<()>,
    /// The listeners that are up; their connections end with them.
    listeners: BTreeMap<BrokerId, Listener>,
    /// Those that take no more connections, until the ones that they have are gone.
    draining: Vec<Listener>,
}

/// The task that accepts the connections of a broker, and owns theirs.
#[derive(Debug)]
struct Listener {
    task: JoinHandle<()>,
    signals: Arc<Signals>,
}

/// What a listener is told.
#[derive(Debug, Default)]
struct Signals {
    /// Take no more connections.
    drain: Notify,
    /// Close the ones that there are as well.
    stop: Notify,
}

/// What all tasks share.
#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    /// The next timeout may be another one.
    rescheduled: Notify,
    connections: Arc<Semaphore>,
}

#[derive(Debug)]
struct Inner {
    cluster: MockCluster,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    next_connection: u64,
}

/// Replies for a connection that another task has taken from the cluster.
#[derive(Debug, Default)]
struct Outbox {
    replies: Vec<ReplyAction>,
    filled: Arc<Notify>,
}

impl MockServer {
    /// Listens on a free port for each broker.
    ///
    /// The cluster's addresses are set to where it listens.
    ///
    /// # Errors
    /// If there is no tokio runtime with I/O and time around it, or no port.
    pub fn start(cluster: MockCluster) -> io::Result<Self> {
        Self::start_on(cluster, &[])
    }

    /// Listens on these ports, for one broker after the other; on a free one for those that are left,
    /// and for port 0.
    ///
    /// # Errors
    /// As [`start`](Self::start); or if a port is taken.
    pub fn start_on(mut cluster: MockCluster, ports: &[u16]) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let mut listeners = Vec::new();
        for (index, broker) in cluster.brokers().into_iter().enumerate() {
            let port = ports.get(index).copied().unwrap_or(0);
            let (listener, address) = bind(port)?;
            cluster.set_address(broker, &address.ip().to_string(), address.port());
            listeners.push((broker, address, listener));
        }
        let inner = Inner { cluster, outboxes: BTreeMap::new(), next_connection: 0 };
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            rescheduled: Notify::new(),
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        });
        let addresses = listeners.iter().map(|(broker, address, _)| (*broker, *address)).collect();
        let timer = runtime.spawn(keep_time(Arc::clone(&shared)));
        let listen =
            |(broker, _, socket)| (broker, Listener::start(&runtime, &shared, broker, socket));
        let listeners = listeners.into_iter().map(listen).collect();
        Ok(Self { shared, addresses, timer, listeners, draining: Vec::new() })
    }

    /// All brokers, as clients want them: `127.0.0.1:40001,127.0.0.1:40002`.
    pub fn bootstrap_servers(&self) -> String {
        let addresses: Vec<String> =
            self.addresses.iter().map(|(_, address)| address.to_string()).collect();
        addresses.join(",")
    }

    /// Where each broker listens.
    pub fn addresses(&self) -> &[(BrokerId, SocketAddr)] {
        &self.addresses
    }

    /// Looks at the cluster, or changes it, while it runs.
    ///
    /// Connections wait meanwhile: do not do it for long, and do not call it inside itself.
    pub fn with_cluster<T>(&self, f: impl FnOnce(&mut MockCluster) -> T) -> T {
        let result = f(&mut self.shared.lock().cluster);
        self.shared.rescheduled.notify_one();
        result
    }

    /// Takes a broker down: closes its connections and refuses new ones, but leaves its partitions to
    /// it. Waits until it is down.
    pub async fn stop_broker(&mut self, broker: BrokerId) {
        if let Some(listener) = self.listeners.remove(&broker) {
            listener.stop().await;
        }
    }

    /// Takes a broker up again, at the address that it had. Does nothing if it is up.
    ///
    /// # Errors
    /// If somebody else has taken its port, or there is no such broker.
    pub fn start_broker(&mut self, broker: BrokerId) -> io::Result<()> {
        if self.listeners.contains_key(&broker) {
            return Ok(());
        }
        let port = self.address(broker)?.port();
        self.listen(broker, port).map(drop)
    }

    /// Takes a broker down, and up again at another port, or at a free one for port 0. Metadata tells
    /// of it at once. Where it is now.
    ///
    /// # Errors
    /// If the port is taken, or there is no such broker. It is down then.
    pub async fn move_broker(&mut self, broker: BrokerId, port: u16) -> io::Result<SocketAddr> {
        self.address(broker)?;
        self.stop_broker(broker).await;
        self.listen(broker, port)
    }

    /// Adds a broker to the cluster, which listens on a free port and leads nothing yet. Where it is.
    ///
    /// # Errors
    /// If there is such a broker already, or no port.
    pub fn add_broker(&mut self, broker: BrokerId) -> io::Result<SocketAddr> {
        if !self.with_cluster(|cluster| cluster.add_broker(broker)) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let listening = self.listen(broker, 0);
        if listening.is_err() {
            self.with_cluster(|cluster| cluster.remove_broker(broker));
        }
        listening
    }

    /// Takes a broker out of the cluster, as [`MockCluster::remove_broker`] does, and closes its listener
    /// and its connections. Waits until they are.
    pub async fn remove_broker(&mut self, broker: BrokerId) {
        self.forget_broker(broker);
        self.stop_broker(broker).await;
    }

    /// Takes a broker out of the cluster, and closes its listener; its connections stay until their
    /// clients close them, so that what is under way can be finished.
    pub fn drain_broker(&mut self, broker: BrokerId) {
        self.forget_broker(broker);
        if let Some(listener) = self.listeners.remove(&broker) {
            listener.signals.drain.notify_one();
            self.draining.retain(|listener| !listener.task.is_finished());
            self.draining.push(listener);
        }
    }

    /// Closes listeners and connections, and waits until they are.
    pub async fn shutdown(mut self) {
        let listeners = std::mem::take(&mut self.listeners).into_values();
        for listener in listeners.chain(std::mem::take(&mut self.draining)) {
            listener.stop().await;
        }
    }

    fn address(&self, broker: BrokerId) -> io::Result<SocketAddr> {
        let address = self.addresses.iter().find(|(id, _)| *id == broker);
        address.map(|(_, address)| *address).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Opens the listener of a broker, and tells the cluster where.
    fn listen(&mut self, broker: BrokerId, port: u16) -> io::Result<SocketAddr> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (listener, address) = bind(port)?;
        let host = address.ip().to_string();
        self.with_cluster(|cluster| cluster.set_address(broker, &host, address.port()));
        self.addresses.retain(|(id, _)| *id != broker);
        let place = self.addresses.partition_point(|(id, _)| *id < broker);
        self.addresses.insert(place, (broker, address));
        let listener = Listener::start(&runtime, &self.shared, broker, listener);
        self.listeners.insert(broker, listener);
        Ok(address)
    }

    fn forget_broker(&mut self, broker: BrokerId) {
        self.with_cluster(|cluster| cluster.remove_broker(broker));
        self.addresses.retain(|(id, _)| *id != broker);
    }
}

/// A listener at a port of the loopback interface, a free one for 0.
fn bind(port: u16) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((TcpListener::from_std(listener)?, address))
}

impl Drop for MockServer {
    fn drop(&mut self) {
        self.timer.abort();
        let listeners = self.listeners.values().chain(&self.draining);
        listeners.for_each(|listener| listener.task.abort());
    }
}

impl Listener {
    fn start(
        runtime: &Handle,
        shared: &Arc<Shared>,
        broker: BrokerId,
        socket: TcpListener,
    ) -> Self {
        let signals = Arc::new(Signals::default());
        let task = accept(Arc::clone(shared), broker, socket, Arc::clone(&signals));
        Self { task: runtime.spawn(task), signals }
    }

    /// Closes the listener and its connections, and waits until they are.
    async fn stop(self) {
        self.signals.stop.notify_one();
        // If it has panicked, everything of it is closed as well.
        let _ = self.task.await;
    }
}

impl Shared {
    /// The cluster; a panic of somebody's closure in `with_cluster` does not end it for the others.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn connect(&mut self) -> (ConnectionId, Arc<Notify>) {
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let outbox = self.outboxes.entry(id).or_default();
        (id, Arc::clone(&outbox.filled))
    }

    fn disconnect(&mut self, now: Instant, id: ConnectionId) {
        self.cluster.handle_disconnect(now, id);
        self.outboxes.remove(&id);
    }

    /// Takes what is due, and gives what is for `own`; the rest goes to its outboxes.
    fn replies(&mut self, now: Instant, own: Option<ConnectionId>) -> Vec<ReplyAction> {
        while let Some(reply) = self.cluster.poll_reply(now) {
            let Some(outbox) = self.outboxes.get_mut(&reply.connection) else { continue };
            outbox.replies.push(reply.action);
            if own != Some(reply.connection) {
                outbox.filled.notify_one();
            }
        }
        let own = own.and_then(|own| self.outboxes.get_mut(&own));
        own.map(|outbox| std::mem::take(&mut outbox.replies)).unwrap_or_default()
    }
}

/// Does what is due when it is due.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = {
            let mut inner = shared.lock();
            let now = now();
            inner.cluster.handle_timeout(now);
            inner.replies(now, None);
            inner.cluster.poll_timeout()
        };
        let rescheduled = shared.rescheduled.notified();
        match next {
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = rescheduled => {}
            },
            None => rescheduled.await,
        }
    }
}

/// Accepts the connections of one broker; they end with this task.
async fn accept(
    shared: Arc<Shared>,
    broker: BrokerId,
    listener: TcpListener,
    signals: Arc<Signals>,
) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    while listener.is_some() || !connections.is_empty() {
        tokio::select! {
            () = signals.stop.notified() => break,
            () = signals.drain.notified() => listener = None,
            accepted = accept_one(listener.as_ref()) => {
                let permit = Arc::clone(&shared.connections).try_acquire_owned();
                match (accepted, permit) {
                    (Ok((stream, _)), Ok(permit)) => {
                        connections.spawn(serve(Arc::clone(&shared), broker, stream, permit));
                    }
                    (Ok(_), Err(_)) => {}
                    // No file is left, most likely; one may be in a moment.
                    (Err(_), _) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// The next connection; never, without a listener.
async fn accept_one(listener: Option<&TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// One connection, from its first byte to its last.
async fn serve(
    shared: Arc<Shared>,
    broker: BrokerId,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
) {
    // Why a connection ended does not matter to the cluster.
    let _ = connection::run(&shared, broker, stream).await;
    drop(permit);
}

/// The runtime's clock, which a test may have paused.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
