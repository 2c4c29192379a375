//! A store, an issuer and its CRL, for benchmarks and for whoever counts allocations.

use super::octets;
use der::{Decode, Encode};
use ocsprey::signing::{
    CertificateSigner, KeyKind, ResponderIdentity, SignatureOctets, Signer, SoftwareKey, digest,
};
use ocsprey::snapshot::{
    Configured, Covers, CrlReferences, Issuer, IssuerKey, NoncePolicy, ResponseOptions, ScopesPolicy,
    Snapshot,
};
use ocsprey::store::{CertificateKinds, Layer, ScopeKey, ScopeRecordDraft, Store, StoreOptions};
use ocsprey::x509::{Certificate, CrlReason, HashAlgorithm, Revocation, SerialNumber, UnixTime};
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use tempfile::TempDir;
use x509_cert::builder::profile::cabf::Root;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfo;
use x509_cert::time::{Time, Validity};

pub const DAY: i64 = 86_400;
/// Serial numbers on the CRL are those below this; the others are good.
pub const REVOKED: u32 = 100_000;

pub fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

/// A CA with this key.
fn authority(key: &SoftwareKey) -> Certificate {
    let time = |days: i64| Time::try_from(now().plus(days * DAY).to_system()).unwrap();
    let name = Name::from_str("CN=Authentication CA,O=Benchmark,C=XX").unwrap();
    let builder = CertificateBuilder::new(
        Root::new(false, name).unwrap(),
        x509_cert::serial_number::SerialNumber::from(1u32),
        Validity::new(time(-1), time(3650)),
        SubjectPublicKeyInfo::from_der(key.public_key().spki()).unwrap(),
    );
    let built = builder.unwrap().build::<_, SignatureOctets>(&CertificateSigner::new(key)).unwrap();
    Certificate::from_der(&built.to_der().unwrap()).unwrap()
}

pub struct Setting {
    pub snapshot: Snapshot,
    pub certificate: Certificate,
    _folder: TempDir,
}

/// An issuer that answers by itself, with a CRL of 100,000 entries in the store.
pub fn setting(kind: KeyKind) -> Setting {
    setting_with(kind, |key| Arc::new(key))
}

/// An issuer that answers by itself, with what `signer` makes of its key and a CRL of 100,000 entries.
pub fn setting_with(kind: KeyKind, signer: impl FnOnce(SoftwareKey) -> Arc<dyn Signer>) -> Setting {
    let (key, _) = SoftwareKey::generate(kind).unwrap();
    let certificate = authority(&key);
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &StoreOptions::default()).unwrap();
    let number = store.issuer_number(b"benchmark").unwrap();
    let signing_key = digest(HashAlgorithm::Sha256, certificate.public_key().bits());
    let draft = ScopeRecordDraft {
        key: ScopeKey {
            issuer: number,
            signing_key: signing_key.as_ref().try_into().unwrap(),
            distribution_point: Vec::new(),
            contains: CertificateKinds::All,
            reasons: None,
            layer: Layer::Complete,
        },
        idp: Vec::new(),
        crl_number: vec![1],
        this_update: now().plus(-3600),
        next_update: now().plus(7 * DAY),
        crl_sha256: [0; 32],
        ingested_at: now(),
    };
    let revocation =
        Revocation { time: now().plus(-DAY), reason: Some(CrlReason::KeyCompromise), invalidity: None };
    let entries = (0..REVOKED).map(|number| {
        let serial = [&[0x5a; 12][..], &number.to_be_bytes()].concat();
        Ok::<_, Infallible>((SerialNumber::from_unsigned(&serial).unwrap(), revocation))
    });
    store.replace_scope(draft, entries).unwrap();
    let responder = ResponderIdentity::ca(certificate.clone(), signer(key)).unwrap();
    let issuer = Issuer {
        name: "benchmark".to_owned(),
        number,
        keys: vec![IssuerKey::new(Arc::new(certificate.clone()), Arc::new(responder))],
        unlisted: None,
        has_inventory: false,
        scopes: ScopesPolicy::Discovered,
        covers: Covers::All,
        crl_issuers: Vec::new(),
        retention: ocsprey::store::Retention::WithoutEnd,
    };
    let options =
        ResponseOptions { validity: DAY, nonce: NoncePolicy::Echo, crl_references: CrlReferences::Omit };
    let configured = Arc::new(Configured::new(vec![issuer], options));
    let snapshot = Snapshot::build(configured, store.view().unwrap()).unwrap();
    Setting { snapshot, certificate, _folder: folder }
}

impl Setting {
    /// A request about one card of this CA.
    pub fn request(&self, number: u32, nonce: Option<&[u8]>) -> Vec<u8> {
        let (name, key) = (self.certificate.subject(), self.certificate.public_key().bits());
        octets::request(&[octets::cert_id(name, key, HashAlgorithm::Sha1, number)], nonce)
    }
}

/// A request about somebody else's card.
pub fn strangers_request() -> Vec<u8> {
    octets::request(&[octets::cert_id(b"nobody", b"of ours", HashAlgorithm::Sha1, 1)], None)
}
