//! Why a serial number is answered as it is: for the people who run the responder, never for requests.
//!
//! Called by `app` for the admin pages. The answer is [`decide`]'s own, from the same rows at the same moment;
//! beside it stands what it was decided from. Nothing is signed, counted or kept.

use super::decide::{counted_in, decide};
use crate::ocsp::{CertStatus, OcspResponseStatus};
use crate::snapshot::{Key, Window};
use crate::store::{
    DistributionPointNumber, Inventoried, InventoryState, Reach, ReadView, StatusRow, StoreError,
};
use crate::x509::{SerialNumber, UnixTime};

/// What one CA key's signer would say of a serial number.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The status and the time for which it is known, before `validity` and the signer's end shorten it; or
    /// the error that the whole request would get.
    pub answer: Result<(CertStatus, Window), OcspResponseStatus>,
    pub ground: Ground,
    /// What CRLs say of the serial number, whether it counts or not.
    pub evidence: Vec<Evidence>,
}

/// The branch of the decision that led to the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The signer is not valid now: everything is tryLater.
    Signer,
    /// A CRL revokes it.
    Revoked,
    /// No CRL revokes it, and there is no inventory to tell whether it was issued.
    NoInventory,
    /// No CRL revokes it, and the inventory is not all there yet.
    InventoryIncomplete,
    /// No CRL revokes it, and the inventory does not list it.
    NotIssued,
    /// No CRL revokes it, and the inventory lists it without a distribution point: every CRL counts.
    Issued,
    /// No CRL revokes it, and the inventory says whose CRL would.
    IssuedAt(DistributionPointNumber),
}

/// One row of the store.
#[derive(Debug, Clone, Copy)]
pub struct Evidence {
    pub row: StatusRow,
    /// For how long the row counts; `None` where it says nothing any more.
    pub counts: Option<Window>,
}

/// Explains what is answered about a serial number of the CA behind `key` at `now`.
///
/// # Errors
/// When the store cannot be read: then the answer would be internalError.
pub fn explain(
    key: &Key,
    view: &ReadView,
    serial_number: &SerialNumber,
    now: UnixTime,
) -> Result<Explanation, StoreError> {
    let rows = view.revocations(key.number, serial_number)?;
    let of_row = |row: &StatusRow| Evidence {
        row: *row,
        counts: counted_in(key, rows.as_slice(), row).map(|counted| counted.window),
    };
    let evidence: Vec<Evidence> = rows.as_slice().iter().map(of_row).collect();
    let is_signer_valid = key.signatories.default.is_valid(now);
    let ground = if !is_signer_valid {
        Ground::Signer
    } else if evidence.iter().any(|one| one.counts.is_some()) {
        Ground::Revoked
    } else if key.inventory == InventoryState::Absent {
        Ground::NoInventory
    } else {
        match (view.inventory(key.number, serial_number)?, key.inventory) {
            (Inventoried::Unlisted, InventoryState::Partial { .. }) => Ground::InventoryIncomplete,
            (Inventoried::Unlisted, _) => Ground::NotIssued,
            (Inventoried::InScope(point), _) => Ground::IssuedAt(point),
            (Inventoried::Listed, _) => Ground::Issued,
        }
    };
    let answer = if is_signer_valid {
        let decision = decide(key, view, serial_number, now, Reach::Disk);
        decision.map(|decision| (decision.status, decision.window)).map_err(|refusal| refusal.status())
    } else {
        Err(OcspResponseStatus::TryLater)
    };
    Ok(Explanation { answer, ground, evidence })
}
