//! The serializers that Kafka brings along, under its names.

use super::{BoxError, Serialized, Serializer, SerializerContext};

/// Bytes as they are: slices, vectors, arrays, strings, `Bytes`. As Java's `ByteArraySerializer`,
/// `ByteBufferSerializer` and `BytesSerializer`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BytesSerializer;

impl<T: AsRef<[u8]> + ?Sized> Serializer<T> for BytesSerializer {
    fn serialize(
        &self,
        data: &T,
        _: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        buffer.extend_from_slice(data.as_ref());
        Ok(Serialized::Bytes)
    }
}

/// Text in UTF-8. As Java's `StringSerializer` without an encoding of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct StringSerializer;

impl<T: AsRef<str> + ?Sized> Serializer<T> for StringSerializer {
    fn serialize(
        &self,
        data: &T,
        _: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        buffer.extend_from_slice(data.as_ref().as_bytes());
        Ok(Serialized::Bytes)
    }
}

macro_rules! fixed_size_serializers {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $to_bytes:expr;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, Default)]
        pub struct $name;

        impl Serializer<$type> for $name {
            fn serialize(
                &self,
                data: &$type,
                _: &mut SerializerContext<'_>,
                buffer: &mut Vec<u8>,
            ) -> Result<Serialized, BoxError> {
                buffer.extend_from_slice(&$to_bytes(*data));
                Ok(Serialized::Bytes)
            }
        }
    )*};
}

fixed_size_serializers! {
    /// `i16` as two bytes, big endian.
    ShortSerializer: i16 = i16::to_be_bytes;
    /// `i32` as four bytes, big endian.
    IntegerSerializer: i32 = i32::to_be_bytes;
    /// `i64` as eight bytes, big endian.
    LongSerializer: i64 = i64::to_be_bytes;
    /// `f32` as four bytes, big endian, every bit as it is.
    FloatSerializer: f32 = f32::to_be_bytes;
    /// `f64` as eight bytes, big endian. Every NaN is `0x7ff8000000000000`, as in Java.
    DoubleSerializer: f64 = double_bytes;
    /// `bool` as one byte, 0 or 1.
    BooleanSerializer: bool = |value| [u8::from(value)];
}

/// Java has one NaN for `double`, but not for `float`: `doubleToLongBits`, `floatToRawIntBits`.
fn double_bytes(value: f64) -> [u8; 8] {
    let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
    bits.to_be_bytes()
}

/// `uuid::Uuid` as text of 36 bytes, in lower case: what Java's `UUIDSerializer` makes. Needs the
/// feature `uuid`. The 16 bytes themselves are for [`BytesSerializer`].
#[cfg(feature = "uuid")]
#[derive(Debug, Clone, Copy, Default)]
pub struct UuidSerializer;

#[cfg(feature = "uuid")]
impl Serializer<uuid::Uuid> for UuidSerializer {
    fn serialize(
        &self,
        data: &uuid::Uuid,
        _: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        let mut text = uuid::Uuid::encode_buffer();
        buffer.extend_from_slice(data.hyphenated().encode_lower(&mut text).as_bytes());
        Ok(Serialized::Bytes)
    }
}

/// `()` as null. For records without keys, or whose key is all they say.
#[derive(Debug, Clone, Copy, Default)]
pub struct VoidSerializer;

impl Serializer<()> for VoidSerializer {
    fn serialize(
        &self,
        (): &(),
        _: &mut SerializerContext<'_>,
        _: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        Ok(Serialized::Null)
    }
}
