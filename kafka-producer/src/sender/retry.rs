//! What an answer to a batch means: done, again, in parts, or failed.

use kafka_protocol::ErrorCode;

/// What is known of the batch that an error came for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempted {
    /// It was sent with a sequence.
    pub(super) has_sequence: bool,
    /// No older batch of its partition is unanswered.
    pub(super) is_oldest: bool,
    pub(super) record_count: u32,
    /// `retries` allows one more.
    pub(super) may_retry: bool,
    /// The broker said from which offset on its log begins.
    pub(super) knows_log_start: bool,
    /// A part of one that was too large, and that may be in the log as a whole.
    pub(super) may_be_there_whole: bool,
}

/// What to do with the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was written before: an earlier answer was lost.
    Duplicate,
    /// Send it again, after a backoff.
    Retry {
        /// Its sequence means nothing to the broker any more: under another epoch.
        renumber: bool,
    },
    /// It is too large: send its records in smaller batches.
    Split,
    Fail,
}

/// The answer of a broker other than success.
pub(super) fn judge(error: ErrorCode, batch: Attempted) -> Verdict {
    match error {
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER if !is_broken!("duplicate_is_failure") => {
            Verdict::Duplicate
        }
        ErrorCode::MESSAGE_TOO_LARGE if batch.record_count > 1 => Verdict::Split,
        // The broker drops a repetition only if it is the same batch as before: whether this one is out
        // of order because it is there, or because one before it is not, cannot be told.
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID
            if batch.may_be_there_whole && batch.is_oldest =>
        {
            Verdict::Fail
        }
        // A gap before the oldest batch: what was acknowledged is gone from the broker. Before any
        // other one: the older one failed, and will be sent first.
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER if batch.has_sequence && batch.may_retry => {
            Verdict::Retry { renumber: batch.is_oldest }
        }
        ErrorCode::UNKNOWN_PRODUCER_ID if batch.has_sequence && batch.may_retry => {
            Verdict::Retry { renumber: batch.is_oldest && batch.knows_log_start }
        }
        error if error.is_retriable() && batch.may_retry => Verdict::Retry { renumber: false },
        _ => Verdict::Fail,
    }
}

/// Whether a broker that answers this has certainly not written the batch of that request.
///
/// Others may come after the leader has written it: while it waits for replicas (`acks=all`) it may
/// run out of time, lose its leadership, or its disk.
pub(super) fn is_certain_rejection(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::CORRUPT_MESSAGE
            | ErrorCode::MESSAGE_TOO_LARGE
            | ErrorCode::RECORD_LIST_TOO_LARGE
            | ErrorCode::INVALID_TOPIC_EXCEPTION
            | ErrorCode::NOT_ENOUGH_REPLICAS
            | ErrorCode::INVALID_REQUIRED_ACKS
            | ErrorCode::TOPIC_AUTHORIZATION_FAILED
            | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
            | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            | ErrorCode::INVALID_TIMESTAMP
            | ErrorCode::UNSUPPORTED_VERSION
            | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
            | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
            | ErrorCode::POLICY_VIOLATION
            | ErrorCode::INVALID_RECORD
            | ErrorCode::INVALID_REQUEST
            | ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
            | ErrorCode::UNKNOWN_PRODUCER_ID
            | ErrorCode::INVALID_PRODUCER_EPOCH
            | ErrorCode::INVALID_PRODUCER_ID_MAPPING
            | ErrorCode::INVALID_TXN_STATE
            | ErrorCode::PRODUCER_FENCED
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::UNKNOWN_TOPIC_ID
            | ErrorCode::INCONSISTENT_TOPIC_ID
            | ErrorCode::THROTTLING_QUOTA_EXCEEDED
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLDEST: Attempted = Attempted {
        has_sequence: true,
        is_oldest: true,
        record_count: 3,
        may_retry: true,
        knows_log_start: true,
        may_be_there_whole: false,
    };

    #[test]
    fn each_kind_of_answer_has_its_verdict() {
        let younger = Attempted { is_oldest: false, ..OLDEST };
        let last = Attempted { may_retry: false, ..OLDEST };
        let single = Attempted { record_count: 1, ..OLDEST };
        let plain = Attempted { has_sequence: false, ..OLDEST };
        let unknowing = Attempted { knows_log_start: false, ..OLDEST };
        let part = Attempted { may_be_there_whole: true, ..OLDEST };
        let (again, renumber) =
            (Verdict::Retry { renumber: false }, Verdict::Retry { renumber: true });
        for (error, batch, verdict) in [
            (ErrorCode::DUPLICATE_SEQUENCE_NUMBER, OLDEST, Verdict::Duplicate),
            (ErrorCode::NOT_LEADER_OR_FOLLOWER, OLDEST, again),
            (ErrorCode::NOT_LEADER_OR_FOLLOWER, last, Verdict::Fail),
            (ErrorCode::MESSAGE_TOO_LARGE, OLDEST, Verdict::Split),
            (ErrorCode::MESSAGE_TOO_LARGE, last, Verdict::Split),
            (ErrorCode::MESSAGE_TOO_LARGE, single, Verdict::Fail),
            (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, OLDEST, renumber),
            (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, younger, again),
            (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, plain, Verdict::Fail),
            (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, part, Verdict::Fail),
            (ErrorCode::UNKNOWN_PRODUCER_ID, OLDEST, renumber),
            (ErrorCode::UNKNOWN_PRODUCER_ID, unknowing, again),
            (ErrorCode::TOPIC_AUTHORIZATION_FAILED, OLDEST, Verdict::Fail),
            (ErrorCode::INVALID_PRODUCER_EPOCH, OLDEST, Verdict::Fail),
            (ErrorCode(4242), OLDEST, Verdict::Fail),
        ] {
            assert_eq!(judge(error, batch), verdict, "{error} {batch:?}");
        }
    }

    #[test]
    fn what_may_come_after_writing_is_not_certain() {
        for error in [
            ErrorCode::UNKNOWN_SERVER_ERROR,
            ErrorCode::REQUEST_TIMED_OUT,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            ErrorCode::KAFKA_STORAGE_ERROR,
            ErrorCode::NETWORK_EXCEPTION,
        ] {
            assert!(!is_certain_rejection(error), "{error}");
        }
    }
}
