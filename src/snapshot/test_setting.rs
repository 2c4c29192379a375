//! A store, issuers and CRLs for tests of this floor and those above it.

use super::{
    Configured, Covers, CrlReferences, Issuer, IssuerKey, NoncePolicy, ResponseOptions, ScopesPolicy,
    Snapshot,
};
use crate::signing::test_pki::{Authority, Issuance, key, now};
use crate::signing::{KeyKind, ResponderIdentity, Signer, sha256};
use crate::store::{IssuerNumber, Layer, ScopeKey, ScopeRecordDraft, Store, StoreOptions};
use crate::x509::crl::CertificateKinds;
use crate::x509::{Certificate, CrlReason, Revocation, SerialNumber, UnixTime};
use std::convert::Infallible;
use std::sync::Arc;
use tempfile::TempDir;

pub(crate) const HOUR: i64 = 3600;
pub(crate) const DAY: i64 = 24 * HOUR;

/// A store in a folder of its own, and the issuers that it is read for.
pub(crate) struct Setting {
    pub store: Store,
    pub issuers: Vec<Issuer>,
    pub options: ResponseOptions,
    _folder: TempDir,
}

impl Setting {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let small =
            StoreOptions { cache_bytes: 4 << 20, write_buffer_bytes: 1 << 20, ..StoreOptions::default() };
        Self {
            store: Store::open(folder.path(), &small).unwrap(),
            issuers: Vec::new(),
            options: ResponseOptions {
                validity: DAY,
                nonce: NoncePolicy::Echo,
                crl_references: CrlReferences::Omit,
            },
            _folder: folder,
        }
    }

    /// An issuer with these keys, newest first.
    pub(crate) fn add(&mut self, name: &str, keys: Vec<IssuerKey>) -> IssuerNumber {
        let number = self.store.issuer_number(name.as_bytes()).unwrap();
        self.issuers.push(Issuer {
            name: name.to_owned(),
            number,
            keys,
            unlisted: None,
            has_inventory: false,
            scopes: ScopesPolicy::Discovered,
            covers: Covers::All,
            crl_issuers: Vec::new(),
            retention: crate::store::Retention::WithoutEnd,
        });
        number
    }

    /// Makes a CRL the state of its scope.
    pub(crate) fn load(&self, crl: Crl) {
        let mut entries = crl.entries;
        entries.sort_by_key(|(serial_number, _)| serial_number.as_bytes().to_vec());
        let entries = entries.into_iter().map(Ok::<_, Infallible>);
        self.store.replace_scope(crl.draft, entries).unwrap();
    }

    /// Lists issued serial numbers, with the names of their distribution points.
    pub(crate) fn issued(&self, issuer: IssuerNumber, serials: &[(SerialNumber, Option<&str>)]) {
        let point = |name: &str| self.store.distribution_point_number(name.as_bytes()).unwrap();
        let rows: Vec<_> = serials.iter().map(|(serial, at)| (*serial, at.map(point))).collect();
        self.store.load_inventory(issuer, rows.into_iter().map(Ok::<_, Infallible>)).unwrap();
    }

    /// An inventory whose loading broke off behind this serial number.
    pub(crate) fn half_issued(&self, issuer: IssuerNumber, serial: SerialNumber) {
        let rows = [Ok((serial, None)), Err(())];
        self.store.load_inventory(issuer, rows).unwrap_err();
    }

    /// As a configuration that is loaded now.
    pub(crate) fn configured(&self) -> Arc<Configured> {
        let issuers = self.issuers.iter().map(|issuer| Issuer {
            name: issuer.name.clone(),
            number: issuer.number,
            keys: issuer.keys.clone(),
            unlisted: issuer.unlisted,
            has_inventory: issuer.has_inventory,
            scopes: issuer.scopes.clone(),
            covers: issuer.covers,
            crl_issuers: issuer.crl_issuers.clone(),
            retention: issuer.retention,
        });
        Arc::new(Configured::new(issuers.collect(), self.options))
    }

    /// The store as it stands now, under a configuration that may be older.
    pub(crate) fn snapshot_under(&self, configured: &Arc<Configured>) -> Snapshot {
        Snapshot::build(Arc::clone(configured), self.store.view().unwrap()).unwrap()
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot_under(&self.configured())
    }
}

/// The CA itself answers.
pub(crate) fn signs_itself(authority: &Authority) -> IssuerKey {
    let responder = ResponderIdentity::ca(authority.certificate.clone(), authority.key.clone()).unwrap();
    IssuerKey::new(Arc::new(authority.certificate.clone()), Arc::new(responder))
}

/// A delegate with a key of this kind, and a certificate as `draft` has it, answers.
pub(crate) fn delegates(authority: &Authority, kind: KeyKind, draft: Issuance) -> IssuerKey {
    let signer = key(kind);
    let within = draft.not_before;
    let certificate = authority.issue(signer.public_key(), draft);
    let responder =
        ResponderIdentity::delegated(certificate, &authority.certificate, signer, within).unwrap();
    IssuerKey::new(Arc::new(authority.certificate.clone()), Arc::new(responder))
}

/// A CRL as ingest would hand it to the store.
#[derive(Clone)]
pub(crate) struct Crl {
    draft: ScopeRecordDraft,
    entries: Vec<(SerialNumber, Revocation)>,
}

impl Crl {
    /// Of everything this CA issues; from an hour ago for two days.
    pub(crate) fn of(issuer: IssuerNumber, signed_by: &Certificate) -> Self {
        Self {
            draft: ScopeRecordDraft {
                key: ScopeKey {
                    issuer,
                    signing_key: sha256(signed_by.public_key().bits()),
                    distribution_point: Vec::new(),
                    contains: CertificateKinds::All,
                    reasons: None,
                    layer: Layer::Complete,
                },
                idp: Vec::new(),
                crl_number: vec![1],
                this_update: now().plus(-HOUR),
                next_update: now().plus(2 * DAY),
                crl_sha256: [0; 32],
                ingested_at: now(),
            },
            entries: Vec::new(),
        }
    }

    pub(crate) fn signed_by(mut self, certificate: &Certificate) -> Self {
        self.draft.key.signing_key = sha256(certificate.public_key().bits());
        self
    }

    pub(crate) fn numbered(mut self, number: u8) -> Self {
        self.draft.crl_number = vec![number];
        self
    }

    pub(crate) fn delta(mut self) -> Self {
        self.draft.key.layer = Layer::Delta;
        self
    }

    pub(crate) fn at(mut self, point: &str) -> Self {
        self.draft.key.distribution_point = point.as_bytes().to_vec();
        self
    }

    pub(crate) fn only(mut self, kinds: CertificateKinds) -> Self {
        self.draft.key.contains = kinds;
        self
    }

    pub(crate) fn reasons(mut self, flags: &[u16]) -> Self {
        self.draft.key.reasons = Some(flags.iter().map(|flag| 1 << flag).sum());
        self
    }

    pub(crate) fn valid(mut self, this_update: UnixTime, next_update: UnixTime) -> Self {
        (self.draft.this_update, self.draft.next_update) = (this_update, next_update);
        self
    }

    pub(crate) fn number(mut self, number: u8) -> Self {
        self.draft.crl_number = vec![number];
        self
    }

    /// What takes its place when its scope is retired.
    pub(crate) fn retired(mut self) -> Self {
        self.draft = self.draft.retired(now());
        self
    }

    pub(crate) fn revoking(mut self, serial_number: SerialNumber, revocation: Revocation) -> Self {
        self.entries.push((serial_number, revocation));
        self
    }
}

pub(crate) fn serial(number: u8) -> SerialNumber {
    SerialNumber::from_unsigned(&[number]).unwrap()
}

/// Three days ago.
pub(crate) fn revoked(reason: Option<CrlReason>) -> Revocation {
    Revocation { time: now().plus(-3 * DAY), reason, invalidity: None }
}
