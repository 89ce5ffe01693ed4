//! The format of Java's `.properties` files (`java.util.Properties`), in UTF-8.
//!
//! ```text
//! # a comment         ! another one
//! name=value          the separator is '=', ':' or blanks, with blanks around it
//! long = a,\
//!        b            a line that ends in a backslash goes on in the next, without its first blanks
//! path = C:\\x\u0020  \t \n \r \f and \u with four digits; else what is behind the backslash
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A property as the file has it; escapes are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) value: String,
}

/// Why text is not in the format.
pub(super) type Malformed = &'static str;

/// What the file holds, with no more than [`FILE_LEN_MAX`] bytes.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LEN_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= FILE_LEN_MAX) {
        return Ok(bytes);
    }
    let reason = format!("it is larger than the {FILE_LEN_MAX} bytes that are allowed");
    Err(io::Error::new(io::ErrorKind::InvalidData, reason))
}

/// The properties in order, each with the number of the line in which it begins, from 1.
pub(super) fn parse(bytes: &[u8]) -> Vec<(usize, Result<Entry, Malformed>)> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = bytes.iter().take(error.valid_up_to());
            let line = 1 + valid.filter(|byte| **byte == b'\n').count();
            return vec![(line, Err("the text is not UTF-8"))];
        }
    };
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = (1..).zip(text.split('\n').map(|line| line.trim_start_matches(BLANKS)));
    let mut entries = Vec::new();
    while let Some((number, first)) = lines.next() {
        if first.starts_with(['#', '!']) {
            continue;
        }
        let mut line = first.to_owned();
        while is_continued(&line) {
            line.pop();
            let Some((_, next)) = lines.next() else { break };
            line.push_str(next);
        }
        if !line.is_empty() {
            entries.push((number, parse_line(&line)));
        }
    }
    entries
}

/// Whether the last backslash stands for itself: two of them are one that is escaped.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

fn parse_line(line: &str) -> Result<Entry, Malformed> {
    let mut is_escaped = false;
    let name_end = line.find(|c: char| {
        let is_end = !is_escaped && (SEPARATORS.contains(&c) || BLANKS.contains(&c));
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    let (name, rest) = name_end.and_then(|end| line.split_at_checked(end)).unwrap_or((line, ""));
    let rest = rest.trim_start_matches(BLANKS);
    let value = rest.strip_prefix(SEPARATORS).unwrap_or(rest).trim_start_matches(BLANKS);
    Ok(Entry { name: unescape(name)?, value: unescape(value)? })
}

fn unescape(text: &str) -> Result<String, Malformed> {
    // In units of UTF-16, because a character outside its first plane is escaped as two of them.
    let mut units = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            chars.next().unwrap_or(c)
        } else {
            push(c, &mut units);
            continue;
        };
        match c {
            'u' => units.push(parse_unit(&chars.by_ref().take(4).collect::<String>())?),
            't' => push('\t', &mut units),
            'n' => push('\n', &mut units),
            'r' => push('\r', &mut units),
            'f' => push('\x0C', &mut units),
            c => push(c, &mut units),
        }
    }
    String::from_utf16(&units).map_err(|_| "a \\u escape is half a character")
}

fn push(c: char, units: &mut Vec<u16>) {
    units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
}

fn parse_unit(digits: &str) -> Result<u16, Malformed> {
    // The integer parser would take a sign.
    let is_hex = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let unit = u16::from_str_radix(digits, 16).ok().filter(|_| is_hex);
    unit.ok_or("a \\u escape has no four hexadecimal digits")
}

const BLANKS: [char; 3] = [' ', '\t', '\x0C'];

const SEPARATORS: [char; 2] = ['=', ':'];

/// Some editors put it in front of UTF-8.
const BYTE_ORDER_MARK: char = '\u{FEFF}';

/// A file that is larger is something else.
const FILE_LEN_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let tell = |(line, entry)| match entry {
            Ok(Entry { name, value }) => format!("{line} {name}|{value}"),
            Err(error) => format!("{line} {error}"),
        };
        parse(text.as_bytes()).into_iter().map(tell).collect()
    }

    #[test]
    fn lines_are_read_as_java_reads_them() {
        let cases: [(&str, &[&str]); 22] = [
            ("", &[]),
            ("# a\n  ! b=c\n\n \t\x0C\n", &[]),
            ("# not continued \\\na=b", &["2 a|b"]),
            ("a=b\r\nc:d\re f\ng\th\ni", &["1 a|b", "2 c|d", "3 e|f", "4 g|h", "5 i|"]),
            ("  a \t=\x0C b c ", &["1 a|b c "]),
            ("a = = b", &["1 a|= b"]),
            ("a  b=c", &["1 a|b=c"]),
            ("=a", &["1 |a"]),
            ("a=", &["1 a|"]),
            ("a\\ b\\=c\\:\\#=d", &["1 a b=c:#|d"]),
            ("a=b,\\\n   c,\\\n\td\ne=f", &["1 a|b,c,d", "4 e|f"]),
            ("a=b\\\n# c", &["1 a|b# c"]),
            ("a=b\\\n\nc=d", &["1 a|b", "3 c|d"]),
            ("a=b\\\\\nc=d", &["1 a|b\\", "2 c|d"]),
            ("a=b\\\\\\\nc", &["1 a|b\\c"]),
            ("a=b\\", &["1 a|b"]),
            ("\\\n\n\\\n#a", &["3 #a|"]),
            ("a=\\t\\n\\r\\f\\\\\\q\\\"", &["1 a|\t\n\r\x0C\\q\""]),
            ("a=\\u0041\\u00e9\\uD83D\\uDE00\u{1F600}", &["1 a|A\u{e9}\u{1F600}\u{1F600}"]),
            ("\u{FEFF}a=b", &["1 a|b"]),
            (
                "a=\\u00e\nb=\\u+123\nc=\\u\nd=e",
                &[
                    "1 a \\u escape has no four hexadecimal digits",
                    "2 a \\u escape has no four hexadecimal digits",
                    "3 a \\u escape has no four hexadecimal digits",
                    "4 d|e",
                ],
            ),
            ("a=b\nc=\\uD83D", &["1 a|b", "2 a \\u escape is half a character"]),
        ];
        for (text, expected) in cases {
            assert_eq!(told(text), expected, "{text:?}");
        }
        assert_eq!(parse(b"a=b\nc=\xFF"), [(2, Err("the text is not UTF-8"))]);
    }

    /// As Java writes it, of everything that it has to escape, and now and then of something else.
    fn escape(text: &str, escapes_all: bool) -> String {
        let mut escaped = String::new();
        for c in text.chars() {
            match c {
                '\t' => escaped.push_str("\\t"),
                '\n' => escaped.push_str("\\n"),
                '\r' => escaped.push_str("\\r"),
                '\x0C' => escaped.push_str("\\f"),
                ' ' | '=' | ':' | '#' | '!' | '\\' => escaped.extend(['\\', c]),
                c if escapes_all || c.is_control() => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        escaped.push_str(&format!("\\u{unit:04X}"));
                    }
                }
                c => escaped.push(c),
            }
        }
        escaped
    }

    proptest! {
        #[test]
        fn what_was_escaped_is_read_as_it_was(
            entries in prop::collection::vec((".{1,12}|[ =:#!\\\\\t\r\n]{1,4}", any::<String>()), 0..8),
            separator in "[ \t]{0,2}[=:][ \t]{0,2}|[ \t]{1,2}",
            escapes_all: bool,
        ) {
            let mut text = String::new();
            for (name, value) in &entries {
                let (name, value) = (escape(name, escapes_all), escape(value, escapes_all));
                text.push_str(&format!("# comment\n{name}{separator}{value}\n"));
            }
            let read: Vec<_> = parse(text.as_bytes());
            prop_assert_eq!(read.len(), entries.len());
            for (index, ((name, value), (line, entry))) in entries.iter().zip(read).enumerate() {
                prop_assert_eq!(line, index * 2 + 2);
                prop_assert_eq!(entry, Ok(Entry { name: name.clone(), value: value.clone() }));
            }
        }

        #[test]
        fn any_text_is_read_without_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..64),
            text in "[ab =:#!\\\\u0d8\n\r\t\u{FEFF}\u{1F600}]{0,40}",
        ) {
            parse(&bytes);
            prop_assert!(parse(text.as_bytes()).len() <= text.len());
        }
    }
}
