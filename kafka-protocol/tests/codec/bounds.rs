//! The memory bounds of all messages as a table: measured, and held against what is generated.
//!
//! `cargo xtask bounds` prints it, and writes its first rows into `docs/memory-bounds.md`.

use std::cmp::Reverse;
use std::fs;

use bytes::Bytes;
use kafka_protocol::Message;
use kafka_protocol::messages::ApiVersionsRequest;
use serde_json::Value;

use crate::bound::allocated;
use crate::places::{Full, Kind};
use crate::support::{MessageVisitor, path, schemas, visit_message};

/// What costs a message the most memory for a byte.
struct Row {
    message: &'static str,
    /// [`Message::MEMORY_PER_BYTE`].
    bound: usize,
    /// The array with the worst elements; `None` if nothing is worse than an unknown tagged field.
    worst: Option<Elements>,
}

/// Elements of one array in one version.
#[derive(Clone)]
struct Elements {
    array: String,
    version: i16,
    /// Bytes of each, in memory and the fewest on the wire.
    memory: usize,
    wire: usize,
}

impl Elements {
    fn memory_per_byte(&self) -> usize {
        self.memory.div_ceil(self.wire)
    }
}

struct Measure<'s> {
    schema: &'s Value,
    rows: &'s mut Vec<Row>,
}

impl MessageVisitor for Measure<'_> {
    fn visit<M: Message>(self) {
        let mut worst: Option<Elements> = None;
        for version in M::VERSIONS.iter() {
            let full = Full::new(self.schema, version);
            let arrays = full.places.iter().enumerate().filter(|(_, at)| at.kind == Kind::Array);
            for (index, array) in arrays {
                let [few, many] = [FEW, MANY]
                    .map(|count| measure::<M>(version, full.with_long_array(index, count)));
                let elements = Elements {
                    array: array.path.clone(),
                    version,
                    memory: (many.0 - few.0) / (MANY - FEW),
                    wire: (many.1 - few.1) / (MANY - FEW),
                };
                let ratio = elements.memory_per_byte();
                if worst.as_ref().is_none_or(|worst| ratio >= worst.memory_per_byte()) {
                    worst = Some(elements);
                }
            }
        }
        let tags = M::FLEXIBLE_FROM.map_or(0, |_| TAGGED_FIELD);
        let elements = worst.as_ref().map_or(0, Elements::memory_per_byte);
        assert_eq!(M::MEMORY_PER_BYTE, elements.max(tags), "{}", M::NAME);
        let worst = worst.filter(|_| elements >= tags);
        self.rows.push(Row { message: M::NAME, bound: M::MEMORY_PER_BYTE, worst });
    }
}

/// Bytes allocated to decode a message, and its length.
fn measure<M: Message>(version: i16, bytes: Vec<u8>) -> (usize, usize) {
    // What is shared already costs nothing to share again.
    let bytes = Bytes::from(bytes);
    let _shared = bytes.clone();
    let (decoded, memory) = allocated(|| M::decode(&mut bytes.clone(), version));
    if let Err(error) = decoded {
        panic!("{error}");
    }
    (memory, bytes.len())
}

/// Every message, the worst first.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for schema in &schemas() {
        let name = schema["name"].as_str().unwrap();
        visit_message(name, Measure { schema, rows: &mut rows });
    }
    assert!(rows.iter().all(|row| row.bound <= BOUND_MAX), "a message is out of proportion");
    rows.sort_by_key(|row| (Reverse(row.bound), row.worst.is_none(), row.message));
    rows
}

fn table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| Message | Bytes of memory for a byte | of which array | in memory | on the wire |\n\
         |---|---|---|---|---|\n",
    );
    for Row { message, bound, worst } in rows {
        table += &match worst {
            Some(Elements { array, version, memory, wire }) => {
                format!("| {message} | {bound} | `{array}` (v{version}) | {memory} | {wire} |\n")
            }
            None if *bound == 0 => format!("| {message} | 0 | – | | |\n"),
            None => format!("| {message} | {bound} | unknown tagged fields | | |\n"),
        };
    }
    table
}

#[test]
fn the_bounds_are_exact_and_the_worst_are_documented() {
    let rows = rows();
    println!("{}", table(&rows));
    let documented = path("../docs/memory-bounds.md");
    let text = fs::read_to_string(&documented).unwrap();
    let (before, rest) = text.split_once(TABLE_BEGIN).expect(TABLE_BEGIN);
    let (_, after) = rest.split_once(TABLE_END).expect(TABLE_END);
    let worst = table(&rows[..DOCUMENTED]);
    let current = format!("{before}{TABLE_BEGIN}\n\n{worst}\n{TABLE_END}{after}");
    if std::env::var_os("WRITE_BOUNDS").is_some() {
        fs::write(&documented, current).unwrap();
    } else {
        assert!(text == current, "docs/memory-bounds.md is stale: run cargo xtask bounds");
    }
}

/// Elements of the arrays that are compared. Both counts take two bytes on the wire, and the elements
/// more than the slack that every message has.
const FEW: usize = 200;
const MANY: usize = 2200;

/// An unknown tagged field costs this much for each of its two bytes: the bound of every message
/// without arrays.
const TAGGED_FIELD: usize = ApiVersionsRequest::MEMORY_PER_BYTE;

/// No message may need more than this for a byte.
const BOUND_MAX: usize = 64;

/// Rows that the documentation has.
const DOCUMENTED: usize = 10;

const TABLE_BEGIN: &str = "<!-- the worst: written by cargo xtask bounds -->";
const TABLE_END: &str = "<!-- end -->";
