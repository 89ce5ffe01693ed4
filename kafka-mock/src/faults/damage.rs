//! Damage to the bytes of an answer.

use bytes::{Bytes, BytesMut};

use kafka_protocol::ApiKey;

use super::{FaultAction, SIZE_LEN};
use crate::connections::{Actions, ReplyAction};

/// Where the correlation id ends: behind the size field.
const CORRELATION_ID_AT: std::ops::Range<usize> = SIZE_LEN..SIZE_LEN + 4;

/// The answer with another body: what comes behind its header.
pub(super) fn forge(answer: &[Bytes], api: ApiKey, version: i16, body: &Bytes) -> Vec<Bytes> {
    let flat: Vec<u8> = answer.iter().flat_map(|piece| piece.iter().copied()).collect();
    let id = flat.get(CORRELATION_ID_AT).unwrap_or_default();
    // A header of version 1 has tagged fields, and there are none.
    let tags: &[u8] = if api.response_header_version(version) == Some(1) { &[0] } else { &[] };
    let len = id.len() + tags.len() + body.len();
    let mut header = BytesMut::new();
    header.extend_from_slice(&i32::try_from(len).unwrap_or(i32::MAX).to_be_bytes());
    header.extend_from_slice(id);
    header.extend_from_slice(tags);
    vec![header.freeze(), body.clone()]
}

/// What to do instead of sending an answer.
pub(crate) fn damage(pieces: Vec<Bytes>, actions: &[FaultAction]) -> Actions {
    if actions.is_empty() {
        return ReplyAction::Send(pieces).into();
    }
    let mut bytes = BytesMut::new();
    pieces.iter().for_each(|piece| bytes.extend_from_slice(piece));
    let mut closes = false;
    let mut write_len = usize::MAX;
    for action in actions {
        match *action {
            FaultAction::Truncate(len) => {
                bytes.truncate(len);
                closes = true;
            }
            FaultAction::Corrupt { at } => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = !*byte;
                }
            }
            FaultAction::WrongCorrelationId => {
                if let Some(id) = bytes.get_mut(CORRELATION_ID_AT) {
                    id.iter_mut().for_each(|byte| *byte = !*byte);
                }
            }
            FaultAction::Duplicate => bytes.extend_from_slice(&bytes.clone()),
            FaultAction::SplitWrites(len) => write_len = len.max(1),
            _ => {}
        }
    }
    let mut rest = bytes.freeze();
    let mut write = || rest.split_to(write_len.min(rest.len()));
    let mut damaged = Actions::from(ReplyAction::Send(vec![write()]));
    loop {
        let piece = write();
        if piece.is_empty() {
            break;
        }
        damaged.push(ReplyAction::Send(vec![piece]));
    }
    if closes {
        damaged.push(ReplyAction::Close);
    }
    damaged
}
