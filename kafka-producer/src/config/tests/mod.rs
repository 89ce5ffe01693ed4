//! Settings in, a configuration or an error out.

mod messages;
mod reference;
mod rules;
mod values;

use super::{ConfigError, ProducerBuilder, ProducerConfig};

type Properties<'a> = &'a [(&'a str, &'a str)];

fn builder(properties: Properties<'_>) -> ProducerBuilder {
    let servers = ("bootstrap.servers", "kafka:9092");
    ProducerBuilder::new().properties([servers]).properties(properties.iter().copied())
}

fn config(properties: Properties<'_>) -> ProducerConfig {
    builder(properties).config().unwrap_or_else(|error| panic!("{properties:?}: {error}"))
}

fn error(properties: Properties<'_>) -> ConfigError {
    builder(properties).config().expect_err("a wrong configuration")
}
