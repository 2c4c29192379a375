//! CRLs that are not to be believed, whatever is held.

use super::*;
use crate::asn1::{tag, write_tlv};
use crate::x509::crl::tests::builder::{
    extension, generalized, idp, idp_flag, key_identifier, name, sequence, tlv, unknown_oid,
};
use crate::x509::crl::{ArmorError, CrlError};
use const_oid::db::{rfc5280, rfc5912};
use x509_cert::ext::pkix::KeyUsages;

/// The next CRL after the one that is held.
fn next(authority: &Authority) -> TestCrl {
    crl(authority, 8, &[(1, CrlReason::KeyCompromise), (4, CrlReason::CertificateHold)])
}

/// The certificate of `authority` as a CA with this subjectKeyIdentifier and key usage.
fn certificate(authority: &Authority, key_identifier: &[u8], usage: KeyUsages) -> Certificate {
    let mut value = Vec::new();
    write_tlv(&mut value, tag::OCTET_STRING, key_identifier);
    authority.issue(
        authority.key.public_key(),
        Issuance {
            subject: NAME,
            ca: true,
            key_usage: Some(usage),
            extended_key_usage: None,
            nocheck: false,
            more: vec![(rfc5280::ID_CE_SUBJECT_KEY_IDENTIFIER, value)],
            ..Issuance::default()
        },
    )
}

fn house_of(authority: &Authority, certificate: Certificate) -> House {
    House::with(vec![vec![key_of(authority, certificate)]], IngestOptions::default())
}

#[test]
fn f2_t24_a_change_of_any_octet_refuses_the_crl_and_touches_nothing() {
    let ca = authority();
    let house = settled(&ca);
    let der = sign(&next(&ca), &ca);
    for position in 0..der.len() {
        let mut tampered = der.clone();
        tampered[position] ^= 1 << (position % 8);
        house.refuses(&tampered[..]);
    }
    // A serial number that is another is nothing the parser could see.
    let place = der.windows(3).position(|octets| octets == [2, 1, 4]).unwrap();
    let mut tampered = der.clone();
    tampered[place + 2] = 5;
    assert!(matches!(house.refuses(&tampered[..]), Refused::Signature { .. }));
    // The same of the signature's last octet.
    let mut tampered = der.clone();
    *tampered.last_mut().unwrap() ^= 1;
    assert!(matches!(house.refuses(&tampered[..]), Refused::Signature { .. }));
    house.applied(&der);
}

#[test]
fn t31_cut_short_at_any_octet_it_is_refused_in_der_and_in_pem() {
    let ca = authority();
    let house = settled(&ca);
    let der = sign(&next(&ca), &ca);
    assert!(matches!(house.refuses(&b""[..]), Refused::Armor(ArmorError::NeitherDerNorPem)));
    for have in 1..der.len() {
        let why = house.refuses(&der[..have]);
        assert!(matches!(why, Refused::Crl(CrlError::Truncated { .. })), "{have}: {why}");
        assert!(!why.is_ours());
    }
    let pem = reading::pem(&der);
    let end = pem.trim_end().len();
    for have in 1..end {
        let why = house.refuses(&pem.as_bytes()[..have]);
        assert!(matches!(why, Refused::Armor(_)), "{have}: {why}");
    }
}

#[test]
fn f3_t24_a_crl_of_another_ca_is_refused_at_its_header() {
    let ca = authority();
    let house = settled(&ca);
    let stranger = Authority::new(KeyKind::P256, "CN=Other CA");
    let why = house.refuses(&sign(&crl(&stranger, 8, &[]), &stranger)[..]);
    assert!(matches!(&why, Refused::ForeignIssuer { found } if found == "CN=Other CA"), "{why}");
    // The header is enough: nothing that follows is read.
    let der = sign(&crl(&stranger, 8, &HELD), &stranger);
    let cut = std::io::Read::chain(&der[..100], reading::Failing);
    assert!(matches!(house.refuses(cut), Refused::ForeignIssuer { .. }));
    let not_a_name = TestCrl { issuer: sequence(&[tlv(tag::SET, b"x")]), ..next(&ca) };
    assert!(matches!(house.refuses(&sign(&not_a_name, &ca)[..]), Refused::ForeignIssuer { .. }));
}

#[test]
fn f3_t24_another_key_of_the_right_name_is_refused() {
    let ca = authority();
    let house = settled(&ca);
    for kind in [KeyKind::P256, KeyKind::Ed25519] {
        let impostor = Authority::new(kind, NAME);
        let why = house.refuses(&sign(&next(&impostor), &impostor)[..]);
        assert!(matches!(&why, Refused::Signature { issuer } if issuer == "issuer 0"), "{why}");
    }
}

#[test]
fn f4_an_authority_key_identifier_chooses_the_key_and_proves_nothing() {
    let ca = authority();
    let house = house_of(&ca, certificate(&ca, b"one", KeyUsages::CRLSign));
    let naming = |identifier: &[u8]| TestCrl {
        extensions: Some(vec![crl_number(&[8]), key_identifier(identifier)]),
        ..next(&ca)
    };
    let why = house.refuses(&sign(&naming(b"two"), &ca)[..]);
    let Refused::ForeignKey { found, expected, .. } = &why else { panic!("{why}") };
    assert_eq!((found.as_str(), expected.as_str()), ("74776f", "6f6e65"));
    // The right identifier, another key.
    let why = house.refuses(&sign(&naming(b"one"), &authority())[..]);
    assert!(matches!(why, Refused::Signature { .. }), "{why}");
    house.applied(&sign(&naming(b"one"), &ca));
    // A CA certificate without an identifier has nothing to compare.
    House::of(&ca).applied(&sign(&naming(b"two"), &ca));
}

#[test]
fn f3_a_ca_that_may_not_sign_crls_is_refused() {
    let ca = authority();
    let house = house_of(&ca, certificate(&ca, b"one", KeyUsages::KeyCertSign));
    let why = house.refuses(&sign(&next(&ca), &ca)[..]);
    assert!(matches!(why, Refused::KeyUsage { .. }), "{why}");
    // Who cannot sign at all is not told about key usage.
    let why = house.refuses(&sign(&next(&ca), &authority())[..]);
    assert!(matches!(why, Refused::Signature { .. }), "{why}");
}

#[test]
fn f45_weak_and_unknown_signature_algorithms_are_refused() {
    let ca = authority();
    let house = settled(&ca);
    for oid in
        [rfc5912::SHA_1_WITH_RSA_ENCRYPTION, rfc5912::MD_5_WITH_RSA_ENCRYPTION, rfc5912::DSA_WITH_SHA_1]
    {
        let algorithm = sequence(&[tlv(tag::OBJECT_IDENTIFIER, oid.as_bytes()), tlv(tag::NULL, &[])]);
        let why = house.refuses(&sign(&TestCrl { algorithm, ..next(&ca) }, &ca)[..]);
        assert!(matches!(why, Refused::Algorithm(_)), "{oid}: {why}");
    }
    let algorithm = sequence(&[tlv(tag::OBJECT_IDENTIFIER, &unknown_oid(1))]);
    let why = house.refuses(&sign(&TestCrl { algorithm, ..next(&ca) }, &ca)[..]);
    assert!(matches!(why, Refused::Algorithm(_)), "{why}");
}

#[test]
fn f7_t26_a_crl_from_the_future_is_refused_and_accepted_when_its_time_comes() {
    let ca = authority();
    let house = settled(&ca);
    let skew = IngestOptions::default().clock_skew;
    let at = |time: UnixTime| {
        let text = String::from_utf8(time.to_generalized_time().to_vec()).unwrap();
        sign(&TestCrl { this_update: generalized(&text), ..next(&ca) }, &ca)
    };
    let early = now().plus(skew + 1);
    let why = house.refuses(&at(early)[..]);
    assert!(
        matches!(&why, Refused::Future { this_update, now: clock } if *this_update == early && *clock == now())
    );
    assert!(why.may_pass() && !why.is_ours());
    house.clock.set(now().plus(1));
    house.applied(&at(early));
}

#[test]
fn f8_f9_times_that_are_missing_or_crossed_are_refused_and_a_late_crl_is_history() {
    let ca = authority();
    let house = settled(&ca);
    let until = |next_update: Vec<u8>| sign(&TestCrl { next_update, ..next(&ca) }, &ca);
    assert!(matches!(house.refuses(&until(Vec::new())[..]), Refused::NoNextUpdate));
    for crossed in ["261121075959Z", "261121080000Z"] {
        let why = house.refuses(&until(utc(crossed))[..]);
        assert!(matches!(why, Refused::TimesCrossed { .. }), "{why}");
    }
    house.applied(&until(utc("261121080001Z")));
    assert!(house.answers().scopes[0].crl.next_update < now());
}

#[test]
fn f32_crls_of_attribute_certificates_are_refused() {
    let ca = authority();
    let house = settled(&ca);
    let with =
        |more: Vec<u8>| sign(&TestCrl { extensions: Some(vec![crl_number(&[8]), more]), ..next(&ca) }, &ca);
    assert!(matches!(house.refuses(&with(idp(&[idp_flag(5)]))[..]), Refused::AttributeCertificates));
}

#[test]
fn f1_f11_f13_f25_what_the_parser_finds_at_the_end_refuses_what_came_before() {
    let ca = authority();
    let house = settled(&ca);
    let base = next(&ca);
    let oid = tlv(tag::OBJECT_IDENTIFIER, rfc5912::ECDSA_WITH_SHA_384.as_bytes());
    let other = TestCrl { outer_algorithm: Some(sequence(&[oid])), ..base.clone() };
    assert!(matches!(house.refuses(&sign(&other, &ca)[..]), Refused::Crl(CrlError::AlgorithmMismatch)));
    let critical = extension(&unknown_oid(1), true, b"x");
    let unknown = TestCrl { extensions: Some(vec![crl_number(&[8]), critical.clone()]), ..base.clone() };
    let why = house.refuses(&sign(&unknown, &ca)[..]);
    assert!(matches!(why, Refused::Crl(CrlError::UnknownCriticalExtension { .. })), "{why}");
    let last =
        crate::x509::crl::tests::builder::entry(SerialNumber::from(9), &utc("261101000000Z"), &[critical]);
    let entries = Some([base.entries.clone().unwrap(), vec![last]].concat());
    let why = house.refuses(&sign(&TestCrl { entries, ..base.clone() }, &ca)[..]);
    assert!(matches!(why, Refused::Crl(CrlError::UnknownCriticalEntryExtension { entry: 3, .. })), "{why}");
    let removing = TestCrl { entries: Some(vec![revoked(2, CrlReason::RemoveFromCrl)]), ..base };
    let why = house.refuses(&sign(&removing, &ca)[..]);
    assert!(matches!(why, Refused::Crl(CrlError::RemoveFromCrlInFull)), "{why}");
}

#[test]
fn f5_a_name_in_another_case_and_string_type_is_the_same_ca() {
    let ca = authority();
    let house = settled(&ca);
    house.applied(&sign(&TestCrl { issuer: name("  test   CA "), ..next(&ca) }, &ca));
    assert_eq!(house.answers().scopes.len(), 1);
}
