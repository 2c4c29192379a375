//! `ocsprey drill`: a mass revocation, rehearsed on a copy of the store.
//!
//! No CA signs for a rehearsal, so no CRL is read: what is rehearsed is all that comes behind the signature. Each
//! CRL scope of the issuer gets the entries that it has and its share of the further ones, by the same way that a
//! CRL takes ([`Store::replace_scopes_if`], [`Snapshot::build`]). The copy is linked from the store, or copied from
//! a backup, and goes away whatever happens; the store itself is only read.

#![expect(clippy::disallowed_methods, reason = "a rehearsal is timed")]

use super::places::open_store;
use super::{AppError, Fault, issuers};
use crate::clock::Clock;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::snapshot::Snapshot;
use crate::store::{
    DistributionPointNumber, Durability, Existing, Inventoried, IssuerNumber, Layer, ReadView, ReplaceError,
    Replacement, Retention, ScopeRecord, SerialBound, Store, StoreError, restore,
};
use crate::x509::{CrlReason, Revocation, SerialNumber, UnixTime};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Serial numbers that are looked at together.
const CHUNK: usize = 100_000;

/// What a mass revocation would cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DrillReport {
    pub revoked: u64,
    pub scopes: u64,
    /// Entries of these scopes before.
    pub entries_before: u64,
    /// What the guard has against it.
    pub guard: Option<String>,
    /// Of all scopes, until the rows are on the disk.
    pub write_seconds: f64,
    /// Then, until requests are answered from them.
    pub publish_seconds: f64,
    /// Processor time of both, of all threads.
    pub cpu_seconds: f64,
    pub store_octets_before: u64,
    pub store_octets_after: u64,
    /// The most that the process had in memory.
    pub peak_memory_octets: u64,
}

/// The copy that is worked on.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Revokes `count` further certificates of the issuer `name`, on a copy of the store or of the backup `from`.
///
/// # Errors
/// When the configuration or the store is no good, or the issuer has no CRL.
pub fn drill(
    config: &Config,
    name: &str,
    count: usize,
    from: Option<&Path>,
) -> Result<DrillReport, AppError> {
    let fault = |why: String| AppError::Faults(vec![Fault::new("--issuer", why)]);
    let loaded = issuers::load(config, &Metrics::new()?, &Clock::System).map_err(AppError::Faults)?;
    let canonical =
        loaded.iter().find(|issuer| issuer.name == name).map(|issuer| issuer.canonical_name.clone());
    let canonical = canonical.ok_or_else(|| fault(format!("there is no issuer \"{name}\"")))?;
    let now = Clock::System.now();
    let path = config.store.path.with_extension("drill");
    if path.exists() {
        return Err(StoreError::CopyExists { path }.into());
    }
    let copy = Copy(path);
    match from {
        Some(from) => {
            restore(from, &copy.0, Existing::Refuse, now, &super::store_options(), |_| {})?;
        }
        None if config.store.path.join("CURRENT").exists() => open_store(config)?.checkpoint(&copy.0)?,
        None => return Err(StoreError::Missing { path: config.store.path.clone() }.into()),
    }
    let store = Arc::new(Store::open(&copy.0, &super::working_store_options(config))?);
    let configured = Arc::new(issuers::configured(config, loaded, &store)?);
    let issuer =
        store.find_issuer(&canonical)?.ok_or_else(|| fault(format!("no CRL of \"{name}\" is held")))?;
    let mut scopes: Vec<ScopeRecord> = store.scopes()?;
    scopes.retain(|scope| {
        scope.issuer() == issuer && scope.crl.key.layer == Layer::Complete && !scope.is_retired()
    });
    let mut chosen = choose(&store.view()?, issuer, &scopes, count)?;

    let store_octets_before = store.size_bytes()?;
    let mut report = DrillReport {
        revoked: 0,
        scopes: 0,
        entries_before: 0,
        guard: None,
        write_seconds: 0.0,
        publish_seconds: 0.0,
        cpu_seconds: 0.0,
        store_octets_before,
        store_octets_after: 0,
        peak_memory_octets: 0,
    };
    let (started, cpu) = (Instant::now(), processor_time());
    for scope in scopes {
        let Some(serials) = chosen.remove(&scope.number) else { continue };
        let change = revoke(&store, &scope, &serials, now)?;
        report.revoked += serials.len() as u64;
        report.scopes += 1;
        report.entries_before += scope.entries;
        let alarm = config.guard.look_at(scope.entries, &change);
        report.guard = report.guard.or(alarm.map(|alarm| alarm.to_string()));
    }
    store.sync()?;
    report.write_seconds = started.elapsed().as_secs_f64();
    let published = Instant::now();
    drop(Snapshot::build(configured, store.view()?)?);
    report.publish_seconds = published.elapsed().as_secs_f64();
    report.cpu_seconds = processor_time().saturating_sub(cpu).as_secs_f64();
    report.store_octets_after = store.size_bytes()?;
    report.peak_memory_octets = peak_memory();
    drop(store);
    Ok(report)
}

type Chosen = BTreeMap<crate::store::ScopeNumber, Vec<SerialNumber>>;

/// The first `count` certificates of the inventory that no CRL lists, by the scope that would; where there is no
/// inventory, made up ones of the largest scope.
fn choose(
    view: &ReadView,
    issuer: IssuerNumber,
    scopes: &[ScopeRecord],
    count: usize,
) -> Result<Chosen, AppError> {
    let fault = |why: &str| AppError::Faults(vec![Fault::new("drill", why)]);
    let largest = scopes.iter().max_by_key(|scope| scope.entries).ok_or_else(|| fault("no CRL is held"))?;
    let scope_at: BTreeMap<DistributionPointNumber, _> =
        scopes.iter().filter_map(|scope| Some((scope.distribution_point_number?, scope.number))).collect();
    let mut chosen = Chosen::new();
    let (mut start, mut found) = (SerialBound::FIRST, 0);
    while found < count {
        let candidates = view.candidates(issuer, start, None, CHUNK)?;
        let Some(last) = candidates.last() else { break };
        start = SerialBound::after(&last.serial_number);
        for candidate in candidates.iter().filter(|one| !one.has_status).take(count - found) {
            let scope = match candidate.listed {
                Inventoried::InScope(point) => scope_at.get(&point).copied(),
                Inventoried::Listed | Inventoried::Unlisted => None,
            };
            chosen.entry(scope.unwrap_or(largest.number)).or_default().push(candidate.serial_number);
            found += 1;
        }
    }
    if found == 0 {
        // 16 octets from a counter, with the first one set: as long as a CA's, and hardly one of them.
        let made_up = (0..count as u64).map(|number| SerialNumber::from(0x7f00_0000_0000_0000 + number));
        chosen.insert(largest.number, made_up.collect());
    }
    for serials in chosen.values_mut() {
        serials.sort_unstable();
    }
    Ok(chosen)
}

fn revoke(
    store: &Store,
    scope: &ScopeRecord,
    serials: &[SerialNumber],
    now: UnixTime,
) -> Result<crate::store::ScopeChange, AppError> {
    let revocation = Revocation { time: now, reason: Some(CrlReason::KeyCompromise), invalidity: None };
    let mut held = store.entries(scope)?.peekable();
    let mut further = serials.iter().peekable();
    let merged = std::iter::from_fn(|| {
        let is_further = match (held.peek(), further.peek()) {
            (Some(Ok((serial, _))), Some(next)) => *next < serial,
            (Some(Err(_)), _) | (Some(_), None) => false,
            (None, _) => true,
        };
        if is_further { further.next().map(|serial| Ok((*serial, revocation))) } else { held.next() }
    });
    let next =
        crate::store::ScopeRecordDraft { crl_sha256: [0xd1; 32], ingested_at: now, ..scope.crl.clone() };
    let rehearsed = Replacement { next, retention: Retention::WithoutEnd, entries: merged, sketch: None };
    let replaced = store.replace_scopes_if(vec![rehearsed], Durability::Ordered, |_| Ok::<_, StoreError>(()));
    let changes = replaced.map_err(|why| match why {
        ReplaceError::Source(why) | ReplaceError::Store(why) => AppError::Store(why),
        ReplaceError::OutOfOrder { .. } => AppError::Ended("the drill: its entries were not in order"),
    })?;
    Ok(changes.into_iter().next().unwrap_or_default())
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// As Linux counts it; 0 elsewhere.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
