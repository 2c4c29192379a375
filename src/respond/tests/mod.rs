//! Whole answers: real keys, a real store, a request's octets in, a verified response out.

mod algorithms;
mod allowed;
mod cached;
mod cached_bounds;
mod decisions;
mod explained;
mod nonces;
mod pairs;
mod preferred;
mod presigned;
mod references;
mod several;
mod tiers;
mod times;

use super::fresh::next_update;
use super::*;
use crate::asn1::{self, tag, write_tlv};
use crate::ocsp::{BasicResponse, CertStatus, ParsedResponse, ParsedSingleResponse, preferred_algorithms};
use crate::signing::test_pki::{Authority, now};
use crate::signing::{KeyKind, digest, verify};
use crate::snapshot::test_setting::{Crl, Setting, signs_itself};
use crate::store::IssuerNumber;
use crate::x509::{Certificate, HashAlgorithm, SerialNumber, SignatureAlgorithm};

pub(super) const AUTH: &str = "CN=Authentication CA,O=Test,C=XX";
pub(super) const SIGN: &str = "CN=Signature CA,O=Test,C=XX";

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write_tlv(&mut out, tag, &parts.concat());
    out
}

/// A CertID of a certificate that `ca` issued.
pub(super) fn cert_id(ca: &Certificate, hash: HashAlgorithm, serial: &SerialNumber) -> Vec<u8> {
    let algorithm = element(tag::SEQUENCE, &[&element(tag::OBJECT_IDENTIFIER, &[hash.oid()])]);
    let name = element(tag::OCTET_STRING, &[digest(hash, ca.subject()).as_ref()]);
    let key = element(tag::OCTET_STRING, &[digest(hash, ca.public_key().bits()).as_ref()]);
    let serial = element(tag::INTEGER, &[serial.as_bytes()]);
    element(tag::SEQUENCE, &[&algorithm, &name, &key, &serial])
}

/// A nonce extension's value with these octets inside.
pub(super) fn nonce_value(octets: &[u8]) -> Vec<u8> {
    element(tag::OCTET_STRING, &[octets])
}

/// An OCSPRequest about these CertIDs; a nonce is its extension's value, and whether it is critical.
pub(super) fn request(cert_ids: &[Vec<u8>], nonce: Option<(&[u8], bool)>) -> Vec<u8> {
    let list: Vec<_> = cert_ids.iter().map(|cert_id| element(tag::SEQUENCE, &[cert_id])).collect();
    let mut tbs = element(tag::SEQUENCE, &[&list.concat()]);
    if let Some((value, critical)) = nonce {
        let oid = element(tag::OBJECT_IDENTIFIER, &[asn1::OCSP_NONCE]);
        let critical: &[u8] = if critical { &[tag::BOOLEAN, 1, 0xff] } else { &[] };
        let extension = element(tag::SEQUENCE, &[&oid, critical, &element(tag::OCTET_STRING, &[value])]);
        let list = element(tag::SEQUENCE, &[&extension]);
        tbs.extend(element(tag::context_constructed(2), &[&list]));
    }
    element(tag::SEQUENCE, &[&element(tag::SEQUENCE, &[&tbs])])
}

/// One issuer, "auth", whose CA answers by itself.
pub(super) struct One {
    pub setting: Setting,
    pub authority: Authority,
    pub number: IssuerNumber,
}

pub(super) fn one() -> One {
    let mut setting = Setting::new();
    let authority = Authority::new(KeyKind::P256, AUTH);
    let number = setting.add("auth", vec![signs_itself(&authority)]);
    One { setting, authority, number }
}

impl One {
    pub(super) fn crl(&self) -> Crl {
        Crl::of(self.number, &self.authority.certificate)
    }

    pub(super) fn load(&self, crl: Crl) -> &Self {
        self.setting.load(crl);
        self
    }

    pub(super) fn about(&self, serial: &SerialNumber) -> Vec<u8> {
        request(&[cert_id(&self.authority.certificate, HashAlgorithm::Sha1, serial)], None)
    }

    /// What is answered about one serial number at `now`.
    pub(super) fn ask_at(&self, serial: &SerialNumber, now: UnixTime) -> Answer {
        Responder::new().respond(&self.setting.snapshot(), &self.about(serial), now)
    }

    pub(super) fn ask(&self, serial: &SerialNumber) -> Answer {
        self.ask_at(serial, now())
    }

    /// The status, from an answer whose signature was verified.
    pub(super) fn status_of(&self, serial: &SerialNumber) -> CertStatus {
        let answer = self.ask(serial);
        let response = verified(&answer, self.authority.certificate.public_key());
        only(&response).status
    }
}

/// A successful answer, read, with a signature of this key; one SingleResponse for each certificate.
pub(super) fn verified<'a>(answer: &'a Answer, key: &crate::x509::PublicKey) -> BasicResponse<'a> {
    let response = signed(answer, key);
    let (mut good, mut revoked, mut unknown) = (0, 0, 0);
    for single in response.singles() {
        match single.status {
            CertStatus::Good => good += 1,
            CertStatus::Revoked(_) => revoked += 1,
            CertStatus::Unknown => unknown += 1,
        }
    }
    let Outcome { good: said_good, revoked: said_revoked, unknown: said_unknown, .. } = answer.outcome;
    assert_eq!((said_good, said_revoked, said_unknown), (good, revoked, unknown));
    response
}

/// A successful answer, read, with a signature of this key.
pub(super) fn signed<'a>(answer: &'a Answer, key: &crate::x509::PublicKey) -> BasicResponse<'a> {
    assert_eq!(answer.outcome.status, OcspResponseStatus::Successful);
    let ParsedResponse::Basic(response) = ParsedResponse::parse(&answer.body).unwrap() else {
        panic!("an error response: {:02x?}", &answer.body[..])
    };
    let algorithm = SignatureAlgorithm::from_algorithm_identifier(response.signature_algorithm).unwrap();
    verify(key, algorithm, response.to_be_signed, response.signature).unwrap();
    let key_hash = digest(HashAlgorithm::Sha1, key.bits());
    assert_eq!(response.responder_key_hash, Some(key_hash.as_ref()));
    for single in response.singles() {
        // RFC 6960 2.4; trap 18.
        let next_update = single.next_update.unwrap();
        assert!(single.this_update <= response.produced_at && response.produced_at < next_update);
    }
    response
}

pub(super) fn only<'a>(response: &BasicResponse<'a>) -> ParsedSingleResponse<'a> {
    let mut singles = response.singles();
    let first = singles.next().unwrap();
    assert!(singles.next().is_none());
    first
}

/// That an answer is this error, for this issuer, and for no cache.
pub(super) fn assert_error(answer: &Answer, status: OcspResponseStatus, issuer: Option<usize>) {
    assert_eq!(answer.outcome.status, status);
    assert_eq!(answer.outcome.issuer, issuer.map(IssuerIndex));
    assert_eq!(&answer.body[..], error_response(status));
    assert_eq!((answer.outcome.good, answer.outcome.revoked, answer.outcome.unknown), (0, 0, 0));
    assert_eq!(answer.caching, None);
}
