//! What was sent against what Java read.

use std::collections::BTreeMap;

use crate::record::{LogRecord, Sent};

/// The log has what was sent, all of it and nothing else: in each partition the same records in the
/// same order, where the deliveries said. Gives the number of records.
///
/// The records of a partition must have been sent one after the other, to topics that were empty.
pub(crate) fn check(sent: &[Sent], log: &[LogRecord]) -> usize {
    let mut partitions: BTreeMap<_, (Vec<&Sent>, Vec<&LogRecord>)> = BTreeMap::new();
    for sent in sent {
        partitions.entry((&*sent.record.topic, sent.partition)).or_default().0.push(sent);
    }
    for record in log {
        partitions.entry((&*record.topic, record.partition)).or_default().1.push(record);
    }
    for ((topic, partition), (sent, log)) in partitions {
        for (index, (sent, log)) in (0..).zip(sent.iter().zip(&log)) {
            check_record(sent, log, index);
        }
        let (sent, log) = (sent.len(), log.len());
        assert_eq!(sent, log, "{topic}-{partition}: {sent} records were sent, {log} are there");
    }
    log.len()
}

fn check_record(sent: &Sent, log: &LogRecord, index: i64) {
    let record = &sent.record;
    let place = format!("{}-{}@{}", log.topic, log.partition, log.offset);
    assert_eq!(log.offset, index, "{place}: offset");
    assert_eq!(log.key, record.key, "{place}: key");
    // Not by assert_eq: a megabyte on the screen helps nobody.
    if log.value != record.value {
        let len = |value: &Option<Vec<u8>>| value.as_ref().map(Vec::len);
        let (sent, read) = (len(&record.value), len(&log.value));
        panic!("{place}: value: sent {sent:?} bytes, read {read:?}");
    }
    assert_eq!(log.headers, record.headers, "{place}: headers");
    assert_eq!(log.timestamp, sent.timestamp, "{place}: timestamp");
    if log.timestamp_type == "CreateTime" {
        assert_eq!(record.timestamp.unwrap_or(sent.timestamp), log.timestamp, "{place}: timestamp");
    }
    assert_eq!(sent.offset.unwrap_or(index), index, "{place}: the delivery's offset");
    assert_eq!(record.partition.unwrap_or(sent.partition), log.partition, "{place}: partition");
}

/// The check itself finds what it is for.
#[test]
fn lost_doubled_or_changed_records_are_found() {
    use crate::record::OwnedRecord;
    let sent = |offset| {
        let record = OwnedRecord { value: Some(vec![offset as u8]), ..OwnedRecord::default() };
        Sent { record, partition: 0, offset: Some(offset), timestamp: 7 }
    };
    let line = |offset: u8| format!(" 0 {offset} 7 CreateTime null 1:{offset:02x} -");
    let log = |offsets: &[u8]| -> Vec<LogRecord> {
        offsets.iter().map(|offset| LogRecord::parse(&line(*offset))).collect()
    };
    let sent = [sent(0), sent(1), sent(2)];
    assert_eq!(check(&sent, &log(&[0, 1, 2])), 3);
    for wrong in [&[0, 1][..], &[0, 2], &[0, 1, 1, 2], &[0, 2, 1], &[0, 1, 2, 3]] {
        let log = log(wrong);
        let check = std::panic::AssertUnwindSafe(|| check(&sent, &log));
        assert!(std::panic::catch_unwind(check).is_err(), "{wrong:?}");
    }
}
