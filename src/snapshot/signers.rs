//! Whose CRLs count for the certificates of which key of a CA.
//!
//! A CA is a name; its keys change, one year's certificates being signed by one and next year's by
//! another, with the serial numbers running on. RFC 5280 knows a CRL issuer by its name (6.3.3 (b)(1)), and
//! one sequence of CRL numbers for each of its scopes (5.2.3), whichever key signs. CAs do it in two
//! ways: the new key goes on with all CRLs, or each key keeps to those of its own certificates. Nothing in
//! a CRL says which. So, of each scope (names, kinds and reasons alike):
//!
//! 1. A key's own CRL counts for its certificates, until a newer key goes on where it ended: with a higher
//!    number, and no earlier. (With numbers of its own, from 1, a newer key does not; then the CA retires the
//!    old key's scopes, or `ocsprey crl drop` does.)
//! 2. What older keys, or CRL issuers, sign and this key does not, counts too: a new key that has signed
//!    one partition has not made the others vanish. Not so where its own CRLs without a distribution
//!    point cover everything.
//! 3. For a key that signed none, all count.
//!
//! Keys that are not configured any more count for nothing here; what their CRLs revoked stays revoked.

use super::scopes::{Covered, Scope};
use super::{Issuer, IssuerKey};
use crate::signing::sha256;
use crate::store::ScopeNames;
use crate::x509::Certificate;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The live signers of an issuer's CRLs.
#[derive(Debug)]
pub struct CrlSigners {
    /// SHA-256 of the public keys, the newest first.
    keys: Vec<Vec<u8>>,
    crl_issuers: Vec<Vec<u8>>,
}

/// Who signed a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrlSigner {
    /// A key of the CA, counted from the newest.
    Key(usize),
    /// Another CRL issuer.
    CrlIssuer,
}

fn key_hash(certificate: &Certificate) -> Vec<u8> {
    sha256(certificate.public_key().bits()).to_vec()
}

impl CrlSigners {
    #[must_use]
    pub fn of(issuer: &Issuer) -> Self {
        let mut keys: Vec<&IssuerKey> = issuer.keys.iter().collect();
        // Of those that begin alike the first in the configuration is the newer one: the sort is stable.
        keys.sort_by_key(|key| Reverse(key.certificate.not_before()));
        Self {
            keys: keys.into_iter().map(|key| key_hash(&key.certificate)).collect(),
            crl_issuers: issuer.crl_issuers.iter().map(|certificate| key_hash(certificate)).collect(),
        }
    }

    /// Whose key has this SHA-256; `None`: nobody's who is configured.
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<CrlSigner> {
        let of_ca = self.keys.iter().position(|known| known == key).map(CrlSigner::Key);
        of_ca.or_else(|| self.crl_issuers.iter().any(|known| known == key).then_some(CrlSigner::CrlIssuer))
    }
}

/// A scope, and who signed it.
#[derive(Clone, Copy)]
struct Signed<'a> {
    by: CrlSigner,
    scope: Scope<'a>,
}

impl Signed<'_> {
    /// Whether it goes on where `other`, of the same names, ended.
    fn succeeds(&self, other: &Self) -> bool {
        let is_newer_key =
            matches!((self.by, other.by), (CrlSigner::Key(new), CrlSigner::Key(old)) if new < old);
        let (new, old) = (&self.scope.newest().crl, &other.scope.newest().crl);
        is_newer_key && new.is_newer_than(old) && new.this_update >= old.this_update
    }
}

/// Those of the issuer's scopes that count for the certificates of its key in `certificate`.
pub(super) fn relevant<'a>(
    of_issuer: &[Scope<'a>],
    issuer: &Issuer,
    certificate: &Certificate,
) -> Vec<Scope<'a>> {
    let signers = CrlSigners::of(issuer);
    let own_key = signers.find(&key_hash(certificate));
    let mut by_names: BTreeMap<ScopeNames<'a>, Vec<Signed<'a>>> = BTreeMap::new();
    for scope in of_issuer.iter().filter(|scope| !scope.complete.is_retired()) {
        let key = &scope.complete.crl.key;
        if let Some(by) = signers.find(&key.signing_key) {
            by_names.entry(key.names()).or_default().push(Signed { by, scope: *scope });
        }
    }
    let all = || by_names.values().flatten();
    let own: Vec<&Signed<'_>> = all().filter(|one| Some(one.by) == own_key).collect();
    let everywhere = own.iter().map(|one| &one.scope);
    let everywhere = everywhere.filter(|scope| scope.complete.crl.key.distribution_point.is_empty());
    let needs_others = !issuer.covers.is_met_by(Covered::by(everywhere));
    let is_older = |one: &Signed<'_>| match (one.by, own_key) {
        (CrlSigner::Key(other), Some(CrlSigner::Key(own))) => other > own,
        _ => true,
    };
    let mut relevant = Vec::with_capacity(of_issuer.len());
    for alike in by_names.values() {
        let last = |one: &&Signed<'_>| !alike.iter().any(|other| other.succeeds(one));
        match alike.iter().find(|one| Some(one.by) == own_key) {
            Some(own) => {
                let successor = alike.iter().filter(|one| one.succeeds(own)).find(last);
                relevant.push(successor.unwrap_or(own).scope);
            }
            None if own.is_empty() || needs_others && alike.iter().any(is_older) => {
                relevant.extend(alike.iter().filter(last).map(|one| one.scope));
            }
            None => {}
        }
    }
    relevant
}
