//! Plug-ins against what Java's make of the same keys and values.

use std::fs;
use std::path::Path;

use kafka_producer::{
    BooleanSerializer, BytesSerializer, DoubleSerializer, FloatSerializer, IntegerSerializer,
    LongSerializer, RecordPart, Serialized, Serializer, SerializerContext, ShortSerializer,
    StringSerializer, VoidSerializer, murmur2, partition_for_key,
};

/// The lines of a golden file, without comments.
fn golden_lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = fs::read_to_string(path).expect(name);
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Bytes of a hex text; `-` is none.
fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        hex.chars().filter(|c| *c != '-').map(|c| c.to_digit(16).expect(hex)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

#[test]
fn keys_get_javas_hash_and_partition() {
    let lines = golden_lines("partitions.txt");
    let mut lengths: Vec<usize> = Vec::new();
    for line in &lines {
        let words: Vec<&str> = line.split(' ').collect();
        let key = from_hex(words[0]);
        lengths.push(key.len());
        assert_eq!(murmur2(&key).to_string(), words[1], "{line}");
        let partitions = [1, 3, 12, 1000].map(|count| partition_for_key(&key, count).to_string());
        assert_eq!(partitions[..], words[2..], "{line}");
    }
    assert!(lengths.len() > 300 && (0..=40).all(|length| lengths.contains(&length)));
}

#[test]
fn serializers_make_javas_bytes() {
    let lines = golden_lines("serializers.txt");
    let mut types: Vec<&str> = Vec::new();
    for line in &lines {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (name, hex, value) = (word(), word(), word());
        let Some(bytes) = our_bytes(name, value) else { continue };
        let expected = if hex == "null" { None } else { Some(from_hex(hex)) };
        assert_eq!(bytes, expected, "{line}");
        types.push(name);
    }
    types.dedup();
    assert_eq!(types.len(), if cfg!(feature = "uuid") { 10 } else { 9 }, "{types:?}");
}

/// What our serializer for a type of the golden file makes of a value there: null, or bytes. `None` if
/// the serializer is not compiled.
fn our_bytes(name: &str, value: &str) -> Option<Option<Vec<u8>>> {
    let bytes = match name {
        "short" => bytes(&ShortSerializer, &value.parse().unwrap()),
        "integer" => bytes(&IntegerSerializer, &value.parse().unwrap()),
        "long" => bytes(&LongSerializer, &value.parse().unwrap()),
        "boolean" => bytes(&BooleanSerializer, &value.parse().unwrap()),
        "float" => {
            bytes(&FloatSerializer, &f32::from_bits(u32::from_str_radix(value, 16).unwrap()))
        }
        "double" => {
            bytes(&DoubleSerializer, &f64::from_bits(u64::from_str_radix(value, 16).unwrap()))
        }
        "string" => bytes(&StringSerializer, &from_code_points(value)),
        "bytes" => bytes(&BytesSerializer, &from_hex(value)),
        "void" => bytes(&VoidSerializer, &()),
        #[cfg(feature = "uuid")]
        "uuid" => bytes(&kafka_producer::UuidSerializer, &value.parse().unwrap()),
        #[cfg(not(feature = "uuid"))]
        "uuid" => return None,
        _ => panic!("no serializer for {name}"),
    };
    Some(bytes)
}

fn bytes<T: ?Sized>(serializer: &impl Serializer<T>, data: &T) -> Option<Vec<u8>> {
    let mut context = SerializerContext::new("topic", RecordPart::Value, &[]);
    let mut buffer = Vec::new();
    match serializer.serialize(data, &mut context, &mut buffer).unwrap() {
        Serialized::Bytes => Some(buffer),
        Serialized::Null => None,
    }
}

fn from_code_points(points: &str) -> String {
    let char = |point| char::from_u32(u32::from_str_radix(point, 16).ok()?);
    points.split_whitespace().map(|point| char(point).expect(points)).collect()
}
