//! The text of every error, and what no text may show.

use std::path::PathBuf;

use super::super::property::Property;
use super::super::table::all;
use super::super::{Compression, ConfigError, ProducerBuilder};
use super::{Properties, builder, error};

#[test]
fn errors_tell_what_is_wrong_and_what_is_right() {
    for (properties, expected) in CASES {
        assert_eq!(error(properties).to_string(), expected);
    }
    let nothing = ProducerBuilder::new().config().unwrap_err().to_string();
    assert_eq!(nothing, "property \"bootstrap.servers\" is required");
}

#[test]
fn a_codec_that_is_not_built_in_names_its_feature() {
    for name in ["gzip", "snappy", "lz4", "zstd"] {
        let codec: Compression = name.parse().unwrap();
        let expected = format!(
            "property \"compression.type\" cannot be \"{name}\" in this build: it needs the cargo \
             feature \"{name}\""
        );
        let told = builder(&[("compression.type", name)]).config().map_err(|e| e.to_string());
        assert_eq!(told.err(), (!codec.is_enabled()).then_some(expected));
    }
    if Compression::Lz4.is_enabled() {
        let is_enabled = Compression::Lz4.with_level(12).is_ok();
        let levels = [("compression.type", "lz4"), ("compression.lz4.level", "12")];
        let told = builder(&levels).config().map_err(|error| error.to_string()).err();
        let expected = "property \"compression.lz4.level\" cannot be \"12\" in this build: it \
                        needs the cargo feature \"lz4-hc\"";
        assert_eq!(told.as_deref(), (!is_enabled).then_some(expected));
    }
}

#[test]
fn what_asks_for_what_we_do_anyway_is_accepted() {
    let accepted: Properties<'_> = &[
        ("security.protocol", "plaintext"),
        ("enable.metrics.push", "FALSE"),
        ("interceptor.classes", ""),
        ("key.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer"),
        ("value.serializer", "org.apache.kafka.common.serialization.ByteArraySerializer"),
        ("metric.reporters", ""),
        ("buffer.memory.allocation.strategy", "INCREMENTAL"),
        ("partitioner.availability.timeout.ms", "0"),
        ("ssl.enabled.protocols", "TLSv1.2 , TLSv1.3"),
        ("ssl.keystore.password", ""),
        ("sasl.kerberos.ticket.renew.jitter", "5e-2"),
        ("sasl.login.connect.timeout.ms", ""),
        ("transaction.timeout.ms", "+60000"),
    ];
    for property in accepted {
        assert!(builder(&[*property]).config().is_ok(), "{property:?}");
    }
}

#[test]
fn defaults_of_kafka_are_accepted_but_for_those_that_we_do_not_do() {
    let refused: Vec<_> = all()
        .filter_map(|property| Some((property.name, property.kafka_default?)))
        .filter(|setting| builder(&[*setting]).config().is_err())
        .collect();
    assert_eq!(
        refused,
        [
            ("bootstrap.resolve.timeout.ms", "0"),
            ("buffer.memory.allocation.strategy", "full"),
            ("enable.metrics.push", "true"),
        ]
    );
}

#[test]
fn a_secret_is_shown_nowhere() {
    let secrets: Vec<_> = all().filter(|property| property.is_secret()).collect();
    assert_eq!(secrets.len(), 9);
    for Property { name, .. } in secrets {
        let builder = builder(&[(name, "hunter2")]);
        let error = builder.config().unwrap_err();
        let shown = format!("{builder:?} {error} {error:?}");
        assert!(shown.contains(name) && !shown.contains("hunter2"), "{shown}");
    }
    // The value of a name with a mistake in it may be one.
    let builder = builder(&[("sasl.jaas.confg", "hunter2")]);
    let shown = format!("{builder:?} {:?}", builder.config().unwrap_err());
    assert!(shown.contains("sasl.jaas.confg") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn debug_shows_what_is_set() {
    let shown = format!("{:?}", builder(&[("acks", "1"), ("ssl.key.password", "x")]));
    assert_eq!(
        shown,
        "ProducerBuilder { settings: {\"acks\": \"1\", \"bootstrap.servers\": \"kafka:9092\", \
         \"ssl.key.password\": \"[secret]\"}, seed: None, plugins: \
         Plugins { partitioner: None, interceptors: 0 } }"
    );
}

#[test]
fn long_values_and_names_are_cut() {
    let long = "x".repeat(40_000);
    let told = error(&[("client.id", &long)]).to_string();
    assert_eq!(
        told,
        format!(
            "property \"client.id\" cannot be \"{}…\": it must be of at most 32767 bytes",
            &long[..100]
        )
    );
    let told = error(&[(&long, "")]).to_string();
    assert_eq!(told, format!("unknown property \"{}…\"", &long[..100]));
}

#[test]
fn there_is_an_end_to_errors() {
    let many = (0..1000).fold(builder(&[]), |builder, index| builder.set(index.to_string(), ""));
    match many.config().unwrap_err() {
        ConfigError::Several(errors) => assert_eq!(errors.len(), 20),
        error => panic!("{error}"),
    }
}

/// A file that goes away with it.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str, content: &[u8]) -> Self {
        let path =
            std::env::temp_dir().join(format!("kafka-producer-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn error(&self) -> String {
        let path = format!("{}", self.0.display());
        let builder = ProducerBuilder::new().properties_file(&self.0);
        builder.config().unwrap_err().to_string().replace(&path, "FILE")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn a_file_is_read_like_its_settings() {
    let file = TempFile::new("good", b"# ours\nbootstrap.servers = a:1,\\\n  b:2\nlinger.ms: 7\n");
    let config =
        ProducerBuilder::new().set("linger.ms", "1").properties_file(&file.0).config().unwrap();
    assert_eq!((config.bootstrap_servers.len(), config.linger.as_millis()), (2, 7));
}

#[test]
fn errors_in_a_file_tell_the_line() {
    let cases: [(&str, &[u8], &str); 7] = [
        (
            "name",
            b"\nliger.ms=5",
            "FILE:2: unknown property \"liger.ms\"; did you mean \"linger.ms\"?",
        ),
        (
            "value",
            b"acks=all\nbootstrap.servers=\\\n  a:1\nacks=2",
            "FILE:4: property \"acks\" cannot be \"2\": it must be one of all, -1, 0, 1",
        ),
        (
            "rule",
            b"bootstrap.servers=a:1\nmax.in.flight.requests.per.connection=6",
            "FILE:2: property \"max.in.flight.requests.per.connection\" is 6, but \
             \"enable.idempotence\" needs at most 5; it is on unless set to false",
        ),
        ("escape", b"acks=\\u12", "FILE:1: a \\u escape has no four hexadecimal digits"),
        ("utf8", b"acks=1\nclient.id=\xE9", "FILE:2: the text is not UTF-8"),
        (
            "two",
            b"a=1\nb=2",
            "2 errors in the configuration: (1) FILE:1: unknown property \"a\" (2) FILE:2: unknown \
             property \"b\"",
        ),
        (
            "large",
            &[b'#'; 1024 * 1024 + 1],
            "cannot read FILE: it is larger than the 1048576 bytes that are allowed",
        ),
    ];
    for (name, content, expected) in cases {
        assert_eq!(TempFile::new(name, content).error(), expected);
    }
    let largest = TempFile::new("largest", &[b'#'; 1024 * 1024]);
    assert_eq!(largest.error(), "property \"bootstrap.servers\" is required");
    let missing = ProducerBuilder::new().properties_file("no/such/file").config().unwrap_err();
    assert!(missing.to_string().starts_with("cannot read no/such/file: "), "{missing}");
}

/// Settings, and what is told of them.
const CASES: [(Properties<'_>, &str); 39] = [
    (&[("linger.mss", "5")], "unknown property \"linger.mss\"; did you mean \"linger.ms\"?"),
    (&[("batch_size", "5")], "unknown property \"batch_size\"; did you mean \"batch.size\"?"),
    (&[("Client-ID", "5")], "unknown property \"Client-ID\"; did you mean \"client.id\"?"),
    (&[("linger", "5")], "unknown property \"linger\"; did you mean \"linger.ms\"?"),
    (&[("message.timeout.ms", "5")], "unknown property \"message.timeout.ms\""),
    (&[("group.id", "5")], "unknown property \"group.id\""),
    (&[("", "5")], "unknown property \"\""),
    (
        &[("bootstrap.servers", "")],
        "property \"bootstrap.servers\" cannot be \"\": no address is given",
    ),
    (
        &[("bootstrap.servers", "a:1,b")],
        "property \"bootstrap.servers\" cannot be \"a:1,b\": \"b\" has no port: write host:port",
    ),
    (
        &[("bootstrap.servers", "a:1,a:1")],
        "property \"bootstrap.servers\" cannot be \"a:1,a:1\": \"a:1\" is given twice",
    ),
    (
        &[("linger.ms", "5 ms")],
        "property \"linger.ms\" cannot be \"5 ms\": it must be an integer of at least 0",
    ),
    (
        &[("linger.ms", "")],
        "property \"linger.ms\" cannot be \"\": it must be an integer of at least 0",
    ),
    (
        &[("metadata.max.idle.ms", "4999")],
        "property \"metadata.max.idle.ms\" cannot be \"4999\": it must be an integer of at least 5000",
    ),
    (
        &[("batch.size", "2147483648")],
        "property \"batch.size\" cannot be \"2147483648\": it must be an integer from 0 to 2147483647",
    ),
    (
        &[("max.in.flight.requests.per.connection", "0")],
        "property \"max.in.flight.requests.per.connection\" cannot be \"0\": it must be an \
             integer from 1 to 2147483647",
    ),
    (
        &[("send.buffer.bytes", "-2")],
        "property \"send.buffer.bytes\" cannot be \"-2\": it must be an integer from -1 to 2147483647",
    ),
    (
        &[("connections.max.idle.ms", "never")],
        "property \"connections.max.idle.ms\" cannot be \"never\": it must be an integer",
    ),
    (
        &[("compression.gzip.level", "0")],
        "property \"compression.gzip.level\" cannot be \"0\": it must be an integer from 1 to 9, or -1",
    ),
    (
        &[("compression.lz4.level", "18")],
        "property \"compression.lz4.level\" cannot be \"18\": it must be an integer from 1 to 17",
    ),
    (
        &[("compression.zstd.level", "23")],
        "property \"compression.zstd.level\" cannot be \"23\": it must be an integer from -131072 to 22",
    ),
    (
        &[("enable.idempotence", "yes")],
        "property \"enable.idempotence\" cannot be \"yes\": it must be true or false",
    ),
    (&[("acks", "ALL")], "property \"acks\" cannot be \"ALL\": it must be one of all, -1, 0, 1"),
    (
        &[("compression.type", "Zstd")],
        "property \"compression.type\" cannot be \"Zstd\": it must be one of none, gzip, \
             snappy, lz4, zstd",
    ),
    (
        &[("metadata.recovery.strategy", "x")],
        "property \"metadata.recovery.strategy\" cannot be \"x\": it must be one of \
             rebootstrap, none",
    ),
    (
        &[("security.protocol", "SASL_SSL")],
        "property \"security.protocol\" is not built: connections are neither encrypted nor \
             authenticated yet; the only accepted value is \"PLAINTEXT\"",
    ),
    (
        &[("enable.metrics.push", "true")],
        "property \"enable.metrics.push\" is not built: no metrics are sent to brokers; the \
             only accepted value is \"false\"",
    ),
    (
        &[("transactional.id", "")],
        "property \"transactional.id\" is not built: there are no transactions yet; leave it out",
    ),
    (
        &[("bootstrap.resolve.timeout.ms", "0")],
        "property \"bootstrap.resolve.timeout.ms\" is not built: a host name is looked up when \
             a connection to it is opened, and again after a failure; leave it out",
    ),
    (
        &[("buffer.memory.allocation.strategy", "full")],
        "property \"buffer.memory.allocation.strategy\" is not built: the memory of a batch \
             grows with it, in chunks; the only accepted value is \"incremental\"",
    ),
    (
        &[("client.dns.lookup", "resolve_canonical_bootstrap_servers_only")],
        "property \"client.dns.lookup\" is not built: every address of a host name is tried; \
             the only accepted value is \"use_all_dns_ips\"",
    ),
    (
        &[("metrics.recording.level", "DEBUG")],
        "property \"metrics.recording.level\" is not built: all metrics are recorded, and there \
             are none of other levels; the only accepted value is \"INFO\"",
    ),
    (
        &[("ssl.truststore.location", "/x")],
        "property \"ssl.truststore.location\" is not built: connections are not encrypted yet; \
             leave it out",
    ),
    (
        &[("partitioner.class", "org.apache.kafka.clients.producer.RoundRobinPartitioner")],
        "property \"partitioner.class\" is for Java only: give a partitioner to \
             ProducerBuilder::partitioner; leave it out",
    ),
    (
        &[("interceptor.classes", "a.B")],
        "property \"interceptor.classes\" is for Java only: give an interceptor to \
             ProducerBuilder::interceptor; leave it out",
    ),
    (
        &[("key.serializer", "org.apache.kafka.common.serialization.StringSerializer")],
        "property \"key.serializer\" is for Java only: use Producer::typed for other types than \
             bytes; the only accepted value is \
             \"org.apache.kafka.common.serialization.ByteArraySerializer\"",
    ),
    (
        &[("config.providers", "vault")],
        "property \"config.providers\" is for Java only: write the values themselves instead \
             of references to a provider; leave it out",
    ),
    (
        &[("metric.reporters", "a.B")],
        "property \"metric.reporters\" is for Java only: read the metrics from the producer; \
             the only accepted value is \"org.apache.kafka.common.metrics.JmxReporter\"",
    ),
    (
        &[("ssl.provider", "BC")],
        "property \"ssl.provider\" is for Java only: it names a part of the Java runtime, which \
             has no counterpart here; leave it out",
    ),
    (
        &[("liger.ms", "5"), ("acks", "2"), ("sasl.mechanism", "PLAIN")],
        "3 errors in the configuration: (1) unknown property \"liger.ms\"; did you mean \
             \"linger.ms\"? (2) property \"acks\" cannot be \"2\": it must be one of all, -1, 0, 1 \
             (3) property \"sasl.mechanism\" is not built: connections are not authenticated yet; \
             the only accepted value is \"GSSAPI\"",
    ),
];
