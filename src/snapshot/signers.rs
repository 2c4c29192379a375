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
//! Where a newer key goes on, it has taken the old key's place altogether: what the old key's CRL had on hold and the
//! newer one's does not list was released, as by the next CRL of one key. RFC 5280 5.2.3 stands behind it, one name having
//! one sequence of numbers; two keys that keep to their own certificates and share a sequence all the same (the time,
//! say) would undo each other's holds.
//!
//! Keys that are not configured any more cover nothing. What they revoked for good stays revoked; what they had on hold
//! is released once a live signer's CRL of that time or later speaks of the same certificates and does not list it.
//! Not before: the CRLs of a key that was taken out by mistake, or too early, are all that is known of some.

use super::scopes::{Covered, Covers, Scope};
use super::{Issuer, IssuerKey};
use crate::signing::sha256;
use crate::store::{CertificateKinds, ScopeNames, ScopeNumber};
use crate::x509::Certificate;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

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

impl<'a> Signed<'a> {
    /// Whether it goes on where `other`, of the same names, ended.
    fn succeeds(&self, other: &Self) -> bool {
        let is_newer_key =
            matches!((self.by, other.by), (CrlSigner::Key(new), CrlSigner::Key(old)) if new < old);
        let (new, old) = (&self.scope.newest().crl, &other.scope.newest().crl);
        is_newer_key && new.is_newer_than(old) && new.this_update >= old.this_update
    }

    /// The last of those that go on where it ended. `alike` are all of its names.
    fn successor(&self, alike: &[Self]) -> Option<Scope<'a>> {
        let last = |one: &&Self| !alike.iter().any(|other| other.succeeds(one));
        Some(alike.iter().filter(|one| one.succeeds(self)).find(last)?.scope)
    }

    /// Whether it speaks of all certificates and reasons of `other`, and no earlier.
    fn speaks_of(&self, other: &Scope<'_>) -> bool {
        let (own, theirs) = (&self.scope.complete.crl.key, &other.complete.crl.key);
        let is_there =
            own.distribution_point.is_empty() || own.distribution_point == theirs.distribution_point;
        let has_kind = own.contains == theirs.contains
            || own.contains == CertificateKinds::All && theirs.contains != CertificateKinds::Attribute;
        let has_reasons = match (own.reasons, theirs.reasons) {
            (None, _) => true,
            (Some(own), Some(theirs)) => own & theirs == theirs,
            (Some(_), None) => false,
        };
        let (own, theirs) = (self.scope.newest(), other.newest());
        is_there && has_kind && has_reasons && own.crl.this_update >= theirs.crl.this_update
    }
}

/// What takes the place of a scope's CRLs.
#[derive(Clone, Copy)]
pub(super) enum Next<'a> {
    /// This one's, which speak of the same.
    Scope(Scope<'a>),
    /// Nothing, and yet there will be none of it: its signer is not configured any more.
    Nobody,
}

/// An issuer's scopes that are not retired, by who signed them.
pub(super) struct Ranked<'a> {
    signers: CrlSigners,
    by_names: BTreeMap<ScopeNames<'a>, Vec<Signed<'a>>>,
    /// Of signers that are not configured any more.
    gone: Vec<Scope<'a>>,
}

impl<'a> Ranked<'a> {
    pub fn of(of_issuer: &[Scope<'a>], issuer: &Issuer) -> Self {
        let signers = CrlSigners::of(issuer);
        let mut by_names: BTreeMap<ScopeNames<'a>, Vec<Signed<'a>>> = BTreeMap::new();
        let mut gone = Vec::new();
        for scope in of_issuer.iter().filter(|scope| !scope.complete.is_retired()) {
            let key = &scope.complete.crl.key;
            match signers.find(&key.signing_key) {
                Some(by) => by_names.entry(key.names()).or_default().push(Signed { by, scope: *scope }),
                None => gone.push(*scope),
            }
        }
        Self { signers, by_names, gone }
    }

    /// Those that count for the certificates of the issuer's key in `certificate`.
    pub fn relevant(&self, covers: Covers, certificate: &Certificate) -> Vec<Scope<'a>> {
        let own_key = self.signers.find(&key_hash(certificate));
        let all = || self.by_names.values().flatten();
        let own: Vec<&Signed<'_>> = all().filter(|one| Some(one.by) == own_key).collect();
        let everywhere = own.iter().map(|one| &one.scope);
        let everywhere = everywhere.filter(|scope| scope.complete.crl.key.distribution_point.is_empty());
        let needs_others = !covers.is_met_by(Covered::by(everywhere));
        let is_older = |one: &Signed<'_>| match (one.by, own_key) {
            (CrlSigner::Key(other), Some(CrlSigner::Key(own))) => other > own,
            _ => true,
        };
        let mut relevant = Vec::new();
        for alike in self.by_names.values() {
            match alike.iter().find(|one| Some(one.by) == own_key) {
                Some(own) => relevant.push(own.successor(alike).unwrap_or(own.scope)),
                None if own.is_empty() || needs_others && alike.iter().any(is_older) => {
                    let last = alike.iter().filter(|one| one.successor(alike).is_none());
                    relevant.extend(last.map(|one| one.scope));
                }
                None => {}
            }
        }
        relevant
    }

    /// The scopes whose own CRLs do not go on, and what does.
    pub fn succession(&self) -> HashMap<ScopeNumber, Next<'a>> {
        let of_keys = self.by_names.values().flat_map(|alike| {
            let next =
                |one: &Signed<'a>| Some((one.scope.complete.number, Next::Scope(one.successor(alike)?)));
            alike.iter().filter_map(next)
        });
        let of_nobody = self.gone.iter().map(|gone| {
            let speaking = self.by_names.values().flatten().filter(|one| one.speaks_of(gone));
            // What is kept counts as long as anybody goes on.
            let last = speaking.max_by_key(|one| one.scope.complete.crl.next_update);
            (gone.complete.number, last.map_or(Next::Nobody, |one| Next::Scope(one.scope)))
        });
        of_keys.chain(of_nobody).collect()
    }
}
