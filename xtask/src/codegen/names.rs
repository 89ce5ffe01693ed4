//! Kafka's names in Rust's spelling.

/// `TopicData` → `topic_data`. Digits stay with the word before them.
pub(super) fn snake_case(name: &str) -> String {
    // A capital run that Kafka writes as one word.
    let name = name.replace("KRaft", "Kraft").replace("2Pc", "2pc");
    let mut snake = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before != '_' && !before.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        before = c;
    }
    snake
}

/// A field's name; Rust's keywords get an underscore.
pub(super) fn field_name(name: &str) -> String {
    let snake = snake_case(name);
    match snake.as_str() {
        "type" | "match" => snake + "_",
        _ => snake,
    }
}

/// A constant's name: `ApiVersions` → `API_VERSIONS`.
pub(super) fn constant_name(name: &str) -> String {
    snake_case(name).to_ascii_uppercase()
}

/// Whether the code uses this name, as a word of its own.
pub(super) fn has_word(code: &str, name: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// The name of a parameter, with an underscore if no part of the code uses it. A field of the same
/// name is no use of it.
pub(super) fn parameter(name: &str, code: &[&str]) -> String {
    let field_uses = [format!("\"{name}\""), format!("self.{name}"), format!("{name}:")];
    let uses_it = |code: &&str| {
        let code = field_uses.iter().fold((*code).to_owned(), |code, used| code.replace(used, ""));
        has_word(&code, name)
    };
    if code.iter().any(uses_it) { name.to_owned() } else { format!("_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_people_write_them() {
        for (kafka, rust) in [
            ("ThrottleTimeMs", "throttle_time_ms"),
            ("timeoutMs", "timeout_ms"),
            ("V3AndBelowProducerId", "v3_and_below_producer_id"),
            ("Enable2Pc", "enable2pc"),
            ("KRaftVersion", "kraft_version"),
            ("Type", "type_"),
        ] {
            assert_eq!(field_name(kafka), rust);
        }
        assert_eq!(constant_name("InitProducerId"), "INIT_PRODUCER_ID");
    }
}
