//! Responses read back: by the one who asks, and before an answer leaves.

use super::responses::{KEY_HASH, at, ecdsa};
use super::*;
use crate::asn1::DerError;
use const_oid::ObjectIdentifier;
use proptest::prelude::*;

fn time(text: &str) -> Vec<u8> {
    der(tag::GENERALIZED_TIME, &[text.as_bytes()])
}

fn by_key() -> Vec<u8> {
    explicit(2, &[&der(tag::OCTET_STRING, &[&KEY_HASH])])
}

fn good() -> Vec<u8> {
    sequence(&[&sha1_cert_id(), &[0x80, 0], &time("20261122120000Z")])
}

/// An OCSPResponse around this tbsResponseData, with these certs.
fn around(tbs: &[u8], certificates: &[u8]) -> Vec<u8> {
    let basic = sequence(&[tbs, &ecdsa(), &der(tag::BIT_STRING, &[&[0], &[9; 70]]), certificates]);
    let oid = der(tag::OBJECT_IDENTIFIER, &[asn1::OCSP_BASIC]);
    let bytes = sequence(&[&oid, &der(tag::OCTET_STRING, &[&basic])]);
    sequence(&[&[0x0a, 1, 0], &explicit(0, &[&bytes])])
}

fn with_single(single: &[u8]) -> Vec<u8> {
    around(&sequence(&[&by_key(), &time("20261122123000Z"), &sequence(&[single])]), &[])
}

fn with_extensions(extensions: &[Vec<u8>]) -> Vec<u8> {
    let list = explicit(1, &[&sequence(&[&extensions.concat()])]);
    around(&sequence(&[&by_key(), &time("20261122123000Z"), &sequence(&[&good()]), &list]), &[])
}

fn error(octets: &[u8]) -> ParseResponseError {
    ParsedResponse::parse(octets).unwrap_err()
}

fn der_error(part: ResponsePart, why: DerError) -> ParseResponseError {
    ParseResponseError::Der { part, why }
}

/// That an extension with the identifier [`STRANGE`] is critical.
fn strange() -> ParseResponseError {
    let oid = ObjectIdentifier::from_bytes(STRANGE).unwrap().to_string();
    ParseResponseError::UnknownCriticalExtension { oid }
}

fn basic(octets: &[u8]) -> BasicResponse<'_> {
    match ParsedResponse::parse(octets).unwrap() {
        ParsedResponse::Basic(basic) => basic,
        ParsedResponse::Error(status) => panic!("{status:?}"),
    }
}

#[test]
fn s4_2_1_a_response_of_another_responder_is_read() {
    // By name, with version written out, without nextUpdate.
    let name = sequence(&[&der(tag::SET, &[])]);
    let version = explicit(0, &[&[2, 1, 0]]);
    let tbs = sequence(&[&version, &explicit(1, &[&name]), &time("20261122123000Z"), &sequence(&[&good()])]);
    let octets = around(&tbs, &[]);
    let basic = basic(&octets);
    assert_eq!((basic.responder_name, basic.responder_key_hash), (Some(&name[..]), None));
    assert_eq!((basic.to_be_signed, basic.signature), (&tbs[..], &[9; 70][..]));
    let singles: Vec<_> = basic.singles().collect();
    assert_eq!(singles.len(), 1);
    assert_eq!((singles[0].this_update, singles[0].next_update), (at("20261122120000Z"), None));
    assert_eq!(singles[0].cert_id.raw, sha1_cert_id());
    assert_eq!(basic.certificates().count(), 0);
}

#[test]
fn s4_2_1_error_statuses_are_read_and_unknown_ones_named() {
    for value in [1, 2, 3, 5, 6] {
        let octets = [0x30, 3, 0x0a, 1, value];
        let ParsedResponse::Error(status) = ParsedResponse::parse(&octets).unwrap() else {
            panic!("{value}")
        };
        assert_eq!(status as u8, value);
    }
    assert_eq!(error(&[0x30, 3, 0x0a, 1, 4]), ParseResponseError::Status(4));
    assert_eq!(error(&[0x30, 3, 0x0a, 1, 0]), ParseResponseError::NoResponseBytes);
    assert_eq!(error(&[0x30, 3, 0x0a, 1, 3, 0]), der_error(ResponsePart::OcspResponse, DerError::Trailing));
    assert_eq!(error(&[0x30, 4, 0x0a, 2, 0, 3]), der_error(ResponsePart::OcspResponse, DerError::Value));
}

#[test]
fn s4_4_critical_extensions_that_nobody_understands_end_the_reading() {
    assert_eq!(error(&with_extensions(&[extension(STRANGE, true, b"")])), strange());
    basic(&with_extensions(&[extension(STRANGE, false, b"")]));
    let list = explicit(1, &[&sequence(&[&extension(STRANGE, true, b"")])]);
    let single = sequence(&[&sha1_cert_id(), &[0x80, 0], &time("20261122120000Z"), &list]);
    assert_eq!(error(&with_single(&single)), strange());
    // Of the arc of UUIDs: lawful, and beyond what is written in dots here.
    let uuid = [&[0x69][..], &[0x83], &[0xff; 17], &[0x7f]].concat();
    assert_eq!(
        error(&with_extensions(&[extension(&uuid, true, b"")])).to_string(),
        format!("the response has a critical extension that is not understood: 6983{}7f", "ff".repeat(17))
    );
}

#[test]
fn s4_2_1_a_version_and_a_reason_that_do_not_exist_are_named() {
    let singles = sequence(&[&good()]);
    for (version, told) in [(1, 2), (0x7f, 128)] {
        let version = explicit(0, &[&[2, 1, version]]);
        let tbs = sequence(&[&version, &by_key(), &time("20261122123000Z"), &singles]);
        assert_eq!(error(&around(&tbs, &[])), ParseResponseError::Version(told));
    }
    let update = time("20261122120000Z");
    for reason in [7, 11, 255] {
        let revoked = explicit(1, &[&update, &explicit(0, &[&[0x0a, 1, reason]])]);
        let single = sequence(&[&sha1_cert_id(), &revoked, &update]);
        assert_eq!(error(&with_single(&single)), ParseResponseError::Reason(reason));
    }
}

#[test]
fn what_is_malformed_is_told_with_the_part_it_stands_in() {
    let id = sha1_cert_id();
    let update = time("20261122120000Z");
    let list = explicit(1, &[&sequence(&[&sequence(&[&[5, 0]])])]);
    let tag = |expected, found| DerError::Tag { expected, found };
    for (octets, expected) in [
        (vec![5, 0], der_error(ResponsePart::OcspResponse, tag(0x30, 5))),
        (around(&[5, 0], &[]), der_error(ResponsePart::BasicOcspResponse, tag(0x30, 5))),
        (around(&sequence(&[&[5, 0]]), &[]), der_error(ResponsePart::ResponseData, tag(0xa2, 5))),
        (with_single(&[5, 0]), der_error(ResponsePart::SingleResponse, tag(0x30, 5))),
        (
            with_single(&sequence(&[&id, &[0x80, 0], &[5, 0]])),
            der_error(ResponsePart::SingleResponse, tag(0x18, 5)),
        ),
        (with_single(&sequence(&[&id, &[5, 0]])), der_error(ResponsePart::CertStatus, tag(0x80, 5))),
        (
            with_single(&sequence(&[&id, &[0x80, 0], &update, &list])),
            der_error(ResponsePart::Extensions, tag(6, 5)),
        ),
        (with_single(&sequence(&[&sequence(&[&[5, 0]])])), ParseResponseError::CertId(tag(0x30, 5).into())),
    ] {
        assert_eq!(error(&octets), expected, "{octets:02x?}");
    }
    assert_eq!(
        error(&with_single(&sequence(&[&id, &[5, 0]]))).to_string(),
        "a CertStatus is not DER as RFC 6960 has it: expected an element with tag 0x80, found 0x05"
    );
}

#[test]
fn rfc9654_2_1_the_octets_of_a_nonce_are_found_with_and_without_the_inner_octet_string() {
    let of = |value: &[u8]| {
        let octets = with_extensions(&[extension(asn1::OCSP_NONCE, false, value)]);
        let basic = basic(&octets);
        assert_eq!(basic.nonce, Some(value));
        basic.nonce_octets().unwrap().to_vec()
    };
    assert_eq!(of(&der(tag::OCTET_STRING, &[&[7; 32]])), [7; 32]);
    assert_eq!(of(&[7; 32]), [7; 32]);
    // Raw octets that begin like an OCTET STRING.
    assert_eq!(of(&[4, 1, 9, 9]), [4, 1, 9, 9]);
    assert_eq!(
        basic(&around(&sequence(&[&by_key(), &time("20261122123000Z"), &sequence(&[])]), &[])).nonce_octets(),
        None
    );
}

#[test]
fn c9_a_response_with_two_nonces_is_not_believed() {
    let nonce = |octet| extension(asn1::OCSP_NONCE, false, &der(tag::OCTET_STRING, &[&[octet; 32]]));
    assert_eq!(error(&with_extensions(&[nonce(1), nonce(2)])), ParseResponseError::DuplicateExtension);
}

#[test]
fn octets_that_hide_inside_a_response_are_refused() {
    let id = sha1_cert_id();
    let update = time("20261122120000Z");
    for single in [
        sequence(&[&id, &[0x80, 1, 0], &update]),       // good, with content
        sequence(&[&id, &[0x82, 2, 5, 0], &update]),    // unknown, with content
        sequence(&[&id, &[0x83, 0], &update]),          // no such status
        sequence(&[&id, &[0x80, 0], &update, &[5, 0]]), // behind the end
        sequence(&[&id, &explicit(1, &[&update, &[5, 0]]), &update]), // in RevokedInfo
        sequence(&[&id, &explicit(1, &[&update, &explicit(0, &[&[0x0a, 1, 1, 5, 0]])]), &update]), // in the reason
        sequence(&[&id, &[0x80, 0], &time("20261122120000.5Z")]), // a fraction
        sequence(&[&id, &[0x80, 0], &der(tag::UTC_TIME, &[b"261122120000Z"])]),
        sequence(&[&id, &[0x80, 0], &update, &explicit(0, &[&update, &update])]),
        sequence(&[
            &id,
            &[0x80, 0],
            &update,
            &explicit(
                1,
                &[&sequence(&[&extension(asn1::INVALIDITY_DATE, false, &[&update[..], &[5, 0]].concat())])],
            ),
        ]),
    ] {
        assert!(matches!(error(&with_single(&single)), ParseResponseError::Der { .. }), "{single:02x?}");
    }
    let singles = sequence(&[&good()]);
    for tbs in [
        sequence(&[&explicit(0, &[&[2, 1, 0, 5, 0]]), &by_key(), &time("20261122123000Z"), &singles]),
        sequence(&[&explicit(0, &[&[2, 1, 0xff]]), &by_key(), &time("20261122123000Z"), &singles]),
        sequence(&[&explicit(1, &[&sequence(&[]), &[5, 0]]), &time("20261122123000Z"), &singles]),
        sequence(&[&by_key(), &time("20261122123000Z"), &singles, &[5, 0]]),
        sequence(&[&time("20261122123000Z"), &singles]),
    ] {
        assert!(matches!(error(&around(&tbs, &[])), ParseResponseError::Der { .. }), "{tbs:02x?}");
    }
    let tbs = sequence(&[&by_key(), &time("20261122123000Z"), &singles]);
    basic(&around(&tbs, &explicit(0, &[&sequence(&[&sequence(&[])])])));
    let no_certificate = explicit(0, &[&sequence(&[&[4, 0]])]);
    assert!(matches!(error(&around(&tbs, &no_certificate)), ParseResponseError::Der { .. }));
}

#[test]
fn a_response_of_another_type_is_told_from_a_malformed_one() {
    let oid = der(tag::OBJECT_IDENTIFIER, &[STRANGE]);
    let bytes = sequence(&[&oid, &der(tag::OCTET_STRING, &[b"?"])]);
    let octets = sequence(&[&[0x0a, 1, 0], &explicit(0, &[&bytes])]);
    assert_eq!(error(&octets), ParseResponseError::NotBasic);
}

/// Reads everything that a caller may ask for.
fn exhaust(octets: &[u8]) {
    if let Ok(request) = OcspRequest::parse(octets) {
        assert_eq!(request.cert_ids().count(), request.len());
    }
    if let Ok(ParsedResponse::Basic(basic)) = ParsedResponse::parse(octets) {
        let _ = (basic.singles().count(), basic.certificates().count());
    }
}

proptest! {
    #[test]
    fn t8_no_octets_make_a_parser_panic(octets in prop::collection::vec(any::<u8>(), 0..400)) {
        exhaust(&octets);
        // Behind a believable beginning more of it is looked at.
        exhaust(&sequence(&[&sequence(&[&octets])]));
        exhaust(&sequence(&[&sequence(&[&sequence(&[&octets])])]));
        exhaust(&around(&octets, &[]));
        exhaust(&with_single(&octets));
    }

    #[test]
    fn t8_no_mutation_makes_a_parser_panic(
        which in 0usize..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let nonce = extension(asn1::OCSP_NONCE, true, &der(tag::OCTET_STRING, &[&[7; 32]]));
        let mut octets = match which {
            0 => super::with_extensions(&[nonce]),
            1 => request(&[single(&sha1_cert_id()), single(&sha1_cert_id())], &[]),
            2 => with_extensions(&[nonce]),
            _ => around(
                &sequence(&[&by_key(), &time("20261122123000Z"), &sequence(&[&good(), &good()])]),
                &explicit(0, &[&sequence(&[&sequence(&[])])]),
            ),
        };
        for (index, octet) in changes {
            let at = index.index(octets.len());
            octets[at] = octet;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len() + 1));
        }
        exhaust(&octets);
    }
}
