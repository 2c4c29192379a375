//! HTTP/1.1 on a bare socket, or on TLS: one request out, one answer in.
//!
//! Called by `transport`. Why not hyper's client: the generator has to cost no more than the server that it is
//! to saturate, and a bare hyper server takes 6.1 us of CPU a request, nearly all of it the kernel's. In
//! hyper's client a request crosses channels to a connection's task, and its head is built and hashed
//! anew. Here a request is one `write` of octets that were put together once and one `read` into a buffer
//! that stays, two system calls in all (strace counts them): 7.4 us a request at 124,000 answers/s, the
//! answers judged. The head is read by httparse, which is what hyper reads heads with; and the clock is
//! read right at the write and at the last octet. hyper's client itself was not measured here. The price:
//! HTTP/1.1 without chunks and pipelining, named ([`WireError::Unsupported`]) where a responder needs more.
//! Invariants: after an error a connection is not used again.

use crate::transport::Stream;
use std::future::poll_fn;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest answer that is read: some 100 certificates make 20 KiB.
const MOST_OCTETS: usize = 1 << 20;
const ROOM: usize = 8 << 10;
const MOST_HEADERS: usize = 48;

/// A connection to the responder.
pub struct Connection {
    stream: Stream,
    inbound: Vec<u8>,
}

/// An answer's head, and where its body is ([`Connection::octets`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub http_status: u16,
    /// Whether it says `application/ocsp-response`.
    pub is_ocsp: bool,
    pub body: Range<usize>,
    /// Whether the connection can serve another request.
    pub reusable: bool,
    /// Head and body.
    pub octets: usize,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireError {
    /// Closed before the first octet of an answer: an idle connection that was closed looks so.
    Unanswered,
    /// Closed or broken in the middle.
    Broken,
    /// Not HTTP.
    Malformed,
    /// HTTP that is not understood here: chunks.
    Unsupported,
    /// Over [`MOST_OCTETS`].
    TooLong,
}

impl Connection {
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self { stream, inbound: vec![0; ROOM] }
    }

    /// Part of the last answer.
    #[must_use]
    pub fn octets(&self, range: Range<usize>) -> &[u8] {
        self.inbound.get(range).unwrap_or_default()
    }

    /// Sends `request` and reads its answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Reply, WireError> {
        self.send(request).await?;
        let mut filled = 0;
        let mut head = None;
        loop {
            let received = self.receive(filled).await;
            let closed = match received {
                Ok(0) => true,
                Ok(count) => {
                    filled += count;
                    false
                }
                Err(_) if filled == 0 => return Err(WireError::Unanswered),
                Err(_) => return Err(WireError::Broken),
            };
            if closed && filled == 0 {
                return Err(WireError::Unanswered);
            }
            if head.is_none() {
                head = Head::read(self.octets(0..filled))?;
            }
            match &head {
                Some(Head { length: Some(length), octets, .. }) => {
                    let end = octets.saturating_add(*length);
                    if end > MOST_OCTETS {
                        return Err(WireError::TooLong);
                    }
                    if filled > end {
                        // Nothing was asked beyond this: the two sides disagree about where an answer ends.
                        return Err(WireError::Malformed);
                    }
                    if filled == end {
                        return Ok(Self::reply(head.take(), end));
                    }
                }
                // RFC 9112 6.3: without a length the body ends where the connection does.
                Some(Head { length: None, .. }) if closed => return Ok(Self::reply(head.take(), filled)),
                _ => {}
            }
            if closed {
                return Err(WireError::Broken);
            }
            if filled == self.inbound.len() {
                if filled >= MOST_OCTETS {
                    return Err(WireError::TooLong);
                }
                self.inbound.resize(filled * 2, 0);
            }
        }
    }

    fn reply(head: Option<Head>, end: usize) -> Reply {
        let head = head.unwrap_or_default();
        let reusable = head.keep_alive && head.length.is_some();
        Reply {
            http_status: head.status,
            is_ocsp: head.is_ocsp,
            body: head.octets..end,
            reusable,
            octets: end,
        }
    }

    async fn send(&mut self, mut rest: &[u8]) -> Result<(), WireError> {
        while !rest.is_empty() {
            let sent = poll_fn(|context| Pin::new(&mut self.stream).poll_write(context, rest)).await;
            match sent {
                // A server may close an idle connection at any time.
                Ok(0) | Err(_) => return Err(WireError::Unanswered),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            }
        }
        // TLS may keep a record back that the kernel had no room for; a bare socket keeps nothing.
        let flushed = poll_fn(|context| Pin::new(&mut self.stream).poll_flush(context)).await;
        flushed.map_err(|_| WireError::Unanswered)
    }

    /// tokio's `poll_read` knows after a short read that there is no more, without asking the kernel.
    async fn receive(&mut self, filled: usize) -> io::Result<usize> {
        let Self { stream, inbound } = self;
        poll_fn(|context| {
            let mut room = ReadBuf::new(inbound.get_mut(filled..).unwrap_or_default());
            Pin::new(&mut *stream).poll_read(context, &mut room).map_ok(|()| room.filled().len())
        })
        .await
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Head {
    status: u16,
    is_ocsp: bool,
    keep_alive: bool,
    length: Option<usize>,
    octets: usize,
}

impl Head {
    /// `None` while it is not whole.
    fn read(octets: &[u8]) -> Result<Option<Self>, WireError> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let end = match response.parse(octets) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(WireError::Malformed),
        };
        let mut head = Self {
            status: response.code.unwrap_or_default(),
            // RFC 9112 9.3: 1.1 persists unless it says close, 1.0 the other way round.
            keep_alive: response.version == Some(1),
            octets: end,
            ..Self::default()
        };
        for header in response.headers.iter() {
            let value = header.value.trim_ascii();
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                head.length = Some(length.ok_or(WireError::Malformed)?);
            } else if header.name.eq_ignore_ascii_case("content-type") {
                head.is_ocsp = value.eq_ignore_ascii_case(b"application/ocsp-response");
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(WireError::Unsupported);
            } else if header.name.eq_ignore_ascii_case("connection") {
                if value.eq_ignore_ascii_case(b"close") {
                    head.keep_alive = false;
                } else if value.eq_ignore_ascii_case(b"keep-alive") {
                    head.keep_alive = true;
                }
            }
        }
        Ok(Some(head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9112_9_3_who_keeps_a_connection_open() {
        let head = |text: &str| Head::read(text.as_bytes()).unwrap().unwrap();
        assert!(head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n").keep_alive);
        assert!(!head("HTTP/1.0 200 OK\r\n\r\n").keep_alive);
        assert!(head("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").keep_alive);
    }

    #[test]
    fn a_head_in_pieces_is_waited_for_and_a_wrong_one_is_named() {
        let whole =
            b"HTTP/1.1 200 OK\r\ncontent-type: application/ocsp-response\r\ncontent-length: 7\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(Head::read(&whole[..end]), Ok(None), "{end}");
        }
        let head = Head::read(whole).unwrap().unwrap();
        assert_eq!((head.status, head.is_ocsp, head.length), (200, true, Some(7)));
        assert_eq!(Head::read(b"OCSP/1.1 yes\r\n\r\n"), Err(WireError::Malformed));
        let chunks = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(Head::read(chunks), Err(WireError::Unsupported));
        assert_eq!(Head::read(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), Err(WireError::Malformed));
    }
}
