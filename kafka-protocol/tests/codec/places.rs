//! A message with something at every place, and where in it each length stands.

use serde_json::Value;

use crate::random::{has, struct_fields, unsigned_varint};

/// A length or count in a message.
pub(crate) struct Place {
    /// Kafka's names of the fields down to it.
    pub(crate) path: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
    /// The fewest bytes of one of what is counted.
    pub(crate) each: usize,
    /// Offset in the message, and how many bytes the length itself takes.
    pub(crate) at: usize,
    pub(crate) width: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Array,
    Text,
    Bytes,
    /// How many tagged fields there are.
    Tags,
    /// The size of a tagged field.
    TagSize,
}

/// Bytes of a message, written from its schema: one element in each array, all that may be null or is
/// tagged is there, texts and bytes are one byte long, numbers are 0.
pub(crate) struct Full<'s> {
    schema: &'s Value,
    version: i16,
    pub(crate) flexible: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) places: Vec<Place>,
    /// The array, by its place, that has so many elements, each as short as it can be.
    long: Option<(usize, usize)>,
    path: Vec<&'s str>,
}

impl<'s> Full<'s> {
    pub(crate) fn new(schema: &'s Value, version: i16) -> Self {
        Self::write(schema, version, None)
    }

    /// The same message with `count` of the shortest elements in the array at this place.
    pub(crate) fn with_long_array(&self, place: usize, count: usize) -> Vec<u8> {
        Self::write(self.schema, self.version, Some((place, count))).bytes
    }

    /// The same bytes with another length at this place.
    pub(crate) fn with_length(&self, place: &Place, length: &[u8]) -> Vec<u8> {
        let (before, rest) = self.bytes.split_at(place.at);
        [before, length, &rest[place.width..]].concat()
    }

    fn write(schema: &'s Value, version: i16, long: Option<(usize, usize)>) -> Self {
        let flexible = has(schema, "flexibleVersions", version);
        let (bytes, places, path) = (Vec::new(), Vec::new(), Vec::new());
        let mut full = Self { schema, version, flexible, bytes, places, long, path };
        full.fields(&schema["fields"]);
        full
    }

    fn fields(&mut self, fields: &'s Value) {
        let fields = fields.as_array().expect("fields");
        let present = |field: &&Value| has(field, "versions", self.version);
        let present: Vec<&Value> = fields.iter().filter(present).collect();
        let (mut tagged, plain): (Vec<&Value>, Vec<&Value>) =
            present.into_iter().partition(|field| field["tag"].is_u64());
        for field in plain {
            self.field(field);
        }
        if !self.flexible {
            return;
        }
        tagged.sort_by_key(|field| field["tag"].as_u64());
        let at = self.bytes.len();
        unsigned_varint(tagged.len() as u64, &mut self.bytes);
        self.place(Kind::Tags, false, at);
        for field in tagged {
            unsigned_varint(field["tag"].as_u64().expect("a tag"), &mut self.bytes);
            // Longer than needed, as readers take it: the size is known only behind the value.
            let at = self.bytes.len();
            self.bytes.extend([0x80, 0x80, 0x80, 0x80, 0]);
            self.place(Kind::TagSize, false, at);
            self.field(field);
            let size = self.bytes.len() - at - 5;
            for (nth, byte) in self.bytes[at..at + 5].iter_mut().enumerate() {
                *byte |= (size >> (7 * nth)) as u8 & 0x7f;
            }
        }
    }

    fn field(&mut self, field: &'s Value) {
        self.path.push(field["name"].as_str().expect("a name"));
        let ty = field["type"].as_str().expect("a type");
        let nullable = has(field, "nullableVersions", self.version);
        if nullable && ty.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.bytes.push(1);
        }
        match ty.strip_prefix("[]") {
            Some(element) => {
                let this = self.places.len();
                let shortest = self.shortest(field, element);
                match self.long.filter(|(place, _)| *place == this) {
                    Some((_, count)) => {
                        self.length(Kind::Array, nullable, count, 4);
                        self.bytes.extend(shortest.repeat(count));
                    }
                    None => {
                        self.length(Kind::Array, nullable, 1, 4);
                        self.places[this].each = shortest.len();
                        self.scalar(field, element, false);
                    }
                }
            }
            None => self.scalar(field, ty, nullable),
        }
        self.path.pop();
    }

    fn scalar(&mut self, field: &'s Value, ty: &'s str, nullable: bool) {
        match ty {
            "string" => {
                self.length(Kind::Text, nullable, 1, 2);
                self.bytes.push(b'a');
            }
            "bytes" | "records" => {
                self.length(Kind::Bytes, nullable, 1, 4);
                self.bytes.push(7);
            }
            _ => match fixed_len(ty) {
                Some(len) => self.bytes.resize(self.bytes.len() + len, 0),
                None => self.fields(struct_fields(self.schema, field, ty)),
            },
        }
    }

    /// The fewest bytes that a value can have.
    fn shortest(&self, field: &Value, ty: &str) -> Vec<u8> {
        let empty = |classic_width| if self.flexible { vec![1] } else { vec![0; classic_width] };
        match ty {
            "string" => return empty(2),
            "bytes" | "records" => return empty(4),
            _ if ty.starts_with("[]") => return empty(4),
            _ => {}
        }
        if let Some(len) = fixed_len(ty) {
            return vec![0; len];
        }
        let mut shortest = Vec::new();
        for field in struct_fields(self.schema, field, ty).as_array().expect("fields") {
            let ty = field["type"].as_str().expect("a type");
            if !has(field, "versions", self.version) || field["tag"].is_u64() {
                continue;
            }
            if fixed_len(ty).is_none()
                && ty.starts_with(|c: char| c.is_ascii_uppercase())
                && has(field, "nullableVersions", self.version)
            {
                shortest.push(0xff);
            } else {
                shortest.extend(self.shortest(field, ty));
            }
        }
        shortest.extend(self.flexible.then_some(0));
        shortest
    }

    fn length(&mut self, kind: Kind, nullable: bool, length: usize, classic_width: usize) {
        let at = self.bytes.len();
        if self.flexible {
            unsigned_varint(length as u64 + 1, &mut self.bytes);
        } else {
            self.bytes.extend(&(length as u32).to_be_bytes()[4 - classic_width..]);
        }
        self.place(kind, nullable, at);
    }

    /// Notes what was written from `at` on.
    fn place(&mut self, kind: Kind, nullable: bool, at: usize) {
        let (path, width) = (self.path.join("."), self.bytes.len() - at);
        let each = if kind == Kind::Tags { 2 } else { 1 };
        self.places.push(Place { path, kind, nullable, each, at, width });
    }
}

fn fixed_len(ty: &str) -> Option<usize> {
    match ty {
        "bool" | "int8" => Some(1),
        "int16" | "uint16" => Some(2),
        "int32" => Some(4),
        "int64" | "float64" => Some(8),
        "uuid" => Some(16),
        _ => None,
    }
}
