//! Whatever serde can serialize, as JSON.

use serde::Serialize;

use super::{BoxError, Serialized, Serializer, SerializerContext};

/// JSON of everything that has `serde::Serialize`, compact, in UTF-8. Needs the feature `json`.
///
/// `None` and `()` are the four bytes `null`, not a tombstone: for that, leave the value out of the
/// record. As a key, JSON has a trap: the same map in another order is another key.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonSerializer;

impl<T: Serialize + ?Sized> Serializer<T> for JsonSerializer {
    /// # Errors
    /// If JSON cannot have it, such as a map whose keys are no strings, or if its own
    /// `serde::Serialize` fails.
    fn serialize(
        &self,
        data: &T,
        _: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        serde_json::to_writer(buffer, data)?;
        Ok(Serialized::Bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::RecordPart;

    fn json<T: Serialize>(data: T) -> Result<String, String> {
        let mut context = SerializerContext::new("topic", RecordPart::Value, &[]);
        let mut buffer = Vec::new();
        match JsonSerializer.serialize(&data, &mut context, &mut buffer) {
            Ok(Serialized::Bytes) => Ok(String::from_utf8(buffer).unwrap()),
            Ok(Serialized::Null) => Ok("no bytes".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn json_is_compact() {
        #[derive(Serialize)]
        struct Order {
            fruit: &'static str,
            count: Option<u8>,
        }
        let orders = [Order { fruit: "ä", count: Some(42) }, Order { fruit: "\n", count: None }];
        let expected = r#"[{"fruit":"ä","count":42},{"fruit":"\n","count":null}]"#;
        assert_eq!(json(orders), Ok(expected.to_owned()));
    }

    #[test]
    fn nothing_is_null_in_json() {
        assert_eq!(json(()), Ok("null".to_owned()));
    }

    #[test]
    fn what_json_cannot_have_is_an_error() {
        let odd = BTreeMap::from([((1, 2), "key is a tuple")]);
        assert_eq!(json(odd), Err("key must be a string".to_owned()));
    }
}
