//! Brokers that die while we send.

use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::check::check;
use crate::record::{OwnedRecord, Sent};
use crate::{peer, producer, variable};

/// Two of three brokers are killed one after the other without warning, and come back with what they
/// had on disk, while an idempotent producer sends a thousand records a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn killed_brokers_lose_and_double_nothing() {
    peer::create("restart", PARTITIONS, 3, &["min.insync.replicas=2"]);
    let producer = producer(&[("linger.ms", "5")]);
    let restarts = tokio::task::spawn_blocking(|| {
        for broker in ["1", "2"] {
            let restart = Command::new(variable("XTASK"))
                .args(["kafka", "restart", broker, "--name", &variable("CLUSTER")])
                .output()
                .expect("xtask runs");
            assert!(restart.status.success(), "{}", String::from_utf8_lossy(&restart.stderr));
        }
    });
    let begin = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut deliveries = Vec::new();
    let mut number = 0_u32;
    // Some go out before the first broker dies, some after the last one is back.
    while !restarts.is_finished() || number % 5000 != 0 || number == 0 {
        ticks.tick().await;
        for _ in 0..10 {
            let record = OwnedRecord {
                topic: "restart".into(),
                partition: Some(number as i32 % PARTITIONS),
                value: Some(number.to_be_bytes().to_vec()),
                ..Default::default()
            };
            deliveries.push((record.send(&producer).await, record));
            number += 1;
        }
    }
    restarts.await.expect("both brokers are back");
    producer.flush().await.expect("a producer that lives");
    let time = begin.elapsed().as_secs_f64();
    let mut sent = Vec::new();
    for (delivery, record) in deliveries {
        sent.push(Sent::new(record, delivery).await);
    }
    producer.close(Duration::from_secs(30)).await.expect("everything is delivered");
    let without_offset = sent.iter().filter(|sent| sent.offset.is_none()).count();
    let count = check(&sent, &peer::dump(sent.len(), &["restart"]));
    println!(
        "{count} records in {time:.1} s over the deaths of 2 of 3 brokers: none lost, none twice, \
         all in order ({without_offset} with an unknown offset)"
    );
}

const PARTITIONS: i32 = 6;
