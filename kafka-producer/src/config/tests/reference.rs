//! The table against the list of Kafka's own properties.

use super::super::property::{Property, Support, ValueType};
use super::super::table::{all, property};

fn type_name(property: &Property) -> &'static str {
    match property.value_type {
        ValueType::Boolean => "boolean",
        ValueType::Class => "class",
        ValueType::Double => "double",
        ValueType::Int => "int",
        ValueType::List => "list",
        ValueType::Long => "long",
        ValueType::Password => "password",
        ValueType::Short => "short",
        ValueType::String | ValueType::AnyCase => "string",
    }
}

#[test]
fn the_table_has_every_property_of_kafka_once_and_no_other() {
    let mut table: Vec<_> = all()
        .map(|property| (property.name, type_name(property), property.kafka_default))
        .collect();
    table.sort();
    assert_eq!(table, KAFKA);
}

#[test]
fn our_defaults_are_those_of_kafka_but_for_the_socket_buffers() {
    let is_built = |property: &&Property| matches!(property.support, Support::Built { .. });
    let others: Vec<_> = all()
        .filter(is_built)
        .filter(|property| property.default() != property.kafka_default)
        .map(|property| (property.name, property.default()))
        .collect();
    assert_eq!(others, [("receive.buffer.bytes", Some("-1")), ("send.buffer.bytes", Some("-1"))]);
}

#[test]
fn defaults_of_properties_that_are_built_are_valid() {
    let mut count = 0;
    for property in all().filter(|property| matches!(property.support, Support::Built { .. })) {
        for default in property.kafka_default.iter().chain(&property.default()) {
            property.check(default).unwrap();
        }
        count += 1;
    }
    assert_eq!(count, BUILT_COUNT);
    assert!(property("linger.ms").is_some_and(|property| !property.is_secret()));
}

const BUILT_COUNT: usize = 38;

/// Name, type and default in `ProducerConfig` of Kafka 4.4.0; no default and null are both `None`.
const KAFKA: [(&str, &str, Option<&str>); 120] = [
    ("acks", "string", Some("all")),
    ("batch.size", "int", Some("16384")),
    ("bootstrap.resolve.timeout.ms", "long", Some("0")),
    ("bootstrap.servers", "list", None),
    ("buffer.memory", "long", Some("33554432")),
    ("buffer.memory.allocation.strategy", "string", Some("full")),
    ("client.dns.lookup", "string", Some("use_all_dns_ips")),
    ("client.id", "string", Some("")),
    ("client.rack", "string", Some("")),
    ("compression.gzip.level", "int", Some("-1")),
    ("compression.lz4.level", "int", Some("9")),
    ("compression.type", "string", Some("none")),
    ("compression.zstd.level", "int", Some("3")),
    ("config.providers", "list", Some("")),
    ("connections.max.idle.ms", "long", Some("540000")),
    ("delivery.timeout.ms", "int", Some("120000")),
    ("enable.idempotence", "boolean", Some("true")),
    ("enable.metrics.push", "boolean", Some("true")),
    ("interceptor.classes", "list", Some("")),
    ("key.serializer", "class", None),
    ("linger.ms", "long", Some("5")),
    ("max.block.ms", "long", Some("60000")),
    ("max.in.flight.requests.per.connection", "int", Some("5")),
    ("max.request.size", "int", Some("1048576")),
    ("metadata.cluster.check.enable", "boolean", Some("true")),
    ("metadata.max.age.ms", "long", Some("300000")),
    ("metadata.max.idle.ms", "long", Some("300000")),
    ("metadata.recovery.rebootstrap.trigger.ms", "long", Some("300000")),
    ("metadata.recovery.strategy", "string", Some("rebootstrap")),
    ("metric.reporters", "list", Some("org.apache.kafka.common.metrics.JmxReporter")),
    ("metrics.num.samples", "int", Some("2")),
    ("metrics.recording.level", "string", Some("INFO")),
    ("metrics.sample.window.ms", "long", Some("30000")),
    ("partitioner.adaptive.partitioning.enable", "boolean", Some("true")),
    ("partitioner.availability.timeout.ms", "long", Some("0")),
    ("partitioner.class", "class", None),
    ("partitioner.ignore.keys", "boolean", Some("false")),
    ("partitioner.rack.aware", "boolean", Some("false")),
    ("receive.buffer.bytes", "int", Some("32768")),
    ("reconnect.backoff.max.ms", "long", Some("1000")),
    ("reconnect.backoff.ms", "long", Some("50")),
    ("request.timeout.ms", "int", Some("30000")),
    ("retries", "int", Some("2147483647")),
    ("retry.backoff.max.ms", "long", Some("1000")),
    ("retry.backoff.ms", "long", Some("100")),
    ("sasl.client.callback.handler.class", "class", None),
    ("sasl.jaas.config", "password", None),
    ("sasl.kerberos.kinit.cmd", "string", Some("/usr/bin/kinit")),
    ("sasl.kerberos.min.time.before.relogin", "long", Some("60000")),
    ("sasl.kerberos.service.name", "string", None),
    ("sasl.kerberos.ticket.renew.jitter", "double", Some("0.05")),
    ("sasl.kerberos.ticket.renew.window.factor", "double", Some("0.8")),
    ("sasl.login.callback.handler.class", "class", None),
    ("sasl.login.class", "class", None),
    ("sasl.login.connect.timeout.ms", "int", None),
    ("sasl.login.read.timeout.ms", "int", None),
    ("sasl.login.refresh.buffer.seconds", "short", Some("300")),
    ("sasl.login.refresh.min.period.seconds", "short", Some("60")),
    ("sasl.login.refresh.window.factor", "double", Some("0.8")),
    ("sasl.login.refresh.window.jitter", "double", Some("0.05")),
    ("sasl.login.retry.backoff.max.ms", "long", Some("10000")),
    ("sasl.login.retry.backoff.ms", "long", Some("100")),
    ("sasl.mechanism", "string", Some("GSSAPI")),
    ("sasl.oauthbearer.allow.unverified.audience", "boolean", Some("false")),
    ("sasl.oauthbearer.allow.unverified.issuer", "boolean", Some("false")),
    ("sasl.oauthbearer.assertion.algorithm", "string", Some("RS256")),
    ("sasl.oauthbearer.assertion.claim.aud", "string", None),
    ("sasl.oauthbearer.assertion.claim.exp.seconds", "int", Some("300")),
    ("sasl.oauthbearer.assertion.claim.iss", "string", None),
    ("sasl.oauthbearer.assertion.claim.jti.include", "boolean", Some("false")),
    ("sasl.oauthbearer.assertion.claim.nbf.seconds", "int", Some("60")),
    ("sasl.oauthbearer.assertion.claim.sub", "string", None),
    ("sasl.oauthbearer.assertion.file", "string", None),
    ("sasl.oauthbearer.assertion.private.key.file", "string", None),
    ("sasl.oauthbearer.assertion.private.key.passphrase", "password", None),
    ("sasl.oauthbearer.assertion.template.file", "string", None),
    ("sasl.oauthbearer.client.credentials.client.id", "string", None),
    ("sasl.oauthbearer.client.credentials.client.secret", "password", None),
    ("sasl.oauthbearer.clock.skew.seconds", "int", Some("30")),
    ("sasl.oauthbearer.expected.audience", "list", Some("")),
    ("sasl.oauthbearer.expected.issuer", "string", None),
    ("sasl.oauthbearer.header.urlencode", "boolean", Some("false")),
    ("sasl.oauthbearer.jwks.endpoint.refresh.ms", "long", Some("3600000")),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", "long", Some("10000")),
    ("sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", "long", Some("100")),
    ("sasl.oauthbearer.jwks.endpoint.url", "string", None),
    (
        "sasl.oauthbearer.jwt.retriever.class",
        "class",
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"),
    ),
    (
        "sasl.oauthbearer.jwt.validator.class",
        "class",
        Some("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"),
    ),
    ("sasl.oauthbearer.scope", "string", None),
    ("sasl.oauthbearer.scope.claim.name", "string", Some("scope")),
    ("sasl.oauthbearer.sub.claim.name", "string", Some("sub")),
    ("sasl.oauthbearer.token.endpoint.url", "string", None),
    ("security.protocol", "string", Some("PLAINTEXT")),
    ("security.providers", "string", None),
    ("send.buffer.bytes", "int", Some("131072")),
    ("socket.connection.setup.timeout.max.ms", "long", Some("30000")),
    ("socket.connection.setup.timeout.ms", "long", Some("10000")),
    ("ssl.cipher.suites", "list", Some("")),
    ("ssl.enabled.protocols", "list", Some("TLSv1.2,TLSv1.3")),
    ("ssl.endpoint.identification.algorithm", "string", Some("https")),
    ("ssl.engine.factory.class", "class", None),
    ("ssl.key.password", "password", None),
    ("ssl.keymanager.algorithm", "string", Some("SunX509")),
    ("ssl.keystore.certificate.chain", "password", None),
    ("ssl.keystore.key", "password", None),
    ("ssl.keystore.location", "string", None),
    ("ssl.keystore.password", "password", None),
    ("ssl.keystore.type", "string", Some("JKS")),
    ("ssl.protocol", "string", Some("TLSv1.3")),
    ("ssl.provider", "string", None),
    ("ssl.secure.random.implementation", "string", None),
    ("ssl.trustmanager.algorithm", "string", Some("PKIX")),
    ("ssl.truststore.certificates", "password", None),
    ("ssl.truststore.location", "string", None),
    ("ssl.truststore.password", "password", None),
    ("ssl.truststore.type", "string", Some("JKS")),
    ("transaction.timeout.ms", "int", Some("60000")),
    ("transaction.two.phase.commit.enable", "boolean", Some("false")),
    ("transactional.id", "string", None),
    ("value.serializer", "class", None),
];
