//! Connections to all brokers of a cluster, opened when they are needed.
//!
//! A task holds a [`BrokerConnection`](crate::BrokerConnection) for each broker and does what it says;
//! calls ask it for a connection and then use that themselves.

use kafka_protocol::Request;
use kafka_protocol::messages::MetadataResponse;
use tokio::sync::{mpsc, oneshot};

use crate::core::{BrokerId, HostPort};
use crate::{Connection, NetConfig, RequestError, SendError};
use task::{Command, Task};

mod slot;
mod task;

/// Which broker is to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Whichever is least loaded. Before the pool knows brokers, or when none that it knows can be
    /// reached, a bootstrap server.
    Any,
    /// This one.
    Broker(BrokerId),
}

impl From<BrokerId> for Target {
    fn from(broker: BrokerId) -> Self {
        Self::Broker(broker)
    }
}

/// Connections to the brokers of a cluster; cheap to clone.
///
/// Keeps one connection to a broker, shared by all calls: opened by the first call that needs it,
/// opened again with a growing pause while that fails, closed when idle. The pool ends with its last
/// clone.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use kafka_net::{ConnectionPool, NetConfig, Target, parse_bootstrap_servers};
/// use kafka_protocol::messages::MetadataRequest;
///
/// let pool = ConnectionPool::new(parse_bootstrap_servers("localhost:9092")?, NetConfig::new());
/// let metadata = pool.call(Target::Any, &MetadataRequest::default()).await?;
/// pool.learn_brokers(&metadata).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct ConnectionPool {
    commands: mpsc::Sender<Command>,
}

impl ConnectionPool {
    /// A pool that begins with these servers. Contacts nobody before the first call.
    ///
    /// Must be called inside a tokio runtime with I/O and time.
    pub fn new(bootstrap_servers: Vec<HostPort>, config: NetConfig) -> Self {
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let task = Task::new(bootstrap_servers, config, receiver, fastrand::Rng::new());
        tokio::spawn(task.run());
        Self { commands }
    }

    /// Sends a request to a broker, in the highest version that both sides have, and awaits its
    /// answer. Connects first if there is no connection, and waits for one as long as
    /// [`max_wait`](NetConfig::max_wait) allows.
    ///
    /// Nothing that may have been written is sent a second time.
    ///
    /// # Errors
    /// If there is no connection in time, or no answer. An address that can never be a broker's ends
    /// the wait at once.
    ///
    /// # Cancel safety
    /// Dropping the future does not take back a request that was queued.
    pub async fn call<R: Request>(
        &self,
        to: impl Into<Target>,
        request: &R,
    ) -> Result<R::Response, RequestError> {
        let to = to.into();
        for _ in 1..STALE_CONNECTIONS_MAX {
            match self.connection(to).await?.send(request) {
                // It ended after it was handed out: idle, or lost just now.
                Err(SendError::Closed { .. }) => {}
                sent => return sent?.await,
            }
        }
        self.connection(to).await?.call(request).await
    }

    /// A connection to a broker, opened if there is none.
    ///
    /// # Errors
    /// If there is none in time.
    ///
    /// # Cancel safety
    /// A connection that is being opened stays with the pool.
    pub async fn connection(&self, to: impl Into<Target>) -> Result<Connection, RequestError> {
        let (reply, receiver) = oneshot::channel();
        let wanted = Command::Connection { to: to.into(), reply };
        self.commands.send(wanted).await.map_err(|_| RequestError::Closed)?;
        receiver.await.unwrap_or(Err(RequestError::Closed))
    }

    /// Replaces the brokers that the pool knows. The connection to one that is not among them, or is
    /// at another address now, takes no more requests.
    ///
    /// # Errors
    /// If the pool is closed.
    pub async fn set_brokers(
        &self,
        brokers: impl IntoIterator<Item = (BrokerId, HostPort)>,
    ) -> Result<(), RequestError> {
        let command = Command::SetBrokers(brokers.into_iter().collect());
        self.commands.send(command).await.map_err(|_| RequestError::Closed)
    }

    /// [`set_brokers`](Self::set_brokers) from the answer to a Metadata request. A broker whose
    /// address is none is left out.
    ///
    /// # Errors
    /// If the pool is closed.
    pub async fn learn_brokers(&self, metadata: &MetadataResponse) -> Result<(), RequestError> {
        let brokers = metadata.brokers.iter().filter_map(|broker| {
            let id = BrokerId(broker.node_id);
            match HostPort::new(&broker.host, broker.port) {
                Ok(address) => Some((id, address)),
                Err(error) => {
                    tracing::warn!(%id, %error, "the cluster announces a broker without an address");
                    None
                }
            }
        });
        self.set_brokers(brokers).await
    }

    /// Takes no more calls. Those that have a connection are answered; those that wait for one fail.
    pub async fn close(&self) {
        // An error means that it is closed already.
        let _ = self.commands.send(Command::Close).await;
    }
}

/// Commands that wait for the task; who has more waits.
const COMMANDS_MAX: usize = 64;

/// How often a call takes a connection that turns out to have ended.
const STALE_CONNECTIONS_MAX: usize = 3;
