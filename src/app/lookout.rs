//! What is looked at once a second: failures for the log ([`samples`](super::samples)); and now and then what changes
//! by itself and is noticed too late: free room on the disks, the ends of the TLS certificate and of verifiers.
//!
//! Called by `serve`, on the thread of the admin pages. Nobody waits for it. What cannot be read leaves its gauge as it
//! was.

#![expect(
    clippy::disallowed_methods,
    reason = "the stopwatch between two lines of the log; no request for a status comes by"
)]

use super::intake::Shared;
use super::samples::Samples;
use crate::config::Config;
use crate::verifiers::{Registry, Verifier};
use crate::x509::UnixTime;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it looks.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Of so many looks one is at all of it.
const NOW_AND_THEN: u32 = 10;

/// See the module's head.
pub(super) struct Lookout {
    shared: Arc<Shared>,
    store: PathBuf,
    audit: Option<PathBuf>,
    began: Instant,
    looks: u32,
    samples: Samples,
}

impl Lookout {
    /// Has looked once: what it measures is there before anybody asks.
    pub fn new(shared: &Arc<Shared>, config: &Config) -> Self {
        let lookout = Self {
            shared: Arc::clone(shared),
            store: config.store.path.clone(),
            audit: config.audit.as_ref().map(|audit| audit.path.clone()),
            began: Instant::now(),
            looks: 0,
            samples: Samples::default(),
        };
        lookout.measure();
        lookout
    }

    pub fn look(&mut self) {
        self.looks = (self.looks + 1) % NOW_AND_THEN;
        if self.looks == 0 {
            self.measure();
        }
        let registry = self.shared.gate.as_ref().map(|gate| gate.registry());
        let samples = self.samples.look(&self.shared.metrics, registry.as_deref(), self.began.elapsed());
        for sample in samples {
            let reason =
                self.shared.tls.as_ref().and_then(|tls| sample.is_of_tls().then(|| tls.refusal())?);
            sample.say(reason.as_deref());
        }
    }

    fn measure(&self) {
        let vitals = &self.shared.metrics.vitals;
        if let Some(free) = free(&self.store) {
            vitals.store_free.set(free);
        }
        if let Some(free) = self.audit.as_deref().and_then(free) {
            vitals.audit_free.set(free);
        }
        let octets = self.shared.store.octets_in_memory();
        vitals.rows_in_memory.set(i64::try_from(octets).unwrap_or(i64::MAX));
        if let Ok(presigned) = self.shared.store.presigned() {
            let (answers, first) = presigned.map_or((0, 0), |(answers, first)| (answers, first.seconds()));
            vitals.presigned_answers.set(i64::try_from(answers).unwrap_or(i64::MAX));
            vitals.presigned_first_expiry.set(first);
        }
        if let Some(tls) = &self.shared.tls {
            vitals.tls_not_after.set(tls.not_after().map_or(0, UnixTime::seconds));
        }
        if let Some(gate) = &self.shared.gate {
            let (registry, now) = (gate.registry(), self.shared.clock.now());
            vitals.verifiers.set(i64::try_from(registry.verifiers().len()).unwrap_or(i64::MAX));
            vitals.verifier_not_after.set(first_end(&registry, now).map_or(0, UnixTime::seconds));
        }
    }
}

/// What this user may still write there.
fn free(path: &Path) -> Option<i64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    i64::try_from(disk.f_bavail.saturating_mul(disk.f_frsize)).ok()
}

/// When the first of those who may ask now may ask no more.
fn first_end(registry: &Registry, now: UnixTime) -> Option<UnixTime> {
    let ends =
        registry.verifiers().iter().filter(|one| !one.entry.terms.is_suspended).filter_map(Verifier::ends);
    ends.filter(|end| *end > now).min()
}
