//! Retiring a scope: no CRL of it will come any more, as when a municipality was merged into another.
//!
//! As long as its last CRL is held, the issuer is not `good` once that has run out. Taking the scope away with
//! its rows would turn its permanent revocations good, because the CRLs that go on need not list
//! them again. So a retired scope stays, as history: it covers nothing, its permanent
//! revocations count for ever, and its holds are released, as by a CRL without entries. Where
//! nothing is kept the scope goes altogether. A complete CRL with a higher number brings it back.
//!
//! Holds are what can be lost: they should stand on another CRL by now, and nothing here knows whether they
//! do. So a scope with holds is retired only when that is forced, and so is the last one of an issuer.
//!
//! Crash: the delta CRL's rows go first, then the complete CRL's, each in one step; in between the
//! complete CRL alone is in force, which revokes more, not less. Retiring again completes it.

use super::Refused;
use super::judge::scope_text;
use crate::store::{IssuerNumber, Layer, Retention, ScopeRecord, Store, StoreError};
use crate::x509::{Revocation, SerialNumber, UnixTime};

/// Why a scope is not retired.
#[derive(Debug, thiserror::Error)]
pub enum NotRetired {
    #[error(
        "no CRL of this scope is held (`ocsprey status --scopes` shows them; \"everything\" names one without a distribution point)"
    )]
    NoSuchScope,
    #[error(
        "{holds} certificates on hold would be released (see that they stand on another CRL, then use --force)"
    )]
    Holds { holds: u64 },
    #[error("it is the last scope, and nothing could be answered without it (if that is meant, use --force)")]
    Last,
    #[error("the scope {0}")]
    Refused(#[from] Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What became of a retired scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retired {
    /// Permanent revocations that are kept as history.
    pub kept: u64,
    /// Holds that were released.
    pub released: u64,
}

/// What a scope without a distribution point is called.
pub const EVERYTHING: &str = "everything";

/// Retires the scopes of `issuer` whose distribution point reads `text`, whoever signed them. `before` is called once
/// nothing stands in the way and nothing was written.
///
/// # Errors
/// Why nothing was retired; after [`NotRetired::Store`] a part may be.
pub fn retire(
    store: &Store,
    issuer: IssuerNumber,
    text: &str,
    is_forced: bool,
    now: UnixTime,
    before: impl FnOnce(),
) -> Result<Retired, NotRetired> {
    let held: Vec<ScopeRecord> = store
        .scopes()?
        .into_iter()
        .filter(|record| record.issuer() == issuer && !record.is_retired())
        .collect();
    let is_meant = |record: &ScopeRecord| {
        let shown = scope_text(&record.crl.idp);
        shown == text || shown.is_empty() && text == EVERYTHING
    };
    let (mut meant, others): (Vec<_>, Vec<_>) = held.into_iter().partition(is_meant);
    if meant.is_empty() {
        return Err(NotRetired::NoSuchScope);
    }
    if !is_forced {
        let mut holds = 0;
        for record in &meant {
            let change = store.compare_scope(&record.crl, nothing(), Retention::WithoutEnd);
            holds += change.map_err(Refused::from)?.released;
        }
        if holds > 0 {
            return Err(NotRetired::Holds { holds });
        }
        if others.is_empty() {
            return Err(NotRetired::Last);
        }
    }
    before();
    meant.sort_by_key(|record| record.crl.key.layer != Layer::Delta);
    let mut retired = Retired::default();
    for record in meant {
        let key = record.crl.key.clone();
        let change = store.replace_scope(record.crl.retired(now), nothing()).map_err(Refused::from)?;
        retired.kept += change.retained_in_all;
        retired.released += change.released;
        // What is kept of the delta CRL counts by the record of the complete one.
        let is_needed = key.layer == Layer::Complete && store.scope(&key.of_layer(Layer::Delta))?.is_some();
        if change.retained_in_all == 0 && !is_needed {
            store.remove_scope(&key)?;
        }
    }
    Ok(retired)
}

fn nothing() -> impl Iterator<Item = Result<(SerialNumber, Revocation), Refused>> {
    std::iter::empty()
}
