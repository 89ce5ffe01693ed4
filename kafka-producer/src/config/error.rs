//! What is wrong with a configuration.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

/// Why a configuration is refused. Always a mistake of who wrote it, or a file that cannot be read.
///
/// The values of properties that are secrets are never part of it.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Kafka's producer has no such property.
    #[error("unknown property {name:?}{}", did_you_mean(*nearest))]
    UnknownProperty {
        /// The name that was given.
        name: String,
        /// A property with a name much like it.
        nearest: Option<&'static str>,
    },
    /// The property cannot have this value.
    #[error("property {property:?} cannot be {value:?}: {reason}")]
    BadValue {
        /// The property.
        property: &'static str,
        /// The value that was given; cut if it is long.
        value: String,
        /// What is wrong with it, or what is allowed.
        reason: String,
    },
    /// The property has no default, and was not set.
    #[error("property {property:?} is required")]
    Missing {
        /// The property.
        property: &'static str,
    },
    /// A property of Kafka that this client has not built.
    #[error("property {property:?} is not built: {instead}; {}", only(accepted))]
    NotBuilt {
        /// The property.
        property: &'static str,
        /// What this client does.
        instead: &'static str,
        /// Values that ask for just that; an empty one is the same as leaving the property out.
        accepted: Vec<&'static str>,
    },
    /// A property that only means something inside a Java process.
    #[error("property {property:?} is for Java only: {instead}; {}", only(accepted))]
    JavaOnly {
        /// The property.
        property: &'static str,
        /// What to use instead.
        instead: &'static str,
        /// Values that ask for nothing; an empty one is the same as leaving the property out.
        accepted: Vec<&'static str>,
    },
    /// The value needs a Cargo feature that is off.
    #[error(
        "property {property:?} cannot be {value:?} in this build: it needs the cargo feature {feature:?}"
    )]
    MissingFeature {
        /// The property.
        property: &'static str,
        /// The value that was given.
        value: String,
        /// The feature of this crate.
        feature: &'static str,
    },
    /// The value does not go together with another property.
    #[error("property {property:?} is {value}, but {reason}")]
    Conflict {
        /// The property.
        property: &'static str,
        /// Its value.
        value: String,
        /// The other property, and what it demands.
        reason: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// Text that is not in the format of Java's `.properties` files.
    #[error("{reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another error, of what a line of a file says.
    #[error("{}:{line}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1, in which the property begins.
        line: usize,
        /// The error.
        error: Box<Self>,
    },
    /// More than one error; at most 20 are kept.
    #[error("{} errors in the configuration: {}", .0.len(), list(.0))]
    Several(Vec<Self>),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default()
}

fn only(accepted: &[&str]) -> String {
    let values: Vec<_> = accepted.iter().filter(|value| !value.is_empty()).collect();
    match values.as_slice() {
        [] => "leave it out".to_owned(),
        [value] => format!("the only accepted value is {value:?}"),
        [first, others @ ..] => {
            let mut text = format!("the only accepted values are {first:?}");
            for value in others {
                text.push_str(&format!(" and {value:?}"));
            }
            text
        }
    }
}

fn list(errors: &[ConfigError]) -> String {
    let numbered = (1..).zip(errors).map(|(number, error)| format!("({number}) {error}"));
    numbered.collect::<Vec<_>>().join(" ")
}
