//! Generates `size` and `min_len`: how many bytes a struct takes.

use std::collections::BTreeMap;

use super::condition::Condition;
use super::model::{Message, Struct, StructField};
use super::names::parameter;
use super::parse::{flexible_expr, flexible_line};
use crate::schema::Type;
use crate::versions::Versions;

pub(super) fn size_fn(this: &Struct) -> String {
    let mut always = 0;
    let mut sometimes: Vec<(String, usize)> = Vec::new();
    let mut variable = String::new();
    for field in this.fields.iter().filter(|field| field.tag.is_none()) {
        let condition = Condition::new(field.versions, this.versions);
        match (field.ty.fixed_len(), condition) {
            (Some(len), Condition::When(when)) => match sometimes.last_mut() {
                Some((last, sum)) if *last == when => *sum += len,
                _ => sometimes.push((when, len)),
            },
            (Some(len), _) => always += len,
            (None, Condition::When(when)) => {
                variable += &format!("if {when} {{ {} }}\n", add_size(this, field));
            }
            (None, _) => variable += &(add_size(this, field) + "\n"),
        }
    }
    let mut body = String::new();
    for (when, len) in sometimes {
        body += &format!("if {when} {{ len += {len}; }}\n");
    }
    body += &variable;
    body += &tagged_size(this);
    let flexible = flexible_line(this, &body);
    let version = parameter("version", &[&body, &flexible]);
    let body = if body.is_empty() {
        format!("{always}\n")
    } else {
        format!("let mut len = {always};\n{body}len\n")
    };
    format!("fn size(&self, {version}: i16) -> usize {{\n{flexible}{body}}}\n")
}

/// `len += …` for a field of variable length.
fn add_size(this: &Struct, field: &StructField) -> String {
    let flexible = flexible_expr(this);
    let name = &field.name;
    let Type::Array(element) = &field.ty else {
        return format!("len += {};", value_size(this, field));
    };
    if **element == Type::Int32 || element.fixed_len().is_some() {
        return format!("len += {};", value_size(this, field));
    }
    let each = element_size(element, flexible);
    if field.is_nullable() {
        format!(
            "match &self.{name} {{ Some({name}) => {{ len += length_len({name}.len(), {flexible}); \
             for element in {name} {{ len += {each}; }} }} None => len += null_length_len({flexible}), }}"
        )
    } else {
        format!(
            "len += length_len(self.{name}.len(), {flexible});\n\
             for element in &self.{name} {{ len += {each}; }}"
        )
    }
}

fn element_size(element: &Type, flexible: &str) -> String {
    match element {
        Type::Struct(_) => "element.size(version)".to_owned(),
        Type::String => format!("string_len(element, {flexible})"),
        Type::Bytes => format!("bytes_len(element.len(), {flexible})"),
        fixed => fixed.fixed_len().unwrap_or(0).to_string(),
    }
}

/// The size of a field's value as one expression.
pub(super) fn value_size(this: &Struct, field: &StructField) -> String {
    let flexible = flexible_expr(this);
    let name = format!("self.{}", field.name);
    if let Some(len) = field.ty.fixed_len() {
        return len.to_string();
    }
    match (&field.ty, field.is_nullable()) {
        (Type::String, false) => format!("string_len(&{name}, {flexible})"),
        (Type::String, true) => format!("nullable_string_len({name}.as_ref(), {flexible})"),
        (Type::Bytes | Type::Records, false) => format!("bytes_len({name}.len(), {flexible})"),
        (Type::Bytes, true) => {
            format!("nullable_bytes_len({name}.as_ref().map(Bytes::len), {flexible})")
        }
        (Type::Records, true) => {
            format!("nullable_bytes_len({name}.as_ref().map(Records::len), {flexible})")
        }
        (Type::Struct(_), false) => format!("{name}.size(version)"),
        (Type::Struct(_), true) => {
            format!("1 + {name}.as_ref().map_or(0, |{}| {}.size(version))", field.name, field.name)
        }
        (Type::Array(element), nullable) => {
            let (of, close) = if nullable {
                (
                    format!(
                        "{name}.as_ref().map_or_else(|| null_length_len({flexible}), |values| "
                    ),
                    ")",
                )
            } else {
                (String::new(), "")
            };
            let values = if nullable { "values".to_owned() } else { name };
            let content = match element.fixed_len() {
                Some(1) => format!("{values}.len()"),
                Some(len) => format!("{len} * {values}.len()"),
                None => format!(
                    "{values}.iter().map(|element| {}).sum::<usize>()",
                    element_size(element, flexible)
                ),
            };
            format!("{of}length_len({values}.len(), {flexible}) + {content}{close}")
        }
        _ => "0".to_owned(),
    }
}

fn tagged_size(this: &Struct) -> String {
    if this.flexible.is_none() {
        return String::new();
    }
    let tagged: Vec<&StructField> =
        this.fields.iter().filter(|field| field.tag.is_some()).collect();
    let mut section = String::new();
    let known = if tagged.is_empty() {
        "0"
    } else {
        section += "let mut known = 0;\n";
        "known"
    };
    for field in &tagged {
        section += &format!(
            "if {} {{ known += 1; len += tagged_field_len({}, {}); }}\n",
            field.is_written(this),
            field.tag.unwrap_or(0),
            value_size(this, field)
        );
    }
    section += &format!("len += tagged_section_len({known}, &self.unknown_tagged_fields);\n");
    match Condition::new(this.flexible, this.versions) {
        Condition::When(_) => format!("if flexible {{ {section} }}\n"),
        _ => section,
    }
}

/// The least bytes that a struct takes in a version.
pub(super) fn min_len(message: &Message<'_>, this: &Struct, version: i16) -> usize {
    let flexible = this.flexible.contains(version);
    let mut len = usize::from(flexible);
    for field in &this.fields {
        if field.tag.is_none() && field.versions.contains(version) {
            len += min_field_len(message, field, version, flexible);
        }
    }
    len
}

fn min_field_len(
    message: &Message<'_>,
    field: &StructField,
    version: i16,
    flexible: bool,
) -> usize {
    match &field.ty {
        Type::String => {
            if flexible {
                1
            } else {
                2
            }
        }
        Type::Bytes | Type::Records | Type::Array(_) => {
            if flexible {
                1
            } else {
                4
            }
        }
        Type::Struct(_) if field.nullable.contains(version) => 1,
        Type::Struct(_) => {
            let inner = field.struct_name.as_deref().and_then(|name| message.find(name));
            inner.map_or(0, |inner| min_len(message, inner, version))
        }
        fixed => fixed.fixed_len().unwrap_or(0),
    }
}

/// `min_len` as a function of the version, for a struct that is an array's element.
pub(super) fn min_len_fn(message: &Message<'_>, this: &Struct) -> String {
    let mut ranges: BTreeMap<usize, Vec<(i16, i16)>> = BTreeMap::new();
    let mut last = 0;
    for version in this.versions.iter() {
        last = min_len(message, this, version);
        let ranges = ranges.entry(last).or_default();
        match ranges.last_mut() {
            Some((_, to)) if *to == version - 1 => *to = version,
            _ => ranges.push((version, version)),
        }
    }
    ranges.remove(&last);
    let spell = |(from, to): &(i16, i16)| {
        if from == to { from.to_string() } else { format!("{from}..={to}") }
    };
    let arm = |(len, ranges): (&usize, &Vec<(i16, i16)>)| {
        let ranges: Vec<String> = ranges.iter().map(spell).collect();
        format!("{} => {len},\n", ranges.join(" | "))
    };
    let arms: String = ranges.iter().map(arm).collect();
    let (version, body) = match arms.as_str() {
        "" => ("_version", last.to_string()),
        arms => ("version", format!("match version {{ {arms} _ => {last}, }}")),
    };
    format!(
        "/// Least bytes on the wire.\nconst fn min_len({version}: i16) -> usize {{ {body} }}\n"
    )
}

/// The smallest that an element can be in any version.
pub(super) fn smallest(message: &Message<'_>, this: &Struct, versions: Versions) -> usize {
    versions.iter().map(|version| min_len(message, this, version)).min().unwrap_or(0)
}
