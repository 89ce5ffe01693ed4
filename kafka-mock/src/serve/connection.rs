//! One connection of a listener: frames in, replies out.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::{Inner, Shared, now};
use crate::{BrokerId, ConnectionId, FrameDecoder, ReplyAction};

/// Room for one read.
const READ_LEN: usize = 64 * 1024;
/// Most pieces of one vectored write.
const PIECES_MAX: usize = 64;
/// Bytes of a frame's size field.
const SIZE_LEN: usize = 4;

/// Serves a connection until either side closes it.
pub(super) async fn run(shared: &Shared, broker: BrokerId, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (id, filled, decoder) = {
        let mut inner = shared.lock();
        let (id, filled) = inner.connect();
        (id, filled, inner.cluster.decoder())
    };
    let connection = Connection {
        shared,
        broker,
        id,
        filled,
        decoder,
        stream,
        buffer: BytesMut::new(),
        reads_at: None,
    };
    connection.run().await
}

struct Connection<'s> {
    shared: &'s Shared,
    broker: BrokerId,
    id: ConnectionId,
    filled: Arc<Notify>,
    decoder: FrameDecoder,
    stream: TcpStream,
    buffer: BytesMut,
    /// When the next request is read, if not at once.
    reads_at: Option<Instant>,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.shared.lock().disconnect(now(), self.id);
    }
}

impl Connection<'_> {
    async fn run(mut self) -> io::Result<()> {
        loop {
            let pause = self.reads_at.filter(|at| *at > now());
            let frame = if pause.is_none() { self.next_frame()? } else { None };
            let replies = match (frame, pause) {
                (Some(frame), _) => self.handle(frame),
                (None, Some(until)) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(until.into()) => continue,
                        () = self.filled.notified() => self.replies(),
                    }
                }
                (None, None) => {
                    tokio::select! {
                        read = self.stream.read_buf(&mut self.buffer) => {
                            if read? == 0 {
                                return Ok(());
                            }
                            continue;
                        }
                        () = self.filled.notified() => self.replies(),
                    }
                }
            };
            for reply in replies {
                match reply {
                    ReplyAction::Send(pieces) => self.write(pieces).await?,
                    ReplyAction::Close => return self.stream.shutdown().await,
                }
            }
        }
    }

    /// A whole frame, if one was read; else there is room to read more of it.
    ///
    /// # Errors
    /// A frame that is longer than allowed.
    fn next_frame(&mut self) -> io::Result<Option<Bytes>> {
        let Some(size) = self.buffer.first_chunk::<SIZE_LEN>() else {
            self.buffer.reserve(READ_LEN);
            return Ok(None);
        };
        let size = usize::try_from(i32::from_be_bytes(*size)).ok();
        let Some(size) = size.filter(|size| *size <= self.decoder.frame_len_max) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let len = SIZE_LEN + size;
        if self.buffer.len() < len {
            // A size is believed only as far as bytes have come.
            let missing = len - self.buffer.len();
            self.buffer.reserve(missing.min(self.buffer.len().max(READ_LEN)));
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(len).freeze();
        frame.advance(SIZE_LEN);
        Ok(Some(frame))
    }

    fn handle(&mut self, frame: Bytes) -> Vec<ReplyAction> {
        let frame = self.decoder.decode(frame);
        let now = now();
        let mut inner = self.shared.lock();
        let before = inner.cluster.poll_timeout();
        inner.cluster.handle_decoded(now, self.broker, self.id, frame);
        let replies = inner.replies(now, Some(self.id));
        self.reschedule(&inner, before);
        let reads_at = inner.cluster.reads_at(self.id);
        drop(inner);
        self.reads_at = reads_at;
        replies
    }

    fn replies(&self) -> Vec<ReplyAction> {
        self.shared.lock().replies(now(), Some(self.id))
    }

    /// Tells the timer if there is something earlier than before.
    fn reschedule(&self, inner: &Inner, before: Option<Instant>) {
        let after = inner.cluster.poll_timeout();
        if after.is_some() && after != before {
            self.shared.rescheduled.notify_one();
        }
    }

    /// Writes pieces one behind the other, many with one call.
    async fn write(&mut self, pieces: Vec<Bytes>) -> io::Result<()> {
        let mut pieces: VecDeque<Bytes> = pieces.into();
        while !pieces.is_empty() {
            let slices: Vec<IoSlice<'_>> =
                pieces.iter().take(PIECES_MAX).map(|piece| IoSlice::new(piece)).collect();
            let mut written = self.stream.write_vectored(&slices).await?;
            if written == 0 && slices.iter().any(|slice| !slice.is_empty()) {
                return Err(io::ErrorKind::WriteZero.into());
            }
            while let Some(front) = pieces.front_mut() {
                if front.len() > written {
                    front.advance(written);
                    break;
                }
                written -= front.len();
                pieces.pop_front();
            }
        }
        Ok(())
    }
}
