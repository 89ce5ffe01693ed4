//! Generates `parse`: from bytes to a struct, a line a field.

use super::condition::Condition;
use super::model::{Struct, StructField};
use super::names::{has_word, parameter};
use crate::schema::Type;

pub(super) fn parse_fn(this: &Struct) -> String {
    let mut body = String::new();
    for field in this.fields.iter().filter(|field| field.tag.is_none()) {
        body += &match Condition::new(field.versions, this.versions) {
            Condition::When(when) => format!("if {when} {{ {} }}\n", field_line(this, field)),
            _ => field_line(this, field) + "\n",
        };
    }
    body += &tagged_lines(this);
    body += "Ok(i)\n";
    let flexible = flexible_line(this, &body);
    let parameter = |name| parameter(name, &[&body, &flexible]);
    let mutable = if body.contains("i = ") || body.contains("(i, ") { "mut " } else { "" };
    format!(
        "/// Reads what this version has; the other fields stay.\n\
         fn parse<'i>(&mut self, {mutable}i: &'i [u8], {}: i16, {}: &mut Context<'_>) -> Rest<'i> {{\n\
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

/// Reads a field into its place.
fn field_line(this: &Struct, field: &StructField) -> String {
    let name = &field.name;
    let flexible = flexible_expr(this);
    match &field.ty {
        Type::Struct(_) if !field.is_nullable() => {
            format!("i = self.{name}.parse(i, version, cx).at(\"{name}\")?;")
        }
        Type::Array(element) if **element == Type::Int32 && !field.is_nullable() => {
            format!("i = int32_array(&mut self.{name}, i, {flexible}, cx).at(\"{name}\")?;")
        }
        _ => format!("(i, self.{name}) = {}.at(\"{name}\")?;", value_expr(this, field)),
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
            let parse = format!("{}::parse", field.element_type(&field.ty));
            format!("nullable_struct(i, |it, i| {parse}(it, i, version, cx))")
        }
        Type::Array(element) if **element == Type::Int32 => {
            format!("{prefix}int32_array(i, {flexible}, cx)")
        }
        Type::Array(element) => {
            let min_len = min_len_expr(this, field, element);
            let parse = match &**element {
                Type::Struct(_) => {
                    let ty = field.element_type(element);
                    format!("|it: &mut {ty}, i, cx| it.parse(i, version, cx)")
                }
                Type::String | Type::Bytes => {
                    format!("value(|i, cx| {element}(i, {flexible}, cx))")
                }
                fixed => format!("value(|i, _| {}(i))", scalar(field, fixed)),
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
    let mut arms = String::new();
    for field in &tagged {
        let guard = match Condition::new(field.versions, this.flexible) {
            Condition::When(when) => format!(" if {when}"),
            _ => String::new(),
        };
        let tag = field.tag.unwrap_or(0);
        arms += &format!("{tag}{guard} => {{ {} Ok((i, true)) }}\n", field_line(this, field));
    }
    let call = if tagged.is_empty() {
        "unknown_tagged_fields(i, cx)?".to_owned()
    } else {
        let cx = parameter("cx", &[&arms]);
        format!(
            "tagged_fields(i, cx, |tag, mut i, {cx}| match tag {{ {arms} _ => Ok((i, false)) }})?"
        )
    };
    let section = format!("(i, self.unknown_tagged_fields) = {call};");
    match flexible_expr(this) {
        "flexible" => format!("if flexible {{ {section} }}\n"),
        _ => section + "\n",
    }
}
