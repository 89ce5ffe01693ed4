//! Keys and values to bytes.
//!
//! A [`Serializer`] writes into a buffer of its caller, which is used again for the next record, and may
//! add headers to the record. Those of [`kafka`] make the bytes that Kafka's Java classes of these names
//! make, so that its deserializers read them.

use std::any::type_name;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

#[cfg(feature = "tokio")]
pub(crate) use context::AddedHeaders;
pub use context::SerializerContext;
#[cfg(feature = "json")]
pub use json::JsonSerializer;
#[cfg(feature = "uuid")]
pub use kafka::UuidSerializer;
pub use kafka::{
    BooleanSerializer, BytesSerializer, DoubleSerializer, FloatSerializer, IntegerSerializer,
    LongSerializer, ShortSerializer, StringSerializer, VoidSerializer,
};

#[cfg_attr(
    not(feature = "tokio"),
    expect(dead_code, reason = "only the facade goes from one record to the next")
)]
mod context;
#[cfg(feature = "json")]
mod json;
mod kafka;

/// Makes the bytes of keys or values of type `T`. As Java's `Serializer`.
///
/// Called on the thread of the send, before the record takes memory of the producer: what a serializer
/// waits for, its sends wait for. There is no state between calls but the serializer's own.
///
/// A key or value that a record does not have never gets here: it is null.
///
/// ```
/// use kafka_producer::{BoxError, RecordPart, Serialized, Serializer, SerializerContext};
///
/// struct Order {
///     number: u64,
///     apples: u16,
/// }
///
/// /// The two numbers, and what they are as a header.
/// struct OrderSerializer;
///
/// impl Serializer<Order> for OrderSerializer {
///     fn serialize(
///         &self,
///         order: &Order,
///         context: &mut SerializerContext<'_>,
///         buffer: &mut Vec<u8>,
///     ) -> Result<Serialized, BoxError> {
///         if order.apples == 0 {
///             return Err(format!("order {} is of nothing", order.number).into());
///         }
///         buffer.extend_from_slice(&order.number.to_be_bytes());
///         buffer.extend_from_slice(&order.apples.to_be_bytes());
///         context.add_header("content-type", Some(b"order/v1"));
///         Ok(Serialized::Bytes)
///     }
/// }
///
/// let mut context = SerializerContext::new("orders", RecordPart::Value, &[]);
/// let mut buffer = Vec::new();
/// OrderSerializer.serialize(&Order { number: 17, apples: 42 }, &mut context, &mut buffer)?;
/// assert_eq!(buffer, [0, 0, 0, 0, 0, 0, 0, 17, 0, 42]);
/// assert_eq!(context.headers().count(), 1);
/// # Ok::<(), BoxError>(())
/// ```
pub trait Serializer<T: ?Sized>: Send + Sync {
    /// Appends the bytes of `data` to `buffer`, which is empty.
    ///
    /// # Errors
    /// Whatever keeps it from doing so. The record is not sent then
    /// ([`SendError::Serialization`](crate::SendError::Serialization)), and buffer and headers are
    /// thrown away.
    fn serialize(
        &self,
        data: &T,
        context: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError>;
}

/// What a [`Serializer`] made of a key or value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Serialized {
    /// What is in the buffer now; nothing in it is an empty key or value.
    Bytes,
    /// Null, whatever is in the buffer. A null value is a tombstone in a compacted topic.
    Null,
}

/// Any error, as a [`Serializer`] of your own returns it: `?` turns yours into one.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// One serializer for several producers, or one that is chosen at run time: `Arc<dyn Serializer<T>>`.
impl<T: ?Sized, S: Serializer<T> + ?Sized> Serializer<T> for Arc<S> {
    fn serialize(
        &self,
        data: &T,
        context: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        S::serialize(self, data, context, buffer)
    }
}

/// A serializer that is a function, made by [`serializer_fn`].
#[derive(Clone, Copy)]
pub struct SerializerFn<F>(F);

/// A serializer out of a function or closure, with the arguments of [`Serializer::serialize`].
///
/// ```
/// use kafka_producer::{RecordPart, Serialized, Serializer, SerializerContext, serializer_fn};
///
/// let lower_case = serializer_fn(|name: &str, _context, buffer| {
///     buffer.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
///     Ok(Serialized::Bytes)
/// });
///
/// let mut context = SerializerContext::new("users", RecordPart::Key, &[]);
/// let mut buffer = Vec::new();
/// lower_case.serialize("Alice", &mut context, &mut buffer)?;
/// assert_eq!(buffer, b"alice");
/// # Ok::<(), kafka_producer::BoxError>(())
/// ```
pub fn serializer_fn<T: ?Sized, F>(function: F) -> SerializerFn<F>
where
    F: Fn(&T, &mut SerializerContext<'_>, &mut Vec<u8>) -> Result<Serialized, BoxError>,
    F: Send + Sync,
{
    SerializerFn(function)
}

impl<T: ?Sized, F> Serializer<T> for SerializerFn<F>
where
    F: Fn(&T, &mut SerializerContext<'_>, &mut Vec<u8>) -> Result<Serialized, BoxError>,
    F: Send + Sync,
{
    fn serialize(
        &self,
        data: &T,
        context: &mut SerializerContext<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<Serialized, BoxError> {
        self.0(data, context, buffer)
    }
}

// Derived, it would ask for a function that is `Debug`, which closures are not.
impl<F> fmt::Debug for SerializerFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerializerFn({})", type_name::<F>())
    }
}
