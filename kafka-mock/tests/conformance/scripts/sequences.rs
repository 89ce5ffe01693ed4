//! Idempotence: what a partition knows of its producers.

use super::{Script, USUAL, produce_to, send};
use crate::batches::batch;
use crate::session::{Session, Topic};

pub(super) const SCRIPTS: [Script; 6] = [
    ("in-order", in_order),
    ("duplicates", duplicates),
    ("out-of-order", out_of_order),
    ("producer-epochs", producer_epochs),
    ("unknown-producers", unknown_producers),
    ("wrapping-sequences", wrapping_sequences),
];

/// Sends a batch of a producer; its values are its sequences.
fn send_from(
    session: &mut Session<'_>,
    topic: &Topic,
    (id, epoch): (i64, i16),
    first: i32,
    count: i32,
) {
    let values: Vec<String> = (0..count).map(|n| first.wrapping_add(n).to_string()).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let records = batch(&values).producer(id, epoch, first).records();
    let id = session.names.producer(id);
    let records_word = if count == 1 { "record" } else { "records" };
    let label = format!("{id}/{epoch} #{first}, {count} {records_word}");
    send(session, &label, topic, records);
}

fn in_order(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1, 1]);
    let (first, second) = (session.producer_id(), session.producer_id());
    for sequence in 0..3 {
        send_from(session, &topic, (first, 0), sequence * 2, 2);
        send_from(session, &topic, (second, 0), sequence, 1);
    }
    let records = batch(&["other partition"]).producer(first, 0, 0).records();
    let request = produce_to(&topic, 1, records, USUAL);
    session.step(1, USUAL, "P1/0 #0 in another partition", &request);
    send(session, "no producer between them", &topic, batch(&["x"]).records());
    send_from(session, &topic, (first, 0), 6, 1);
    session.log(&topic);
    session.log_of(&topic, 1, 1);
}

fn duplicates(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let id = session.producer_id();
    for sequence in 0..7 {
        send_from(session, &topic, (id, 0), sequence * 2, 2);
    }
    for sequence in (0..7).rev() {
        send_from(session, &topic, (id, 0), sequence * 2, 2);
    }
    // Alike, but not the same: another number of records, another first sequence.
    send_from(session, &topic, (id, 0), 12, 1);
    send_from(session, &topic, (id, 0), 12, 3);
    send_from(session, &topic, (id, 0), 13, 1);
    send_from(session, &topic, (id, 0), 11, 3);
    // Other records of the same sequences are the same batch.
    let other = batch(&["x", "y"]).producer(id, 0, 12).records();
    send(session, "P1/0 #12 with other records", &topic, other);
    send_from(session, &topic, (id, 0), 14, 2);
    send_from(session, &topic, (id, 0), 4, 2);
    send_from(session, &topic, (id, 0), 6, 2);
    for version in [3, 5, 8, 10, 13] {
        let records = batch(&["14", "15"]).producer(id, 0, 14).records();
        let request = produce_to(&topic, 0, records, version);
        session.step(1, version, "P1/0 #14 again", &request);
    }
    session.log(&topic);
}

fn out_of_order(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let id = session.producer_id();
    send_from(session, &topic, (id, 0), 0, 2);
    for first in [3, 1, 4, i32::MAX] {
        send_from(session, &topic, (id, 0), first, 1);
    }
    send_from(session, &topic, (id, 0), 2, 1);
    for version in [3, 8, 13] {
        let request = produce_to(&topic, 0, batch(&["9"]).producer(id, 0, 9).records(), version);
        session.step(1, version, "P1/0 #9, a gap", &request);
    }
    session.log(&topic);
}

fn producer_epochs(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let id = session.producer_id();
    send_from(session, &topic, (id, 3), 0, 1);
    send_from(session, &topic, (id, 3), 1, 1);
    // Newer: it begins at 0, or not at all.
    send_from(session, &topic, (id, 4), 2, 1);
    send_from(session, &topic, (id, 4), 0, 1);
    // Older: whatever the sequence, a duplicate too.
    for first in [0, 1, 2, 7] {
        send_from(session, &topic, (id, 3), first, 1);
    }
    send_from(session, &topic, (id, 4), 1, 1);
    send_from(session, &topic, (id, 4), 0, 1);
    send_from(session, &topic, (id, i16::MAX), 0, 1);
    send_from(session, &topic, (id, i16::MAX), 1, 1);
    for version in [3, 8, 13] {
        let request = produce_to(&topic, 0, batch(&["2"]).producer(id, 4, 2).records(), version);
        session.step(1, version, "P1/4 #2, fenced", &request);
    }
    session.log(&topic);
}

fn unknown_producers(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    // Nobody gave out these ids.
    let ids = [7_000_000_001, 7_000_000_002, i64::MAX];
    send_from(session, &topic, (ids[0], 0), 0, 1);
    send_from(session, &topic, (ids[1], 5), 40, 2);
    send_from(session, &topic, (ids[1], 5), 42, 1);
    send_from(session, &topic, (ids[1], 5), 40, 2);
    send_from(session, &topic, (ids[1], 5), 39, 1);
    send_from(session, &topic, (ids[2], 0), 1, 1);
    session.log(&topic);
}

fn wrapping_sequences(session: &mut Session<'_>) {
    let topic = session.topic("t", &[1]);
    let id = session.producer_id();
    let end = i32::MAX;
    send_from(session, &topic, (id, 0), end - 2, 2);
    send_from(session, &topic, (id, 0), end, 1);
    send_from(session, &topic, (id, 0), 0, 1);
    send_from(session, &topic, (id, 0), end, 1);
    let other = session.producer_id();
    let across = || batch(&["a", "b", "c"]).producer(other, 0, end - 1).records();
    send(session, "P2/0 over the end", &topic, across());
    send(session, "P2/0 over the end again", &topic, across());
    send_from(session, &topic, (other, 0), 0, 1);
    send_from(session, &topic, (other, 0), 1, 1);
    session.log(&topic);
}
