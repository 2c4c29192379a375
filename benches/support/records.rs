//! What a worker does to keep records of its answers, for the benchmark and for whoever counts allocations.

use super::setting::{Setting, now, setting};
use ocsprey::audit::{
    AskedBy, Audit, AuditOptions, Ending, KeyPeriod, LogOptions, Recorder, Scribe, WhenFull, Witnessed,
};
use ocsprey::clock::Clock;
use ocsprey::metrics::Metrics;
use ocsprey::respond::{Answer, Responder};
use ocsprey::signing::{KeyKind, SoftwareKey};
use ocsprey::snapshot::Published;
use ocsprey::store::{Store, StoreOptions, UsageMethod};
use ocsprey::usage::{Counted, Counter, Ledger, UsageOptions};
use std::sync::Arc;
use std::thread::JoinHandle;
use tempfile::TempDir;

/// A worker's counter and recorder, the threads behind them, and an answer to be kept.
pub struct Keeping {
    pub counter: Counter,
    pub recorder: Recorder,
    pub answer: Answer,
    pub metrics: Arc<Metrics>,
    ending: Option<Ending>,
    threads: Vec<JoinHandle<()>>,
    _folder: TempDir,
}

impl Keeping {
    pub fn new() -> Self {
        let (folder, metrics) = (tempfile::tempdir().unwrap(), Arc::new(Metrics::new().unwrap()));
        let clock = Clock::fixed(now());
        let store = Arc::new(Store::open(&folder.path().join("store"), &StoreOptions::default()).unwrap());
        let made = setting(KeyKind::P256);
        let responder = Responder::with_cache(1 << 20);
        let request = made.request(super::setting::REVOKED + 1, None);
        let answer = || responder.respond(&made.snapshot, &request, now());
        answer();
        let answer = answer();
        let Setting { snapshot, .. } = made;
        let options = UsageOptions { day_begins: 0, keep_days: None, names_per_day: 1000 };
        let (ledger, counter) =
            Ledger::open(Arc::clone(&store), clock.clone(), Arc::clone(&metrics.usage), options, 1).unwrap();
        let (signer, _) = SoftwareKey::generate(KeyKind::Ed25519).unwrap();
        let options = AuditOptions {
            path: folder.path().join("audit"),
            keys: folder.path().join("keys"),
            period: KeyPeriod::Day,
            keep_keys_seconds: None,
            log: LogOptions { segment_octets: 64 << 20, segment_seconds: 86_400, keep_seconds: None },
            when_full: WhenFull::Gap,
            signer: Arc::new(signer),
        };
        let published = Arc::new(Published::new(snapshot));
        let audit = Audit { published, store, clock, metrics: Arc::clone(&metrics.audit) };
        let (scribe, recorders) = Scribe::open(audit, options, 1).unwrap();
        let ending = Some(scribe.ending());
        let threads =
            vec![std::thread::spawn(move || ledger.run()), std::thread::spawn(move || scribe.run())];
        let recorder = recorders.into_iter().next().unwrap();
        Self { counter, recorder, answer, metrics, ending, threads, _folder: folder }
    }

    pub fn count(&self, on_behalf_of: Option<&str>) {
        let outcome = &self.answer.outcome;
        self.counter.count(&Counted {
            verifier: None,
            on_behalf_of,
            issuer: self.answer.issuer,
            method: UsageMethod::Post,
            status: outcome.status,
            good: outcome.good,
            revoked: outcome.revoked,
            unknown: outcome.unknown,
            now: now(),
        });
    }

    pub fn record(&self) {
        self.recorder.record(&Witnessed {
            now: now(),
            verifier: None,
            on_behalf_of: None,
            issuer: self.answer.issuer,
            method: AskedBy::Post,
            status: self.answer.outcome.status,
            response: &self.answer.body,
            response_hash: self.answer.known_body_hash(),
            request: Some(b"request"),
        });
    }

    /// Ends the threads, which write what they have.
    pub fn end(mut self) {
        self.counter.close();
        if let Some(ending) = self.ending.take() {
            ending.announce();
        }
        let Self { counter, threads, .. } = self;
        drop(counter);
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
