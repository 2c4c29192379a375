//! HTTP/2, by hyper: many requests at a time over one connection.
//!
//! Called by `transport`. Here hyper's client is worth its price: frames, header compression and flow
//! control by hand would be another HTTP/2. It costs more than HTTP/1.1 in `wire`, so look at the
//! generator's own CPU time before believing a saturation rate.
//! Invariants: as in `wire`, a lane whose request failed is not used again.

use crate::transport::Stream;
use crate::wire::{Reply, WireError};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io;
use std::ops::Range;

/// The longest answer that is read, as in `wire`.
const MOST_OCTETS: usize = 1 << 20;

/// One lane of a connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    body: Bytes,
}

impl Connection {
    /// Speaks HTTP/2 from the first octet on.
    pub async fn open(stream: Stream) -> io::Result<Self> {
        let opened = handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(io::Error::other)?;
        // It ends with its last lane; why it broke is told by the requests that were out.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { sender, body: Bytes::new() })
    }

    #[must_use]
    pub fn share(&self) -> Self {
        Self { sender: self.sender.clone(), body: Bytes::new() }
    }

    #[must_use]
    pub fn octets(&self, range: Range<usize>) -> &[u8] {
        self.body.get(range).unwrap_or_default()
    }

    pub async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Reply, WireError> {
        // A connection that the responder closed while it was idle takes no request.
        self.sender.ready().await.map_err(|_| WireError::Unanswered)?;
        let response = self.sender.send_request(request).await.map_err(|error| {
            if error.is_canceled() || error.is_closed() { WireError::Unanswered } else { WireError::Broken }
        })?;
        let (http_status, is_ocsp) = (response.status().as_u16(), is_ocsp(&response));
        let body = Limited::new(response.into_body(), MOST_OCTETS).collect().await;
        self.body = body.map_err(|_| WireError::Broken)?.to_bytes();
        let octets = self.body.len();
        Ok(Reply { http_status, is_ocsp, body: 0..octets, reusable: true, octets })
    }
}

fn is_ocsp<B>(response: &Response<B>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"application/ocsp-response"))
}
