//! What was set, by whichever way, and what a property is by that or by default.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kafka_net::HostPort;

use super::ConfigError;
use super::file;
use super::property::{Property, shown};
use super::table::{nearest, property};

/// The text of each property that was set. Values are looked at when they are asked for, so that a
/// later one replaces even a wrong one.
#[derive(Clone, Default)]
pub(super) struct Settings {
    set: BTreeMap<&'static str, Setting>,
    /// Of names and files.
    errors: Vec<ConfigError>,
}

#[derive(Clone)]
struct Setting {
    value: String,
    origin: Option<Origin>,
}

/// The line of a file.
#[derive(Clone)]
struct Origin {
    path: Arc<Path>,
    line: usize,
}

impl Settings {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.set_from(name, value, None);
    }

    pub(super) fn read_file(&mut self, path: &Path) {
        let bytes = match file::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                let error = ConfigError::File { path: path.to_owned(), error: Arc::new(error) };
                return self.push_error(error, None);
            }
        };
        let path: Arc<Path> = path.into();
        for (line, entry) in file::parse(&bytes) {
            let origin = Some(Origin { path: Arc::clone(&path), line });
            match entry {
                Ok(entry) => self.set_from(&entry.name, &entry.value, origin),
                Err(reason) => self.push_error(ConfigError::Malformed { reason }, origin.as_ref()),
            }
        }
    }

    /// Every setting by itself.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let mut errors = self.errors.clone();
        for (name, setting) in &self.set {
            let checked = find(name).and_then(|property| property.check(&setting.value));
            if let Err(error) = checked {
                errors.push(self.located(name, error));
            }
        }
        errors.truncate(ERRORS_MAX);
        match errors.pop() {
            None => Ok(()),
            Some(only) if errors.is_empty() => Err(only),
            Some(last) => {
                errors.push(last);
                Err(ConfigError::Several(errors))
            }
        }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        self.value(name, Property::flag)
    }

    pub(super) fn number(&self, name: &'static str) -> Result<i64, ConfigError> {
        self.value(name, Property::number)
    }

    /// A number that the table does not let be negative.
    pub(super) fn count(&self, name: &'static str) -> Result<u64, ConfigError> {
        Ok(u64::try_from(self.number(name)?).unwrap_or(0))
    }

    pub(super) fn size(&self, name: &'static str) -> Result<usize, ConfigError> {
        Ok(usize::try_from(self.count(name)?).unwrap_or(usize::MAX))
    }

    /// Of a property in milliseconds.
    pub(super) fn duration(&self, name: &'static str) -> Result<Duration, ConfigError> {
        self.count(name).map(Duration::from_millis)
    }

    pub(super) fn choice(&self, name: &'static str) -> Result<&'static str, ConfigError> {
        self.value(name, Property::choice)
    }

    pub(super) fn text(&self, name: &'static str) -> Result<String, ConfigError> {
        self.value(name, Property::text)
    }

    pub(super) fn servers(&self, name: &'static str) -> Result<Vec<HostPort>, ConfigError> {
        self.value(name, Property::servers)
    }

    /// The error with the place in a file where the property was set, if that is where.
    pub(super) fn located(&self, name: &str, error: ConfigError) -> ConfigError {
        located(self.set.get(name).and_then(|setting| setting.origin.as_ref()), error)
    }

    fn value<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Property, &str) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let property = find(name)?;
        let set = self.set.get(name).map(|setting| setting.value.as_str());
        match set.or(property.default()) {
            Some(value) => read(property, value).map_err(|error| self.located(name, error)),
            None => Err(ConfigError::Missing { property: property.name }),
        }
    }

    fn set_from(&mut self, name: &str, value: &str, origin: Option<Origin>) {
        match property(name) {
            Some(property) => {
                // As Java trims: everything up to the blank.
                let value = value.trim_matches(|c| c <= ' ').to_owned();
                self.set.insert(property.name, Setting { value, origin });
            }
            // To look for what was meant takes longer than everything else.
            None if self.errors.len() < ERRORS_MAX => {
                self.push_error(unknown(name), origin.as_ref());
            }
            None => {}
        }
    }

    fn push_error(&mut self, error: ConfigError, origin: Option<&Origin>) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(located(origin, error));
        }
    }
}

/// Without secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.set.iter().map(|(name, setting)| {
            let is_secret = property(name).is_none_or(Property::is_secret);
            (name, if is_secret { "[secret]" } else { setting.value.as_str() })
        });
        f.debug_map().entries(shown).finish()?;
        if self.errors.is_empty() { Ok(()) } else { write!(f, " with {:?}", self.errors) }
    }
}

fn find(name: &str) -> Result<&'static Property, ConfigError> {
    property(name).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> ConfigError {
    ConfigError::UnknownProperty { name: shown(name), nearest: nearest(name) }
}

fn located(origin: Option<&Origin>, error: ConfigError) -> ConfigError {
    match origin {
        Some(Origin { path, line }) => {
            ConfigError::InFile { path: path.to_path_buf(), line: *line, error: Box::new(error) }
        }
        None => error,
    }
}

/// Who has more of them has the wrong file.
const ERRORS_MAX: usize = 20;
