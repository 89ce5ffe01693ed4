//! What is said when something is wrong: one sentence, with the cause and what to try.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::fixture::{Cluster, Ran, kafka, kafka_with};

/// Runs a command that must fail with this code and sentence, and print nothing else.
fn check(args: &[&str], code: i32, sentence: &str) {
    let ran = kafka(args);
    let err = format!("error: {sentence}\n");
    assert_eq!(ran, Ran { code: Some(code), out: String::new(), err }, "{args:?}");
}

#[test]
fn no_broker() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let sentence = format!(
        "no broker is reachable: cannot connect to {address}: {address}: connection refused. \
         Is a broker running there?"
    );
    check(&["metadata", "-b", &address, "--timeout", "1"], 1, &sentence);
    check(&["read", "-b", &address, "-t", "t", "--timeout", "1"], 1, &sentence);
    let ran =
        kafka_with(&["produce", "-b", &address, "-t", "t", "-X", "max.block.ms=1000"], b"a line\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("error: Topic t not present in metadata after"), "{}", ran.err);
    assert!(ran.err.contains("connection refused"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[test]
fn a_web_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = std::thread::Builder::new().spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 100]);
        let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let sentence = format!(
        "no broker is reachable: cannot use {address}: this port speaks HTTP, not Kafka's protocol"
    );
    check(&["metadata", "-b", &address], 1, &sentence);
    server.unwrap().join().unwrap();
}

#[test]
fn a_name_that_has_no_address() {
    let ran = kafka(&["metadata", "-b", "nowhere.invalid:9092", "--timeout", "1"]);
    assert_eq!(ran.code, Some(1));
    let begin = "error: no broker is reachable: cannot resolve nowhere.invalid:9092: ";
    assert!(ran.err.starts_with(begin), "{}", ran.err);
    assert!(ran.err.ends_with(". Is the name right?\n"), "{}", ran.err);
}

#[test]
fn what_a_topic_does_not_have() {
    let cluster = Cluster::with(&[("t", 2)]);
    let servers = cluster.servers();
    let read = |options: &[&str], sentence: &str| {
        check(&[&["read", "-b", &servers], options].concat(), 1, sentence);
    };
    read(&["-t", "nope"], "topic \"nope\" does not exist; `kafka metadata` lists those that do");
    read(
        &["-t", "a b"],
        "topic \"a b\" has a name that Kafka does not allow: letters, digits, '.', '_' and '-', \
         at most 249",
    );
    read(
        &["-t", "t", "-p", "2"],
        "topic \"t\" has no partition 2: it has 2 partitions, counted from 0",
    );
    read(
        &["-t", "t", "-p", "1", "--offset", "1"],
        "t-1 has no offset 1: it is empty, and its next record gets 0",
    );
}

#[test]
fn a_file_that_is_not_there() {
    check(
        &["produce", "-b", "embedded", "-t", "t", "/no/such/file"],
        1,
        "cannot open /no/such/file: No such file or directory (os error 2)",
    );
    check(
        &["demo", "--file", "/no/such/file"],
        1,
        "cannot read /no/such/file: No such file or directory (os error 2)",
    );
}

#[test]
fn a_wrong_command_line() {
    for args in [
        &["metadata"][..],
        &["metadata", "-b", "localhost"],
        &["read", "-b", "a:1", "-t", "t", "--ofset", "1"],
        &["produce", "-b", "a:1", "-t", "t", "-z", "brotli"],
        &["mock", "--port", "0"],
        &["nonsense"],
    ] {
        let ran = kafka(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.err.starts_with("error: "), "{}", ran.err);
    }
    check(
        &["mock", "--brokers", "3", "--port", "65534"],
        1,
        "there are not 3 ports from 65534 on: the last one is 65535",
    );
}
