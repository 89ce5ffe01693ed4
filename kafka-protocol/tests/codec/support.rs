//! What several suites need: golden files, hex, and messages by name.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use kafka_protocol::messages::{
    AbortedTxn, ConsumerProtocolAssignment, ConsumerProtocolSubscription, ControlRecordTypeSchema,
    DefaultPrincipalData, EndTxnMarker, KRaftVersionRecord, LeaderChangeMessage, RequestVisitor,
    SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord, visit_request,
};
use kafka_protocol::{ApiKey, Message, Request};
use serde_json::Value;

/// A file or folder of this crate.
pub(crate) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// A golden file's lines, without comments.
pub(crate) fn golden_lines(relative: &str) -> Vec<String> {
    let text = fs::read_to_string(path("tests/golden").join(relative)).expect(relative);
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Every schema with generated code: requests, responses and data messages that have versions.
pub(crate) fn schemas() -> Vec<Value> {
    schemas_where(|schema| schema["type"] != "header" && schema["validVersions"] != "none")
}

/// The schemas of the headers, whose code is written by hand.
pub(crate) fn headers() -> Vec<Value> {
    schemas_where(|schema| schema["type"] == "header")
}

fn schemas_where(is_wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut schemas = Vec::new();
    for file in fs::read_dir(path("schemas")).unwrap() {
        let file = file.unwrap().path();
        if file.extension().is_some_and(|extension| extension == "json") {
            let schema: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            if is_wanted(&schema) {
                schemas.push(schema);
            }
        }
    }
    schemas.sort_by_key(|schema| schema["name"].to_string());
    schemas
}

/// Bytes of a hex text; `-` is none.
pub(crate) fn from_hex(hex: &str) -> Bytes {
    let digits: Vec<u32> =
        hex.chars().filter(|c| *c != '-').map(|c| c.to_digit(16).expect(hex)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect::<Vec<u8>>().into()
}

/// Code to run for a message type that is known by its name.
pub(crate) trait MessageVisitor {
    fn visit<M: Message>(self);
}

/// Calls the visitor with the type of a message: a request, a response or a data message.
pub(crate) fn visit_message(name: &str, visitor: impl MessageVisitor) {
    macro_rules! data {
        ($($message:ident)*) => {
            match name {
                $(stringify!($message) => visitor.visit::<$message>(),)*
                _ => visit_api(name, visitor),
            }
        };
    }
    data! {
        AbortedTxn ConsumerProtocolAssignment ConsumerProtocolSubscription ControlRecordTypeSchema
        DefaultPrincipalData EndTxnMarker KRaftVersionRecord LeaderChangeMessage
        SnapshotFooterRecord SnapshotHeaderRecord VotersRecord
    }
}

fn visit_api(name: &str, visitor: impl MessageVisitor) {
    struct RequestOf<V>(V);
    struct ResponseOf<V>(V);

    impl<V: MessageVisitor> RequestVisitor for RequestOf<V> {
        type Output = ();
        fn visit<R: Request>(self) {
            self.0.visit::<R>();
        }
    }

    impl<V: MessageVisitor> RequestVisitor for ResponseOf<V> {
        type Output = ();
        fn visit<R: Request>(self) {
            self.0.visit::<R::Response>();
        }
    }

    let key = |api: &str| {
        ApiKey::ALL.iter().copied().find(|key| key.name() == Some(api)).expect("a known API")
    };
    let visited = match (name.strip_suffix("Request"), name.strip_suffix("Response")) {
        (Some(api), _) => visit_request(key(api), RequestOf(visitor)),
        (_, Some(api)) => visit_request(key(api), ResponseOf(visitor)),
        _ => panic!("{name} is not a message"),
    };
    visited.expect("all features are on");
}
