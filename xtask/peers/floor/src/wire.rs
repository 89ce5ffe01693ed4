//! What is said to brokers before the first record, and the frames of Produce.

use std::io::{IoSlice, Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use kafka_protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use kafka_protocol::{DecodeLimits, Frame, Request, decode_response};

use crate::batch::{Batch, ProducerId};

const METADATA_VERSION: i16 = 12;
const INIT_PRODUCER_ID_VERSION: i16 = 4;
/// The last one without tagged fields, of which a producer needs none.
const PRODUCE_VERSION: i16 = 8;

const CLIENT_ID: &str = "floor";
const ACKS_ALL: i16 = -1;
const TIMEOUT_MILLIS: i32 = 30_000;

/// Where the partitions of the topic are.
pub(crate) struct Cluster {
    /// Addresses of those that lead partitions.
    pub(crate) brokers: Vec<String>,
    /// Of each partition, as an index into `brokers`.
    pub(crate) leaders: Vec<usize>,
    pub(crate) producer: ProducerId,
}

impl Cluster {
    pub(crate) fn discover(servers: &str, topic: &str) -> Result<Self> {
        let server = servers.split(',').next().unwrap_or_default();
        let mut stream = connect(server)?;
        let name = Some(topic.into());
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic { name, ..Default::default() }]),
            ..Default::default()
        };
        let metadata = call(&mut stream, &request, METADATA_VERSION)?;
        let request = InitProducerIdRequest {
            producer_id: -1,
            producer_epoch: -1,
            transactional_id: None,
            ..Default::default()
        };
        let answer = call(&mut stream, &request, INIT_PRODUCER_ID_VERSION)?;
        ensure!(answer.error_code.is_none(), "no producer id: {}", answer.error_code);
        let producer = ProducerId { id: answer.producer_id, epoch: answer.producer_epoch };
        let (brokers, leaders) = leaders(&metadata)?;
        Ok(Self { brokers, leaders, producer })
    }
}

fn leaders(metadata: &MetadataResponse) -> Result<(Vec<String>, Vec<usize>)> {
    let topic = metadata.topics.first().context("no topic")?;
    ensure!(topic.error_code.is_none(), "the topic has a problem: {}", topic.error_code);
    let mut partitions: Vec<_> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.partition_index);
    let mut ids: Vec<_> = partitions.iter().map(|partition| partition.leader_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let leader = |id| ids.iter().position(|other| *other == id).context("no leader");
    let leaders = partitions.iter().map(|partition| leader(partition.leader_id));
    let address = |id: &_| {
        let broker = metadata.brokers.iter().find(|broker| broker.node_id == *id);
        broker.map(|broker| format!("{}:{}", broker.host, broker.port)).context("no such broker")
    };
    Ok((ids.iter().map(address).collect::<Result<_>>()?, leaders.collect::<Result<_>>()?))
}

pub(crate) fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn call<R: Request>(stream: &mut TcpStream, request: &R, version: i16) -> Result<R::Response> {
    let frame = Frame::request(request, version, 0, Some(CLIENT_ID.into()))?;
    stream.write_all(&frame.into_bytes())?;
    let answer = read_frame(stream)?;
    Ok(decode_response::<R>(answer, version, &DecodeLimits::default())?.1)
}

fn read_frame(stream: &mut TcpStream) -> Result<Bytes> {
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size))?];
    stream.read_exact(&mut frame)?;
    Ok(frame.into())
}

/// Writes a Produce request, the batches from where they are.
pub(crate) fn write_produce(
    stream: &mut TcpStream,
    topic: &str,
    correlation_id: i32,
    batches: &[Batch],
) -> Result<()> {
    // What is in front of each batch; that of the first is preceded by everything else.
    let mut fronts = vec![Vec::new(); batches.len()];
    let first = fronts.first_mut().context("a request without a batch")?;
    first.extend(0_i32.to_be_bytes());
    first.extend(ProduceRequest::KEY.0.to_be_bytes());
    first.extend(PRODUCE_VERSION.to_be_bytes());
    first.extend(correlation_id.to_be_bytes());
    put_string(first, CLIENT_ID);
    // No transaction.
    first.extend((-1_i16).to_be_bytes());
    first.extend(ACKS_ALL.to_be_bytes());
    first.extend(TIMEOUT_MILLIS.to_be_bytes());
    first.extend(1_i32.to_be_bytes());
    put_string(first, topic);
    first.extend((batches.len() as i32).to_be_bytes());
    let mut len = 0;
    for (front, batch) in fronts.iter_mut().zip(batches) {
        front.extend((batch.partition as i32).to_be_bytes());
        front.extend((batch.bytes().len() as i32).to_be_bytes());
        len += front.len() + batch.bytes().len();
    }
    fronts[0][..4].copy_from_slice(&((len - 4) as i32).to_be_bytes());
    let pairs = fronts.iter().zip(batches);
    let mut slices: Vec<_> = pairs
        .flat_map(|(front, batch)| [IoSlice::new(front), IoSlice::new(batch.bytes())])
        .collect();
    let mut slices = &mut slices[..];
    while !slices.is_empty() {
        let written = stream.write_vectored(slices)?;
        ensure!(written > 0, "the connection takes no more");
        IoSlice::advance_slices(&mut slices, written);
    }
    Ok(())
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as i16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// Reads the answer to a Produce request, and whether all of it is written.
pub(crate) fn read_acknowledgement(stream: &mut TcpStream, correlation_id: i32) -> Result<()> {
    let answer = read_frame(stream)?;
    let limits = DecodeLimits::default();
    let (header, answer) = decode_response::<ProduceRequest>(answer, PRODUCE_VERSION, &limits)?;
    ensure!(header.correlation_id == correlation_id, "an answer to another request");
    for partition in answer.responses.iter().flat_map(|topic| &topic.partition_responses) {
        let code = partition.error_code;
        ensure!(code.is_none(), "partition {}: {code}", partition.index);
    }
    Ok(())
}
