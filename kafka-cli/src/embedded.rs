//! A cluster inside this command: the mock behind TCP, on a thread of its own.

use kafka_mock::{MockCluster, MockConfig, MockServer};
use tokio::runtime::{Builder, Runtime};

use crate::failure::Failure;

/// A cluster that listens on the loopback interface, until it is dropped.
#[derive(Debug)]
pub(crate) struct Embedded {
    server: MockServer,
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
}

impl Embedded {
    /// Starts it with these topics. The brokers listen on `ports`, or on free ones.
    pub(crate) fn start(
        config: MockConfig,
        topics: &[(&str, u16)],
        ports: &[u16],
    ) -> Result<Self, Failure> {
        let mut cluster = MockCluster::new(config);
        for (name, partitions) in topics {
            cluster.create_topic(name, i32::from(*partitions)).map_err(|error| {
                Failure::new(format_args!("cannot create topic {name:?}: {error}"))
            })?;
        }
        let failed = |error| {
            let try_this = if ports.is_empty() { "" } else { "; another --port may be free" };
            Failure::new(format_args!("cannot start the embedded cluster: {error}{try_this}"))
        };
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("cluster").enable_all();
        let runtime = builder.build().map_err(failed)?;
        let server = {
            let _inside = runtime.enter();
            MockServer::start_on(cluster, ports).map_err(failed)?
        };
        Ok(Self { server, runtime: Some(runtime) })
    }

    pub(crate) fn server(&self) -> &MockServer {
        &self.server
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // Dropping a runtime waits for it, which is not allowed inside another one.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
