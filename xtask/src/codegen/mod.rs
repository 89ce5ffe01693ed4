//! `cargo xtask codegen`: `kafka-protocol/src/messages/` from the schemas.

mod condition;
mod groups;
mod items;
mod model;
mod names;
mod parse;
mod put;
mod size;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use self::model::{Message, StructField};
use crate::schema::{Kind, Schema};

/// Writes the generated files, and removes what is no longer generated.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = generate(root)?;
    let dir = messages_dir(root);
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    for (path, code) in &files {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&dir))?;
        fs::write(path, code)?;
    }
    println!("{} files in {}", files.len(), dir.display());
    Ok(())
}

/// Fails if the files in the tree are not what would be generated.
pub(crate) fn check(root: &Path) -> Result<()> {
    let files = generate(root)?;
    let dir = messages_dir(root);
    let mut stale = Vec::new();
    for (path, code) in &files {
        if fs::read_to_string(dir.join(path)).ok().as_ref() != Some(code) {
            stale.push(path.display().to_string());
        }
    }
    for path in files_below(&dir)? {
        let path = path.strip_prefix(&dir)?;
        if !files.contains_key(path) {
            stale.push(path.display().to_string());
        }
    }
    if !stale.is_empty() {
        bail!("stale: {}\nrun `cargo xtask codegen` and commit what it writes", stale.join(", "));
    }
    println!("{} generated files are current", files.len());
    Ok(())
}

fn messages_dir(root: &Path) -> PathBuf {
    root.join("kafka-protocol/src/messages")
}

fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}

/// One file of messages: an API's request and response, or a data message.
struct Unit<'s> {
    /// Name without Request or Response.
    name: &'s str,
    group: &'static str,
    schemas: Vec<&'s Schema>,
}

impl Unit<'_> {
    fn module(&self) -> String {
        names::snake_case(self.name)
    }

    fn request(&self) -> Option<&Schema> {
        self.schemas.iter().copied().find(|schema| schema.kind == Kind::Request)
    }
}

/// A generated struct, and how Kafka and Rust name its fields.
pub(crate) struct RustStruct {
    /// Its path below `kafka_protocol::messages`.
    pub(crate) path: String,
    /// Kafka's name, if it is a message and no part of one.
    pub(crate) message: Option<String>,
    /// Kafka's name and Rust's of each field.
    pub(crate) fields: Vec<(String, String)>,
    /// Whether it may have unknown tagged fields.
    pub(crate) is_flexible: bool,
}

/// Every struct that is generated from the schemas.
pub(crate) fn structs(schemas: &[Schema]) -> Result<Vec<RustStruct>> {
    let mut structs = Vec::new();
    for unit in units(schemas)? {
        for message in resolve(&unit)? {
            for this in &message.structs {
                let names = |field: &StructField| (field.kafka_name.clone(), field.name.clone());
                structs.push(RustStruct {
                    path: format!("{}::{}", unit.module(), this.name),
                    message: this.used_by.is_empty().then(|| message.schema.name.clone()),
                    fields: this.fields.iter().map(names).collect(),
                    is_flexible: !this.flexible.is_none(),
                });
            }
        }
    }
    Ok(structs)
}

fn generate(root: &Path) -> Result<BTreeMap<PathBuf, String>> {
    let schemas = Schema::read_all(root)?;
    let units = units(&schemas)?;
    let mut files = BTreeMap::new();
    for unit in &units {
        let path = PathBuf::from(unit.group).join(format!("{}.rs", unit.module()));
        let code = unit_file(unit).with_context(|| format!("cannot generate {}", unit.name))?;
        files.insert(path, code);
    }
    for group in groups::GROUPS {
        let units: Vec<&Unit<'_>> = units.iter().filter(|unit| unit.group == group).collect();
        files.insert(PathBuf::from(group).join("mod.rs"), tables::group_file(group, &units));
    }
    files.insert(PathBuf::from("mod.rs"), tables::messages_file(&units));
    files.insert(PathBuf::from("api_key.rs"), tables::api_key_file(&units)?);
    files.insert(PathBuf::from("visit.rs"), tables::visit_file(&units));
    files.into_iter().map(|(path, code)| Ok((path, format_code(root, &code)?))).collect()
}

/// Groups the schemas into files. Headers are written by hand; tombstones get no code.
fn units(schemas: &[Schema]) -> Result<Vec<Unit<'_>>> {
    let mut units: BTreeMap<&str, Unit<'_>> = BTreeMap::new();
    for schema in schemas {
        if schema.kind == Kind::Header || schema.valid_versions.is_none() {
            continue;
        }
        let name = match schema.kind {
            Kind::Request => schema.name.strip_suffix("Request"),
            Kind::Response => schema.name.strip_suffix("Response"),
            _ => Some(schema.name.as_str()),
        };
        let name = name.with_context(|| format!("odd name {}", schema.name))?;
        let group = groups::group_of(name)?;
        let unit = units.entry(name).or_insert(Unit { name, group, schemas: Vec::new() });
        unit.schemas.push(schema);
    }
    for unit in units.values_mut() {
        unit.schemas.sort_by_key(|schema| schema.kind as u8);
        if let [request, response] = unit.schemas.as_slice() {
            ensure!(request.api_key == response.api_key, "{}: api keys differ", unit.name);
            ensure!(
                request.valid_versions == response.valid_versions,
                "{}: versions of request and response differ",
                unit.name
            );
        }
    }
    Ok(units.into_values().collect())
}

/// The messages of a file. A struct name that several of them declare gets the message's in front.
fn resolve<'s>(unit: &Unit<'s>) -> Result<Vec<Message<'s>>> {
    let mut seen = BTreeSet::new();
    let mut repeated = BTreeSet::new();
    for schema in &unit.schemas {
        for name in Message::declared(schema).into_iter().collect::<BTreeSet<_>>() {
            if !seen.insert(name) {
                repeated.insert(name);
            }
        }
    }
    let resolve = |schema: &&'s Schema| Message::resolve(schema, |name| repeated.contains(name));
    unit.schemas.iter().map(resolve).collect()
}

fn unit_file(unit: &Unit<'_>) -> Result<String> {
    let response = unit.schemas.iter().find(|schema| schema.kind == Kind::Response);
    let mut body = String::new();
    for message in resolve(unit)? {
        body += &items::message_items(&message, response.map(|schema| schema.name.as_str()));
    }
    let title = match unit.request().and_then(|request| request.api_key) {
        Some(key) => format!("{}, API key {key}.", unit.name),
        None => format!("{}.", unit.name),
    };
    Ok(format!("//! {title}\n{GENERATED}\n{}\n{body}", imports(&body)))
}

const GENERATED: &str = "\
//!
//! Generated by `cargo xtask codegen` from `schemas/`; changes here are lost.
";

/// `use` lines for the names that occur in the code.
fn imports(body: &str) -> String {
    let mut lines = String::new();
    for (path, names) in IMPORTS {
        let used: Vec<&str> = names.iter().copied().filter(|name| uses(body, name)).collect();
        if !used.is_empty() {
            lines += &format!("use {path}::{{{}}};\n", used.join(", "));
            // Other crates first, then ours.
            if !path.starts_with("crate") {
                lines += "\n";
            }
        }
    }
    lines
}

/// Whether the code names an item: types anywhere, functions where they are called.
fn uses(code: &str, name: &str) -> bool {
    if name == "At" {
        return code.contains(".at(");
    }
    let is_type = name.starts_with(|c: char| c.is_ascii_uppercase());
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + name.len()..].chars().next();
        let is_word = !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && !after.is_some_and(|c| c.is_alphanumeric() || c == '_');
        is_word
            && (is_type
                || before != Some('.')
                    && (after == Some('(') || code[at..].starts_with("message::")))
    })
}

const IMPORTS: &[(&str, &[&str])] = &[
    ("bytes", &["Bytes"]),
    ("crate::limits", &["memory_per_byte"]),
    (
        "crate::primitives::encoder",
        &[
            "bytes_len",
            "length_len",
            "null_length_len",
            "nullable_bytes_len",
            "nullable_string_len",
            "string_len",
            "tagged_field_len",
            "tagged_section_len",
        ],
    ),
    (
        "crate::primitives::parse",
        &[
            "api_key_int16",
            "boolean",
            "bytes",
            "error_code_int16",
            "float64",
            "int16",
            "int32",
            "int64",
            "int8",
            "nullable_bytes",
            "nullable_records",
            "nullable_string",
            "null_if",
            "nullable_struct",
            "records",
            "string",
            "uint16",
            "uint32",
            "uuid",
        ],
    ),
    ("crate::primitives::parsed", &["At", "Context", "Rest"]),
    (
        "crate::primitives::sequence",
        &[
            "array",
            "int32_array",
            "nullable_array",
            "nullable_int32_array",
            "tagged_fields",
            "unknown_tagged_fields",
            "value",
        ],
    ),
    ("crate::records", &["Records"]),
    (
        "crate",
        &[
            "ApiKey",
            "DecodeError",
            "DecodeLimits",
            "EncodeError",
            "Encoder",
            "ErrorCode",
            "Int32Array",
            "KafkaString",
            "Message",
            "Request",
            "UnknownTaggedFields",
            "Uuid",
            "VersionRange",
            "message",
        ],
    ),
];

fn format_code(root: &Path, code: &str) -> Result<String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path"])
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run `rustfmt`: install the rustfmt component")?;
    let mut stdin = rustfmt.stdin.take().context("rustfmt has no input")?;
    stdin.write_all(code.as_bytes())?;
    drop(stdin);
    let output = rustfmt.wait_with_output()?;
    if !output.status.success() {
        let kept = root.join("target/codegen-failed.rs");
        fs::write(&kept, code)?;
        bail!("rustfmt refused generated code, kept in {}", kept.display());
    }
    Ok(String::from_utf8(output.stdout)?)
}
