//! `kafka read`: what is in a topic, a record a line or as one likes it.

use std::collections::BTreeMap;
use std::io::{BufWriter, StdoutLock, Write, stdout};
use std::time::Duration;

use kafka_net::ConnectionPool;
use kafka_protocol::records::Record;
use serde_json::{Map, Value, json};

use crate::args::ReadArgs;
use crate::cluster::{self, End, Topic};
use crate::failure::{Failure, tell};
use crate::interrupt::Interrupt;
use crate::reader::{Position, ReadBatch, TopicReader};
use crate::values::{Piece, Start, Template};

pub(crate) async fn run(args: ReadArgs) -> Result<(), Failure> {
    let mut interrupt = Interrupt::listen();
    let timeout = Duration::from_secs(args.connect.timeout);
    let pool = cluster::connect(&args.connect.bootstrap_servers, timeout);
    let mut printer = Printer {
        out: BufWriter::with_capacity(64 * 1024, stdout().lock()),
        topic: args.topic.clone(),
        format: if args.json { Format::Json } else { Format::Template(args.format.clone()) },
        left: args.count.unwrap_or(u64::MAX),
        printed: 0,
    };
    let result = tokio::select! {
        result = print(&pool, &args, &mut printer) => result,
        () = interrupt.requested() => match args.follow {
            // There is no other end.
            true => Ok(()),
            false => Err(Failure::Interrupted),
        },
    };
    printer.out.flush()?;
    if result.is_ok() && printer.printed == 0 && printer.left > 0 && !args.follow {
        tell("no records");
    }
    result
}

async fn print(
    pool: &ConnectionPool,
    args: &ReadArgs,
    printer: &mut Printer,
) -> Result<(), Failure> {
    let mut topic = Topic::find(pool, &args.topic, &args.partitions).await?;
    let first = topic.offsets(pool, End::First).await?;
    let last = topic.offsets(pool, End::Last).await?;
    let mut positions = BTreeMap::new();
    for index in topic.leaders.keys() {
        let (Some(first), Some(last)) = (first.get(index), last.get(index)) else {
            return Err(Failure::new(format_args!(
                "the broker does not tell the offsets of {}-{index}",
                args.topic
            )));
        };
        let next = begin(args, *index, *first, *last)?;
        let end = (!args.follow).then_some(*last);
        positions.insert(*index, Position { next, end });
    }
    if args.follow {
        return drain(TopicReader::new(pool.clone(), topic, positions), printer).await;
    }
    // One after the other: the same topic gives the same text.
    for (index, position) in positions {
        let reader =
            TopicReader::new(pool.clone(), topic.clone(), BTreeMap::from([(index, position)]));
        drain(reader, printer).await?;
    }
    Ok(())
}

/// The offset to begin at.
fn begin(args: &ReadArgs, partition: i32, first: i64, last: i64) -> Result<i64, Failure> {
    match args.offset {
        Start::Beginning => Ok(first),
        Start::End => Ok(last),
        Start::BeforeEnd(back) => Ok(last.saturating_sub(back).max(first)),
        Start::At(offset) if (first..=last).contains(&offset) => Ok(offset),
        Start::At(offset) if first == last => Err(Failure::new(format_args!(
            "{}-{partition} has no offset {offset}: it is empty, and its next record gets {last}",
            args.topic
        ))),
        Start::At(offset) => Err(Failure::new(format_args!(
            "{}-{partition} has no offset {offset}: it has {first} to {}",
            args.topic,
            last.saturating_sub(1)
        ))),
    }
}

async fn drain(mut reader: TopicReader, printer: &mut Printer) -> Result<(), Failure> {
    while printer.left > 0 {
        let mut batch = reader.take_ready()?;
        if batch.is_none() {
            // What is printed is to be seen while more is awaited.
            printer.out.flush()?;
            batch = reader.next().await?;
        }
        let Some(batch) = batch else { break };
        printer.print(&batch)?;
    }
    Ok(())
}

/// Prints records until there were enough.
struct Printer {
    out: BufWriter<StdoutLock<'static>>,
    topic: String,
    format: Format,
    left: u64,
    printed: u64,
}

enum Format {
    Json,
    Template(Template),
}

impl Printer {
    fn print(&mut self, batch: &ReadBatch) -> Result<(), Failure> {
        for record in batch.records() {
            if self.left == 0 {
                break;
            }
            let record = record.map_err(|error| {
                let partition = batch.partition;
                Failure::new(format_args!(
                    "{}-{partition} has a damaged batch: {error}",
                    self.topic
                ))
            })?;
            match &self.format {
                Format::Json => {
                    let json = to_json(&self.topic, batch.partition, &record);
                    writeln!(self.out, "{json}")?;
                }
                Format::Template(template) => {
                    for piece in &template.0 {
                        write(&mut self.out, piece, &self.topic, batch.partition, &record)?;
                    }
                }
            }
            self.left -= 1;
            self.printed += 1;
        }
        Ok(())
    }
}

fn write(
    out: &mut impl Write,
    piece: &Piece,
    topic: &str,
    partition: i32,
    record: &Record<'_>,
) -> std::io::Result<()> {
    let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
    match piece {
        Piece::Text(text) => out.write_all(text.as_bytes()),
        Piece::Value => out.write_all(record.value.unwrap_or_default()),
        Piece::Key => out.write_all(record.key.unwrap_or_default()),
        Piece::Topic => out.write_all(topic.as_bytes()),
        Piece::Partition => write!(out, "{partition}"),
        Piece::Offset => write!(out, "{}", record.offset),
        Piece::Timestamp => write!(out, "{}", record.timestamp),
        Piece::ValueSize => write!(out, "{}", size(record.value)),
        Piece::KeySize => write!(out, "{}", size(record.key)),
        Piece::Headers => {
            for (index, header) in record.headers.clone().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(out, "{comma}{}", header.key)?;
                if let Some(value) = header.value {
                    out.write_all(b"=")?;
                    out.write_all(value)?;
                }
            }
            Ok(())
        }
    }
}

fn to_json(topic: &str, partition: i32, record: &Record<'_>) -> Value {
    let mut out = Map::new();
    out.insert("topic".to_owned(), json!(topic));
    out.insert("partition".to_owned(), json!(partition));
    out.insert("offset".to_owned(), json!(record.offset));
    out.insert("timestamp".to_owned(), json!(record.timestamp));
    insert(&mut out, "key", record.key);
    insert(&mut out, "value", record.value);
    let headers = record.headers.clone().map(|header| {
        let mut out = Map::new();
        out.insert("key".to_owned(), json!(header.key));
        insert(&mut out, "value", header.value);
        Value::Object(out)
    });
    out.insert("headers".to_owned(), Value::Array(headers.collect()));
    Value::Object(out)
}

/// As text if it is text; else as hexadecimal digits under another name, so that nothing is lost.
fn insert(out: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(str::from_utf8) {
        None => out.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => out.insert(name.to_owned(), json!(text)),
        Some(Err(_)) => {
            let bytes = bytes.unwrap_or_default().iter();
            let hex: String = bytes.map(|byte| format!("{byte:02x}")).collect();
            out.insert(format!("{name}_hex"), json!(hex))
        }
    };
}
