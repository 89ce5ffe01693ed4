//! What Ctrl-C does: a signal that there is on Unix only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kafka_protocol::messages::produce::TopicProduceData;
use kafka_protocol::messages::{ApiVersionsRequest, ProduceRequest};
use kafka_protocol::records::Compression;
use kafka_protocol::{ApiKey, DecodeLimits, Frame, decode_response};
use serde_json::{Value, json};

use crate::fixture::{Cluster, Ran, interrupt, kafka, start};

#[test]
fn a_cluster_in_the_foreground_serves_others_until_ctrl_c() {
    let mut mock = start(&["mock", "--brokers", "2", "--topic", "orders:3", "--auto-create=1"]);
    let mut first = String::new();
    let mut out = BufReader::new(mock.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    let servers = first.trim_end();

    let Ran { code, out, err } = kafka(&["metadata", "-b", servers, "--json"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let metadata: Value = serde_json::from_str(&out).unwrap();
    let addresses: Vec<String> = (metadata["brokers"].as_array().unwrap().iter())
        .map(|broker| format!("{}:{}", broker["host"].as_str().unwrap(), broker["port"]))
        .collect();
    assert_eq!(addresses.join(","), servers);
    assert_eq!(metadata["topics"].as_array().unwrap().len(), 1);
    let topic = &metadata["topics"][0];
    assert_eq!((&topic["name"], &topic["error"]), (&json!("orders"), &Value::Null));
    let partition = json!({
        "partition": 1, "leader": 2, "leader_epoch": 0, "replicas": [2, 1], "isr": [2, 1],
        "offline": [], "error": null,
    });
    assert_eq!(topic["partitions"][1], partition);

    // Looking for a topic does not create it.
    assert_eq!(kafka(&["metadata", "-b", servers, "nope"]).code, Some(1));
    assert_eq!(kafka(&["read", "-b", servers, "-t", "nope"]).code, Some(1));

    interrupt(&mock);
    let Ran { code, err, .. } = mock.wait_with_output().unwrap().into();
    assert_eq!(code, Some(0), "{err}");
    assert!(err.starts_with("2 brokers in memory on 127.0.0.1, with 1 topic;"), "{err}");
    assert!(err.ends_with("requests, 0 records in 0 batches of 0 B\n"), "{err}");
}

#[test]
fn a_cluster_is_as_old_as_far_and_as_strict_as_it_was_told() {
    let mut mock = start(&[
        "mock",
        "--topic",
        "t:1",
        "--kafka-version",
        "2.1",
        "--rtt",
        "150",
        "--quota",
        "200",
    ]);
    let mut first = String::new();
    let mut out = BufReader::new(mock.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();

    let mut broker = TcpStream::connect(first.trim_end().split(',').next().unwrap()).unwrap();
    let mut ask = |frame: Frame| {
        broker.write_all(&frame.into_bytes()).unwrap();
        let mut size = [0; 4];
        broker.read_exact(&mut size).unwrap();
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        broker.read_exact(&mut answer).unwrap();
        answer
    };
    let start = Instant::now();
    let frame = Frame::request(&ApiVersionsRequest::default(), 0, 1, None).unwrap();
    let limits = DecodeLimits::default();
    let (_, told) = decode_response::<ApiVersionsRequest>(ask(frame).into(), 0, &limits).unwrap();
    let produce = told.api_keys.iter().find(|api| api.api_key == ApiKey::PRODUCE).unwrap();
    assert_eq!(produce.max_version, 7);
    assert!(start.elapsed() >= Duration::from_millis(150));

    // A request of more than a second's worth of bytes, whatever becomes of its batches.
    let topic = TopicProduceData { name: "x".repeat(600).into(), ..Default::default() };
    let produce = ProduceRequest { acks: -1, topic_data: vec![topic], ..Default::default() };
    let frame = Frame::request(&produce, 7, 2, None).unwrap();
    let (_, answer) = decode_response::<ProduceRequest>(ask(frame).into(), 7, &limits).unwrap();
    assert!(answer.throttle_time_ms > 1000, "{answer:?}");
    interrupt(&mock);
    assert!(mock.wait().unwrap().success());
}

#[test]
fn ctrl_c_is_the_end_of_following() {
    let cluster = Cluster::with(&[("t", 1)]);
    cluster.put("t", 0, Compression::None, &[(None, Some(b"first"), &[])]);
    let mut child = start(&["read", "-b", &cluster.servers(), "-t", "t", "--follow"]);
    let mut first = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    interrupt(&child);
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
}

#[test]
fn ctrl_c_delivers_what_was_read() {
    let cluster = Cluster::with(&[("t", 1)]);
    let mut child = start(&["produce", "-b", &cluster.servers(), "-t", "t", "--report"]);
    // Kept open: there could be more.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo").unwrap();
    let mut first = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(&first, b"t-0@0\n");
    interrupt(&child);
    let ran: Ran = child.wait_with_output().unwrap().into();
    let err = "1 record delivered\n".to_owned();
    assert_eq!(ran, Ran { code: Some(130), out: String::new(), err });
    let records = cluster.records("t", 0);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].value.as_deref(), Some(&b"one"[..]));
}
