//! Who asked how often, with what it costs: `ocsprey usage report`, of a store at rest or beside its server, and of a
//! running server to the moment.

use super::intake::Shared;
use super::{AppError, Fault, store_options};
use crate::config::{Config, io_reason};
use crate::http::{Refusal, UsageQuestion};
use crate::store::Store;
use crate::usage::{Day, Period, Prices, Questions, Report};
use crate::x509::{Certificate, canonical_name};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a report waits for workers, which hand their counts over four times a second, and for the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was counted in `period`, from the store of a configuration, also while a server writes it.
///
/// # Errors
/// When the price list or the store is no good.
pub fn usage_report(config: &Config, period: &Period) -> Result<Report, AppError> {
    let prices = prices(price_list(config).as_deref()).map_err(|fault| AppError::Faults(vec![fault]))?;
    let store = Store::open_read_only(&config.store.path, &store_options())?;
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

fn price_list(config: &Config) -> Option<PathBuf> {
    config.usage.as_ref().and_then(|usage| usage.prices.clone())
}

/// Read anew for each report: a price list changes without a restart.
fn prices(path: Option<&Path>) -> Result<Option<Prices>, Fault> {
    let Some(path) = path else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|why| Fault::of_file(path, io_reason(&why)))?;
    Prices::parse(&text).map(Some).map_err(|why| Fault::of_file(path, why))
}

/// What a running server makes its reports from.
pub(super) struct Bills {
    shared: Arc<Shared>,
    prices: Option<PathBuf>,
    /// `None`: it does not count, and the store has what was counted before.
    questions: Option<Arc<Questions>>,
}

impl Bills {
    pub fn of(config: &Config, shared: &Arc<Shared>, questions: Option<Arc<Questions>>) -> Self {
        Self { shared: Arc::clone(shared), prices: price_list(config), questions }
    }

    /// A report with every answer that was counted before it was asked for. Takes the quarter of a second in which workers
    /// hand over what they counted.
    ///
    /// # Errors
    /// When the question is none, the price list is no good, or counts do not come in.
    pub fn report(&self, question: &UsageQuestion) -> Result<Value, Refusal> {
        let period = period_of(question)?;
        let prices = prices(self.prices.as_deref()).map_err(|why| Refusal::Unavailable(why.to_string()))?;
        if let Some(questions) = &self.questions
            && !questions.ask(PATIENCE)
        {
            let why = "a worker's counts did not reach the store in time (usage_counts_unwritten says how many wait; \
                       ask again, or read the store with --config)";
            return Err(Refusal::Unavailable(why.to_owned()));
        }
        let snapshot = self.shared.published.load();
        let issuers = snapshot.issuers().iter().map(|one| (one.number.get(), one.name.clone())).collect();
        let failed = |why: &dyn std::fmt::Display| Refusal::Unavailable(why.to_string());
        let report = Report::of(&self.shared.store, &period, &issuers, prices.as_ref());
        serde_json::to_value(report.map_err(|why| failed(&why))?).map_err(|why| failed(&why))
    }
}

fn period_of(question: &UsageQuestion) -> Result<Period, Refusal> {
    let day = |text: &str| text.parse::<Day>().map_err(|why| Refusal::Unacceptable(why.to_string()));
    let (from, to) = (day(&question.from)?, day(&question.to)?);
    if to < from {
        return Err(Refusal::Unacceptable(format!("{to} is before {from} (name the later day last)")));
    }
    Ok(Period { from, to, verifier: question.verifier.clone(), by_day: question.daily })
}
