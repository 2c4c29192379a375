//! What is loaded, for people and programs: `/api/v1/status`, `ocsprey status`, the gauges.

use super::intake::Shared;
use super::interventions;
use crate::cli::decimal;
use crate::config::WhenFull;
use crate::http::{
    AuditStatus, IssuerStatus, PresignedStatus, RefusedReload, ScopeStatus, SignerStatus, SourceStatus,
    Status, UsageStatus,
};
use crate::ingest::{Outcome, Report, SourceReport, scope_text, signer_name};
use crate::metrics::{AuditMetrics, Metrics, UsageMetrics};
use crate::snapshot::Snapshot;
use crate::store::{InventoryState, ScopeChange, ScopeRecord, Store, StoreError};
use crate::x509::{Certificate, UnixTime};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of the running server.
pub(super) fn of_server(shared: &Shared) -> Status {
    let snapshot = shared.published.load();
    let now = shared.clock.now();
    let not_ready = not_ready(shared);
    let state = shared.state();
    let mut sources: Vec<SourceStatus> = state.sources.iter().map(source_status).collect();
    let quarantine = state.quarantine.clone();
    let missing = state.missing.clone();
    // What is no source of CRLs and was not refused: an inventory that cannot be read.
    for (source, why) in &state.problems {
        let mut told = sources.iter().map(|one| &one.source).chain(quarantine.iter().map(|one| &one.source));
        if !told.any(|one| one == source) {
            let problem = Some(why.clone());
            sources.push(SourceStatus { source: source.clone(), problem, ..SourceStatus::default() });
        }
    }
    let refused_reload = state
        .refused_reload
        .as_ref()
        .map(|(at, reasons)| RefusedReload { at: at.to_string(), reasons: reasons.clone() });
    drop(state);
    let issuers = snapshot.issuers().iter().enumerate().map(|(index, issuer)| {
        let keys = || snapshot.keys().iter().filter(move |key| key.issuer.0 == index);
        IssuerStatus {
            name: issuer.name.clone(),
            subject: issuer.keys.first().map(|key| key.certificate.subject_text()).unwrap_or_default(),
            signers: issuer
                .keys
                .iter()
                .flat_map(|key| key.signatories.all().map(move |one| (key, one)))
                .map(|(key, one)| SignerStatus {
                    subject: one
                        .responder
                        .certificate()
                        .map_or_else(|| key.certificate.subject_text(), Certificate::subject_text),
                    algorithm: one.algorithm().name().to_owned(),
                    not_after: one.responder.not_after().to_string(),
                })
                .collect(),
            inventory: keys().find_map(|key| inventory_rows(key.inventory)),
            scopes: snapshot
                .view()
                .scopes()
                .iter()
                .filter(|scope| scope.issuer() == issuer.number)
                .map(scope_status)
                .collect(),
            missing: missing.get(&issuer.name).cloned().unwrap_or_default(),
        }
    });
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: now.to_string(),
        started_at: Some(shared.started_at.to_string()),
        not_ready,
        refused_reload,
        store_bytes: shared.store.size_bytes().unwrap_or(0),
        presigned: presigned(&shared.store).unwrap_or_default(),
        issuers: issuers.collect(),
        sources,
        quarantine,
        verifiers: shared.gate.as_ref().map_or_else(Vec::new, |gate| {
            super::verifiers::status_of(gate, snapshot.issuers(), &shared.clock)
        }),
        interventions: interventions::list(&shared.store).unwrap_or_default(),
        refusals: shared.gate.as_ref().map_or_else(BTreeMap::new, |_| {
            let counted = shared.metrics.refusals.by_cause().into_iter();
            counted.map(|(cause, count)| (cause.to_owned(), count)).collect()
        }),
        usage: shared.keeps.bills.then(|| usage(&shared.metrics.usage)),
        audit: shared.keeps.audit.map(|when_full| audit(&shared.metrics.audit, when_full)),
    }
}

/// A gauge that says when something last happened, or 0.
fn last(gauge: i64) -> Option<String> {
    (gauge > 0).then(|| UnixTime::from_seconds(gauge).to_string())
}

fn usage(metrics: &UsageMetrics) -> UsageStatus {
    UsageStatus {
        last_written: last(metrics.written.get()),
        unwritten: u64::try_from(metrics.unwritten.get()).unwrap_or(0),
        write_failures: metrics.failures.get(),
    }
}

fn audit(metrics: &AuditMetrics, when_full: WhenFull) -> AuditStatus {
    let count = |gauge: i64| u64::try_from(gauge).unwrap_or(0);
    AuditStatus {
        when_full: match when_full {
            WhenFull::Refuse => "refuse".to_owned(),
            WhenFull::Gap => "gap".to_owned(),
        },
        last_committed: last(metrics.committed.get()),
        records: metrics.records.get(),
        waiting: count(metrics.waiting.get()),
        missing: metrics.missing.get(),
        refused: metrics.refused.get(),
        write_failures: metrics.failures.get(),
        segment: count(metrics.segment.get()),
        segment_records: count(metrics.segment_records.get()),
    }
}

fn source_status(report: &SourceReport) -> SourceStatus {
    let text = |time: Option<UnixTime>| time.map(|time| time.to_string());
    SourceStatus {
        source: report.source.clone(),
        last_tried: text(report.last_tried),
        last_changed: text(report.last_changed),
        next_try: text(report.next_try),
        problem: report.problem.clone(),
    }
}

/// Of a store that nobody serves from. It knows CA names, but no configuration.
///
/// # Errors
/// When it cannot be read.
pub(super) fn of_store(store: &Store, names: &[(Vec<u8>, String, String)]) -> Result<Status, StoreError> {
    let view = store.view()?;
    let mut issuers = Vec::new();
    for (number, canonical) in store.issuers()? {
        let known = names.iter().find(|(name, ..)| *name == canonical);
        issuers.push(IssuerStatus {
            name: known.map_or_else(|| format!("CA {number}"), |(_, name, _)| name.clone()),
            subject: known.map(|(_, _, subject)| subject.clone()).unwrap_or_default(),
            signers: Vec::new(),
            inventory: inventory_rows(view.inventory_state(number)?),
            scopes: view.scopes().iter().filter(|one| one.issuer() == number).map(scope_status).collect(),
            missing: Vec::new(),
        });
    }
    Ok(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: crate::clock::Clock::System.now().to_string(),
        started_at: None,
        not_ready: Vec::new(),
        refused_reload: None,
        store_bytes: store.size_bytes()?,
        presigned: presigned(store)?,
        issuers,
        // All of them are a running server's.
        sources: Vec::new(),
        quarantine: Vec::new(),
        verifiers: Vec::new(),
        interventions: interventions::list(store)?,
        refusals: BTreeMap::new(),
        usage: None,
        audit: None,
    })
}

fn presigned(store: &Store) -> Result<Option<PresignedStatus>, StoreError> {
    let found = store.presigned()?;
    let status =
        |(answers, expires): (u64, UnixTime)| PresignedStatus { answers, first_expires: expires.to_string() };
    Ok(found.map(status))
}

fn inventory_rows(state: InventoryState) -> Option<u64> {
    match state {
        InventoryState::Absent => None,
        InventoryState::Partial { rows } | InventoryState::Complete { rows } => Some(rows),
    }
}

fn scope_status(record: &ScopeRecord) -> ScopeStatus {
    ScopeStatus {
        distribution_point: scope_text(&record.crl.idp),
        signer: signer_name(&record.crl.key),
        crl_number: if record.crl.crl_number.is_empty() {
            String::new()
        } else {
            decimal(&record.crl.crl_number)
        },
        this_update: record.crl.this_update.to_string(),
        next_update: record.crl.next_update.to_string(),
        entries: record.entries,
        ingested_at: record.crl.ingested_at.to_string(),
        retired: record.is_retired(),
    }
}

/// Why requests are answered tryLater: CRLs, signers, inventories that are not all in.
pub(super) fn not_ready(shared: &Shared) -> Vec<String> {
    let snapshot = shared.published.load();
    let mut reasons = snapshot.reasons_not_ready(shared.clock.now());
    for key in snapshot.keys() {
        if let InventoryState::Partial { rows } = key.inventory {
            let name = snapshot.issuers().get(key.issuer.0).map_or("?", |issuer| issuer.name.as_str());
            reasons
                .push(format!("issuer {name}: its inventory is still being loaded ({rows} serials so far)"));
        }
    }
    // Before that a missing CRL may only not have been looked at yet: half a country is no country.
    if !shared.state().caught_up {
        reasons.push("the configured CRLs and inventories are still being read".to_owned());
    }
    reasons
}

/// The report of an ingest, for whoever brought the CRL.
pub(super) fn report_json(report: &Report, took: Duration) -> Value {
    let mut value = json!({
        "issuer": report.issuer_name,
        "distribution_point": report.scope,
        "crl_number": decimal(&report.crl_number),
        "this_update": report.this_update.to_string(),
        "next_update": report.next_update.to_string(),
        "delta": report.is_delta,
        "entries": report.entries,
        "octets": report.octets,
        "seconds": took.as_secs_f64(),
    });
    if report.foreign_entries > 0 {
        value["entries_of_other_issuers"] = json!(report.foreign_entries);
    }
    extend(&mut value, outcome_json(report.outcome));
    if !report.others.is_empty() {
        let other = |(name, outcome): &(String, Outcome)| {
            let mut other = json!({ "issuer": name });
            extend(&mut other, outcome_json(*outcome));
            other
        };
        value["other_issuers"] = report.others.iter().map(other).collect();
    }
    value
}

fn outcome_json(outcome: Outcome) -> Value {
    let change_json = |outcome: &str, change: ScopeChange| {
        json!({
            "outcome": outcome,
            "added": change.added,
            "changed": change.changed,
            "released": change.released,
            "retained": change.retained,
            "expired": change.expired,
            "unchanged": change.unchanged,
        })
    };
    match outcome {
        Outcome::Unchanged => json!({ "outcome": "unchanged" }),
        Outcome::Overtaken => json!({ "outcome": "overtaken" }),
        Outcome::Applied(change) => change_json("applied", change),
        Outcome::Rehearsed(change, alarm) => {
            let mut outcome = change_json("dry run", change);
            outcome["guard"] = alarm.map_or_else(|| json!("passes"), |alarm| json!(alarm.to_string()));
            outcome
        }
    }
}

fn extend(value: &mut Value, with: Value) {
    if let (Some(value), Value::Object(with)) = (value.as_object_mut(), with) {
        value.extend(with);
    }
}

/// Sets the gauges to what `snapshot` holds.
pub(super) fn measure(snapshot: &Snapshot, metrics: &Metrics, store_bytes: u64) {
    let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    metrics.store_bytes.set(gauge(store_bytes));
    metrics.set_issuers(snapshot.issuers().iter().map(|issuer| issuer.name.as_str()));
    for (issuer, handles) in snapshot.issuers().iter().zip(metrics.issuers().iter()) {
        let of_issuer = || snapshot.view().scopes().iter().filter(|one| one.issuer() == issuer.number);
        // What was retired does not grow old.
        let expected = || of_issuer().filter(|one| !one.is_retired());
        let oldest = expected().map(|one| one.crl.this_update).min();
        let nearest = expected().map(|one| one.crl.next_update).min();
        handles.crl_this_update.set(oldest.map_or(0, UnixTime::seconds));
        handles.crl_next_update.set(nearest.map_or(0, UnixTime::seconds));
        handles.crl_scopes.set(gauge(expected().count() as u64));
        handles.crl_entries.set(gauge(of_issuer().map(|one| one.entries).sum()));
        let signers = issuer.keys.iter().flat_map(|key| key.signatories.all());
        let signer = signers.map(|one| one.responder.not_after()).min();
        handles.signer_not_after.set(signer.map_or(0, UnixTime::seconds));
    }
}
