//! From settings to a running producer.

use std::time::Duration;

use kafka_net::SocketOptions;
use kafka_protocol::records::CompressionOptions;

use crate::accumulator::{AccumulatorConfig, RecordAccumulator};
use crate::clock::Clock;
use crate::driver::Driver;
use crate::interceptor::Interceptors;
use crate::partitioner::Partitioner;
use crate::producer::{Producer, Shared};
use crate::sender::{Sender, SenderConfig};
use crate::sync::Arc;
use crate::wake::WakeFlag;

/// Everything a producer is made of.
pub(crate) struct Parts {
    pub(crate) accumulator: AccumulatorConfig,
    pub(crate) sender: SenderConfig,
    pub(crate) socket: SocketOptions,
    pub(crate) compression: CompressionOptions,
    pub(crate) max_block: Duration,
    pub(crate) partitioner: Option<Arc<dyn Partitioner>>,
    pub(crate) interceptors: Interceptors,
}

impl Parts {
    /// A producer, and the driver that has to be run for it.
    pub(crate) fn assemble(self) -> (Producer, Driver) {
        let wake = Arc::new(WakeFlag::new());
        let accumulator = Arc::new(RecordAccumulator::new(self.accumulator, wake));
        let clock = Clock::new();
        let now = clock.now().monotonic;
        let sender = Sender::new(self.sender, Arc::clone(&accumulator), now);
        let shared = Arc::new(Shared::new(accumulator, clock, Arc::clone(sender.sensors())));
        let driver = Driver::new(sender, Arc::clone(&shared), self.socket, self.compression);
        let producer = Producer::new(shared, self.max_block, self.partitioner, self.interceptors);
        (producer, driver)
    }

    /// A producer whose driver runs on a thread of its own: users' tasks cannot hold it up, and the
    /// end of their runtime does not end it.
    ///
    /// # Errors
    /// If the system gives no thread, or no event queue.
    pub(crate) fn start(self) -> std::io::Result<Producer> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (producer, driver) = self.assemble();
        let thread = std::thread::Builder::new().name(THREAD_NAME.to_owned());
        #[expect(
            clippy::disallowed_methods,
            reason = "the driver is no core: it waits for sockets"
        )]
        thread.spawn(move || runtime.block_on(driver.run()))?;
        Ok(producer)
    }
}

/// As much as the system shows of Kafka's "kafka-producer-network-thread".
const THREAD_NAME: &str = "kafka-producer";
