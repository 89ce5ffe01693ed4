//! Input: API key and version, two int16, and a request of that API and version.
//!
//! What can be read as a message is written without an error and as long as foretold, and reads the
//! same again. Reading takes no more memory than its documentation says. The frame that a client
//! would send holds the same bytes behind a header that a broker reads.

#![no_main]

use bytes::{Buf, Bytes};
use kafka_protocol::messages::{RequestVisitor, visit_request};
use kafka_protocol::{Frame, Request, RequestHeader};
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
        let Some((request, encoded)) = check_message::<R>(&input, version) else { return };
        let frame = Frame::request(&request, version, 7, Some("fuzz".into()));
        let mut frame = frame.expect("the request was encoded before").into_bytes();
        assert_eq!(frame.get_i32() as usize, frame.len(), "the frame's size");
        let header = RequestHeader::decode(&mut frame).expect("every frame has a header");
        assert_eq!((header.api_key, header.api_version), (R::KEY, version));
        assert_eq!(frame, encoded, "what follows the header");
    }
}
