//! The extensions of a CRL and of its entries (RFC 5280 5.2 and 5.3).

use super::builder::{
    TestCrl, certificate_issuer, crl_number, delta_indicator, entry, extension, idp, idp_flag, idp_uri,
    integer, invalidity, key_identifier, name, reason, revoked, sequence, tlv, unknown_oid, utc,
};
use super::*;
use crate::asn1::{self, tag};
use crate::x509::{CrlReason, canonical_general_names};

/// A CRL with one entry that has these extensions.
fn with_entry(extensions: &[Vec<u8>]) -> TestCrl {
    let entries = vec![entry(SerialNumber::from(5), &utc("261101120000Z"), extensions)];
    TestCrl { entries: Some(entries), ..TestCrl::new() }
}

fn with(extensions: &[Vec<u8>]) -> TestCrl {
    TestCrl { extensions: Some(extensions.to_vec()), ..TestCrl::new() }
}

fn read(crl: &TestCrl) -> (Witness, CrlExtensions) {
    let (witness, trailer) = parse(&crl.der()).unwrap();
    (witness, trailer.extensions)
}

fn read_idp(fields: &[Vec<u8>]) -> Result<IssuingDistributionPoint, CrlError> {
    let (_, trailer) = parse(&with(&[idp(fields)]).der())?;
    Ok(trailer.extensions.issuing_distribution_point.expect("it has one"))
}

fn dotted(oid: &[u8]) -> ObjectIdentifier {
    ObjectIdentifier::from_bytes(oid).unwrap()
}

#[test]
fn f11_t30_an_unknown_critical_crl_extension_refuses_the_crl() {
    let critical = extension(&unknown_oid(1), true, b"x");
    let expected = CrlError::UnknownCriticalExtension { oid: dotted(&unknown_oid(1)) };
    assert_eq!(error_of(&with(std::slice::from_ref(&critical))), expected);
    assert_eq!(error_of(&with(&[crl_number(&[1]), critical])), expected);
}

#[test]
fn f12_f14_unknown_extensions_that_are_not_critical_change_nothing() {
    let ignored = extension(&unknown_oid(1), false, b"x");
    // FALSE written out: a DEFAULT, so not DER, but there are CAs that do it.
    let written_out = sequence(&[
        tlv(tag::OBJECT_IDENTIFIER, &unknown_oid(2)),
        tlv(tag::BOOLEAN, &[0]),
        tlv(tag::OCTET_STRING, b"x"),
    ]);
    let (_, extensions) = read(&with(&[ignored.clone(), crl_number(&[9]), written_out.clone()]));
    assert_eq!(extensions, CrlExtensions { crl_number: Some(vec![9]), ..CrlExtensions::default() });
    let (witness, _) = read(&with_entry(&[ignored, reason(CrlReason::Superseded), written_out]));
    assert_eq!(witness.entries()[0].1.reason, Some(CrlReason::Superseded));
}

#[test]
fn f13_an_unknown_critical_entry_extension_refuses_the_crl_wherever_it_stands() {
    let oid = dotted(&unknown_oid(1));
    for position in 0..3 {
        let mut entries: Vec<_> = (1..4).map(|serial| revoked(serial, CrlReason::Superseded)).collect();
        let critical = [reason(CrlReason::Superseded), extension(&unknown_oid(1), true, b"")];
        entries[position] = entry(SerialNumber::from(9), &utc("261101120000Z"), &critical);
        let crl = TestCrl { entries: Some(entries), ..TestCrl::new() };
        let expected = CrlError::UnknownCriticalEntryExtension { entry: position as u64 + 1, oid };
        assert_eq!(error_of(&crl), expected);
    }
}

#[test]
fn f15_an_extension_that_stands_twice_is_refused_known_or_not() {
    for (oid, twice) in [
        (asn1::CRL_NUMBER.to_vec(), crl_number(&[1])),
        (unknown_oid(1), extension(&unknown_oid(1), false, b"x")),
    ] {
        let between = extension(&unknown_oid(2), false, b"");
        let crl = with(&[twice.clone(), between, twice]);
        assert_eq!(error_of(&crl), CrlError::DuplicateExtension { oid: dotted(&oid) });
    }
    let reasons = [reason(CrlReason::Superseded), reason(CrlReason::CertificateHold)];
    let expected = CrlError::DuplicateExtension { oid: dotted(asn1::REASON_CODE) };
    assert_eq!(error_of(&with_entry(&reasons)), expected);
}

#[test]
fn f15_extensions_are_not_compared_without_end() {
    let many = |count: usize| -> Vec<Vec<u8>> {
        (0..count).map(|number| extension(&unknown_oid(number as u8), false, b"")).collect()
    };
    assert!(parse(&with(&many(MAX_EXTENSIONS)).der()).is_ok());
    assert_eq!(error_of(&with(&many(MAX_EXTENSIONS + 1))), CrlError::TooManyExtensions);
    assert!(parse(&with_entry(&many(MAX_EXTENSIONS)).der()).is_ok());
    assert_eq!(error_of(&with_entry(&many(MAX_EXTENSIONS + 1))), CrlError::TooManyExtensions);
}

#[test]
fn an_extension_of_another_shape_is_refused() {
    let oid = tlv(tag::OBJECT_IDENTIFIER, &unknown_oid(1));
    let value = tlv(tag::OCTET_STRING, b"x");
    for bad in [
        sequence(std::slice::from_ref(&oid)),
        sequence(&[value.clone(), oid.clone()]),
        sequence(&[oid.clone(), tlv(tag::BOOLEAN, &[1]), value.clone()]),
        sequence(&[oid.clone(), value.clone(), value.clone()]),
        sequence(&[tlv(tag::OBJECT_IDENTIFIER, &[]), value.clone()]),
        sequence(&[tlv(tag::OBJECT_IDENTIFIER, &[0x88]), value]),
    ] {
        assert!(matches!(error_of(&with(std::slice::from_ref(&bad))), CrlError::Malformed { .. }));
        assert!(matches!(error_of(&with_entry(&[bad])), CrlError::Malformed { .. }));
    }
}

#[test]
fn f18_a_crl_number_has_up_to_20_octets_and_is_not_negative() {
    let number =
        |content: &[u8]| parse(&with(&[crl_number(content)]).der()).map(|(_, t)| t.extensions.crl_number);
    assert_eq!(number(&[0]).unwrap(), Some(vec![0]));
    assert_eq!(number(&[0x7f; 20]).unwrap(), Some(vec![0x7f; 20]));
    let high = [vec![0], vec![0xff; 20]].concat();
    assert_eq!(number(&high).unwrap(), Some(vec![0xff; 20]), "without the sign's octet");
    assert_eq!(number(&[1; 21]), Err(CrlError::Number));
    assert_eq!(number(&[0x80]), Err(CrlError::Number));
    let name = "cRLNumber";
    assert_eq!(number(&[]), Err(CrlError::Extension { name }));
    assert_eq!(number(&[0, 1]), Err(CrlError::Extension { name }));
    let trailing = extension(asn1::CRL_NUMBER, false, &[integer(&[1]), vec![0]].concat());
    assert_eq!(error_of(&with(&[trailing])), CrlError::Extension { name });
    assert_eq!(read(&with(&[delta_indicator(&[3])])).1.delta_base, Some(vec![3]));
    assert_eq!(error_of(&with(&[delta_indicator(&[0xff])])), CrlError::Number);
}

#[test]
fn f4_the_authority_key_identifier_is_read_where_there_is_one() {
    assert_eq!(read(&with(&[key_identifier(b"key")])).1.authority_key_identifier, Some(b"key".to_vec()));
    let serial_only = sequence(&[tlv(tag::context_constructed(1), &name("x")), tlv(tag::context(2), &[1])]);
    let crl = with(&[extension(asn1::AUTHORITY_KEY_IDENTIFIER, false, &serial_only)]);
    assert_eq!(read(&crl).1.authority_key_identifier, None);
    let bad = with(&[extension(asn1::AUTHORITY_KEY_IDENTIFIER, false, b"key")]);
    assert_eq!(error_of(&bad), CrlError::Extension { name: "authorityKeyIdentifier" });
}

#[test]
fn f25_remove_from_crl_stands_in_delta_crls_only() {
    let full = with_entry(&[reason(CrlReason::RemoveFromCrl)]);
    assert_eq!(error_of(&full), CrlError::RemoveFromCrlInFull);
    let delta = TestCrl { extensions: Some(vec![crl_number(&[8]), delta_indicator(&[7])]), ..full };
    assert_eq!(read(&delta).0.entries()[0].1.reason, Some(CrlReason::RemoveFromCrl));
}

#[test]
fn f28_f29_a_distribution_point_is_read_field_by_field() {
    let uri = "http://crl.example/1.crl";
    let point = read_idp(&[idp_uri(uri)]).unwrap();
    assert_eq!(point.text, uri);
    assert_eq!(
        point.distribution_point,
        canonical_general_names(&tlv(tag::context(6), uri.as_bytes())).unwrap()
    );
    assert_eq!((point.kinds, point.reasons, point.is_indirect), (CertificateKinds::All, None, false));
    assert_eq!(point.raw, sequence(&[idp_uri(uri)]));

    for (number, kinds) in
        [(1, CertificateKinds::User), (2, CertificateKinds::Ca), (5, CertificateKinds::Attribute)]
    {
        let point = read_idp(&[idp_flag(number)]).unwrap();
        assert_eq!((point.kinds, point.is_indirect), (kinds, false));
        assert!(point.distribution_point.is_empty());
    }
    assert!(read_idp(&[idp_flag(4)]).unwrap().is_indirect);
    let written_out = [idp_uri(uri), tlv(tag::context(1), &[0])];
    assert_eq!(read_idp(&written_out).unwrap().kinds, CertificateKinds::All);
}

#[test]
fn f28_a_distribution_point_that_contradicts_itself_or_says_nothing_is_refused() {
    for flags in [&[1, 2][..], &[1, 5], &[2, 5], &[1, 2, 5]] {
        let fields: Vec<_> = flags.iter().map(|&number| idp_flag(number)).collect();
        assert_eq!(read_idp(&fields), Err(CrlError::ConflictingKinds));
    }
    assert_eq!(read_idp(&[]), Err(CrlError::EmptyDistributionPoint));
    let malformed = CrlError::Extension { name: "issuingDistributionPoint" };
    for fields in [
        vec![tlv(tag::context_constructed(0), &[])],
        vec![tlv(tag::context_constructed(0), &tlv(tag::context_constructed(0), &[]))],
        vec![tlv(tag::context_constructed(0), &tlv(tag::context_constructed(2), b""))],
        vec![idp_flag(2), idp_flag(1)],
        vec![idp_flag(1), idp_flag(1)],
        vec![tlv(tag::context(1), &[1])],
        vec![tlv(tag::context(1), &[])],
        vec![idp_flag(1), idp_flag(6)],
        vec![tlv(tag::context(3), &[])],
        vec![tlv(tag::context(3), &[0])],
        vec![tlv(tag::context(3), &[8, 0])],
        vec![tlv(tag::context(3), &[0, 1, 2, 3])],
    ] {
        assert_eq!(read_idp(&fields).unwrap_err(), malformed, "{fields:02x?}");
    }
    let trailing = [sequence(&[idp_flag(1)]), vec![0]].concat();
    let crl = with(&[extension(asn1::ISSUING_DISTRIBUTION_POINT, true, &trailing)]);
    assert_eq!(error_of(&crl), malformed);
}

#[test]
fn f31_only_some_reasons_is_a_mask_of_reason_flags() {
    // keyCompromise (1) and cACompromise (2); aACompromise (8) in the second octet.
    assert_eq!(read_idp(&[tlv(tag::context(3), &[5, 0x60])]).unwrap().reasons, Some(0b110));
    assert_eq!(read_idp(&[tlv(tag::context(3), &[7, 0x40, 0x80])]).unwrap().reasons, Some(0x102));
}

#[test]
fn f28_a_name_relative_to_the_issuer_is_the_full_name() {
    let attribute = sequence(&[tlv(tag::OBJECT_IDENTIFIER, &[0x55, 4, 3]), tlv(tag::UTF8_STRING, b"One")]);
    let relative = tlv(tag::context_constructed(1), &attribute);
    let point = read_idp(&[tlv(tag::context_constructed(0), &relative)]).unwrap();
    let issuer = name("test  ca");
    // The issuer's relative names, and one more.
    let full = sequence(&[issuer[2..].to_vec(), tlv(tag::SET, &attribute)]);
    let full_name = tlv(tag::context_constructed(0), &tlv(tag::context_constructed(4), &full));
    let other = read_idp(&[tlv(tag::context_constructed(0), &full_name)]).unwrap();
    assert_eq!(point.distribution_point, other.distribution_point);
    assert_eq!(other.text, "CN=One,CN=test  ca");
}

#[test]
fn f33_f34_a_certificate_issuer_stands_in_indirect_crls_only() {
    let entries = vec![
        entry(SerialNumber::from(1), &utc("261101120000Z"), &[certificate_issuer("Other CA")]),
        entry(SerialNumber::from(2), &utc("261101120000Z"), &[]),
        entry(
            SerialNumber::from(3),
            &utc("261101120000Z"),
            &[reason(CrlReason::Superseded), certificate_issuer("Third CA")],
        ),
    ];
    let direct = TestCrl { entries: Some(entries.clone()), ..TestCrl::new() };
    assert_eq!(error_of(&direct), CrlError::CertificateIssuerInDirect);
    let not_indirect = TestCrl { extensions: Some(vec![idp(&[idp_flag(1)])]), ..direct.clone() };
    assert_eq!(error_of(&not_indirect), CrlError::CertificateIssuerInDirect);
    let indirect = TestCrl { extensions: Some(vec![idp(&[idp_flag(4)])]), ..direct };
    let (witness, extensions) = read(&indirect);
    assert!(extensions.issuing_distribution_point.unwrap().is_indirect);
    // It is passed on where it stands; to whom the ones behind it belong is for the reader to keep.
    let issuer = |text| Some(name(text));
    let issuers: Vec<_> = witness
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Entry(_, _, issuer) => Some(issuer.clone()),
            Event::Header(_) => None,
        })
        .collect();
    assert_eq!(issuers, [issuer("Other CA"), None, issuer("Third CA")]);
    for bad in [&b"x"[..], &[0x30, 0], &[0x30, 1, 0xa4]] {
        let bad = with_entry(&[extension(asn1::CERTIFICATE_ISSUER, true, bad)]);
        assert_eq!(error_of(&bad), CrlError::Extension { name: "certificateIssuer" });
    }
}

#[test]
fn f34_a_certificate_issuer_is_one_directory_name() {
    let directory = tlv(tag::context_constructed(4), &name("Other CA"));
    let uri = tlv(tag::context(6), b"http://ca.example");
    for names in [vec![uri.clone()], vec![directory.clone(), uri], vec![directory.clone(), directory]] {
        let bad = with_entry(&[extension(asn1::CERTIFICATE_ISSUER, true, &sequence(&names))]);
        assert_eq!(error_of(&bad), CrlError::CertificateIssuerName { entry: 1 }, "{names:02x?}");
    }
}

#[test]
fn f36_an_invalidity_date_is_generalized_time_without_fractions() {
    let (witness, _) = read(&with_entry(&[invalidity("20261022120000Z")]));
    let expected = UnixTime::from_civil(2026, 10, 22, 12, 0, 0);
    assert_eq!(witness.entries()[0].1.invalidity, expected);
    let refused = CrlError::Extension { name: "invalidityDate" };
    for bad in [invalidity("20261022120000.5Z"), invalidity("202610221200Z"), invalidity("")] {
        assert_eq!(error_of(&with_entry(&[bad])), refused);
    }
    let as_utc = extension(asn1::INVALIDITY_DATE, false, &utc("261022120000Z"));
    assert_eq!(error_of(&with_entry(&[as_utc])), refused);
}

#[test]
fn f37_every_reason_is_read_and_a_number_without_a_name_is_refused() {
    for why in CrlReason::ALL.into_iter().filter(|why| *why != CrlReason::RemoveFromCrl) {
        let found = read(&with_entry(&[reason(why)])).0.entries()[0].1.reason;
        // 5.3.1 wants unspecified left out: it says nothing.
        assert_eq!(found, (why != CrlReason::Unspecified).then_some(why));
    }
    let coded =
        |value: &[u8]| with_entry(&[extension(asn1::REASON_CODE, false, &tlv(tag::ENUMERATED, value))]);
    for value in [7, 11, 0x7f, 0x80, 0xff] {
        assert_eq!(error_of(&coded(&[value])), CrlError::Reason { entry: 1, value });
    }
    let malformed = CrlError::Extension { name: "reasonCode" };
    assert_eq!(error_of(&coded(&[])), malformed);
    assert_eq!(error_of(&coded(&[0, 1])), malformed);
    let as_integer = with_entry(&[extension(asn1::REASON_CODE, false, &integer(&[1]))]);
    assert_eq!(error_of(&as_integer), malformed);
}

#[test]
fn s5_3_known_entry_extensions_may_be_critical() {
    let critical = extension(asn1::REASON_CODE, true, &tlv(tag::ENUMERATED, &[6]));
    assert!(read(&with_entry(&[critical])).0.entries()[0].1.is_hold());
}
