//! Work on a store that nobody serves from: `ocsprey crl ingest`, `inventory load`, `demo --prepare-only`.

#![expect(
    clippy::disallowed_methods,
    reason = "reports say how long the work took, and a rehearsal spills where nothing of ours stands"
)]

use super::copies::Precautions;
use super::inventories::{EntriesError, Inventories, load_readers};
use super::places::{open_store, scratch, sources_of};
use super::retiring::drop_scope;
use super::{AppError, Fault, interventions, issuers, status};
use crate::cli::InventoryReader;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{DropOrder, Status};
use crate::ingest::{
    Arrival, Content, CrlAuthority, Ingest, IngestOptions, Judge, Manner, NotRetired, Refused, Report,
    Sources,
};
use crate::metrics::Metrics;
use crate::snapshot::Configured;
use crate::store::{InventoryLoad, IssuerNumber, LoadError, Store, StoreError};
use crate::x509::{Certificate, canonical_name};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What became of one CRL: its name, and the report, or why it was refused.
pub type Ingested = (String, Result<Value, String>);

fn open(config: &Config) -> Result<(Arc<Store>, Arc<Configured>, Ingest), AppError> {
    let loaded = issuers::load(config, &Metrics::new()?, &Clock::System).map_err(AppError::Faults)?;
    let store = open_store(config)?;
    let configured = Arc::new(issuers::configured(config, loaded, &store)?);
    let judge = Judge::new(
        configured.issuers.iter().map(Into::into),
        scratch(config),
        Clock::System,
        IngestOptions::default(),
    );
    let ingest = Ingest::new(Arc::clone(&store), judge).guarded_by(config.guard).in_groups();
    Ok((store, configured, ingest))
}

/// Takes in the named CRLs, or, where none is named, every configured source; or only says what that
/// would change. `progress` is called with the number of all of them first, then once for each.
///
/// # Errors
/// When the configuration or the store is no good. That a CRL is refused is in what comes back.
pub fn ingest_crls(
    config: &Config,
    crls: &[PathBuf],
    manner: Manner,
    progress: impl FnMut(Step),
) -> Result<Vec<Ingested>, AppError> {
    if manner == Manner::Rehearsed {
        return rehearse_crls(config, crls, progress);
    }
    let (store, _, ingest) = open(config)?;
    Precautions::of(config).before(&store, manner, Clock::System.now());
    let take = |content| {
        let report = ingest.refresh(content, manner)?;
        if manner == Manner::Forced && report.is_applied() {
            interventions::note_forced(&store, &report, Clock::System.now());
        }
        Ok(report)
    };
    let taken = take_all(config, crls, scratch(config), progress, take);
    ingest.settle()?;
    Ok(taken)
}

/// Looks at the store for reading only, also while a server runs, and at CRLs as [`ingest_crls`] would.
fn rehearse_crls(
    config: &Config,
    crls: &[PathBuf],
    progress: impl FnMut(Step),
) -> Result<Vec<Ingested>, AppError> {
    let loaded = issuers::load(config, &Metrics::new()?, &Clock::System).map_err(AppError::Faults)?;
    let store = match Store::open_read_only(&config.store.path, &super::store_options()) {
        Ok(store) => Some(store),
        Err(StoreError::Missing { .. }) => None,
        Err(why) => return Err(why.into()),
    };
    let mut authorities = Vec::new();
    for one in loaded {
        let number = store.as_ref().map(|store| store.find_issuer(&one.canonical_name)).transpose()?;
        authorities.push(CrlAuthority {
            name: one.name,
            // A CA that the store has never heard of has no CRLs there.
            number: number.flatten().unwrap_or(IssuerNumber::UNKNOWN),
            keys: one.keys.into_iter().map(|key| key.certificate).collect(),
            crl_issuers: one.crl_issuers,
            retention: one.retention,
        });
    }
    // Nothing is written beside the store either.
    let scratch = std::env::temp_dir();
    let judge = Judge::new(authorities, scratch.clone(), Clock::System, IngestOptions::default());
    let rehearse = |content| judge.rehearse(content, store.as_ref(), &config.guard);
    Ok(take_all(config, crls, scratch, progress, rehearse))
}

fn take_all(
    config: &Config,
    crls: &[PathBuf],
    scratch: PathBuf,
    mut progress: impl FnMut(Step),
    take: impl Fn(Content) -> Result<Report, Refused>,
) -> Vec<Ingested> {
    let mut sources = Sources::new(sources_of(config), config.fetch, scratch, Clock::System);
    let arrivals: Vec<Arrival> = if crls.is_empty() {
        sources.look_and_wait()
    } else {
        crls.iter().cloned().map(Arrival::File).collect()
    };
    let mut ingested: Vec<Ingested> = Vec::new();
    if crls.is_empty() {
        let problems = sources.problems().into_iter();
        ingested.extend(problems.map(|(source, why)| (source.clone(), Err(format!("{source}: {why}")))));
    }
    progress(Step::Total(arrivals.len() as u64));
    for arrival in &arrivals {
        let started = Instant::now();
        let outcome = match sources.open(arrival) {
            Ok(None) => continue,
            Ok(Some(content)) => take(content),
            Err(why) => Err(Refused::Read(why)),
        };
        let outcome = outcome
            .map(|report| status::report_json(&report, started.elapsed()))
            .map_err(|why| format!("{arrival}: the CRL {why}"));
        ingested.push((arrival.to_string(), outcome));
        progress(Step::One);
    }
    ingested
}

/// How far a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many steps will come.
    Total(u64),
    One,
}

/// Adds the serial numbers of `readers` to the inventory of the issuer `name`.
///
/// # Errors
/// When the configuration or the store is no good, or a reader's file.
pub fn load_inventory(
    config: &Config,
    certificate: &Certificate,
    readers: Vec<InventoryReader>,
    mut progress: impl FnMut(u64),
) -> Result<InventoryLoad, AppError> {
    let store = open_store(config)?;
    let fault = |why: &dyn std::fmt::Display| AppError::Faults(vec![Fault::new("inventory", why)]);
    let name = canonical_name(certificate.subject()).map_err(|why| fault(&why))?;
    let issuer = store.issuer_number(&name)?;
    load_readers(&store, issuer, readers, &mut progress, &mut || true).map_err(|why| match why {
        LoadError::Store(why) | LoadError::Source(EntriesError::Store(why)) => AppError::Store(why),
        LoadError::Source(EntriesError::Read(why)) => AppError::Entries(why),
        LoadError::Source(why @ EntriesError::Interrupted) => fault(&why),
    })
}

/// Takes in everything that is configured, inventories and CRLs, so that serving can begin at once.
/// `progress` is told octets of inventories, then CRLs.
///
/// # Errors
/// When anything of it is no good.
pub fn prepare(
    config: &Config,
    mut inventory_octets: impl FnMut(u64),
    progress: impl FnMut(Step),
) -> Result<Vec<Ingested>, AppError> {
    {
        let (store, configured, _) = open(config)?;
        let mut inventories = Inventories::of(config, &configured);
        inventories.load(&store, &mut inventory_octets, || true).map_err(AppError::Faults)?;
    }
    ingest_crls(config, &[], Manner::Guarded, progress)
}

/// Retires a scope of the store of a configuration.
///
/// # Errors
/// When the configuration or the store is no good; inside, why the scope is not retired.
pub fn retire_scope(config: &Config, order: &DropOrder) -> Result<Result<Value, NotRetired>, AppError> {
    let (store, configured, _) = open(config)?;
    let issuer = configured.issuers.iter().find(|issuer| issuer.name == order.issuer);
    let no_issuer =
        || AppError::Faults(vec![Fault::new("--issuer", format!("there is no issuer \"{}\"", order.issuer))]);
    let issuer = issuer.ok_or_else(no_issuer)?;
    let mut precautions = Precautions::of(config);
    let dropped = drop_scope(&store, &mut precautions, issuer, order, Clock::System.now());
    Ok(dropped.map(|(report, _)| report))
}

/// What the store of a configuration holds.
///
/// # Errors
/// When it cannot be read.
pub fn status_of_store(config: &Config) -> Result<Status, AppError> {
    let store = Store::open_read_only(&config.store.path, &super::store_options())?;
    let names: Vec<(Vec<u8>, String, String)> = config
        .issuers
        .iter()
        .filter_map(|issuer| {
            let octets = std::fs::read(&issuer.certificate).ok()?;
            let certificate = Certificate::from_pem_or_der(&octets).ok()?;
            let name = canonical_name(certificate.subject()).ok()?;
            Some((name, issuer.name.clone(), certificate.subject_text()))
        })
        .collect();
    Ok(status::of_store(&store, &names)?)
}
