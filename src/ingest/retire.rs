//! Retiring a scope: no CRL of it will come any more, as when a municipality was merged into another.
//!
//! As long as its last CRL is held, the issuer is not `good` once that has run out. Taking the scope away with
//! its rows would turn its permanent revocations good, because the CRLs that go on need not list
//! them again. So a retired scope stays, as history: it covers nothing, its permanent
//! revocations count for ever, and its holds are released, as by a CRL without entries. Its
//! number stays, too, so that the CRL that ended does not come in once more. A complete CRL with a higher one brings it
//! back.
//!
//! Where several keys sign CRLs of the same names, as after a rollover with numbers of its own, the newest live key's are
//! in use, and what the others signed has ended: so that is retired, unless the order says whose ([`Whose`]).
//!
//! Holds are what can be lost: they should stand on another CRL by now, and nothing here knows whether they
//! do. So a scope with holds is retired only when that is forced, and so is the last one of an issuer.
//!
//! Crash: the delta CRL's rows go first, then the complete CRL's, each in one step; in between the
//! complete CRL alone is in force, which revokes more, not less. Retiring again completes it.

use super::Refused;
use super::judge::{hexadecimal, scope_text};
use crate::snapshot::{CrlSigner, CrlSigners, Issuer};
use crate::store::{Layer, Retention, ScopeKey, ScopeNames, ScopeRecord, Store, StoreError};
use crate::x509::{Revocation, SerialNumber, UnixTime};
use std::collections::{BTreeMap, BTreeSet};

/// Why a scope is not retired.
#[derive(Debug, thiserror::Error)]
pub enum NotRetired {
    #[error(
        "no CRL of this scope is held (`ocsprey status --scopes` shows them; \"everything\" names one without a distribution point)"
    )]
    NoSuchScope,
    #[error("no CRL of this scope that is held is of this signer (there are: {signers})")]
    NoSuchSigner { signers: String },
    #[error(
        "several keys signed CRLs of it, and none of them takes another's place (name one with --signer, or all of them: \
         {signers})"
    )]
    Signers { signers: String },
    #[error(
        "what other keys signed of it is retired already, and this is the CRL in use (if it ended, too: --signer all)"
    )]
    InUse,
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

impl NotRetired {
    /// Whether the order is what stands in the way, and not the store.
    #[must_use]
    pub fn is_theirs(&self) -> bool {
        match self {
            Self::NoSuchScope
            | Self::NoSuchSigner { .. }
            | Self::Signers { .. }
            | Self::InUse
            | Self::Holds { .. }
            | Self::Last => true,
            Self::Refused(_) | Self::Store(_) => false,
        }
    }
}

/// Whose CRLs of a scope are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// Those that are not of the newest live key; if only one key signed any, that one's.
    Overtaken,
    /// The scope ended, whoever signed: a municipality was merged.
    All,
    /// The key's whose name, as [`signer_name`] has it or longer, begins so.
    Of(&'a str),
}

impl<'a> Whose<'a> {
    /// As a person says it; `None`: nothing was said.
    #[must_use]
    pub fn read(text: Option<&'a str>) -> Self {
        match text {
            None => Self::Overtaken,
            Some("all") => Self::All,
            Some(name) => Self::Of(name),
        }
    }
}

/// What became of a retired scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Retired {
    /// Permanent revocations that are kept as history.
    pub kept: u64,
    /// Holds that were released.
    pub released: u64,
    /// What was retired.
    pub scopes: Vec<ScopeKey>,
    /// What has the same distribution point and is in force as before.
    pub staying: Vec<ScopeKey>,
}

/// What a scope without a distribution point is called.
pub const EVERYTHING: &str = "everything";

/// Hexadecimal digits that name a key.
const NAME_DIGITS: usize = 16;

/// What the key that signs the CRLs of a scope is called: the beginning of the SHA-256 of its public key.
#[must_use]
pub fn signer_name(key: &ScopeKey) -> String {
    let mut name = hexadecimal(&key.signing_key);
    name.truncate(NAME_DIGITS);
    name
}

/// Retires the scopes of `issuer` whose distribution point reads `text`, as far as `whose` means them. `before` is
/// called once nothing stands in the way and nothing was written.
///
/// # Errors
/// Why nothing was retired; after [`NotRetired::Store`] a part may be.
pub fn retire(
    store: &Store,
    issuer: &Issuer,
    (text, whose): (&str, Whose<'_>),
    is_forced: bool,
    now: UnixTime,
    before: impl FnOnce(),
) -> Result<Retired, NotRetired> {
    let records = store.scopes()?.into_iter().filter(|record| record.issuer() == issuer.number);
    let (ended, held): (Vec<_>, Vec<_>) = records.partition(ScopeRecord::is_retired);
    let is_named = |record: &ScopeRecord| {
        let shown = scope_text(&record.crl.idp);
        shown == text || shown.is_empty() && text == EVERYTHING
    };
    let (named, others): (Vec<_>, Vec<_>) = held.into_iter().partition(is_named);
    if named.is_empty() {
        return Err(NotRetired::NoSuchScope);
    }
    let is_meant = match whose {
        Whose::All => vec![true; named.len()],
        Whose::Of(name) => named_by(&named, name)?,
        Whose::Overtaken => overtaken(&named, &ended, &CrlSigners::of(issuer))?,
    };
    let (meant, staying): (Vec<_>, Vec<_>) =
        named.into_iter().zip(is_meant).partition(|(_, is_meant)| *is_meant);
    let mut meant: Vec<ScopeRecord> = meant.into_iter().map(|(record, _)| record).collect();
    if !is_forced {
        let mut holds = 0;
        for record in &meant {
            let change = store.compare_scope(&record.crl, nothing(), Retention::WithoutEnd);
            holds += change.map_err(Refused::from)?.released;
        }
        if holds > 0 {
            return Err(NotRetired::Holds { holds });
        }
        if others.is_empty() && staying.is_empty() {
            return Err(NotRetired::Last);
        }
    }
    before();
    meant.sort_by_key(|record| record.crl.key.layer != Layer::Delta);
    let staying = staying.into_iter().map(|(record, _)| record.crl.key).collect();
    let mut retired = Retired { staying, ..Retired::default() };
    for record in meant {
        let key = record.crl.key.clone();
        let change = store.replace_scope(record.crl.retired(now), nothing()).map_err(Refused::from)?;
        retired.kept += change.retained_in_all;
        retired.released += change.released;
        // The complete CRL's record stays though it has no rows: the file that still lies there is not the first of its
        // scope, and what is kept of the delta CRL counts by it.
        if key.layer == Layer::Delta && change.retained_in_all == 0 {
            store.remove_scope(&key)?;
        }
        retired.scopes.push(key);
    }
    Ok(retired)
}

/// Which of `records` are signed by the key of this name.
fn named_by(records: &[ScopeRecord], name: &str) -> Result<Vec<bool>, NotRetired> {
    let name = name.to_ascii_lowercase();
    let is_it = |record: &ScopeRecord| hexadecimal(&record.crl.key.signing_key).starts_with(&name);
    let found: BTreeSet<_> =
        records.iter().filter(|record| is_it(record)).map(|record| record.crl.key.signing_key).collect();
    // A beginning that several have in common names none of them.
    if found.len() != 1 {
        return Err(NotRetired::NoSuchSigner { signers: signers_of(records) });
    }
    Ok(records.iter().map(is_it).collect())
}

/// Which of `records` are not of the newest live key that signs CRLs of the same names; `ended` are those that are retired.
fn overtaken(
    records: &[ScopeRecord],
    ended: &[ScopeRecord],
    signers: &CrlSigners,
) -> Result<Vec<bool>, NotRetired> {
    let keys = || records.iter().map(|record| &record.crl.key);
    let live =
        keys().filter_map(|key| Some((key.names(), (signers.find(&key.signing_key)?, &key.signing_key))));
    let mut by_names: BTreeMap<ScopeNames<'_>, Vec<(CrlSigner, &[u8; 32])>> = BTreeMap::new();
    for (names, by) in live {
        by_names.entry(names).or_default().push(by);
    }
    if keys().all(|key| Some(key.signing_key) == keys().next().map(|first| first.signing_key)) {
        // The same order a second time would end what goes on.
        let is_older = |other: &ScopeKey, (by, key): &(CrlSigner, &[u8; 32])| {
            matches!(by, CrlSigner::Key(_))
                && other.signing_key != **key
                && signers.find(&other.signing_key).is_none_or(|other| other > *by)
        };
        let is_left_over = |other: &ScopeRecord| {
            let mut alike = by_names.get(&other.crl.key.names()).into_iter().flatten();
            alike.any(|by| is_older(&other.crl.key, by))
        };
        let is_in_use = ended.iter().any(is_left_over);
        return if is_in_use { Err(NotRetired::InUse) } else { Ok(vec![true; records.len()]) };
    }
    let mut in_use = BTreeMap::new();
    for (names, live) in by_names {
        let Some(newest) = live.iter().min() else { continue };
        // Between a key of the CA and another CRL issuer nothing says who goes on.
        if live.iter().any(|(by, key)| *by == CrlSigner::CrlIssuer && *key != newest.1) {
            return Err(NotRetired::Signers { signers: signers_of(records) });
        }
        in_use.insert(names, newest.1);
    }
    let is_over: Vec<bool> = keys().map(|key| in_use.get(&key.names()) != Some(&&key.signing_key)).collect();
    if is_over.contains(&true) {
        Ok(is_over)
    } else {
        Err(NotRetired::Signers { signers: signers_of(records) })
    }
}

fn signers_of(records: &[ScopeRecord]) -> String {
    let names: BTreeSet<String> = records.iter().map(|record| signer_name(&record.crl.key)).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn nothing() -> impl Iterator<Item = Result<(SerialNumber, Revocation), Refused>> {
    std::iter::empty()
}
