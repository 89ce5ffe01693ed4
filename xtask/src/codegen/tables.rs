//! Generates what spans all messages: module lists, API keys, the visitor.

use anyhow::{Context, Result};

use super::items::{range_expr, stable_versions};
use super::names::constant_name;
use super::{GENERATED, Unit};
use crate::versions::Versions;

/// `messages/<group>/mod.rs`.
pub(super) fn group_file(group: &str, units: &[&Unit<'_>]) -> String {
    let modules: String =
        units.iter().map(|unit| format!("pub mod {};\n", unit.module())).collect();
    format!("//! Messages of the Cargo feature `{group}`.\n{GENERATED}\n{modules}")
}

/// `messages/mod.rs`: every module and every message in one list.
pub(super) fn messages_file(units: &[Unit<'_>]) -> String {
    let mut code =
        "//! Kafka's messages, one module an API: a request, its response, their structs.\n\
                    //!\n//! | Cargo feature | modules |\n//! |---|---|\n"
            .to_owned();
    for group in super::groups::GROUPS {
        let links: Vec<String> =
            of_group(units, group).map(|unit| format!("[`{0}`]", unit.module())).collect();
        code += &format!("//! | `{group}` | {} |\n", links.join(", "));
    }
    code += GENERATED;
    code += "\npub(crate) mod api_key;\nmod visit;\n\npub use visit::{RequestVisitor, visit_request};\n\n";
    for group in super::groups::GROUPS {
        let modules: Vec<String> = of_group(units, group).map(Unit::module).collect();
        code += &format!("#[cfg(feature = \"{group}\")]\nmod {group};\n");
        code += &format!(
            "#[cfg(feature = \"{group}\")]\npub use {group}::{{{}}};\n",
            modules.join(", ")
        );
        let messages: Vec<String> = of_group(units, group)
            .flat_map(|unit| {
                unit.schemas.iter().map(|schema| format!("{}::{}", unit.module(), schema.name))
            })
            .collect();
        code += &format!(
            "#[cfg(feature = \"{group}\")]\n#[doc(no_inline)]\npub use {group}::{{{}}};\n\n",
            messages.join(", ")
        );
    }
    code
}

fn of_group<'u, 's>(
    units: &'u [Unit<'s>],
    group: &str,
) -> impl Iterator<Item = &'u Unit<'s>> + use<'u, 's> {
    let group = group.to_owned();
    units.iter().filter(move |unit| unit.group == group)
}

/// Units that are APIs, by key.
fn apis<'u, 's>(units: &'u [Unit<'s>]) -> Vec<(i16, &'u Unit<'s>)> {
    let mut apis: Vec<(i16, &Unit<'_>)> =
        units.iter().filter_map(|unit| Some((unit.request()?.api_key?, unit))).collect();
    apis.sort_by_key(|(key, _)| *key);
    apis
}

/// `messages/api_key.rs`: the constants and facts of every API, whatever features are on.
pub(super) fn api_key_file(units: &[Unit<'_>]) -> Result<String> {
    let mut constants = String::new();
    let mut all = String::new();
    let mut arms = String::new();
    for (key, unit) in apis(units) {
        let (name, constant) = (unit.name, constant_name(unit.name));
        let request = unit.request().context("an API has a request")?;
        let [_, response] = unit.schemas.as_slice() else {
            anyhow::bail!("{name} has no response");
        };
        let flexible_from = |versions: Option<Versions>| match versions {
            Some(Versions::Range { min, .. }) => min.to_string(),
            _ => "i16::MAX".to_owned(),
        };
        constants += &format!("/// {name}.\npub const {constant}: Self = Self({key});\n");
        all += &format!("Self::{constant}, ");
        arms += &format!(
            "Self::{constant} => ApiInfo {{ name: \"{name}\", versions: {}, stable_versions: {}, \
             request_flexible_from: {}, response_flexible_from: {} }},\n",
            range_expr(request.valid_versions),
            range_expr(stable_versions(request.valid_versions, request.latest_version_unstable)),
            flexible_from(request.flexible_versions),
            flexible_from(response.flexible_versions),
        );
    }
    Ok(format!(
        "//! The keys of all APIs and what the schemas say of them.\n{GENERATED}\n\
         use crate::api::ApiInfo;\nuse crate::{{ApiKey, VersionRange}};\n\n\
         impl ApiKey {{\n{constants}\n\
         /// Every API that is known here, in the order of their keys.\n\
         pub const ALL: &[Self] = &[{all}];\n\n\
         pub(crate) const fn info(self) -> Option<ApiInfo> {{ Some(match self {{ {arms} _ => return None, }}) }}\n}}\n"
    ))
}

/// `messages/visit.rs`: from an API key to its types.
pub(super) fn visit_file(units: &[Unit<'_>]) -> String {
    let mut arms = String::new();
    for (_, unit) in apis(units) {
        let (group, name) = (unit.group, unit.name);
        arms += &format!(
            "#[cfg(feature = \"{group}\")]\nApiKey::{} => Some(visitor.visit::<super::{name}Request>()),\n",
            constant_name(name)
        );
    }
    format!(
        "//! From an API key to the types of its messages.\n{GENERATED}\n\
         use crate::{{ApiKey, Request}};\n\n\
         /// Code to run for a request type that is known only by its key: what a proxy, a fake broker \
         or a fuzzer needs.\n\
         ///\n\
         /// ```\n\
         /// # use kafka_protocol::{{ApiKey, Message, Request}};\n\
         /// # use kafka_protocol::messages::{{RequestVisitor, visit_request}};\n\
         /// struct ResponseName;\n\
         ///\n\
         /// impl RequestVisitor for ResponseName {{\n\
         ///     type Output = &'static str;\n\
         ///\n\
         ///     fn visit<R: Request>(self) -> &'static str {{\n\
         ///         R::Response::NAME\n\
         ///     }}\n\
         /// }}\n\
         ///\n\
         /// assert_eq!(visit_request(ApiKey::METADATA, ResponseName), Some(\"MetadataResponse\"));\n\
         /// ```\n\
         pub trait RequestVisitor {{\n\
         /// What the visit gives.\n\
         type Output;\n\n\
         /// Called with the request's type.\n\
         fn visit<R: Request>(self) -> Self::Output;\n}}\n\n\
         /// Calls the visitor with the request type of an API; `None` if the API is unknown or its \
         Cargo feature is off.\n\
         pub fn visit_request<V: RequestVisitor>(key: ApiKey, visitor: V) -> Option<V::Output> {{\n\
         match key {{ {arms} _ => {{ drop(visitor); None }} }}\n}}\n"
    )
}
