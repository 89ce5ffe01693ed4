//! Generates the struct definitions, their documentation and their traits.

use super::model::{Default, Message, Struct, StructField};
use super::parse::parse_fn;
use super::put::put_fn;
use super::size::{min_len_fn, size_fn, smallest};
use crate::schema::{Kind, Type};
use crate::versions::Versions;

/// Everything of one message.
pub(super) fn message_items(message: &Message<'_>, response: Option<&str>) -> String {
    let mut code = String::new();
    for (n, this) in message.structs.iter().enumerate() {
        code += &definition(message, this);
        if n == 0 {
            code += &message_impl(message, this);
            if let (Kind::Request, Some(response)) = (message.schema.kind, response) {
                code += &request_impl(message, response);
            }
        }
        let min_len =
            if is_element(message, this) { min_len_fn(message, this) } else { String::new() };
        code += &format!(
            "impl {} {{\n{}\n{}\n{}\n{min_len}}}\n\n",
            this.name,
            parse_fn(this),
            put_fn(this),
            size_fn(this),
        );
    }
    code
}

fn definition(message: &Message<'_>, this: &Struct) -> String {
    // Elements of an array are filled in place, from defaults that are a constant in memory: made of
    // single stores they would be slow to copy.
    let is_constant = is_element(message, this)
        && !this.fields.iter().any(|field| matches!(field.ty, Type::Struct(_)));
    let derives_default =
        !is_constant && this.fields.iter().all(StructField::has_derivable_default);
    let has_float = has_float(message, this);
    let mut code = struct_doc(message, this);
    code += &format!(
        "#[derive(Debug, Clone, PartialEq{}{})]\npub struct {} {{\n",
        if has_float { "" } else { ", Eq" },
        if derives_default { ", Default" } else { "" },
        this.name
    );
    for field in &this.fields {
        code += &format!("{}pub {}: {},\n", field_doc(this, field), field.name, field.rust_type());
    }
    if !this.flexible.is_none() {
        code += "/// Tagged fields that the schema does not know; written back as they are.\n";
        code += "pub unknown_tagged_fields: UnknownTaggedFields,\n";
    }
    code += "}\n\n";
    if !derives_default {
        let (open, close) = if is_constant { ("const { ", " }") } else { ("", "") };
        code +=
            &format!("impl Default for {} {{\nfn default() -> Self {{\n{open}Self {{\n", this.name);
        for field in &this.fields {
            code += &format!("{}: {},\n", field.name, field.default_expr());
        }
        if !this.flexible.is_none() {
            code += "unknown_tagged_fields: UnknownTaggedFields::new(),\n";
        }
        code += &format!("}}{close}\n}}\n}}\n\n");
    }
    code
}

/// Floats compare, but not always equal to themselves.
fn has_float(message: &Message<'_>, this: &Struct) -> bool {
    this.fields.iter().any(|field| {
        let element = match &field.ty {
            Type::Array(element) => element,
            ty => ty,
        };
        let inner = field.struct_name.as_deref().and_then(|name| message.find(name));
        *element == Type::Float64 || inner.is_some_and(|inner| has_float(message, inner))
    })
}

fn struct_doc(message: &Message<'_>, this: &Struct) -> String {
    let versions = spoken(this.versions);
    if !this.used_by.is_empty() {
        let users: Vec<String> = this.used_by.iter().map(|user| format!("[`{user}`]")).collect();
        return format!("/// In {}; {versions}.\n", users.join(" and "));
    }
    let schema = message.schema;
    let flexible = match message.flexible() {
        Versions::Range { min, .. } if message.flexible() != this.versions => {
            format!(", flexible from {min}")
        }
        Versions::None => ", never flexible".to_owned(),
        Versions::Range { .. } => ", all flexible".to_owned(),
    };
    let unstable = if schema.latest_version_unstable { ", the highest unstable" } else { "" };
    format!("/// `{}`, {versions}{flexible}{unstable}.\n", schema.name)
}

fn field_doc(this: &Struct, field: &StructField) -> String {
    let mut facts = vec![format!("`{}`", field.kafka_name)];
    if field.versions != this.versions {
        let drop = if field.ignorable { ", dropped from others" } else { "" };
        facts.push(format!("{}{drop}", spoken(field.versions)));
    }
    if let Some(tag) = field.tag {
        facts.push(format!("tag {tag}"));
    }
    if field.is_nullable() && field.nullable != field.versions {
        facts.push(format!("null in {}", spoken(field.nullable)));
    }
    if let Default::Literal(literal) = &field.default {
        facts.push(format!("default {literal}"));
    }
    format!("/// {}.\n", facts.join("; "))
}

fn spoken(versions: Versions) -> String {
    match versions {
        Versions::None => "no version".to_owned(),
        Versions::Range { min, max } if min == max => format!("version {min}"),
        Versions::Range { min, max } => format!("versions {min} to {max}"),
    }
}

fn message_impl(message: &Message<'_>, this: &Struct) -> String {
    let flexible = match message.flexible() {
        Versions::Range { min, .. } => format!("Some({min})"),
        Versions::None => "None".to_owned(),
    };
    format!(
        "impl Message for {name} {{
            const NAME: &'static str = \"{kafka}\";
            const VERSIONS: VersionRange = {versions};
            const FLEXIBLE_FROM: Option<i16> = {flexible};
            const MEMORY_PER_BYTE: usize = {memory};

            fn encoded_len(&self, version: i16) -> usize {{
                self.size(version)
            }}

            fn write(&self, out: &mut Encoder, version: i16) -> Result<(), EncodeError> {{
                message::write(self, out, version, Self::put)
            }}

            fn decode_with(buf: &mut Bytes, version: i16, limits: &DecodeLimits) -> Result<Self, DecodeError> {{
                message::decode(buf, version, limits, Self::parse)
            }}
        }}\n\n",
        name = this.name,
        kafka = message.schema.name,
        versions = range_expr(message.schema.valid_versions),
        memory = memory_expr(message),
    )
}

fn request_impl(message: &Message<'_>, response: &str) -> String {
    let schema = message.schema;
    let name = &schema.name;
    let constant = super::names::constant_name(name.trim_end_matches("Request"));
    format!(
        "impl Request for {name} {{
            type Response = {response};
            const KEY: ApiKey = ApiKey::{constant};
            const STABLE_VERSIONS: VersionRange = {};
        }}\n\n",
        range_expr(stable_versions(schema.valid_versions, schema.latest_version_unstable))
    )
}

pub(super) fn stable_versions(valid: Versions, latest_is_unstable: bool) -> Versions {
    match valid {
        Versions::Range { min, max } if latest_is_unstable => Versions::range(min, max - 1),
        versions => versions,
    }
}

pub(super) fn range_expr(versions: Versions) -> String {
    match versions {
        Versions::Range { min, max } => format!("VersionRange::new({min}, {max})"),
        Versions::None => "VersionRange::new(0, -1)".to_owned(),
    }
}

/// The message's memory bound: for each kind of element that is allocated, its size in memory and its
/// least size on the wire.
fn memory_expr(message: &Message<'_>) -> String {
    let mut elements: Vec<(String, usize)> = Vec::new();
    for this in &message.structs {
        for field in &this.fields {
            let Type::Array(element) = &field.ty else { continue };
            let ty = match &**element {
                Type::Int32 => "Int32Array".to_owned(),
                element => field.element_type(element),
            };
            let least = field
                .versions
                .iter()
                .map(|version| match &**element {
                    Type::Struct(_) => message.find(&ty).map_or(0, |inner| {
                        smallest(message, inner, Versions::range(version, version))
                    }),
                    Type::String => {
                        if this.flexible.contains(version) {
                            1
                        } else {
                            2
                        }
                    }
                    Type::Bytes => {
                        if this.flexible.contains(version) {
                            1
                        } else {
                            4
                        }
                    }
                    fixed => fixed.fixed_len().unwrap_or(0),
                })
                .min()
                .unwrap_or(0);
            match elements.iter_mut().find(|(name, _)| *name == ty) {
                Some((_, len)) => *len = least.min(*len),
                None => elements.push((ty, least)),
            }
        }
    }
    let mut pairs: Vec<String> = elements
        .iter()
        .map(|(ty, least)| match ty.as_str() {
            "Int32Array" => format!("({ty}::MEMORY_PER_BYTE, 1)"),
            ty => format!("(size_of::<{ty}>(), {least})"),
        })
        .collect();
    if !message.flexible().is_none() {
        pairs.push("(UnknownTaggedFields::MEMORY_PER_BYTE, 1)".to_owned());
    }
    if pairs.is_empty() {
        "0".to_owned()
    } else {
        format!("memory_per_byte(&[{}])", pairs.join(", "))
    }
}

/// Whether some array holds it.
fn is_element(message: &Message<'_>, this: &Struct) -> bool {
    message.structs.iter().flat_map(|user| &user.fields).any(|field| {
        matches!(field.ty, Type::Array(_)) && field.struct_name.as_deref() == Some(&this.name)
    })
}
