//! Record batches: ours for Java to read, and Java's for us to read.
//!
//! ```text
//! FOLDER/ours/NAME.bin, .txt     what we write, and the lines that Java has to make of it
//! FOLDER/ours-by-java/NAME.txt   the lines that Java made of it
//! FOLDER/java/NAME.bin, .txt     what Java writes, and what it reads in it itself
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use kafka_protocol::records::{
    BatchAttributes, Compression, CompressionOptions, Compressor, ControlRecordType,
    RecordBatchBuilder, RecordBatchHeader, RecordHeader, TimestampType,
};

use crate::batch_text::{self, OwnedRecord};
use crate::content;

/// Writes our batches, each with the lines that Java has to make of it.
pub(crate) fn write(folder: &Path) -> Result<()> {
    for (name, batches) in ours()? {
        let mut bytes = Vec::new();
        let mut lines = Vec::new();
        for batch in batches {
            batch.write(&mut bytes, &mut lines).with_context(|| name.clone())?;
        }
        lines.push(batch_text::hex_line(&bytes));
        fs::write(folder.join(&name).with_extension("bin"), bytes)?;
        fs::write(folder.join(&name).with_extension("txt"), lines.join("\n") + "\n")?;
    }
    Ok(())
}

/// Compares what both sides read in what both sides wrote, and prints how much that was.
pub(crate) fn compare(folder: &Path) -> Result<()> {
    let mut failures = Vec::new();
    let mut count = Count::default();
    for (name, _) in ours()? {
        let result = of_ours(folder, &name, &mut count);
        failures.extend(result.err().map(|error| format!("our {name}: {error:#}")));
    }
    println!("Java reads ours:   {count}");
    let names = names_in(&folder.join("java"))?;
    for needed in every_level().map(|(options, content)| level_name(options, content)) {
        ensure!(names.contains(&needed), "Java wrote no {needed}");
    }
    count = Count::default();
    for name in names {
        let result = of_java(folder, &name, &mut count);
        failures.extend(result.err().map(|error| format!("Java's {name}: {error:#}")));
    }
    println!("we read Java's:    {count}");
    ensure!(failures.is_empty(), "{} batches differ\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

fn of_ours(folder: &Path, name: &str, count: &mut Count) -> Result<()> {
    let read = |side: &str| {
        let path = folder.join(side).join(name).with_extension("txt");
        fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))
    };
    let ours: Vec<String> = read("ours")?.lines().map(str::to_owned).collect();
    batch_text::compare(&ours, &read("ours-by-java")?)?;
    count.add(&ours);
    Ok(())
}

fn of_java(folder: &Path, name: &str, count: &mut Count) -> Result<()> {
    let path = folder.join("java").join(name);
    let lines = batch_text::read(&fs::read(path.with_extension("bin"))?.into())?;
    batch_text::compare(&lines, &fs::read_to_string(path.with_extension("txt"))?)?;
    count.add(&lines);
    Ok(())
}

/// What was compared.
#[derive(Default)]
struct Count {
    files: usize,
    batches: usize,
    records: usize,
}

impl Count {
    fn add(&mut self, lines: &[String]) {
        let of = |key: &str| lines.iter().filter(|line| line.starts_with(key)).count();
        self.files += 1;
        self.batches += of("magic: ");
        self.records += of("record: ");
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} batches in {} files, {} records", self.batches, self.files, self.records)
    }
}

fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {folder:?}"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".bin").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// A batch before it is written.
struct Batch {
    options: CompressionOptions,
    records: Vec<OwnedRecord>,
    /// Sets what is not of the records.
    stamp: fn(&mut RecordBatchHeader),
}

impl Batch {
    fn plain(records: Vec<OwnedRecord>, stamp: fn(&mut RecordBatchHeader)) -> Self {
        Self { options: CompressionOptions::default(), records, stamp }
    }

    /// Appends the batch, and the lines that say what went into it.
    fn write(self, bytes: &mut Vec<u8>, lines: &mut Vec<String>) -> Result<()> {
        let mut builder = RecordBatchBuilder::new();
        for record in &self.records {
            let headers: Vec<RecordHeader<'_>> = record
                .headers
                .iter()
                .map(|(key, value)| RecordHeader { key, value: value.as_deref() })
                .collect();
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            builder.append(record.timestamp, key, value, &headers)?;
        }
        let body = builder.finish().compress(&mut Compressor::new(self.options))?;
        let mut header = body.header();
        (self.stamp)(&mut header);
        let batch = body.to_bytes(&header);
        header.batch_length = (batch.len() - 12) as i32;
        header.crc = batch[17..21].iter().fold(0, |crc, byte| crc << 8 | u32::from(*byte));
        lines.extend(batch_text::facts(&header)?);
        for (offset, record) in (header.base_offset..).zip(self.records) {
            let timestamp = match header.attributes.timestamp_type() {
                TimestampType::CreateTime => record.timestamp,
                TimestampType::LogAppendTime => header.max_timestamp,
            };
            lines.push(batch_text::record_line(offset, &OwnedRecord { timestamp, ..record }));
        }
        bytes.extend_from_slice(&batch);
        Ok(())
    }
}

/// Every codec at every level, with each of the contents. Of zstd's levels, of which there are 131,095,
/// those from -22 on, some beyond, and the last.
fn every_level() -> impl Iterator<Item = (CompressionOptions, &'static str)> {
    let codecs = [
        (Compression::None, Vec::new()),
        (Compression::Gzip, [-1].into_iter().chain(1..=9).collect()),
        (Compression::Snappy, Vec::new()),
        (Compression::Lz4, (1..=17).collect()),
        (Compression::Zstd, [-131_072, -1_000, -100].into_iter().chain(-22..=22).collect()),
    ];
    let options = codecs.into_iter().flat_map(|(codec, levels)| {
        let of_levels: Vec<CompressionOptions> =
            levels.iter().filter_map(|level| codec.with_level(*level).ok()).collect();
        assert_eq!(of_levels.len(), levels.len(), "a level of {codec} is refused");
        if levels.is_empty() { vec![codec.into()] } else { of_levels }
    });
    options.flat_map(|options| content::NAMES.map(|content| (options, content)))
}

fn level_name(options: CompressionOptions, content: &str) -> String {
    let level = options.level().map_or("none".to_owned(), |level| level.to_string());
    format!("{}_{level}_{content}", options.codec())
}

/// The batches that we write, by file.
fn ours() -> Result<Vec<(String, Vec<Batch>)>> {
    let mut files: Vec<(String, Vec<Batch>)> = every_level()
        .map(|(options, content)| {
            let records = content::records(content);
            (level_name(options, content), vec![Batch { options, records, stamp: |_| {} }])
        })
        .collect();
    let plain = |name: &str, stamp| (name.to_owned(), vec![Batch::plain(content::few(), stamp)]);
    files.extend([
        plain("base_offset", |header| {
            header.base_offset = 5_000_000_000;
            header.partition_leader_epoch = 70_000;
        }),
        plain("idempotent", |header| stamp_producer(header, 66_051)),
        plain("sequence_wrap", |header| stamp_producer(header, i32::MAX - 1)),
        plain("transactional", |header| {
            stamp_producer(header, 12);
            header.attributes = header.attributes.with_transactional(true);
        }),
        plain("log_append_time", |header| {
            header.attributes = header.attributes.with_timestamp_type(TimestampType::LogAppendTime);
            header.max_timestamp = content::NOON + 1_234;
        }),
        (
            "empty".to_owned(),
            vec![Batch::plain(Vec::new(), |header| {
                stamp_producer(header, 5);
                header.last_offset_delta = 4;
            })],
        ),
        (
            "control".to_owned(),
            vec![
                Batch::plain(content::end_txn(ControlRecordType::Commit, 21), stamp_control),
                Batch::plain(content::end_txn(ControlRecordType::Abort, 22), stamp_control),
            ],
        ),
        ("several_batches".to_owned(), several()?),
    ]);
    Ok(files)
}

/// One behind the other, of every codec.
fn several() -> Result<Vec<Batch>> {
    const STAMPS: [fn(&mut RecordBatchHeader); 5] = [
        |header| header.base_offset = 0,
        |header| header.base_offset = 100,
        |header| header.base_offset = 200,
        |header| header.base_offset = 300,
        |header| header.base_offset = 400,
    ];
    let codec = |id| Compression::from_id(id).context("five codecs");
    let batch = |(id, stamp)| {
        let records = content::records("mixed");
        anyhow::Ok(Batch { options: codec(id)?.into(), records, stamp })
    };
    (0..).zip(STAMPS).map(batch).collect()
}

fn stamp_producer(header: &mut RecordBatchHeader, sequence: i32) {
    header.producer_id = 4_294_967_298;
    header.producer_epoch = 513;
    header.base_sequence = sequence;
}

fn stamp_control(header: &mut RecordBatchHeader) {
    header.base_offset = 1_000;
    header.producer_id = 4_000;
    header.producer_epoch = 7;
    let attributes: BatchAttributes = header.attributes;
    header.attributes = attributes.with_transactional(true).with_control(true);
}
