//! Schemas resolved for generation: each struct with the versions it occurs in, each field with its
//! Rust type and default.

use anyhow::{Context as _, Result, bail, ensure};

use super::condition::Condition;
use super::names::field_name;
use crate::schema::{Field, Kind, Schema, Type};
use crate::versions::Versions;

/// A message with its structs, the message's own struct first.
pub(super) struct Message<'s> {
    pub(super) schema: &'s Schema,
    pub(super) structs: Vec<Struct>,
}

/// A struct of the generated code.
pub(super) struct Struct {
    /// Rust's name.
    pub(super) name: String,
    /// Versions of the message in which it occurs.
    pub(super) versions: Versions,
    /// Those of them that are flexible.
    pub(super) flexible: Versions,
    pub(super) fields: Vec<StructField>,
    /// The fields that hold it, as `Struct::field`; empty for the message itself.
    pub(super) used_by: Vec<String>,
}

pub(super) struct StructField {
    /// Kafka's name.
    pub(super) kafka_name: String,
    /// Rust's name.
    pub(super) name: String,
    pub(super) ty: Type,
    /// Versions of the struct that have it.
    pub(super) versions: Versions,
    /// Versions in which it may be null.
    pub(super) nullable: Versions,
    pub(super) tag: Option<u32>,
    pub(super) ignorable: bool,
    pub(super) default: Default,
    /// Rust's name of the struct that it is, or is an array of.
    pub(super) struct_name: Option<String>,
}

/// The value of a field that a version lacks.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Default {
    /// What `Default` gives for the type: false, 0, empty.
    Trivial,
    /// null, of a field that may be null.
    Null,
    /// This number, or `true`.
    Literal(String),
}

impl StructField {
    pub(super) fn is_nullable(&self) -> bool {
        !self.nullable.is_none()
    }

    /// int16 fields with a type of their own.
    pub(super) fn newtype(&self) -> Option<&'static str> {
        match &self.ty {
            Type::Int16 if self.kafka_name.ends_with("ErrorCode") => Some("ErrorCode"),
            Type::Int16 if self.kafka_name == "ApiKey" => Some("ApiKey"),
            _ => None,
        }
    }

    /// The field's type in Rust.
    pub(super) fn rust_type(&self) -> String {
        let ty = match &self.ty {
            Type::Array(element) if **element == Type::Int32 => "Int32Array".to_owned(),
            Type::Array(element) => format!("Vec<{}>", self.element_type(element)),
            ty => self.element_type(ty),
        };
        if self.is_nullable() { format!("Option<{ty}>") } else { ty }
    }

    pub(super) fn element_type(&self, ty: &Type) -> String {
        if let Some(newtype) = self.newtype() {
            return newtype.to_owned();
        }
        match ty {
            Type::Bool => "bool",
            Type::Int8 => "i8",
            Type::Int16 => "i16",
            Type::Uint16 => "u16",
            Type::Int32 => "i32",
            Type::Uint32 => "u32",
            Type::Int64 => "i64",
            Type::Float64 => "f64",
            Type::String => "KafkaString",
            Type::Uuid => "Uuid",
            Type::Bytes => "Bytes",
            Type::Records => "Records",
            Type::Struct(_) | Type::Array(_) => {
                self.struct_name.as_deref().unwrap_or("arrays do not nest")
            }
        }
        .to_owned()
    }

    /// The default as an expression.
    pub(super) fn default_expr(&self) -> String {
        match &self.default {
            Default::Null => "None".to_owned(),
            Default::Literal(literal) => literal.clone(),
            Default::Trivial if self.is_nullable() => match &self.ty {
                Type::Array(element) if **element != Type::Int32 => "Some(Vec::new())".to_owned(),
                Type::Array(_) => "Some(Int32Array::new())".to_owned(),
                Type::Struct(_) => format!("Some({}::default())", self.element_type(&self.ty)),
                ty => format!("Some({}::new())", self.element_type(ty)),
            },
            Default::Trivial => match &self.ty {
                Type::Bool => "false".to_owned(),
                Type::Float64 => "0.0".to_owned(),
                _ if self.newtype() == Some("ErrorCode") => "ErrorCode::NONE".to_owned(),
                _ if self.newtype() == Some("ApiKey") => "ApiKey(0)".to_owned(),
                Type::Uuid => "Uuid::ZERO".to_owned(),
                Type::String => "KafkaString::new()".to_owned(),
                Type::Bytes => "Bytes::new()".to_owned(),
                Type::Array(element) if **element == Type::Int32 => "Int32Array::new()".to_owned(),
                Type::Array(_) => "Vec::new()".to_owned(),
                Type::Struct(_) => format!("{}::default()", self.element_type(&self.ty)),
                Type::Records => "Records::new()".to_owned(),
                _ => "0".to_owned(),
            },
        }
    }

    /// Whether it differs from its default, as an expression.
    pub(super) fn is_set(&self) -> String {
        let name = format!("self.{}", self.name);
        match &self.default {
            Default::Null => format!("{name}.is_some()"),
            Default::Literal(literal) if literal == "true" => format!("!{name}"),
            Default::Literal(literal) => format!("{name} != {literal}"),
            Default::Trivial if self.is_nullable() => {
                format!("{name}.as_ref().is_none_or(|{}| !{}.is_empty())", self.name, self.name)
            }
            Default::Trivial => match &self.ty {
                Type::Bool => name,
                Type::String | Type::Bytes | Type::Records | Type::Array(_) => {
                    format!("!{name}.is_empty()")
                }
                _ => format!("{name} != {}", self.default_expr()),
            },
        }
    }

    /// Whether a tagged field is written: it exists in the version and differs from its default.
    pub(super) fn is_written(&self, this: &Struct) -> String {
        match Condition::new(self.versions, this.flexible) {
            Condition::When(when) => format!("{when} && {}", self.is_set()),
            _ => self.is_set(),
        }
    }

    /// Whether the derived `Default` gives the schema's default.
    pub(super) fn has_derivable_default(&self) -> bool {
        match self.default {
            Default::Null => true,
            Default::Trivial => !self.is_nullable(),
            Default::Literal(_) => false,
        }
    }
}

impl<'s> Message<'s> {
    /// Resolves a schema. Struct names that `taken` says are used elsewhere in the file get the
    /// message's name in front.
    pub(super) fn resolve(schema: &'s Schema, taken: impl Fn(&str) -> bool) -> Result<Self> {
        let mut message = Self { schema, structs: Vec::new() };
        let rename = |name: &str| {
            if taken(name) { format!("{}{name}", schema.name) } else { name.to_owned() }
        };
        message
            .add(&schema.name, &schema.fields, schema.valid_versions, None, &rename)
            .with_context(|| format!("in {}", schema.name))?;
        Ok(message)
    }

    /// All struct names that a schema declares, besides its own.
    pub(super) fn declared(schema: &Schema) -> Vec<&str> {
        fn inline<'f>(fields: &'f [Field], names: &mut Vec<&'f str>) {
            for field in fields.iter().filter(|field| !field.fields.is_empty()) {
                names.extend(field.ty.struct_name());
                inline(&field.fields, names);
            }
        }
        let mut names = Vec::new();
        inline(&schema.fields, &mut names);
        for common in &schema.common_structs {
            names.push(common.name.as_str());
            inline(&common.fields, &mut names);
        }
        names
    }

    pub(super) fn flexible(&self) -> Versions {
        let flexible = self.schema.flexible_versions.unwrap_or(Versions::None);
        flexible.intersect(self.schema.valid_versions)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Struct> {
        self.structs.iter().find(|this| this.name == name)
    }

    /// Adds a struct and those of its fields, or widens the versions of one that is there.
    fn add(
        &mut self,
        name: &str,
        fields: &[Field],
        versions: Versions,
        used_by: Option<&str>,
        rename: &dyn Fn(&str) -> String,
    ) -> Result<()> {
        let flexible = self.flexible();
        let mut versions = versions;
        let mut users = Vec::new();
        let at = self.structs.iter().position(|this| this.name == name);
        if let Some(at) = at {
            versions = versions.hull(self.structs[at].versions);
            users = std::mem::take(&mut self.structs[at].used_by);
        }
        users.extend(used_by.map(str::to_owned));
        users.dedup();
        let resolved = fields
            .iter()
            .filter(|field| !field.versions.intersect(versions).is_none())
            .map(|field| self.field(field, versions, rename))
            .collect::<Result<Vec<_>>>()?;
        let this = Struct {
            name: name.to_owned(),
            versions,
            flexible: flexible.intersect(versions),
            fields: resolved,
            used_by: users,
        };
        match at {
            Some(at) => self.structs[at] = this,
            None => self.structs.push(this),
        }
        for field in fields {
            let Some(kafka_name) = field.ty.struct_name() else { continue };
            let versions = field.versions.intersect(versions);
            if versions.is_none() {
                continue;
            }
            let inner = self.struct_fields(field, kafka_name)?.to_vec();
            let user = format!("{name}::{}", field_name(&field.name));
            self.add(&rename(kafka_name), &inner, versions, Some(&user), rename)?;
        }
        Ok(())
    }

    /// The fields of the struct that a field is: inline, or shared under the name.
    fn struct_fields<'f>(&'f self, field: &'f Field, name: &str) -> Result<&'f [Field]> {
        if !field.fields.is_empty() {
            return Ok(&field.fields);
        }
        let common = self.schema.common_structs.iter().find(|common| common.name == name);
        Ok(&common.with_context(|| format!("no struct {name}"))?.fields)
    }

    fn field(
        &self,
        field: &Field,
        context: Versions,
        rename: &dyn Fn(&str) -> String,
    ) -> Result<StructField> {
        let versions = field.versions.intersect(context);
        let nullable = field.nullable_versions.unwrap_or(Versions::None).intersect(versions);
        if field.tag.is_some() {
            let tagged = field.tagged_versions.unwrap_or(Versions::None).intersect(context);
            ensure!(tagged == versions, "{}: tagged in some versions only", field.name);
            ensure!(
                tagged.intersect(self.flexible()) == tagged,
                "{}: tagged in a version that is not flexible",
                field.name
            );
            let is_nullable_struct = matches!(field.ty, Type::Struct(_)) && !nullable.is_none();
            ensure!(!is_nullable_struct, "{}: tagged nullable struct", field.name);
        }
        let is_client_id = self.schema.kind == Kind::Header;
        ensure!(field.flexible_versions.is_none() || is_client_id, "{}: override", field.name);
        Ok(StructField {
            kafka_name: field.name.clone(),
            name: field_name(&field.name),
            ty: field.ty.clone(),
            versions,
            nullable,
            tag: field.tag,
            ignorable: field.ignorable,
            default: default_of(field, !nullable.is_none())?,
            struct_name: field.ty.struct_name().map(rename),
        })
    }
}

fn default_of(field: &Field, is_nullable: bool) -> Result<Default> {
    let Some(text) = field.default.as_deref() else {
        // Records have no empty default: Kafka's is null.
        return Ok(if field.ty == Type::Records && is_nullable {
            Default::Null
        } else {
            Default::Trivial
        });
    };
    if text == "null" {
        ensure!(is_nullable, "{}: default null of a field without null", field.name);
        return Ok(Default::Null);
    }
    let literal = match field.ty {
        Type::Bool => match text.to_ascii_lowercase().as_str() {
            "true" => "true".to_owned(),
            "false" => return Ok(Default::Trivial),
            _ => bail!("{}: default `{text}`", field.name),
        },
        Type::Int8 | Type::Int16 | Type::Uint16 | Type::Int32 | Type::Uint32 | Type::Int64 => {
            match integer(text).with_context(|| format!("{}: default `{text}`", field.name))? {
                0 => return Ok(Default::Trivial),
                number => literal(number),
            }
        }
        Type::String if text.is_empty() => return Ok(Default::Trivial),
        _ => bail!("{}: default `{text}` of {}", field.name, field.ty),
    };
    Ok(Default::Literal(literal))
}

fn integer(text: &str) -> Result<i64> {
    Ok(match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16)?,
        None => text.parse()?,
    })
}

/// The extremes by name, long numbers in groups of three.
fn literal(number: i64) -> String {
    if number == i64::from(i32::MIN) {
        return "i32::MIN".to_owned();
    }
    if number == i64::from(i32::MAX) {
        return "i32::MAX".to_owned();
    }
    if number == i64::MAX {
        return "i64::MAX".to_owned();
    }
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if digits.len() > 4 && n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    if number < 0 { format!("-{grouped}") } else { grouped }
}
