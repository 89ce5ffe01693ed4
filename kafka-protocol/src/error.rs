//! What can go wrong between bytes and messages, with the place where it did.
//!
//! Inside the crate a failed parse travels as a [`Fault`]: a kind, how many bytes were left, and the
//! field names collected on the way out. Names, version and offset are put together once, at the
//! top, so that the good path carries nothing.

use std::fmt;

/// Why bytes could not be decoded, and where: message, version, field path and byte offset.
///
/// The bytes came from somebody else, so this is never a reason to panic: close the connection, or
/// reject the batch. `Display` gives one sentence:
///
/// ```
/// # use kafka_protocol::{Message, messages::MetadataResponse};
/// let error = MetadataResponse::decode(&mut b"\0\0\0\x01\0\0"[..].into(), 1).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "MetadataResponse v1: brokers at byte 0: the array claims 1 elements in 2 remaining bytes"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    message: &'static str,
    version: i16,
    path: String,
    offset: usize,
    kind: DecodeErrorKind,
}

impl DecodeError {
    /// Name of the message, as in Kafka's schemas, or of the structure such as `RecordBatch`.
    pub fn message(&self) -> &'static str {
        self.0.message
    }

    /// API version the bytes were read as; for a record batch its magic.
    pub fn version(&self) -> i16 {
        self.0.version
    }

    /// The field that could not be read, such as `topics[3].partitions[0].leader_id`.
    /// Empty when the message as a whole is refused.
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Byte offset at which reading stopped, counted from the start of the decoded buffer.
    /// Inside compressed records: from the start of the decompressed bytes.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// What was wrong there.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.0.kind
    }

    #[cold]
    pub(crate) fn new(
        message: &'static str,
        version: i16,
        offset: usize,
        kind: DecodeErrorKind,
    ) -> Self {
        Self(Box::new(Details { message, version, path: String::new(), offset, kind }))
    }

    /// Completes a fault found `fault.remaining` bytes before the end of a buffer of `len` bytes.
    #[cold]
    pub(crate) fn from_fault(
        message: &'static str,
        version: i16,
        len: usize,
        fault: Fault,
    ) -> Self {
        let FaultDetails { kind, remaining, path } = *fault.0;
        let offset = len.saturating_sub(remaining);
        Self(Box::new(Details { message, version, path: join(&path), offset, kind }))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { message, version, path, offset, kind } = &*self.0;
        write!(f, "{message} v{version}: ")?;
        if !path.is_empty() {
            write!(f, "{path} ")?;
        }
        write!(f, "at byte {offset}: {kind}")
    }
}

impl std::error::Error for DecodeError {}

/// What was wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end inside a value. A frame is complete before it is decoded, so waiting for more
    /// never helps.
    Truncated {
        /// Bytes the value needs.
        needed: usize,
        /// Bytes that were left.
        remaining: usize,
    },
    /// A length or count below -1, or one that its wire form does not allow.
    InvalidLength(i64),
    /// A null where this version allows none.
    UnexpectedNull,
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// A varint longer than 5 (or for 64 bits 10) bytes, or one whose value does not fit.
    InvalidVarint,
    /// An array claims more elements than the remaining bytes could hold.
    TooManyElements {
        /// Claimed number of elements.
        count: usize,
        /// Bytes that were left.
        remaining: usize,
    },
    /// Decoding on would allocate more than [`DecodeLimits`](crate::DecodeLimits) allow.
    OverBudget {
        /// The whole budget for this buffer, in bytes.
        limit: usize,
    },
    /// Tagged fields that repeat a tag or are out of order.
    TagOrder {
        /// The tag that was not greater than the one before.
        tag: u32,
    },
    /// A tagged field, or a record, whose content does not fill its announced size exactly.
    SizeMismatch {
        /// Announced size in bytes.
        announced: usize,
        /// Size that the content took.
        actual: usize,
    },
    /// The message has no such version.
    UnsupportedVersion {
        /// Versions that can be decoded.
        supported: crate::VersionRange,
    },
    /// A request of an API that this crate does not know.
    UnknownApiKey(i16),
    /// Record batches of magic 0 and 1 (before Kafka 0.11) are not read.
    UnsupportedMagic(i8),
    /// The batch was damaged on its way: the checksum does not match the bytes.
    CrcMismatch {
        /// CRC-32C that the header states.
        stated: u32,
        /// CRC-32C of the bytes.
        computed: u32,
    },
    /// Compressed records could not be decompressed.
    Compression(crate::records::CompressionError),
    /// A structural rule of the format is broken; the text names it.
    Malformed(&'static str),
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, remaining } => {
                write!(f, "needs {needed} bytes, only {remaining} are left")
            }
            Self::InvalidLength(length) => write!(f, "invalid length {length}"),
            Self::UnexpectedNull => f.write_str("null is not allowed in this version"),
            Self::InvalidUtf8 => f.write_str("the string is not valid UTF-8"),
            Self::InvalidVarint => f.write_str("the varint is too long"),
            Self::TooManyElements { count, remaining } => {
                write!(f, "the array claims {count} elements in {remaining} remaining bytes")
            }
            Self::OverBudget { limit } => {
                write!(f, "decoding would allocate more than the limit of {limit} bytes")
            }
            Self::TagOrder { tag } => write!(f, "tag {tag} is repeated or out of order"),
            Self::SizeMismatch { announced, actual } => {
                write!(f, "{announced} bytes were announced, the content took {actual}")
            }
            Self::UnsupportedVersion { supported } => {
                write!(f, "unsupported version, known are {supported}")
            }
            Self::UnknownApiKey(key) => write!(f, "unknown api key {key}"),
            Self::UnsupportedMagic(magic) => write!(
                f,
                "record format (magic) {magic} is not supported, only 2 (Kafka 0.11 and later)"
            ),
            Self::CrcMismatch { stated, computed } => {
                write!(f, "the header states CRC {stated:#010x}, the bytes have {computed:#010x}")
            }
            Self::Compression(error) => error.fmt(f),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}

/// Why a message could not be encoded: message, version, field.
///
/// Always the caller's doing: a value that the chosen version cannot carry, or one too long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    pub(crate) message: &'static str,
    pub(crate) version: i16,
    pub(crate) field: &'static str,
    pub(crate) kind: EncodeErrorKind,
}

impl EncodeError {
    /// Name of the message, as in Kafka's schemas.
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// API version it was to be encoded in.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// The field, as `Struct.field`; empty when the version as a whole is refused.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What was wrong with it.
    pub fn kind(&self) -> &EncodeErrorKind {
        &self.kind
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}: ", self.message, self.version)?;
        // A field of the message itself needs no second mention of the message.
        let of_message = |field: &'static str| field.strip_prefix(self.message)?.strip_prefix('.');
        match of_message(self.field).unwrap_or(self.field) {
            "" => {}
            field => write!(f, "{field} ")?,
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for EncodeError {}

/// What was wrong with the value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// The field does not exist in this version, and leaving it out would change the meaning.
    UnsupportedField,
    /// The field is null, which this version cannot say.
    UnexpectedNull,
    /// Longer than its wire form can say.
    TooLong {
        /// Length in bytes or elements.
        length: usize,
        /// Most the wire form can carry.
        limit: usize,
    },
    /// An unknown tagged field uses the tag of a known one.
    TagInUse {
        /// The tag.
        tag: u32,
    },
    /// The message has no such version.
    UnsupportedVersion {
        /// Versions that can be encoded.
        supported: crate::VersionRange,
    },
}

impl fmt::Display for EncodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnsupportedField => {
                f.write_str("is set, but does not exist in this version and may not be dropped")
            }
            Self::UnexpectedNull => f.write_str("is null, which this version does not allow"),
            Self::TooLong { length, limit } => {
                write!(f, "has length {length}, at most {limit} can be written")
            }
            Self::TagInUse { tag } => {
                write!(f, "use tag {tag}, which belongs to a known field")
            }
            Self::UnsupportedVersion { supported } => {
                write!(f, "unsupported version, known are {supported}")
            }
        }
    }
}

/// A failed parse on its way to the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(Box<FaultDetails>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct FaultDetails {
    kind: DecodeErrorKind,
    remaining: usize,
    /// From the innermost field outwards.
    path: Vec<PathStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathStep {
    Field(&'static str),
    Index(usize),
}

impl Fault {
    #[cold]
    pub(crate) fn new(at: &[u8], kind: DecodeErrorKind) -> Self {
        Self(Box::new(FaultDetails { kind, remaining: at.len(), path: Vec::new() }))
    }

    #[cold]
    pub(crate) fn in_field(mut self, name: &'static str) -> Self {
        self.0.path.push(PathStep::Field(name));
        self
    }

    #[cold]
    pub(crate) fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(PathStep::Index(index));
        self
    }
}

/// What nom's own combinators report. Ours never backtrack, so nothing is collected.
impl nom::error::ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: nom::error::ErrorKind) -> Self {
        Self::new(input, DecodeErrorKind::Malformed("unexpected bytes"))
    }

    fn append(_: &[u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

fn join(path: &[PathStep]) -> String {
    use fmt::Write;

    let mut joined = String::new();
    for step in path.iter().rev() {
        // Writing to a String cannot fail.
        let _ = match step {
            PathStep::Field(name) if joined.is_empty() => write!(joined, "{name}"),
            PathStep::Field(name) => write!(joined, ".{name}"),
            PathStep::Index(index) => write!(joined, "[{index}]"),
        };
    }
    joined
}
