//! The message schemas: facts of Kafka's JSON files, read strictly.

use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::versions::Versions;

/// One message.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Schema {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<i16>,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) valid_versions: Versions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flexible_versions: Option<Versions>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) latest_version_unstable: bool,
    #[serde(default)]
    pub(crate) fields: Vec<Field>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) common_structs: Vec<CommonStruct>,

    // Read, so that nothing else gets past, and dropped: they do not change the wire.
    #[serde(default, rename = "listeners", skip_serializing)]
    _listeners: Option<Vec<String>>,
    #[serde(default, rename = "deprecatedVersions", skip_serializing)]
    _deprecated_versions: Option<Versions>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Request,
    Response,
    Header,
    Data,
}

/// A struct that several fields use.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CommonStruct {
    pub(crate) name: String,
    pub(crate) versions: Versions,
    pub(crate) fields: Vec<Field>,
    #[serde(default, rename = "about", skip_serializing)]
    _about: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Field {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) ty: Type,
    pub(crate) versions: Versions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nullable_versions: Option<Versions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tagged_versions: Option<Versions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) flexible_versions: Option<Versions>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "any_default")]
    pub(crate) default: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) ignorable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<Self>,

    #[serde(default, rename = "about", skip_serializing)]
    _about: Option<String>,
    #[serde(default, rename = "entityType", skip_serializing)]
    _entity_type: Option<String>,
    #[serde(default, rename = "mapKey", skip_serializing)]
    _map_key: Option<bool>,
    #[serde(default, rename = "zeroCopy", skip_serializing)]
    _zero_copy: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Type {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    String,
    Uuid,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Self>),
}

fn is_false(value: &bool) -> bool {
    !*value
}

/// Defaults are given as strings, numbers or booleans; kept as text.
fn any_default<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Ok(Some(match Value::deserialize(value)? {
        Value::String(text) => text,
        other => other.to_string(),
    }))
}

impl Type {
    /// The wire width of types that have one.
    pub(crate) fn fixed_len(&self) -> Option<usize> {
        Some(match self {
            Self::Bool | Self::Int8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 => 4,
            Self::Int64 | Self::Float64 => 8,
            Self::Uuid => 16,
            _ => return None,
        })
    }

    /// The struct that it is, or is an array of.
    pub(crate) fn struct_name(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element) => element.struct_name(),
            _ => None,
        }
    }
}

impl TryFrom<String> for Type {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        if let Some(element) = text.strip_prefix("[]") {
            let element = Self::try_from(element.to_owned())?;
            ensure!(!matches!(element, Self::Array(_)), "nested array `{text}`");
            return Ok(Self::Array(Box::new(element)));
        }
        Ok(match text.as_str() {
            "bool" => Self::Bool,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "uint16" => Self::Uint16,
            "int32" => Self::Int32,
            "uint32" => Self::Uint32,
            "int64" => Self::Int64,
            "float64" => Self::Float64,
            "string" => Self::String,
            "uuid" => Self::Uuid,
            "bytes" => Self::Bytes,
            "records" => Self::Records,
            name if name.starts_with(|c: char| c.is_ascii_uppercase()) => Self::Struct(text),
            _ => bail!("unknown type `{text}`"),
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "bool",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Uint16 => "uint16",
            Self::Int32 => "int32",
            Self::Uint32 => "uint32",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Uuid => "uuid",
            Self::Bytes => "bytes",
            Self::Records => "records",
            Self::Struct(name) => name,
            Self::Array(element) => return write!(f, "[]{element}"),
        })
    }
}

impl From<Type> for String {
    fn from(ty: Type) -> Self {
        ty.to_string()
    }
}

impl Schema {
    /// Reads a schema: ours, or Kafka's with its comments.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(serde_json::from_str(&without_comments(text))?)
    }

    /// The facts as JSON, a line a field.
    pub(crate) fn to_text(&self) -> Result<String> {
        let mut text = String::new();
        let Value::Object(mut top) = serde_json::to_value(self)? else {
            bail!("a schema is an object");
        };
        let fields = top.remove("fields").unwrap_or_default();
        let structs = top.remove("commonStructs").unwrap_or_default();
        text.push_str("{\n");
        for (key, value) in &top {
            text.push_str(&format!("  \"{key}\": {value},\n"));
        }
        text.push_str("  \"fields\": ");
        write_list(&mut text, &fields, 2);
        if structs.as_array().is_some_and(|structs| !structs.is_empty()) {
            text.push_str(",\n  \"commonStructs\": ");
            write_list(&mut text, &structs, 2);
        }
        text.push_str("\n}\n");
        Ok(text)
    }

    /// Every schema of the workspace, by name.
    pub(crate) fn read_all(root: &Path) -> Result<Vec<Self>> {
        let dir = schemas_dir(root);
        let mut paths: Vec<PathBuf> = fs::read_dir(&dir)
            .with_context(|| format!("cannot read {}: run `cargo xtask schemas`", dir.display()))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        paths.sort();
        paths
            .iter()
            .map(|path| {
                Self::parse(&fs::read_to_string(path)?)
                    .with_context(|| format!("bad schema {}", path.display()))
            })
            .collect()
    }
}

/// Where the facts are kept.
pub(crate) fn schemas_dir(root: &Path) -> PathBuf {
    root.join("kafka-protocol/schemas")
}

fn write_list(text: &mut String, list: &Value, indent: usize) {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() {
        text.push_str("[]");
        return;
    }
    text.push_str("[\n");
    for (n, item) in items.iter().enumerate() {
        let mut facts = item.as_object().cloned().unwrap_or_default();
        let fields = facts.remove("fields");
        let facts: Vec<String> =
            facts.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        text.push_str(&format!("{:indent$}{{ {}", "", facts.join(", "), indent = indent + 2));
        if let Some(fields) = fields {
            text.push_str(", \"fields\": ");
            write_list(text, &fields, indent + 2);
        }
        text.push_str(if n + 1 < items.len() { " },\n" } else { " }\n" });
    }
    text.push_str(&format!("{:indent$}]", ""));
}

/// JSON without `//` comments. Strings may hold `//` (addresses do) and are left alone.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => {
                while chars.next_if(|&c| c != '\n').is_some() {}
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KAFKAS: &str = r#"
// A licence, "quoted".
{
  "apiKey": 7, "type": "request", "listeners": ["broker"], "name": "ThingRequest", // why
  "validVersions": "0-3", "flexibleVersions": "2+",
  "fields": [
    { "name": "Url", "type": "string", "versions": "0+", "default": "http://x", "about": "a // b" },
    { "name": "Parts", "type": "[]Part", "versions": "1+", "fields": [
      { "name": "Index", "type": "int32", "versions": "1+", "default": -1, "mapKey": true }
    ]}
  ]
}"#;

    #[test]
    fn only_the_facts_are_kept() {
        let text = Schema::parse(KAFKAS).unwrap().to_text().unwrap();
        assert_eq!(
            text,
            r#"{
  "apiKey": 7,
  "type": "request",
  "name": "ThingRequest",
  "validVersions": "0-3",
  "flexibleVersions": "2+",
  "fields": [
    { "name": "Url", "type": "string", "versions": "0+", "default": "http://x" },
    { "name": "Parts", "type": "[]Part", "versions": "1+", "fields": [
      { "name": "Index", "type": "int32", "versions": "1+", "default": "-1" }
    ] }
  ]
}
"#
        );
        assert_eq!(Schema::parse(&text).unwrap().to_text().unwrap(), text);
    }

    #[test]
    fn an_unknown_property_is_refused() {
        let odd = KAFKAS.replace("\"mapKey\"", "\"mapKeys\"");
        assert!(Schema::parse(&odd).unwrap_err().to_string().contains("mapKeys"));
    }
}
