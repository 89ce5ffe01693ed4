//! The table from which the oracle's crate learns Kafka's names of all generated fields.

use anyhow::Result;

use super::values::json_name;
use crate::codegen;
use crate::schema::Schema;

/// Calls of the macros in `xtask/oracle/src/messages.rs`.
pub(super) fn text(schemas: &[Schema]) -> Result<String> {
    let mut structs = String::new();
    let mut messages = String::new();
    for this in codegen::structs(schemas)? {
        let path = format!("kafka_protocol::messages::{}", this.path);
        structs += &format!("    {path} {{");
        for (kafka, rust) in &this.fields {
            structs += &format!(" {rust} \"{}\"", json_name(kafka));
        }
        structs += if this.is_flexible { " } unknown_tagged_fields;\n" } else { " };\n" };
        if let Some(message) = this.message {
            messages += &format!("    \"{message}\" {path};\n");
        }
    }
    Ok(format!("structs! {{\n{structs}}}\n\nmessages! {{\n{messages}}}\n"))
}
