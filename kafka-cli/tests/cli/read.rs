//! `kafka read`.

use std::io::Read;

use kafka_mock::{FaultAction, FaultRule};
use kafka_protocol::records::{Compression, RecordHeader};
use kafka_protocol::{ApiKey, ErrorCode};

use crate::fixture::{Cluster, Put, Ran, kafka, start};

const NO_HEADERS: &[RecordHeader<'_>] = &[];

fn value(value: &[u8]) -> Put<'_> {
    (None, Some(value), NO_HEADERS)
}

/// What `kafka read` prints of topic `t`, which must go well.
fn read(cluster: &Cluster, options: &[&str]) -> String {
    let servers = cluster.servers();
    let args = [&["read", "-b", &servers, "-t", "t"], options].concat();
    let Ran { code, out, err } = kafka(&args);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{args:?}");
    out
}

#[test]
fn partitions_come_one_after_the_other_in_every_codec() {
    let cluster = Cluster::with(&[("t", 3)]);
    let codecs = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4];
    for (index, codec) in codecs.into_iter().chain([Compression::Zstd]).enumerate() {
        let texts = [format!("{codec} 1"), format!("{codec} 2")];
        let records: Vec<Put<'_>> = texts.iter().map(|text| value(text.as_bytes())).collect();
        cluster.put("t", (index % 3) as i32, codec, &records);
    }
    let all = "0@0 none 1\n0@1 none 2\n0@2 lz4 1\n0@3 lz4 2\n\
               1@0 gzip 1\n1@1 gzip 2\n1@2 zstd 1\n1@3 zstd 2\n2@0 snappy 1\n2@1 snappy 2\n";
    let format = ["-f", "%p@%o %s\\n"];
    let read = |options: &[&str]| read(&cluster, &[&format, options].concat());
    assert_eq!(read(&[]), all);
    assert_eq!(read(&["--offset=-100"]), all);
    assert_eq!(read(&["--offset=-1"]), "0@3 lz4 2\n1@3 zstd 2\n2@1 snappy 2\n");
    assert_eq!(read(&["-p", "1", "--offset", "1"]), "1@1 gzip 2\n1@2 zstd 1\n1@3 zstd 2\n");
    assert_eq!(read(&["-p", "2", "-p", "0", "-n", "5"]).lines().last(), Some("2@0 snappy 1"));
    assert_eq!(read(&["--count", "1", "--follow", "-p", "1"]), "1@0 gzip 1\n");
}

#[test]
fn everything_about_a_record_can_be_printed() {
    let cluster = Cluster::with(&[("t", 1)]);
    let headers =
        [RecordHeader { key: "h", value: Some(b"1") }, RecordHeader { key: "i", value: None }];
    let records: [Put<'_>; 2] = [(Some(b"k"), Some(b"v\xff"), &headers), (None, None, &[])];
    cluster.put("t", 0, Compression::None, &records);
    let json = "{\"topic\":\"t\",\"partition\":0,\"offset\":0,\"timestamp\":1000,\"key\":\"k\",\
                \"value_hex\":\"76ff\",\"headers\":[{\"key\":\"h\",\"value\":\"1\"},\
                {\"key\":\"i\",\"value\":null}]}\n\
                {\"topic\":\"t\",\"partition\":0,\"offset\":1,\"timestamp\":1001,\"key\":null,\
                \"value\":null,\"headers\":[]}\n";
    assert_eq!(read(&cluster, &["--json"]), json);
    let text = read(&cluster, &["-f", "%t %T %k %K %S [%h] %%\\n"]);
    assert_eq!(text, "t 1000 k 1 2 [h=1,i] %\nt 1001  -1 -1 [] %\n");
}

#[test]
fn an_empty_topic_says_so() {
    let cluster = Cluster::with(&[("t", 2)]);
    let ran = kafka(&["read", "-b", &cluster.servers(), "-t", "t"]);
    let expected = Ran { code: Some(0), out: String::new(), err: "no records\n".to_owned() };
    assert_eq!(ran, expected);
}

#[test]
fn damage_is_found_and_what_is_before_it_is_printed() {
    let cluster = Cluster::with(&[("t", 1)]);
    for text in ["whole", "a record that will not stay as it is"] {
        cluster.put("t", 0, Compression::None, &[value(text.as_bytes())]);
    }
    // Inside the second record's value.
    let rule = FaultRule::new(FaultAction::Corrupt { at: 240 }).api(ApiKey::FETCH);
    cluster.server.with_cluster(|cluster| cluster.add_fault(rule));
    let ran = kafka(&["read", "-b", &cluster.servers(), "-t", "t"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "whole\n"));
    assert!(ran.err.starts_with("error: t-0 is damaged at offset 1: "), "{}", ran.err);
    assert!(ran.err.contains("CRC"), "{}", ran.err);
}

#[test]
fn a_broker_that_owes_records_is_asked_again_but_not_for_ever() {
    let cluster = Cluster::with(&[("t", 1)]);
    cluster.put("t", 0, Compression::None, &[value(b"first")]);
    let not_available = FaultAction::Error(ErrorCode::LEADER_NOT_AVAILABLE);
    let fault = |rule: FaultRule| {
        cluster.server.with_cluster(|cluster| cluster.add_fault(rule.api(ApiKey::FETCH)))
    };
    fault(FaultRule::new(not_available.clone()).times(2));
    fault(FaultRule::new(FaultAction::CloseBefore));
    assert_eq!(read(&cluster, &[]), "first\n");

    fault(FaultRule::new(not_available).always());
    let ran = kafka(&["read", "-b", &cluster.servers(), "-t", "t"]);
    let err = "error: cannot read t-0: LEADER_NOT_AVAILABLE (5)\n".to_owned();
    assert_eq!(ran, Ran { code: Some(1), out: String::new(), err });
}

#[test]
fn a_moved_leader_is_found() {
    let cluster = Cluster::with(&[("t", 1)]);
    cluster.put("t", 0, Compression::None, &[value(b"first")]);
    let mut child = start(&["read", "-b", &cluster.servers(), "-t", "t", "--follow", "-n", "2"]);
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 6];
    out.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"first\n");
    cluster.server.with_cluster(|cluster| {
        let leader = cluster.leader("t", 0);
        let other = cluster.brokers().into_iter().find(|broker| Some(*broker) != leader);
        assert!(cluster.move_leader("t", 0, other));
    });
    cluster.put("t", 0, Compression::None, &[value(b"second")]);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "second\n");
    assert!(child.wait().unwrap().success());
}

#[test]
fn nothing_is_said_when_the_reader_of_the_output_is_gone() {
    let cluster = Cluster::with(&[("t", 1)]);
    // More than a pipe holds.
    let large = vec![b'x'; 500_000];
    cluster.put("t", 0, Compression::None, &[value(&large)]);
    let mut child = start(&["read", "-b", &cluster.servers(), "-t", "t"]);
    drop(child.stdout.take());
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert_eq!((ran.code, ran.err.as_str()), (Some(141), ""));
}
