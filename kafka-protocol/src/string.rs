//! Strings that share the frame they came in.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::Utf8Error;

use bytes::Bytes;

/// A Kafka string: UTF-8, cheap to clone, sharing the frame it was decoded from.
///
/// Reads as a `str`. Keeping one keeps its whole frame in memory: for a name that is to live long,
/// take [`to_owned`](str::to_owned) of it.
///
/// ```
/// # use kafka_protocol::KafkaString;
/// const ORDERS: KafkaString = KafkaString::from_static("orders");
/// assert_eq!(ORDERS, "orders");
/// assert!(ORDERS.starts_with("ord"));
/// ```
#[derive(Clone, Default)]
pub struct KafkaString(Bytes);

impl KafkaString {
    /// An empty string; allocates nothing.
    pub const fn new() -> Self {
        Self(Bytes::new())
    }

    /// A string known at compile time; never copied.
    pub const fn from_static(string: &'static str) -> Self {
        Self(Bytes::from_static(string.as_bytes()))
    }

    /// A string over these bytes, without copying them.
    ///
    /// # Errors
    /// If the bytes are not UTF-8.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Utf8Error> {
        std::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }

    /// The string.
    ///
    /// Checks UTF-8 again, since that costs less than it takes to prove without `unsafe` that it was
    /// checked: some nanoseconds for a topic name.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of the string.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes of the string, without copying them.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for KafkaString {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for KafkaString {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Equal, ordered and hashed as the `str` it borrows as: maps can be asked with a `&str`.
impl Borrow<str> for KafkaString {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for KafkaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for KafkaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

// UTF-8 orders and compares as its bytes do.
impl PartialEq for KafkaString {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for KafkaString {}

impl PartialOrd for KafkaString {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KafkaString {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl Hash for KafkaString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for KafkaString {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for KafkaString {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl From<&str> for KafkaString {
    fn from(string: &str) -> Self {
        Self(Bytes::copy_from_slice(string.as_bytes()))
    }
}

impl From<String> for KafkaString {
    fn from(string: String) -> Self {
        Self(string.into())
    }
}

impl From<KafkaString> for String {
    fn from(string: KafkaString) -> Self {
        string.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert!(KafkaString::from_utf8(Bytes::from_static(b"a\xff")).is_err());
        assert_eq!(KafkaString::from_utf8("ä€".into()).unwrap(), "ä€");
    }

    /// A hash map may be asked with a `str`.
    #[test]
    fn hashes_as_the_str_it_borrows_as() {
        fn hash(value: impl Hash) -> u64 {
            let mut hasher = std::hash::DefaultHasher::new();
            value.hash(&mut hasher);
            hasher.finish()
        }
        assert_eq!(hash(KafkaString::from("ä")), hash("ä"));
    }

    #[test]
    fn a_map_is_asked_with_a_str() {
        let map = BTreeMap::from([(KafkaString::from("b"), 2), (KafkaString::from("a"), 1)]);
        assert_eq!(map.get("a"), Some(&1));
        assert_eq!(map.keys().map(KafkaString::as_str).collect::<String>(), "ab");
    }
}
