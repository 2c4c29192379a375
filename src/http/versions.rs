//! One connection, from its first octet to its last, in the HTTP that its client speaks.
//!
//! Called by [`super::listener`] for every connection. A client says by its first octets whether it speaks HTTP/2
//! (with prior knowledge, as RFC 9113 3.3 has it for plain TCP); everything else is HTTP/1 or
//! refused by it. The requests of both are served by the same [`Serve`].
//!
//! HTTP/2 may ask for much with few octets, so what one connection can make the process keep or do is small: 100
//! requests at a time, 16 KiB of headers each, 64 KiB of a body unread. Who cancels requests faster
//! than they are taken up is shown out (h2 counts them: CVE-2023-44487), and what stalls ends as in HTTP/1.

use super::listener::{End, FIRST_WORD, HEAD_OCTETS, Serve, Shutdown};
use super::reply::Reply;
use super::watched::Watched;
use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::rt::{Read, Write};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::TokioExecutor;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;

/// Of HTTP/2: requests of a connection at a time.
const STREAMS: u32 = 100;
/// Octets of the header fields of a request.
const FIELD_OCTETS: u32 = 16 << 10;
/// Octets of bodies that may be on their way, of one request and of all.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 256 << 10;
/// Octets of a response that wait for the client.
const UNSENT_OCTETS: usize = 64 << 10;
/// Requests that were cancelled before they were taken up.
const CANCELLED: usize = 20;

/// Serves all requests of a connection.
pub(super) async fn attend<Io, S>(mut io: Watched<Io>, service: S, end: End)
where
    Io: Read + Write + Unpin + Send + 'static,
    S: Serve,
{
    // The first request of a client that was accepted is on its way; to end before it comes would be an error
    // that HTTP does not let the client pass over. Who still has not said anything then is not in the middle of
    // anything.
    let mut stop = pin!(async {
        end.closing.asked().await;
        tokio::time::sleep(FIRST_WORD).await;
    });
    let is_http2 = poll_fn(|cx| match io.poll_is_http2(cx) {
        Poll::Pending if io.is_silent() && stop.as_mut().poll(cx).is_ready() => {
            Poll::Ready(Err(io::ErrorKind::Interrupted.into()))
        }
        looked => looked,
    });
    match is_http2.await {
        Ok(false) => {
            // Borrowed: a count of its users would be written by all workers with every request.
            let said = &end.said;
            let service = service_fn(move |request| {
                let service = service.clone();
                async move {
                    let mut reply = service.serve(request).await;
                    if said.is_asked() {
                        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                    }
                    Ok::<_, Infallible>(reply)
                }
            });
            let connection = http1::Builder::new()
                // `Watched` ends slow heads without a timer a request.
                .header_read_timeout(None)
                // A client that has sent all it will (`printf … | nc`) still wants its answer.
                .half_close(true)
                // An answer is one small piece: copied behind its head it takes less time than a list of two.
                .writev(false)
                // No `pipeline_flush`: with it hyper keeps its own 400 and 431 back while unread octets wait.
                .max_header_size(HEAD_OCTETS)
                .max_buf_size(HEAD_OCTETS)
                .serve_connection(io, service);
            drive(pin!(connection), http1::Connection::graceful_shutdown, &end.closing).await;
        }
        Ok(true) => {
            let service = service_fn(move |request| {
                let service = service.clone();
                async move { Ok::<_, Infallible>(serve_http2(service, request).await) }
            });
            let connection = http2::Builder::new(TokioExecutor::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(FIELD_OCTETS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(UNSENT_OCTETS)
                .max_pending_accept_reset_streams(CANCELLED)
                .serve_connection(io, service);
            drive(pin!(connection), http2::Connection::graceful_shutdown, &end.said).await;
        }
        // What ends a connection in error is the client's affair.
        Err(_) => {}
    }
}

/// Until the connection has ended; once shutdown is asked for, `ask_to_end` is told once.
async fn drive<C: Future>(
    mut connection: Pin<&mut C>,
    ask_to_end: impl Fn(Pin<&mut C>),
    shutdown: &Shutdown,
) {
    let mut stop = pin!(shutdown.asked());
    let (mut registered, mut draining) = (false, false);
    poll_fn(|cx| {
        // What ends a connection in error is the client's affair: gone, stalled, or not speaking HTTP.
        let mut done = connection.as_mut().poll(cx).is_ready();
        if !done && !draining {
            // Waiting for the shutdown takes a lock, so it is done once: a task's waker stays the same.
            // From then on the flag tells.
            let asked = if registered { shutdown.is_asked() } else { stop.as_mut().poll(cx).is_ready() };
            registered = true;
            if asked {
                draining = true;
                ask_to_end(connection.as_mut());
                done = connection.as_mut().poll(cx).is_ready();
            }
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// In HTTP/2 hyper leaves it to its user that the answer to HEAD has no body (RFC 9110 9.3.2).
async fn serve_http2<S: Serve>(service: S, request: Request<Incoming>) -> Reply {
    let is_head = *request.method() == Method::HEAD;
    let mut reply = service.serve(request).await;
    if is_head {
        let octets = reply.body().size_hint().exact().unwrap_or_default();
        reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(octets));
        *reply.body_mut() = http_body_util::Full::default();
    }
    reply
}
