//! Input: a request or response header of any version; all of them are tried.
//!
//! What can be read as a header is written as long as foretold, and reads the same again.

#![no_main]

use std::fmt::Debug;

use bytes::Bytes;
use kafka_protocol::{DecodeError, EncodeError, Encoder, RequestHeader, ResponseHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let input = Bytes::copy_from_slice(input);
    for version in [1, 2] {
        let header = check(
            &input,
            |buf| RequestHeader::decode_version(buf, version),
            |header, out| header.write(out, version),
            |header| header.encoded_len(version),
        );
        // Which version it is follows from the header's first fields, if they name a known API.
        if let Some(header) = header
            && header.api_key.request_header_version(header.api_version) == Some(version)
        {
            assert_eq!(RequestHeader::decode(&mut input.clone()), Ok(header));
        }
    }
    for version in [0, 1] {
        check(
            &input,
            |buf| ResponseHeader::decode(buf, version),
            |header, out| header.write(out, version),
            |header| header.encoded_len(version),
        );
    }
});

fn check<H: Debug + PartialEq>(
    input: &Bytes,
    decode: impl Fn(&mut Bytes) -> Result<H, DecodeError>,
    write: impl Fn(&H, &mut Encoder) -> Result<(), EncodeError>,
    encoded_len: impl Fn(&H) -> usize,
) -> Option<H> {
    let header = decode(&mut input.clone()).ok()?;
    let mut out = Encoder::contiguous(Vec::new());
    write(&header, &mut out).expect("it was decoded");
    let mut encoded = Bytes::from(out.into_segments().concat());
    assert_eq!(encoded.len(), encoded_len(&header));
    assert_eq!(decode(&mut encoded).as_ref(), Ok(&header));
    assert!(encoded.is_empty());
    Some(header)
}
