//! What is in the records, in every form that a batch can have.

use fastrand::Rng;

use crate::check::check;
use crate::record::{OwnedRecord, send};
use crate::{peer, producer};

/// The tests' own eyes first: Java's producer and consumer agree, as we write and read their lines.
#[test]
#[ignore = "needs Kafka: cargo xtask interop"]
fn what_javas_own_producer_sent_is_read() {
    let mut rng = Rng::with_seed(1);
    peer::create("java", 3, 1, &[]);
    let records = (0..300).map(|_| OwnedRecord::varied("java", 3, &mut rng)).collect();
    let sent = peer::send("compression.type=zstd linger.ms=5", records);
    let count = check(&sent, &peer::dump(sent.len(), &["java"]));
    println!("{count} records of Java's own producer are read as it says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn every_codec_with_every_acks() {
    let mut rng = Rng::with_seed(2);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let (mut count, mut batches) = (0, 0);
        for acks in ["all", "1", "0"] {
            let topic = format!("codec-{codec}-{acks}");
            peer::create(&topic, 3, 2, &[]);
            let producer =
                producer(&[("compression.type", codec), ("acks", acks), ("linger.ms", "5")]);
            let records = (0..1000).map(|_| OwnedRecord::varied(&topic, 3, &mut rng)).collect();
            let sent = send(&producer, records).await;
            producer.close(CLOSE_TIME).await.expect("everything is delivered");
            assert!(sent.iter().all(|sent| sent.offset.is_none() == (acks == "0")));
            count += check(&sent, &peer::dump(sent.len(), &[&topic]));
            let of_codec = peer::batches(&topic);
            assert_eq!(of_codec.keys().collect::<Vec<_>>(), [codec], "batches of {topic}");
            batches += of_codec[codec];
        }
        println!(
            "{codec}: {count} records of all kinds with acks=all, 1 and 0 ({batches} batches)"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn every_size() {
    let mut rng = Rng::with_seed(3);
    let sizes =
        [1, 10, 100, 1000, 10_000, 16_384, 16_385, 32_768, 65_536, 131_072, 500_000, 900_000];
    peer::create("sizes", 2, 3, &[]);
    let (mut sent, mut bytes) = (Vec::new(), 0);
    for codec in ["none", "lz4"] {
        let records = sizes.iter().map(|size| {
            bytes += size;
            let value = std::iter::repeat_with(|| rng.u8(..)).take(*size).collect();
            let partition = Some(i32::from(codec != "none"));
            OwnedRecord {
                topic: "sizes".into(),
                partition,
                value: Some(value),
                ..Default::default()
            }
        });
        let records = records.collect();
        let producer = producer(&[("compression.type", codec), ("linger.ms", "5")]);
        sent.extend(send(&producer, records).await);
        producer.close(CLOSE_TIME).await.expect("everything is delivered");
    }
    let count = check(&sent, &peer::dump(sent.len(), &["sizes"]));
    println!("{count} records of 1 to 900000 bytes, {bytes} bytes in all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn two_hundred_topics_and_some_that_come_into_being() {
    let mut rng = Rng::with_seed(4);
    let topics: Vec<String> = (0..210).map(|number| format!("many-{number}")).collect();
    let (made, automatic) = topics.split_at(200);
    for topic in made {
        peer::create(topic, 1, 1, &[]);
    }
    let records = (0..4000).map(|number| {
        let topic = if number < 3900 {
            &made[number % made.len()]
        } else {
            &automatic[number % automatic.len()]
        };
        OwnedRecord::varied(topic, 1, &mut rng)
    });
    let records = records.collect();
    let producer = producer(&[("linger.ms", "5")]);
    let sent = send(&producer, records).await;
    producer.close(CLOSE_TIME).await.expect("everything is delivered");
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let count = check(&sent, &peer::dump(sent.len(), &names));
    println!("{count} records in {} topics, {} of which did not exist", 210, automatic.len());
}

/// A broker that hears late of a topic refuses the first batches, and takes those that are behind
/// them on the wire: to a producer it does not know any sequence is the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn order_holds_in_topics_that_are_new() {
    let mut count = 0;
    let producer = producer(&[("linger.ms", "0")]);
    for number in 0..NEW_TOPICS {
        let topic = format!("new-{number}");
        peer::create_without_waiting(&topic, 6, 1, &[]);
        let record = |number: i32| OwnedRecord {
            topic: topic.clone(),
            partition: Some(number % 6),
            value: Some(number.to_be_bytes().to_vec()),
            ..OwnedRecord::default()
        };
        let sent = send(&producer, (0..3000).map(record).collect()).await;
        count += check(&sent, &peer::dump(sent.len(), &[&topic]));
    }
    producer.close(CLOSE_TIME).await.expect("everything is delivered");
    println!("{count} records in {NEW_TOPICS} topics that were new to the brokers: all in order");
}

/// The broker's time is what the delivery says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn time_of_the_broker() {
    let mut rng = Rng::with_seed(5);
    peer::create("append-time", 1, 1, &["message.timestamp.type=LogAppendTime"]);
    let records = (0..100).map(|_| OwnedRecord::varied("append-time", 1, &mut rng)).collect();
    let producer = producer(&[("linger.ms", "5")]);
    let sent = send(&producer, records).await;
    producer.close(CLOSE_TIME).await.expect("everything is delivered");
    let log = peer::dump(sent.len(), &["append-time"]);
    assert!(log.iter().all(|record| record.timestamp_type == "LogAppendTime"));
    let count = check(&sent, &log);
    println!("{count} records with the time of the broker");
}

const NEW_TOPICS: usize = 10;
const CLOSE_TIME: std::time::Duration = std::time::Duration::from_secs(30);
