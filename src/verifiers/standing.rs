//! What a snapshot says of a verifier's own certificate, where its CA is one that is served here.
//!
//! A CA of citizens' cards may issue those of verifiers too. Then whoever answers for it must not let in whom its own
//! CRL has revoked. Asked for each request; looked up once a commit of the store and a minute, because only those
//! change the answer. One [`Standing`] stands beside each connection's certificate and each signer.

use super::Moment;
use crate::ocsp::CertStatus;
use crate::snapshot::{Issuer, Snapshot};
use crate::x509::{Certificate, UnixTime, canonical_name};
use std::sync::atomic::{AtomicU64, Ordering};

/// What `respond` would say of a certificate: its status, or none where it would be an error.
pub type Look<'a> = &'a dyn Fn(&Snapshot, usize, &Certificate, UnixTime) -> Option<CertStatus>;

const MINUTE_BITS: u32 = 24;
const FINE: u64 = 1;
const NOT_GOOD: u64 = 2;

/// The last verdict about one certificate, and when it was given: epoch, minute, verdict.
#[derive(Debug, Default)]
pub struct Standing(AtomicU64);

impl Standing {
    /// Whether `certificate` is of no CA that is served here, or good.
    #[must_use]
    pub fn is_fine(
        &self,
        certificate: &Certificate,
        snapshot: &Snapshot,
        moment: Moment,
        look: Look<'_>,
    ) -> bool {
        let minute = u64::try_from(moment.now.seconds() / 60).unwrap_or(0) & ((1 << MINUTE_BITS) - 1);
        let now = (snapshot.view().epoch().get() << MINUTE_BITS | minute) << 2;
        let held = self.0.load(Ordering::Relaxed);
        if held & !3 == now && held & 3 != 0 {
            return held & 3 == FINE;
        }
        let is_fine = match key_of(certificate, snapshot) {
            None => true,
            Some(key) => matches!(look(snapshot, key, certificate, moment.now), Some(CertStatus::Good)),
        };
        self.0.store(now | if is_fine { FINE } else { NOT_GOOD }, Ordering::Relaxed);
        is_fine
    }
}

/// The key of the snapshot that issued `certificate`: by its CA's name, and by key identifier where both say one.
/// TLS, or the registry, has seen to it that it is genuine.
fn key_of(certificate: &Certificate, snapshot: &Snapshot) -> Option<usize> {
    let name = canonical_name(certificate.issuer()).ok()?;
    let is_of_name = |issuer: &Issuer| {
        issuer
            .keys
            .iter()
            .any(|key| canonical_name(key.certificate.subject()).is_ok_and(|other| other == name))
    };
    // Keys stand in the snapshot as their issuers name them.
    let mut before = 0;
    for issuer in snapshot.issuers() {
        if is_of_name(issuer) {
            let named = issuer.keys.iter().position(|key| {
                let (ours, theirs) =
                    (key.certificate.subject_key_identifier(), certificate.authority_key_identifier());
                ours.is_some() && ours == theirs
            });
            return Some(before + named.unwrap_or(0));
        }
        before += issuer.keys.len();
    }
    None
}
