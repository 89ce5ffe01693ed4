//! Generates `put`: from a struct to bytes, a line a field.

use super::condition::Condition;
use super::model::{Struct, StructField};
use super::names::parameter;
use super::parse::{flexible_expr, flexible_line};
use super::size::value_size;
use crate::schema::Type;
use crate::versions::Versions;

pub(super) fn put_fn(this: &Struct) -> String {
    let mut body = String::new();
    for field in &this.fields {
        body += &match (field.tag, Condition::new(field.versions, this.versions)) {
            (None, Condition::When(when)) => {
                format!("if {when} {{ {} }} {}\n", put_value(this, field), refuse(this, field))
            }
            (None, _) => put_value(this, field) + "\n",
            (Some(_), Condition::When(_)) if !field.ignorable => format!(
                "if {} && {} {{ out.fail_unsupported(\"{}.{}\"); }}\n",
                Condition::negation(field.versions, this.versions).unwrap_or_default(),
                field.is_set(),
                this.name,
                field.name
            ),
            (Some(_), _) => String::new(),
        };
    }
    body += &put_tagged(this);
    let flexible = flexible_line(this, &body);
    let parameter = |name| parameter(name, &[&body, &flexible]);
    format!(
        "fn put(&self, {}: &mut Encoder, {}: i16) {{\n{flexible}{body}}}\n",
        parameter("out"),
        parameter("version")
    )
}

/// What to do where the field does not exist: nothing if it may be dropped, else refuse it if set.
fn refuse(this: &Struct, field: &StructField) -> String {
    if field.ignorable {
        return String::new();
    }
    let (name, owner) = (&field.name, &this.name);
    format!("else if {} {{ out.fail_unsupported(\"{owner}.{name}\"); }}", field.is_set())
}

/// Writes a field's value, nulls included.
fn put_value(this: &Struct, field: &StructField) -> String {
    let (owner, name) = (&this.name, &field.name);
    let path = format!("\"{owner}.{name}\"");
    let flexible = flexible_expr(this);
    if !field.is_nullable() {
        return put_present(this, field, &format!("self.{name}"), "&");
    }
    // Where null is not allowed it is written all the same, and the fault fails the message.
    let mut code = match Condition::negation(field.nullable, field.versions) {
        Some(unless) => {
            format!("if {unless} && self.{name}.is_none() {{ out.fail_null({path}); }}\n")
        }
        None => String::new(),
    };
    code += &match &field.ty {
        Type::String => {
            format!("out.put_nullable_string({path}, self.{name}.as_ref(), {flexible});")
        }
        Type::Bytes => {
            format!("out.put_nullable_bytes({path}, self.{name}.as_ref(), {flexible});")
        }
        Type::Records => {
            format!("out.put_nullable_records({path}, self.{name}.as_ref(), {flexible});")
        }
        Type::Struct(_) => format!(
            "match &self.{name} {{ Some({name}) => {{ out.put_int8(1); {name}.put(out, version); }} None => out.put_int8(-1), }}"
        ),
        _ => format!(
            "match &self.{name} {{ Some({name}) => {{ {} }} None => out.put_null_length({flexible}), }}",
            put_present(this, field, name, "")
        ),
    };
    code
}

/// Writes a value that is not null. `value` names it, `borrow` makes a reference of it.
fn put_present(this: &Struct, field: &StructField, value: &str, borrow: &str) -> String {
    let path = format!("\"{}.{}\"", this.name, field.name);
    let flexible = flexible_expr(this);
    match &field.ty {
        Type::String | Type::Bytes | Type::Records => {
            format!("out.put_{}({path}, {borrow}{value}, {flexible});", field.ty)
        }
        Type::Struct(_) => format!("{value}.put(out, version);"),
        Type::Array(element) if **element == Type::Int32 => {
            format!("out.put_int32_array({path}, {borrow}{value}, {flexible});")
        }
        Type::Array(element) => {
            let put = match &**element {
                Type::Struct(_) => "element.put(out, version)".to_owned(),
                Type::String | Type::Bytes => {
                    format!("out.put_{element}({path}, element, {flexible})")
                }
                fixed => format!("out.put_{}(*element)", putter(field, fixed)),
            };
            format!(
                "out.put_length({path}, {value}.len(), {flexible});\n\
                 for element in {borrow}{value} {{ {put}; }}"
            )
        }
        fixed => format!("out.put_{}({value});", putter(field, fixed)),
    }
}

/// Name of the writer for a type of fixed width, behind `put_`.
fn putter(field: &StructField, ty: &Type) -> String {
    match (field.newtype(), ty) {
        (Some("ErrorCode"), _) => "error_code".to_owned(),
        (Some(_), _) => "api_key".to_owned(),
        (None, Type::Bool) => "boolean".to_owned(),
        (None, ty) => ty.to_string(),
    }
}

fn put_tagged(this: &Struct) -> String {
    if this.flexible.is_none() {
        return String::new();
    }
    let mut section = String::new();
    let mut tagged: Vec<&StructField> =
        this.fields.iter().filter(|field| field.tag.is_some()).collect();
    tagged.sort_by_key(|field| field.tag);
    let known = if tagged.is_empty() {
        "0".to_owned()
    } else {
        section += "let mut known = 0;\n";
        for field in &tagged {
            section += &format!("if {} {{ known += 1; }}\n", field.is_written(this));
        }
        "known".to_owned()
    };
    section += &format!("out.put_tag_count({known}, &self.unknown_tagged_fields);\n");
    for field in &tagged {
        section += &format!(
            "if {} {{ out.put_tag({}, {}); {} }}\n",
            field.is_written(this),
            field.tag.unwrap_or(0),
            value_size(this, field),
            put_value(this, field)
        );
    }
    section += &format!(
        "out.put_unknown_tagged_fields(\"{}.unknown_tagged_fields\", &self.unknown_tagged_fields, {});\n",
        this.name,
        known_tags_end(this, &tagged)
    );
    match Condition::new(this.flexible, this.versions) {
        Condition::When(_) => format!(
            "if flexible {{ {section} }} else if !self.unknown_tagged_fields.is_empty() \
             {{ out.fail_unsupported(\"{}.unknown_tagged_fields\"); }}\n",
            this.name
        ),
        _ => section,
    }
}

/// The first tag that the schema does not use: tags are contiguous from 0, and stay once there.
fn known_tags_end(this: &Struct, tagged: &[&StructField]) -> String {
    let mut steps: Vec<(Versions, usize)> = Vec::new();
    for (n, field) in tagged.iter().enumerate() {
        match steps.last_mut() {
            Some((versions, end)) if *versions == field.versions => *end = n + 1,
            _ => steps.push((field.versions, n + 1)),
        }
    }
    let mut expr = "0".to_owned();
    for (versions, end) in steps {
        expr = Condition::new(versions, this.flexible).choose(&end.to_string(), &expr);
    }
    expr
}
