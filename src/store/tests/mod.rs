//! Tests of the store as its callers see it, and what they share.

mod answers;
mod at_hand;
mod copies;
mod crash;
mod failing;
mod formats;
mod inventories;
mod large;
mod measured;
mod model;
mod opening;
mod refreshing;
mod scopes;
mod usage;

use super::*;
use crate::x509::{CrlReason, UnixTime};
use std::convert::Infallible;
use tempfile::TempDir;

pub(super) fn serial(hex: &str) -> SerialNumber {
    SerialNumber::from_hex(hex).unwrap()
}

pub(super) fn revoked(seconds: i64, reason: CrlReason) -> Revocation {
    let reason = (reason != CrlReason::Unspecified).then_some(reason);
    Revocation { time: UnixTime::from_seconds(seconds), reason, invalidity: None }
}

/// Small buffers, so that tests flush and compact.
pub(super) fn options() -> StoreOptions {
    StoreOptions { cache_bytes: 4 << 20, write_buffer_bytes: 1 << 20, ..StoreOptions::default() }
}

pub(super) fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &options()).unwrap();
    (folder, store)
}

/// The scope of `issuer` at the distribution point `point`.
pub(super) fn scope_key(issuer: IssuerNumber, point: &str) -> ScopeKey {
    ScopeKey {
        issuer,
        signing_key: [7; 32],
        distribution_point: point.as_bytes().to_vec(),
        contains: CertificateKinds::All,
        reasons: None,
        layer: Layer::Complete,
    }
}

/// A CRL of the scope `key` with the number `crl_number`.
pub(super) fn crl(key: &ScopeKey, crl_number: u8) -> ScopeRecordDraft {
    ScopeRecordDraft {
        key: key.clone(),
        idp: b"idp".to_vec(),
        crl_number: vec![crl_number],
        this_update: UnixTime::from_seconds(1_000_000 + i64::from(crl_number)),
        next_update: UnixTime::from_seconds(2_000_000 + i64::from(crl_number)),
        crl_sha256: [crl_number; 32],
        ingested_at: UnixTime::from_seconds(1_500_000),
    }
}

pub(super) fn entries(
    list: &[(SerialNumber, Revocation)],
) -> impl Iterator<Item = Result<(SerialNumber, Revocation), Infallible>> {
    list.iter().copied().map(Ok)
}

/// What a view says of a serial, to whoever runs the server and to requests: scope, revocation, retained.
pub(super) fn rows(
    view: &ReadView,
    issuer: IssuerNumber,
    serial: &SerialNumber,
) -> Vec<(ScopeNumber, Revocation, bool)> {
    let rows = view.revocations(issuer, serial).unwrap();
    let at_hand = view.revocations_at_hand(issuer, serial, Reach::Disk).unwrap();
    assert_eq!(at_hand.as_slice(), rows.as_slice());
    rows.iter().map(|row| (row.scope, row.revocation, row.retained)).collect()
}
