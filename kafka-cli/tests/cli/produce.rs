//! `kafka produce`.

use kafka_mock::LogRecord;

use crate::fixture::{Cluster, Ran, kafka_with};

/// Sends lines to topic `t`, which has one partition.
fn produce(cluster: &Cluster, options: &[&str], input: &[u8]) -> Ran {
    let servers = cluster.servers();
    kafka_with(&[&["produce", "-b", &servers, "-t", "t"], options].concat(), input)
}

fn values(records: &[LogRecord]) -> Vec<Option<&[u8]>> {
    records.iter().map(|record| record.value.as_deref()).collect()
}

#[test]
fn lines_become_records_in_their_order() {
    let cluster = Cluster::with(&[("t", 1)]);
    let ran = produce(&cluster, &["--report"], b"one\r\n\n\xff\x00\nlast");
    let out = "t-0@0\nt-0@1\nt-0@2\nt-0@3\n".to_owned();
    assert_eq!(ran, Ran { code: Some(0), out, err: String::new() });
    let expected: [Option<&[u8]>; 4] =
        [Some(b"one\r"), Some(b""), Some(b"\xff\x00"), Some(b"last")];
    assert_eq!(values(&cluster.records("t", 0)), expected);
}

#[test]
fn what_the_producer_measured_is_told_in_the_end() {
    let cluster = Cluster::with(&[("t", 1)]);
    let ran = produce(&cluster, &["--metrics"], b"1\n2\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""));
    let line = ran.err.lines().find(|line| line.starts_with("  record-send-total "));
    assert_eq!(line.and_then(|line| line.split_whitespace().last()), Some("2"), "{}", ran.err);
    assert!(ran.err.contains("\nproducer-topic-metrics topic=t\n"), "{}", ran.err);
}

#[test]
fn keys_headers_and_nulls() {
    let cluster = Cluster::with(&[("t", 2)]);
    let options = ["-K", "\\t", "--null", "-", "-p", "1", "-H", "a=1", "-H", "b"];
    let ran = produce(&cluster, &options, b"k\tv\n-\tv\nk\t-\n");
    assert_eq!(ran, Ran { code: Some(0), out: String::new(), err: String::new() });
    let records = cluster.records("t", 1);
    let keys: Vec<Option<&[u8]>> = records.iter().map(|record| record.key.as_deref()).collect();
    assert_eq!(keys, [Some(&b"k"[..]), None, Some(b"k")]);
    assert_eq!(values(&records), [Some(&b"v"[..]), Some(b"v"), None]);
    let headers = [("a".to_owned(), Some("1".into())), ("b".to_owned(), None)];
    assert!(records.iter().all(|record| record.headers == headers));
}

#[test]
fn a_line_that_cannot_be_sent_is_named_and_the_others_go_on() {
    let cluster = Cluster::with(&[("t", 1)]);
    let options = ["-K", ":", "--max-line", "5", "--report"];
    let ran = produce(&cluster, &options, b"a:1\nb\nc:3456\nd:4\n");
    let out = "t-0@0\nerror: no key separator\nerror: longer than 5 bytes (--max-line)\nt-0@1\n";
    let err = "line 2: no key separator, not sent\n\
               line 3: 6 bytes, not sent\n\
               error: 2 records failed, 2 delivered: 1 × no key separator, \
               1 × longer than 5 bytes (--max-line)\n";
    assert_eq!(ran, Ran { code: Some(1), out: out.to_owned(), err: err.to_owned() });
    assert_eq!(values(&cluster.records("t", 0)), [Some(&b"1"[..]), Some(b"4")]);
}

#[test]
fn many_lines_arrive_once_and_in_order() {
    let cluster = Cluster::with(&[("t", 1)]);
    let lines: Vec<String> = (0..50_000).map(|n| n.to_string()).collect();
    let ran = produce(&cluster, &["--delimiter", ";"], lines.join(";").as_bytes());
    assert_eq!(ran, Ran { code: Some(0), out: String::new(), err: String::new() });
    let records = cluster.records("t", 0);
    let expected: Vec<Option<&[u8]>> = lines.iter().map(|line| Some(line.as_bytes())).collect();
    assert_eq!(values(&records), expected);
}

#[test]
fn an_embedded_cluster_says_what_it_is() {
    let ran = kafka_with(&["produce", "-b", "embedded", "-t", "new", "-r", "-p", "0"], b"a\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "new-0@0\n"));
    assert!(ran.err.starts_with("an embedded cluster is at 127.0.0.1:"), "{}", ran.err);
    assert!(ran.err.ends_with(", and gone when this command ends\n"), "{}", ran.err);
}
