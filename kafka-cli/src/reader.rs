//! Reads batches of a topic from the brokers that lead its partitions.
//!
//! One Fetch is under way at each leader, for all its partitions that are not at their end. What comes
//! is checked (CRC, length) and decompressed, batch by batch as it is taken. For `kafka read`, and for
//! the check of `kafka demo`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use kafka_net::{BrokerId, ConnectionPool, RequestError};
use kafka_protocol::messages::fetch::{FetchPartition, FetchTopic, PartitionData};
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use kafka_protocol::records::{Record, RecordBatch, RecordBatches};
use kafka_protocol::{DecodeError, ErrorCode};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::cluster::{RETRIES_MAX, RETRY_PAUSE, Topic};
use crate::failure::Failure;

/// Reads partitions of a topic, each from one offset to another.
#[derive(Debug)]
pub(crate) struct TopicReader {
    pool: ConnectionPool,
    topic: Topic,
    partitions: BTreeMap<i32, Position>,
    /// One at a time for each broker in `asked`.
    fetches: JoinSet<(BrokerId, Result<FetchResponse, RequestError>)>,
    asked: BTreeSet<BrokerId>,
    /// What came of each partition and was not taken yet.
    ready: VecDeque<(i32, RecordBatches)>,
    /// Counts requests: who comes first in one gets most of its answer, so they take turns.
    turn: usize,
    /// Answers in a row without anything that should be there, or with an error that may pass.
    troubles: u32,
}

/// Where reading a partition stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Position {
    /// Offset of the next record.
    pub(crate) next: i64,
    /// Offset behind the last one to read; `None` to go on for ever.
    pub(crate) end: Option<i64>,
}

/// A batch with what of it is wanted.
#[derive(Debug)]
pub(crate) struct ReadBatch {
    pub(crate) partition: i32,
    batch: RecordBatch,
    wanted: Position,
}

/// Why an answer cannot be used.
enum Stop {
    /// It may pass if it is tried again.
    ForNow(String),
    ForGood(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::ForGood(failure)
    }
}

/// How long a broker waits for the first byte.
const WAIT_MAX_MS: i32 = 500;
/// Most bytes of an answer, and of one partition in it; a single batch may be larger.
const ANSWER_BYTES_MAX: i32 = 16 * 1024 * 1024;
const PARTITION_BYTES_MAX: i32 = 4 * 1024 * 1024;

impl ReadBatch {
    /// The records that are wanted, in order. None of a batch that is about the cluster itself.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<Record<'_>, DecodeError>> {
        let Position { next, end } = self.wanted;
        let is_data = !self.batch.header().attributes.is_control();
        let is_wanted = move |offset| offset >= next && end.is_none_or(|end| offset < end);
        let records = self.batch.iter().filter(move |record| match record {
            Ok(record) => is_wanted(record.offset),
            Err(_) => true,
        });
        records.take_while(move |_| is_data)
    }
}

impl TopicReader {
    /// Reads these partitions of the topic, each of which must have a leader in it.
    pub(crate) fn new(
        pool: ConnectionPool,
        topic: Topic,
        partitions: BTreeMap<i32, Position>,
    ) -> Self {
        Self {
            pool,
            topic,
            partitions,
            fetches: JoinSet::new(),
            asked: BTreeSet::new(),
            ready: VecDeque::new(),
            turn: 0,
            troubles: 0,
        }
    }

    /// The next batch: in order within a partition. `None` when all partitions are at their end.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Result<Option<ReadBatch>, Failure> {
        loop {
            if let Some(batch) = self.take_ready()? {
                return Ok(Some(batch));
            }
            self.ask();
            let Some(fetched) = self.fetches.join_next().await else { return Ok(None) };
            let (broker, answer) = fetched.map_err(Failure::new)?;
            self.asked.remove(&broker);
            let taken = match answer {
                Ok(answer) => self.take(answer),
                Err(error) if error.is_retriable() => Err(Stop::ForNow(error.to_string())),
                Err(error) => return Err(error.into()),
            };
            match taken {
                Ok(()) => {}
                Err(Stop::ForNow(trouble)) => self.recover(trouble).await?,
                Err(Stop::ForGood(failure)) => return Err(failure),
            }
        }
    }

    /// The next batch if it is here: without asking a broker.
    pub(crate) fn take_ready(&mut self) -> Result<Option<ReadBatch>, Failure> {
        while let Some((partition, batches)) = self.ready.front_mut() {
            let (partition, batch) = (*partition, batches.next());
            let (Some(batch), Some(position)) = (batch, self.partitions.get_mut(&partition)) else {
                self.ready.pop_front();
                continue;
            };
            let wanted = *position;
            let damaged = |error| {
                let name = name(&self.topic, partition);
                Failure::new(format_args!("{name} is damaged at offset {}: {error}", wanted.next))
            };
            let batch = batch.map_err(damaged)?;
            position.next = position.next.max(batch.header().last_offset().saturating_add(1));
            self.troubles = 0;
            return Ok(Some(ReadBatch { partition, batch, wanted }));
        }
        Ok(None)
    }

    /// Sends a Fetch to each leader that has none and has something to read.
    fn ask(&mut self) {
        let mut wanted: BTreeMap<BrokerId, Vec<FetchPartition>> = BTreeMap::new();
        for (index, position) in &self.partitions {
            let Some(leader) = self.topic.leaders.get(index) else { continue };
            let is_done = position.end.is_some_and(|end| position.next >= end);
            if !is_done && !self.asked.contains(leader) {
                wanted.entry(*leader).or_default().push(FetchPartition {
                    partition: *index,
                    fetch_offset: position.next,
                    partition_max_bytes: PARTITION_BYTES_MAX,
                    ..Default::default()
                });
            }
        }
        for (leader, mut partitions) in wanted {
            self.turn = self.turn.wrapping_add(1);
            let first = self.turn % partitions.len().max(1);
            partitions.rotate_left(first);
            let request = self.request(partitions);
            let pool = self.pool.clone();
            self.asked.insert(leader);
            self.fetches.spawn(async move { (leader, pool.call(leader, &request).await) });
        }
    }

    fn request(&self, partitions: Vec<FetchPartition>) -> FetchRequest {
        let topic = FetchTopic {
            // By name before version 13, by id from then on.
            topic: self.topic.name.clone(),
            topic_id: self.topic.id,
            partitions,
            ..Default::default()
        };
        FetchRequest {
            max_wait_ms: WAIT_MAX_MS,
            min_bytes: 1,
            max_bytes: ANSWER_BYTES_MAX,
            topics: vec![topic],
            ..Default::default()
        }
    }

    fn take(&mut self, answer: FetchResponse) -> Result<(), Stop> {
        check(answer.error_code, || "the broker refuses to read".to_owned())?;
        let mut owing = None;
        let ready = self.ready.len();
        for data in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            let index = data.partition_index;
            let Some(position) = self.partitions.get(&index).copied() else { continue };
            self.take_partition(data, position)?;
            if position.end.is_some_and(|end| position.next < end) {
                owing = Some(index);
            }
        }
        let Some(index) = owing else {
            self.troubles = 0;
            return Ok(());
        };
        let name = name(&self.topic, index);
        let sentence = format!("the broker sends nothing of {name}, though it has more");
        if self.ready.len() == ready {
            return Err(Stop::ForNow(sentence));
        }
        // Taking a batch sets it back. If there never is one, what comes are beginnings of batches.
        self.troubles += 1;
        if self.troubles > RETRIES_MAX {
            return Err(Stop::ForGood(Failure::Sentence(sentence)));
        }
        Ok(())
    }

    fn take_partition(&mut self, data: PartitionData, position: Position) -> Result<(), Stop> {
        let index = data.partition_index;
        let name = || name(&self.topic, index);
        if data.error_code == ErrorCode::OFFSET_OUT_OF_RANGE {
            return Err(Stop::ForGood(Failure::new(format_args!(
                "{} has no offset {}: it was deleted, or is still to come; --offset beginning \
                 reads what there is",
                name(),
                position.next
            ))));
        }
        check(data.error_code, || format!("cannot read {}", name()))?;
        let records = data.records.unwrap_or_default();
        if !records.is_empty() {
            self.ready.push_back((index, RecordBatches::new(&records)));
        }
        Ok(())
    }

    /// Waits a little, and looks up who leads the partitions.
    async fn recover(&mut self, trouble: String) -> Result<(), Failure> {
        self.troubles += 1;
        if self.troubles > RETRIES_MAX {
            return Err(Failure::new(trouble));
        }
        sleep(RETRY_PAUSE).await;
        self.topic.refresh(&self.pool).await
    }
}

/// As people write it: `orders-3`.
fn name(topic: &Topic, partition: i32) -> String {
    format!("{}-{partition}", topic.name.as_str())
}

fn check(error: ErrorCode, what: impl FnOnce() -> String) -> Result<(), Stop> {
    match error {
        error if error.is_none() => Ok(()),
        error if error.is_retriable() => Err(Stop::ForNow(format!("{}: {error}", what()))),
        error => Err(Stop::ForGood(Failure::new(format_args!("{}: {error}", what())))),
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::records::RecordBatchBuilder;

    use super::*;

    /// Offsets of the records that are wanted of a batch of ten that begins at 100.
    fn wanted(next: i64, end: Option<i64>, is_control: bool) -> Vec<i64> {
        let mut builder = RecordBatchBuilder::new();
        for _ in 0..10 {
            builder.append(0, None, None, &[]).unwrap();
        }
        let body = builder.finish();
        let mut header = body.header();
        header.base_offset = 100;
        header.attributes = header.attributes.with_control(is_control);
        let batch = RecordBatch::decode(&mut body.to_bytes(&header)).unwrap();
        let batch = ReadBatch { partition: 0, batch, wanted: Position { next, end } };
        batch.records().map(|record| record.unwrap().offset).collect()
    }

    #[test]
    fn a_batch_gives_what_lies_between_the_offsets() {
        let all: Vec<i64> = (100..110).collect();
        assert_eq!(wanted(0, None, false), all);
        assert_eq!(wanted(100, Some(110), false), all);
        assert_eq!(wanted(107, Some(109), false), [107, 108]);
        assert_eq!(wanted(110, None, false), [0; 0]);
        assert_eq!(wanted(0, None, true), [0; 0]);
    }
}
