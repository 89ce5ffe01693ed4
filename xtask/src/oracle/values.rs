//! What the oracle fills messages with: a function of the schema, the version and the family alone.
//!
//! It reads the schemas and not the generator's model of them, so that a mistake of the generator is
//! not repeated here. A value is JSON as Kafka's converters read it: an object of the fields that the
//! version has, uuids and bytes as base64, records as bytes. A tagged field at its default is absent, as
//! it is when Java writes. Tagged fields that no version knows, which Kafka's converters pass over, are
//! under [`UNKNOWN_TAGS`].

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::schema::{Field, Schema, Type};
use crate::versions::Versions;

/// The key of the unknown tagged fields of an object: a list of tag and base64.
pub(super) const UNKNOWN_TAGS: &str = "unknownTaggedFields";

/// A way to fill every field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// The schema's defaults; the nearest to them where the version cannot say a default.
    Defaults,
    /// No field at its default, two elements in every array, all values different.
    Populated,
    /// Three elements, nulls in the second; strings beyond ASCII, negative numbers, mixed booleans.
    Several,
    /// Null wherever the version allows it.
    Nulls,
    /// Null only where nothing inside can be null.
    InnerNulls,
    /// Nothing in any array, string or bytes; zero.
    Empty,
    /// Two empty elements in every array of structs, which have equal keys then.
    InnerEmpty,
    /// The smallest numbers.
    Least,
    /// The largest numbers.
    Greatest,
    /// Lengths on both sides of those where a compact length grows by a byte.
    Lengths,
    /// Unknown tagged fields in every struct; of flexible versions only.
    UnknownTags,
}

impl Family {
    pub(super) const ALL: [Self; 11] = [
        Self::Defaults,
        Self::Populated,
        Self::Several,
        Self::Nulls,
        Self::InnerNulls,
        Self::Empty,
        Self::InnerEmpty,
        Self::Least,
        Self::Greatest,
        Self::Lengths,
        Self::UnknownTags,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Defaults => "defaults",
            Self::Populated => "populated",
            Self::Several => "several",
            Self::Nulls => "nulls",
            Self::InnerNulls => "inner_nulls",
            Self::Empty => "empty",
            Self::InnerEmpty => "inner_empty",
            Self::Least => "least",
            Self::Greatest => "greatest",
            Self::Lengths => "lengths",
            Self::UnknownTags => "unknown_tags",
        }
    }

    /// Whether there is such a value in a version.
    pub(super) fn is_of(self, is_flexible: bool) -> bool {
        is_flexible || self != Self::UnknownTags
    }

    fn elements(self) -> usize {
        match self {
            Self::Defaults | Self::Empty => 0,
            Self::Populated | Self::InnerEmpty => 2,
            Self::Several => 3,
            _ => 1,
        }
    }
}

/// The value of a family in a version.
pub(super) fn value(schema: &Schema, version: i16, family: Family) -> Result<Value> {
    let filler = Filler { schema, version, family, others: None, count: 0 };
    filler.message().with_context(|| format!("{} v{version} {}", schema.name, family.name()))
}

/// The populated value of a version that shares with `other` what both have, and has one field more
/// that `other` lacks: the one at `path`. The rest is at its defaults.
pub(super) fn with_foreign_field(
    schema: &Schema,
    version: i16,
    other: i16,
    path: &str,
) -> Result<Value> {
    let others = Some((other, path));
    let filler = Filler { schema, version, family: Family::Populated, others, count: 0 };
    filler.message().with_context(|| format!("{} v{version} {path}", schema.name))
}

struct Filler<'s> {
    schema: &'s Schema,
    version: i16,
    family: Family,
    /// Another version and the path of a field: only that field, and what both versions have, is set.
    others: Option<(i16, &'s str)>,
    /// Values made so far: what makes them differ.
    count: u64,
}

impl Filler<'_> {
    fn message(mut self) -> Result<Value> {
        let schema = self.schema;
        self.object(&schema.fields, Place { path: "", element: 0 })
    }

    fn object(&mut self, fields: &[Field], place: Place<'_>) -> Result<Value> {
        let mut object = Map::new();
        let mut booleans = 0;
        let version = self.version;
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            let path = join(place.path, &field.name);
            let place = Place { path: &path, element: place.element };
            if field.ty == Type::Bool {
                booleans += 1;
            }
            let default = default_of(self.schema, field, self.version)?;
            let value = match self.others {
                Some((_, foreign)) if path == foreign => self.foreign(field, place)?,
                Some((other, _)) if !field.versions.contains(other) => default.clone(),
                _ => self.value(field, place, booleans)?,
            };
            let is_tagged = field.tagged_versions.is_some_and(|tags| tags.contains(self.version));
            if !is_tagged || value != default {
                object.insert(json_name(&field.name), value);
            }
        }
        if self.family == Family::UnknownTags && is_flexible(self.schema, self.version) {
            object.insert(UNKNOWN_TAGS.to_owned(), self.unknown_tags(place));
        }
        Ok(Value::Object(object))
    }

    /// All that is in a field which the other version lacks.
    fn foreign(&mut self, field: &Field, place: Place<'_>) -> Result<Value> {
        let others = self.others.take();
        let value = self.value(field, place, 1);
        self.others = others;
        value
    }

    fn value(&mut self, field: &Field, place: Place<'_>, booleans: usize) -> Result<Value> {
        let inner = struct_fields(self.schema, field)?;
        let is_nullable = nullable(field).contains(self.version);
        let is_null = match self.family {
            Family::Defaults => return default_of(self.schema, field, self.version),
            Family::Nulls => is_nullable,
            Family::InnerNulls => is_nullable && !self.has_nullable(inner)?,
            Family::Several => is_nullable && inner.is_empty() && place.element == 1,
            _ => false,
        };
        if is_null {
            return Ok(Value::Null);
        }
        let Type::Array(element) = &field.ty else {
            return self.single(&field.ty, field, inner, place, booleans);
        };
        let len = match self.family {
            Family::InnerEmpty if inner.is_empty() => 0,
            Family::Lengths if inner.is_empty() => 126 + self.next() as usize % 3,
            family => family.elements(),
        };
        let elements = (0..len).map(|number| {
            let place = Place { path: place.path, element: number };
            self.single(element, field, inner, place, booleans)
        });
        elements.collect()
    }

    /// A value that is not an array.
    fn single(
        &mut self,
        ty: &Type,
        field: &Field,
        inner: &[Field],
        place: Place<'_>,
        booleans: usize,
    ) -> Result<Value> {
        if let Type::Struct(_) = ty {
            return self.object(inner, place);
        }
        let number = self.next();
        Ok(match ty {
            Type::Bool => self.boolean(field, booleans + place.element),
            Type::Int8 => self.integer(field, number, i8::MIN.into(), i8::MAX.into()),
            Type::Int16 => self.integer(field, number, i16::MIN.into(), i16::MAX.into()),
            Type::Uint16 => self.integer(field, number, 0, u16::MAX.into()),
            Type::Int32 => self.integer(field, number, i32::MIN.into(), i32::MAX.into()),
            Type::Int64 => self.integer(field, number, i64::MIN, i64::MAX),
            Type::Float64 => json!(self.float(number)),
            Type::String => json!(self.text(field, number, place)),
            Type::Uuid => json!(BASE64_URL_SAFE_NO_PAD.encode(self.uuid(number).to_be_bytes())),
            Type::Bytes | Type::Records => json!(BASE64_STANDARD.encode(self.bytes(number, place))),
            Type::Uint32 | Type::Struct(_) | Type::Array(_) => bail!("{}: {ty}", field.name),
        })
    }

    /// The booleans of a struct differ in one bit of their number at least, and each family looks at
    /// another bit: so no two of them are the same in all families.
    fn boolean(&self, field: &Field, number: usize) -> Value {
        let bit = |bit: u32| number >> bit & 1 == 1;
        Value::Bool(match self.family {
            Family::Empty | Family::InnerEmpty => false,
            Family::Several => bit(0),
            Family::Least => bit(1),
            Family::Greatest => bit(2),
            Family::Lengths => bit(3),
            _ => !field.default.as_deref().is_some_and(|text| text.eq_ignore_ascii_case("true")),
        })
    }

    fn integer(&self, field: &Field, number: u64, min: i64, max: i64) -> Value {
        let value = match self.family {
            Family::Empty | Family::InnerEmpty => 0,
            Family::Least => min,
            Family::Greatest => max,
            // An odd factor: different numbers give different values, as long as they fit.
            _ if max == i64::from(i8::MAX) => 1 + (number % 126) as i64,
            _ => (number.wrapping_mul(0x5bd1_e995_7f4a_7c15) as i64 & max).max(1),
        };
        let is_default =
            field.default.as_deref().and_then(integer).is_some_and(|default| default == value);
        if self.family == Family::Several && min < 0 && number % 2 == 1 {
            return json!(-value);
        }
        json!(if is_default && self.family == Family::Populated { value - 1 } else { value })
    }

    fn float(&self, number: u64) -> f64 {
        match self.family {
            Family::Empty | Family::InnerEmpty => 0.0,
            Family::Least => f64::MIN,
            Family::Greatest => f64::MAX,
            Family::Lengths => 5e-324,
            _ => number as f64 + 0.1,
        }
    }

    /// The field's name is in its text, so that a mix-up is seen by whoever reads it.
    fn text(&self, field: &Field, number: u64, place: Place<'_>) -> String {
        match self.family {
            Family::Empty | Family::InnerEmpty => String::new(),
            Family::Several => format!("{}-{number}-\u{e9}\u{20ac}\u{1f980}", field.name),
            Family::Lengths => format!("{number:_<len$}", len = length(number, place)),
            _ => format!("{}-{number}", field.name),
        }
    }

    fn uuid(&self, number: u64) -> u128 {
        match self.family {
            Family::Empty | Family::InnerEmpty => 0,
            Family::Least => 1,
            Family::Greatest => u128::MAX,
            _ => u128::from(number).wrapping_mul(0x0123_4567_89ab_cdef_f0e1_d2c3_b4a5_9687),
        }
    }

    fn bytes(&self, number: u64, place: Place<'_>) -> Vec<u8> {
        let len = match self.family {
            Family::Empty | Family::InnerEmpty => 0,
            Family::Lengths => length(number, place),
            _ => 5 + number as usize % 3,
        };
        (0..len).map(|at| (number as usize * 37 + at) as u8).collect()
    }

    /// Between them, tags need varints of one, two and three bytes, and sizes of one and two.
    fn unknown_tags(&mut self, place: Place<'_>) -> Value {
        let number = self.next() as usize;
        let long = if place.path.is_empty() { 200 } else { 0 };
        let tags = [(77, number % 5), (300, long), (20_000, 1)];
        tags.iter()
            .map(|(tag, len)| json!([tag, BASE64_STANDARD.encode(vec![number as u8; *len])]))
            .collect()
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Whether a value that holds these fields can hold a null.
    fn has_nullable(&self, fields: &[Field]) -> Result<bool> {
        for field in fields.iter().filter(|field| field.versions.contains(self.version)) {
            let inner = struct_fields(self.schema, field)?;
            if nullable(field).contains(self.version) || self.has_nullable(inner)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The names of the fields on the way, with dots between.
    path: &'p str,
    /// The place in the innermost array around it.
    element: usize,
}

/// What a field has if nobody sets it; empty if the default is null and the version has no null.
fn default_of(schema: &Schema, field: &Field, version: i16) -> Result<Value> {
    let is_nullable = nullable(field).contains(version);
    let text = field.default.as_deref().unwrap_or_default();
    if text == "null" && is_nullable {
        return Ok(Value::Null);
    }
    Ok(match &field.ty {
        Type::Bool => json!(text.eq_ignore_ascii_case("true")),
        Type::Int8 | Type::Int16 | Type::Uint16 | Type::Int32 | Type::Uint32 | Type::Int64 => {
            json!(integer(text).unwrap_or(0))
        }
        Type::Float64 => json!(0.0),
        Type::Uuid => json!(BASE64_URL_SAFE_NO_PAD.encode([0; 16])),
        Type::Records if is_nullable => Value::Null,
        Type::String | Type::Bytes | Type::Records => json!(""),
        Type::Array(_) => json!([]),
        Type::Struct(_) => {
            let family = Family::Defaults;
            let mut filler = Filler { schema, version, family, others: None, count: 0 };
            filler.object(struct_fields(schema, field)?, Place { path: "", element: 0 })?
        }
    })
}

fn integer(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Lengths around those where a compact length, which is one more, takes another byte. Long arrays have
/// short elements, from the third on.
fn length(number: u64, place: Place<'_>) -> usize {
    const LENGTHS: [usize; 7] = [126, 127, 128, 16_382, 129, 125, 16_383];
    if place.element < 2 { LENGTHS[(number % 7) as usize] } else { 1 }
}

fn nullable(field: &Field) -> Versions {
    field.nullable_versions.unwrap_or(Versions::None)
}

pub(super) fn is_flexible(schema: &Schema, version: i16) -> bool {
    schema.flexible_versions.is_some_and(|flexible| flexible.contains(version))
}

/// The fields of the struct that a field is or is an array of; none if it is neither.
pub(super) fn struct_fields<'s>(schema: &'s Schema, field: &'s Field) -> Result<&'s [Field]> {
    match field.ty.struct_name() {
        Some(name) if field.fields.is_empty() => {
            let common = schema.common_structs.iter().find(|common| common.name == name);
            Ok(&common.with_context(|| format!("{}: no struct {name}", schema.name))?.fields)
        }
        _ => Ok(&field.fields),
    }
}

/// A field's name in Kafka's JSON.
pub(super) fn json_name(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map_or(String::new(), |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Pairs of fields with one type, by the path of their struct, and whether some value tells them
    /// apart.
    type Pairs = BTreeMap<(String, String, String), bool>;

    fn tell_apart(
        schema: &Schema,
        fields: &[Field],
        version: i16,
        path: &str,
        of: &Value,
        pairs: &mut Pairs,
    ) {
        let fields: Vec<&Field> =
            fields.iter().filter(|field| field.versions.contains(version)).collect();
        for (n, one) in fields.iter().enumerate() {
            for other in fields[n + 1..].iter().filter(|other| other.ty == one.ty) {
                let key = (path.to_owned(), one.name.clone(), other.name.clone());
                let differ = of.get(json_name(&one.name)) != of.get(json_name(&other.name));
                *pairs.entry(key).or_default() |= differ;
            }
            let path = join(path, &one.name);
            let inner = struct_fields(schema, one).unwrap();
            let structs = match of.get(json_name(&one.name)) {
                Some(Value::Array(elements)) => elements.iter().collect(),
                Some(value) => vec![value],
                None => Vec::new(),
            };
            for value in structs.into_iter().filter(|value| value.is_object()) {
                tell_apart(schema, inner, version, &path, value, pairs);
            }
        }
    }

    /// Else the oracle would not see that the generator mixed them up.
    #[test]
    fn two_fields_of_one_type_differ_in_some_family() {
        let mut pairs_seen = 0;
        for schema in Schema::read_all(&crate::root()).unwrap() {
            for version in schema.valid_versions.iter() {
                let mut pairs = Pairs::new();
                for family in Family::ALL {
                    let value = value(&schema, version, family).unwrap();
                    tell_apart(&schema, &schema.fields, version, "", &value, &mut pairs);
                }
                let same: Vec<_> = pairs.iter().filter(|(_, differ)| !**differ).collect();
                assert!(same.is_empty(), "{} v{version}: {same:?}", schema.name);
                pairs_seen += pairs.len();
            }
        }
        assert!(pairs_seen > 1_500, "{pairs_seen}");
    }

    fn at_default(
        schema: &Schema,
        fields: &[Field],
        version: i16,
        of: &Value,
        found: &mut Vec<String>,
    ) {
        for field in fields.iter().filter(|field| field.versions.contains(version)) {
            let value = of.get(json_name(&field.name));
            let default = default_of(schema, field, version).unwrap();
            if value.is_none_or(|value| *value == default) {
                found.push(field.name.clone());
            }
            let inner = struct_fields(schema, field).unwrap();
            let structs = match value {
                Some(Value::Array(elements)) => elements.iter().collect(),
                value => value.into_iter().collect::<Vec<_>>(),
            };
            for value in structs {
                at_default(schema, inner, version, value, found);
            }
        }
    }

    /// So every field is written, and one that is dropped is missed. A struct without fields in a version
    /// has nothing else to be.
    #[test]
    fn no_field_of_a_populated_value_is_at_its_default() {
        for schema in Schema::read_all(&crate::root()).unwrap() {
            for version in schema.valid_versions.iter() {
                let value = value(&schema, version, Family::Populated).unwrap();
                let mut found = Vec::new();
                at_default(&schema, &schema.fields, version, &value, &mut found);
                assert!(found.is_empty(), "{} v{version}: {found:?}", schema.name);
            }
        }
    }

    #[test]
    fn nulls_are_where_the_version_allows_them() {
        let schemas = Schema::read_all(&crate::root()).unwrap();
        let schema = schemas.iter().find(|schema| schema.name == "MetadataRequest").unwrap();
        let topics = |version, family| value(schema, version, family).unwrap()["topics"].clone();
        assert!(topics(0, Family::Nulls).is_array() && topics(1, Family::Nulls).is_null());
        // Names are null inside of it.
        assert!(topics(12, Family::InnerNulls)[0]["name"].is_null());
        assert!(topics(12, Family::Several)[1]["name"].is_null());
        assert!(topics(12, Family::Several)[2]["name"].is_string());
    }
}
