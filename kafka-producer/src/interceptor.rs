//! Code of the user's that sees every record: before it goes into a batch, and when its outcome is known.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;

use crate::callbacks::Callback;
use crate::{ProduceError, Record, RecordHeader, RecordMetadata, SendError};

/// Sees, and may change, each record of a producer, and learns what becomes of it. As Java's
/// `ProducerInterceptor`; for tracing, auditing, or headers that every record should have.
///
/// Never fails a send: a panic in here is caught and logged as a warning, and the record goes on as it
/// was before (unless the program is built with `panic = "abort"`). Several form a chain, in the order
/// of the configuration.
///
/// ```
/// use kafka_producer::{Interceptor, Record, RecordBuf, RecordHeaderBuf};
///
/// /// Says in each record where it is from.
/// struct Origin(&'static str);
///
/// impl Interceptor for Origin {
///     fn on_send(&self, mut record: RecordBuf) -> RecordBuf {
///         let value = Some(self.0.into());
///         record.headers.push(RecordHeaderBuf { key: "origin".to_owned(), value });
///         record
///     }
/// }
///
/// let record = Origin("shop").on_send(Record::new("orders", "42 apples").into());
/// let mut headers = Vec::new();
/// assert_eq!(record.as_record(&mut headers).headers[0].value, Some(&b"shop"[..]));
/// ```
pub trait Interceptor: Send + Sync {
    /// Called with each record before anything else is done with it, on the thread of the send, which
    /// waits for it. Other than in Java, key and value are serialized already. The record that it
    /// returns goes to the next of the chain, and is sent in the end; by default it is the same one. If
    /// it has no partition, it is given one afterwards.
    fn on_send(&self, record: RecordBuf) -> RecordBuf {
        record
    }

    /// Called with what became of each record that was accepted: where it was written, or why not; and with
    /// its headers, as the chain made them (KIP-512).
    ///
    /// On the producer's callback thread, in front of the record's own callback. All callbacks wait for
    /// it, and while they wait the records keep their memory: it should be quick, and may send with
    /// [`try_send`](crate::Producer::try_send) alone.
    fn on_acknowledgement(
        &self,
        outcome: &Result<RecordMetadata, ProduceError>,
        headers: &[RecordHeaderBuf],
    ) {
        let _ = (outcome, headers);
    }

    /// Called with each record that was not accepted, as the chain made it, and why: on the thread of the
    /// send, just before that fails.
    fn on_send_error(&self, record: &Record<'_>, error: &SendError) {
        let _ = (record, error);
    }
}

/// A record that owns what is in it. Bytes are shared when it is cloned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordBuf {
    /// Topic.
    pub topic: String,
    /// Partition, if not the partitioner's choice.
    pub partition: Option<i32>,
    /// Timestamp in ms since 1970; `None` is the time of the send.
    pub timestamp: Option<i64>,
    /// Key. `None` is null, which is not the same as an empty key.
    pub key: Option<Bytes>,
    /// Value. `None` is null: a tombstone in a compacted topic.
    pub value: Option<Bytes>,
    /// Headers, in this order; keys may repeat.
    pub headers: Vec<RecordHeaderBuf>,
}

impl RecordBuf {
    /// The same record, borrowed. A [`Record`] borrows a slice of headers that borrow in turn: they are
    /// put into `headers`, whatever was in there before.
    pub fn as_record<'a>(&'a self, headers: &'a mut Vec<RecordHeader<'a>>) -> Record<'a> {
        headers.clear();
        headers.extend(
            self.headers
                .iter()
                .map(|header| RecordHeader { key: &header.key, value: header.value.as_deref() }),
        );
        Record {
            topic: &self.topic,
            partition: self.partition,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }
}

impl From<Record<'_>> for RecordBuf {
    fn from(record: Record<'_>) -> Self {
        Self {
            topic: record.topic.to_owned(),
            partition: record.partition,
            timestamp: record.timestamp,
            key: record.key.map(Bytes::copy_from_slice),
            value: record.value.map(Bytes::copy_from_slice),
            headers: record.headers.iter().copied().map(RecordHeaderBuf::from).collect(),
        }
    }
}

/// A header that owns its key and value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordHeaderBuf {
    /// Key.
    pub key: String,
    /// Value. `None` is null, which is not the same as empty.
    pub value: Option<Bytes>,
}

impl RecordHeaderBuf {
    /// Bytes that a copy of it holds.
    fn memory(&self) -> usize {
        size_of::<Self>() + self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

impl From<RecordHeader<'_>> for RecordHeaderBuf {
    fn from(header: RecordHeader<'_>) -> Self {
        Self { key: header.key.to_owned(), value: header.value.map(Bytes::copy_from_slice) }
    }
}

/// The chain of a producer. Cheap to clone; empty, it costs a send nothing if that asks first.
#[derive(Clone, Default)]
pub(crate) struct Interceptors(Arc<[Arc<dyn Interceptor>]>);

impl Interceptors {
    pub(crate) fn new(chain: Vec<Arc<dyn Interceptor>>) -> Self {
        Self(chain.into())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The record as the chain makes it. Each interceptor gets a clone: if it panics, that one is lost,
    /// and the chain goes on with the record from before.
    pub(crate) fn on_send(&self, record: RecordBuf) -> RecordBuf {
        self.0.iter().enumerate().fold(record, |record, (index, interceptor)| {
            caught(index, "on_send", || interceptor.on_send(record.clone())).unwrap_or(record)
        })
    }

    /// A callback that tells the chain, and then the record's own one. It holds the headers.
    pub(crate) fn callback(&self, own: Option<Callback>, headers: &[RecordHeaderBuf]) -> Callback {
        let (chain, headers) = (self.clone(), headers.to_vec());
        let held = headers.iter().map(RecordHeaderBuf::memory).sum();
        let callback = move |outcome| {
            chain.on_acknowledgement(&outcome, &headers);
            if let Some(own) = own {
                own.call(outcome);
            }
        };
        Callback::new(callback).holding(held)
    }

    pub(crate) fn on_acknowledgement(
        &self,
        outcome: &Result<RecordMetadata, ProduceError>,
        headers: &[RecordHeaderBuf],
    ) {
        for (index, interceptor) in self.0.iter().enumerate() {
            let call = || interceptor.on_acknowledgement(outcome, headers);
            caught(index, "on_acknowledgement", call);
        }
    }

    pub(crate) fn on_send_error(&self, record: &Record<'_>, error: &SendError) {
        for (index, interceptor) in self.0.iter().enumerate() {
            caught(index, "on_send_error", || interceptor.on_send_error(record, error));
        }
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interceptors({})", self.0.len())
    }
}

/// What a call returns, or `None` if it panics. Nothing of ours is touched while it runs, so nothing
/// can be torn; what state an interceptor leaves itself in is its own affair.
fn caught<R>(index: usize, method: &str, call: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(returned) => Some(returned),
        Err(panic) => {
            let message = panic_message(&*panic);
            tracing::warn!(index, method, message, "an interceptor panicked; going on without it");
            None
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::BlockedOn;
    use crate::error::{ProduceErrorKind, ProduceFailure};

    /// Notes what it sees; adds its letter to the value; panics first or last, if told to.
    struct Member {
        letter: &'static str,
        panics: bool,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl Member {
        fn note(&self, what: &str) {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(format!("{}: {what}", self.letter));
            // Under the lock: a chain must outlive state that a panic has spoilt.
            assert!(!self.panics, "{} panics", self.letter);
        }
    }

    impl Interceptor for Member {
        fn on_send(&self, mut record: RecordBuf) -> RecordBuf {
            let value = [&record.value.unwrap_or_default()[..], self.letter.as_bytes()].concat();
            record.value = Some(value.into());
            self.note(&format!("{:?}", record.value));
            record
        }

        fn on_acknowledgement(
            &self,
            outcome: &Result<RecordMetadata, ProduceError>,
            headers: &[RecordHeaderBuf],
        ) {
            let keys: String = headers.iter().map(|header| format!(" {}", header.key)).collect();
            match outcome {
                Ok(metadata) => self.note(&format!("{metadata}{keys}")),
                Err(error) => self.note(&format!("{:?}{keys}", error.kind())),
            }
        }

        fn on_send_error(&self, record: &Record<'_>, error: &SendError) {
            self.note(&format!("{}: {error}", record.topic));
        }
    }

    /// Three interceptors, of which the one in the middle always panics.
    fn chain() -> (Interceptors, impl Fn() -> Vec<String>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let member = |letter| -> Arc<dyn Interceptor> {
            Arc::new(Member { letter, panics: letter == "b", seen: Arc::clone(&seen) })
        };
        let chain = Interceptors::new(["a", "b", "c"].map(member).to_vec());
        let take =
            move || std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        (chain, take)
    }

    #[test]
    fn records_go_through_the_chain_and_around_who_panics() {
        let (chain, seen) = chain();
        assert!(!chain.is_empty());
        for _ in 0..2 {
            let sent = chain.on_send(Record::new("topic", "-").key("key").into());
            assert_eq!(sent, Record::new("topic", "-ac").key("key").into());
            assert_eq!(seen(), [r#"a: Some(b"-a")"#, r#"b: Some(b"-ab")"#, r#"c: Some(b"-ac")"#]);
        }
    }

    #[test]
    fn outcomes_and_errors_reach_everyone_in_spite_of_a_panic() {
        let (chain, seen) = chain();
        let written = RecordMetadata {
            topic: "topic".into(),
            partition: 3,
            offset: Some(42),
            timestamp: 0,
            serialized_key_size: None,
            serialized_value_size: None,
        };
        let headers =
            ["one", "two"].map(|key| RecordHeaderBuf { key: key.to_owned(), value: None });
        chain.on_acknowledgement(&Ok(written), &headers);
        let line = "topic-3@42 one two";
        assert_eq!(seen(), ["a", "b", "c"].map(|letter| format!("{letter}: {line}")));

        let failed = ProduceError::new(ProduceFailure {
            topic: "topic".into(),
            partition: 3,
            attempts: 0,
            may_have_been_written: false,
            kind: ProduceErrorKind::Closed,
        });
        chain.on_acknowledgement(&Err(failed), &[]);
        assert_eq!(seen(), ["a: Closed", "b: Closed", "c: Closed"]);

        let error = SendError::WouldBlock(BlockedOn::Memory);
        chain.on_send_error(&Record::new("topic", "value"), &error);
        let line = "topic: the record would have to wait for memory";
        assert_eq!(seen(), ["a", "b", "c"].map(|letter| format!("{letter}: {line}")));
    }

    #[test]
    fn an_interceptor_that_does_nothing_changes_nothing() {
        struct Nothing;
        impl Interceptor for Nothing {}
        let record = RecordBuf::from(Record::tombstone("topic", "key"));
        let chain = Interceptors::new(vec![Arc::new(Nothing)]);
        assert_eq!(chain.on_send(record.clone()), record);
        assert!(Interceptors::default().is_empty());
        assert_eq!(format!("{chain:?}"), "Interceptors(1)");
    }

    #[test]
    fn a_record_survives_being_owned() {
        let headers = [
            RecordHeader { key: "one", value: Some(b"1") },
            RecordHeader { key: "null", value: None },
            RecordHeader { key: "", value: Some(b"") },
        ];
        let full = Record::new("topic", "value").key("key").partition(3).timestamp(42);
        for record in [full.headers(&headers), Record::empty("topic")] {
            let owned = RecordBuf::from(record);
            let mut scratch = vec![RecordHeader { key: "old", value: None }];
            assert_eq!(owned.as_record(&mut scratch), record);
        }
    }

    #[test]
    fn the_message_of_a_panic_is_found() {
        let message_of = |panics: fn()| {
            let panic = catch_unwind(panics).unwrap_err();
            panic_message(&*panic).to_owned()
        };
        assert_eq!(message_of(|| panic!("a literal")), "a literal");
        assert_eq!(message_of(|| panic!("number {}", std::hint::black_box(7))), "number 7");
        assert_eq!(message_of(|| std::panic::panic_any(7)), "no message");
    }
}
