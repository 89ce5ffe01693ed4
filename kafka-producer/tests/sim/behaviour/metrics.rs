//! What is measured, in virtual time: the values are exact.

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_mock::FaultAction;
use kafka_protocol::ErrorCode;

use super::{MS, answer_by_hand, one_partition, produce, send_alone, warmed_up, written};
use crate::metrics::Metrics;
use crate::sim::{Settings, Simulation};

fn metrics(simulation: &Simulation) -> Metrics {
    simulation.sender.sensors().snapshot(simulation.now, simulation.accumulator.budget())
}

fn value(simulation: &Simulation, name: &str) -> f64 {
    let value = metrics(simulation).value("producer-metrics", name);
    value.unwrap_or_else(|| panic!("there is no {name}"))
}

fn of_orders(simulation: &Simulation, name: &str) -> Option<f64> {
    metrics(simulation).of_topic("orders", name)
}

/// Sends so many records of one batch, and waits until they have their outcome.
fn send_batch(simulation: &mut Simulation, records: usize) {
    for _ in 0..records {
        assert!(simulation.try_send("orders", Some(0), 100));
    }
    simulation.settle();
}

/// A network whose delay is known: 200 µs each way.
fn evenly(settings: Settings) -> Simulation {
    let mut simulation = Simulation::new(settings);
    simulation.network.latency_max = Duration::ZERO;
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation
}

#[test]
fn every_metric_of_kafka_is_there_under_its_name() {
    let simulation = warmed_up(one_partition());
    let metrics = metrics(&simulation);
    let named = |group| -> BTreeSet<&str> {
        metrics.iter().filter(|(name, _)| name.group == group).map(|(name, _)| name.name).collect()
    };
    let of_kafka = |lists: &[&'static str]| -> BTreeSet<&str> {
        lists.iter().flat_map(|names| names.split_whitespace()).collect()
    };
    assert_eq!(named("producer-metrics"), of_kafka(&[SENDER, MEMORY, CONNECTIONS]));
    assert_eq!(named("producer-node-metrics"), of_kafka(&[NODE]));
    assert_eq!(named("producer-topic-metrics"), of_kafka(&[TOPIC]));
    let count = metrics.value("kafka-metrics-count", "count");
    assert_eq!(count, Some(metrics.iter().len() as f64));
    for (name, _) in metrics.iter() {
        let tags: Vec<_> = name.tags().map(|(tag, _)| tag).collect();
        match name.group {
            "producer-node-metrics" => assert_eq!(tags, ["client-id", "node-id"]),
            "producer-topic-metrics" => assert_eq!(tags, ["client-id", "topic"]),
            _ => assert_eq!(tags, ["client-id"]),
        }
    }
}

#[test]
fn batches_and_requests_are_counted_when_they_are_sent() {
    let mut simulation = evenly(one_partition());
    assert_eq!(value(&simulation, "record-send-total"), 1.0);
    let (size, largest) =
        (value(&simulation, "batch-size-max"), value(&simulation, "record-size-max"));
    // A value of 100 bytes, and what is around it.
    assert_eq!(size, 61.0 + largest);
    assert!((100.0..120.0).contains(&largest), "{largest}");
    send_batch(&mut simulation, 5);
    assert_eq!(value(&simulation, "record-send-total"), 6.0);
    assert_eq!(value(&simulation, "records-per-request-avg"), 3.0);
    assert_eq!(value(&simulation, "record-send-rate"), 6.0 / seconds_of_rate(&simulation));
    assert_eq!(value(&simulation, "record-size-avg"), largest);
    assert_eq!(value(&simulation, "compression-rate-avg"), 1.0);
    let bytes = of_orders(&simulation, "byte-total").unwrap();
    assert_eq!(value(&simulation, "batch-size-avg"), bytes / 2.0);
    assert_eq!(of_orders(&simulation, "record-send-total"), Some(6.0));
    assert_eq!(of_orders(&simulation, "compression-rate"), Some(1.0));
    assert_eq!(of_orders(&simulation, "record-error-total"), Some(0.0));
}

/// One window of 30 s is not there yet, and the other began with the first batch.
fn seconds_of_rate(simulation: &Simulation) -> f64 {
    let topic = metrics(simulation).of_topic("orders", "record-send-rate").unwrap();
    let total = metrics(simulation).of_topic("orders", "record-send-total").unwrap();
    let seconds = total / topic;
    assert!((30.0..31.0).contains(&seconds), "{seconds}");
    seconds
}

#[test]
fn compression_is_told_by_its_ratio() {
    let compression: kafka_protocol::records::Compression = "lz4".parse().unwrap();
    let settings = Settings { compression: compression.into(), ..one_partition() };
    let mut simulation = warmed_up(settings);
    send_batch(&mut simulation, 8);
    let ratio = of_orders(&simulation, "compression-rate").unwrap();
    assert!((0.1..1.0).contains(&ratio), "{ratio}");
    assert_eq!(value(&simulation, "compression-rate-avg"), ratio);
}

#[test]
fn the_time_in_the_queue_and_the_time_to_the_answer_are_in_milliseconds() {
    let mut simulation = evenly(Settings { linger: MS * 20, ..one_partition() });
    simulation.run_for(MS * 60_000);
    send_batch(&mut simulation, 3);
    assert_eq!(value(&simulation, "record-queue-time-max"), 20.0);
    assert_eq!(value(&simulation, "record-queue-time-avg"), 20.0);
    assert_eq!(value(&simulation, "request-latency-max"), 0.4);
    simulation.cluster.add_fault(produce(FaultAction::Delay(MS * 50)));
    send_batch(&mut simulation, 3);
    assert_eq!(value(&simulation, "request-latency-max"), 50.4);
    let mean = value(&simulation, "request-latency-avg");
    assert!((mean - 25.4).abs() < 1e-9, "{mean}");
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    let node = metrics(&simulation).of_node(leader.0, "request-latency-max");
    assert_eq!(node, Some(50.4));
}

#[test]
fn what_was_measured_long_ago_counts_in_totals_alone() {
    let mut simulation = warmed_up(one_partition());
    simulation.run_for(MS * 60_000);
    assert!(value(&simulation, "record-queue-time-avg").is_nan());
    assert!(value(&simulation, "batch-size-max").is_nan());
    assert_eq!(value(&simulation, "record-send-rate"), 0.0);
    assert_eq!(value(&simulation, "record-send-total"), 1.0);
}

#[test]
fn records_that_are_tried_again_are_counted_one_by_one() {
    let mut simulation = warmed_up(one_partition());
    let error = FaultAction::Error(ErrorCode::NOT_ENOUGH_REPLICAS);
    simulation.cluster.add_fault(produce(error).times(2));
    send_batch(&mut simulation, 3);
    assert_eq!(value(&simulation, "record-retry-total"), 6.0);
    assert_eq!(of_orders(&simulation, "record-retry-total"), Some(6.0));
    // Each attempt is sent.
    assert_eq!(value(&simulation, "record-send-total"), 1.0 + 9.0);
    assert_eq!(value(&simulation, "record-error-total"), 0.0);
}

#[test]
fn records_that_fail_are_counted_however_they_fail() {
    let settings = Settings { delivery_timeout: Duration::from_secs(40), ..one_partition() };
    let mut simulation = warmed_up(settings);
    let error = FaultAction::Error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    simulation.cluster.add_fault(produce(error));
    send_batch(&mut simulation, 3);
    assert_eq!(value(&simulation, "record-error-total"), 3.0);
    // On the wire when its time is over.
    simulation.cluster.add_fault(produce(FaultAction::Swallow).always());
    send_batch(&mut simulation, 2);
    assert_eq!(value(&simulation, "record-error-total"), 5.0);
    assert_eq!(of_orders(&simulation, "record-error-total"), Some(5.0));
}

#[test]
fn a_split_is_counted_once_and_its_parts_are_sent() {
    let mut settings = Settings { batch_size: 4000, ..one_partition() };
    settings.cluster = settings.cluster.message_max_bytes(900);
    let mut simulation = warmed_up(settings);
    send_batch(&mut simulation, 10);
    let parts = simulation.cluster.records("orders", 0).unwrap().len();
    assert_eq!((parts, value(&simulation, "batch-split-total")), (11, 1.0));
    assert_eq!(value(&simulation, "record-send-total"), 1.0 + 10.0 + 10.0);
    assert_eq!(value(&simulation, "record-error-total"), 0.0);
}

#[test]
fn throttle_times_of_answers_have_a_mean_and_a_maximum() {
    let mut simulation = warmed_up(one_partition());
    assert_eq!(value(&simulation, "produce-throttle-time-max"), 0.0);
    simulation.run_for(MS * 60_000);
    answer_by_hand(&mut simulation);
    for (offset, throttle_ms) in [(1, 100), (2, 200), (3, 300)] {
        send_alone(&mut simulation, 0);
        simulation.answer_produce(None, &written(offset), Vec::new(), throttle_ms);
        simulation.run_for(MS * 1000);
    }
    assert_eq!(value(&simulation, "produce-throttle-time-avg"), 200.0);
    assert_eq!(value(&simulation, "produce-throttle-time-max"), 300.0);
    assert_eq!(simulation.finish().successes(), 4);
}

#[test]
fn a_topic_is_measured_from_its_first_batch_on_until_it_is_forgotten() {
    let mut simulation = Simulation::new(one_partition());
    while !simulation.try_send("orders", Some(0), 100) {
        simulation.step();
    }
    assert_eq!(of_orders(&simulation, "record-send-total"), None);
    simulation.settle();
    assert_eq!(of_orders(&simulation, "record-send-total"), Some(1.0));
    simulation.run_for(Duration::from_secs(1500));
    assert_eq!(of_orders(&simulation, "record-send-total"), None);
    assert_eq!(value(&simulation, "record-send-total"), 1.0);
}

#[test]
fn a_broker_is_measured_from_its_first_request_on_until_it_is_forgotten() {
    let mut simulation = Simulation::new(one_partition());
    simulation.send("orders", 0, 100);
    let nodes = |simulation: &Simulation| -> BTreeSet<String> {
        let metrics = metrics(simulation);
        let tags = metrics.iter().flat_map(|(name, _)| name.tags());
        let nodes = tags.filter(|(tag, _)| *tag == "node-id").map(|(_, node)| node.to_owned());
        nodes.collect()
    };
    // The servers to begin with are forgotten with the first metadata.
    simulation.settle();
    let leader = simulation.cluster.leader("orders", 0).unwrap();
    assert!(nodes(&simulation).contains(&format!("node-{}", leader.0)), "{:?}", nodes(&simulation));
    assert!(nodes(&simulation).iter().all(|node| !node.contains("--")), "{:?}", nodes(&simulation));
    let of_leader = |name| metrics(&simulation).of_node(leader.0, name);
    assert_eq!(of_leader("request-total"), of_leader("response-total"));
    assert!(of_leader("outgoing-byte-total") > Some(100.0));
    simulation.sender.begin_anew(simulation.now);
    simulation.run_for(MS * 1000);
    assert!(metrics(&simulation).of_node(-3, "request-total").is_none());
}

#[test]
fn connections_and_bytes_are_counted_where_they_come_and_go() {
    let mut simulation = warmed_up(one_partition());
    let open = value(&simulation, "connection-count");
    assert_eq!(
        open,
        value(&simulation, "connection-creation-total")
            - value(&simulation, "connection-close-total")
    );
    assert!(open >= 1.0);
    let requests = value(&simulation, "request-total");
    assert_eq!(requests, value(&simulation, "response-total"));
    assert_eq!(requests * 2.0, value(&simulation, "network-io-total"));
    assert!(value(&simulation, "outgoing-byte-total") > requests);
    let mean = value(&simulation, "outgoing-byte-total") / requests;
    assert_eq!(value(&simulation, "request-size-avg"), mean);
    for broker in simulation.cluster.brokers() {
        simulation.network.cut(simulation.now, broker, &mut simulation.cluster);
    }
    simulation.network.down = simulation.cluster.brokers();
    simulation.run_for(MS * 100);
    assert_eq!(value(&simulation, "connection-count"), 0.0);
}

#[test]
fn gauges_tell_how_it_is_now() {
    let mut simulation = Simulation::new(one_partition());
    simulation.step();
    assert!(value(&simulation, "metadata-age").is_nan());
    simulation.send("orders", 0, 100);
    simulation.settle();
    simulation.run_for(Duration::from_secs(10));
    let age = value(&simulation, "metadata-age");
    assert!((9.0..12.0).contains(&age), "{age}");
    assert_eq!(value(&simulation, "requests-in-flight"), 0.0);
    let total = simulation.settings.buffer_memory as f64;
    let free = value(&simulation, "buffer-available-bytes");
    assert_eq!(value(&simulation, "buffer-total-bytes"), total);
    simulation.cluster.add_fault(produce(FaultAction::Hold));
    simulation.send("orders", 0, 100);
    simulation.run_for(MS * 100);
    assert_eq!(value(&simulation, "requests-in-flight"), 1.0);
    assert!(value(&simulation, "buffer-available-bytes") < free);
    let budget = simulation.accumulator.budget().clone();
    let waiting = budget.acquire(budget.total());
    assert_eq!(value(&simulation, "waiting-threads"), 1.0);
    drop(waiting);
    simulation.cluster.release(simulation.now, None);
    simulation.settle();
    simulation.run_for(MS * 100);
    assert_eq!(value(&simulation, "requests-in-flight"), 0.0);
    assert_eq!(value(&simulation, "waiting-threads"), 0.0);
    assert_eq!(value(&simulation, "buffer-available-bytes"), free);
}

#[test]
fn a_person_reads_a_table_and_what_was_not_measured_is_a_dash() {
    let simulation = evenly(one_partition());
    let table = metrics(&simulation).to_string();
    assert!(table.starts_with("producer-metrics\n  batch-size-avg "), "{table}");
    let line = |name: &str| {
        let line = table.lines().find(|line| line.trim_start().starts_with(name));
        line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    assert_eq!(line("record-send-total").unwrap(), "record-send-total 1");
    assert_eq!(line("request-latency-max").unwrap(), "request-latency-max 0.400");
    assert_eq!(line("io-time-ns-avg").unwrap(), "io-time-ns-avg -");
    assert!(table.contains("\nproducer-topic-metrics topic=orders\n  byte-rate "), "{table}");
    let metrics = metrics(&simulation);
    let (name, _) =
        metrics.iter().find(|(name, _)| name.group == "producer-topic-metrics").unwrap();
    let expected = "producer-topic-metrics:byte-rate{client-id=simulation,topic=orders}";
    assert_eq!(name.to_string(), expected);
}

/// `SenderMetricsRegistry` and `KafkaProducerMetrics`.
const SENDER: &str = "
    batch-size-avg batch-size-max compression-rate-avg record-queue-time-avg record-queue-time-max
    request-latency-avg request-latency-max record-send-rate record-send-total
    records-per-request-avg record-retry-rate record-retry-total record-error-rate record-error-total
    record-size-avg record-size-max requests-in-flight metadata-age batch-split-rate
    batch-split-total produce-throttle-time-avg produce-throttle-time-max flush-time-ns-total
    metadata-wait-time-ns-total";
/// `RecordAccumulator` and `BufferPool`.
const MEMORY: &str = "
    waiting-threads buffer-total-bytes buffer-available-bytes bufferpool-wait-ratio
    bufferpool-wait-time-ns-total buffer-exhausted-rate buffer-exhausted-total";
/// `Selector`, without those of authentication.
const CONNECTIONS: &str = "
    connection-close-rate connection-close-total connection-creation-rate connection-creation-total
    connection-count network-io-rate network-io-total outgoing-byte-rate outgoing-byte-total
    incoming-byte-rate incoming-byte-total request-rate request-total request-size-avg
    request-size-max response-rate response-total select-rate select-total io-wait-time-ns-avg
    io-wait-time-ns-total io-wait-ratio io-time-ns-avg io-time-ns-total io-ratio";
const NODE: &str = "
    request-rate request-total request-size-avg request-size-max outgoing-byte-rate
    outgoing-byte-total response-rate response-total incoming-byte-rate incoming-byte-total
    request-latency-avg request-latency-max";
const TOPIC: &str = "
    record-send-rate record-send-total byte-rate byte-total compression-rate record-retry-rate
    record-retry-total record-error-rate record-error-total";
