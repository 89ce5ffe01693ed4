//! Kafka's primitive types on the wire: leaf parsers with nom's signature, and writers.
//!
//! | type | classic | flexible (KIP-482) |
//! |---|---|---|
//! | bool, int8…int64, uint16, float64, uuid | big endian, fixed width | same |
//! | string | int16 length, -1 null | unsigned varint length + 1, 0 null |
//! | bytes, records | int32 length, -1 null | unsigned varint length + 1, 0 null |
//! | array | int32 count, -1 null | unsigned varint count + 1, 0 null |
//! | nullable struct | int8: -1 null, 1 present | same |
//! | tagged fields | - | count, then tag, size, value each, ascending |

pub(crate) mod encoder;
pub(crate) mod parse;
pub(crate) mod parsed;
pub(crate) mod sequence;
pub(crate) mod varint;
