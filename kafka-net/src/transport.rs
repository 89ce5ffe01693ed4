//! Frames out and in over one socket, as something to poll: no task, no timer, no policy.
//!
//! ```text
//!  queue(frame, tag) ─► [frame][frame][frame] ─► one vectored write ─► Written(tag)
//!                                                                      Frame(bytes) ◄─ one buffer
//! ```
//!
//! The order of writing is fixed by [`queue`](Transport::queue). A frame's segments go to the socket
//! as they are: record bytes are not copied. A frame that is read shares the buffer it came in.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::Frame;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::io::poll_read_buf;

use crate::{DisconnectReason, KafkaCodec, SocketOptions};

/// A stream that carries frames both ways.
///
/// Nothing happens unless it is polled; nothing is lost when whoever polls it stops.
#[derive(Debug)]
pub struct Transport<S> {
    stream: S,
    codec: KafkaCodec,
    limits: QueueLimits,
    received: BytesMut,
    /// Of all queued frames, in order.
    segments: VecDeque<Bytes>,
    queued: VecDeque<Queued>,
    queued_bytes: usize,
    written: VecDeque<u64>,
    needs_flush: bool,
    /// Writing failed. What the peer said before is still read.
    write_error: Option<io::ErrorKind>,
    closed: Option<DisconnectReason>,
}

#[derive(Debug)]
struct Queued {
    tag: u64,
    len: usize,
    left: usize,
}

/// How much may wait to be written on one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Frames.
    pub frames: usize,
    /// Bytes of all frames together; a single frame may be larger.
    pub bytes: usize,
}

impl Default for QueueLimits {
    /// 100 frames, 16 MiB.
    fn default() -> Self {
        Self { frames: 100, bytes: 16 * 1024 * 1024 }
    }
}

/// What happened on a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransportEvent {
    /// The last byte of this frame was handed to the stream.
    Written(u64),
    /// A frame came, without its size.
    Frame(Bytes),
    /// There will be no more. Repeated by each further poll.
    Closed(DisconnectReason),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    /// Over an open stream.
    pub fn new(stream: S, codec: KafkaCodec, limits: QueueLimits) -> Self {
        Self {
            stream,
            codec,
            limits,
            received: BytesMut::new(),
            segments: VecDeque::new(),
            queued: VecDeque::new(),
            queued_bytes: 0,
            written: VecDeque::new(),
            needs_flush: false,
            write_error: None,
            closed: None,
        }
    }

    /// Queues a frame behind those that are queued already. `tag` comes back when it is written.
    /// Poll the transport afterwards.
    ///
    /// # Errors
    /// Gives the frame back if there is [no room](Self::has_room) for it, or the transport is closed.
    pub fn queue(&mut self, frame: Frame, tag: u64) -> Result<(), Frame> {
        if self.closed.is_some() || !self.has_room(frame.len()) {
            return Err(frame);
        }
        let len = frame.len();
        self.queued_bytes += len;
        self.queued.push_back(Queued { tag, len, left: len });
        self.segments.extend(frame.into_segments().into_iter().filter(|s| !s.is_empty()));
        Ok(())
    }

    /// Whether a frame of that length may be queued. Into an empty queue any may.
    pub fn has_room(&self, len: usize) -> bool {
        let frames = self.queued.len();
        let bytes = self.queued_bytes.saturating_add(len);
        frames == 0 || frames < self.limits.frames && bytes <= self.limits.bytes
    }

    /// Writes and reads as far as the stream allows, until something happens. Poll again until it is
    /// pending: only then a wake-up is sure to come.
    ///
    /// # Cancel safety
    /// All state is in the transport; not polling it for a while only delays.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TransportEvent> {
        if let Some(reason) = &self.closed {
            return Poll::Ready(TransportEvent::Closed(reason.clone()));
        }
        if self.written.is_empty() && self.write_error.is_none() {
            if let Poll::Ready(Err(error)) = self.poll_write(cx) {
                self.write_error = Some(error.kind());
            }
        }
        if let Some(tag) = self.written.pop_front() {
            return Poll::Ready(TransportEvent::Written(tag));
        }
        let event = match (self.poll_read(cx), self.write_error) {
            (Poll::Ready(Ok(frame)), _) => TransportEvent::Frame(frame),
            (Poll::Ready(Err(DisconnectReason::Frame(error))), _) => {
                self.close(DisconnectReason::Frame(error))
            }
            (_, Some(kind)) => self.close(DisconnectReason::Io(kind)),
            (Poll::Ready(Err(reason)), None) => self.close(reason),
            (Poll::Pending, None) => return Poll::Pending,
        };
        Poll::Ready(event)
    }

    /// The frames of which not one byte was handed to the stream, in order: after the transport has
    /// closed, those that the broker has certainly not seen.
    pub fn unwritten(&self) -> impl Iterator<Item = u64> + '_ {
        self.queued.iter().filter(|queued| queued.left == queued.len).map(|queued| queued.tag)
    }

    /// Frames that are queued and not written to the end.
    pub fn queued_frames(&self) -> usize {
        self.queued.len()
    }

    /// Bytes that are queued and not written.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// The stream.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Pending: the stream takes no more. Ready: everything is written and flushed.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.segments.is_empty() {
            let len = if self.stream.is_write_vectored() {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let filled = fill(&mut slices, &self.segments);
                ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, filled))?
            } else {
                ready!(self.poll_write_gathered(cx))?
            };
            if len == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.needs_flush = true;
            self.on_written(len);
        }
        if self.needs_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// For a stream that would make a packet or a TLS record of each segment.
    fn poll_write_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match self.segments.front() {
            Some(first) if first.len() >= GATHER_LEN || self.segments.len() == 1 => {
                Pin::new(&mut self.stream).poll_write(cx, first)
            }
            _ => {
                let mut gathered = Vec::with_capacity(GATHER_LEN);
                for segment in &self.segments {
                    let len = segment.len().min(GATHER_LEN - gathered.len());
                    gathered.extend_from_slice(segment.get(..len).unwrap_or_default());
                    if gathered.len() == GATHER_LEN {
                        break;
                    }
                }
                Pin::new(&mut self.stream).poll_write(cx, &gathered)
            }
        }
    }

    fn on_written(&mut self, len: usize) {
        self.queued_bytes = self.queued_bytes.saturating_sub(len);
        let mut left = len;
        while let Some(first) = self.segments.front_mut() {
            if left < first.len() {
                first.advance(left);
                break;
            }
            left -= first.len();
            // A written segment is let go at once: it may be the last holder of a batch's memory.
            self.segments.pop_front();
        }
        let mut left = len;
        while let Some(first) = self.queued.front_mut() {
            if left < first.left {
                first.left -= left;
                break;
            }
            left -= first.left;
            self.written.push_back(first.tag);
            self.queued.pop_front();
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, DisconnectReason>> {
        loop {
            match self.codec.split(&mut self.received) {
                Ok(Some(frame)) => {
                    if frame.len() > KEEP_LEN {
                        // Else the buffer would keep the memory of its largest frame for ever.
                        self.received = BytesMut::from(&self.received[..]);
                    }
                    return Poll::Ready(Ok(frame));
                }
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(DisconnectReason::Frame(error))),
            }
            let read = poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.received);
            match ready!(read) {
                Ok(0) if self.received.is_empty() => {
                    return Poll::Ready(Err(DisconnectReason::ClosedByPeer));
                }
                Ok(0) => return Poll::Ready(Err(DisconnectReason::ClosedInsideFrame)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(DisconnectReason::Io(error.kind()))),
            }
        }
    }

    fn close(&mut self, reason: DisconnectReason) -> TransportEvent {
        self.closed = Some(reason.clone());
        self.received = BytesMut::new();
        TransportEvent::Closed(reason)
    }
}

/// Opens a TCP connection: without Nagle's delay, with keep-alive.
///
/// # Errors
/// What the system says; there is no timeout but the system's.
///
/// # Cancel safety
/// Dropping the future closes the socket.
pub async fn connect(to: SocketAddr, options: &SocketOptions) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(size) = options.send_buffer_bytes {
        socket.set_send_buffer_size(size)?;
    }
    if let Some(size) = options.receive_buffer_bytes {
        socket.set_recv_buffer_size(size)?;
    }
    socket.set_keepalive(true)?;
    socket.set_nodelay(true)?;
    socket.connect(to).await
}

fn fill<'a, 's>(
    slices: &'a mut [IoSlice<'s>; SLICES_MAX],
    segments: &'s VecDeque<Bytes>,
) -> &'a [IoSlice<'s>] {
    let mut len = 0;
    for (slice, segment) in slices.iter_mut().zip(segments) {
        *slice = IoSlice::new(segment);
        len += 1;
    }
    slices.get(..len).unwrap_or_default()
}

/// Segments of one write: some thirty batches with their headers.
const SLICES_MAX: usize = 64;

/// What one TLS record holds.
const GATHER_LEN: usize = 16 * 1024;

/// A larger frame's memory is not used for what comes next.
const KEEP_LEN: usize = 64 * 1024;

#[cfg(test)]
mod tests;
