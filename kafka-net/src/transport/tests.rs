use super::*;
use kafka_protocol::messages::ApiVersionsRequest;
use proptest::prelude::*;
use std::future::poll_fn;
use std::task::Waker;
use tokio::io::ReadBuf;

/// A stream that takes and gives as many bytes at a time as its script says, and is pending in
/// between.
#[derive(Debug)]
struct Script {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    pieces: Vec<usize>,
    /// Of reads and of writes.
    turns: [usize; 2],
    is_vectored: bool,
    /// The stream ends when so much was written.
    end_after: usize,
    write_fails: bool,
    flushes: usize,
    writes: usize,
}

impl Script {
    fn new(incoming: &[u8], pieces: &[usize], is_vectored: bool) -> Self {
        Self {
            incoming: incoming.to_vec(),
            outgoing: Vec::new(),
            pieces: pieces.to_vec(),
            turns: [0, 0],
            is_vectored,
            end_after: 0,
            write_fails: false,
            flushes: 0,
            writes: 0,
        }
    }

    /// 0 stands for pending.
    fn piece(&mut self, direction: usize, cx: &Context<'_>) -> Poll<usize> {
        self.turns[direction] += 1;
        match self.pieces[self.turns[direction] % self.pieces.len()] {
            0 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            piece => Poll::Ready(piece),
        }
    }
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let len = ready!(self.piece(0, cx)).min(self.incoming.len()).min(buf.remaining());
        if len == 0 && self.outgoing.len() < self.end_after {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let given: Vec<u8> = self.incoming.drain(..len).collect();
        buf.put_slice(&given);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.write_fails {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut room = ready!(self.piece(1, cx));
        self.writes += 1;
        let before = self.outgoing.len();
        for slice in slices {
            let taken = room.min(slice.len());
            self.outgoing.extend_from_slice(&slice[..taken]);
            room -= taken;
        }
        Poll::Ready(Ok(self.outgoing.len() - before))
    }

    fn is_write_vectored(&self) -> bool {
        self.is_vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn transport(stream: Script) -> Transport<Script> {
    Transport::new(stream, KafkaCodec::with_frame_len_max(100_000), QueueLimits::default())
}

/// Segments of all sizes, as a Produce request has them.
fn frame(id: i32) -> Frame {
    let request = ApiVersionsRequest {
        client_software_name: "x".repeat(id as usize % 50).into(),
        ..Default::default()
    };
    Frame::request(&request, 3, id, None).unwrap()
}

fn framed(bodies: &[&[u8]]) -> Vec<u8> {
    let mut stream = Vec::new();
    for body in bodies {
        stream.extend_from_slice(&(body.len() as i32).to_be_bytes());
        stream.extend_from_slice(body);
    }
    stream
}

/// Polls until the transport has closed, and gives everything that happened.
fn run(transport: &mut Transport<Script>) -> Vec<TransportEvent> {
    let mut events = Vec::new();
    let cx = &mut Context::from_waker(Waker::noop());
    for _ in 0..100_000 {
        if let Poll::Ready(event) = transport.poll(cx) {
            let is_end = matches!(event, TransportEvent::Closed(_));
            events.push(event);
            if is_end {
                return events;
            }
        }
    }
    panic!("the transport never ends: {events:?}");
}

#[test]
fn every_split_of_reads_and_writes_gives_the_same() {
    let incoming = framed(&[b"", b"one", b"two and more"]);
    for piece in 1..=incoming.len() {
        for pieces in [&[piece][..], &[0, piece], &[piece, 0, 0, 1]] {
            for is_vectored in [true, false] {
                let mut transport = transport(Script::new(&incoming, pieces, is_vectored));
                let frames = [frame(1), frame(2), frame(3)];
                let expected: Vec<u8> =
                    frames.iter().flat_map(|f| f.clone().into_bytes().to_vec()).collect();
                for (tag, frame) in (1..).zip(frames) {
                    transport.queue(frame, tag).unwrap();
                }
                transport.stream.end_after = expected.len();
                let events = run(&mut transport);
                let tags: Vec<u64> = events.iter().filter_map(written).collect();
                let read: Vec<&[u8]> = events.iter().filter_map(read).collect();
                assert_eq!(tags, [1, 2, 3], "{pieces:?}");
                assert_eq!(read, [&b""[..], b"one", b"two and more"], "{pieces:?}");
                let end = TransportEvent::Closed(DisconnectReason::ClosedByPeer);
                assert_eq!(events.last(), Some(&end));
                assert_eq!(transport.stream.outgoing, expected, "{pieces:?}");
                assert_eq!((transport.queued_bytes(), transport.queued_frames()), (0, 0));
                assert!(transport.stream.flushes > 0);
            }
        }
    }
}

fn written(event: &TransportEvent) -> Option<u64> {
    if let TransportEvent::Written(tag) = event { Some(*tag) } else { None }
}

fn read(event: &TransportEvent) -> Option<&[u8]> {
    if let TransportEvent::Frame(frame) = event { Some(frame) } else { None }
}

#[test]
fn many_frames_go_out_in_one_write() {
    for is_vectored in [true, false] {
        let mut transport = transport(Script::new(&[], &[1 << 20], is_vectored));
        for tag in 0..50 {
            transport.queue(frame(7), tag).unwrap();
        }
        run(&mut transport);
        assert_eq!(transport.stream.writes, 1);
    }
}

#[test]
fn a_full_queue_gives_the_frame_back() {
    let limits = QueueLimits { frames: 2, bytes: 60 };
    let stream = Script::new(&[], &[0], true);
    let mut transport = Transport::new(stream, KafkaCodec::new(), limits);
    let large = frame(49);
    assert!(large.len() > limits.bytes);
    transport.queue(large.clone(), 1).expect("a single frame may be as large as it is");
    assert_eq!(transport.queue(frame(0), 2), Err(frame(0)));
    let stream = Script::new(&[], &[0], true);
    let mut transport = Transport::new(stream, KafkaCodec::new(), limits);
    transport.queue(frame(0), 1).unwrap();
    transport.queue(frame(0), 2).unwrap();
    assert!(!transport.has_room(1));
}

#[test]
fn what_ended_a_transport_is_told_and_told_again() {
    let cases: [(&[u8], DisconnectReason); 4] = [
        (b"", DisconnectReason::ClosedByPeer),
        (b"\0\0", DisconnectReason::ClosedInsideFrame),
        (b"\0\0\0\x02a", DisconnectReason::ClosedInsideFrame),
        (
            b"HTTP/1.1 400 Bad Request",
            DisconnectReason::Frame(crate::FrameError::Foreign(crate::ForeignProtocol::Http)),
        ),
    ];
    for (incoming, reason) in cases {
        let mut transport = transport(Script::new(incoming, &[9], true));
        let end = TransportEvent::Closed(reason);
        assert_eq!(run(&mut transport), std::slice::from_ref(&end));
        assert_eq!(run(&mut transport), [end]);
        assert_eq!(transport.queue(frame(0), 0), Err(frame(0)));
    }
}

#[test]
fn what_a_peer_said_before_it_hung_up_is_still_read() {
    let mut transport = transport(Script::new(&framed(&[b"bye"]), &[5], true));
    transport.stream.write_fails = true;
    transport.queue(frame(0), 4).unwrap();
    let events = run(&mut transport);
    let reason = DisconnectReason::Io(io::ErrorKind::BrokenPipe);
    assert_eq!(events, [TransportEvent::Frame("bye".into()), TransportEvent::Closed(reason)]);
    assert_eq!(transport.unwritten().collect::<Vec<_>>(), [4]);
}

#[test]
fn a_frame_of_which_a_byte_was_written_is_no_longer_unwritten() {
    let mut transport = transport(Script::new(&[], &[1, 0], true));
    transport.queue(frame(0), 1).unwrap();
    transport.queue(frame(0), 2).unwrap();
    let cx = &mut Context::from_waker(Waker::noop());
    let _ = transport.poll_write(cx);
    let _ = transport.poll_write(cx);
    assert_eq!(transport.unwritten().collect::<Vec<_>>(), [2]);
}

#[test]
fn the_memory_of_a_large_frame_goes_with_the_frame() {
    let large = vec![7; 90_000];
    let mut transport = transport(Script::new(&framed(&[&large, b"next"]), &[100_000], true));
    transport.stream.end_after = 1;
    let cx = &mut Context::from_waker(Waker::noop());
    for len in [90_000, 4] {
        let Poll::Ready(TransportEvent::Frame(frame)) = transport.poll(cx) else {
            panic!("a frame is there");
        };
        assert_eq!(frame.len(), len);
    }
    assert!(transport.poll(cx).is_pending());
    assert!(transport.received.capacity() < 20_000, "{}", transport.received.capacity());
}

/// A duplex pipe of tokio's, smaller than a frame, with both sides busy at once.
#[tokio::test]
async fn both_directions_at_once_over_a_narrow_pipe() {
    let (near, far) = tokio::io::duplex(7);
    let side = |stream| {
        let mut transport = Transport::new(stream, KafkaCodec::new(), QueueLimits::default());
        for tag in 0..20 {
            transport.queue(frame(tag as i32), tag).unwrap();
        }
        async move {
            let (mut written, mut frames) = (0, 0);
            while (written, frames) != (20, 20) {
                match poll_fn(|cx| transport.poll(cx)).await {
                    TransportEvent::Written(tag) => {
                        assert_eq!(tag, written);
                        written += 1;
                    }
                    TransportEvent::Frame(read) => {
                        assert_eq!(read, frame(frames).into_bytes().slice(4..));
                        frames += 1;
                    }
                    TransportEvent::Closed(reason) => panic!("{reason}"),
                }
            }
            // Not dropped before the other side is done.
            transport
        }
    };
    let _both = tokio::join!(side(near), side(far));
}

proptest! {
    #[test]
    fn random_pieces(
        ids in prop::collection::vec(0_i32..60, 0..80),
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        pieces in prop::collection::vec(0_usize..2_000, 1..20),
        is_vectored: bool,
    ) {
        prop_assume!(pieces.iter().any(|piece| *piece > 0));
        let bodies: Vec<&[u8]> = bodies.iter().map(|body| &body[..]).collect();
        let mut transport = transport(Script::new(&framed(&bodies), &pieces, is_vectored));
        let mut expected = Vec::new();
        for (tag, id) in (0..).zip(&ids) {
            expected.extend_from_slice(&frame(*id).into_bytes());
            transport.queue(frame(*id), tag).unwrap();
        }
        // The end of the stream comes when the peer has said all, which may be before we have.
        let events = run(&mut transport);
        let tags: Vec<u64> = events.iter().filter_map(written).collect();
        prop_assert!(tags.iter().copied().eq(0..tags.len() as u64));
        let unwritten = transport.unwritten().count();
        prop_assert!(ids.len() - tags.len() - unwritten <= 1, "at most one is half written");
        let written = &transport.stream.outgoing;
        prop_assert_eq!(&written[..], &expected[..written.len()]);
        let read: Vec<&[u8]> = events.iter().filter_map(read).collect();
        prop_assert_eq!(read, bodies);
    }
}
