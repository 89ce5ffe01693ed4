//! What values come to, and that text and typed methods agree.

use std::time::Duration;

use kafka_net::{ConnectionPolicy, ExponentialBackoff};

use super::super::{
    Acks, Compression, CompressionOptions, MetadataRecovery, ProducerBuilder, ProducerConfig,
};
use super::{builder, config};

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Everything but the client id, which is counted.
fn shown(mut config: ProducerConfig) -> String {
    config.client_id.clear();
    format!("{config:#?}")
}

#[test]
fn without_settings_all_is_as_in_kafka() {
    let expected = ProducerConfig {
        bootstrap_servers: vec!["kafka:9092".parse().unwrap()],
        client_id: String::new(),
        acks: Acks::All,
        batch_size: 16_384,
        linger: millis(5),
        buffer_memory: 33_554_432,
        max_request_size: 1_048_576,
        max_block: millis(60_000),
        delivery_timeout: millis(120_000),
        request_timeout: millis(30_000),
        retries: 2_147_483_647,
        retry_backoff: ExponentialBackoff::new(millis(100), millis(1000)),
        max_in_flight: 5,
        enable_idempotence: true,
        compression: CompressionOptions::from(Compression::None),
        metadata_max_age: millis(300_000),
        metadata_max_idle: millis(300_000),
        metadata_recovery: MetadataRecovery::Rebootstrap { trigger: millis(300_000) },
        cluster_check: true,
        connection: ConnectionPolicy::default(),
        send_buffer: None,
        receive_buffer: None,
        adaptive_partitioning: true,
        partitioner_ignore_keys: false,
        metrics_samples: 2,
        metrics_sample_window: millis(30_000),
        partitioner_availability_timeout: None,
        partitioner_rack: None,
        seed: None,
    };
    assert_eq!(shown(config(&[])), shown(expected));
}

/// A typed setting, the same as text, and what to look at.
type Case = (ProducerBuilder, &'static [(&'static str, &'static str)], fn(&ProducerConfig) -> bool);

#[test]
fn typed_methods_and_text_come_to_the_same() {
    for (typed, text, is_expected) in
        delivery_cases().into_iter().chain(connection_cases()).chain(batch_cases())
    {
        let (typed, text_config) = (typed.config().unwrap(), config(text));
        assert!(is_expected(&text_config), "{text:?}");
        assert_eq!(shown(typed), shown(text_config), "{text:?}");
    }
}

#[test]
fn a_codec_has_its_level() {
    let levels = [
        (Compression::Gzip, "compression.gzip.level", 9),
        (Compression::Lz4, "compression.lz4.level", 9),
        (Compression::Zstd, "compression.zstd.level", -5),
    ];
    for (codec, property, level) in levels.into_iter().filter(|(codec, ..)| codec.is_enabled()) {
        let expected = codec.with_level(level).unwrap();
        let text = config(&[("compression.type", codec.name()), (property, &level.to_string())]);
        assert_eq!(text.compression, expected);
        assert_eq!(builder(&[]).compression(expected).config().unwrap().compression, expected);
        // The level of another codec says nothing.
        assert_eq!(config(&[(property, "1")]).compression, Compression::None.into());
        let default = builder(&[(property, "1")]).compression(codec).config().unwrap();
        assert_eq!(default.compression, codec.into(), "the last setting wins");
    }
}

#[test]
fn the_last_setting_of_a_name_wins_even_over_a_wrong_one() {
    let twice = builder(&[("linger.ms", "abc"), ("linger.ms", "7")]);
    assert_eq!(twice.clone().config().unwrap().linger, millis(7));
    assert_eq!(twice.linger(millis(8)).config().unwrap().linger, millis(8));
}

#[test]
fn clients_without_a_name_are_counted() {
    let number = |config: ProducerConfig| -> u64 {
        config.client_id.strip_prefix("producer-").unwrap().parse().unwrap()
    };
    let first = number(config(&[]));
    assert!(first >= 1);
    assert!(number(config(&[])) > first);
    assert_eq!(config(&[("client.id", "")]).client_id, "");
    assert_eq!(builder(&[]).client_id("x").config().unwrap().client_id, "x");
    assert_eq!(config(&[("client.id", " a b\t")]).client_id, "a b");
}

#[test]
fn a_seed_is_kept() {
    assert_eq!(builder(&[]).seed(7).config().unwrap().seed, Some(7));
}

/// Who is asked, how often, how long.
fn delivery_cases() -> Vec<Case> {
    let new = || builder(&[]);
    vec![
        (new().bootstrap_servers("a:1, b:2"), &[("bootstrap.servers", "a:1,b:2")], |c| {
            c.bootstrap_servers.len() == 2 && c.bootstrap_servers[1].port() == 2
        }),
        (new().client_id("x"), &[("client.id", " x ")], |c| c.client_id == "x"),
        (new().acks(Acks::None), &[("acks", "0")], |c| c.acks == Acks::None),
        (new().acks(Acks::Leader), &[("acks", "1")], |c| c.acks.as_i16() == 1),
        (new().acks(Acks::All), &[("acks", "all")], |c| c.acks.as_i16() == -1),
        (new().acks(Acks::All), &[("acks", "-1")], |c| c.acks == Acks::All),
        (new().enable_idempotence(false), &[("enable.idempotence", "False")], |c| {
            !c.enable_idempotence
        }),
        (new().retries(7), &[("retries", "7")], |c| c.retries == 7),
        (
            new().max_in_flight_requests_per_connection(1),
            &[("max.in.flight.requests.per.connection", "1")],
            |c| c.max_in_flight == 1,
        ),
        (new().delivery_timeout(millis(70_000)), &[("delivery.timeout.ms", "70000")], |c| {
            c.delivery_timeout == millis(70_000)
        }),
        (new().request_timeout(millis(6)), &[("request.timeout.ms", "6")], |c| {
            c.request_timeout == millis(6)
        }),
        (new().retry_backoff(millis(7)), &[("retry.backoff.ms", "7")], |c| {
            c.retry_backoff == ExponentialBackoff::new(millis(7), millis(1000))
        }),
        (new().retry_backoff_max(millis(700)), &[("retry.backoff.max.ms", "700")], |c| {
            c.retry_backoff == ExponentialBackoff::new(millis(100), millis(700))
        }),
    ]
}

/// What is collected, and how much of it.
fn batch_cases() -> Vec<Case> {
    let new = || builder(&[]);
    vec![
        (new().batch_size(9), &[("batch.size", "+9")], |c| c.batch_size == 9),
        (new().batch_size(0), &[("batch.size", "0")], |c| c.batch_size == 1),
        (new().linger(millis(9)), &[("linger.ms", "9")], |c| c.linger == millis(9)),
        (new().linger(Duration::from_micros(1)), &[("linger.ms", "1")], |c| c.linger == millis(1)),
        (new().linger(Duration::ZERO), &[("linger.ms", "0")], |c| c.linger.is_zero()),
        (new().buffer_memory(9), &[("buffer.memory", "9")], |c| c.buffer_memory == 9),
        (new().max_request_size(9), &[("max.request.size", "9")], |c| c.max_request_size == 9),
        (new().max_block(millis(9)), &[("max.block.ms", "9")], |c| c.max_block == millis(9)),
        (
            new().partitioner_availability_timeout(millis(9)),
            &[("partitioner.availability.timeout.ms", "9")],
            |c| c.partitioner_availability_timeout == Some(millis(9)),
        ),
        (
            new().partitioner_rack(Some("b")),
            &[("partitioner.rack.aware", "true"), ("client.rack", "b")],
            |c| c.partitioner_rack.as_deref() == Some("b"),
        ),
        (new().partitioner_rack(None), &[("client.rack", "b")], |c| c.partitioner_rack.is_none()),
        (
            new().partitioner_adaptive_partitioning_enable(false),
            &[
                ("partitioner.adaptive.partitioning.enable", "false"),
                ("partitioner.availability.timeout.ms", "9"),
            ],
            |c| c.partitioner_availability_timeout.is_none(),
        ),
    ]
}

/// What is known of the cluster, and how it is reached.
fn connection_cases() -> Vec<Case> {
    let new = || builder(&[]);
    vec![
        (new().metadata_max_age(millis(9)), &[("metadata.max.age.ms", "9")], |c| {
            c.metadata_max_age == millis(9)
        }),
        (new().metadata_max_idle(millis(5000)), &[("metadata.max.idle.ms", "5000")], |c| {
            c.metadata_max_idle == millis(5000)
        }),
        (new().metrics_num_samples(3), &[("metrics.num.samples", "3")], |c| c.metrics_samples == 3),
        (new().metrics_sample_window(millis(9)), &[("metrics.sample.window.ms", "9")], |c| {
            c.metrics_sample_window == millis(9)
        }),
        (
            new().metadata_cluster_check_enable(false),
            &[("metadata.cluster.check.enable", "false")],
            |c| !c.cluster_check,
        ),
        (
            new().metadata_recovery(MetadataRecovery::Rebootstrap { trigger: millis(9) }),
            &[
                ("metadata.recovery.strategy", "ReBootstrap"),
                ("metadata.recovery.rebootstrap.trigger.ms", "9"),
            ],
            |c| c.metadata_recovery == MetadataRecovery::Rebootstrap { trigger: millis(9) },
        ),
        (
            new().metadata_recovery(MetadataRecovery::None),
            &[("metadata.recovery.strategy", "NONE")],
            |c| c.metadata_recovery == MetadataRecovery::None && !c.cluster_check,
        ),
        (
            new().reconnect_backoff(millis(9)).reconnect_backoff_max(millis(99)),
            &[("reconnect.backoff.ms", "9"), ("reconnect.backoff.max.ms", "99")],
            |c| c.connection.reconnect_backoff == ExponentialBackoff::new(millis(9), millis(99)),
        ),
        (
            new()
                .socket_connection_setup_timeout(millis(9))
                .socket_connection_setup_timeout_max(millis(99)),
            &[
                ("socket.connection.setup.timeout.ms", "9"),
                ("socket.connection.setup.timeout.max.ms", "99"),
            ],
            |c| c.connection.setup_timeout == ExponentialBackoff::new(millis(9), millis(99)),
        ),
        (new().connections_max_idle(Some(millis(9))), &[("connections.max.idle.ms", "9")], |c| {
            c.connection.idle_max == Some(millis(9))
        }),
        (new().connections_max_idle(None), &[("connections.max.idle.ms", "-1")], |c| {
            c.connection.idle_max.is_none()
        }),
        (new().send_buffer_bytes(Some(9)), &[("send.buffer.bytes", "9")], |c| {
            c.send_buffer == Some(9) && c.receive_buffer.is_none()
        }),
        (new().receive_buffer_bytes(Some(9)), &[("receive.buffer.bytes", "9")], |c| {
            c.receive_buffer == Some(9) && c.send_buffer.is_none()
        }),
        (
            new().partitioner_adaptive_partitioning_enable(false),
            &[("partitioner.adaptive.partitioning.enable", "FALSE")],
            |c| !c.adaptive_partitioning,
        ),
        (new().partitioner_ignore_keys(true), &[("partitioner.ignore.keys", "true")], |c| {
            c.partitioner_ignore_keys
        }),
        (new().compression(Compression::None), &[("compression.type", "none")], |c| {
            c.compression == CompressionOptions::default()
        }),
    ]
}
