//! Damage to the bytes of an answer.

use bytes::{Bytes, BytesMut};

use super::FaultAction;
use crate::connections::{Actions, ReplyAction};

/// Where the correlation id ends: behind the size field.
const CORRELATION_ID_AT: std::ops::Range<usize> = 4..8;

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
