//! What can be written behind `kafka`, with its help: the contents page of this crate.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use kafka_mock::KafkaVersion;

use crate::values::{
    Acks, AutoCreate, Bootstrap, Codec, Delimiter, Header, NewTopic, Property, Servers, Start,
    Template, Text,
};

/// Sends records to Apache Kafka, reads them, looks around, and brings a cluster of its own.
#[derive(Debug, Parser)]
#[command(
    name = "kafka",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    after_help = "\
Try it without a Kafka:
  kafka demo
  echo hello | kafka produce -b embedded -t greetings --report

Each command has its own --help with examples. Exit codes: 0 all is well, 1 something failed,
2 the command line is wrong, 130 ended by Ctrl-C before it was done."
)]
pub(crate) struct Cli {
    /// Tell on standard error what goes on; -vv and -vvv tell more.
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 900)]
    pub(crate) verbose: u8,

    /// Print help.
    // One help, not a short and a long one.
    #[arg(short, long, global = true, action = ArgAction::HelpShort, display_order = 901)]
    help: Option<bool>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArgs),
    Produce(ProduceArgs),
    Read(ReadArgs),
    Metadata(MetadataArgs),
    Mock(MockArgs),
}

/// Send a million records to a cluster inside this command, and check every one.
#[derive(Debug, Args)]
#[command(after_help = "\
Needs no Kafka: a cluster of three brokers runs on a thread of its own and is reached over TCP on the
loopback interface. After the last record is acknowledged, the whole topic is read back over the wire
and held against the acknowledgements: each record must be there exactly once, unchanged, at the offset
that its delivery said, in the order in which it was sent, and nothing else may be there.

The exit code is 0 only if all of that is true. The cluster keeps everything in memory.

Examples:
  kafka demo
  kafka demo --records 5000000 --size 200 --partitions 12
  kafka demo --file /var/log/syslog")]
pub(crate) struct DemoArgs {
    /// How many records to send.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000), conflicts_with = "file")]
    pub(crate) records: u64,

    /// Bytes of each record's value.
    #[arg(short, long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(16..=1_000_000), conflicts_with = "file")]
    pub(crate) size: u32,

    /// Partitions of the topic.
    #[arg(short, long, value_name = "N", default_value_t = 6,
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) partitions: u16,

    /// Send the lines of this file instead.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

/// Send lines of standard input or of files.
#[derive(Debug, Args)]
#[command(after_help = "\
A line may hold any bytes. It ends with \\n; a \\r before that belongs to the line. The last line counts
without \\n as well. A line that cannot be sent is told on standard error with its number, and the
others go on. Ctrl-C stops reading and waits until what was read is delivered; a second one ends at
once. The exit code is 0 only if every line was delivered.

A send waits 10 s for the topic or for memory, if max.block.ms does not say otherwise.

Examples:
  kafka produce -b localhost:9092 -t logs < app.log
  printf 'alice:1\\nbob:2\\n' | kafka produce -b localhost:9092 -t points -K : --report
  kafka produce -b localhost:9092 -t logs -z zstd:3 -X linger.ms=50 -H source=web a.log b.log
  seq 1000 | kafka produce -b embedded -t numbers --report

-b embedded starts a cluster inside this command: to try things out. Its records are gone at the end.")]
pub(crate) struct ProduceArgs {
    /// Files to read, - is standard input [default: -].
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,

    /// Brokers to begin with, a comma between two; or embedded.
    #[arg(short, long, alias = "bootstrap-server", value_name = "HOST:PORT")]
    pub(crate) bootstrap_servers: Bootstrap,

    /// Topic to send to.
    #[arg(short, long)]
    pub(crate) topic: String,

    /// Partition to send to [default: by the key, or the producer's choice].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partition: Option<i32>,

    /// What stands first between key and value in a line; \t is a tab.
    #[arg(short = 'K', long, value_name = "SEP", value_parser = Text::parse_not_empty)]
    pub(crate) key_separator: Option<Text>,

    /// Key of every record.
    #[arg(short, long, conflicts_with = "key_separator")]
    pub(crate) key: Option<String>,

    /// Header of every record; a name alone is null. May be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    pub(crate) headers: Vec<Header>,

    /// A key or value that equals this is null.
    #[arg(long, value_name = "MARKER")]
    pub(crate) null: Option<Text>,

    /// The byte that ends a line: a character, or \n, \t, \0.
    #[arg(short, long, value_name = "CHAR", default_value = "\\n")]
    pub(crate) delimiter: Delimiter,

    /// Longest line in bytes, key and value together.
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub(crate) max_line: u32,

    /// none, gzip, snappy, lz4 or zstd, with a level if it has any.
    #[arg(short = 'z', long, value_name = "CODEC[:LEVEL]")]
    pub(crate) compression: Option<Codec>,

    /// Who must have a record: nobody, its leader, or all in-sync replicas.
    #[arg(long, value_name = "0|1|all")]
    pub(crate) acks: Option<Acks>,

    /// A property of the producer; wins over --config. May be repeated.
    #[arg(short = 'X', long = "property", value_name = "NAME=VALUE")]
    pub(crate) properties: Vec<Property>,

    /// Java properties file with settings of the producer.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,

    /// Print a line for each record: topic-partition@offset, or why it failed.
    #[arg(short, long)]
    pub(crate) report: bool,

    /// In the end, print what the producer has measured to standard error.
    #[arg(long)]
    pub(crate) metrics: bool,
}

/// Print what is in a topic.
#[derive(Debug, Args)]
#[command(after_help = "\
Partition by partition, from the first record to the last one that is there when the command begins;
or on and on with --follow. The checksum of each batch is checked; all codecs are understood.
Records of transactions are printed whether or not the transaction was committed. This is to look and
check, not a member of a consumer group: nothing remembers how far it was read.

Examples:
  kafka read -b localhost:9092 -t logs
  kafka read -b localhost:9092 -t logs --offset=-10 -p 0
  kafka read -b localhost:9092 -t logs --follow --offset end --json
  kafka read -b localhost:9092 -t points -f '%p@%o %k=%s\\n'

In a format: %s value, %k key, %t topic, %p partition, %o offset, %T timestamp in ms, %h headers,
%S and %K bytes of value and key (-1 is null), %% a percent sign, \\n \\t \\0 \\\\.
In JSON what is not UTF-8 is called key_hex, value_hex, and so on.")]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    /// Topic to read.
    #[arg(short, long)]
    pub(crate) topic: String,

    /// Partition to read, may be repeated [default: all].
    #[arg(short, long = "partition", value_name = "N",
          value_parser = clap::value_parser!(i32).range(0..))]
    pub(crate) partitions: Vec<i32>,

    /// Where to begin: an offset, beginning, end, or -N for the last N of each partition.
    #[arg(short, long, default_value = "beginning", allow_hyphen_values = true)]
    pub(crate) offset: Start,

    /// End after this many records.
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) count: Option<u64>,

    /// Do not end, wait for more.
    #[arg(short = 'F', long)]
    pub(crate) follow: bool,

    /// How to print a record.
    #[arg(short, long, default_value = "%s\\n", conflicts_with = "json")]
    pub(crate) format: Template,

    /// Print a JSON object a line.
    #[arg(short = 'J', long)]
    pub(crate) json: bool,
}

/// Show brokers, topics and partitions.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kafka metadata -b localhost:9092
  kafka metadata -b localhost:9092 orders payments
  kafka metadata -b localhost:9092 --json | jq '.topics[].name'

Never creates a topic. The exit code is 1 if a topic that is named does not exist.")]
pub(crate) struct MetadataArgs {
    /// Topics to show [default: all].
    pub(crate) topics: Vec<String>,

    #[command(flatten)]
    pub(crate) connect: ConnectArgs,

    /// Print JSON.
    #[arg(short = 'J', long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Brokers to begin with, a comma between two.
    #[arg(short, long, alias = "bootstrap-server", value_name = "HOST:PORT")]
    pub(crate) bootstrap_servers: Servers,

    /// Seconds to wait for a connection.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, display_order = 800,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) timeout: u64,
}

/// Run a cluster in memory for other programs.
#[derive(Debug, Args)]
#[command(after_help = "\
The first line on standard output is the cluster's bootstrap.servers; the rest is told on standard
error. It listens on 127.0.0.1 only. Each partition keeps its last 256 MiB.

Examples:
  kafka mock --port 9092 --topic orders:6 --auto-create
  kafka mock --discard --topic load:12      # to measure a producer: counts, keeps nothing
  kafka mock --auto-create --kafka-version 2.1 --rtt 40 --quota 1000000    # old, far and strict

In a script:
  kafka mock --auto-create > servers & sleep 1; kafka metadata -b \"$(cat servers)\"; kill %1")]
pub(crate) struct MockArgs {
    /// Number of brokers.
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) brokers: u16,

    /// Port of the first broker; the others get the next ones [default: free ones].
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,

    /// Create this topic. May be repeated.
    #[arg(short, long = "topic", value_name = "NAME[:PARTITIONS]")]
    pub(crate) topics: Vec<NewTopic>,

    /// Create topics that clients ask for, with so many partitions [default: 3].
    #[arg(long, value_name = "PARTITIONS", num_args = 0..=1, require_equals = true,
          default_missing_value = "3")]
    pub(crate) auto_create: Option<AutoCreate>,

    /// Acknowledge and count records, but keep none.
    #[arg(long)]
    pub(crate) discard: bool,

    /// Announce what brokers of this release do, from 2.1 on [default: the newest].
    #[arg(long, value_name = "RELEASE")]
    pub(crate) kafka_version: Option<KafkaVersion>,

    /// Milliseconds from a request to its answer: brokers that are far away.
    #[arg(long, value_name = "MS", default_value_t = 0,
          value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(crate) rtt: u64,

    /// Throttle each client that produces more bytes a second to a broker.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) quota: Option<u64>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    fn parse(line: &str) -> Result<Command, String> {
        let words = std::iter::once("kafka").chain(line.split(' '));
        Cli::try_parse_from(words).map(|cli| cli.command).map_err(|error| {
            let told = error.to_string();
            told.lines().next().unwrap_or_default().to_owned()
        })
    }

    #[test]
    fn what_is_written_is_what_is_meant() {
        let Ok(Command::Produce(args)) = parse(
            "produce -b a:1,b:2 -t t -K : -H a=b=c -H d -z zstd:3 -X linger.ms=5 --acks all -",
        ) else {
            panic!("no produce")
        };
        assert_eq!(args.headers.len(), 2);
        assert_eq!(args.properties[0].name, "linger.ms");
        assert_eq!(args.files.len(), 1);
        let Ok(Command::Read(args)) = parse("read -b a:1 -t t -p 0 -p 2 --offset -10 -n 5") else {
            panic!("no read")
        };
        assert_eq!((args.partitions, args.offset), (vec![0, 2], Start::BeforeEnd(10)));
        let Ok(Command::Mock(args)) = parse("mock --auto-create --topic a:2") else {
            panic!("no mock")
        };
        assert_eq!(args.auto_create.map(|create| create.partitions), Some(3));
        assert_eq!((args.kafka_version, args.rtt, args.quota), (None, 0, None));
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, expected) in [
            (
                "metadata -b localhost",
                "error: invalid value 'localhost' for '--bootstrap-servers <HOST:PORT>': \
                 \"localhost\" has no port: write host:port",
            ),
            (
                "produce -b a:1 -t t -z lz5",
                "error: invalid value 'lz5' for '--compression <CODEC[:LEVEL]>': \
                 unknown compression \"lz5\": none, gzip, snappy, lz4 or zstd",
            ),
            (
                "produce -b a:1 -t t --acks two",
                "error: invalid value 'two' for '--acks <0|1|all>': write 0, 1 or all",
            ),
            (
                "read -b a:1 -t t --offset first",
                "error: invalid value 'first' for '--offset <OFFSET>': \
                 write an offset, beginning, end, or -N for the last N",
            ),
            (
                "read -b a:1 -t t -f %x",
                "error: invalid value '%x' for '--format <FORMAT>': \
                 %x means nothing: %s %k %t %p %o %T %h %S %K %%",
            ),
            (
                "mock --topic a:0",
                "error: invalid value 'a:0' for '--topic <NAME[:PARTITIONS]>': \
                 \"0\" is not a number of partitions: 1 to 65535",
            ),
            (
                "mock --kafka-version 2.0",
                "error: invalid value '2.0' for '--kafka-version <RELEASE>': \
                 there is no Kafka \"2.0\" here: 2.1 to 2.8, 3.0 to 3.9, 4.0 to 4.4",
            ),
            (
                "demo --size 5",
                "error: invalid value '5' for '--size <BYTES>': 5 is not in 16..=1000000",
            ),
            ("demo --bogus", "error: unexpected argument '--bogus' found"),
        ] {
            assert_eq!(parse(line).unwrap_err(), expected);
        }
    }
}
