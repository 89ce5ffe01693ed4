//! Input: API key and version, two int16, and a response of that API and version.
//!
//! What can be read as a message is written without an error and as long as foretold, and reads the
//! same again. Reading takes no more memory than its documentation says. The frame that a broker
//! would send holds the same bytes behind a header that a client reads.

#![no_main]

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{RequestVisitor, visit_request};
use kafka_protocol::{DecodeLimits, Frame, Request, decode_response};
use kafka_protocol_fuzz::{api_at_front, check_message};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut input = Bytes::copy_from_slice(input);
    let Some((key, version)) = api_at_front(&mut input) else { return };
    visit_request(key, Check { input, version }).expect("all messages are built in");
});

struct Check {
    input: Bytes,
    version: i16,
}

impl RequestVisitor for Check {
    type Output = ();

    fn visit<R: Request>(self) {
        let Self { input, version } = self;
        let Some((response, encoded)) = check_message::<R::Response>(&input, version) else {
            return;
        };
        let frame = Frame::response::<R>(&response, version, 7);
        let mut frame = frame.expect("the response was encoded before").into_bytes();
        assert_eq!(frame.get_i32() as usize, frame.len(), "the frame's size");
        assert!(frame.ends_with(&encoded), "{frame:?} does not end with {encoded:?}");
        let (header, _) = decode_response::<R>(frame, version, &DecodeLimits::default())
            .expect("the response was decoded before");
        assert_eq!(header.correlation_id, 7);
    }
}
