//! Every kind of key, as the CA and as a delegate; and what OpenSSL says of it (B4 to B8, B23, trap 23).

use super::*;
use crate::signing::test_pki::{Issuance, openssl};
use crate::signing::{ResponderIdentity, SignError, Signer, SoftwareKey, VerifiedSigner};
use crate::snapshot::IssuerKey;
use crate::snapshot::test_setting::{DAY, HOUR, delegates, revoked, serial};
use crate::x509::{CrlReason, PublicKey};
use std::num::NonZeroU64;
use std::sync::Arc;

const KINDS: [KeyKind; 4] = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519];

#[test]
fn b8_b23_the_ca_itself_signs_with_any_kind_of_key_and_sends_no_certificate() {
    for kind in KINDS {
        let mut setting = Setting::new();
        let authority = Authority::new(kind, AUTH);
        let number = setting.add("auth", vec![signs_itself(&authority)]);
        setting.load(Crl::of(number, &authority.certificate).revoking(serial(3), revoked(None)));
        let snapshot = setting.snapshot();
        for of in [1, 3] {
            let asked = request(&[cert_id(&authority.certificate, HashAlgorithm::Sha256, &serial(of))], None);
            let answer = Responder::new().respond(&snapshot, &asked, now());
            let response = verified(&answer, authority.certificate.public_key());
            assert_eq!(response.certificates().count(), 0, "{kind}");
            // Absent: an empty list would still be `a0 02 30 00` at the end.
            assert!(answer.body.ends_with(response.signature), "{kind}");
            assert_eq!(only(&response).status == CertStatus::Good, of == 1, "{kind}");
        }
    }
}

#[test]
fn b4_b6_b8_a_delegate_with_any_kind_of_key_sends_its_certificate() {
    for kind in KINDS {
        let mut setting = Setting::new();
        let authority = Authority::new(KeyKind::P384, AUTH);
        let key = delegates(&authority, kind, Issuance::default());
        let responder = key.signatories.default.responder.clone();
        let number = setting.add("auth", vec![key]);
        setting.load(Crl::of(number, &authority.certificate));
        let asked = request(&[cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(1))], None);
        let answer = Responder::new().respond(&setting.snapshot(), &asked, now());
        let response = verified(&answer, responder.signer().public_key());
        let sent: Vec<_> = response.certificates().collect();
        assert_eq!(sent, [responder.certificate().unwrap().der()], "{kind}");
    }
}

#[test]
fn h4_a_signer_that_is_not_yet_or_no_longer_valid_signs_nothing() {
    let mut setting = Setting::new();
    let authority = Authority::new(KeyKind::P256, AUTH);
    let (from, until) = (now(), now().plus(6 * HOUR));
    let draft = Issuance { not_before: from, not_after: until, ..Issuance::default() };
    let key = delegates(&authority, KeyKind::P256, draft);
    let public_key = key.signatories.default.responder.signer().public_key().clone();
    let number = setting.add("auth", vec![key]);
    setting.load(Crl::of(number, &authority.certificate).valid(now().plus(-DAY), now().plus(9 * DAY)));
    let snapshot = setting.snapshot();
    let asked = request(&[cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(1))], None);
    let at = |time| Responder::new().respond(&snapshot, &asked, time);
    assert_error(&at(from.plus(-1)), OcspResponseStatus::TryLater, Some(0));
    for time in [from, until.plus(-1)] {
        let answer = at(time);
        // H3: no answer outlives its signer.
        assert_eq!(only(&verified(&answer, &public_key)).next_update, Some(until));
        assert_eq!(answer.caching.unwrap().next_update, until);
    }
    assert_error(&at(until), OcspResponseStatus::TryLater, Some(0));
}

#[test]
fn b4_openssl_verifies_answers_of_every_kind_of_key_named_by_key_or_by_subject() {
    for kind in KINDS {
        for (delegated, by_subject) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut setting = Setting::new();
            let authority = Authority::new(kind, AUTH);
            let key = if delegated {
                delegates(&authority, kind, Issuance::default())
            } else {
                signs_itself(&authority)
            };
            let mut key = key;
            if by_subject {
                let named = key.signatories.default.clone().named(&authority.certificate);
                key.signatories.default = named;
            }
            let named =
                key.signatories.default.responder.certificate().unwrap_or(&authority.certificate).clone();
            let number = setting.add("auth", vec![key]);
            let lost = revoked(Some(CrlReason::KeyCompromise));
            setting.load(Crl::of(number, &authority.certificate).revoking(serial(0x33), lost));
            let ids =
                [0x11, 0x33].map(|of| cert_id(&authority.certificate, HashAlgorithm::Sha256, &serial(of)));
            let answer = Responder::new().respond(&setting.snapshot(), &request(&ids, None), now());

            let ParsedResponse::Basic(response) = ParsedResponse::parse(&answer.body).unwrap() else {
                panic!("{answer:?}")
            };
            assert_eq!(response.responder_name, by_subject.then(|| named.subject()));
            assert_eq!(response.responder_key_hash.is_none(), by_subject);

            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
            std::fs::write(path("ca.pem"), authority.certificate.pem()).unwrap();
            std::fs::write(path("response.der"), &answer.body).unwrap();
            let time = now().seconds().to_string();
            // The times of the answer are those of the test, whatever the machine's clock says.
            let said = openssl(&[
                "ocsp",
                "-respin",
                &path("response.der"),
                "-CAfile",
                &path("ca.pem"),
                "-sha256",
                "-issuer",
                &path("ca.pem"),
                "-serial",
                "0x11",
                "-serial",
                "0x33",
                "-attime",
                &time,
                "-validity_period",
                "3155760000",
            ]);
            let said = String::from_utf8(said).unwrap();
            assert!(said.contains("0x11: good\n"), "{kind} {delegated}: {said}");
            assert!(said.contains("0x33: revoked\n"), "{kind} {delegated}: {said}");
            assert!(said.contains("Reason: keyCompromise"), "{said}");
            assert!(said.contains("Revocation Time: Nov 19 12:00:00 2026 GMT"), "{said}");
            assert!(!said.contains("WARNING"), "{said}");
        }
    }
}

/// A key in a module that does not answer.
struct Away(PublicKey);

impl Signer for Away {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaSha256
    }

    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    fn sign(&self, _: &[u8], _: &mut Vec<u8>) -> Result<(), SignError> {
        Err(SignError::Refused(SignatureAlgorithm::EcdsaSha256))
    }
}

/// A key whose module forgets what it was given.
struct Forgetful(Arc<SoftwareKey>);

impl Signer for Forgetful {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, _: &[u8], signature: &mut Vec<u8>) -> Result<(), SignError> {
        self.0.sign(b"", signature)
    }
}

#[test]
fn h4_a_wrong_signature_that_is_verified_is_an_internal_error_and_leaves_nothing_in_the_cache() {
    let mut setting = Setting::new();
    let authority = Authority::new(KeyKind::P256, AUTH);
    let forgetful = Arc::new(Forgetful(Arc::clone(&authority.key)));
    let signer = Arc::new(VerifiedSigner::new(forgetful, NonZeroU64::new(1000).unwrap()));
    let responder = ResponderIdentity::ca(authority.certificate.clone(), signer).unwrap();
    let certificate = Arc::new(authority.certificate.clone());
    let number = setting.add("auth", vec![IssuerKey::new(certificate, Arc::new(responder))]);
    setting.load(Crl::of(number, &authority.certificate));
    let asked = request(&[cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(1))], None);
    let (responder, snapshot) = (Responder::with_cache(1 << 20), setting.snapshot());
    for _ in 0..3 {
        assert_error(
            &responder.respond(&snapshot, &asked, now()),
            OcspResponseStatus::InternalError,
            Some(0),
        );
    }
    assert_eq!(responder.cache_octets(), Responder::with_cache(1 << 20).cache_octets());
}

#[test]
fn e2_a_key_that_does_not_sign_is_an_internal_error_and_counts_nothing() {
    let mut setting = Setting::new();
    let authority = Authority::new(KeyKind::P256, AUTH);
    let away = Arc::new(Away(authority.certificate.public_key().clone()));
    let responder = ResponderIdentity::ca(authority.certificate.clone(), away).unwrap();
    let certificate = Arc::new(authority.certificate.clone());
    let number = setting.add("auth", vec![IssuerKey::new(certificate, Arc::new(responder))]);
    setting.load(Crl::of(number, &authority.certificate));
    let asked = request(&[cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(1))], None);
    let answer = Responder::new().respond(&setting.snapshot(), &asked, now());
    assert_error(&answer, OcspResponseStatus::InternalError, Some(0));
}
