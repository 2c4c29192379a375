//! What is kept of answers: counts for bills, where the configuration has `[usage]`, and the audit log, where
//! it has `[audit]`.
//!
//! [`Records`] owns the threads that write; each worker has a [`WorkerRecords`] that sees every answer
//! ([`Witness`]), hands over what it counted, and closes after its last answer. Without a section nothing of this
//! exists and no request is told to anybody.

use super::intake::Shared;
use super::{AppError, Fault};
use crate::audit::{AskedBy, Audit, AuditOptions, Ending, LogOptions, Recorder, Scribe, Witnessed};
use crate::config::{AuditConfig, Config, io_reason};
use crate::http::{Consent, Method, Seen, Witness};
use crate::signing::{KeyKind, Signer, SoftwareKey};
use crate::usage::{Counted, Counter, Ledger, Questions, UsageMethod, UsageOptions};
use crate::x509::KeyAlgorithm;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The threads that write records.
pub(super) struct Records {
    counter: Option<Counter>,
    questions: Option<Arc<Questions>>,
    recorders: Vec<Recorder>,
    usage: Option<JoinHandle<()>>,
    audit: Option<(Ending, JoinHandle<()>)>,
}

impl Records {
    /// Starts what the configuration has, for so many `workers`.
    ///
    /// # Errors
    /// When the store or the audit log cannot be read or written, or there is no thread to be had.
    pub fn start(config: &Config, shared: &Shared, workers: usize) -> Result<Self, AppError> {
        let mut records =
            Self { counter: None, questions: None, recorders: Vec::new(), usage: None, audit: None };
        if let Some(configured) = &config.audit {
            let audit = Audit {
                published: Arc::clone(&shared.published),
                store: Arc::clone(&shared.store),
                clock: shared.clock.clone(),
                metrics: Arc::clone(&shared.metrics.audit),
            };
            let options = audit_options(configured).map_err(|fault| AppError::Faults(vec![fault]))?;
            let (scribe, recorders) = Scribe::open(audit, options, workers)?;
            let ending = scribe.ending();
            records.audit = Some((ending, spawn("audit", move || scribe.run())?));
            records.recorders = recorders;
        }
        if let Some(configured) = &config.usage {
            let options = UsageOptions {
                day_begins: configured.day_begins,
                keep_days: configured.keep_days,
                names_per_day: configured.names_per_day,
            };
            let (store, metrics) = (Arc::clone(&shared.store), Arc::clone(&shared.metrics.usage));
            let (ledger, counter) = Ledger::open(store, shared.clock.clone(), metrics, options, workers)?;
            records.questions = Some(ledger.questions());
            records.usage = Some(spawn("usage", move || ledger.run())?);
            records.counter = Some(counter);
        }
        Ok(records)
    }

    /// Where a report asks for what was counted up to its moment; `None`: nothing is counted.
    pub fn questions(&self) -> Option<Arc<Questions>> {
        self.questions.clone()
    }

    /// For the worker of this number, counted from 0.
    pub fn of_worker(&self, worker: usize) -> WorkerRecords {
        WorkerRecords { counter: self.counter.clone(), recorder: self.recorders.get(worker).cloned() }
    }

    /// Waits until all is written. After the last worker has ended.
    ///
    /// # Errors
    /// When a thread did not end as it should.
    pub fn join(self) -> Result<(), AppError> {
        drop(self.counter);
        if let Some(usage) = self.usage {
            usage.join().map_err(|_| AppError::Ended("the thread that counts for bills"))?;
        }
        if let Some((ending, audit)) = self.audit {
            ending.announce();
            audit.join().map_err(|_| AppError::Ended("the thread that writes the audit log"))?;
        }
        Ok(())
    }
}

/// As configured, with the key read.
///
/// # Errors
/// What is wrong with the key.
pub(super) fn audit_options(configured: &AuditConfig) -> Result<AuditOptions, Fault> {
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Ok(AuditOptions {
        path: configured.path.clone(),
        keys: configured.pseudonym_keys.clone(),
        period: configured.pseudonym_period,
        keep_keys_seconds: configured.keep_keys.map(seconds),
        log: LogOptions {
            segment_octets: configured.segment_size,
            segment_seconds: seconds(configured.segment_time),
            keep_seconds: configured.keep.map(seconds),
        },
        when_full: configured.when_full,
        signer: audit_key(&configured.key)?,
    })
}

/// The key that signs heads of the audit log.
///
/// # Errors
/// When it cannot be read, or is of a kind that does not sign heads.
pub fn audit_key(path: &Path) -> Result<Arc<dyn Signer>, Fault> {
    let pem = std::fs::read(path).map_err(|why| Fault::of_file(path, io_reason(&why)))?;
    let key = SoftwareKey::from_pkcs8_pem(&pem).map_err(|why| Fault::of_file(path, why))?;
    match key.public_key().algorithm() {
        KeyAlgorithm::Ed25519 | KeyAlgorithm::P256 => Ok(Arc::new(key)),
        KeyAlgorithm::Rsa | KeyAlgorithm::P384 | KeyAlgorithm::Other(_) => {
            let why = format!(
                "heads of the audit log are signed with {} or {}: openssl genpkey -algorithm ed25519 makes a key",
                KeyKind::Ed25519,
                KeyKind::P256
            );
            Err(Fault::of_file(path, why))
        }
    }
}

fn spawn(name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AppError> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|why| AppError::System { what: "a thread that keeps records", why })
}

/// What one worker keeps of its answers. Made anywhere, used on the worker's thread.
#[derive(Clone)]
pub(super) struct WorkerRecords {
    counter: Option<Counter>,
    recorder: Option<Recorder>,
}

impl WorkerRecords {
    /// Who is to be told of the answers; `None`: nobody.
    pub fn witness(&self) -> Option<Arc<dyn Witness>> {
        self.are_kept().then(|| Arc::new(self.clone()) as Arc<dyn Witness>)
    }

    pub fn are_kept(&self) -> bool {
        self.counter.is_some() || self.recorder.is_some()
    }

    /// Gives to the threads that write what has gathered here.
    pub fn hand_over(&self) {
        if let Some(counter) = &self.counter {
            counter.hand_over();
        }
    }

    /// The same for the last time.
    pub fn close(self) {
        if let Some(counter) = &self.counter {
            counter.close();
        }
    }
}

impl Witness for WorkerRecords {
    fn may_answer(&self) -> bool {
        self.recorder.as_ref().is_none_or(Recorder::may_answer)
    }

    fn saw(&self, seen: &Seen<'_>) {
        if let Some(counter) = &self.counter {
            counter.count(&counted(seen));
        }
        match (&self.recorder, seen.consent) {
            (None, _) => {}
            (Some(recorder), Consent::Given) => recorder.record(&witnessed(seen)),
            (Some(recorder), Consent::Withheld) => recorder.refused(),
        }
    }
}

fn counted<'a>(seen: &Seen<'a>) -> Counted<'a> {
    let outcome = &seen.answer.outcome;
    Counted {
        verifier: seen.caller.verifier,
        on_behalf_of: seen.caller.on_behalf_of,
        issuer: seen.answer.issuer,
        method: match seen.method {
            Method::Get => UsageMethod::Get,
            Method::Post => UsageMethod::Post,
        },
        status: outcome.status,
        good: outcome.good,
        revoked: outcome.revoked,
        unknown: outcome.unknown,
        now: seen.now,
    }
}

fn witnessed<'a>(seen: &Seen<'a>) -> Witnessed<'a> {
    Witnessed {
        now: seen.now,
        verifier: seen.caller.verifier,
        on_behalf_of: seen.caller.on_behalf_of,
        issuer: seen.answer.issuer,
        method: match seen.method {
            Method::Get => AskedBy::Get,
            Method::Post => AskedBy::Post,
        },
        status: seen.answer.outcome.status,
        response: &seen.answer.body,
        response_hash: seen.answer.known_body_hash(),
        request: seen.request,
    }
}
