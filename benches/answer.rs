//! Answers: their encoding without the signature, and whole ones, from a request's octets on.
//!
//! `cargo bench --bench answer`

#![allow(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

#[path = "support/octets.rs"]
mod octets;

use criterion::{Criterion, criterion_group, criterion_main};
use der::{Decode, Encode};
use ocsprey::ocsp::{
    CertStatus, OcspResponseStatus, ParsedResponse, ResponseData, ResponseTemplate, SingleResponse,
};
use ocsprey::respond::Responder;
use ocsprey::signing::{
    CertificateSigner, KeyKind, ResponderIdentity, SignatureOctets, Signer, SoftwareKey, digest,
};
use ocsprey::snapshot::{
    Configured, Issuer, IssuerKey, NoncePolicy, ResponseOptions, ScopesPolicy, Snapshot,
};
use ocsprey::store::{CertificateKinds, Layer, ScopeKey, ScopeRecordDraft, Store, StoreOptions};
use ocsprey::x509::{Certificate, CrlReason, HashAlgorithm, Revocation, SerialNumber, UnixTime};
use std::convert::Infallible;
use std::hint::black_box;
use std::str::FromStr;
use std::sync::Arc;
use tempfile::TempDir;
use x509_cert::builder::profile::cabf::Root;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfo;
use x509_cert::time::{Time, Validity};

const DAY: i64 = 86_400;
/// Serial numbers on the CRL are those below this; the others are good.
const REVOKED: u32 = 100_000;

fn now() -> UnixTime {
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

struct Setting {
    snapshot: Snapshot,
    certificate: Certificate,
    _folder: TempDir,
}

/// An issuer that answers by itself, with a CRL of 100,000 entries in the store.
fn setting(kind: KeyKind) -> Setting {
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
    let responder = ResponderIdentity::ca(certificate.clone(), Arc::new(key)).unwrap();
    let issuer = Issuer {
        name: "benchmark".to_owned(),
        number,
        keys: vec![IssuerKey::new(Arc::new(certificate.clone()), Arc::new(responder))],
        unlisted: None,
        has_inventory: false,
        scopes: ScopesPolicy::Discovered,
        retention: ocsprey::store::Retention::WithoutEnd,
    };
    let options = ResponseOptions { validity: DAY, nonce: NoncePolicy::Echo };
    let configured = Arc::new(Configured { issuers: vec![issuer], options });
    let snapshot = Snapshot::build(configured, store.view().unwrap()).unwrap();
    Setting { snapshot, certificate, _folder: folder }
}

fn encode(c: &mut Criterion) {
    let id = octets::cert_id(b"a name", b"a key", HashAlgorithm::Sha1, 1);
    let algorithm = [0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    // A delegate's certificate of 600 octets: `[0] { SEQUENCE { … } }`
    let certificates =
        [&[0xa0, 0x82, 2, 0x5c, 0x30, 0x82, 2, 0x58, 0x30, 0x82, 2, 0x54][..], &[0; 596]].concat();
    let template = ResponseTemplate::new(&[0x6b; 20], &algorithm, &certificates);
    let data = ResponseData { produced_at: now(), nonce: None, extended_revoke: false };
    let single = SingleResponse {
        cert_id: &id,
        status: CertStatus::Good,
        this_update: now().plus(-3600),
        next_update: now().plus(DAY),
    };
    let write = || {
        let unsigned = template.begin(black_box(&data), std::iter::once(single), 71);
        unsigned.finish(&template, black_box(&[9; 71]))
    };
    let (buffer, start) = write();
    let ParsedResponse::Basic(basic) = ParsedResponse::parse(&buffer[start..]).unwrap() else {
        unreachable!()
    };
    assert_eq!(basic.singles().count(), 1);
    assert_eq!(basic.certificates().count(), 1);
    c.bench_function("answer/encoding without the signature", |b| b.iter(write));
}

fn respond(c: &mut Criterion) {
    let responder = Responder::new();
    let mut group = c.benchmark_group("answer");
    for kind in [KeyKind::P256, KeyKind::Ed25519] {
        let Setting { snapshot, certificate, _folder } = setting(kind);
        for (status, number) in [("good", REVOKED + 1), ("revoked", 4711)] {
            let (name, key) = (certificate.subject(), certificate.public_key().bits());
            let request = octets::request(&[octets::cert_id(name, key, HashAlgorithm::Sha1, number)], None);
            let outcome = responder.respond(&snapshot, &request, now()).outcome;
            assert_eq!(outcome.status, OcspResponseStatus::Successful);
            assert_eq!((outcome.good, outcome.revoked), if status == "good" { (1, 0) } else { (0, 1) });
            group.bench_function(format!("whole, {kind}, {status}"), |b| {
                b.iter(|| responder.respond(&snapshot, black_box(&request), now()).body.len());
            });
        }
        let stranger = octets::cert_id(b"nobody", b"of ours", HashAlgorithm::Sha1, 1);
        let request = octets::request(&[stranger], None);
        let outcome = responder.respond(&snapshot, &request, now()).outcome;
        assert_eq!(outcome.status, OcspResponseStatus::Unauthorized);
        if kind == KeyKind::P256 {
            group.bench_function("whole, unauthorized", |b| {
                b.iter(|| responder.respond(&snapshot, black_box(&request), now()).body.len());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, encode, respond);
criterion_main!(benches);
