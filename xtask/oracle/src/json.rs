//! Rust values from JSON in the form of Kafka's converters.

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use kafka_protocol::records::Records;
use kafka_protocol::{ApiKey, ErrorCode, Int32Array, KafkaString, UnknownTaggedFields, Uuid};
use serde_json::{Map, Value};

/// What can be made from JSON.
pub(crate) trait FromJson: Sized {
    fn from_json(json: &Value) -> Result<Self>;
}

/// An object, of which every field has to be read.
pub(crate) struct Object<'j> {
    fields: &'j Map<String, Value>,
    read: usize,
}

impl<'j> Object<'j> {
    pub(crate) fn new(json: &'j Value) -> Result<Self> {
        let fields = json.as_object().with_context(|| format!("{json} is no object"))?;
        Ok(Self { fields, read: 0 })
    }

    /// Sets a field of a struct; what is absent stays as it is.
    pub(crate) fn read<T: FromJson>(&mut self, name: &str, field: &mut T) -> Result<()> {
        if let Some(json) = self.fields.get(name) {
            *field = T::from_json(json).with_context(|| format!("in {name}"))?;
            self.read += 1;
        }
        Ok(())
    }

    pub(crate) fn end(self) -> Result<()> {
        let names: Vec<&String> = self.fields.keys().collect();
        ensure!(self.read == names.len(), "not every field is one of the struct: {names:?}");
        Ok(())
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl FromJson for $integer {
            fn from_json(json: &Value) -> Result<Self> {
                let number = json.as_i64().with_context(|| format!("{json} is no integer"))?;
                Ok(Self::try_from(number)?)
            }
        })*
    };
}

integers! { i8 i16 u16 i32 i64 }

impl FromJson for bool {
    fn from_json(json: &Value) -> Result<Self> {
        json.as_bool().with_context(|| format!("{json} is no boolean"))
    }
}

impl FromJson for f64 {
    fn from_json(json: &Value) -> Result<Self> {
        json.as_f64().with_context(|| format!("{json} is no number"))
    }
}

impl FromJson for ErrorCode {
    fn from_json(json: &Value) -> Result<Self> {
        i16::from_json(json).map(Self)
    }
}

impl FromJson for ApiKey {
    fn from_json(json: &Value) -> Result<Self> {
        i16::from_json(json).map(Self)
    }
}

impl FromJson for KafkaString {
    fn from_json(json: &Value) -> Result<Self> {
        json.as_str().map(Self::from).with_context(|| format!("{json} is no string"))
    }
}

impl FromJson for Uuid {
    fn from_json(json: &Value) -> Result<Self> {
        Ok(json.as_str().with_context(|| format!("{json} is no uuid"))?.parse()?)
    }
}

impl FromJson for Bytes {
    fn from_json(json: &Value) -> Result<Self> {
        let text = json.as_str().with_context(|| format!("{json} is no base64"))?;
        Ok(BASE64_STANDARD.decode(text)?.into())
    }
}

impl FromJson for Records {
    fn from_json(json: &Value) -> Result<Self> {
        Bytes::from_json(json).map(Self::from)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(json: &Value) -> Result<Self> {
        if json.is_null() { Ok(None) } else { T::from_json(json).map(Some) }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(json: &Value) -> Result<Self> {
        let elements = json.as_array().with_context(|| format!("{json} is no array"))?;
        elements.iter().map(T::from_json).collect()
    }
}

impl FromJson for Int32Array {
    fn from_json(json: &Value) -> Result<Self> {
        Vec::<i32>::from_json(json).map(Self::from)
    }
}

/// A list of pairs, tag and base64.
impl FromJson for UnknownTaggedFields {
    fn from_json(json: &Value) -> Result<Self> {
        let mut fields = Self::default();
        for pair in json.as_array().with_context(|| format!("{json} is no list"))? {
            let tag = i64::from_json(&pair[0])?;
            fields.insert(u32::try_from(tag)?, Bytes::from_json(&pair[1])?);
        }
        Ok(fields)
    }
}
