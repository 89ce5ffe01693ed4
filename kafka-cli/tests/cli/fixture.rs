//! A cluster to run commands against, and a way to run them.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use kafka_mock::{AutoCreate, LogRecord, MockCluster, MockConfig, MockServer};
use kafka_net::{BrokerId, ConnectionPool, NetConfig, Target, parse_bootstrap_servers};
use kafka_protocol::messages::metadata::MetadataRequestTopic;
use kafka_protocol::messages::produce::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{MetadataRequest, ProduceRequest};
use kafka_protocol::records::{Compression, Compressor, RecordBatchBuilder, RecordHeader};
use tokio::runtime::Runtime;

/// Key, value and headers of a record to put into the cluster.
pub(crate) type Put<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [RecordHeader<'a>]);

pub(crate) struct Cluster {
    pub(crate) server: MockServer,
}

impl Cluster {
    /// Two brokers with these topics.
    pub(crate) fn with(topics: &[(&str, i32)]) -> Self {
        let config = MockConfig::new().brokers(2).auto_create(AutoCreate::Off);
        let mut cluster = MockCluster::new(config);
        for (name, partitions) in topics {
            cluster.create_topic(name, *partitions).unwrap();
        }
        let _inside = runtime().enter();
        Self { server: MockServer::start(cluster).unwrap() }
    }

    pub(crate) fn servers(&self) -> String {
        self.server.bootstrap_servers()
    }

    /// Puts a batch into a partition, as a producer would.
    pub(crate) fn put(&self, topic: &str, partition: i32, codec: Compression, records: &[Put<'_>]) {
        let mut builder = RecordBatchBuilder::new();
        for (timestamp, (key, value, headers)) in (1000..).zip(records) {
            builder.append(timestamp, *key, *value, headers).unwrap();
        }
        let body = builder.finish();
        let body = body.compress(&mut Compressor::new(codec.into())).unwrap();
        let records = Some(body.to_records(&body.header()));
        let data = PartitionProduceData { index: partition, records, ..Default::default() };
        runtime().block_on(async {
            let servers = parse_bootstrap_servers(&self.servers()).unwrap();
            let pool = ConnectionPool::new(servers, NetConfig::new());
            let name = MetadataRequestTopic { name: Some(topic.into()), ..Default::default() };
            let ask = MetadataRequest { topics: Some(vec![name]), ..Default::default() };
            let metadata = pool.call(Target::Any, &ask).await.unwrap();
            pool.learn_brokers(&metadata).await.unwrap();
            let found = &metadata.topics[0];
            let leader = BrokerId(found.partitions[partition as usize].leader_id);
            let data = TopicProduceData {
                name: topic.into(),
                topic_id: found.topic_id,
                partition_data: vec![data],
                ..Default::default()
            };
            let request = ProduceRequest {
                acks: -1,
                timeout_ms: 1000,
                topic_data: vec![data],
                ..Default::default()
            };
            let answer = pool.call(leader, &request).await.unwrap();
            assert!(answer.responses[0].partition_responses[0].error_code.is_none());
        });
    }

    pub(crate) fn records(&self, topic: &str, partition: i32) -> Vec<LogRecord> {
        self.server.with_cluster(|cluster| cluster.records(topic, partition)).unwrap()
    }
}

/// One for all tests.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// What a command printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn kafka(args: &[&str]) -> Ran {
    kafka_with(args, b"")
}

/// Runs with this on standard input.
pub(crate) fn kafka_with(args: &[&str], input: &[u8]) -> Ran {
    let mut child = start(args);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::Builder::new().spawn(move || {
        // It may end before it has read everything.
        let _ = stdin.write_all(&input);
    });
    let ran = child.wait_with_output().unwrap().into();
    writer.unwrap().join().unwrap();
    ran
}

pub(crate) fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kafka"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Ctrl-C.
#[cfg(unix)]
pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
}
