//! A connection that does not wait for ever, and that closes so that the last answer arrives.
//!
//! Wraps the socket of every connection, below hyper. One timer a connection ticks; nothing is
//! armed per request, which would cost more than reading one. On a tick:
//!
//! * octets have come that were not answered yet, and that was so on the tick before, and nothing was written
//!   in between: a slow head, a slow body, or a client that does not take its answer. The
//!   connection ends, between one and two ticks after it stalled.
//! * all is answered and the connection has been quiet for the idle time: it ends. When nearly all
//!   places are taken, one quiet tick is enough.
//!
//! Closing: the writing side first, then what still arrives is read and thrown away for a moment.
//! Closing a socket with unread octets makes the kernel send a reset, and a client that is still
//! sending its oversized body would lose the 413 that tells it so (RFC 9112 9.6).

use super::listener::Limits;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::coop::has_budget_remaining;
use tokio::time::{Instant, Sleep, sleep};

/// How long, and how much, a closing connection listens to what nobody will answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1 << 20;

/// What HTTP/2 begins with; no HTTP/1 request does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Most requests, with their bodies, are shorter.
const EARLY_OCTETS: usize = 1 << 10;

pub(super) struct Watched<Io> {
    io: Io,
    tick: Duration,
    /// Quiet ticks after which an answered connection ends.
    idle_ticks: u32,
    /// Set by the listener while places are scarce.
    crowded: Arc<AtomicBool>,
    timer: Pin<Box<Sleep>>,
    /// The timer knows whom to wake. A task's waker stays the same, so once is enough until it has fired.
    is_armed: bool,
    /// Ticks since something moved forward.
    quiet_ticks: u32,
    /// Octets were read, and nothing written since. A new connection owes its first request.
    unanswered: bool,
    /// What was written is not all on its way yet.
    is_unsent: bool,
    /// Read while it was not known yet which HTTP this is, and to be read again.
    early: Vec<u8>,
    closing: Closing,
}

enum Closing {
    No,
    /// The writing side is closed; this many octets were thrown away.
    Lingering {
        discarded: usize,
    },
}

impl<Io> Watched<Io> {
    pub(super) fn new(io: Io, limits: &Limits, crowded: Arc<AtomicBool>) -> Self {
        let ticks = limits.idle.as_millis() / limits.stall.as_millis().max(1);
        Self {
            io,
            tick: limits.stall,
            idle_ticks: u32::try_from(ticks).unwrap_or(u32::MAX).max(1),
            crowded,
            timer: Box::pin(sleep(limits.stall)),
            is_armed: false,
            quiet_ticks: 0,
            unanswered: true,
            is_unsent: false,
            early: Vec::new(),
            closing: Closing::No,
        }
    }

    /// Nothing has come yet of what [`Watched::poll_is_http2`] looks at.
    pub fn is_silent(&self) -> bool {
        self.early.is_empty()
    }

    /// Called whenever the socket has nothing to give or to take: pending, or overdue.
    fn wait<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.is_armed && !self.timer.is_elapsed() {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            self.quiet_ticks += 1;
            let patience = match (self.unanswered, self.crowded.load(Ordering::Relaxed)) {
                (true, _) | (false, true) => 2,
                (false, false) => self.idle_ticks.saturating_add(1),
            };
            if self.quiet_ticks >= patience {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            let next = Instant::now() + self.tick;
            self.timer.as_mut().reset(next);
        }
        // A timer that was polled after the task's budget was used up does not know yet.
        self.is_armed = has_budget_remaining();
        Poll::Pending
    }

    fn wrote(&mut self) {
        self.unanswered = false;
        self.quiet_ticks = 0;
    }
}

impl<Io: Read + Unpin> Watched<Io> {
    /// Whether the client begins as HTTP/2 does (RFC 9113 3.4). What was read for this is read again; usually that
    /// is a whole request, so that looking costs no call of the kernel.
    pub fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            let count = self.early.len().min(PREFACE.len());
            if self.early.get(..count) != PREFACE.get(..count) {
                return Poll::Ready(Ok(false));
            }
            if count == PREFACE.len() {
                return Poll::Ready(Ok(true));
            }
            let mut octets = [0; EARLY_OCTETS];
            let mut buffer = ReadBuf::new(&mut octets);
            ready!(self.poll_read_more(cx, buffer.unfilled()))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            self.early.extend_from_slice(buffer.filled());
        }
    }

    fn poll_read_more(&mut self, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_read(cx, buffer) {
            Poll::Ready(result) => {
                if !self.unanswered {
                    self.unanswered = true;
                    self.quiet_ticks = 0;
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(cx),
        }
    }
}

impl<Io: Read + Unpin> Read for Watched<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return self.poll_read_more(cx, buffer);
        }
        let count = self.early.len().min(buffer.remaining());
        let rest = self.early.split_off(count);
        buffer.put_slice(&self.early);
        self.early = rest;
        Poll::Ready(Ok(()))
    }
}

impl<Io: Read + Write + Unpin> Write for Watched<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write(cx, octets) {
            Poll::Ready(result) => {
                self.wrote();
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(cx),
        }
    }

    /// A socket has nothing to flush, but TLS keeps records that the client has not taken.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.io).poll_flush(cx) {
            Poll::Ready(result) => {
                if std::mem::take(&mut self.is_unsent) {
                    self.wrote();
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                self.is_unsent = true;
                self.unanswered = true;
                self.wait(cx)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.closing, Closing::No) {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.closing = Closing::Lingering { discarded: 0 };
            self.timer.as_mut().reset(Instant::now() + LINGER);
        }
        let mut scratch = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.io).poll_read(cx, buffer.unfilled()) {
                // The client has closed too, one way or the other: all is said.
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    let count = buffer.filled().len();
                    if let Closing::Lingering { discarded } = &mut self.closing {
                        *discarded += count;
                        if *discarded > LINGER_OCTETS {
                            return Poll::Ready(Ok(()));
                        }
                    }
                }
                Poll::Pending => return self.timer.as_mut().poll(cx).map(Ok),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(&mut self.io).poll_write_vectored(cx, slices) {
            Poll::Ready(result) => {
                self.wrote();
                Poll::Ready(result)
            }
            Poll::Pending => self.wait(cx),
        }
    }
}
