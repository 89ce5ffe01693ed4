//! Bytes as hex; `-` is no bytes at all.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;

pub(crate) fn from_hex(text: &str) -> Result<Bytes> {
    let digits = if text == "-" { "" } else { text };
    ensure!(digits.len().is_multiple_of(2), "`{text}` is not hex");
    let byte = |at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    Ok(bytes.with_context(|| format!("`{text}` is not hex"))?.into())
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('?');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
