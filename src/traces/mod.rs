//! What taking CRLs in took, for an OpenTelemetry collector.
//!
//! `app`'s intake gives each CRL's [`Trace`] to a [`Tracer`] and goes on: it never waits, and nothing it does depends on
//! the collector. A thread of its own ([`Exporter`]) sends them, many at once, as OTLP over HTTP in JSON
//! (`otlp`). Nothing of a request for a status is ever here: no span, no serial number, no client's address.
//!
//! Bounds: [`WAITING`] traces wait, those beyond are dropped; a batch that the collector does not take is tried
//! again for a minute and dropped then; at the end of the process what is left has [`FLUSH`]. What was dropped is
//! counted, and failures are one line of the log a minute.
//!
//! Without `[telemetry]` there is no exporter, no tracer and no thread.

#![expect(clippy::disallowed_methods, reason = "a thread of its own, beside everything; no request comes by")]

mod exporter;
mod otlp;

pub use exporter::{Exporter, FLUSH};

use crate::metrics::TraceMetrics;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Instant, SystemTime};

/// Traces that wait to be sent: a country's municipalities.
pub const WAITING: usize = 2048;

/// What is said of a span.
pub type Attribute = (&'static str, Value);

/// What an attribute says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Word(&'static str),
    Number(u64),
    Truth(bool),
}

/// A piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub name: &'static str,
    pub kind: Kind,
    pub began: Instant,
    pub ended: Instant,
    pub attributes: Vec<Attribute>,
    pub is_failed: bool,
}

/// Whose work it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    /// Another server's, on our question.
    Question,
}

/// A piece of work and its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    pub root: Span,
    pub steps: Vec<Span>,
}

impl Trace {
    /// Spans of it.
    fn count(&self) -> u64 {
        1 + self.steps.len() as u64
    }
}

/// A trace, and a moment that it was, by both clocks.
#[derive(Debug)]
struct Dated {
    trace: Trace,
    wall: SystemTime,
    at: Instant,
}

/// Where traces are given to. Nobody waits here.
#[derive(Debug)]
pub struct Tracer {
    queue: SyncSender<Dated>,
    metrics: Arc<TraceMetrics>,
}

impl Tracer {
    /// Has the exporter send it, unless too many wait already.
    pub fn export(&self, trace: Trace) {
        let count = trace.count();
        let dated = Dated { trace, wall: SystemTime::now(), at: Instant::now() };
        if self.queue.try_send(dated).is_err() {
            self.metrics.dropped.inc_by(count);
        }
    }
}
