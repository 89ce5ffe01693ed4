//! Cuts a stream of bytes into lines, whatever pieces it comes in.
//!
//! A line ends with the delimiter and with nothing else: a `\r` before `\n` belongs to the line. Lines
//! that lie whole in a piece are not copied.

/// Where cutting stands.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    delimiter: u8,
    len_max: usize,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
    /// Bytes of that line so far; more than `begun` holds if it is too long.
    begun_len: usize,
    /// Whether `begun` was given out, and is to be emptied.
    is_given: bool,
    /// Lines so far.
    count: u64,
}

/// A line without its delimiter.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Counted from 1.
    pub(crate) number: u64,
    pub(crate) bytes: Result<&'a [u8], TooLong>,
}

/// A line is longer than the limit. Nothing of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong {
    pub(crate) len: usize,
}

impl LineSplitter {
    /// Lines of at most `len_max` bytes.
    pub(crate) fn new(delimiter: u8, len_max: usize) -> Self {
        let begun = Vec::new();
        Self { delimiter, len_max, begun, begun_len: 0, is_given: false, count: 0 }
    }

    /// The next line that ends in `piece`, which is moved behind it. `None` when the piece is used up.
    #[expect(
        single_use_lifetimes,
        reason = "it must outlive the other, which the lint does not see"
    )]
    pub(crate) fn next<'a, 'p: 'a>(&'a mut self, piece: &mut &'p [u8]) -> Option<Line<'a>> {
        self.forget_given();
        let Some(end) = piece.iter().position(|byte| *byte == self.delimiter) else {
            self.begin(piece);
            *piece = &[];
            return None;
        };
        let (line, rest) = piece.split_at_checked(end)?;
        *piece = rest.get(1..).unwrap_or_default();
        if self.begun_len == 0 {
            self.count += 1;
            let len = line.len();
            let bytes = if len > self.len_max { Err(TooLong { len }) } else { Ok(line) };
            return Some(Line { number: self.count, bytes });
        }
        self.begin(line);
        Some(self.give())
    }

    /// The last line, if it has no delimiter. Counting goes on in what comes after.
    pub(crate) fn finish(&mut self) -> Option<Line<'_>> {
        self.forget_given();
        (self.begun_len > 0).then(|| self.give())
    }

    fn begin(&mut self, part: &[u8]) {
        self.begun_len = self.begun_len.saturating_add(part.len());
        if self.begun_len <= self.len_max {
            self.begun.extend_from_slice(part);
        }
    }

    fn give(&mut self) -> Line<'_> {
        self.count += 1;
        self.is_given = true;
        let len = self.begun_len;
        let bytes = if len > self.len_max { Err(TooLong { len }) } else { Ok(&*self.begun) };
        Line { number: self.count, bytes }
    }

    fn forget_given(&mut self) {
        if self.is_given {
            self.begun.clear();
            self.begun_len = 0;
            self.is_given = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of `text` in pieces of this size: too long lines as their length.
    fn cut(text: &[u8], piece_len: usize, delimiter: u8, len_max: usize) -> Vec<String> {
        let mut splitter = LineSplitter::new(delimiter, len_max);
        let mut lines = Vec::new();
        let mut take = |line: Line<'_>| {
            let text = match line.bytes {
                Ok(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Err(TooLong { len }) => format!("<{len}>"),
            };
            lines.push(format!("{}:{text}", line.number));
        };
        for mut piece in text.chunks(piece_len) {
            while let Some(line) = splitter.next(&mut piece) {
                take(line);
            }
        }
        if let Some(line) = splitter.finish() {
            take(line);
        }
        assert_eq!(splitter.finish(), None);
        lines
    }

    #[test]
    fn lines_are_the_same_in_pieces_of_any_size() {
        let cases: [(&str, &[&str]); 8] = [
            ("", &[]),
            ("\n", &["1:"]),
            ("a\nbc\n", &["1:a", "2:bc"]),
            ("a\nbc", &["1:a", "2:bc"]),
            ("a\r\n\r\nb\r", &["1:a\r", "2:\r", "3:b\r"]),
            ("12345\n123456\n12345", &["1:12345", "2:<6>", "3:12345"]),
            ("123456789\n\n1234567", &["1:<9>", "2:", "3:<7>"]),
            ("\n\n", &["1:", "2:"]),
        ];
        for (text, expected) in cases {
            for piece_len in 1..=text.len().max(1) {
                let lines = cut(text.as_bytes(), piece_len, b'\n', 5);
                assert_eq!(lines, expected, "{text:?} in pieces of {piece_len}");
            }
        }
    }

    #[test]
    fn another_delimiter_leaves_newlines_alone() {
        assert_eq!(cut(b"a\nb\0c", 2, 0, 100), ["1:a\nb", "2:c"]);
    }

    #[test]
    fn a_line_that_never_ends_takes_no_memory() {
        let mut splitter = LineSplitter::new(b'\n', 10);
        for _ in 0..100 {
            let mut piece: &[u8] = &[b'x'; 1000];
            assert_eq!(splitter.next(&mut piece), None);
        }
        assert!(splitter.begun.capacity() <= 16);
        let last = splitter.finish().map(|line| line.bytes);
        assert_eq!(last, Some(Err(TooLong { len: 100_000 })));
    }
}
