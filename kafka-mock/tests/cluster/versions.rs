//! Every API that is announced answers every version that the codec has of it.

use bytes::Bytes;
use kafka_mock::{BrokerId, ConnectionId, MockConfig, ReplyAction};
use kafka_protocol::messages::{ApiVersionsRequest, RequestVisitor, visit_request};
use kafka_protocol::{DecodeLimits, Frame, Request, VersionRange, decode_response};

use crate::support::Rig;

/// Sends a default request of type `R` in each version, and reads the answer.
struct AskAll<'a> {
    rig: &'a mut Rig,
    announced: VersionRange,
}

impl RequestVisitor for AskAll<'_> {
    type Output = ();

    fn visit<R: Request>(self) {
        let known = R::VERSIONS.intersection(self.announced).unwrap();
        for version in known.iter() {
            let frame = Frame::request(&R::default(), version, 5, None).unwrap().into_bytes();
            let connection = ConnectionId(9);
            let frame: Bytes = frame.slice(4..);
            let now = self.rig.now;
            self.rig.cluster.handle_frame(now, BrokerId(1), connection, frame);
            let replies = self.rig.replies();
            match replies.first().map(|reply| &reply.action) {
                Some(ReplyAction::Send(pieces)) => {
                    let answer = Bytes::from(pieces.concat()).slice(4..);
                    decode_response::<R>(answer, version, &DecodeLimits::default()).unwrap();
                }
                // A default Produce has acks=0.
                None if R::NAME == "ProduceRequest" => {}
                other => panic!("{} v{version}: {other:?}", R::NAME),
            }
        }
    }
}

#[test]
fn every_announced_version_is_answered() {
    let mut rig = Rig::new(MockConfig::new());
    let announced = rig.ask(1, &ApiVersionsRequest::default(), 0);
    for api in announced.api_keys {
        let announced = VersionRange::new(api.min_version, api.max_version);
        visit_request(api.api_key, AskAll { rig: &mut rig, announced }).unwrap();
    }
}
