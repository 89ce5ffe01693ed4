//! Which partition a key is for.

use std::collections::BTreeMap;
use std::time::Duration;

use fastrand::Rng;

use crate::check::check;
use crate::record::{OwnedRecord, send};
use crate::{peer, producer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka: cargo xtask interop"]
async fn keys_land_where_javas_producer_puts_them() {
    let mut rng = Rng::with_seed(6);
    let mut keys: Vec<Vec<u8>> = (0..KEYS - 2)
        .map(|_| {
            let len = rng.usize(1..40);
            std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
        })
        .collect();
    keys.extend([Vec::new(), "schlüssel-鍵".into()]);
    let producer = producer(&[("linger.ms", "5")]);
    let mut ours_used = 0;
    for partitions in 1..=PARTITIONS_MAX {
        let (java, ours) = (format!("keys-java-{partitions}"), format!("keys-{partitions}"));
        let records = |topic: &str| -> Vec<OwnedRecord> {
            let record = |key: &Vec<u8>| OwnedRecord {
                topic: topic.to_owned(),
                key: Some(key.clone()),
                ..Default::default()
            };
            keys.iter().map(record).collect()
        };
        peer::create(&java, partitions, 1, &[]);
        peer::create(&ours, partitions, 1, &[]);
        let by_java: BTreeMap<Vec<u8>, i32> = peer::send("", records(&java))
            .into_iter()
            .map(|sent| (sent.record.key.unwrap_or_default(), sent.partition))
            .collect();
        let sent = send(&producer, records(&ours)).await;
        let log = peer::dump(sent.len(), &[&ours]);
        check(&sent, &log);
        for record in &log {
            let key = record.key.clone().unwrap_or_default();
            let java = by_java[&key];
            assert_eq!(record.partition, java, "key {key:02x?} of {partitions} partitions");
        }
        let used = log.iter().map(|record| record.partition).max().map_or(0, |last| last + 1);
        assert_eq!(used, partitions);
        ours_used += used;
    }
    producer.close(Duration::from_secs(30)).await.expect("everything is delivered");
    println!(
        "{KEYS} keys in topics of 1 to {PARTITIONS_MAX} partitions ({ours_used} in all) are where \
         Java's producer puts them"
    );
}

const KEYS: usize = 3000;
const PARTITIONS_MAX: i32 = 13;
