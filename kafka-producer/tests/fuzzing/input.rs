//! Bytes, read as choices. Digits stand for small numbers, so that a seed can be written as text.

use std::time::Duration;

/// What is left of an input. Behind its end everything is `0`.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        match self.rest.split_first() {
            Some((first, rest)) => {
                self.rest = rest;
                *first
            }
            None => b'0',
        }
    }

    /// Up to so many bytes as they are.
    pub(super) fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// 0 to 15. Digits are what they say.
    pub(super) fn nibble(&mut self) -> u8 {
        self.byte() % 16
    }

    /// One of fewer than that.
    pub(super) fn index(&mut self, count: usize) -> usize {
        usize::from(self.nibble()) % count.max(1)
    }

    /// The first for `0`.
    pub(super) fn choice<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.index(table.len())]
    }

    /// -48 to 207. Digits are what they say.
    pub(super) fn number(&mut self) -> i16 {
        i16::from(self.byte()) - i16::from(b'0')
    }

    /// Nothing up to ten minutes.
    pub(super) fn duration(&mut self) -> Duration {
        Duration::from_millis(self.choice(&DURATIONS_MS))
    }
}

const DURATIONS_MS: [u64; 12] =
    [0, 1, 5, 20, 100, 500, 1_000, 5_000, 30_000, 60_000, 120_000, 600_000];
