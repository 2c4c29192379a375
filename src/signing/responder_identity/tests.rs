use super::*;
use crate::asn1::Reader;
use crate::signing::test_pki::{Authority, Issuance, key, now};
use crate::signing::{KeyKind, SoftwareKey, VerifyError};
use crate::x509::{AlgorithmError, KeyAlgorithm, SignatureAlgorithm};
use x509_cert::ext::pkix::KeyUsages;

const CA: &str = "CN=Authentication CA,O=Test,C=XX";
const RESPONDER: &str = "CN=OCSP Responder,O=Test,C=XX";

struct Setting {
    authority: Authority,
    key: Arc<SoftwareKey>,
}

fn setting() -> Setting {
    Setting { authority: Authority::new(KeyKind::P384, CA), key: key(KeyKind::P256) }
}

impl Setting {
    fn issued(&self, draft: Issuance) -> Certificate {
        self.authority.issue(self.key.public_key(), draft)
    }

    fn identity(&self, certificate: Certificate, now: UnixTime) -> Result<ResponderIdentity, IdentityError> {
        ResponderIdentity::delegated(certificate, &self.authority.certificate, self.key.clone(), now)
    }

    /// Why a certificate so drafted is refused.
    fn refused(&self, draft: Issuance) -> IdentityError {
        self.identity(self.issued(draft), now()).unwrap_err()
    }
}

#[test]
fn rfc6960_s4_2_2_2_a_responder_that_the_ca_authorised_signs() {
    let setting = setting();
    let certificate = setting.issued(Issuance::default());
    let identity = setting.identity(certificate.clone(), now()).unwrap();
    assert_eq!(identity.responder_id_key_hash(), sha1(setting.key.public_key().bits()));
    assert_eq!(identity.not_before(), certificate.not_before());
    assert_eq!(identity.not_after(), certificate.not_after());
    assert_eq!(identity.certificate(), Some(&certificate));
    assert!(identity.signer().public_key() == setting.key.public_key());
    // BasicOCSPResponse: certs [0] EXPLICIT SEQUENCE OF Certificate.
    let mut certs = Reader::new(identity.certs_der());
    let mut explicit = certs.nested(tag::context_constructed(0)).unwrap();
    let sequence = explicit.sequence().unwrap();
    assert_eq!(sequence.rest(), certificate.der());
    assert!(certs.is_empty() && explicit.is_empty());
}

#[test]
fn keys_of_every_kind_may_be_authorised() {
    for kind in KeyKind::ALL {
        let setting = Setting { authority: Authority::new(kind, CA), key: key(kind) };
        assert!(setting.identity(setting.issued(Issuance::default()), now()).is_ok(), "{kind}");
    }
}

#[test]
fn the_ca_itself_signs_and_sends_no_certificate() {
    let Setting { authority, key } = setting();
    let identity = ResponderIdentity::ca(authority.certificate.clone(), authority.key.clone()).unwrap();
    assert_eq!(identity.certs_der(), b"");
    assert_eq!(identity.certificate(), None);
    assert_eq!(identity.not_after(), authority.certificate.not_after());
    assert_eq!(identity.responder_id_key_hash(), sha1(authority.key.public_key().bits()));
    let error = ResponderIdentity::ca(authority.certificate, key).unwrap_err();
    assert!(matches!(error, IdentityError::KeyMismatch { .. }));
}

#[test]
fn trap23_the_key_of_another_certificate_is_refused() {
    let setting = setting();
    let other = key(KeyKind::P256);
    let certificate = setting.authority.issue(other.public_key(), Issuance::default());
    let error = setting.identity(certificate, now()).unwrap_err();
    let (expected, found) = (other.public_key().into(), setting.key.public_key().into());
    assert_eq!(error, IdentityError::KeyMismatch { certificate: RESPONDER.to_owned(), expected, found });
    // Both keys can be told apart in the text.
    let text = error.to_string();
    assert_eq!(text.matches("ECDSA P-256 key ").count(), 2, "{text}");
}

#[test]
fn trap23_a_signer_of_another_ca_is_refused() {
    let setting = setting();
    let stranger = Authority::new(KeyKind::P256, "CN=Signature CA,O=Test,C=XX");
    let certificate = stranger.issue(setting.key.public_key(), Issuance::default());
    let error = setting.identity(certificate, now()).unwrap_err();
    assert_eq!(
        error,
        IdentityError::OtherIssuer {
            certificate: RESPONDER.to_owned(),
            expected: CA.to_owned(),
            found: "CN=Signature CA,O=Test,C=XX".to_owned(),
        }
    );
}

/// RFC 5280 7.1; the signature decides who the issuer is.
#[test]
fn a_ca_whose_name_is_written_in_other_letters_is_the_same_ca() {
    let setting = setting();
    let name = "CN=AUTHENTICATION  CA,O=Test,C=XX";
    let same = Authority::with_key(setting.authority.key.clone(), name);
    let certificate = same.issue(setting.key.public_key(), Issuance::default());
    assert_ne!(certificate.issuer(), setting.authority.certificate.subject());
    assert!(setting.identity(certificate, now()).is_ok());
}

#[test]
fn trap11_a_signer_of_another_generation_of_the_ca_is_refused() {
    let setting = setting();
    let older = Authority::new(KeyKind::P384, CA);
    let certificate = older.issue(setting.key.public_key(), Issuance::default());
    let error = setting.identity(certificate, now()).unwrap_err();
    let reason = IssuanceError::Signature(VerifyError::Signature {
        algorithm: SignatureAlgorithm::EcdsaSha384,
        key: KeyAlgorithm::P384,
    });
    let (certificate, issuer) = (RESPONDER.to_owned(), CA.to_owned());
    assert_eq!(error, IdentityError::NotIssuedByKey { certificate, issuer, reason });
}

#[test]
fn a_signer_whose_certificate_is_signed_with_sha1_is_refused() {
    let setting = setting();
    let sound = setting.issued(Issuance::default());
    let weak = weakened(&sound);
    let error = setting.identity(weak, now()).unwrap_err();
    let IdentityError::NotIssuedByKey { reason: IssuanceError::Algorithm(AlgorithmError::Weak(oid)), .. } =
        error
    else {
        panic!("{error:?}")
    };
    assert_eq!(oid, const_oid::ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"));
}

/// The same certificate, said to be signed by ecdsa-with-SHA1, inside and outside.
fn weakened(certificate: &Certificate) -> Certificate {
    use der::{Decode, Encode};
    let sha1 = const_oid::ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
    let strong = SignatureAlgorithm::EcdsaSha384.algorithm_identifier();
    let weak = x509_cert::spki::AlgorithmIdentifierOwned { oid: sha1, parameters: None }.to_der().unwrap();
    // Content of the TBSCertificate and the BIT STRING stay; only the two identifiers change.
    let mut tbs = Reader::new(certificate.tbs()).sequence().unwrap();
    let mut content = Vec::new();
    while !tbs.is_empty() {
        let raw = tbs.element().unwrap().raw;
        content.extend_from_slice(if raw == strong { &weak } else { raw });
    }
    let mut inner = tlv(tag::SEQUENCE, &content);
    inner.extend_from_slice(&weak);
    let signature = der::asn1::BitString::from_bytes(certificate.signature()).unwrap();
    inner.extend_from_slice(&signature.to_der().unwrap());
    let outer = tlv(tag::SEQUENCE, &inner);
    assert!(x509_cert::Certificate::from_der(&outer).is_ok());
    Certificate::from_der(&outer).unwrap()
}

#[test]
fn trap23_a_signer_without_ocsp_signing_is_refused() {
    let setting = setting();
    let certificate = RESPONDER.to_owned();
    let refused = IdentityError::NoOcspSigning { certificate };
    assert_eq!(setting.refused(Issuance { extended_key_usage: None, ..Issuance::default() }), refused);
    let server = Some(const_oid::db::rfc5280::ID_KP_SERVER_AUTH);
    assert_eq!(setting.refused(Issuance { extended_key_usage: server, ..Issuance::default() }), refused);
}

#[test]
fn trap23_a_signer_without_nocheck_is_refused() {
    let refused = setting().refused(Issuance { nocheck: false, ..Issuance::default() });
    assert_eq!(refused, IdentityError::NoNocheck { certificate: RESPONDER.to_owned() });
}

#[test]
fn a_signer_whose_key_usage_does_not_sign_is_refused_and_one_without_key_usage_is_not() {
    let setting = setting();
    let other = Some(KeyUsages::KeyEncipherment);
    let refused = setting.refused(Issuance { key_usage: other, ..Issuance::default() });
    assert_eq!(refused, IdentityError::NoDigitalSignature { certificate: RESPONDER.to_owned() });
    let without = setting.issued(Issuance { key_usage: None, ..Issuance::default() });
    assert!(setting.identity(without, now()).is_ok());
}

#[test]
fn trap23_a_signer_outside_of_its_validity_is_refused_to_the_second() {
    let setting = setting();
    let sound = setting.issued(Issuance::default());
    let (not_before, not_after) = (sound.not_before(), sound.not_after());
    let at = |now| setting.identity(sound.clone(), now).err();
    let certificate = || RESPONDER.to_owned();
    assert_eq!(at(not_before), None);
    assert_eq!(at(not_after), None);
    let early = not_before.plus(-1);
    assert_eq!(
        at(early),
        Some(IdentityError::NotYetValid { certificate: certificate(), not_before, now: early })
    );
    let late = not_after.plus(1);
    assert_eq!(at(late), Some(IdentityError::Expired { certificate: certificate(), not_after, now: late }));
}
