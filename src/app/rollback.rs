//! `ocsprey crl rollback`: CRLs are taken back, in the store of a running server or in one at rest.
//!
//! Their scopes become what they are in an earlier copy of the store (see [`copies`](super::copies)), and the CRLs do
//! not come in again by themselves. A server publishes once all scopes are back, so its answers are of before or
//! after. A process that is killed in between leaves each scope as it was or as it is to be, and the same order
//! again does the rest.

use super::copies::checkpoints;
use super::interventions::{self, Intervention};
use crate::cli::{decimal, thousands};
use crate::http::{InterventionStatus, RollbackOrder};
use crate::ingest::{EVERYTHING, bar, scope_text};
use crate::store::{IssuerNumber, RolledBack, ScopeKey, ScopeRecord, Store, StoreError};
use crate::x509::UnixTime;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Why no CRL was taken back.
#[derive(Debug, thiserror::Error)]
pub enum NotTakenBack {
    #[error(
        "no CRL of this scope is held (`ocsprey status --scopes` shows them; \"everything\" names one without a distribution point)"
    )]
    NoSuchScope,
    #[error(
        "no copy of the store is from before the CRL that is held (store.checkpoints says how many are kept; name a \
         backup with --from)"
    )]
    NothingBefore,
    #[error("the copy has the CRL that is held: there is nothing to take back")]
    Same,
    /// Some scopes may have gone back; the same again goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Which copy of the store it goes back to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source<'a> {
    /// The newest in this folder in which any of the scopes is another.
    Newest(&'a Path),
    This(&'a Path),
}

/// A scope that is to go back.
struct Going {
    record: ScopeRecord,
    /// What it was; `None`: nothing, its CRL had been the first.
    before: Option<ScopeRecord>,
}

/// Takes back the CRLs of the CA with this number that `order` names. Delta CRLs go before the complete ones that they
/// stand on. The report, and the scopes that went back.
///
/// # Errors
/// Why there is nothing to take back. After an error of the store some scopes may have gone back.
pub(super) fn take_back(
    store: &Store,
    issuer: IssuerNumber,
    order: &RollbackOrder,
    source: Source<'_>,
    now: UnixTime,
) -> Result<(Value, Vec<ScopeKey>), NotTakenBack> {
    let is_meant = |record: &ScopeRecord| {
        let shown = scope_text(&record.crl.idp);
        let is_it = |text: &String| shown == *text || shown.is_empty() && text == EVERYTHING;
        record.issuer() == issuer && order.scope.as_ref().is_none_or(is_it)
    };
    let meant: Vec<ScopeRecord> = store.scopes()?.into_iter().filter(is_meant).collect();
    if meant.is_empty() {
        return Err(NotTakenBack::NoSuchScope);
    }
    let (path, copy, mut going) = copy_before(&meant, source)?;
    going.sort_by_key(|one| std::cmp::Reverse(one.record.crl.key.layer));
    let (mut scopes, mut keys, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for Going { record, before } in going {
        // Barred first: a crash in between leaves the CRL in force, and taking it back again completes it. What a
        // person did by dropping the scope has no CRL that could come again.
        if !record.is_retired() {
            bar(store, &record)?;
        }
        let Some(change) = store.roll_back_scope(&copy, &record.crl.key)? else { continue };
        let report = scope_json(&record, before.as_ref(), change);
        names.push(report["scope"].as_str().unwrap_or_default().to_owned());
        scopes.push(report);
        keys.push(record.crl.key);
    }
    names.dedup();
    let scope = match names.as_slice() {
        [only] => only.clone(),
        several => format!("{} scopes", thousands(several.len() as u64)),
    };
    let about = InterventionStatus {
        issuer: order.issuer.clone(),
        scope,
        detail: format!("as it was in {}", path.display()),
        ..InterventionStatus::default()
    };
    interventions::note(store, Intervention::RolledBack, about, now);
    let report = json!({
        "issuer": order.issuer,
        "outcome": "rolled back",
        "from": path.display().to_string(),
        "scopes": scopes,
    });
    Ok((report, keys))
}

/// The copy, and those of `meant` that are another in it. Each is looked up once in each copy.
fn copy_before(
    meant: &[ScopeRecord],
    source: Source<'_>,
) -> Result<(PathBuf, Store, Vec<Going>), NotTakenBack> {
    let (paths, nothing) = match source {
        Source::This(path) => (vec![path.to_owned()], NotTakenBack::Same),
        Source::Newest(folder) => {
            let found = checkpoints(folder).into_iter().rev().map(|(_, path)| path);
            (found.collect(), NotTakenBack::NothingBefore)
        }
    };
    for path in paths {
        let copy = Store::open_read_only(&path, &super::store_options())?;
        let mut going = Vec::new();
        for record in meant {
            let before = copy.scope(&record.crl.key)?;
            if before.as_ref().is_none_or(|before| before.crl != record.crl) {
                going.push(Going { record: record.clone(), before });
            }
        }
        if !going.is_empty() {
            return Ok((path, copy, going));
        }
    }
    Err(nothing)
}

fn scope_json(record: &ScopeRecord, before: Option<&ScopeRecord>, change: RolledBack) -> Value {
    let shown = match scope_text(&record.crl.idp) {
        text if text.is_empty() => EVERYTHING.to_owned(),
        text => text,
    };
    let crl = |record: &ScopeRecord| {
        let number = &record.crl.crl_number;
        json!({
            "crl_number": if number.is_empty() { String::new() } else { decimal(number) },
            "this_update": record.crl.this_update.to_string(),
            "next_update": record.crl.next_update.to_string(),
            "retired": record.is_retired(),
        })
    };
    json!({
        "scope": shown,
        "taken_back": crl(record),
        "in_force": before.map(crl),
        "gone": change.gone,
        "back": change.back,
        "changed": change.changed,
    })
}
