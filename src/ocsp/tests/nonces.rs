//! The nonce (RFC 9654 2.1; ledger C, trap 14).

use super::request::RequestError;
use super::*;

fn nonce(critical: bool, value: &[u8]) -> Vec<u8> {
    extension(asn1::OCSP_NONCE, critical, value)
}

#[test]
fn c1_to_c6_t14_lengths_are_counted_inside_the_octet_string() {
    for length in [1, 15, 16, 32, 33, 127, MAX_NONCE_OCTETS] {
        let value = der(tag::OCTET_STRING, &[&vec![0xc3; length]]);
        let octets = with_extensions(&[nonce(false, &value)]);
        let request = OcspRequest::parse(&octets).unwrap();
        // With the inner OCTET STRING's header: repeated as it stands.
        assert_eq!(request.nonce, Some(NonceRef { value: &value }), "{length}");
        assert!(!request.nonce_is_critical);
    }
    for length in [0, MAX_NONCE_OCTETS + 1, 255, 256, 4000] {
        let value = der(tag::OCTET_STRING, &[&vec![0xc3; length]]);
        let octets = with_extensions(&[nonce(false, &value)]);
        assert_eq!(OcspRequest::parse(&octets).err(), Some(RequestError::Nonce), "{length}");
    }
}

#[test]
fn c7_a_nonce_without_its_octet_string_is_malformed() {
    for raw in
        [&[][..], &[0xc3; 16], &[0x04], &[0x04, 3, 1, 2], &[0x04, 1, 2, 3], &[0x05, 0], &[0x24, 0x80, 0, 0]]
    {
        let octets = with_extensions(&[nonce(false, raw)]);
        assert_eq!(OcspRequest::parse(&octets).err(), Some(RequestError::Nonce), "{raw:02x?}");
    }
}

#[test]
fn c8_a_critical_nonce_is_understood_and_marked() {
    let value = der(tag::OCTET_STRING, &[&[1; 32]]);
    let octets = with_extensions(&[nonce(true, &value)]);
    let request = OcspRequest::parse(&octets).unwrap();
    assert_eq!((request.nonce.map(|nonce| nonce.value), request.nonce_is_critical), (Some(&value[..]), true));
}

#[test]
fn c9_two_nonces_are_refused_equal_or_not() {
    let one = der(tag::OCTET_STRING, &[&[1; 32]]);
    let other = der(tag::OCTET_STRING, &[&[2; 32]]);
    for second in [&one, &other] {
        let octets = with_extensions(&[nonce(false, &one), nonce(false, second)]);
        assert_eq!(OcspRequest::parse(&octets).err(), Some(RequestError::DuplicateExtension));
    }
}

#[test]
fn c9_a_nonce_under_a_padded_identifier_is_no_second_nonce() {
    let value = der(tag::OCTET_STRING, &[&[1; 32]]);
    let padded = [&asn1::OCSP_NONCE[..1], &[0x80], &asn1::OCSP_NONCE[1..]].concat();
    let octets = with_extensions(&[nonce(false, &value), extension(&padded, false, &value)]);
    assert!(matches!(OcspRequest::parse(&octets), Err(RequestError::Der(_))));
}

#[test]
fn c13_a_request_without_a_nonce_has_none() {
    let octets = with_extensions(&[extension(STRANGE, false, b"x")]);
    assert_eq!(OcspRequest::parse(&octets).unwrap().nonce, None);
}
