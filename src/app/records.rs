//! What is kept of answers: counts for bills, where the configuration has `[usage]`.
//!
//! [`Records`] owns the threads that write; each worker has a [`WorkerRecords`] that sees every answer
//! ([`Witness`]), hands over what it counted, and closes after its last answer. Without a section nothing of this
//! exists and no request is told to anybody.

use super::intake::Shared;
use super::{AppError, Fault};
use crate::config::Config;
use crate::http::{Method, Seen, Witness};
use crate::store::Store;
use crate::usage::{Counted, Counter, Ledger, Period, Prices, Report, UsageMethod, UsageOptions};
use crate::x509::{Certificate, canonical_name};
use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The threads that write records.
pub(super) struct Records {
    of_a_worker: WorkerRecords,
    usage: Option<JoinHandle<()>>,
}

impl Records {
    /// Starts what the configuration has.
    ///
    /// # Errors
    /// When the store cannot be read, or there is no thread to be had.
    pub fn start(config: &Config, shared: &Shared) -> Result<Self, AppError> {
        let (mut usage, mut counter) = (None, None);
        if let Some(configured) = &config.usage {
            let options = UsageOptions {
                day_begins: configured.day_begins,
                keep_days: configured.keep_days,
                names_per_day: configured.names_per_day,
            };
            let (store, metrics) = (Arc::clone(&shared.store), Arc::clone(&shared.metrics.usage));
            let (ledger, of_workers) = Ledger::open(store, shared.clock.clone(), metrics, options)?;
            usage = Some(spawn("usage", move || ledger.run())?);
            counter = Some(of_workers);
        }
        Ok(Self { of_a_worker: WorkerRecords { counter }, usage })
    }

    pub fn of_a_worker(&self) -> WorkerRecords {
        self.of_a_worker.clone()
    }

    /// Waits until all is written. After the last worker has ended.
    ///
    /// # Errors
    /// When a thread did not end as it should.
    pub fn join(self) -> Result<(), AppError> {
        drop(self.of_a_worker);
        let ended = self.usage.map_or(Ok(()), JoinHandle::join);
        ended.map_err(|_| AppError::Ended("the thread that counts for bills"))
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
}

impl WorkerRecords {
    /// Who is to be told of the answers; `None`: nobody.
    pub fn witness(&self) -> Option<Arc<dyn Witness>> {
        self.are_kept().then(|| Arc::new(self.clone()) as Arc<dyn Witness>)
    }

    pub fn are_kept(&self) -> bool {
        self.counter.is_some()
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
        true
    }

    fn saw(&self, seen: &Seen<'_>) {
        let Some(counter) = &self.counter else { return };
        let outcome = &seen.answer.outcome;
        counter.count(&Counted {
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
        });
    }
}

/// What was counted in `period`, from the store of a configuration, also while a server writes it.
///
/// # Errors
/// When the price list or the store is no good.
pub fn usage_report(config: &Config, period: &Period) -> Result<Report, AppError> {
    let prices = match config.usage.as_ref().and_then(|usage| usage.prices.as_ref()) {
        None => None,
        Some(path) => {
            let fault = |why: &dyn std::fmt::Display| AppError::Faults(vec![Fault::of_file(path, why)]);
            let text = std::fs::read_to_string(path).map_err(|why| fault(&crate::config::io_reason(&why)))?;
            Some(Prices::parse(&text).map_err(|why| fault(&why))?)
        }
    };
    let store = Store::open_read_only(&config.store.path, &super::store_options())?;
    let mut issuers = HashMap::new();
    for issuer in &config.issuers {
        let certificate = std::fs::read(&issuer.certificate).ok();
        let certificate = certificate.and_then(|octets| Certificate::from_pem_or_der(&octets).ok());
        let name = certificate.and_then(|certificate| canonical_name(certificate.subject()).ok());
        // A CA whose certificate is gone is told by its number.
        if let Some(name) = name
            && let Some(number) = store.find_issuer(&name)?
        {
            issuers.insert(number.get(), issuer.name.clone());
        }
    }
    Ok(Report::of(&store, period, &issuers, prices.as_ref())?)
}
