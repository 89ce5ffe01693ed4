//! What is in the batches that we write.

use kafka_protocol::records::ControlRecordType;

use crate::batch_text::OwnedRecord;

/// 2025-01-01T12:00:00Z in milliseconds.
pub(crate) const NOON: i64 = 1_735_732_800_000;
const DAY: i64 = 86_400_000;

/// The contents that every codec and level gets.
pub(crate) const NAMES: [&str; 3] = ["single", "mixed", "large"];

pub(crate) fn records(content: &str) -> Vec<OwnedRecord> {
    match content {
        "single" => few().into_iter().take(1).collect(),
        "mixed" => mixed(),
        _ => large(),
    }
}

/// Some records, among them a null key and a null value.
pub(crate) fn few() -> Vec<OwnedRecord> {
    vec![
        record(NOON, Some(b"a"), Some(b"first"), &[("trace", Some(b"1"))]),
        record(NOON + 1, None, Some(b"second"), &[]),
        record(NOON + 70, Some(b"c"), None, &[]),
        record(NOON - 3, Some(b"d"), Some(b"fourth"), &[]),
    ]
}

/// Every absent and empty part, lengths on both sides of a longer varint, timestamps far apart.
fn mixed() -> Vec<OwnedRecord> {
    let mut records = vec![
        record(NOON, None, None, &[]),
        record(NOON, Some(b""), Some(b""), &[("", Some(b"")), ("", None)]),
        record(NOON, Some(b"k"), None, &[("a", Some(b"1")), ("b", None), ("a", Some(b"1"))]),
        record(NOON, None, Some(b"v"), &[("\u{fc}ber", Some(b"\xff")), ("\u{1fab2}", None)]),
        record(NOON, Some(b"k"), Some(b"v"), &[("h", Some(&[7; 300]))]),
    ];
    for apart in [1, -1, 63, 64, -64, -65, 8_191, 8_192, 30 * DAY, -30 * DAY, 4_000 * DAY, -NOON] {
        records.push(record(NOON + apart, Some(b"k"), Some(b"v"), &[]));
    }
    for len in [62, 63, 64, 65, 126, 127, 128, 8_191, 8_192, 20_000] {
        let bytes = counted(len);
        records.push(record(NOON, Some(&bytes), None, &[]));
        records.push(record(NOON, None, Some(&bytes), &[]));
    }
    let headers: Vec<(String, Option<Vec<u8>>)> =
        (0..200).map(|n| (format!("h{n}"), (n % 3 > 0).then(|| counted(n)))).collect();
    records.push(OwnedRecord { timestamp: NOON, key: None, value: None, headers });
    records
}

/// Several blocks of every codec: text that compresses, noise that does not, one record of its own size.
fn large() -> Vec<OwnedRecord> {
    let mut records: Vec<OwnedRecord> = (0..1_000)
        .map(|n: i64| {
            let value =
                format!("record {n} says {} and {}", n * n, "again ".repeat(n as usize % 9));
            record(NOON + n, Some(format!("key-{n}").as_bytes()), Some(value.as_bytes()), &[])
        })
        .collect();
    records.push(record(NOON, Some(b"noise"), Some(&noise(100_000)), &[]));
    records.push(record(NOON, Some(&noise(70_000)), Some(&[b'x'; 200_000]), &[]));
    records
}

/// A transaction marker: version and type; version and epoch of the coordinator.
pub(crate) fn end_txn(kind: ControlRecordType, epoch: i32) -> Vec<OwnedRecord> {
    let value = [&[0, 0][..], &epoch.to_be_bytes()].concat();
    vec![record(NOON, Some(&kind.to_key()), Some(&value), &[])]
}

fn record(
    timestamp: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
    headers: &[(&str, Option<&[u8]>)],
) -> OwnedRecord {
    let own = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    let headers = headers.iter().map(|(key, value)| ((*key).to_owned(), own(*value))).collect();
    OwnedRecord { timestamp, key: own(key), value: own(value), headers }
}

/// 0, 1, 2 and so on, so that a byte lost or moved shows.
fn counted(len: usize) -> Vec<u8> {
    (0..len).map(|n| n as u8).collect()
}

/// Bytes without a pattern, the same each time.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(|_| byte()).collect()
}
