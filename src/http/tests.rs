//! OCSP over HTTP, spoken in raw octets over real sockets. Tests name the trap, or the line of the conformance ledger (G).
//!
//! The answerer is a stand-in: it answers whatever is a SEQUENCE with the octets it was asked, so that a test
//! sees exactly what arrived, and everything else with `malformedRequest`.

mod admin;
mod connection;
mod disk;
mod http2;
mod ocsp;
mod shed;
mod tls;
mod witnessed;

use super::*;
use crate::asn1::{Reader, tag};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ocsp::OcspResponseStatus;
use crate::respond::{Allowance, Caching, Outcome};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

/// 2027-01-15T08:00:00Z.
const NOW: i64 = 1_800_000_000;

/// A request of ours: a SEQUENCE. Its second octet of content decides what the stand-in answers.
const SHARED: [u8; 4] = [0x30, 0x02, 0x05, 0x00];
const NONCE: [u8; 5] = [0x30, 0x03, 0x04, 0x01, 0x00];
const MALFORMED: &[u8] = &[0x30, 0x03, 0x0a, 0x01, 0x01];

struct Echo;

impl Answerer for Echo {
    fn answer(&self, request: &[u8], now: UnixTime, _: Allowance) -> Answer {
        let mut reader = Reader::new(request);
        let whole = reader.expect(tag::SEQUENCE).is_ok() && reader.finish().is_ok();
        let (status, body) = if whole {
            (OcspResponseStatus::Successful, Bytes::copy_from_slice(request))
        } else {
            (OcspResponseStatus::MalformedRequest, Bytes::from_static(MALFORMED))
        };
        let caching = (whole && request != NONCE).then_some(Caching {
            this_update: now.plus(-3600),
            next_update: now.plus(86_400),
            produced_at: now.plus(-3600),
        });
        let outcome = Outcome { issuer: None, status, good: u32::from(whole), revoked: 0, unknown: 0 };
        Answer::new(body, outcome, caching)
    }
}

/// A listener of ours on a thread of its own, and what there is to know about it.
struct Server {
    address: SocketAddr,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn ocsp() -> Self {
        Self::ocsp_with(Limits::default())
    }

    fn ocsp_with(limits: Limits) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let clock = Clock::fixed(UnixTime::from_seconds(NOW));
        let service = OcspService::new(Echo, Arc::clone(&metrics), clock, limits, None);
        Self::run(metrics, move |listener, shutdown| serve_ocsp(listener, None, service, shutdown))
    }

    fn run<F: Future<Output = Result<(), ListenError>> + 'static>(
        metrics: Arc<Metrics>,
        serve: impl FnOnce(TcpListener, Shutdown) -> F + Send + 'static,
    ) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let stop = shutdown.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, stop)).unwrap();
        });
        Self { address, metrics, shutdown, thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).unwrap();
        // Only so that a test that would hang fails instead.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Client { stream, received: Vec::new() }
    }

    /// One request on a connection of its own, whole, with one answer.
    fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut client = self.connect();
        client.send(request);
        client.receive()
    }

    fn get(&self, path: &str) -> Reply {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    /// Returns once the accept loop has returned.
    fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.ask();
    }
}

struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
    }

    /// Waits for more octets; `false` at the end of the stream.
    fn more(&mut self) -> bool {
        let mut buffer = [0; 16384];
        let count = self.stream.read(&mut buffer).unwrap();
        self.received.extend(&buffer[..count]);
        count > 0
    }

    /// The head of the next answer; its body is left.
    fn head(&mut self) -> Reply {
        let end = loop {
            if let Some(at) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                self.more(),
                "the connection ended in a head: {:?}",
                self.received.escape_ascii().to_string()
            );
        };
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head, body: Vec::new() }
    }

    /// The next answer.
    fn receive(&mut self) -> Reply {
        let mut reply = self.head();
        let length = match reply.header("content-length") {
            Some(length) => length.parse().unwrap(),
            None => 0,
        };
        while self.received.len() < length {
            assert!(self.more(), "the connection ended in a body");
        }
        reply.body = self.received.drain(..length).collect();
        reply
    }

    /// Whether the server ends the connection without another octet.
    fn is_closed(&mut self) -> bool {
        self.received.is_empty() && !self.more()
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn is_ocsp(&self) -> bool {
        self.header("content-type") == Some("application/ocsp-response")
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

fn post(body: &[u8]) -> Vec<u8> {
    post_with("Content-Type: application/ocsp-request\r\n", body)
}

fn post_with(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn base64(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}
