//! What is said of one certificate.
//!
//! The order is that of safety: a revocation from any fresh CRL counts, whatever else is missing;
//! `good` needs every CRL that the serial number may be on to be loaded and fresh.

use super::effort::Effort;
use crate::ocsp::{CertStatus, OcspResponseStatus};
use crate::snapshot::{Key, RoleLayer, Source, Unlisted, Window};
use crate::store::{Inventoried, InventoryState, Reach, ReadView, StatusRow, StoreError};
use crate::x509::{SerialNumber, UnixTime};

/// One certificate's status, and the time for which it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    pub status: CertStatus,
    pub window: Window,
    /// `Revoked` because it was never issued (RFC 6960 4.4.8).
    pub never_issued: bool,
    pub source: Source,
}

/// Why the whole request gets an error status.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A CRL that the answer depends on is missing or ran out.
    Stale,
    /// The serial number is not on record, and the operator wants that answered `unauthorized`.
    NotOnRecord,
    /// The store failed.
    Store,
    /// The key did not sign.
    Signature,
    /// The store has a row that was asked for on the disk only.
    NotInMemory,
    /// More than may be done for the request now.
    TooMuch(Effort),
}

impl Refusal {
    pub fn status(&self) -> OcspResponseStatus {
        match self {
            Self::Stale | Self::TooMuch(_) => OcspResponseStatus::TryLater,
            Self::NotOnRecord => OcspResponseStatus::Unauthorized,
            // Whoever limits the reach looks again without a limit.
            Self::Store | Self::Signature | Self::NotInMemory => OcspResponseStatus::InternalError,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotInMemory { .. } => Self::NotInMemory,
            _ => Self::Store,
        }
    }
}

/// Decides about a serial number of the CA behind `key`.
pub(super) fn decide(
    key: &Key,
    view: &ReadView,
    serial_number: &SerialNumber,
    now: UnixTime,
    reach: Reach,
) -> Result<Decision, Refusal> {
    let rows = view.revocations_at_hand(key.number, serial_number, reach)?;
    if let Some(decision) = revoked(key, rows.as_slice(), now) {
        return decision;
    }
    if key.inventory == InventoryState::Absent {
        return unlisted(key, now);
    }
    not_revoked(key, view.inventory_at_hand(key.number, serial_number, key.inventory_edition, reach)?, now)
}

/// As [`decide`], where it is known already what the inventory says.
pub(super) fn decide_listed(
    key: &Key,
    view: &ReadView,
    serial_number: &SerialNumber,
    listed: Inventoried,
    now: UnixTime,
    reach: Reach,
) -> Result<Decision, Refusal> {
    let rows = view.revocations_at_hand(key.number, serial_number, reach)?;
    revoked(key, rows.as_slice(), now).unwrap_or_else(|| not_revoked(key, listed, now))
}

/// Of a serial number that no CRL speaks of.
pub(super) fn not_revoked(key: &Key, listed: Inventoried, now: UnixTime) -> Result<Decision, Refusal> {
    let (window, source) = match (listed, key.inventory) {
        // Half an inventory says nothing of what it does not list.
        (Inventoried::Unlisted, InventoryState::Partial { .. }) => return Err(Refusal::Stale),
        (Inventoried::Unlisted, _) => return unlisted(key, now),
        (Inventoried::InScope(point), _) => (key.scopes.at_point(point, now), Source::Point(point)),
        (Inventoried::Listed, _) => (key.scopes.whole(now).ok(), Source::Whole),
    };
    let window = window.ok_or(Refusal::Stale)?;
    Ok(Decision { status: CertStatus::Good, window, never_issued: false, source })
}

/// For a CertID of another issuer in the same request. That it is none of ours is known now and rests on
/// no CRL, so that a late one does not silence it, nor it the others.
pub(super) fn not_ours(now: UnixTime) -> Decision {
    let window = Window { this_update: now, next_update: UnixTime::MAX };
    Decision { status: CertStatus::Unknown, window, never_issued: false, source: Source::Unnamed }
}

/// Of the rows that count and rest on a fresh CRL the gravest decides: a permanent revocation before a
/// hold, then what is said most directly, then the earlier one. `None`: no row counts.
fn revoked(key: &Key, rows: &[StatusRow], now: UnixTime) -> Option<Result<Decision, Refusal>> {
    let mut counting = rows.iter().filter_map(|row| Some((row, counted_in(key, rows, row)?))).peekable();
    counting.peek()?;
    let gravest = counting
        .filter(|(_, counted)| counted.window.is_fresh(now))
        .min_by_key(|(row, counted)| (row.revocation.is_hold(), counted.standing, row.revocation.time));
    let decision = gravest.map(|(row, counted)| Decision {
        status: CertStatus::Revoked(row.revocation),
        window: counted.window,
        never_issued: false,
        source: match counted.standing {
            Standing::Delta | Standing::Complete => Source::Entry(row.scope),
            // It is on no CRL any more.
            Standing::History => Source::Unnamed,
        },
    });
    Some(decision.ok_or(Refusal::Stale))
}

/// How directly a row speaks: the delta CRL is searched before the complete one (RFC 5280 6.3.3 (i), (j)),
/// and what only earlier CRLs said comes last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Delta,
    Complete,
    History,
}

/// A row that counts, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    standing: Standing,
    pub window: Window,
}

/// The time for which `row` says that the certificate is revoked; `None` when it does not say so (RFC 5280
/// 5.2.4): it lifts a hold, its hold is lifted by the delta CRL, or a newer complete CRL, or key, has overtaken it.
pub(super) fn counted_in(key: &Key, rows: &[StatusRow], row: &StatusRow) -> Option<Counted> {
    let role = key.scopes.role(row.scope)?;
    let (standing, window) = match role.layer {
        _ if row.revocation.is_removal() => return None,
        // What cannot be undone needs no delta CRL beside it.
        RoleLayer::Complete { .. } if row.revocation.is_permanent() => (Standing::Complete, role.own),
        RoleLayer::Complete { delta } => {
            let is_lifted =
                rows.iter().any(|other| Some(other.scope) == delta && other.revocation.is_removal());
            if is_lifted {
                return None;
            }
            (Standing::Complete, role.together)
        }
        RoleLayer::Delta if row.revocation.is_permanent() => (Standing::Delta, role.own),
        RoleLayer::Delta => (Standing::Delta, role.together),
        RoleLayer::Overtaken if row.revocation.is_permanent() => (Standing::History, role.own),
        RoleLayer::Overtaken => return None,
    };
    let standing = if row.retained { Standing::History } else { standing };
    Some(Counted { standing, window })
}

fn unlisted(key: &Key, now: UnixTime) -> Result<Decision, Refusal> {
    if key.unlisted == Unlisted::Unauthorized {
        return Err(Refusal::NotOnRecord);
    }
    let window = key.scopes.whole(now).map_err(|_| Refusal::Stale)?;
    let (status, never_issued, source) = match key.unlisted {
        Unlisted::Good => (CertStatus::Good, false, Source::Whole),
        // RFC 6960 4.4.8: it names no CRL.
        Unlisted::Revoked => (CertStatus::NEVER_ISSUED, true, Source::Unnamed),
        Unlisted::Unknown | Unlisted::Unauthorized => (CertStatus::Unknown, false, Source::Unnamed),
    };
    Ok(Decision { status, window, never_issued, source })
}
