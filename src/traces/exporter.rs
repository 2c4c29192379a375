//! The thread that sends traces.
//!
//! Batches, so that thousands of CRLs of one publication are a few requests. Only answers that may be others a moment
//! later (OTLP: 429, 502, 503, 504, and none) are asked for again, with the same octets: a collector that had them
//! knows the identifiers.

#![expect(
    clippy::disallowed_methods,
    reason = "it waits for a server, with a stopwatch; nobody waits for it"
)]

use super::otlp::{self, Resource};
use super::{Dated, Tracer, WAITING};
use crate::metrics::TraceMetrics;
use std::convert::Infallible;
use std::io;
use std::io::Read;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel, sync_channel};
use std::time::{Duration, Instant};

/// How long the end of the process waits for what is left to be sent.
pub const FLUSH: Duration = Duration::from_secs(3);

/// Traces of one request: half a megabyte, of the four that collectors take.
const MOST_AT_ONCE: usize = 256;
/// How long the first of them waits for others.
const LINGER: Duration = Duration::from_secs(1);
/// For one request, from connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a batch is tried.
const PATIENCE: Duration = Duration::from_secs(60);
/// After the first failure, and after many.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));
/// From one line about failures to the next.
const QUIET: Duration = Duration::from_secs(60);
/// Octets of an answer that are read.
const MOST_SAID: u64 = 1 << 16;

/// The exporter, from the outside.
#[derive(Debug)]
pub struct Exporter {
    /// Dropped to say that the end has come.
    ending: Sender<Infallible>,
    /// Its other end is dropped when the thread ends.
    ended: Receiver<Infallible>,
}

impl Exporter {
    /// Begins to send to the collector at `url`.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(url: &str, metrics: Arc<TraceMetrics>) -> io::Result<(Tracer, Self)> {
        let (queue, waiting) = sync_channel(WAITING);
        let (ending, is_ending) = channel();
        let (alive, ended) = channel::<Infallible>();
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("ocsprey/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        let courier = Courier {
            waiting,
            is_ending,
            agent,
            url: url.to_owned(),
            resource: Resource { host: host() },
            metrics: Arc::clone(&metrics),
            failures: Failures::default(),
        };
        let run = move || {
            courier.run();
            drop(alive);
        };
        std::thread::Builder::new().name("traces".to_owned()).spawn(run)?;
        Ok((Tracer { queue, metrics }, Self { ending, ended }))
    }

    /// Has it send what is left, once the tracer is gone, and waits for that; no longer than [`FLUSH`].
    pub fn end(self) {
        drop(self.ending);
        // What hangs after that ends with the process: it holds nothing that is to be closed.
        if self.ended.recv_timeout(FLUSH) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the last traces were not taken in time");
        }
    }
}

fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

struct Courier {
    waiting: Receiver<Dated>,
    is_ending: Receiver<Infallible>,
    agent: ureq::Agent,
    url: String,
    resource: Resource,
    metrics: Arc<TraceMetrics>,
    failures: Failures,
}

/// Why a batch was not taken.
struct NotTaken {
    why: String,
    /// Whether it may be a moment later.
    may_pass: bool,
}

impl Courier {
    /// Until the tracer is gone and all is sent, or given up.
    fn run(mut self) {
        while let Some(batch) = self.gather() {
            self.deliver(&batch);
        }
    }

    /// Waits for a trace, and a moment for others. `None`: there will be none.
    fn gather(&self) -> Option<Vec<Dated>> {
        let mut batch = vec![self.waiting.recv().ok()?];
        let until = Instant::now() + LINGER;
        while batch.len() < MOST_AT_ONCE {
            match self.waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(dated) => batch.push(dated),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        Some(batch)
    }

    fn deliver(&mut self, batch: &[Dated]) {
        let spans: u64 = batch.iter().map(|dated| dated.trace.count()).sum();
        let body = match otlp::encode(&self.resource, batch) {
            Ok(body) => body,
            Err(why) => return self.give_up(spans, &why.to_string()),
        };
        let (began, mut wait) = (Instant::now(), WAITS.0);
        // Nothing is ever sent there: the other end stays, or goes.
        let mut is_last = self.is_ending.try_recv() == Err(TryRecvError::Disconnected);
        loop {
            match self.post(&body) {
                Ok(rejected) => {
                    let rejected = rejected.min(spans);
                    self.metrics.exported.inc_by(spans - rejected);
                    if rejected > 0 {
                        self.give_up(rejected, "the collector rejects some of them");
                    }
                    return;
                }
                Err(NotTaken { why, may_pass }) => {
                    if !may_pass || is_last || began.elapsed() >= PATIENCE {
                        return self.give_up(spans, &why);
                    }
                    self.failures.tell(&self.url, &why, Instant::now());
                }
            }
            is_last = self.is_ending.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected);
            wait = WAITS.1.min(wait * 2);
        }
    }

    fn give_up(&mut self, spans: u64, why: &str) {
        self.metrics.dropped.inc_by(spans);
        self.failures.tell(&self.url, why, Instant::now());
    }

    /// How many spans the collector rejects of those that it was sent.
    fn post(&self, body: &[u8]) -> Result<u64, NotTaken> {
        let answer = self.agent.post(&self.url).content_type("application/json").send(body);
        let answer = answer.map_err(|why| NotTaken { why: why.to_string(), may_pass: true })?;
        let status = answer.status().as_u16();
        if !(200..300).contains(&status) {
            let may_pass = matches!(status, 429 | 502 | 503 | 504);
            return Err(NotTaken { why: format!("HTTP status {status}"), may_pass });
        }
        let mut said = Vec::new();
        // It has them. What it says beside may be cut short.
        let _ = answer.into_body().into_reader().take(MOST_SAID).read_to_end(&mut said);
        Ok(otlp::rejected(&said))
    }
}

/// Lines about failures: the first at once, then one a minute.
#[derive(Debug, Default)]
struct Failures {
    told: Option<Instant>,
    count: u64,
}

impl Failures {
    fn tell(&mut self, url: &str, why: &str, now: Instant) {
        if let Some(count) = self.count(now) {
            tracing::warn!(url, reason = why, count, "traces are not taken; nothing else depends on that");
        }
    }

    /// One more, at `now`. How many since the last line, where one is due.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < QUIET) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_a_line_a_minute() {
        let (mut failures, from) = (Failures::default(), Instant::now());
        let at = |seconds| from + Duration::from_secs(seconds);
        assert_eq!(failures.count(at(0)), Some(1));
        for second in 1..60 {
            assert_eq!(failures.count(at(second)), None);
        }
        assert_eq!(failures.count(at(60)), Some(60));
        assert_eq!(failures.count(at(61)), None);
    }
}
