//! CRLs that the CA itself signed wrongly: the signature verifies, so that nothing but the reading of
//! what was signed stands between them and the answers.

use super::*;
use crate::asn1::tag;
use crate::x509::crl::tests::builder::{
    certificate_issuer, delta_indicator, entry, extension, generalized, idp, idp_flag, idp_uri, integer,
    invalidity, key_identifier, reason, sequence, tlv, unknown_oid,
};
use ::der::Decode;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

/// Whatever octets: as `tbsCertList`, with the signature of `ca` over them.
fn signed_octets(ca: &Authority, tbs: Vec<u8>) -> Vec<u8> {
    let mut bits = vec![0];
    ca.key.sign(&tbs, &mut bits).unwrap();
    let algorithm = ca.key.algorithm().algorithm_identifier().to_vec();
    sequence(&[tbs, algorithm, tlv(tag::BIT_STRING, &bits)])
}

/// One of everything, next after what is held.
fn rich(ca: &Authority) -> TestCrl {
    let time = utc("261101120000Z");
    let hold = [invalidity("20261022120000Z"), reason(CrlReason::CertificateHold)];
    TestCrl {
        entries: Some(vec![
            revoked(1, CrlReason::KeyCompromise),
            entry(SerialNumber::from(0x1234), &time, &hold),
            entry(SerialNumber::from_unsigned(&[0x9a; 20]).unwrap(), &generalized("20260101000000Z"), &[]),
        ]),
        extensions: Some(vec![
            key_identifier(b"key"),
            crl_number(&[8]),
            extension(&unknown_oid(1), false, b"x"),
        ]),
        ..crl(ca, 8, &[])
    }
}

/// Rehearses a CRL. What is taken reads the same to another parser; what is refused is the CRL's own fault.
fn judged(house: &House, der: &[u8]) -> Result<bool, TestCaseError> {
    match house.ingest.ingest_as(der, Manner::Rehearsed) {
        Ok(report) => {
            // It does not know every lawful object identifier: 2.999 and what lies beyond.
            let Ok(theirs) = <x509_cert::crl::CertificateList>::from_der(der) else { return Ok(true) };
            let entries = theirs.tbs_cert_list.revoked_certificates.unwrap_or_default();
            prop_assert_eq!(report.entries, entries.len() as u64);
            Ok(true)
        }
        Err(why) => {
            prop_assert!(!why.is_ours(), "{}", why);
            Ok(false)
        }
    }
}

/// `PROPTEST_CASES`, or so many.
fn runner(cases: u32) -> TestRunner {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = asked.unwrap_or(cases);
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

/// Any piece of DER where it does not belong, or the right one with something wrong in it.
fn odd() -> impl Strategy<Value = Vec<u8>> {
    let tag = select(vec![0x01u8, 0x02, 0x04, 0x05, 0x06, 0x0a, 0x17, 0x18, 0x30, 0x31, 0x80, 0xa0, 0xa4]);
    let leaf = (tag, prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(tag, content)| tlv(tag, &content));
    let numbers = prop::collection::vec(any::<u8>(), 0..24).prop_map(|content| integer(&content));
    prop_oneof![leaf.clone(), numbers, prop::collection::vec(leaf, 0..3).prop_map(|parts| sequence(&parts))]
}

/// Extensions of CRLs and of entries, known and unknown, on the right and on the wrong list.
fn any_extension() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        crl_number(&[8]),
        crl_number(&[0xff]),
        crl_number(&[1; 21]),
        delta_indicator(&[7]),
        delta_indicator(&[]),
        key_identifier(b"key"),
        reason(CrlReason::RemoveFromCrl),
        reason(CrlReason::Superseded),
        invalidity("20261022120000.5Z"),
        certificate_issuer("Other CA"),
        idp(&[]),
        idp(&[idp_uri("http://a/1.crl")]),
        idp(&[idp_flag(1), idp_flag(2)]),
        idp(&[idp_flag(4)]),
        idp(&[idp_flag(5)]),
        extension(&unknown_oid(1), true, b""),
        extension(&unknown_oid(2), false, b""),
    ]);
    let unread = (select(vec![20u8, 21, 24, 27, 28, 29, 35]), any::<bool>(), odd())
        .prop_map(|(which, critical, value)| extension(&[0x55, 0x1d, which], critical, &value));
    prop_oneof![3 => known, 2 => unread, 1 => odd()]
}

#[test]
fn t8_t24_no_change_to_what_was_signed_is_misread() {
    let ca = authority();
    let house = settled(&ca);
    let before = house.answers();
    let changes = prop::collection::vec((any::<Index>(), any::<u8>(), 0..5u8), 1..5);
    let judge = |changes: Vec<(Index, u8, u8)>| {
        let mut tbs = rich(&ca).tbs();
        for (place, octet, how) in changes {
            let at = place.index(tbs.len());
            match how {
                0 => tbs[at] = octet,
                1 => tbs[at] ^= 1 << (octet % 8),
                2 => tbs.insert(at, octet),
                3 if tbs.len() > 1 => drop(tbs.remove(at)),
                _ => tbs.truncate(at.max(1)),
            }
        }
        judged(&house, &signed_octets(&ca, tbs)).map(drop)
    };
    runner(2000).run(&changes, judge).unwrap();
    assert_eq!(house.answers(), before);
}

#[test]
fn t8_t30_lists_of_nearly_right_parts_are_taken_as_others_read_them_or_refused() {
    let ca = authority();
    let house = settled(&ca);
    let one = prop_oneof![
        Just(revoked(5, CrlReason::Superseded)),
        prop::collection::vec(any_extension(), 0..3).prop_map(|list| entry(
            SerialNumber::from(6),
            &utc("261101120000Z"),
            &list
        )),
        odd(),
    ];
    let extensions = prop::option::of(prop::collection::vec(any_extension(), 0..4));
    let entries = prop::option::of(prop::collection::vec(one, 0..4));
    let strange = prop::option::weighted(0.1, odd());
    let judge = |(extensions, entries, strange): (Option<Vec<_>>, Option<Vec<_>>, Option<Vec<u8>>)| {
        let base = crl(&ca, 8, &[]);
        let extensions = extensions.or_else(|| base.extensions.clone());
        let next_update = strange.unwrap_or_else(|| base.next_update.clone());
        let made = TestCrl { next_update, entries, extensions, ..base };
        judged(&house, &sign(&made, &ca)).map(drop)
    };
    runner(2000).run(&(extensions, entries, strange), judge).unwrap();
}

#[test]
fn t8_what_was_signed_rightly_is_taken() {
    let ca = authority();
    let house = settled(&ca);
    assert!(judged(&house, &sign(&rich(&ca), &ca)).unwrap(), "else the others prove nothing");
    assert!(judged(&house, &signed_octets(&ca, rich(&ca).tbs())).unwrap());
}

#[test]
fn f23_a_delta_crl_fits_a_base_of_its_own_scope_and_key_only() {
    let (new, old) = (authority(), Authority::new(KeyKind::P256, NAME));
    let keys = [&new, &old].map(|one| key_of(one, one.certificate.clone())).to_vec();
    let house = House::with(vec![keys], IngestOptions::default());
    let point = || idp(&[idp_uri("http://a/1.crl")]);
    let with = |ca: &Authority, number: u8, more: Vec<Vec<u8>>| {
        let extensions = Some([vec![crl_number(&[number])], more].concat());
        sign(&TestCrl { extensions, ..crl(ca, number, &[(1, CrlReason::CertificateHold)]) }, ca)
    };
    let base = || delta_indicator(&[5]);
    house.applied(&with(&new, 5, vec![]));
    // Another scope; then another key of the same name and scope.
    let other_scope = with(&new, 6, vec![base(), point()]);
    let other_key = with(&old, 6, vec![base()]);
    for stray in [&other_scope, &other_key] {
        let why = house.refuses(&stray[..]);
        assert!(matches!(why, Refused::DeltaBeforeBase { .. }), "{why}");
    }
    // Each finds the base that it fits.
    house.applied(&with(&new, 5, vec![point()]));
    house.applied(&other_scope);
    house.applied(&with(&old, 5, vec![]));
    house.applied(&other_key);
    house.applied(&with(&new, 6, vec![base()]));
}
