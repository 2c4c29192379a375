//! The fields of a CRL: versions, algorithms, times, entries (RFC 5280 5.1).

use super::builder::{
    TestCrl, ecdsa, entry, generalized, integer, name, reason, revoked, sequence, tlv, utc,
};
use super::*;
use crate::asn1::tag;
use crate::x509::CrlReason;

fn civil(year: i64, month: u32, day: u32, hour: u32) -> UnixTime {
    UnixTime::from_civil(year, month, day, hour, 0, 0).unwrap()
}

#[test]
fn f1_the_algorithms_inside_and_outside_are_the_same_octets() {
    let null = tlv(tag::NULL, &[]);
    let with_null = sequence(&[tlv(tag::OBJECT_IDENTIFIER, crate::asn1::ECDSA_WITH_SHA256), null]);
    for outer in [with_null, sequence(&[tlv(tag::OBJECT_IDENTIFIER, crate::asn1::ECDSA_WITH_SHA384)])] {
        let crl = TestCrl { outer_algorithm: Some(outer), ..TestCrl::new() };
        assert_eq!(error_of(&crl), CrlError::AlgorithmMismatch);
    }
    let (_, trailer) = parse(&TestCrl::new().der()).unwrap();
    assert_eq!(trailer.signature_algorithm, ecdsa());
    assert_eq!(trailer.signature, b"signature");
}

#[test]
fn f6_version_1_is_read_without_extensions_and_refused_with_them() {
    let v1 = TestCrl { version: None, extensions: None, ..TestCrl::new() };
    let plain = entry(SerialNumber::from(5), &utc("261101000000Z"), &[]);
    let (witness, trailer) = parse(&TestCrl { entries: Some(vec![plain]), ..v1.clone() }.der()).unwrap();
    assert!(!witness.header().is_v2);
    assert_eq!(trailer.entries, 1);
    assert_eq!(trailer.extensions, CrlExtensions::default());

    let with_extensions = TestCrl { version: None, ..TestCrl::new() };
    assert_eq!(error_of(&with_extensions), CrlError::ExtensionsInV1);
    let in_an_entry = TestCrl { entries: Some(vec![revoked(5, CrlReason::KeyCompromise)]), ..v1 };
    assert_eq!(error_of(&in_an_entry), CrlError::ExtensionsInV1);
}

#[test]
fn f6_only_v2_may_be_written_out() {
    for version in [vec![0], vec![2], vec![3], vec![1, 0]] {
        let crl = TestCrl { version: Some(version), ..TestCrl::new() };
        assert_eq!(error_of(&crl), CrlError::Version);
    }
    let padded = TestCrl { version: Some(vec![0, 1]), ..TestCrl::new() };
    assert!(matches!(error_of(&padded), CrlError::Malformed { why: DerError::Value, .. }));
    assert!(parse(&TestCrl::new().der()).unwrap().0.header().is_v2);
}

#[test]
fn f9_a_missing_next_update_shows_in_the_header_whatever_follows() {
    let list = Some(vec![revoked(5, CrlReason::Superseded)]);
    for (entries, extensions) in [
        (None, None),
        (list.clone(), None),
        (None, TestCrl::new().extensions),
        (list, TestCrl::new().extensions),
    ] {
        let crl = TestCrl { next_update: Vec::new(), entries, extensions, ..TestCrl::new() };
        let der = crl.der();
        for piece in [1, 2, 3, usize::MAX] {
            let (witness, _) = parse_in(&der, piece).unwrap();
            assert_eq!(witness.header().next_update, None);
            assert_eq!(witness.header().this_update, civil(2026, 11, 22, 0));
        }
    }
}

#[test]
fn f10_no_list_and_an_empty_list_are_no_entries() {
    for extensions in [None, TestCrl::new().extensions] {
        for entries in [None, Some(Vec::new())] {
            let crl = TestCrl { entries, extensions: extensions.clone(), ..TestCrl::new() };
            let (witness, trailer) = parse(&crl.der()).unwrap();
            assert!(witness.entries().is_empty());
            assert_eq!(trailer.entries, 0);
            assert_eq!(witness.signed, crl.tbs());
        }
    }
}

#[test]
fn f38_both_forms_of_time_are_read_everywhere_and_other_forms_refused() {
    let crl = TestCrl {
        this_update: generalized("20261122000000Z"),
        next_update: generalized("20610101000000Z"),
        entries: Some(vec![
            entry(SerialNumber::from(1), &utc("491231230000Z"), &[]),
            entry(SerialNumber::from(2), &utc("500101000000Z"), &[]),
            entry(SerialNumber::from(3), &generalized("20500101010000Z"), &[]),
            entry(SerialNumber::from(4), &generalized("20261122050000Z"), &[]),
        ]),
        ..TestCrl::new()
    };
    let (witness, _) = parse(&crl.der()).unwrap();
    assert_eq!(witness.header().this_update, civil(2026, 11, 22, 0));
    assert_eq!(witness.header().next_update, Some(civil(2061, 1, 1, 0)));
    let times: Vec<UnixTime> = witness.entries().iter().map(|(_, revocation)| revocation.time).collect();
    let expected =
        [civil(2049, 12, 31, 23), civil(1950, 1, 1, 0), civil(2050, 1, 1, 1), civil(2026, 11, 22, 5)];
    assert_eq!(times, expected);

    for bad in [
        utc("2611220000Z"),
        utc("261122000000+0900"),
        generalized("20261122000000.5Z"),
        generalized("20260230000000Z"),
        integer(&[1]),
    ] {
        for crl in [
            TestCrl { this_update: bad.clone(), ..TestCrl::new() },
            TestCrl { entries: Some(vec![entry(SerialNumber::from(1), &bad, &[])]), ..TestCrl::new() },
        ] {
            assert!(matches!(error_of(&crl), CrlError::Malformed { .. }), "{bad:02x?}");
        }
    }
}

#[test]
fn f39_duplicates_and_any_order_are_passed_on_as_they_stand() {
    let order = [9, 3, 9, 1];
    let entries = order.map(|serial| revoked(serial, CrlReason::Superseded)).to_vec();
    let (witness, trailer) = parse(&TestCrl { entries: Some(entries), ..TestCrl::new() }.der()).unwrap();
    let serials: Vec<SerialNumber> = witness.entries().iter().map(|(serial, _)| *serial).collect();
    assert_eq!(serials, order.map(SerialNumber::from));
    assert_eq!(trailer.entries, 4);
}

#[test]
fn f47_serials_that_are_parts_of_one_another_stay_apart() {
    let contents: [&[u8]; 6] = [&[1], &[1, 0], &[0], &[0xff], &[0, 0xff], &[0x7f; 20]];
    let entries = contents.map(|content| sequence(&[integer(content), utc("261101000000Z")])).to_vec();
    let (witness, _) = parse(&TestCrl { entries: Some(entries), ..TestCrl::new() }.der()).unwrap();
    let found = witness.entries();
    assert!(found.iter().zip(contents).all(|((serial, _), content)| serial.as_bytes() == content));
    assert_eq!(found.len(), contents.len());
}

#[test]
fn s4_1_2_2_a_serial_that_is_empty_padded_or_too_long_is_refused_and_its_place_named() {
    for (content, why) in [
        (vec![], SerialNumberError::Empty),
        (vec![0, 1], SerialNumberError::NotMinimal),
        (vec![0xff, 0xff], SerialNumberError::NotMinimal),
        (vec![1; 21], SerialNumberError::TooLong),
    ] {
        let bad = sequence(&[integer(&content), utc("261101000000Z")]);
        let entries = vec![revoked(1, CrlReason::Superseded), bad];
        let crl = TestCrl { entries: Some(entries), ..TestCrl::new() };
        assert_eq!(error_of(&crl), CrlError::SerialNumber { entry: 2, why });
    }
}

#[test]
fn f40_octets_behind_anything_are_refused() {
    let extra = integer(&[1]);
    let base = TestCrl { entries: Some(vec![revoked(1, CrlReason::Superseded)]), ..TestCrl::new() };
    let behind = |crl: TestCrl| match error_of(&crl) {
        CrlError::Malformed { why, .. } => why,
        other => panic!("{other}"),
    };
    assert_eq!(behind(TestCrl { at_the_end: extra.clone(), ..base.clone() }), DerError::Trailing);
    assert_eq!(behind(TestCrl { behind_the_signature: extra.clone(), ..base.clone() }), DerError::Trailing);
    let entry = sequence(&[
        integer(&[1]),
        utc("261101000000Z"),
        sequence(&[reason(CrlReason::Superseded)]),
        extra.clone(),
    ]);
    assert_eq!(behind(TestCrl { entries: Some(vec![entry]), ..base.clone() }), DerError::Trailing);
    let twice = TestCrl { at_the_end: tlv(0xa0, &sequence(&[])), ..base.clone() };
    assert_eq!(behind(twice), DerError::Trailing, "crlExtensions twice");
    for piece in [1, 7, usize::MAX] {
        let mut der = base.der();
        der.push(0);
        assert_eq!(parse_in(&der, piece).unwrap_err(), CrlError::Trailing);
        let two = [base.der(), base.der()].concat();
        assert_eq!(parse_in(&two, piece).unwrap_err(), CrlError::Trailing, "two CRLs in one file");
    }
}

#[test]
fn an_element_of_another_type_in_any_place_is_refused() {
    let wrong = tlv(tag::OCTET_STRING, b"no");
    let base = TestCrl::new();
    for crl in [
        TestCrl { algorithm: wrong.clone(), ..base.clone() },
        TestCrl { issuer: wrong.clone(), ..base.clone() },
        TestCrl { this_update: wrong.clone(), ..base.clone() },
        TestCrl { next_update: wrong.clone(), extensions: None, ..base.clone() },
        TestCrl { entries: Some(vec![wrong.clone()]), ..base.clone() },
        TestCrl { entries: Some(vec![sequence(std::slice::from_ref(&wrong))]), ..base.clone() },
        TestCrl { extensions: Some(vec![wrong.clone()]), ..base.clone() },
        TestCrl { behind_the_signature: wrong, ..base },
    ] {
        assert!(matches!(error_of(&crl), CrlError::Malformed { .. }), "{crl:02x?}");
    }
    let set = tlv(tag::SET, &[]);
    assert!(matches!(parse(&set).unwrap_err(), CrlError::Malformed { at: 0, .. }));
    assert!(matches!(parse(&sequence(&[set])).unwrap_err(), CrlError::Malformed { at: 2, .. }));
}

#[test]
fn a_signature_with_bits_left_over_is_refused() {
    let der = TestCrl::new().der();
    let mut odd = der.clone();
    let unused = der.len() - b"signature".len() - 1;
    odd[unused] = 3;
    assert!(matches!(parse(&odd).unwrap_err(), CrlError::Malformed { why: DerError::Value, .. }));
}

#[test]
fn t31_elements_over_the_limit_are_refused_whatever_the_pieces_and_those_below_are_not() {
    let sized = |octets: usize| "n".repeat(octets);
    // A Name of one CN of so many octets has 26 more: five headers of 4, an object identifier, a tag.
    let big_issuer = |octets| TestCrl { issuer: name(&sized(octets)), ..TestCrl::new() };
    let overhead = name(&sized(60_000)).len() - 60_000;
    let header = |octets: usize| {
        let crl = big_issuer(octets);
        crl.version.as_ref().map_or(0, |content| integer(content).len())
            + crl.algorithm.len()
            + octets
            + overhead
            + crl.this_update.len()
            + crl.next_update.len()
    };
    let most = 60_000 + MAX_ELEMENT - header(60_000);
    for piece in [1000, 1 << 20] {
        assert!(parse_in(&big_issuer(most).der(), piece).is_ok(), "{piece}");
        let error = parse_in(&big_issuer(most + 1).der(), piece).unwrap_err();
        assert!(matches!(error, CrlError::TooLarge { .. }), "{piece}: {error}");
    }
    let padding = |octets: usize| builder::extension(&builder::unknown_oid(1), false, &vec![0; octets]);
    for crl in [
        TestCrl { extensions: Some(vec![padding(MAX_ELEMENT)]), ..TestCrl::new() },
        TestCrl {
            entries: Some(vec![entry(SerialNumber::from(1), &utc("261101000000Z"), &[padding(MAX_ELEMENT)])]),
            ..TestCrl::new()
        },
    ] {
        for piece in [1000, 1 << 20] {
            let error = parse_in(&crl.der(), piece).unwrap_err();
            assert!(matches!(error, CrlError::TooLarge { .. }), "{piece}: {error}");
        }
    }
    let long = TestCrl::new().signed(|_| vec![1; MAX_ELEMENT]);
    assert!(matches!(parse(&long).unwrap_err(), CrlError::TooLarge { .. }));
}
