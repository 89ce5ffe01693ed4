//! Whole frames, of every API in every version: size, header and message.

use kafka_protocol::messages::{RequestVisitor, visit_request};
use kafka_protocol::{
    ApiKey, DecodeLimits, Frame, Request, RequestHeader, ResponseHeader, decode_response,
};

/// Takes the size off a frame, which is right, and gives the rest.
fn without_size(frame: Frame, at: &str) -> bytes::Bytes {
    let (len, segments) = (frame.len(), frame.clone().into_segments());
    assert_eq!(segments, frame.segments());
    let mut bytes = frame.into_bytes();
    assert_eq!((bytes.len(), &bytes), (len, &segments.concat().into()), "{at}");
    assert_eq!(bytes.split_to(4), (len as u32 - 4).to_be_bytes()[..], "{at}");
    bytes
}

struct InItsFrame;

impl RequestVisitor for InItsFrame {
    type Output = ();

    fn visit<R: Request>(self) {
        for version in R::VERSIONS.iter() {
            let at = format!("{} v{version}", R::NAME);
            let frame = Frame::request(&R::default(), version, 7, Some("me".into())).expect(&at);
            let mut rest = without_size(frame, &at);
            let header = RequestHeader {
                api_key: R::KEY,
                api_version: version,
                correlation_id: 7,
                client_id: Some("me".into()),
                ..Default::default()
            };
            assert_eq!(RequestHeader::decode(&mut rest), Ok(header), "{at}");
            assert_eq!(R::decode(&mut rest, version), Ok(R::default()), "{at}");
            assert!(rest.is_empty(), "{at}");

            let response = R::Response::default();
            let frame = Frame::response::<R>(&response, version, 7).expect(&at);
            // Java's clients tolerate bytes behind the message, and so do we.
            let rest = [&without_size(frame, &at)[..], b"later"].concat().into();
            let limits = DecodeLimits::default();
            let header = ResponseHeader { correlation_id: 7, ..Default::default() };
            assert_eq!(
                decode_response::<R>(rest, version, &limits),
                Ok((header, response)),
                "{at}"
            );
        }
    }
}

#[test]
fn requests_and_responses_travel_behind_their_headers() {
    for key in ApiKey::ALL {
        visit_request(*key, InItsFrame).expect("all features are on");
    }
}
