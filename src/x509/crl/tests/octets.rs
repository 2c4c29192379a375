//! The same octets in other pieces, fewer of them, or changed ones; and what another parser says.

use super::builder::{
    TestCrl, crl_number, entry, extension, generalized, idp, idp_uri, integer, invalidity, key_identifier,
    reason, revoked, sequence, tlv, utc,
};
use super::*;
use crate::asn1::{self, tag};
use crate::x509::CrlReason;
use ::der::{Decode, Encode};
use proptest::prelude::*;
use x509_cert::crl::CertificateList;
use x509_cert::ext::pkix::{CrlNumber, CrlReason as TheirReason};

/// Of everything one, in some 500 octets.
fn rich() -> TestCrl {
    TestCrl {
        entries: Some(vec![
            revoked(0x0102_0304, CrlReason::KeyCompromise),
            entry(SerialNumber::from(0xff), &utc("261101000000Z"), &[]),
            entry(
                SerialNumber::from(3),
                &generalized("20500102030405Z"),
                &[invalidity("20261022120000Z"), reason(CrlReason::CertificateHold)],
            ),
            entry(SerialNumber::from_unsigned(&[0x9a; 20]).unwrap(), &utc("000101000000Z"), &[]),
        ]),
        extensions: Some(vec![
            key_identifier(&[7; 20]),
            crl_number(&[1, 0]),
            idp(&[idp_uri("http://crl.example/1.crl")]),
        ]),
        ..TestCrl::new()
    }
}

#[test]
fn f40_a_crl_in_pieces_of_every_size_gives_the_same_events_and_signed_octets() {
    for crl in [rich(), TestCrl::new(), TestCrl { extensions: None, ..rich() }] {
        let der = crl.der();
        let whole = parse(&der).unwrap();
        assert_eq!(whole.0.signed, crl.tbs(), "all of tbsCertList, with its tag, and nothing else");
        assert_eq!(whole.1.octets, der.len() as u64);
        for piece in 1..=der.len() {
            assert_eq!(parse_in(&der, piece).unwrap(), whole, "pieces of {piece}");
        }
    }
}

#[test]
fn f40_pushing_nothing_changes_nothing() {
    let der = rich().der();
    let mut witness = Witness::default();
    let mut parser = CrlParser::new();
    for octet in &der {
        parser.push(&[], &mut witness).unwrap();
        parser.push(std::slice::from_ref(octet), &mut witness).unwrap();
    }
    parser.push(&[], &mut witness).unwrap();
    assert!(parser.finish().is_ok());
    assert_eq!(witness, parse(&der).unwrap().0);
}

#[test]
fn t31_cut_short_at_every_octet_it_says_so() {
    let der = rich().der();
    for have in 0..der.len() {
        for piece in [1, 5, usize::MAX] {
            let error = parse_in(&der[..have], piece).unwrap_err();
            let expected =
                if have < 4 { Expected::AtLeastAHeader } else { Expected::Octets(der.len() as u64) };
            assert_eq!(error, CrlError::Truncated { have: have as u64, expected }, "{have} octets");
        }
    }
}

#[test]
fn lengths_that_lie_by_one_in_any_element_are_never_accepted() {
    let der = rich().der();
    let whole = parse(&der).unwrap();
    let mut lengths = Vec::new();
    find_lengths(&der, 0, &mut lengths);
    assert!(lengths.len() > 50, "every element was found");
    // What is inside of the issuer is not the parser's: it passes the Name on as it stands.
    let issuer = der.windows(2).position(|pair| pair == [0x30, 0x12]).unwrap();
    assert_eq!(der[issuer..issuer + rich().issuer.len()], rich().issuer);
    lengths.retain(|position| !(issuer + 2..issuer + rich().issuer.len()).contains(position));
    for position in lengths {
        for change in [1u8, 0xff] {
            let mut lying = der.clone();
            lying[position] = lying[position].wrapping_add(change);
            for piece in [1, usize::MAX] {
                assert_ne!(parse_in(&lying, piece).ok().as_ref(), Some(&whole));
                assert!(parse_in(&lying, piece).is_err(), "length at {position} changed by {change:#x}");
            }
        }
    }
}

/// Where the last octet of each length stands, also inside of what is constructed.
fn find_lengths(der: &[u8], base: usize, found: &mut Vec<usize>) {
    let mut at = 0;
    while at < der.len() {
        let (element, header, content) = asn1::parse_header(&der[at..]).unwrap();
        found.push(base + at + header - 1);
        if element & 0x20 != 0 {
            find_lengths(&der[at + header..at + header + content], base + at + header, found);
        }
        at += header + content;
    }
}

#[test]
fn t8_lengths_that_are_indefinite_long_or_padded_are_refused() {
    let der = rich().der();
    let content = &der[4..];
    let [high, low] = (content.len() as u16).to_be_bytes();
    for header in [
        vec![0x30, 0x80],
        vec![0x30, 0x83, 0, high, low],
        vec![0x30, 0x84, 0, 0, high, low],
        vec![0x30, 0x85, 0, 0, 0, high, low],
        vec![0x30, 0xff],
        vec![0x3f, 0x82, high, low],
    ] {
        let crl = [&header, content].concat();
        assert!(matches!(parse(&crl).unwrap_err(), CrlError::Malformed { at: 0, .. }), "{header:02x?}");
    }
}

#[test]
fn t31_a_length_that_promises_gigabytes_takes_no_memory() {
    let mut parser = CrlParser::new();
    let mut witness = Witness::default();
    parser
        .push(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x84, 0xff, 0xff, 0xff, 0xf0], &mut witness)
        .unwrap();
    let have = 12;
    let expected = Expected::Octets(6 + u64::from(u32::MAX));
    assert_eq!(parser.finish().unwrap_err(), CrlError::Truncated { have, expected });
}

#[test]
fn elements_that_reach_out_of_their_parents_are_refused() {
    let good = TestCrl { entries: Some(vec![revoked(1, CrlReason::Superseded)]), ..TestCrl::new() };
    let inner = integer(&[1]);
    // The INTEGER says it has three octets, its parent ends after one.
    let reaching = tlv(tag::SEQUENCE, &[0x02, 0x03, 0x01]);
    assert_eq!(inner.len(), 3);
    for crl in [
        TestCrl { entries: Some(vec![reaching.clone()]), ..good.clone() },
        TestCrl { extensions: Some(vec![reaching.clone()]), ..good.clone() },
        TestCrl { issuer: tlv(tag::SEQUENCE, &[0x31, 0x7f]), extensions: None, ..good.clone() },
        TestCrl { at_the_end: vec![0xa0, 0x7f, 0x30], extensions: None, ..good.clone() },
        TestCrl { behind_the_signature: vec![0x02, 0x7f], ..good },
    ] {
        let result = parse(&crl.der());
        // An issuer that is no Name is the reader's matter: the parser passes it on as it stands.
        let is_passed_on = crl.issuer != TestCrl::new().issuer;
        assert_eq!(result.is_ok(), is_passed_on, "{result:?}");
        assert_eq!(parse_in(&crl.der(), 1).is_ok(), is_passed_on);
    }
    // Whole parts that overrun: the signed part its list, the list its CRL.
    let algorithm = builder::ecdsa();
    let overrun = sequence(&[vec![0x30, 0x7f], algorithm]);
    assert!(matches!(parse(&overrun).unwrap_err(), CrlError::Malformed { why: DerError::Length, .. }));
    for empty in [vec![0x30, 0x00], sequence(&[sequence(&[])])] {
        assert!(matches!(parse(&empty).unwrap_err(), CrlError::Malformed { why: DerError::Truncated, .. }));
    }
}

fn their_seconds(time: x509_cert::time::Time) -> i64 {
    time.to_unix_duration().as_secs() as i64
}

/// x509-cert reads the same CRL: another parser, by other people.
fn judge(crl: &[u8]) {
    let theirs = <CertificateList>::from_der(crl).unwrap();
    let (witness, trailer) = parse(crl).unwrap();
    let tbs = &theirs.tbs_cert_list;
    assert_eq!(witness.signed, tbs.to_der().unwrap());
    let header = witness.header();
    assert_eq!(header.issuer, tbs.issuer.to_der().unwrap());
    assert_eq!(header.signature_algorithm, tbs.signature.to_der().unwrap());
    assert_eq!(header.this_update.seconds(), their_seconds(tbs.this_update));
    assert_eq!(header.next_update.map(UnixTime::seconds), tbs.next_update.map(their_seconds));
    assert_eq!(trailer.signature, theirs.signature.raw_bytes());
    let number = tbs.crl_extensions.iter().flatten().find_map(|extension| {
        let value = extension.extn_value.as_bytes();
        (extension.extn_id.as_bytes() == asn1::CRL_NUMBER)
            .then(|| CrlNumber::from_der(value).unwrap().0.as_bytes().to_vec())
    });
    assert_eq!(trailer.extensions.crl_number, number);
    let their_entries = tbs.revoked_certificates.as_deref().unwrap_or_default();
    assert_eq!(trailer.entries as usize, their_entries.len());
    for ((serial, revocation), theirs) in witness.entries().into_iter().zip(their_entries) {
        assert_eq!(serial.as_bytes(), theirs.serial_number.as_bytes());
        assert_eq!(revocation.time.seconds(), their_seconds(theirs.revocation_date));
        let reason = theirs.crl_entry_extensions.iter().flatten().find_map(|extension| {
            (extension.extn_id.as_bytes() == asn1::REASON_CODE)
                .then(|| TheirReason::from_der(extension.extn_value.as_bytes()).unwrap() as u8)
        });
        assert_eq!(revocation.reason.map(CrlReason::value), reason.filter(|value| *value != 0));
    }
}

#[test]
fn x509_cert_reads_the_same() {
    judge(&rich().der());
    judge(&TestCrl::new().der());
    judge(&TestCrl { next_update: Vec::new(), ..rich() }.der());
}

proptest! {
    #[test]
    fn x509_cert_reads_the_same_of_any_entries(
        entries in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 1..=20), 0..2_524_608_000i64, 0..12u8),
            0..40,
        ),
        number in prop::collection::vec(1..0x80u8, 1..=20),
        piece in 1..300usize,
    ) {
        let entries = entries.iter().map(|(serial, seconds, why)| {
            let time = UnixTime::from_seconds(*seconds).to_generalized_time();
            let time = std::str::from_utf8(&time).unwrap();
            let why = CrlReason::from_value(*why).filter(|why| *why != CrlReason::RemoveFromCrl);
            let extensions: Vec<_> = why.map(reason).into_iter().collect();
            entry(SerialNumber::from_unsigned(serial).unwrap(), &utc(&time[2..]), &extensions)
        });
        let crl = TestCrl {
            entries: Some(entries.collect()),
            extensions: Some(vec![crl_number(&number)]),
            ..TestCrl::new()
        };
        let der = crl.der();
        judge(&der);
        prop_assert_eq!(parse_in(&der, piece), parse(&der));
    }

    /// Whatever is done to it, it is an error or a CRL, the same in any pieces, and what was shown of
    /// the signed part was there.
    #[test]
    fn t8_any_change_is_an_error_or_a_crl_and_never_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
        piece in 1..80usize,
    ) {
        let mut der = rich().der();
        for (place, octet, how) in changes {
            if der.is_empty() {
                break;
            }
            let at = place.index(der.len());
            match how {
                0 => der[at] = octet,
                1 => der[at] ^= 1 << (octet & 7),
                2 => der.insert(at, octet),
                _ => { der.remove(at); }
            }
        }
        let whole = parse(&der);
        prop_assert_eq!(whole.is_ok(), parse_in(&der, piece).is_ok());
        if let Ok((witness, trailer)) = whole {
            prop_assert_eq!(trailer.octets as usize, der.len());
            let (_, header, content) = asn1::parse_header(&der).unwrap();
            prop_assert_eq!(header + content, der.len());
            prop_assert_eq!(&witness.signed[..], &der[header..header + witness.signed.len()]);
        }
    }

    #[test]
    fn t8_any_octets_at_all_never_panic(octets in prop::collection::vec(any::<u8>(), 0..400), piece in 1..50usize) {
        let _ = parse_in(&octets, piece);
        let _ = parse_in(&tlv(tag::SEQUENCE, &tlv(tag::SEQUENCE, &octets)), piece);
        let _ = IssuingDistributionPoint::from_der(&octets, &octets);
        let _ = IssuingDistributionPoint::from_der(&tlv(tag::SEQUENCE, &octets), &[0x30, 0]);
        let mut armor = Armor::new();
        for octets in octets.chunks(piece) {
            let _ = armor.push(octets);
        }
        let _ = armor.finish();
    }

    /// Pushed octet by octet no entry ever stands whole with what follows it, so the general way reads it.
    #[test]
    fn the_way_of_usual_entries_and_the_general_one_give_the_same(
        entries in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..=23), 0..5u8, 0..13u8, 0..8u8),
            1..20,
        ),
        is_v1 in prop::bool::weighted(0.1),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        piece in 65..300usize,
    ) {
        let entries = entries.iter().map(|(serial, time, code, more)| {
            let time = match time {
                0 => tlv(tag::GENERALIZED_TIME, b"20500102030405Z"),
                1 => tlv(tag::GENERALIZED_TIME, b"20240230000000Z"),
                2 => utc("240229235959Z"),
                3 => utc("49123123595:Z"),
                _ => utc("500101000000Z"),
            };
            let mut content = [tlv(tag::INTEGER, serial), time].concat();
            let code = extension(asn1::REASON_CODE, false, &tlv(tag::ENUMERATED, &[*code]));
            match more {
                0 => {}
                1 => content.extend(sequence(&[code.clone(), code])),
                2 => content.extend(sequence(&[])),
                _ => content.extend(sequence(&[code])),
            }
            sequence(&[content])
        });
        let crl = TestCrl { entries: Some(entries.collect()), ..TestCrl::new() };
        let mut der = if is_v1 { TestCrl { version: None, extensions: None, ..crl }.der() } else { crl.der() };
        for (place, octet) in &changes {
            let place = place.index(der.len());
            der[place] = *octet;
        }
        let general = parse_in(&der, 1);
        prop_assert_eq!(&parse(&der), &general);
        prop_assert_eq!(&parse_in(&der, piece), &general);
    }
}
