//! Requests of every shape (ledger A, traps 8, 9, 12, 13, 15).

use super::request::RequestError;
use super::*;
use crate::asn1::DerError;
use crate::x509::SerialNumberError;

fn parse(octets: &[u8]) -> Result<OcspRequest<'_>, RequestError> {
    OcspRequest::parse(octets)
}

#[test]
fn a1_a2_a3_every_hash_algorithm_is_read_with_and_without_null() {
    for hash in HashAlgorithm::ALL {
        for null in [true, false] {
            let cert_id = cert_id(hash, null, &[0x12, 0x34]);
            let octets = request(&[single(&cert_id)], &[]);
            let request = parse(&octets).unwrap();
            let read: Vec<_> = request.cert_ids().collect();
            assert_eq!((request.len(), read.len(), request.is_empty()), (1, 1, false));
            assert_eq!(read[0].hash, Some(hash));
            assert_eq!(read[0].issuer_name_hash, vec![0xaa; hash.output_len()]);
            assert_eq!(read[0].issuer_key_hash, vec![0xbb; hash.output_len()]);
            assert_eq!(read[0].serial_number.as_bytes(), [0x12, 0x34]);
            // A4: what is repeated is what was asked.
            assert_eq!(read[0].raw, cert_id);
        }
    }
}

#[test]
fn a3_an_unknown_hash_algorithm_is_not_malformed() {
    // id-sha224: 2.16.840.1.101.3.4.2.4
    let oid = der(tag::OBJECT_IDENTIFIER, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4]]);
    let hash = der(tag::OCTET_STRING, &[&[1; 28]]);
    let cert_id = sequence(&[&sequence(&[&oid]), &hash, &hash, &der(tag::INTEGER, &[&[5]])]);
    let octets = request(&[single(&cert_id)], &[]);
    let found = parse(&octets).unwrap().cert_ids().next().unwrap();
    assert_eq!((found.hash, found.raw), (None, &cert_id[..]));
}

#[test]
fn t9_a_null_with_content_and_parameters_behind_parameters_are_malformed() {
    let oid = der(tag::OBJECT_IDENTIFIER, &[HashAlgorithm::Sha1.oid()]);
    let hash = der(tag::OCTET_STRING, &[&[1; 20]]);
    for parameters in [&[tag::NULL, 1, 0][..], &[tag::NULL, 0, tag::NULL, 0], &[tag::NULL]] {
        let cert_id = sequence(&[&sequence(&[&oid, parameters]), &hash, &hash, &[2, 1, 5]]);
        let octets = request(&[single(&cert_id)], &[]);
        assert!(matches!(parse(&octets), Err(RequestError::CertId(_))), "{parameters:02x?}");
    }
}

#[test]
fn a7_t13_several_requests_are_given_in_order_up_to_the_most() {
    let ids: Vec<_> =
        (0..=MAX_CERT_IDS as u8).map(|n| cert_id(HashAlgorithm::Sha1, true, &[n % 128])).collect();
    let singles: Vec<_> = ids.iter().map(|id| single(id)).collect();
    for count in [1, 2, MAX_CERT_IDS] {
        let octets = request(&singles[..count], &[]);
        let request = parse(&octets).unwrap();
        let read: Vec<_> = request.cert_ids().map(|id| id.raw.to_vec()).collect();
        assert_eq!((request.len(), &read[..]), (count, &ids[..count]));
    }
    assert_eq!(parse(&request(&singles, &[])).err(), Some(RequestError::TooMany));
    // Duplicates are two questions.
    let octets = request(&[singles[3].clone(), singles[3].clone()], &[]);
    assert_eq!(parse(&octets).unwrap().cert_ids().count(), 2);
}

#[test]
fn a9_an_empty_list_is_malformed() {
    assert_eq!(parse(&request(&[], &[])).err(), Some(RequestError::Empty));
}

#[test]
fn a10_a11_only_version_1_and_also_where_it_is_written_out() {
    let list = sequence(&[&single(&sha1_cert_id())]);
    let with = |version: &[u8]| sequence(&[&sequence(&[&explicit(0, &[version]), &list])]);
    assert!(parse(&with(&[2, 1, 0])).is_ok());
    assert_eq!(parse(&with(&[2, 1, 1])).err(), Some(RequestError::Version));
    assert_eq!(parse(&with(&[2, 1, 0xff])).err(), Some(RequestError::Version));
    for malformed in [&[2, 0][..], &[2, 2, 0, 0], &[2, 1, 0, 2, 1, 0], &[4, 1, 0], &[]] {
        assert!(matches!(parse(&with(malformed)), Err(RequestError::Der(_))), "{malformed:02x?}");
    }
}

#[test]
fn a12_a13_a_requestor_name_and_a_signature_change_nothing() {
    let list = sequence(&[&single(&sha1_cert_id())]);
    let name = explicit(1, &[&der(tag::context(6), &[b"http://client.example"])]);
    let named = sequence(&[&sequence(&[&name, &list])]);
    let request = parse(&named).unwrap();
    assert_eq!((request.len(), request.is_signed()), (1, false));

    let signature = sequence(&[&algorithm(HashAlgorithm::Sha256, false), &[3, 2, 0, 9]]);
    let signed = sequence(&[&sequence(&[&name, &list]), &explicit(0, &[&signature])]);
    let request = parse(&signed).unwrap();
    assert_eq!((request.len(), request.is_signed()), (1, true));
}

#[test]
fn a14_a15_extensions_nobody_understands_are_ignored_unless_critical() {
    assert!(parse(&with_extensions(&[extension(STRANGE, false, b"x")])).is_ok());
    let octets = with_extensions(&[extension(STRANGE, true, b"x")]);
    assert_eq!(parse(&octets).err(), Some(RequestError::UnknownCriticalExtension));
    // Also behind one that is understood.
    let nonce = extension(asn1::OCSP_NONCE, false, &der(tag::OCTET_STRING, &[&[7; 32]]));
    let octets = with_extensions(&[nonce, extension(STRANGE, true, b"x")]);
    assert_eq!(parse(&octets).err(), Some(RequestError::UnknownCriticalExtension));
}

#[test]
fn a16_a17_single_request_extensions_obey_the_same_rules() {
    let with = |extensions: &[Vec<u8>]| {
        let list = explicit(0, &[&sequence(&[&extensions.concat()])]);
        // The second of two: each is looked at.
        request(&[single(&sha1_cert_id()), sequence(&[&sha1_cert_id(), &list])], &[])
    };
    let locator = |critical| extension(asn1::OCSP_SERVICE_LOCATOR, critical, b"whatever");
    for fine in [extension(STRANGE, false, b"x"), locator(false), locator(true)] {
        assert_eq!(parse(&with(&[fine])).unwrap().cert_ids().count(), 2);
    }
    let strange = with(&[extension(STRANGE, true, b"x")]);
    assert_eq!(parse(&strange).err(), Some(RequestError::UnknownCriticalExtension));
    let twice = with(&[locator(false), locator(false)]);
    assert_eq!(parse(&twice).err(), Some(RequestError::DuplicateExtension));
    assert_eq!(parse(&with(&[])).err(), Some(RequestError::Der(DerError::Value)));
}

#[test]
fn a18_a19_a_basic_response_has_to_be_acceptable() {
    let basic = der(tag::OBJECT_IDENTIFIER, &[asn1::OCSP_BASIC]);
    let other = der(tag::OBJECT_IDENTIFIER, &[STRANGE]);
    let with = |types: &[&[u8]]| with_extensions(&[extension(asn1::OCSP_RESPONSE, false, &sequence(types))]);
    assert!(parse(&with(&[&basic])).is_ok());
    assert!(parse(&with(&[&other, &basic])).is_ok());
    assert_eq!(parse(&with(&[&other])).err(), Some(RequestError::BasicNotAcceptable));
    assert_eq!(parse(&with(&[])).err(), Some(RequestError::BasicNotAcceptable));
    assert!(matches!(parse(&with(&[&[5, 0]])), Err(RequestError::Der(_))));
    // Nothing may stand behind the list.
    let trailing = [sequence(&[&basic]), vec![5, 0]].concat();
    let octets = with_extensions(&[extension(asn1::OCSP_RESPONSE, false, &trailing)]);
    assert_eq!(parse(&octets).err(), Some(RequestError::Der(DerError::Trailing)));
}

#[test]
fn h1_preferred_signature_algorithms_are_kept_as_they_stand() {
    let sha256_rsa = sequence(&[&der(tag::OBJECT_IDENTIFIER, &[asn1::SHA256_WITH_RSA]), &[5, 0]]);
    let preferred = sequence(&[&sha256_rsa]);
    let with = |value: &[u8]| with_extensions(&[extension(asn1::OCSP_PREF_SIG_ALGS, false, value)]);
    let octets = with(&sequence(&[&preferred]));
    assert_eq!(parse(&octets).unwrap().preferred_algorithms, Some(&preferred[..]));
    assert!(matches!(parse(&with(&sequence(&[&[5, 0]]))), Err(RequestError::Der(_))));
}

#[test]
fn a20_a_second_extension_of_a_kind_is_refused_and_so_are_too_many() {
    let strange = extension(STRANGE, false, b"x");
    let octets = with_extensions(&[strange.clone(), extension(STRANGE, false, b"y")]);
    assert_eq!(parse(&octets).err(), Some(RequestError::DuplicateExtension));
    let many: Vec<_> = (0..17).map(|n| extension(&[0x2b, n], false, b"")).collect();
    assert!(parse(&with_extensions(&many[..16])).is_ok());
    assert_eq!(parse(&with_extensions(&many)).err(), Some(RequestError::TooManyExtensions));
    // Extensions ::= SEQUENCE SIZE (1..MAX)
    let list = sequence(&[&single(&sha1_cert_id())]);
    let empty = sequence(&[&sequence(&[&list, &explicit(2, &[&sequence(&[])])])]);
    assert_eq!(parse(&empty).err(), Some(RequestError::Der(DerError::Value)));
}

#[test]
fn a21_t8_what_is_not_der_is_refused() {
    let good = request(&[single(&sha1_cert_id())], &[]);
    assert!(parse(&good).is_ok());
    for end in 0..good.len() {
        assert!(parse(&good[..end]).is_err(), "cut at {end}");
    }
    let error = |octets: &[u8]| parse(octets).err();
    // Trailing octets, and two requests in one body.
    assert_eq!(error(&[&good[..], &[0]].concat()), Some(RequestError::Der(DerError::Trailing)));
    assert_eq!(error(&[&good[..], &good].concat()), Some(RequestError::Der(DerError::Trailing)));
    // BER: an indefinite length outside, and a superfluous length octet.
    let indefinite = [&[0x30, 0x80][..], &good[2..], &[0, 0]].concat();
    assert_eq!(error(&indefinite), Some(RequestError::Der(DerError::Length)));
    let long = [&[0x30, 0x81][..], &good[1..]].concat();
    assert_eq!(error(&long), Some(RequestError::Der(DerError::Length)));
    // A length of almost 4 GiB; no octets; nothing but a length.
    let huge = [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &good[2..]].concat();
    assert_eq!(error(&huge), Some(RequestError::Der(DerError::Truncated)));
    assert_eq!(error(&[]), Some(RequestError::Der(DerError::Truncated)));
    // Nesting without end, as deep as a body may be.
    let mut deep = Vec::new();
    while deep.len() < 8192 - 4 {
        deep = sequence(&[&deep]);
    }
    assert!(error(&deep).is_some());
}

#[test]
fn a21_elements_where_none_belongs_are_refused() {
    let id = single(&sha1_cert_id());
    let list = sequence(&[&id]);
    let stray = [tag::NULL, 0];
    for octets in [
        sequence(&[&sequence(&[&list, &stray])]), // behind the list
        sequence(&[&sequence(&[&list]), &stray]), // behind tbsRequest
        sequence(&[&sequence(&[&sequence(&[&id, &stray])])]), // in the list
        sequence(&[&sequence(&[&sequence(&[&sequence(&[&sha1_cert_id(), &stray])])])]), // in a Request
        sequence(&[&sequence(&[&stray, &list])]), // before the list
        sequence(&[&sequence(&[&explicit(2, &[&stray]), &list])]), // out of order
        sequence(&[&sequence(&[
            &list,
            &explicit(2, &[&sequence(&[&extension(STRANGE, false, b"")]), &stray]),
        ])]),
    ] {
        assert!(matches!(parse(&octets), Err(RequestError::Der(_))), "{octets:02x?}");
    }
}

#[test]
fn a22_a23_a24_t12_serial_numbers_are_kept_apart_or_refused() {
    let read = |content: &[u8]| {
        let octets = request(&[single(&cert_id(HashAlgorithm::Sha1, true, content))], &[]);
        parse(&octets).map(|request| request.cert_ids().next().unwrap().serial_number)
    };
    let high = [&[0x00, 0x80][..], &[1; 19]].concat();
    for good in [&[0x00][..], &[0x01], &[0x01, 0x00], &[0xff], &[0x00, 0xff], &[0x7f; 20], &[0x80; 20], &high]
    {
        assert_eq!(read(good).unwrap().as_bytes(), good);
    }
    assert_ne!(read(&[0xff]).unwrap(), read(&[0x00, 0xff]).unwrap());
    let refused = |content: &[u8], why| {
        let found = read(content).err().map(|error| error.to_string());
        assert_eq!(found, Some(format!("the CertID's serial number is malformed: {why}")), "{content:02x?}");
    };
    refused(&[], SerialNumberError::Empty);
    refused(&[0x00, 0x01], SerialNumberError::NotMinimal);
    refused(&[0xff, 0xff], SerialNumberError::NotMinimal);
    refused(&[0x01; 21], SerialNumberError::TooLong);
    refused(&[&[0x00, 0x80][..], &[1; 20]].concat(), SerialNumberError::TooLong);
    refused(&[0x55; 4000], SerialNumberError::TooLong);
}

#[test]
fn boundaries_of_lengths_inside_a_request() {
    for length in [127, 128, 255, 256, 65_535, 65_536] {
        let octets = with_extensions(&[extension(STRANGE, false, &vec![0x5a; length])]);
        assert_eq!(parse(&octets).unwrap().len(), 1, "{length}");
    }
}
