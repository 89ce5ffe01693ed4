//! A connection to a broker that waits: a request goes, its answer comes, or the connection ends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::ApiVersionsRequest;
use kafka_protocol::{DecodeLimits, Frame, Request, decode_response};

pub(crate) struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

/// What came of a request.
pub(crate) enum Reply<T> {
    Answer(T),
    /// The broker closed the connection instead.
    Closed,
    /// The broker took it, and answers the next request or nothing more at all.
    Silence,
}

/// Nothing that a script asks for takes that long.
const PATIENCE: Duration = Duration::from_secs(10);
const SHORT_PATIENCE: Duration = Duration::from_secs(1);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, correlation_id: 0 }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask<R: Request>(&mut self, request: &R, version: i16) -> Reply<R::Response> {
        self.send(request, version);
        self.answer::<R>(version)
    }

    /// Sends a request, and another one behind it, whose answer tells that the first has none.
    pub(crate) fn tell<R: Request>(&mut self, request: &R, version: i16) -> Reply<R::Response> {
        self.send(request, version);
        match self.ask(&ApiVersionsRequest::default(), 0) {
            Reply::Answer(_) => Reply::Silence,
            _ => Reply::Closed,
        }
    }

    /// Sends a request that may be too much for the broker: silence is an answer too.
    pub(crate) fn try_asking<R: Request>(
        &mut self,
        request: &R,
        version: i16,
    ) -> Reply<R::Response> {
        self.send(request, version);
        self.stream.set_read_timeout(Some(SHORT_PATIENCE)).unwrap();
        match self.stream.peek(&mut [0]) {
            Err(error) if is_timeout(&error) => Reply::Silence,
            _ => self.answer::<R>(version),
        }
    }

    /// Sends the bytes of a frame, which must have a header with this correlation id, and reads the
    /// answer, in the version that it has.
    pub(crate) fn ask_bytes<R: Request>(
        &mut self,
        frame: &[u8],
        correlation_id: i32,
        version: i16,
    ) -> Reply<R::Response> {
        self.correlation_id = correlation_id;
        let _ = self.stream.write_all(frame);
        self.answer::<R>(version)
    }

    fn send<R: Request>(&mut self, request: &R, version: i16) {
        self.correlation_id += 1;
        let frame =
            Frame::request(request, version, self.correlation_id, Some("script".into())).unwrap();
        // If it is closed already, reading tells.
        let _ = self.stream.write_all(&frame.into_bytes());
    }

    fn answer<R: Request>(&mut self, version: i16) -> Reply<R::Response> {
        let frame = match self.read() {
            Ok(frame) => frame,
            Err(error) => {
                assert!(!is_timeout(&error), "no answer to {} v{version}", R::NAME);
                return Reply::Closed;
            }
        };
        let (header, response) =
            decode_response::<R>(frame, version, &DecodeLimits::default()).unwrap();
        assert_eq!(header.correlation_id, self.correlation_id, "{} v{version}", R::NAME);
        Reply::Answer(response)
    }

    fn read(&mut self) -> io::Result<Bytes> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len)?;
        let mut frame = vec![0; i32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(frame.into())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
