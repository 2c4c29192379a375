//! CRLs that were taken back by hand: they still lie at their sources, and do not come in again by themselves.
//!
//! A CRL is known by its hash, which is kept as a note in the store; a person's `--force` takes it in all the
//! same. One octet less in it, and it is another CRL: the CA's next one is judged as always.

use super::Refused;
use super::judge::hexadecimal;
use crate::store::{ScopeRecord, Store, StoreError};

fn note(crl_sha256: &[u8; 32]) -> String {
    format!("taken back {}", hexadecimal(crl_sha256))
}

/// Bars the CRL of `record` from coming in again.
///
/// # Errors
/// When the store cannot be written.
pub fn bar(store: &Store, record: &ScopeRecord) -> Result<(), StoreError> {
    store.set_note(&note(&record.crl.crl_sha256), &[])
}

/// # Errors
/// [`Refused::TakenBack`], or when the store cannot be read.
pub(super) fn check_barred(store: &Store, crl_sha256: &[u8; 32]) -> Result<(), Refused> {
    match store.note(&note(crl_sha256))? {
        Some(_) => Err(Refused::TakenBack),
        None => Ok(()),
    }
}
