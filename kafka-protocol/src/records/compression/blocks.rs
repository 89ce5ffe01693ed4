//! Cutting scattered bytes into blocks, for the codecs that compress block by block.

use bytes::Bytes;

/// Calls `each` with the concatenation of `chunks`, cut into blocks of `size` bytes; the last one
/// may be shorter, none is empty.
///
/// A block that lies inside one chunk is passed as it is, others are copied together first.
pub(super) fn for_each_block<E>(
    chunks: &[Bytes],
    size: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    debug_assert!(size > 0);
    let mut gathered = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let is_last = index + 1 == chunks.len();
        let mut rest: &[u8] = chunk;
        while !rest.is_empty() {
            let missing = size - gathered.len();
            let (head, tail) = rest.split_at(missing.min(rest.len()));
            rest = tail;
            if gathered.is_empty() && (head.len() == size || is_last) {
                each(head)?;
                continue;
            }
            gathered.extend_from_slice(head);
            if gathered.len() == size {
                each(&gathered)?;
                gathered.clear();
            }
        }
    }
    if gathered.is_empty() { Ok(()) } else { each(&gathered) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks_of_4(chunks: &[&'static str]) -> Vec<String> {
        let chunks: Vec<Bytes> = chunks.iter().map(|chunk| Bytes::from(*chunk)).collect();
        let mut blocks = Vec::new();
        for_each_block(&chunks, 4, |block| {
            blocks.push(String::from_utf8_lossy(block).into_owned());
            Ok::<(), ()>(())
        })
        .expect("no block fails");
        blocks
    }

    #[test]
    fn blocks_do_not_depend_on_the_chunks() {
        for (chunks, blocks) in [
            (&[][..], &[][..]),
            (&["", ""], &[]),
            (&["abc"], &["abc"]),
            (&["abcd"], &["abcd"]),
            (&["abcde"], &["abcd", "e"]),
            (&["ab", "", "cd", "e"], &["abcd", "e"]),
            (&["a", "bcdefghij", ""], &["abcd", "efgh", "ij"]),
            (&["abcd", "efgh"], &["abcd", "efgh"]),
        ] {
            assert_eq!(blocks_of_4(chunks), blocks, "{chunks:?}");
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut calls = 0;
        let result = for_each_block(&[Bytes::from("abcdef")], 2, |_| {
            calls += 1;
            Err("no")
        });
        assert_eq!((result, calls), (Err("no"), 1));
    }
}
