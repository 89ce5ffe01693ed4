//! Random bytes of a message, written straight from its schema: an oracle that shares nothing with
//! the generated code but the schema.
//!
//! Numbers, lengths and choices come from a list of bytes, zeros when it is used up, so that a
//! failing case shrinks by shrinking the list.

use std::cell::Cell;

use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Random<'e> {
    entropy: &'e [u8],
}

impl<'e> Random<'e> {
    pub(crate) fn new(entropy: &'e [u8]) -> Self {
        Self { entropy }
    }

    fn byte(&mut self) -> u8 {
        match self.entropy.split_first() {
            Some((first, rest)) => {
                self.entropy = rest;
                *first
            }
            None => 0,
        }
    }

    fn below(&mut self, end: u8) -> usize {
        usize::from(self.byte() % end)
    }

    fn bytes(&mut self) -> Vec<u8> {
        // A few long ones: 127 and more is where a length takes two bytes.
        let len = if self.below(16) == 15 { 120 + self.below(20) } else { self.below(6) };
        (0..len).map(|_| self.byte()).collect()
    }

    fn text(&mut self) -> Vec<u8> {
        const LETTERS: [&str; 8] = ["a", "Z", "-", "0", "ä", "€", "𝄞", "_"];
        let pick = |byte: u8| LETTERS[usize::from(byte) % LETTERS.len()];
        self.bytes().into_iter().map(pick).collect::<String>().into_bytes()
    }
}

/// A range of versions as the schemas state it.
pub(crate) fn versions(text: &str) -> Option<(i16, i16)> {
    if text == "none" {
        return None;
    }
    if let Some(min) = text.strip_suffix('+') {
        return Some((min.parse().unwrap(), i16::MAX));
    }
    let (min, max) = text.split_once('-').unwrap_or((text, text));
    Some((min.parse().unwrap(), max.parse().unwrap()))
}

/// Whether the version is in the range that a schema states under `name`.
pub(crate) fn has(facts: &Value, name: &str, version: i16) -> bool {
    let range = facts[name].as_str().and_then(versions);
    range.is_some_and(|(min, max)| min <= version && version <= max)
}

/// Writes messages of one schema: what one version can say, in the same or another version.
#[derive(Clone)]
pub(crate) struct Writer<'s> {
    schema: &'s Value,
    /// Decides which fields have a value, and which are null.
    of: i16,
    /// Decides what is written.
    version: i16,
    flexible: bool,
    is_refused: Cell<bool>,
}

impl<'s> Writer<'s> {
    pub(crate) fn new(schema: &'s Value, version: i16) -> Self {
        Self::across(schema, version, version)
    }

    /// Writes what version `of` can say, but in `version`.
    pub(crate) fn across(schema: &'s Value, of: i16, version: i16) -> Self {
        let flexible = has(schema, "flexibleVersions", version);
        Self { schema, of, version, flexible, is_refused: Cell::new(false) }
    }

    pub(crate) fn message(&self, random: &mut Random<'_>) -> Vec<u8> {
        self.try_message(random).expect("every version can say its own")
    }

    /// `None` if the version cannot carry the value.
    pub(crate) fn try_message(&self, random: &mut Random<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        self.is_refused.set(false);
        self.fields(&self.schema["fields"], &mut Some(random), &mut out);
        (!self.is_refused.get()).then_some(out)
    }

    /// A struct: its fields in order, then the tagged ones. Without randomness all are defaults.
    fn fields(&self, fields: &Value, random: &mut Option<&mut Random<'_>>, out: &mut Vec<u8>) {
        let fields = fields.as_array().expect("fields");
        for field in fields.iter().filter(|field| field["tag"].is_null()) {
            self.field(field, random, out);
        }
        self.tagged(fields, random, out);
    }

    /// A field as far as the version has it. A value that the version lacks is dropped or refused.
    fn field(&self, field: &Value, random: &mut Option<&mut Random<'_>>, out: &mut Vec<u8>) {
        let has_value = has(field, "versions", self.of);
        match (has_value, has(field, "versions", self.version)) {
            (true, true) => self.value(field, random, out),
            (true, false) => {
                let is_set = self.is_set(field, random);
                self.refuse_if(is_set && field["ignorable"] != true);
            }
            (false, true) => self.value(field, &mut None, out),
            (false, false) => {}
        }
    }

    /// Whether the next value of a field differs from its default, in the version that can say it.
    fn is_set(&self, field: &Value, random: &mut Option<&mut Random<'_>>) -> bool {
        let of = Self::new(self.schema, self.of);
        let (mut value, mut default) = (Vec::new(), Vec::new());
        of.value(field, random, &mut value);
        of.value(field, &mut None, &mut default);
        value != default
    }

    fn refuse_if(&self, is_refused: bool) {
        self.is_refused.set(self.is_refused.get() || is_refused);
    }

    fn tagged(&self, fields: &[Value], random: &mut Option<&mut Random<'_>>, out: &mut Vec<u8>) {
        let mut tagged: Vec<(u64, Vec<u8>)> = Vec::new();
        for field in fields {
            let Some(tag) = field["tag"].as_u64() else { continue };
            let is_set = has(field, "versions", self.of)
                && self.is_set(field, &mut random.as_deref().cloned().as_mut());
            let mut value = Vec::new();
            self.field(field, random, &mut value);
            // What equals its default is not written.
            if is_set && has(field, "versions", self.version) {
                tagged.push((tag, value));
            }
        }
        if let (Some(random), true) = (random, has(self.schema, "flexibleVersions", self.of)) {
            for tag in [100, 300, 70_000] {
                if random.below(8) == 7 {
                    tagged.push((tag, random.bytes()));
                }
            }
        }
        if !self.flexible {
            self.refuse_if(!tagged.is_empty());
            return;
        }
        tagged.sort_by_key(|(tag, _)| *tag);
        unsigned_varint(tagged.len() as u64, out);
        for (tag, value) in tagged {
            unsigned_varint(tag, out);
            unsigned_varint(value.len() as u64, out);
            out.extend(value);
        }
    }

    /// A field with its nulls.
    fn value(&self, field: &Value, random: &mut Option<&mut Random<'_>>, out: &mut Vec<u8>) {
        let ty = field["type"].as_str().expect("a type");
        let may_be_null = has(field, "nullableVersions", self.version);
        let is_struct = ty.starts_with(|c: char| c.is_ascii_uppercase());
        let is_null = match random {
            Some(random) => has(field, "nullableVersions", self.of) && random.below(3) == 0,
            None => field["default"] == "null" || ty == "records" && may_be_null,
        };
        if is_null {
            self.refuse_if(!may_be_null);
            match ty {
                _ if is_struct => out.push(0xff),
                _ if self.flexible => out.push(0),
                "string" => out.extend((-1_i16).to_be_bytes()),
                _ => out.extend((-1_i32).to_be_bytes()),
            }
            return;
        }
        if is_struct && may_be_null {
            out.push(1);
        }
        match ty.strip_prefix("[]") {
            Some(element) => {
                let Some(random) = random else {
                    return self.length(0, 4, out);
                };
                let count = random.below(5);
                self.length(count, 4, out);
                for _ in 0..count {
                    self.scalar(field, element, &mut Some(random), out);
                }
            }
            None => self.scalar(field, ty, random, out),
        }
    }

    fn scalar(
        &self,
        field: &Value,
        ty: &str,
        random: &mut Option<&mut Random<'_>>,
        out: &mut Vec<u8>,
    ) {
        match ty {
            "bool" => {
                let default = u8::from(field["default"] == "true");
                out.push(random.as_mut().map_or(default, |random| random.byte() & 1));
            }
            "int8" => number::<1>(field, random, out),
            "int16" | "uint16" => number::<2>(field, random, out),
            "int32" => number::<4>(field, random, out),
            "int64" => number::<8>(field, random, out),
            "float64" => {
                let value = random.as_mut().map_or(0.0, |random| f64::from(random.byte()) / 8.0);
                out.extend(value.to_be_bytes());
            }
            "uuid" => out.extend((0..16).map(|_| random.as_mut().map_or(0, |r| r.byte()))),
            "string" => {
                let text = random.as_mut().map_or_else(Vec::new, |random| random.text());
                self.length(text.len(), 2, out);
                out.extend(text);
            }
            "bytes" | "records" => {
                let bytes = random.as_mut().map_or_else(Vec::new, |random| random.bytes());
                self.length(bytes.len(), 4, out);
                out.extend(bytes);
            }
            name => self.fields(struct_fields(self.schema, field, name), random, out),
        }
    }

    fn length(&self, length: usize, classic_width: usize, out: &mut Vec<u8>) {
        if self.flexible {
            unsigned_varint(length as u64 + 1, out);
        } else {
            out.extend(&(length as u32).to_be_bytes()[4 - classic_width..]);
        }
    }
}

/// The fields of a struct, which stand with the field that uses it or with the message.
pub(crate) fn struct_fields<'s>(schema: &'s Value, field: &'s Value, name: &str) -> &'s Value {
    if field["fields"].is_array() {
        return &field["fields"];
    }
    let common = schema["commonStructs"].as_array().expect(name);
    &common.iter().find(|common| common["name"] == name).expect(name)["fields"]
}

fn number<const N: usize>(field: &Value, random: &mut Option<&mut Random<'_>>, out: &mut Vec<u8>) {
    let value = match random {
        None => {
            let text = field["default"].as_str().unwrap_or("0");
            match text.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
                None => text.parse().unwrap(),
            }
        }
        Some(random) => match random.below(6) {
            0 => 0,
            1 => -1,
            2 => i64::MAX >> (64 - 8 * N),
            3 => i64::MIN >> (64 - 8 * N),
            4 => i64::from(random.byte()),
            _ => i64::from_be_bytes(std::array::from_fn(|_| random.byte())),
        },
    };
    out.extend(&value.to_be_bytes()[8 - N..]);
}

pub(crate) fn unsigned_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
