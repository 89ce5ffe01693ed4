//! Generates `parse`: from bytes to a struct, a line a field.

use super::condition::Condition;
use super::model::{Struct, StructField};
use super::names::{has_word, parameter};
use crate::schema::Type;

pub(super) fn parse_fn(this: &Struct) -> String {
    let mut body = String::new();
    for field in this.fields.iter().filter(|field| field.tag.is_none()) {
        body += &field_line(this, field);
    }
    body += &tagged_lines(this);
    let name = |field: &StructField| match field.local() {
        local if local == field.name => local,
        local => format!("{}: {local}", field.name),
    };
    let names: Vec<String> = this.fields.iter().map(name).collect();
    let mut names = names.join(", ");
    if !this.flexible.is_none() {
        names += ", unknown_tagged_fields";
    }
    body += &format!("Ok((i, Self {{ {names} }}))\n");
    let flexible = flexible_line(this, &body);
    let parameter = |name| parameter(name, &[&body, &flexible]);
    format!(
        "fn parse<'i>(i: &'i [u8], {}: i16, {}: &mut Context<'_>) -> Parsed<'i, Self> {{\n\
         {flexible}{body}}}\n",
        parameter("version"),
        parameter("cx"),
    )
}

/// `let flexible = …;` if `body` asks for it.
pub(super) fn flexible_line(this: &Struct, body: &str) -> String {
    match Condition::new(this.flexible, this.versions) {
        Condition::When(when) if has_word(body, "flexible") => format!("let flexible = {when};\n"),
        _ => String::new(),
    }
}

/// How code of this struct says whether the version is flexible.
pub(super) fn flexible_expr(this: &Struct) -> &'static str {
    match Condition::new(this.flexible, this.versions) {
        Condition::Always => "true",
        Condition::Never => "false",
        Condition::When(_) => "flexible",
    }
}

fn field_line(this: &Struct, field: &StructField) -> String {
    let (name, local) = (&field.name, field.local());
    let value = format!("{}.at(\"{name}\")", value_expr(this, field));
    match Condition::new(field.versions, this.versions) {
        Condition::When(when) => format!(
            "let (i, {local}) = if {when} {{ {value}? }} else {{ (i, {}) }};\n",
            field.default_expr()
        ),
        _ => format!("let (i, {local}) = {value}?;\n"),
    }
}

/// The parser of a field's value, nulls included.
fn value_expr(this: &Struct, field: &StructField) -> String {
    match Condition::new(field.nullable, field.versions) {
        Condition::Always => parser(this, field, true),
        Condition::Never => parser(this, field, false),
        Condition::When(when) => format!("null_if({when}, i, {})", parser(this, field, true)),
    }
}

fn parser(this: &Struct, field: &StructField, nullable: bool) -> String {
    let flexible = flexible_expr(this);
    let prefix = if nullable { "nullable_" } else { "" };
    match &field.ty {
        Type::String | Type::Bytes => {
            let ty = field.ty.to_string();
            format!("{prefix}{ty}(i, {flexible}, cx)")
        }
        Type::Records => format!("{prefix}records(i, {flexible}, cx)"),
        Type::Struct(_) => {
            let call = format!("{}::parse(i, version, cx)", field.element_type(&field.ty));
            if nullable { format!("nullable_struct(i, |i| {call})") } else { call }
        }
        Type::Array(element) if **element == Type::Int32 => {
            format!("{prefix}int32_array(i, {flexible}, cx)")
        }
        Type::Array(element) => {
            let min_len = min_len_expr(this, field, element);
            let parse = match &**element {
                Type::Struct(_) => {
                    format!("|i, cx| {}::parse(i, version, cx)", field.element_type(element))
                }
                Type::String | Type::Bytes => format!("|i, cx| {element}(i, {flexible}, cx)"),
                fixed => format!("|i, _| {}(i)", scalar(field, fixed)),
            };
            format!("{prefix}array(i, {flexible}, {min_len}, cx, {parse})")
        }
        fixed => format!("{}(i)", scalar(field, fixed)),
    }
}

/// Name of the leaf for a type of fixed width.
fn scalar(field: &StructField, ty: &Type) -> String {
    match (field.newtype(), ty) {
        (Some("ErrorCode"), _) => "error_code_int16".to_owned(),
        (Some(_), _) => "api_key_int16".to_owned(),
        (None, Type::Bool) => "boolean".to_owned(),
        (None, ty) => ty.to_string(),
    }
}

/// The least bytes that an array's element takes.
fn min_len_expr(this: &Struct, field: &StructField, element: &Type) -> String {
    match element {
        Type::Struct(_) => format!("{}::min_len(version)", field.element_type(element)),
        Type::String => flexible_choice(this, 1, 2),
        Type::Bytes => flexible_choice(this, 1, 4),
        fixed => fixed.fixed_len().unwrap_or(0).to_string(),
    }
}

fn flexible_choice(this: &Struct, compact: usize, classic: usize) -> String {
    match flexible_expr(this) {
        "true" => compact.to_string(),
        "false" => classic.to_string(),
        flexible => format!("if {flexible} {{ {compact} }} else {{ {classic} }}"),
    }
}

fn tagged_lines(this: &Struct) -> String {
    if this.flexible.is_none() {
        return String::new();
    }
    let tagged: Vec<&StructField> =
        this.fields.iter().filter(|field| field.tag.is_some()).collect();
    let mut lines = String::new();
    let mut arms = String::new();
    for field in &tagged {
        let (name, tag) = (&field.name, field.tag.unwrap_or(0));
        lines += &format!("let mut {name} = {};\n", field.default_expr());
        let guard = match Condition::new(field.versions, this.flexible) {
            Condition::When(when) => format!(" if {when}"),
            _ => String::new(),
        };
        let value = value_expr(this, field);
        arms += &format!(
            "{tag}{guard} => {{ let (i, value) = {value}.at(\"{name}\")?; {name} = value; Ok((i, true)) }}\n"
        );
    }
    let call = if tagged.is_empty() {
        "unknown_tagged_fields(i, cx)?".to_owned()
    } else {
        let cx = parameter("cx", &[&arms]);
        format!("tagged_fields(i, cx, |tag, i, {cx}| match tag {{ {arms} _ => Ok((i, false)) }})?")
    };
    let section = match flexible_expr(this) {
        "flexible" => {
            format!("if flexible {{ {call} }} else {{ (i, UnknownTaggedFields::default()) }}")
        }
        _ => call,
    };
    lines + &format!("let (i, unknown_tagged_fields) = {section};\n")
}
