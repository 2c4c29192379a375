//! What an answer is decided from: issuers, their keys, the freshness of each CRL scope, and a view of
//! the store, all of one moment.
//!
//! A [`Snapshot`] is built by the write side, never changes, and is published through [`Published`].
//! A request loads that pointer once and sees one state, however many certificates it asks about.

mod cert_id_index;
mod published;
mod references;
mod roles;
mod scopes;
mod series;
mod signatory;
mod signers;
#[cfg(test)]
pub(crate) mod test_setting;
#[cfg(test)]
mod tests;

pub use published::Published;
pub use references::{CrlReference, CrlReferences, Source};
pub use roles::{Role, RoleLayer};
pub use scopes::{Coverage, Covers, ScopeSet, ScopesPolicy, Window};
pub use series::{CertIds, Series, WrittenCertIds};
pub use signatory::{Signatories, Signatory};
pub use signers::{CrlSigner, CrlSigners};

use crate::ocsp::CertIdRef;
use crate::signing::ResponderIdentity;
use crate::store::{InventoryState, IssuerNumber, ReadView, Retention, StoreError};
use crate::x509::{Certificate, UnixTime};
use cert_id_index::CertIdIndex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Which `[[issuer]]` of the configuration, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IssuerIndex(pub usize);

/// What is said of a serial number that is on no CRL and, where there is one, in no inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    Good,
    Unknown,
    /// The whole request is answered `unauthorized`: no authoritative record (RFC 9919 3.2.3).
    Unauthorized,
    /// Revoked, as RFC 6960 4.4.8 has it for certificates that were never issued.
    Revoked,
}

/// What to do with a client's nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NoncePolicy {
    #[default]
    /// Repeat it: the answer is signed afresh.
    Echo,
    /// Leave it out, as RFC 9919 section 5 allows.
    Ignore,
}

/// How answers are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseOptions {
    /// Seconds from thisUpdate to nextUpdate, at most; see `Responder::respond`.
    pub validity: i64,
    pub nonce: NoncePolicy,
    pub crl_references: CrlReferences,
}

/// What the operator configured, understood and checked: all of it changes at once, or nothing.
#[derive(Debug)]
pub struct Configured {
    pub issuers: Vec<Issuer>,
    pub options: ResponseOptions,
    generation: Generation,
}

impl Configured {
    #[must_use]
    pub fn new(issuers: Vec<Issuer>, options: ResponseOptions) -> Self {
        Self { issuers, options, generation: Generation::next() }
    }
}

/// Tells one [`Configured`] of the process from every other, also from those that are gone: what was signed
/// under one is not given out under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

impl Generation {
    fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// One configured issuer: a CA name and its live keys.
#[derive(Debug)]
pub struct Issuer {
    pub name: String,
    /// The CA name's number in the store; all generations of keys share it.
    pub number: IssuerNumber,
    /// One or more, newest first.
    pub keys: Vec<IssuerKey>,
    /// `None`: good without an inventory, unknown with one.
    pub unlisted: Option<Unlisted>,
    /// Whether the configuration names an inventory: until it is loaded, what the store does not list
    /// may well be issued.
    pub has_inventory: bool,
    pub scopes: ScopesPolicy,
    pub covers: Covers,
    /// The certificates of other CRL issuers that may speak for this CA.
    pub crl_issuers: Vec<Arc<Certificate>>,
    /// How long a permanent revocation is kept once its entry has left the CRL.
    pub retention: Retention,
}

/// One live key of a CA, and who signs answers for it.
#[derive(Debug, Clone)]
pub struct IssuerKey {
    pub certificate: Arc<Certificate>,
    pub signatories: Signatories,
    /// Two forms of CertIDs that are answered together; usually none.
    pub pair: Option<Arc<CertIds>>,
}

impl IssuerKey {
    /// With one who signs.
    #[must_use]
    pub fn new(certificate: Arc<Certificate>, responder: Arc<ResponderIdentity>) -> Self {
        let signatories = Signatories { default: Signatory::new(responder), others: Vec::new() };
        Self { certificate, signatories, pair: None }
    }
}

/// One CA key as the hot path meets it.
#[derive(Debug)]
pub struct Key {
    pub issuer: IssuerIndex,
    pub number: IssuerNumber,
    pub unlisted: Unlisted,
    pub signatories: Signatories,
    /// Two forms of CertIDs that are answered together.
    pub pair: Option<Arc<CertIds>>,
    pub scopes: ScopeSet,
    /// With a complete inventory a serial number outside it was not issued.
    pub inventory: InventoryState,
    /// Pre-signed answers that rest on this edition need no look into the inventory.
    pub inventory_edition: u32,
}

/// One state of everything. See the module's head.
#[derive(Debug)]
pub struct Snapshot {
    configured: Arc<Configured>,
    keys: Vec<Key>,
    cert_ids: CertIdIndex,
    view: ReadView,
}

impl Snapshot {
    /// Reads the scopes out of `view` and lays them beside the configured issuers.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn build(configured: Arc<Configured>, view: ReadView) -> Result<Self, StoreError> {
        let mut keys = Vec::new();
        let mut cert_ids = CertIdIndex::default();
        for (index, issuer) in configured.issuers.iter().enumerate() {
            let inventory = match view.inventory_state(issuer.number)? {
                // Else the first card that is asked about would be answered as never issued.
                InventoryState::Absent if issuer.has_inventory => InventoryState::Partial { rows: 0 },
                state => state,
            };
            let unlisted = issuer.unlisted.unwrap_or(match inventory {
                InventoryState::Absent => Unlisted::Good,
                InventoryState::Partial { .. } | InventoryState::Complete { .. } => Unlisted::Unknown,
            });
            let inventory_edition = view.inventory_edition(issuer.number)?;
            for key in &issuer.keys {
                cert_ids.insert(&key.certificate, keys.len());
                keys.push(Key {
                    issuer: IssuerIndex(index),
                    number: issuer.number,
                    unlisted,
                    signatories: key.signatories.clone(),
                    pair: key.pair.clone(),
                    scopes: ScopeSet::of_key(
                        view.scopes(),
                        view.distribution_points(),
                        issuer,
                        &key.certificate,
                        configured.options.crl_references,
                    ),
                    inventory,
                    inventory_edition,
                });
            }
        }
        Ok(Self { configured, keys, cert_ids, view })
    }

    /// The key that a CertID's hashes name; both must match (RFC 6960 4.1.1).
    #[must_use]
    pub fn key_of(&self, cert_id: &CertIdRef<'_>) -> Option<(usize, &Key)> {
        let index = self.cert_ids.find(cert_id)?;
        Some((index, self.keys.get(index)?))
    }

    #[must_use]
    pub fn view(&self) -> &ReadView {
        &self.view
    }

    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.configured.issuers
    }

    #[must_use]
    pub fn generation(&self) -> Generation {
        self.configured.generation
    }

    #[must_use]
    pub fn options(&self) -> ResponseOptions {
        self.configured.options
    }

    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The CA certificate of the key at `index`: keys stand here as their issuers name them.
    #[must_use]
    pub fn certificate_of(&self, index: usize) -> Option<&Certificate> {
        let key = self.keys.get(index)?;
        let first = self.keys.iter().position(|other| other.issuer == key.issuer)?;
        Some(&self.configured.issuers.get(key.issuer.0)?.keys.get(index - first)?.certificate)
    }

    /// Why issuers cannot answer at `now`; empty when all can.
    #[must_use]
    pub fn reasons_not_ready(&self, now: UnixTime) -> Vec<String> {
        let mut reasons = Vec::new();
        for key in &self.keys {
            let name = self.configured.issuers.get(key.issuer.0).map_or("?", |issuer| issuer.name.as_str());
            if let Err(reason) = key.scopes.whole(now) {
                reasons.push(format!("issuer {name}: {reason}"));
            }
            // Where another is missing, the default answers.
            let signer = &key.signatories.default.responder;
            let (from, until) = (signer.not_before(), signer.not_after());
            if now < from {
                reasons.push(format!("issuer {name}: the OCSP signer is not valid before {from}"));
            } else if now >= until {
                reasons.push(format!("issuer {name}: the OCSP signer expired at {until}"));
            }
        }
        reasons
    }
}
