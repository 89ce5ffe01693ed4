//! One send, as a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::delivery::Delivery;
use crate::error::SendError;
use crate::producer::Producer;
use crate::record::Record;

/// The future of [`Producer::send`]: accepts a record, and gives what will become of it.
///
/// Written by hand, since an `async fn` would copy the record into itself and the delivery out of
/// itself: half of what a send costs that need not wait.
///
/// Once it was ready it is never ready again.
///
/// # Cancel safety
/// If it is dropped before it is ready, the record was not accepted.
#[must_use = "a record is sent when the future is awaited"]
pub struct Sending<'a>(State<'a>);

/// What is left of a send after its first attempt, in a box of its own: nearly no send needs it.
pub(super) type SendFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Delivery, SendError>> + Send + 'a>>;

/// A send after its first attempt.
pub(super) enum Begun<'a> {
    Done(Delivery),
    /// Something is missing, or has its say first.
    Waits(SendFuture<'a>),
}

enum State<'a> {
    New(&'a Producer, Record<'a>),
    Waits(SendFuture<'a>),
    Done,
}

impl<'a> Sending<'a> {
    #[inline(always)]
    pub(super) fn new(producer: &'a Producer, record: Record<'a>) -> Self {
        Self(State::New(producer, record))
    }
}

impl Future for Sending<'_> {
    type Output = Result<Delivery, SendError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let state = &mut self.get_mut().0;
        if let State::New(producer, record) = state {
            if let Some(accepted) = producer.append_in_place(record) {
                let delivery = accepted.delivery(record);
                *state = State::Done;
                return Poll::Ready(Ok(delivery));
            }
        }
        state.poll_slowly(cx)
    }
}

impl State<'_> {
    #[cold]
    fn poll_slowly(&mut self, cx: &mut Context<'_>) -> Poll<Result<Delivery, SendError>> {
        if let &mut Self::New(producer, record) = self {
            match producer.begin(record, None) {
                Begun::Done(delivery) => {
                    *self = Self::Done;
                    return Poll::Ready(Ok(delivery));
                }
                Begun::Waits(send) => *self = Self::Waits(send),
            }
        }
        let Self::Waits(send) = self else { return Poll::Pending };
        let sent = send.as_mut().poll(cx);
        if sent.is_ready() {
            *self = Self::Done;
        }
        sent
    }
}

impl fmt::Debug for Sending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}
