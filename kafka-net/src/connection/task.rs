//! The task of a connection: polls the transport and the clock, and hands out what comes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Sleep;

use super::shared::{Next, Shared};
use crate::{DisconnectReason, Transport, TransportEvent};

pub(super) struct Task<S> {
    transport: Transport<S>,
    shared: Arc<Shared>,
    /// Until the first request runs out of time.
    sleep: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Task<S> {
    pub(super) fn new(transport: Transport<S>, shared: Arc<Shared>) -> Self {
        Self { transport, shared, sleep: None }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<DisconnectReason> {
        loop {
            let deadline = match self.shared.advance(&mut self.transport, cx) {
                Next::Wait(deadline) => deadline,
                Next::End(reason) => return Poll::Ready(reason),
            };
            match self.transport.poll(cx) {
                Poll::Ready(TransportEvent::Frame(frame)) => {
                    if let Err(error) = self.shared.answer(frame) {
                        return Poll::Ready(DisconnectReason::Correlation(error));
                    }
                }
                Poll::Ready(TransportEvent::Closed(reason)) => return Poll::Ready(reason),
                Poll::Pending if self.poll_sleep(deadline, cx).is_pending() => {
                    return Poll::Pending;
                }
                // There is room again; or time is up, which is looked at next.
                Poll::Ready(TransportEvent::Written(_)) | Poll::Pending => {}
            }
        }
    }

    fn poll_sleep(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        // Deadlines only grow. So a timer is kept, and set anew when it fires early: not with each
        // request.
        let Some(deadline) = deadline else { return Poll::Pending };
        match &mut self.sleep {
            Some((at, sleep)) if *at <= deadline => {
                std::task::ready!(sleep.as_mut().poll(cx));
                if *at == deadline {
                    return Poll::Ready(());
                }
                *at = deadline;
                sleep.as_mut().reset(deadline.into());
                sleep.as_mut().poll(cx)
            }
            _ => {
                let mut sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
                let poll = sleep.as_mut().poll(cx);
                self.sleep = Some((deadline, sleep));
                poll
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Task<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let reason = std::task::ready!(self.poll_end(cx));
        tracing::debug!(address = %self.shared.address, %reason, "disconnected");
        let unwritten = self.transport.unwritten().count();
        self.shared.end(reason, unwritten);
        Poll::Ready(())
    }
}

/// If the runtime drops the task, nobody waits for ever. After a regular end this does nothing.
impl<S> Drop for Task<S> {
    fn drop(&mut self) {
        self.shared.end(DisconnectReason::Closed, 0);
    }
}
